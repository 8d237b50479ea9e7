use super::attest::signer;
use super::output::Streams;
use super::record_arguments::{RootsAccept, RootsCommand, RootsSign};
use super::surroundings::Surroundings;
use crate::record::{Envelope, MAX_RECORD_BYTES, Roots, sign_roots, succeed};
use crate::source::{read_at_most, write_atomically};
use miette::Diagnostic;
use std::io::ErrorKind;
use std::path::Path;

pub(super) fn run(command: &RootsCommand, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    match command {
        RootsCommand::Sign(arguments) => sign(arguments, surroundings, streams),
        RootsCommand::Accept(arguments) => accept(arguments, surroundings, streams),
    }
}

fn sign(arguments: &RootsSign, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let RootsSign { new, key, envelope: path } = arguments;
    let at = |path: &Path| surroundings.folder.join(path);
    let signer = match signer(key, surroundings) {
        Ok(signer) => signer,
        Err((message, help)) => return streams.error(&message, help.as_deref(), 2),
    };
    let roots = match read_at_most(&at(new), MAX_RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(why) => return unreadable(new, &why, streams),
    };
    // What nobody could use is not signed.
    if let Err(why) = Roots::read(&roots, surroundings.now()) {
        return refused(&why, 2, streams);
    }
    let before = match read_at_most(&at(path), MAX_RECORD_BYTES) {
        Ok(bytes) => match Envelope::read(&bytes) {
            Ok(envelope) => Some(envelope),
            Err(why) => return refused(&why, 1, streams),
        },
        Err(why) if why.kind() == ErrorKind::NotFound => None,
        Err(why) => return unreadable(path, &why, streams),
    };
    let envelope = match sign_roots(&roots, before, &signer) {
        Ok(envelope) => envelope,
        Err(why) => return refused(&why, 1, streams),
    };
    match write_atomically(&at(path), &envelope.to_bytes()) {
        Ok(()) => {
            streams.say(&format!("{}: signed by {}", path.display(), signer.public()));
            0
        }
        Err(why) => streams.error(&format!("`{}` cannot be written: {why}", path.display()), None, 3),
    }
}

fn accept(arguments: &RootsAccept, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let RootsAccept { roots: path, envelope } = arguments;
    let at = |path: &Path| surroundings.folder.join(path);
    let present = match read_at_most(&at(path), MAX_RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(why) => return unreadable(path, &why, streams),
    };
    let present = match Roots::to_be_replaced(&present) {
        Ok(roots) => roots,
        Err(why) => return refused(&why, 2, streams),
    };
    let signed = match read_at_most(&at(envelope), MAX_RECORD_BYTES) {
        Ok(bytes) => bytes,
        Err(why) => return unreadable(envelope, &why, streams),
    };
    let (bytes, next) = match succeed(&present, &signed, surroundings.now()) {
        Ok(both) => both,
        Err(why) => return refused(&why, 1, streams),
    };
    match write_atomically(&at(path), &bytes) {
        Ok(()) => streams.data(
            &format!("{}: the roots {} have taken the place of {}\n", path.display(), next.serial, present.serial),
            0,
        ),
        Err(why) => streams.error(&format!("`{}` cannot be written: {why}", path.display()), None, 3),
    }
}

fn unreadable(path: &Path, why: &std::io::Error, streams: &mut Streams<'_>) -> u8 {
    streams.error(&format!("`{}` cannot be read: {why}", path.display()), None, 3)
}

fn refused(why: &dyn Diagnostic, code: u8, streams: &mut Streams<'_>) -> u8 {
    streams.error(&why.to_string(), why.help().map(|help| help.to_string()).as_deref(), code)
}
