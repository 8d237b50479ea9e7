//! Code and users that directives read from files: what those hold belongs to what the directive says
//! (lua-nginx-module, `ngx_http_js_module`, `ngx_http_perl_module`, `ngx_http_auth_basic_module`, `ngx_http_auth_jwt_module`).

use super::syntax::{Directive, Word};
use crate::formats::account::Account;
use crate::formats::code::{self, Sort};
use crate::formats::{Include, Reading};
use crate::text::SourceId;
use std::collections::BTreeMap;

/// Languages in which nginx runs code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Language {
    Lua,
    JavaScript,
    Perl,
}

/// What of a directive belongs to which language, and whether all code of that language sees it.
fn language(name: &[u8]) -> Option<(Language, bool)> {
    let name = std::str::from_utf8(name).ok()?;
    match name {
        "js_import" | "js_include" | "js_path" | "js_preload_object" => Some((Language::JavaScript, true)),
        "perl_require" | "perl_modules" => Some((Language::Perl, true)),
        "lua_package_path" | "lua_package_cpath" => Some((Language::Lua, true)),
        "perl" | "perl_set" => Some((Language::Perl, false)),
        _ if name.contains("_by_lua") => Some((Language::Lua, name.starts_with("init"))),
        _ if name.starts_with("js_") => Some((Language::JavaScript, false)),
        _ => None,
    }
}

/// The word of a directive that names a file, and what that is.
fn file(directive: &Directive) -> Option<(&Word, Sort)> {
    let name = std::str::from_utf8(&directive.name).ok()?;
    match name {
        "auth_basic_user_file" => Some((directive.words.first()?, Sort::Data("users and their passwords"))),
        "auth_jwt_key_file" => Some((directive.words.first()?, Sort::Data("keys of tokens"))),
        // `js_import name from file`
        "js_import" => Some((directive.words.last()?, Sort::Code)),
        "js_include" | "perl_require" => Some((directive.words.first()?, Sort::Code)),
        "set_by_lua_file" => Some((directive.words.get(1)?, Sort::Code)),
        _ if name.ends_with("_by_lua_file") => Some((directive.words.first()?, Sort::Code)),
        _ => None,
    }
}

/// The word of a directive that names a certificate, or a list of those that are believed or revoked.
fn anchor(directive: &Directive) -> Option<&Word> {
    let name = std::str::from_utf8(&directive.name).ok()?;
    let bare = ["proxy_", "grpc_", "uwsgi_"].iter().find_map(|way| name.strip_prefix(way)).unwrap_or(name);
    let known = ["ssl_certificate", "ssl_client_certificate", "ssl_trusted_certificate", "ssl_crl"].contains(&bare);
    directive.words.first().filter(|word| known && !word.text.contains(&b'$') && !word.text.starts_with(b"data:"))
}

/// The files that directives name, and where they may be.
pub(super) fn names(main: &str, directives: &[Directive], out: &mut Vec<Include>) {
    for directive in directives {
        if let Some((word, _)) = file(directive) {
            let include = code::named(main, &word.text, FOLDERS);
            if out.iter().all(|known| known.name != include.name) {
                out.push(include);
            }
        }
        for include in anchor(directive).into_iter().flat_map(|word| code::kept(main, &word.text, FOLDERS)) {
            if out.iter().all(|known| known.name != include.name) {
                out.push(include);
            }
        }
        names(main, directive.block.as_deref().unwrap_or_default(), out);
    }
}

/// What the folder of the main file is called on the host.
const FOLDERS: &[&[u8]] = &[
    b"/etc/nginx/",
    b"/usr/local/etc/nginx/",
    b"/usr/local/nginx/conf/",
    b"/opt/nginx/conf/",
    b"/usr/local/openresty/nginx/",
];

/// Adds a word to each directive that reads or runs code, by which that is told apart.
pub(super) fn attach(reading: &mut Reading<'_>, account: &mut Account, lists: &mut [(SourceId, Vec<Directive>)]) {
    let mut shared: BTreeMap<Language, String> = BTreeMap::new();
    for (main, list) in &mut *lists {
        read(reading, account, *main, list, &mut shared);
    }
    for text in shared.values_mut() {
        *text = code::digest(text.as_bytes());
    }
    for (_, list) in lists {
        share(list, &shared);
    }
}

fn read(
    reading: &mut Reading<'_>,
    account: &mut Account,
    main: SourceId,
    list: &mut [Directive],
    shared: &mut BTreeMap<Language, String>,
) {
    for directive in list {
        let mut parts = Vec::new();
        if let Some((word, sort)) = file(directive) {
            let Word { text, span } = word.clone();
            if text.contains(&b'$') {
                account.gap(span, "which file is read is known at run time only");
            } else {
                parts.extend(code::attach(reading, account, main, (&text, span), sort));
            }
        } else if let Some(word) = anchor(directive) {
            let Word { text, span } = word.clone();
            parts.extend(code::attach_kept(reading, account, main, (&text, span), "a certificate, or a list of them"));
        } else if matches!(language(&directive.name), Some((Language::Lua, _))) {
            let text = reading.text(directive.span.source);
            let text = text.get(directive.span.start as usize..directive.span.end as usize).unwrap_or_default();
            parts.extend(code::loaded(reading, account, main, text, directive.span));
        }
        for digest in parts {
            directive.words.push(Word { text: format!("(sha256 {digest})").into_bytes(), span: directive.head });
        }
        if let Some((language, true)) = language(&directive.name) {
            let text = shared.entry(language).or_default();
            text.push_str(&directive.said());
            text.push('\n');
        }
        read(reading, account, main, directive.block.as_deref_mut().unwrap_or_default(), shared);
    }
}

/// Adds what all code of a language sees to the directives that run some.
fn share(list: &mut [Directive], shared: &BTreeMap<Language, String>) {
    for directive in list {
        if let Some((language, false)) = language(&directive.name)
            && let Some(digest) = shared.get(&language)
        {
            directive.words.push(Word { text: format!("(with {digest})").into_bytes(), span: directive.head });
        }
        share(directive.block.as_deref_mut().unwrap_or_default(), shared);
    }
}
