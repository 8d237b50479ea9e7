//! The house rules that the compiler does not check.

use portcullis::checks::CHECKS;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms it may import. What is not listed is forbidden.
///
/// `record` reads and writes files of its own, which no side of a change has: roots of trust, states, the audit log. Of a
/// decision it knows the report, of which a record is a part, of facts the clock, and of `source` how a file is replaced whole.
///
/// `mutants` makes texts with one mistake in them, for `simulate`; where, it knows from the model.
///
/// `decision` may import `net`, because a report has flows in the notation that is written there.
const ROOMS: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("net", &[]),
    ("model", &["text", "net"]),
    ("source", &["text"]),
    ("formats", &["text", "net", "model"]),
    ("diff", &["text", "net", "model"]),
    ("policy", &["text", "net"]),
    ("facts", &["text", "net", "policy"]),
    ("checks", &["text", "net", "model", "diff", "policy", "facts"]),
    ("decision", &["text", "net", "model", "diff", "policy", "facts", "checks"]),
    ("record", &["text", "source", "facts", "decision"]),
    ("notify", &["text", "decision"]),
    ("report", &["text", "decision"]),
    ("mutants", &["text", "net", "model"]),
    ("live", &["text", "net", "model", "source", "formats", "diff"]),
    (
        "cli",
        &[
            "text", "net", "model", "source", "formats", "diff", "policy", "facts", "checks", "decision", "record",
            "notify", "report", "live", "mutants",
        ],
    ),
];

/// What only some rooms may do, and which.
const RESERVED: &[(&str, &[&str])] = &[
    ("git2", &["source"]),
    ("std::fs", &["source", "live", "cli", "record"]),
    ("std::process", &["source", "live", "cli"]),
    ("std::env", &["cli"]),
    ("SystemTime", &["facts"]),
    ("println!", &[]),
    ("eprintln!", &[]),
    ("print!(", &[]),
    ("dbg!(", &[]),
    ("process::exit", &[]),
    (".unwrap()", &[]),
    ("panic!(", &[]),
    ("todo!(", &[]),
    ("unimplemented!(", &[]),
    ("filter_map(Result::ok)", &[]),
    ("flatten_ok", &[]),
    ("unsafe ", &[]),
];

struct File {
    path: PathBuf,
    room: String,
    /// Without comments and tests.
    code: String,
}

fn sources() -> Vec<File> {
    let mut paths = Vec::new();
    collect(Path::new("src"), &mut paths);
    let below = |path: &Path| path.strip_prefix("src").expect("below src").to_owned();
    let is_test = |path: &Path| path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
    let rooms = paths.into_iter().filter(|path| below(path).components().count() > 1 && !is_test(path));
    rooms
        .map(|path| {
            let room = below(&path).components().next().expect("a room").as_os_str().to_string_lossy().into_owned();
            let code = code(&fs::read_to_string(&path).expect("text"));
            File { path, room, code }
        })
        .collect()
}

fn collect(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
    out.sort();
}

/// What is compiled into the program: no comments, and nothing behind `#[cfg(test)]`, which is the end of a file.
fn code(text: &str) -> String {
    let before = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    before.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_folder_is_a_room_and_every_room_a_folder() {
    let folders: BTreeSet<_> = sources().into_iter().map(|file| file.room).collect();
    let rooms: BTreeSet<_> = ROOMS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders, rooms);
}

#[test]
fn rooms_import_only_what_they_may() {
    let mut wrong = Vec::new();
    for File { path, room, code } in sources() {
        let (_, allowed) = ROOMS.iter().find(|(name, _)| *name == room).expect("a room");
        for part in code.split("crate::").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // A macro is called by its path, which begins with its room as well.
            if name != room && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{}: {room} must not import `{name}`", path.display()));
            }
        }
        if code.contains("super::super::super") {
            wrong.push(format!("{}: `super::` goes one step only", path.display()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_is_reserved_to_some_rooms_happens_only_there() {
    let mut wrong = Vec::new();
    for File { path, room, code } in sources() {
        for (word, rooms) in RESERVED {
            if !rooms.contains(&room.as_str()) && code.lines().any(|line| line.contains(word)) {
                wrong.push(format!("{}: `{word}` must not occur in {room}", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Two formats never know one another.
#[test]
fn formats_are_strangers() {
    let files: Vec<File> = sources().into_iter().filter(|file| file.room == "formats").collect();
    let format_of = |path: &Path| -> Option<String> {
        let below = path.strip_prefix("src/formats").expect("a format's file");
        // No formats: notations that several are written in, what the resources of cloud providers mean in any, and pages.
        let shared = ["data", "cloud", "describe"].iter().any(|folder| below.starts_with(folder));
        (below.components().count() > 1 && !shared)
            .then(|| below.components().next().expect("a folder").as_os_str().to_string_lossy().into_owned())
    };
    let formats: BTreeSet<String> = files.iter().filter_map(|file| format_of(&file.path)).collect();
    assert_eq!(formats.len(), portcullis::formats::FORMATS.len());
    for file in &files {
        let Some(own) = format_of(&file.path) else { continue };
        for other in formats.iter().filter(|other| **other != own) {
            assert!(!file.code.contains(&format!("{other}::")), "{} knows {other}", file.path.display());
        }
    }
}

/// Lowering names every variant of the syntax, so that a new one does not compile until it is lowered. Words of the
/// input are an open set: there `_` is needed, and falls to an opaque condition or an error.
#[test]
fn lowering_has_no_wildcard_over_variants() {
    let mut wrong = Vec::new();
    for File { path, room: _, code } in sources().into_iter().filter(|file| file.path.ends_with("lower.rs")) {
        let lines: Vec<&str> = code.lines().collect();
        let depth = |line: &str| line.len() - line.trim_start().len();
        for (n, line) in lines.iter().enumerate() {
            let arm = line.trim_start();
            if arm == ".." || (arm.starts_with("let ") && arm.contains(", .. } =")) {
                wrong.push(format!("{}: {arm}", path.display()));
            }
            if !arm.starts_with("_ =>") && !arm.starts_with("_ if") {
                continue;
            }
            let above = lines[..n].iter().rev().take_while(|other| depth(other) >= depth(line));
            let arms = above.filter(|other| depth(other) == depth(line)).map(|other| other.trim_start());
            let variants = arms.filter(|arm| arm.starts_with(|c: char| c.is_ascii_uppercase()) && arm.contains("=>"));
            wrong.extend(variants.map(|variant| format!("{}: `_` beside `{variant}`", path.display())));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// What must be made in one place is made there: a snapshot cannot be without its gaps, a decision not without them.
#[test]
fn snapshots_and_decisions_are_made_in_one_place() {
    let made = |word: &str, but: &str| -> Vec<String> {
        let makes = |file: &File| file.code.replace("-> Decision {", "a function that returns one").contains(word);
        let files = sources().into_iter().filter(|file| makes(file) && !file.path.ends_with(but));
        files.map(|file| file.path.display().to_string()).collect()
    };
    assert_eq!(made("Snapshot::new(", "src/formats/mod.rs"), Vec::<String>::new());
    assert_eq!(made("Snapshot {", "src/model/snapshot.rs"), Vec::<String>::new());
    assert_eq!(made(" Decision {\n", "src/decision/mod.rs"), Vec::<String>::new());
    let snapshot = fs::read_to_string("src/model/snapshot.rs").expect("text");
    assert!(snapshot.contains("pub(crate) const fn new(configurations: Vec<Arc<Configuration>>, gaps: Vec<Gap>)"));
    assert!(snapshot.contains("\n    configurations: Vec<Arc<Configuration>>,\n    gaps: Vec<Gap>,\n}"));
    assert!(fs::read_to_string("src/decision/mod.rs").expect("text").contains("\n    report: Report,\n}"));
}

#[test]
fn every_check_has_a_page_and_every_page_a_check() {
    let names = |folder: &str, ending: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let names =
            entries.filter_map(|name| name.to_str().and_then(|name| name.strip_suffix(ending)).map(str::to_owned));
        names.collect()
    };
    let checks: BTreeSet<String> = CHECKS.iter().map(|declaration| declaration.id.to_owned()).collect();
    assert_eq!(checks.len(), CHECKS.len(), "two checks share an id");
    assert!(CHECKS.is_sorted_by_key(|declaration| declaration.id), "checks are sorted by id");
    assert_eq!(names("policies", ".md"), checks);
    // A file that is not declared is not compiled, so only this finds it.
    let files = names("src/checks", ".rs");
    let missing: Vec<_> = checks.iter().filter(|id| !files.contains(&id.replace('-', "_"))).collect();
    assert_eq!(missing, Vec::<&String>::new());
    for declaration in CHECKS {
        assert!(declaration.page.starts_with(&format!("# {}\n\n", declaration.id)), "{}", declaration.id);
        let sections: Vec<&str> = declaration.page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(sections, ["## Why", "## Settings", "## Examples", "## Limits"], "{}", declaration.id);
        let verb = ["no-", "check-", "require-", "forbid-"].iter().any(|word| declaration.id.starts_with(word));
        assert!(!verb, "{} names a thing or a bad state", declaration.id);
    }
}

/// No list is kept twice: what the compiler warns of is an error where changes are checked.
#[test]
fn the_lints_that_keep_it_closed_are_on() {
    let manifest = fs::read_to_string("Cargo.toml").expect("text");
    for lint in [
        "unsafe_code = \"forbid\"",
        "unwrap_used",
        "panic",
        "print_stdout",
        "wildcard_enum_match_arm",
        "rest_pat_in_fully_bound_structs",
    ] {
        assert!(manifest.contains(lint), "{lint}");
    }
    let allowed =
        sources().into_iter().filter(|file| file.code.contains("#[allow(") || file.code.contains("#![allow("));
    let allowed: Vec<_> = allowed.map(|file| file.path.display().to_string()).collect();
    assert_eq!(allowed, Vec::<String>::new(), "`#[expect(…, reason = …)]` says why");
}
