//! Real incidents, replayed. `BLESS=1` writes the expected reports anew; read them in `git diff`.

use portcullis::cli::INCIDENTS;
use portcullis::report::Style;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incidents").join(name)
}

#[test]
fn every_incident_is_stopped_and_its_author_sees_the_expected_report() {
    for incident in INCIDENTS {
        let replay = incident.replay(Style::PLAIN);
        crate::blessed::compare(&folder(incident.name).join("expected.txt"), &replay.text);
        crate::blessed::compare(&folder(incident.name).join("expected.json"), &replay.json);
        assert!(replay.stopped, "{} was not stopped by {:?}", incident.name, incident.stopped_by);
    }
}

#[test]
fn an_incident_that_is_taken_back_passes() {
    for incident in INCIDENTS {
        let undone = portcullis::cli::Incident { head: incident.base, ..*incident };
        let replay = undone.replay(Style::PLAIN);
        assert!(!replay.stopped && replay.text.starts_with("PASS"), "{}:\n{}", incident.name, replay.text);
    }
}

#[test]
fn the_program_carries_every_file_of_every_incident() {
    let on_disk: BTreeSet<String> = fs::read_dir(folder(""))
        .expect("the incidents")
        .map(|entry| entry.expect("a folder").file_name().into_string().expect("a name"))
        .collect();
    let known: BTreeSet<String> = INCIDENTS.iter().map(|incident| incident.name.to_owned()).collect();
    assert_eq!(known, on_disk);
    for incident in INCIDENTS {
        for (side, embedded) in [("base", incident.base), ("head", incident.head)] {
            let root = folder(incident.name).join(side);
            let known: BTreeSet<String> = embedded.iter().map(|(path, _)| (*path).to_owned()).collect();
            assert_eq!(known, files(&root, ""), "{} {side}", incident.name);
        }
    }
}

fn files(root: &Path, below: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.join(below)).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            found.extend(files(root, &path));
        } else {
            found.insert(path);
        }
    }
    found
}
