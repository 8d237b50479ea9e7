//! Files that decide about requests and are written in no language that is read here: code that a balancer runs, lists of
//! users, pages that are shown. Whether they are the same on both sides is known; what they say is not.

use super::account::Account;
use super::places::{folder_of, joined, roots};
use super::{Disposition, Include, Reading};
use crate::model::Object;
use crate::text::{SourceId, Span, escape, hex};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// What such a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Code: what it does if it is not at hand cannot be bounded.
    Code,
    /// Data of which it is known what they are asked for; the word says what they are.
    Data(&'static str),
}

/// By what texts are told apart: half of their SHA-256, which nobody finds another text for.
pub(super) fn digest(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    hex(digest.get(..16).unwrap_or(&digest))
}

/// A name of a file as a main file writes it, and where it may lead: programs look from where they are started, so that
/// is any folder from that of the main file up.
pub(super) fn named(main: &str, name: &[u8], beside: &[&[u8]]) -> Include {
    let folder = folder_of(main.as_bytes());
    let bare = beside.iter().find_map(|prefix| name.strip_prefix(*prefix));
    let near = bare.and_then(|rest| joined(folder, rest));
    let around = roots(folder).into_iter().filter_map(|root| joined(root, name));
    let mut places: Vec<Vec<u8>> = Vec::new();
    for place in near.into_iter().chain(around) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Include { name: name.to_vec(), places, pattern: false, beside: false }
}

/// The code that a text of Lua or JavaScript loads by name. Where programs look for it is part of how they are built, so
/// every file of that name counts that is at most three folders below one that the main file is in.
pub(super) fn loads(main: &str, text: &[u8]) -> Vec<Include> {
    modules(text).0.into_iter().map(|module| module.include(main)).collect()
}

/// Accounts for a file that a directive or keyword names, puts it into the configuration as an object, and gives back by what
/// it is told apart, with all that it loads; `None`: it is not at hand, which is said.
pub(super) fn attach(
    reading: &mut Reading<'_>,
    account: &mut Account,
    main: SourceId,
    (name, at): (&[u8], Span),
    sort: Sort,
) -> Option<String> {
    let shown = escape(name);
    let linked = reading.linked(main, name);
    let Some(file) = linked.and_then(|linked| linked.texts.first().copied()) else {
        match (sort, linked.is_some_and(|linked| linked.within)) {
            (_, true) => account.gap(at, format!("there is no file {shown}")),
            (Sort::Code, false) => {
                account
                    .gap(at, format!("the code in {shown} is outside of what is compared: what it does is not known"));
            }
            (Sort::Data(_), false) => account.claim(at, Disposition::Opaque("a file outside of what is compared")),
        }
        return None;
    };
    let text = reading.text(file);
    let what = match sort {
        Sort::Code => "code in another language",
        Sort::Data(what) => what,
    };
    account.claim(whole(file, text), Disposition::Opaque(what));
    let mut content = digest(text);
    if sort == Sort::Code
        && let Some(more) = loaded(reading, account, main, text, at)
    {
        content = digest(format!("{content} {more}").as_bytes());
    }
    let known = reading.configuration.objects.iter().any(|object| object.kind == FILE && object.address == shown);
    if !known {
        reading.configuration.objects.push(Object {
            kind: FILE,
            address: shown,
            content: content.clone(),
            elements: None,
            members: None,
            owner: None,
            origin: at,
            uncomputed: None,
            stays: None,
            rewritten: None,
        });
    }
    Some(content)
}

/// A name of a file of which nothing is known but whether it is the same, and where it may lead; it may be a folder of such
/// files. Where it is not at hand its name is all that is compared.
pub(super) fn kept(main: &str, name: &[u8], beside: &[&[u8]]) -> [Include; 2] {
    let file = named(main, name, beside);
    let inside = |path: &[u8]| [path.strip_suffix(b"/").unwrap_or(path), b"/*"].concat();
    let places = file.places.iter().map(|place| inside(place)).collect();
    let folder = Include { name: key(&inside(name)), places, pattern: true, beside: false };
    [Include { name: key(name), ..file }, folder]
}

/// Such files are linked by names that no host is asked for: what is in force of them is found out otherwise.
fn key(name: &[u8]) -> Vec<u8> {
    [b"module of certificates ", name].concat()
}

/// Accounts for such a file, puts it into the configuration as an object, and gives back by what it is told apart; `None`:
/// it is not at hand. It may hold a secret.
pub(super) fn attach_kept(
    reading: &mut Reading<'_>,
    account: &mut Account,
    main: SourceId,
    (name, at): (&[u8], Span),
    what: &'static str,
) -> Option<String> {
    let inside = [name.strip_suffix(b"/").unwrap_or(name), b"/*"].concat();
    let texts = |name: &[u8]| reading.linked(main, &key(name)).map_or_else(Vec::new, |linked| linked.texts.clone());
    // A pattern stands for all that it leads to.
    let (own, within) = if name.ends_with(b"*") { (Vec::new(), texts(name)) } else { (texts(name), texts(&inside)) };
    let content = match own.first() {
        Some(file) => digest(reading.text(*file)),
        None if within.is_empty() => return None,
        None => {
            let parts = within.iter().map(|file| format!("{} {}", reading.name(*file), digest(reading.text(*file))));
            digest(parts.collect::<Vec<_>>().join("\n").as_bytes())
        }
    };
    for file in own.iter().take(1).chain(within.iter().filter(|_| own.is_empty())) {
        let all = whole(*file, reading.text(*file));
        account.claim(all, Disposition::Opaque(what));
        reading.hide(all);
    }
    let shown = escape(name);
    if !reading.configuration.objects.iter().any(|object| object.kind == FILE && object.address == shown) {
        reading.configuration.objects.push(Object::new(FILE, shown, content.clone(), at));
    }
    Some(content)
}

/// The kind of these objects.
const FILE: &str = "file";

/// By what all that is told apart that a text of code loads; `None`: it loads nothing that is at hand.
pub(super) fn loaded(
    reading: &Reading<'_>,
    account: &mut Account,
    main: SourceId,
    text: &[u8],
    at: Span,
) -> Option<String> {
    let mut seen: BTreeSet<SourceId> = BTreeSet::new();
    let mut pending: Vec<&[u8]> = vec![text];
    while let Some(text) = pending.pop() {
        let (modules, computed) = modules(text);
        if computed {
            account.gap(at, "code that loads other code by a name that is computed: what that does is not known");
        }
        for module in modules {
            let linked = reading.linked(main, &module.name());
            for file in linked.into_iter().flat_map(|linked| &linked.texts) {
                if seen.insert(*file) {
                    let text = reading.text(*file);
                    account.claim(whole(*file, text), Disposition::Opaque("code in another language"));
                    pending.push(text);
                }
            }
        }
    }
    let parts: Vec<String> =
        seen.iter().map(|file| format!("{} {}", reading.name(*file), digest(reading.text(*file)))).collect();
    (!parts.is_empty()).then(|| digest(parts.join("\n").as_bytes()))
}

fn whole(file: SourceId, text: &[u8]) -> Span {
    Span { source: file, start: 0, end: super::end_of(text) }
}

/// A name by which code loads other code.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Module {
    /// `require "a.b"`
    Lua(Vec<u8>),
    /// `import x from "./b.js"`, `dofile("b.lua")`
    File(Vec<u8>),
}

impl Module {
    /// What it is called among all that a main file includes.
    fn name(&self) -> Vec<u8> {
        match self {
            Self::Lua(name) => [b"module ", &name[..]].concat(),
            Self::File(name) => [b"code ", &name[..]].concat(),
        }
    }

    fn include(&self, main: &str) -> Include {
        let files: Vec<Vec<u8>> = match self {
            Self::Lua(name) => {
                let path: Vec<u8> = name.iter().map(|byte| if *byte == b'.' { b'/' } else { *byte }).collect();
                vec![[&path[..], b".lua"].concat(), [&path[..], b"/init.lua"].concat()]
            }
            Self::File(name) => {
                let mut rest = &name[..];
                while let Some(inner) = [&b"./"[..], b"../", b"/"].iter().find_map(|start| rest.strip_prefix(*start)) {
                    rest = inner;
                }
                vec![rest.to_vec()]
            }
        };
        let mut places = Vec::new();
        for root in roots(folder_of(main.as_bytes())) {
            for below in [&b""[..], b"*/", b"*/*/", b"*/*/*/"] {
                let paths = files.iter().filter_map(|file| joined(root, &[below, file].concat()));
                places.extend(paths);
            }
        }
        Include { name: self.name(), places, pattern: true, beside: false }
    }
}

/// The names in a text, and whether one is computed. What stands in a comment counts as well, which does no harm.
fn modules(text: &[u8]) -> (Vec<Module>, bool) {
    const WORDS: &[(&[u8], bool)] =
        &[(b"require", true), (b"dofile", false), (b"loadfile", false), (b"import", false), (b"from", false)];
    let (mut out, mut computed): (Vec<Module>, bool) = (Vec::new(), false);
    for (word, lua) in WORDS {
        for start in memchr::memmem::find_iter(text, word) {
            let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let before = start.checked_sub(1).and_then(|at| text.get(at));
            let rest = text.get(start + word.len()..).unwrap_or_default();
            if before.is_some_and(part) || rest.first().is_some_and(part) {
                continue;
            }
            let inner = rest.trim_ascii_start();
            let called = inner.first() == Some(&b'(');
            // `pcall(require, "x")` hands the name over.
            let inner =
                inner.strip_prefix(b"(").or_else(|| inner.strip_prefix(b",")).unwrap_or(inner).trim_ascii_start();
            let (end, quoted) = match inner {
                [quote @ (b'"' | b'\''), rest @ ..] => (*quote, rest),
                [b'[', b'[', rest @ ..] => (b']', rest),
                _ => {
                    computed |= called && *lua && !inner.is_empty();
                    continue;
                }
            };
            let name = memchr::memchr(end, quoted).and_then(|end| quoted.split_at_checked(end));
            let Some((name, behind)) = name.filter(|(name, _)| name.iter().all(u8::is_ascii_graphic)) else { continue };
            // The name goes on with something else.
            computed |= *lua && behind.get(1..).unwrap_or_default().trim_ascii_start().starts_with(b"..");
            if name.is_empty() {
                continue;
            }
            let module = if *lua { Module::Lua(name.to_vec()) } else { Module::File(name.to_vec()) };
            if !out.contains(&module) {
                out.push(module);
            }
        }
    }
    (out, computed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_code_are_found() {
        let text = b"local a = require \"x.y\" -- \nlocal ok, b = pcall(require, 'z')\nimport m from './lib/m.js';\n\
            required(\"no\") from(x) require[[w]]";
        let lua = |name: &str| Module::Lua(name.as_bytes().to_vec());
        let expected = vec![lua("x.y"), lua("z"), lua("w"), Module::File(b"./lib/m.js".to_vec())];
        assert_eq!(modules(text), (expected, false));
        assert_eq!(modules(b"require(\"a.\" .. b)"), (vec![lua("a.")], true));
        assert_eq!(modules(b"require(name)"), (vec![], true));
        let places: Vec<String> = lua("x.y").include("etc/nginx/nginx.conf").places.iter().map(|p| escape(p)).collect();
        assert_eq!(places.first().map(String::as_str), Some("etc/nginx/x/y.lua"));
        assert!(places.contains(&"etc/*/x/y/init.lua".to_owned()) && places.contains(&"*/*/*/x/y.lua".to_owned()));
    }
}
