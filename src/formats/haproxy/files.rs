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
            let own = code::kept(main, word.text.as_bytes(), FOLDERS).into_iter().chain([beside(main, &word.text)]);
            for (number, mut include) in own.enumerate() {
                if !word.text.starts_with('/') {
                    // Relative names are below the folders that are said for them.
                    for base in &bases {
                        let below = format!("{base}/{}", word.text);
                        let more =
                            code::kept(main, below.as_bytes(), FOLDERS).into_iter().chain([beside(main, &below)]);
                        let more = more.skip(number).take(1).flat_map(|include| include.places);
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

/// What stands beside a certificate: another kind of it, its key, its issuer … (manual, `ssl-load-extra-files`).
fn beside(main: &str, name: &str) -> Include {
    const ENDS: &[&str] = &[".rsa", ".ecdsa", ".dsa", ".key", ".issuer", ".ocsp", ".sctl"];
    let file = |end: &str| {
        let [file, _] = code::kept(main, format!("{name}{end}").as_bytes(), FOLDERS);
        file
    };
    Include { places: ENDS.iter().flat_map(|end| file(end).places).collect(), pattern: true, ..file(".*") }
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

/// Keywords that are followed by the name of one alone.
const ALONE: &[&str] = &["httpclient.ssl.ca-file", "issuers-chain-path", "ssl-dh-param-file"];

/// The words of a line that name a certificate, or a list of those that are believed or revoked.
fn anchors(line: &Line) -> impl Iterator<Item = &Word> {
    let first = line.text(0);
    let tls =
        matches!(first, "bind" | "server" | "default-server" | "server-template" | "load") || ALONE.contains(&first);
    let names = |before: &str| {
        matches!(before, "ca-file" | "ca-verify-file" | "ca-sign-file" | "crl-file" | "crt" | "default-crt")
            || ALONE.contains(&before)
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
            code::attach_kept(reading, account, word.at.source, named, KEPT);
            let beside = format!("{}.*", word.text);
            code::attach_kept(reading, account, word.at.source, (beside.as_bytes(), word.at), KEPT);
        }
    }
    for (word, file) in lists(reading, sections) {
        if std::str::from_utf8(reading.text(file)).is_err() {
            account.gap(
                word.at,
                format!("the list `{}` is not UTF-8: which certificates it names is not known", word.text),
            );
        }
        for Listed { name, at, own: _ } in listed(file, reading.text(file)) {
            code::attach_kept(reading, account, word.at.source, (name.as_bytes(), at), KEPT);
        }
    }
}

const KEPT: &str = "a certificate, or a list of them";

/// What a list of certificates names: `CERTIFICATE [OPTIONS] NAMES` (manual, `crt-list`).
struct Listed<'t> {
    name: &'t str,
    at: Span,
    /// Whether it is a certificate, and not a list of those that are believed or revoked.
    own: bool,
}

/// The files that the lines of a list of certificates name. A certificate of a store has no file there.
fn listed(file: SourceId, text: &[u8]) -> Vec<Listed<'_>> {
    let mut out = Vec::new();
    for (offset, bytes) in lines(text) {
        let Ok(line) = std::str::from_utf8(bytes) else { continue };
        let start = |word: &str| offset + (word.as_ptr() as usize - line.as_ptr() as usize);
        let narrow = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
        let mut before = "";
        for (number, word) in line.split_ascii_whitespace().enumerate() {
            let name = word.trim_start_matches('[').trim_end_matches(']');
            let own = number == 0;
            if own && word.starts_with('#') {
                break;
            }
            if (own || matches!(before, "ca-file" | "ca-verify-file" | "crl-file")) && !name.starts_with('@') {
                let start = start(name);
                out.push(Listed {
                    name,
                    at: Span { source: file, start: narrow(start), end: narrow(start + name.len()) },
                    own,
                });
            }
            before = name;
        }
    }
    out
}

/// The names of files in a text that is no main file: code, or a list of certificates. Which texts are such lists is not known,
/// so only names count that look like those of certificates. Relative ones are below a folder that the main file says: they
/// are looked for in those around.
pub(super) fn names_beside(main: &str, file: &str, text: &[u8]) -> Vec<Include> {
    const ENDS: &[&str] = &[".pem", ".crt", ".cer", ".cert", ".chain", ".bundle", ".combined"];
    let mut sources = crate::text::SourceMap::default();
    let Ok(source) = sources.add(b"", Vec::new()) else { return Vec::new() };
    let mut out: Vec<Include> = code::loads(main, text);
    for Listed { name, .. } in listed(source, text) {
        if !ENDS.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let [mut include, _] = code::kept(main, name.as_bytes(), FOLDERS);
        if !name.starts_with('/') && !name.contains(['*', '?']) {
            let near = code::kept(file, name.as_bytes(), FOLDERS).into_iter().take(1).flat_map(|near| near.places);
            include.places.splice(0..0, near);
            let below = ["*/", "*/*/"]
                .into_iter()
                .flat_map(|below| code::kept(main, format!("{below}{name}").as_bytes(), FOLDERS).into_iter().take(1));
            include.places.extend(below.flat_map(|below| below.places));
            include.pattern = true;
        }
        if out.iter().all(|known| known.name != include.name) {
            out.push(include);
        }
    }
    out
}

/// The certificates of the lists that are at hand, by their names.
pub(super) fn certificates(reading: &Reading<'_>, sections: &[Section]) -> HashMap<String, Vec<(String, Span)>> {
    let mut out = HashMap::new();
    for (word, file) in lists(reading, sections) {
        let all = listed(file, reading.text(file)).into_iter().filter(|listed| listed.own);
        out.insert(word.text.clone(), all.map(|listed| (listed.name.to_owned(), listed.at)).collect());
    }
    out
}

/// The lists of certificates that are at hand.
fn lists<'s>(reading: &Reading<'_>, sections: &'s [Section]) -> Vec<(&'s Word, SourceId)> {
    let lines = sections.iter().flat_map(|section| &section.entries).map(|entry| &entry.line);
    let words = lines.flat_map(|line| line.words.iter().zip(line.words.iter().skip(1)));
    let named = words.filter(|(before, word)| before.text == "crt-list" && !word.unknown).map(|(_, word)| word);
    let file = |word: &Word| reading.linked(word.at.source, word.text.as_bytes())?.texts.first().copied();
    named.filter_map(|word| Some((word, file(word)?))).collect()
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
