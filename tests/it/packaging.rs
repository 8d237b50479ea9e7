//! What is given away holds all that belongs to it.

use crate::notices::{cargo, metadata, packages, root};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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

#[test]
fn the_debian_package_names_files_that_there_are() {
    let metadata = metadata();
    let own = packages(&metadata).find(|package| package["id"] == metadata["resolve"]["root"]).expect("our own");
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
