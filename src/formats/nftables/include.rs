//! Which files a file includes.
//!
//! nft looks for names that begin with `./` or `../` from where it is started, for others in its include paths: `/etc`
//! and, since 1.0.7, the folder of the main file. So it is taken to be started there, and a side to be the root of the host or
//! to hold it in a folder: in that in whose `etc` the main file is. Where its path tells nothing it is any folder above it;
//! names that lead to files below several of them are not known to mean any.

use super::long::List;
use crate::formats::places::{folder_of, is_pattern, joined, roots, told_root};
use crate::formats::{Earlier, Include, Reading};
use crate::text::{SourceId, escape};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The files that can be included by a main file, and how names lead to them.
pub(super) struct Includes<'t, 'r> {
    reading: Option<(&'r Reading<'t>, SourceId)>,
}

/// Where an include leads.
pub(super) enum Led {
    /// To these, in the order in which they are read.
    Files(Vec<SourceId>),
    /// To nothing, which is no error for a pattern.
    Nowhere,
}

impl<'t, 'r> Includes<'t, 'r> {
    pub(super) const fn new(reading: &'r Reading<'t>, main: SourceId) -> Self {
        Self { reading: Some((reading, main)) }
    }

    /// Nothing can be included.
    pub(super) const fn none() -> Self {
        Self { reading: None }
    }

    pub(super) fn text(&self, file: SourceId) -> &'t [u8] {
        self.reading.map(|(reading, _)| reading.text(file)).unwrap_or_default()
    }

    /// What reading the same file of the other side left behind.
    pub(super) fn earlier(&self, file: SourceId) -> Option<Earlier<'t>> {
        self.reading.and_then(|(reading, _)| reading.earlier(file))
    }

    /// The long lists that the other side has.
    pub(super) fn lists(&self) -> Option<Arc<Vec<List>>> {
        self.reading.and_then(|(reading, _)| reading.told())
    }

    /// What a name leads to.
    ///
    /// # Errors
    /// Why nothing can be said of it, or why nft refuses it.
    pub(super) fn find(&self, name: &[u8]) -> Result<Led, String> {
        let shown = escape(name);
        let linked = self.reading.and_then(|(reading, main)| reading.linked(main, name));
        let Some(linked) = linked else { return Err(format!("what `{shown}` includes is not at hand")) };
        if let Some(places) = self.several(&linked.texts, name) {
            return Err(format!("`{shown}` may be of several places, and which is not known: {places}"));
        }
        match (linked.texts.is_empty(), linked.within, is_pattern(name)) {
            (false, _, _) => Ok(Led::Files(linked.texts.clone())),
            (true, false, _) => Err(format!("`{shown}` is outside of what is compared: what it includes is not known")),
            (true, true, true) => Ok(Led::Nowhere),
            (true, true, false) => Err(format!("file not found: {shown}")),
        }
    }
}

impl Includes<'_, '_> {
    /// The folders of the side from which a name leads to these files, if they are several.
    fn several(&self, texts: &[SourceId], name: &[u8]) -> Option<String> {
        let (reading, _) = self.reading?;
        let depth = name.split(|byte| *byte == b'/').rev().take_while(|part| *part != b"..");
        let depth = depth.filter(|part| !part.is_empty() && *part != b".").count();
        let place = |text: &SourceId| {
            let path = reading.name(*text);
            let parts: Vec<&str> = path.split('/').collect();
            let place = parts[..parts.len().saturating_sub(depth)].join("/");
            if place.is_empty() { ".".to_owned() } else { place }
        };
        let places: BTreeSet<String> = texts.iter().map(place).collect();
        (places.len() > 1).then(|| places.into_iter().collect::<Vec<_>>().join(", "))
    }
}

/// Every name in quotes behind the word `include`, and where it may lead from that main file.
pub(super) fn names(main: &str, text: &[u8]) -> Vec<Include> {
    let mut found: Vec<Include> = Vec::new();
    for at in memchr::memmem::find_iter(text, b"include") {
        let rest = text[at + b"include".len()..].trim_ascii_start();
        let Some(rest) = rest.strip_prefix(b"\"") else { continue };
        let Some(end) = memchr::memchr2(b'"', b'\n', rest).filter(|end| rest[*end] == b'"') else { continue };
        let name = &rest[..end];
        if !name.is_empty() && found.iter().all(|known| known.name != name) {
            let places = places(main.as_bytes(), name);
            // Where a name may lead to several places, all that are there are looked at.
            let plain = |place: &Vec<u8>| !is_pattern(place) && !place.contains(&b'\\');
            let pattern = is_pattern(name) || (places.len() > 1 && places.iter().all(plain));
            found.push(Include { name: name.to_vec(), places, pattern, beside: false });
        }
    }
    found
}

/// Paths from the root of the side that a name may mean, the most likely first.
fn places(main: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    // The side may hold the root of the host in any folder that the main file is in.
    let folder = folder_of(main);
    let roots = || told_root(main).map_or_else(|| roots(folder), |root| vec![root]);
    let mut places: Vec<Vec<u8>> = Vec::new();
    let mut place = |root: &[u8], name: &[u8]| {
        if let Some(path) = joined(root, name).filter(|path| !places.contains(path)) {
            places.push(path);
        }
    };
    if let Some(absolute) = name.strip_prefix(b"/") {
        roots().into_iter().for_each(|root| place(root, absolute));
    } else if name.starts_with(b"./") || name.starts_with(b"../") {
        place(folder, name);
        if told_root(main).is_none() {
            place(b"", name);
        }
    } else {
        place(folder, name);
        roots().into_iter().for_each(|root| place(root, &[b"etc/", name].concat()));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_from_the_main_file_and_from_the_root_of_the_host() {
        let places = |main: &str, name: &str| {
            let found = places(main.as_bytes(), name.as_bytes());
            found.into_iter().map(|path| String::from_utf8(path).expect("text")).collect::<Vec<_>>()
        };
        assert_eq!(places("fw/a.nft", "./x"), ["fw/x", "x"]);
        assert_eq!(places("fw/a.nft", "../x"), ["x"]);
        assert_eq!(places("a.nft", "d/*.nft"), ["d/*.nft", "etc/d/*.nft"]);
        assert_eq!(places("h/fw/a.nft", "/etc/d/x"), ["h/fw/etc/d/x", "h/etc/d/x", "etc/d/x"]);
        assert_eq!(places("h/etc/a.nft", "/etc/d/x"), ["h/etc/d/x"]);
        assert_eq!(places("h/etc/fw/a.nft", "d/x"), ["h/etc/fw/d/x", "h/etc/d/x"]);
        assert_eq!(places("h/etc/fw/a.nft", "./d/x"), ["h/etc/fw/d/x"]);
    }

    #[test]
    fn what_is_included_is_found_without_reading_the_rest() {
        let text =
            b"#!/usr/sbin/nft -f\ninclude \"./a.nft\"\n include   \"b/*.nft\"; include \"./a.nft\"\ninclude \"c\n";
        let found: Vec<_> = names("m.nft", text).into_iter().map(|include| (include.name, include.pattern)).collect();
        assert_eq!(found, [(b"./a.nft".to_vec(), false), (b"b/*.nft".to_vec(), true)]);
    }
}
