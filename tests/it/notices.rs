//! What others wrote and we give away: under licences that allow it, with the texts that these demand.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn cargo(arguments: &[&str]) -> String {
    let ran = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("UTF-8")
}

/// What the program is given away for.
const TARGETS: [&str; 3] = ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// What cargo says of everything that may be built for them. It gets what this machine did not need so far.
pub(crate) fn metadata() -> Value {
    let mut arguments = vec!["metadata", "--locked", "--format-version", "1"];
    arguments.extend(TARGETS.iter().flat_map(|target| ["--filter-platform", target]));
    serde_json::from_str(&cargo(&arguments)).expect("JSON")
}

pub(crate) fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().expect("packages").iter()
}

/// The packages that a build may take in, whatever it is for: what only tests need is not given away.
fn built(metadata: &Value) -> Vec<&Value> {
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let node = |id: &str| nodes.iter().find(|node| node["id"] == id).expect("a node");
    let us = metadata["resolve"]["root"].as_str().expect("a root");
    let (mut pending, mut known) = (vec![us], BTreeSet::new());
    while let Some(id) = pending.pop() {
        if !known.insert(id) {
            continue;
        }
        for dependency in node(id)["deps"].as_array().expect("dependencies") {
            let mut kinds = dependency["dep_kinds"].as_array().expect("kinds").iter();
            if kinds.any(|kind| kind["kind"] != "dev") {
                pending.push(dependency["pkg"].as_str().expect("an id"));
            }
        }
    }
    known.remove(us);
    packages(metadata).filter(|package| known.contains(text(package, "id"))).collect()
}

/// The names and versions of the packages whose code is in the program: none of those that only a build needs.
fn linked() -> BTreeSet<(String, String)> {
    let mut arguments = vec!["tree", "--locked", "--edges", "normal,no-proc-macro"];
    arguments.extend(TARGETS.iter().flat_map(|target| ["--target", target]));
    arguments.extend(["--prefix", "none", "--no-dedupe", "--format", "{p}"]);
    let listed = cargo(&arguments);
    let mut out = BTreeSet::new();
    for line in listed.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next().expect("a name"), words.next().expect("a version"));
        out.insert((name.to_owned(), version.strip_prefix('v').expect("a version").to_owned()));
    }
    out.remove(&("portcullis".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    out
}

fn text<'p>(package: &'p Value, key: &str) -> &'p str {
    package[key].as_str().unwrap_or_default()
}

fn authors(package: &Value) -> String {
    let all: Vec<&str> = package["authors"].as_array().expect("authors").iter().filter_map(Value::as_str).collect();
    if all.is_empty() { "its contributors".to_owned() } else { all.join(", ") }
}

/// The licences that `deny.toml` allows.
fn allowed() -> Vec<String> {
    let text = fs::read_to_string(root().join("deny.toml")).expect("a list");
    let list = text.lines().find_map(|line| line.strip_prefix("allow = ")).expect("what is allowed");
    serde_json::from_str(list).expect("a list of texts")
}

/// Whether an expression of SPDX can be fulfilled by what is allowed: `/` is an old way of writing OR.
fn fits(expression: &str, allowed: &[String]) -> bool {
    let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let (value, rest) = either(&words, allowed);
    assert!(rest.is_empty(), "{expression}: {rest:?}");
    value
}

fn either<'w>(words: &'w [&'w str], allowed: &[String]) -> (bool, &'w [&'w str]) {
    let (mut value, mut rest) = both(words, allowed);
    while let Some(("OR", after)) = rest.split_first().map(|(first, after)| (*first, after)) {
        let (next, after) = both(after, allowed);
        (value, rest) = (value | next, after);
    }
    (value, rest)
}

fn both<'w>(words: &'w [&'w str], allowed: &[String]) -> (bool, &'w [&'w str]) {
    let (mut value, mut rest) = one(words, allowed);
    while let Some(("AND", after)) = rest.split_first().map(|(first, after)| (*first, after)) {
        let (next, after) = one(after, allowed);
        (value, rest) = (value & next, after);
    }
    (value, rest)
}

fn one<'w>(words: &'w [&'w str], allowed: &[String]) -> (bool, &'w [&'w str]) {
    match words {
        ["(", inner @ ..] => {
            let (value, rest) = either(inner, allowed);
            (value, rest.strip_prefix(&[")"]).expect("a closing bracket"))
        }
        // Exceptions only add permissions.
        [name, "WITH", _, rest @ ..] | [name, rest @ ..] => (allowed.iter().any(|known| known == name), rest),
        [] => unreachable!("the expression ends early"),
    }
}

#[test]
fn licences_are_weighed_as_they_are_written() {
    let allowed = ["MIT", "ISC"].map(str::to_owned);
    let fits = |text| fits(text, &allowed);
    assert!(
        fits("MIT") && fits("MIT/Apache-2.0") && fits("GPL-3.0 OR ISC AND MIT") && fits("(GPL-3.0 OR MIT) AND ISC")
    );
    assert!(!fits("GPL-3.0") && !fits("MIT AND GPL-3.0") && !fits("(GPL-3.0 OR MIT) AND Zlib"));
}

#[test]
fn what_is_built_in_is_allowed_and_comes_from_one_registry() {
    let (metadata, allowed) = (metadata(), allowed());
    let packages = built(&metadata);
    assert!(packages.len() > 100, "{}", packages.len());
    for package in packages {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        assert!(fits(licence, &allowed), "{name}: {licence}");
        assert_eq!(text(package, "source"), "registry+https://github.com/rust-lang/crates.io-index", "{name}");
        assert!(!["openssl-sys", "openssl", "native-tls"].contains(&name), "{name}");
    }
}

/// Whose code is in the program: a package, or what every program of Rust is linked with.
struct Part {
    /// With its version.
    name: String,
    licence: String,
    /// As a row of a table.
    row: String,
    texts: Vec<String>,
    /// Where there are no texts.
    by: String,
}

fn parts() -> Vec<Part> {
    let (metadata, linked) = (metadata(), linked());
    let named = |package: &Value| (text(package, "name").to_owned(), text(package, "version").to_owned());
    let mut out = Vec::new();
    for package in packages(&metadata).filter(|package| linked.contains(&named(package))) {
        let folder = Path::new(text(package, "manifest_path")).parent().expect("a folder");
        let mut files = BTreeSet::new();
        notices(folder, &mut files);
        let read = |path: &PathBuf| String::from_utf8(fs::read(path).expect("a notice")).expect("UTF-8");
        let (name, version, licence) = (text(package, "name"), text(package, "version"), text(package, "license"));
        let by = authors(package);
        out.push(Part {
            row: format!("| [{name}]({}) | {version} | {licence} | {} |", text(package, "repository"), cell(&by)),
            name: format!("{name} {version}"),
            licence: licence.to_owned(),
            texts: files.iter().map(read).collect(),
            by,
        });
    }
    assert_eq!(out.len(), linked.len());
    let always = [
        (
            "the standard library of Rust",
            "https://github.com/rust-lang/rust",
            "MIT OR Apache-2.0",
            "Copyright (c) The Rust Project Contributors",
        ),
        ("musl", "https://musl.libc.org", "MIT", "Copyright © 2005-2020 Rich Felker, et al."),
    ];
    for (name, home, licence, by) in always {
        let row = format!("| [{name}]({home}) | | {licence} | {} |", cell(by.trim_start_matches("Copyright ")));
        let (name, licence, by) = (name.to_owned(), licence.to_owned(), by.to_owned());
        out.push(Part { name, licence, row, texts: Vec::new(), by });
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "/").replace('<', "&lt;").replace('>', "&gt;")
}

/// The files of a package that say under which licence something in it is.
fn notices(folder: &Path, out: &mut BTreeSet<PathBuf>) {
    let told = |name: &str| {
        let starts = ["licen", "copying", "notice", "copyright", "unlicense"];
        starts.iter().any(|start| name.trim_start_matches('.').starts_with(start)) && !name.ends_with(".rs")
    };
    let lower = |path: &Path| path.file_name().expect("a name").to_string_lossy().to_ascii_lowercase();
    let within = told(&lower(folder));
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        // Of libgit2 and zlib: never built for Linux.
        if path.is_dir() && !["contrib", "winhttp"].contains(&lower(&path).as_str()) {
            notices(&path, out);
        } else if path.is_file() && (within || told(&lower(&path))) {
            out.insert(path);
        }
    }
}

/// By what words a licence is known: all of them are in its text.
const KNOWN: &[(&str, &[&str])] = &[
    ("Apache-2.0", &["TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION"]),
    ("MIT", &["Permission is hereby granted, free of charge", "above copyright notice and this permission notice"]),
    ("ISC", &["Permission to use, copy, modify, and", "all copies"]),
    ("BSD-2-Clause", &["Redistribution and use in source and binary forms"]),
    ("BSD-3-Clause", &["Redistribution and use in source and binary forms", "endorse or promote"]),
    ("Unicode-3.0", &["UNICODE LICENSE V3"]),
    ("Zlib", &["provided 'as-is'", "Altered source versions must be plainly marked"]),
];

/// What is granted by each licence that there is, once.
const GRANTS: &[&str] = &[
    "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION",
    "Permission is hereby granted",
    "Permission to use, copy, modify",
    "Redistribution and use in source and binary forms",
    "provided 'as-is'",
    "GNU GENERAL PUBLIC LICENSE",
];

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text of one licence without the lines that say whose it is, and these; any other as it is.
fn split(text: &str) -> (String, Vec<String>) {
    let granted: usize = GRANTS.iter().map(|grant| words(text).matches(grant).count()).sum();
    let lines = text.lines().map(|line| line.trim_end().replace('\u{c}', ""));
    if granted != 1 {
        return (trimmed(lines), Vec::new());
    }
    let is_owner = |line: &String| {
        let line = line.trim_start().to_lowercase();
        let dated = |text: &str| text.contains("(c)") || text.contains(|c: char| c.is_ascii_digit() || c == '©');
        // `(c) You must retain …` is the third of a list.
        let after = line.strip_prefix("(c) ").or_else(|| line.strip_prefix("©")).unwrap_or_default();
        after.trim_start().starts_with(|c: char| c.is_ascii_digit()) || line.starts_with("copyright") && dated(&line)
    };
    let (owners, body): (Vec<String>, Vec<String>) = lines.partition(is_owner);
    let body = trimmed(body.into_iter());
    // How to apply a licence is no part of it.
    let body = match body.split_once("END OF TERMS AND CONDITIONS") {
        Some((terms, after)) if is_appendix(after) => format!("{terms}END OF TERMS AND CONDITIONS"),
        Some(_) | None => body,
    };
    (body, owners.iter().map(|line| line.trim().to_owned()).filter(|line| !line.contains(['[', '{'])).collect())
}

fn is_appendix(text: &str) -> bool {
    let text = words(text);
    text.is_empty()
        || (text.starts_with("APPENDIX: How to apply") || text.starts_with("Licensed under the Apache License"))
            && text.ends_with("limitations under the License.")
}

fn trimmed(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
}

/// A text, and who gives something under it.
struct Shared {
    body: String,
    /// The lines that say whose it is, with the packages that have them; none: the text says it, or nobody does.
    owners: BTreeMap<String, BTreeSet<String>>,
}

/// Texts that are the same but for spaces, once.
fn shared(parts: &[Part]) -> BTreeMap<String, Shared> {
    let mut out = BTreeMap::new();
    for Part { name, licence, texts, by, row: _ } in parts {
        let mut found: Vec<(String, Vec<String>)> = texts.iter().map(|text| split(text)).collect();
        if found.is_empty() {
            let ours = |file: &str| split(&fs::read_to_string(root().join(file)).expect("a licence")).0;
            let (_, file) = [("MIT", "LICENSE-MIT"), ("Apache-2.0", "LICENSE-APACHE")]
                .into_iter()
                .find(|(known, _)| fits(licence, &[(*known).to_owned()]))
                .expect("a licence whose text we have");
            found.push((ours(file), vec![by.clone()]));
        }
        for (body, mut owners) in found {
            let key = words(&body).replace("https://", "http://");
            let shared: &mut Shared = out.entry(key).or_insert_with(|| Shared { body, owners: BTreeMap::new() });
            if owners.is_empty() {
                owners.push(String::new());
            }
            for owner in owners {
                shared.owners.entry(owner).or_default().insert(name.clone());
            }
        }
    }
    out
}

#[test]
fn every_package_that_is_in_the_program_is_named_with_the_texts_that_its_licence_demands() {
    let parts = parts();
    assert!(parts.len() > 100, "{}", parts.len());
    let shared = shared(&parts);
    let allowed = allowed();
    for Part { name, licence, .. } in &parts {
        let mine = shared.iter().filter(|(_, text)| text.owners.values().any(|names| names.contains(name)));
        let mine: String = mine.map(|(key, _)| key.as_str()).collect();
        let there = KNOWN.iter().filter(|(_, words)| words.iter().all(|word| mine.contains(word)));
        let there: Vec<String> = there.map(|(id, _)| (*id).to_owned()).filter(|id| allowed.contains(id)).collect();
        assert!(fits(licence, &there), "{name} is under {licence}; there are texts of {there:?}");
    }
    let mut wanted = "# What others wrote\n\n\
        The program for Linux holds code of these packages of crates.io, each under the licence that it names. The texts of the licences, and\n\
        whose the code is, stand below, from the packages themselves. libgit2, which is part of `libgit2-sys`, is under the GPL 2 with an\n\
        exception that allows linking it into anything. musl and mimalloc are in programs for `linux-musl` only. What the standard library of Rust is made\n\
        of in turn is in `share/doc/rust/COPYRIGHT-library.html` of each toolchain.\n\n\
        | package | version | licence | by |\n|---|---|---|---|\n"
        .to_owned();
    let rows: BTreeSet<&String> = parts.iter().map(|part| &part.row).collect();
    for row in rows {
        writeln!(wanted, "{row}").expect("text");
    }
    wanted.push_str("\n## Licences and notices\n");
    for Shared { body, owners } in shared.values() {
        let title = body.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let title: String = title.trim().trim_matches(['#', '=', '*', ' ']).chars().take(60).collect();
        write!(wanted, "\n### {}\n\n", if title.is_empty() { "A notice" } else { &title }).expect("text");
        for (owner, names) in owners {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let owner = if owner.is_empty() { owner.clone() } else { format!("{}: ", cell(owner)) };
            writeln!(wanted, "- {owner}{}", names.join(", ")).expect("text");
        }
        assert!(!body.contains("~~~~~~"), "{title}");
        write!(wanted, "\n~~~~~~text\n{body}\n~~~~~~\n").expect("text");
    }
    crate::blessed::compare(&root().join("THIRD-PARTY.md"), &wanted);
}
