//! Which files a file includes. Names are relative to the folder of the main file; those with a pattern may lead to nothing,
//! and are read in the order of their names (nginx.org, `include`; `ngx_conf_include`).

use super::Part;
use super::parse::parse;
use super::syntax::Directive;
use crate::formats::places::{folder_of, is_pattern, joined, roots};
use crate::formats::{Include, code};
use crate::text::SourceMap;

/// What stands in every text that names a file: see `code::file`.
const FILES: &[&[u8]] = &[
    b"include",
    b"js_import",
    b"perl_require",
    b"_by_lua_file",
    b"auth_basic_user_file",
    b"auth_jwt_key_file",
    b"ssl_c",
    b"ssl_trusted_certificate",
];

/// The names behind `include` in a text, and where they may lead from that main file. Of `nginx -T` nothing is included: it
/// holds all files.
pub(super) fn names(main: &str, text: &[u8]) -> Vec<Include> {
    if super::dump::is_one(text) {
        return Vec::new();
    }
    let mut scratch = SourceMap::default();
    let Ok(source) = scratch.add(b"", Vec::new()) else { return Vec::new() };
    let mut found: Vec<Include> = Vec::new();
    // Most texts name no file: what they mean is read once, and not for this.
    let names_files = FILES.iter().any(|word| memchr::memmem::find(text, word).is_some());
    if names_files && let Ok((directives, _)) = parse(source, text, 0) {
        visit(&directives, &mut |name| {
            if found.iter().all(|known| known.name != name) {
                found.push(Include {
                    name: name.to_vec(),
                    places: places(main.as_bytes(), name),
                    pattern: is_pattern(name),
                    beside: false,
                });
            }
        });
        super::code::names(main, &directives, &mut found);
    }
    found.extend(code::loads(main, text));
    found
}

fn visit(directives: &[Directive], see: &mut dyn FnMut(&[u8])) {
    for directive in directives {
        if directive.is("include") {
            see(directive.first());
        }
        visit(directive.block.as_deref().unwrap_or_default(), see);
    }
}

/// Paths from the root of the side that a name may mean, the most likely first. The folder of the main file is that of
/// `nginx.conf`, so an absolute name below `/etc/nginx` leads there as well.
fn places(main: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    let folder = folder_of(main);
    let mut places: Vec<Vec<u8>> = Vec::new();
    let mut place = |root: &[u8], name: &[u8]| {
        if let Some(path) = joined(root, name).filter(|path| !places.contains(path)) {
            places.push(path);
        }
    };
    match name.strip_prefix(b"/") {
        None => place(folder, name),
        Some(absolute) => {
            if let Some(rest) = of_folder(name) {
                place(folder, rest);
            }
            roots(folder).into_iter().for_each(|root| place(root, absolute));
        }
    }
    places
}

/// What an absolute name says below the folder that is the one of `nginx.conf` on hosts; `None`: it is not below one.
pub(super) fn of_folder(name: &[u8]) -> Option<&[u8]> {
    [&b"/etc/nginx/"[..], b"/usr/local/etc/nginx/", b"/usr/local/nginx/conf/", b"/opt/nginx/conf/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(*prefix))
}

/// The files of `nginx -T` that a name leads to, in the order in which they are read.
pub(super) fn in_dump<'p>(name: &[u8], main: &[u8], parts: &'p [Part]) -> Vec<&'p Part> {
    let folder = folder_of(main);
    let full = if name.starts_with(b"/") { name.to_vec() } else { [folder, b"/", name].concat() };
    let mut found: Vec<&Part> =
        parts.iter().filter(|(path, _)| crate::formats::glob::matches(&full, path, is_pattern(&full))).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
