//! Each format's fixtures, run four ways. A case is a folder `tests/formats/<format>/<case>` with the files of one configuration
//! (`input…`) and `model.txt`, what they become. `BLESS=1` writes `model.txt` anew; read it in `git diff`.

use portcullis::formats::{self, Disposition, Input, Note, describe};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use regex::Regex;
use std::path::{Path, PathBuf};

type Tested = Result<(), Box<dyn std::error::Error>>;

datatest_stable::harness! {
    { test = becomes, root = "tests/formats", pattern = r"model\.txt$" },
    { test = notices_what_it_does_not_know, root = "tests/formats", pattern = r"model\.txt$" },
    { test = loses_nothing, root = "tests/formats", pattern = r"model\.txt$" },
    { test = tells_values_apart, root = "tests/formats", pattern = r"model\.txt$" },
}

/// The files become the model that stands beside them.
fn becomes(model: &Path) -> Tested {
    let case = Case::load(model)?;
    let found = case.read(&case.files).page;
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(model, &found)?;
    }
    assert_eq!(found, std::fs::read_to_string(model)?, "`BLESS=1 cargo test --test formats` writes it anew");
    Ok(())
}

/// A word that means nothing, put between any two words, is a gap, unless it is part of something that is inert or opaque.
fn notices_what_it_does_not_know(model: &Path) -> Tested {
    let case = Case::load(model)?;
    let before = case.read(&case.files);
    for (file, (name, text)) in case.files.iter().enumerate() {
        for at in boundaries(text) {
            let mut files = case.files.clone();
            files[file].1.splice(at..at, *b" neverheardof ");
            let after = case.read(&files);
            let noticed = after.gaps != before.gaps
                || after.notes != before.notes
                // There lists of words may be longer: what the word becomes is told.
                || matches!(case.format.id(), "envoy" | "haproxy" | "nginx") && after.unplaced() != before.unplaced();
            assert!(noticed, "a word at byte {at} of {name} goes unnoticed");
        }
    }
    Ok(())
}

/// Without any one of its lines, or any one word of a line, the input becomes something else.
fn loses_nothing(model: &Path) -> Tested {
    let case = Case::load(model)?;
    let before = case.read(&case.files).unplaced();
    let (words, lines) = (Regex::new(r"[^ \t\r\n]+")?, Regex::new(r"(?m)^.+\n?")?);
    for (file, (name, text)) in case.files.iter().enumerate() {
        let text = String::from_utf8(text.clone())?;
        for found in words.find_iter(&text).chain(lines.find_iter(&text)) {
            let mut files = case.files.clone();
            files[file].1.drain(found.range());
            let after = case.read(&files).unplaced();
            assert_ne!(after, before, "{name} without `{}` is the same", found.as_str());
        }
    }
    Ok(())
}

/// Another number anywhere makes another model, note or gap.
fn tells_values_apart(model: &Path) -> Tested {
    let case = Case::load(model)?;
    let before = case.read(&case.files).page;
    let numbers = Regex::new(r"[0-9]+")?;
    for (file, (name, text)) in case.files.iter().enumerate() {
        let text = String::from_utf8(text.clone())?;
        for found in numbers.find_iter(&text) {
            if behind_mask(&text, found.range()) {
                continue;
            }
            let mut files = case.files.clone();
            let number: u64 = found.as_str().parse()?;
            files[file].1.splice(found.range(), (number + 1).to_string().into_bytes());
            let after = case.read(&files).page;
            let line = text[..found.start()].lines().count();
            assert_ne!(after, before, "{} on line {line} of {name}: {} is the same", found.as_str(), number + 1);
        }
    }
    Ok(())
}

/// A case: its format and its files with their names.
struct Case {
    format: &'static dyn formats::Format,
    files: Vec<(String, Vec<u8>)>,
}

/// What a case becomes.
struct Read {
    page: String,
    gaps: Vec<(String, String)>,
    notes: Vec<(Disposition, String)>,
}

impl Case {
    fn load(model: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = model.parent().ok_or("a case is a folder")?;
        let format = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str()).ok_or("a format")?;
        let format = formats::format(&format.replace('_', "-")).ok_or("a format that exists")?;
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        paths.retain(|path| path != model);
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).ok_or("a plain name")?.to_owned();
            files.push((name, std::fs::read(path)?));
        }
        Ok(Self { format, files })
    }

    fn read(&self, files: &[(String, Vec<u8>)]) -> Read {
        let mut sources = SourceMap::default();
        let add = |(name, text): &(String, Vec<u8>)| sources.add(name.as_bytes(), text.clone()).expect("small");
        let files = files.iter().map(add).collect();
        let mut store = Store::default();
        let input = Input { name: "host".into(), format: Some(self.format), files };
        let (snapshot, _, notes) = formats::read(&[input], &sources, &mut store, None);
        let page = describe(&snapshot, &notes, &sources, &store);
        let show = |Note { origin, disposition }: &Note| (*disposition, sources.show(*origin));
        let gaps = snapshot.gaps().iter().map(|gap| (gap.reason.clone(), sources.show(gap.origin))).collect();
        Read { page, gaps, notes: notes.iter().map(show).collect() }
    }
}

impl Read {
    /// The page without line numbers.
    fn unplaced(&self) -> String {
        Regex::new(r":[0-9]+( |\))").expect("a pattern").replace_all(&self.page, "$1").into_owned()
    }
}

/// Where words begin and end.
fn boundaries(text: &[u8]) -> Vec<usize> {
    let blank = |n: usize| text.get(n).is_none_or(u8::is_ascii_whitespace);
    (1..text.len()).filter(|n| blank(n - 1) != blank(*n)).collect()
}

/// Whether a number is a part of an address that its prefix length hides.
fn behind_mask(text: &str, at: std::ops::Range<usize>) -> bool {
    let rest = &text[at.end..];
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'))).unwrap_or(rest.len());
    let start =
        text[..at.start].rfind(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'))).map_or(0, |n| n + 1);
    let masked = rest[end..].starts_with('/') || rest[end..].starts_with("\", \"len\": ");
    masked && start != at.start
}
