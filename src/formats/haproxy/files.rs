//! Files that a configuration names: of patterns and maps, which are read, and those of which only is known whether they are
//! the same: code, pages of errors, lists of certificates.

use super::ask::Lines;
use super::lex::{Environment, Line, Word, line};
use super::samples::in_format;
use super::sections::Section;
use crate::formats::account::Account;
use crate::formats::code::{self, Sort};
use crate::formats::{Disposition, Include, Reading};
use crate::text::{SourceId, Span, lines};
use std::collections::HashMap;

/// The names of files in a text, and where they may lead from that main file.
pub(super) fn names(main: &str, text: &[u8]) -> Vec<Include> {
    let mut found: Vec<Include> = Vec::new();
    let mut sources = crate::text::SourceMap::default();
    let Ok(source) = sources.add(b"", Vec::new()) else { return found };
    let bases = bases(main, text);
    for (_, bytes) in lines(text) {
        let cut = line(source, 0, bytes, &Environment::default());
        for word in anchors(&cut) {
            for mut include in code::kept(main, word.text.as_bytes(), FOLDERS) {
                if !word.text.starts_with('/') {
                    // Relative names are below the folders that are said for them.
                    for base in &bases {
                        let below = format!("{base}/{}", word.text);
                        let more = code::kept(main, below.as_bytes(), FOLDERS).into_iter();
                        let more = more.filter(|other| other.pattern == include.pattern).flat_map(|i| i.places);
                        let known: Vec<Vec<u8>> = more.filter(|place| !include.places.contains(place)).collect();
                        include.places.splice(0..0, known);
                    }
                }
                if found.iter().all(|known| known.name != include.name) {
                    found.push(include);
                }
            }
        }
        for name in named(&cut).into_iter().chain(attached(&cut).map(|(word, _)| (word.text.clone(), word.at))) {
            let include = code::named(main, name.0.as_bytes(), FOLDERS);
            if found.iter().all(|known| known.name != include.name) {
                found.push(include);
            }
        }
    }
    found.extend(code::loads(main, text));
    found
}

/// What the folder of the main file is called on the host.
const FOLDERS: &[&[u8]] = &[b"/etc/haproxy/", b"/usr/local/etc/haproxy/"];

/// The files of a line that are not read: code, raw answers, states of servers, which certificate is for which name.
fn attached(line: &Line) -> impl Iterator<Item = (&Word, Sort)> {
    let first = if line.text(0) == "no" { 1 } else { 0 };
    let number = line.words.len();
    let rules = matches!(line.text(first), "http-request" | "http-response" | "http-after-response" | "http-error");
    let of = move |at: usize| -> Option<Sort> {
        let before = |n: usize| at.checked_sub(n).map_or("", |at| line.text(at));
        let answer = Sort::Data("an answer as it is sent");
        match (line.text(first), before(1)) {
            // Arguments of the code may stand behind it.
            ("lua-load", "lua-load") | ("lua-load-per-thread", "lua-load-per-thread") => Some(Sort::Code),
            ("errorfile", _) if at == first + 2 => Some(answer),
            ("server-state-file", "server-state-file") => Some(Sort::Data("the states of servers")),
            ("bind", "crt-list") => Some(Sort::Data("which certificate is for which name")),
            (_, "errorfile" | "file" | "lf-file") if rules => Some(answer),
            (_, _) => None,
        }
    };
    let words = (first + 1..number).filter_map(move |at| Some((line.words.get(at)?, of(at)?)));
    words.filter(|(word, _)| !word.unknown)
}

/// The folders below which certificates are, where that is said.
fn bases(main: &str, text: &[u8]) -> Vec<String> {
    let mut sources = crate::text::SourceMap::default();
    let Ok(source) = sources.add(main.as_bytes(), Vec::new()) else { return Vec::new() };
    let cut = lines(text).map(|(_, bytes)| line(source, 0, bytes, &Environment::default()));
    let said = cut.filter(|cut| matches!(cut.text(0), "crt-base" | "ca-base"));
    said.filter_map(|cut| cut.words.get(1).map(|word| word.text.trim_end_matches('/').to_owned())).collect()
}

/// The words of a line that name a certificate, or a list of those that are believed or revoked.
fn anchors(line: &Line) -> impl Iterator<Item = &Word> {
    let tls = matches!(line.text(0), "bind" | "server" | "default-server" | "server-template" | "load");
    let names = |before: &str| {
        matches!(before, "ca-file" | "ca-verify-file" | "ca-sign-file" | "crl-file" | "crt" | "default-crt")
    };
    let words = line.words.iter().skip(1).zip(&line.words);
    let words = words.filter(move |(_, before)| tls && names(&before.text)).map(|(word, _)| word);
    words.filter(|word| !word.unknown && !word.text.starts_with('@'))
}

/// Puts those files into the configuration, so that it is known whether they are the same.
pub(super) fn attach(reading: &mut Reading<'_>, sections: &[Section], account: &mut Account) {
    for entry in sections.iter().flat_map(|section| &section.entries) {
        for (word, sort) in attached(&entry.line) {
            // It holds nothing anywhere.
            if word.text != "/dev/null" {
                code::attach(reading, account, word.at.source, (word.text.as_bytes(), word.at), sort);
            }
        }
        for word in anchors(&entry.line) {
            let named = (word.text.as_bytes(), word.at);
            code::attach_kept(reading, account, word.at.source, named, "a certificate, or a list of them");
        }
    }
}

/// The files that a line names: behind `-f`, and of maps.
fn named(line: &super::lex::Line) -> Vec<(String, Span)> {
    let mut out = Vec::new();
    for (at, word) in line.words.iter().enumerate() {
        if word.text == "-f"
            && let Some(next) = line.words.get(at + 1).filter(|next| !next.unknown)
        {
            out.push((next.text.clone(), next.at));
        }
        if !word.text.contains(",map") || word.unknown {
            continue;
        }
        let samples = in_format(&word.text).ok().filter(|samples| !samples.is_empty());
        let samples = samples.or_else(|| super::samples::Sample::whole(&word.text).ok().map(|sample| vec![sample]));
        for converter in samples.into_iter().flatten().flat_map(|sample| sample.converters) {
            if converter.name.starts_with("map")
                && let Some(file) = converter.arguments.first()
            {
                out.push((file.clone(), word.at));
            }
        }
    }
    out
}

/// Reads the files that are at hand. What they say is modelled where it is asked for.
pub(super) fn read(reading: &Reading<'_>, sections: &[Section], account: &mut Account) -> HashMap<String, Lines> {
    let mut out = HashMap::new();
    for entry in sections.iter().flat_map(|section| &section.entries) {
        for (name, at) in named(&entry.line) {
            if out.contains_key(&name) {
                continue;
            }
            match reading.linked(at.source, name.as_bytes()) {
                None => account.claim(at, Disposition::Opaque("a file that is not at hand")),
                Some(linked) => match linked.texts.first() {
                    Some(file) => {
                        let lines = patterns(*file, reading.text(*file), account);
                        out.insert(name, lines);
                    }
                    None if linked.within => {
                        account.gap(at, format!("file not found: {name}: HAProxy refuses the file"))
                    }
                    None => account.claim(at, Disposition::Opaque("a file outside of what is compared")),
                },
            }
        }
    }
    out
}

/// Key and value of each line that is neither empty nor a comment.
fn patterns(file: SourceId, text: &[u8], account: &mut Account) -> Lines {
    let mut out = Vec::new();
    for (offset, bytes) in lines(text) {
        let lead = bytes.len() - bytes.trim_ascii_start().len();
        let trimmed = bytes.trim_ascii();
        if trimmed.is_empty() {
            continue;
        }
        let narrow = |n: usize| u32::try_from(offset + n).expect("sources are smaller than 4 GiB");
        let at = Span { source: file, start: narrow(lead), end: narrow(lead + trimmed.len()) };
        if trimmed.starts_with(b"#") {
            account.claim(at, Disposition::Inert("comment"));
            continue;
        }
        let Ok(text) = std::str::from_utf8(trimmed) else {
            account.gap(at, "bytes that are no UTF-8 are not read here");
            continue;
        };
        let end = text.find([' ', '\t']).unwrap_or(text.len());
        out.push((text[..end].to_owned(), text[end..].trim().to_owned()));
        account.claim(at, Disposition::Modelled);
    }
    out
}
