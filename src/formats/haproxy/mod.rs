//! Configurations of HAProxy, 2.4 to 3.x.
//!
//! Files become sections of lines (`lex`, `sections`), these proxies with what `defaults` say (`proxies`, `rules`,
//! `places`, `servers`), and those listeners and backends of the model (`ask`, `lower`). What a running process says of
//! itself lies over what its files say (`running`).

mod acls;
mod ask;
mod asked;
mod conditions;
mod files;
mod forms;
mod guards;
mod inherited;
mod keywords;
mod lex;
mod lower;
mod order;
mod others;
mod places;
mod proxies;
mod references;
mod rewrites;
mod rules;
mod running;
mod samples;
mod secrets;
mod sections;
mod servers;
mod stats;
mod values;
mod words;

use super::account::Account;
use super::{Disposition, Format, Include, Reading, Texts, declared};
use crate::model::{Configuration, Declaration, Reference};
use crate::text::{Span, escape, lines};
use regex::bytes::Regex;
use sections::{Kind, Section};
use std::sync::LazyLock;

pub(super) static FORMAT: Haproxy = Haproxy;

pub(super) struct Haproxy;

impl Format for Haproxy {
    fn id(&self) -> &'static str {
        "haproxy"
    }

    fn recognises(&self, _name: &str, text: &[u8]) -> bool {
        recognises(text) || running::is_state(text)
    }

    fn includes(&self, main: &str, file: &str, text: &[u8]) -> Vec<Include> {
        if recognises(text) { files::names(main, text) } else { files::names_beside(main, file, text) }
    }

    fn declarations(&self, configuration: &Configuration, texts: &Texts<'_>) -> Vec<Declaration> {
        static ACL: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?m-u)^[ \t]*acl[ \t]+([^\s]+)[^\n]*").expect("it is well-formed"));
        static BACKEND: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?m-u)^[ \t]*backend[ \t]+([^\s]+)").expect("it is well-formed"));
        let itself = |name: &str| vec![name.to_owned()];
        let mut out = texts.words("acl", &ACL, itself);
        if !declared::computes_backends(configuration) {
            out.extend(texts.words("backend", &BACKEND, itself));
        }
        out
    }

    fn read(&self, reading: &mut Reading<'_>) {
        let mut account = Account::default();
        let (states, files): (Vec<_>, Vec<_>) =
            reading.files().iter().copied().partition(|file| running::is_state(reading.text(*file)));
        let sections = sections::read(reading, &files, &mut account);
        for entry in sections.iter().flat_map(|section| &section.entries) {
            if let Some(at) = secrets::span(&entry.line) {
                reading.hide(at);
            }
        }
        let certificates = files::certificates(reading, &sections);
        let files = files::read(reading, &sections, &mut account);
        files::attach(reading, &sections, &mut account);
        let (mut proxies, mut undefined) = (Vec::new(), Vec::new());
        let mut defaults = inherited::Defaults::default();
        for section in &sections {
            match section.kind {
                Kind::Global | Kind::Other(_) => others::read(section, reading, &mut account),
                Kind::Defaults | Kind::Frontend | Kind::Backend | Kind::Listen => {
                    let inherited = defaults.of(section, &mut account);
                    head(section, &mut account);
                    let proxy = proxies::read(section, &inherited, &mut account, &mut undefined);
                    if section.kind == Kind::Defaults {
                        defaults.add(section, inherited);
                    } else {
                        proxies.push(proxy);
                    }
                }
            }
        }
        for (kind, name, origin) in undefined {
            let address = escape(name.as_bytes());
            reading.configuration.undefined.push(Reference { kind, address, origin });
        }
        // The certificates of a list that is at hand stand for it.
        for tls in proxies.iter_mut().flat_map(|proxy| &mut proxy.binds).filter_map(|bind| bind.tls.as_mut()) {
            let named = std::mem::take(&mut tls.certificates);
            let each = |named: (String, Span)| certificates.get(&named.0).cloned().unwrap_or_else(|| vec![named]);
            tls.certificates = named.into_iter().flat_map(each).collect();
        }
        for state in states {
            running::overlay(reading, state, &sections, &mut proxies, &mut account);
        }
        references::check(&proxies, &sections, &mut account);
        lower::lower(reading, &proxies, files, &mut account);
        reading.configuration.objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
        reading.configuration.undefined.sort_by_key(|reference| reference.origin);
        // A file may hold nothing but settings.
        reading.configuration.declares = true;
        super::balancers::finish(reading);
        account.close(reading);
    }
}

/// Whether the first line that says something begins a section.
fn recognises(text: &[u8]) -> bool {
    let first = lines(text).map(|(_, line)| line.trim_ascii()).find(|line| !line.is_empty() && !line.starts_with(b"#"));
    let words: Vec<&[u8]> =
        first.unwrap_or_default().split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).collect();
    let Some(first) = words.first().and_then(|word| std::str::from_utf8(word).ok()) else { return false };
    let open = words.iter().any(|word| word.ends_with(b"{") || word.ends_with(b":") || word.starts_with(b"="));
    (sections::begins_section(first) && !open && words.len() <= 5) || (first == ".if" && words.len() >= 2)
}

/// The first line of a section: its name, and the defaults that it takes.
fn head(section: &Section, account: &mut Account) {
    let line = &section.head;
    account.claim(line.at, Disposition::Modelled);
    let named = section.name();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    match named {
        None if section.kind != Kind::Defaults => {
            account.gap(line.at, "a section needs a name: HAProxy refuses the file");
        }
        Some(name) if !name.unknown && !name.text.chars().all(plain) => {
            account.gap(name.at, format!("`{}` is no name of a section: HAProxy refuses the file", name.text));
        }
        Some(name) if name.unknown => account.gap(name.at, "a name that comes from the environment"),
        // It matters only to sections that name it.
        Some(name) if section.kind == Kind::Defaults => account.claim(name.at, Disposition::Inert("name")),
        Some(_) | None => {}
    }
    let expected = 1 + usize::from(named.is_some()) + if section.from().is_some() { 2 } else { 0 };
    if let Some(extra) = line.words.get(expected) {
        account.gap(extra.at, format!("`{}` is not expected here", extra.text));
    }
}
