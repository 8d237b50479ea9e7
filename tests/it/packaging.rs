//! What is given away holds all that it is made of, under licences that allow it.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(arguments: &[&str]) -> String {
    let ran = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("UTF-8")
}

#[test]
fn the_package_holds_every_file_that_the_program_carries() {
    let packaged: BTreeSet<String> =
        cargo(&["package", "--list", "--allow-dirty", "--offline"]).lines().map(str::to_owned).collect();
    let mut wanted: BTreeSet<String> =
        ["Cargo.toml", "Cargo.lock", "LICENSE-MIT", "LICENSE-APACHE", "README.md", "THIRD-PARTY.md", "src/main.rs"]
            .map(str::to_owned)
            .into();
    for folder in ["policies", "tests/incidents", "src"] {
        collect(&root().join(folder), &mut wanted);
    }
    let missing: Vec<&String> = wanted.difference(&packaged).collect();
    assert_eq!(missing, Vec::<&String>::new());
    let beside = ["benches/", "tests/it/", "tests/formats/", ".ci/"];
    let superfluous: Vec<&String> = packaged.iter().filter(|path| beside.iter().any(|b| path.starts_with(b))).collect();
    assert_eq!(superfluous, Vec::<&String>::new());
}

fn collect(folder: &Path, out: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, out);
        } else {
            out.insert(path.strip_prefix(root()).expect("below the root").display().to_string());
        }
    }
}

/// The packages that a build takes in, and the metadata of ours.
fn packages() -> (Vec<Value>, Value) {
    let text = cargo(&[
        "metadata",
        "--locked",
        "--offline",
        "--format-version",
        "1",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ]);
    let metadata: Value = serde_json::from_str(&text).expect("JSON");
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let node = |id: &str| nodes.iter().find(|node| node["id"] == id).expect("a node");
    let us = metadata["resolve"]["root"].as_str().expect("a root").to_owned();
    // What only tests need is not given away.
    let (mut pending, mut known) = (vec![us.clone()], BTreeSet::new());
    while let Some(id) = pending.pop() {
        if !known.insert(id.clone()) {
            continue;
        }
        for dependency in node(&id)["deps"].as_array().expect("dependencies") {
            let mut kinds = dependency["dep_kinds"].as_array().expect("kinds").iter();
            if kinds.any(|kind| kind["kind"] != "dev") {
                pending.push(dependency["pkg"].as_str().expect("an id").to_owned());
            }
        }
    }
    let all = metadata["packages"].as_array().expect("packages");
    let own = all.iter().find(|package| package["id"] == *us).expect("our own").clone();
    let others =
        all.iter().filter(|package| package["id"] != *us && known.contains(package["id"].as_str().expect("an id")));
    (others.cloned().collect(), own)
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
fn what_is_built_in_is_allowed_named_and_comes_from_one_registry() {
    let (packages, _) = packages();
    let allowed = allowed();
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let mut rows = BTreeSet::new();
    for package in &packages {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        assert!(fits(&licence, &allowed), "{name}: {licence}");
        assert_eq!(text(package, "source"), "registry+https://github.com/rust-lang/crates.io-index", "{name}");
        assert!(!["openssl-sys", "openssl", "native-tls"].contains(&name.as_str()), "{name}");
        let authors: Vec<&str> =
            package["authors"].as_array().expect("authors").iter().filter_map(Value::as_str).collect();
        let authors = if authors.is_empty() { "its contributors".to_owned() } else { authors.join(", ") };
        let authors = authors.replace('|', "/").replace('<', "&lt;").replace('>', "&gt;");
        rows.insert(format!(
            "| [{name}]({}) | {} | {licence} | {authors} |\n",
            text(package, "repository"),
            text(package, "version")
        ));
    }
    assert!(rows.len() > 100, "{}", rows.len());
    let wanted = format!(
        "# What others wrote\n\nThe program for Linux is built with these packages of crates.io, each under the licence that it names. \
         `cargo vendor` fetches their\nsources, with the texts of the licences. libgit2, which is part of `libgit2-sys`, is under \
         the GPL 2 with an exception that allows\nlinking it into anything.\n\n| package | version | licence | by |\n|---|---|---|---|\n{}",
        rows.into_iter().collect::<String>()
    );
    crate::blessed::compare(&root().join("THIRD-PARTY.md"), &wanted);
}

#[test]
fn the_debian_package_names_files_that_there_are() {
    let (_, own) = packages();
    let deb = &own["metadata"]["deb"];
    for key in ["maintainer", "copyright", "section", "priority", "depends", "extended-description"] {
        assert!(deb[key].as_str().is_some_and(|text| !text.is_empty()), "{key}");
    }
    let assets = deb["assets"].as_array().expect("assets");
    assert!(assets.len() > 4);
    for asset in assets {
        let from = asset[0].as_str().expect("a source");
        // What a build makes is not there yet: `portcullis man` and `completions` write it.
        if !from.starts_with("target/") {
            let folder = from.trim_end_matches("*.yaml").trim_end_matches("*.md");
            assert!(root().join(folder).exists(), "{from}");
        }
        assert!(asset[1].as_str().is_some_and(|to| to.starts_with("usr/")), "{from}");
    }
}

#[test]
fn every_command_has_a_page_for_man() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let target = folder.path().join("man1");
    let ran = crate::cli::portcullis(folder.path(), &[], &["man", "man1"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.talk);
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(&target).expect("the folder") {
        let path = entry.expect("a page").path();
        let text = fs::read_to_string(&path).expect("text");
        assert!(text.contains(".TH ") && text.contains(".SH NAME"), "{}", path.display());
        pages.insert(path.file_name().expect("a name").to_string_lossy().into_owned());
    }
    for page in ["portcullis.1", "portcullis-check.1", "portcullis-policy-lint.1", "portcullis-init.1"] {
        assert!(pages.contains(page), "{pages:?}");
    }
    let one = crate::cli::portcullis(folder.path(), &[], &["man"]);
    assert_eq!((one.code, one.out), (0, fs::read_to_string(target.join("portcullis.1")).expect("text")));
}
