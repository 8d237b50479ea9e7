//! Files of patterns and maps that a configuration names.

use super::ask::Lines;
use super::lex::{Environment, line};
use super::samples::in_format;
use super::sections::Section;
use crate::formats::account::Account;
use crate::formats::{Disposition, Include, Reading};
use crate::text::{SourceId, Span, lines};
use std::collections::HashMap;

/// The names of files in a text, and where they may lead from that main file.
pub(super) fn names(main: &str, text: &[u8]) -> Vec<Include> {
    let mut found: Vec<Include> = Vec::new();
    let mut sources = crate::text::SourceMap::default();
    let Ok(source) = sources.add(b"", Vec::new()) else { return found };
    for (_, bytes) in lines(text) {
        let cut = line(source, 0, bytes, &Environment::default());
        for (name, _) in named(&cut) {
            if found.iter().all(|known| known.name != name.as_bytes()) {
                let places = places(main.as_bytes(), name.as_bytes());
                found.push(Include { name: name.into_bytes(), places, pattern: false });
            }
        }
    }
    found
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

/// Paths from the root of the side that a name may mean: HAProxy looks from where it is started.
fn places(main: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    let mut roots: Vec<&[u8]> = vec![main.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |at| &main[..at])];
    while let Some(slash) = roots.last().and_then(|root| root.iter().rposition(|byte| *byte == b'/')) {
        roots.push(&main[..slash]);
    }
    if !roots.contains(&&b""[..]) {
        roots.push(b"");
    }
    let mut out: Vec<Vec<u8>> = Vec::new();
    for root in roots {
        let mut parts: Vec<&[u8]> = root.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
        let mut outside = false;
        for part in name.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => outside |= parts.pop().is_none(),
                part => parts.push(part),
            }
        }
        let path = parts.join(&b'/');
        if !outside && !out.contains(&path) {
            out.push(path);
        }
    }
    out
}
