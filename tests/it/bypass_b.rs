//! Ways past the policy, by the ids of the list of threats: what a change of the policy asks for, and what it may not do.

use portcullis::policy::{self, Feeds, KeyChange, changes};
use portcullis::text::SourceMap;

/// What differs between two policies.
fn differences(before: &str, after: &str) -> Vec<KeyChange> {
    let mut sources = SourceMap::default();
    let mut read = |text: &str| {
        let text =
            format!("version: 1\nconfigurations: {{edge: {{files: [edge.rules]}}}}\nextends: [baseline]\n{text}");
        let source = sources.add(b"portcullis.yaml", text.into_bytes()).expect("small");
        let parsed = policy::parse(source, &sources);
        policy::load(parsed, &mut sources, &[], &Feeds::default()).expect("a policy").root
    };
    let (before, after) = (read(before), read(after));
    changes(&before, &after)
}

fn paths(changes: &[KeyChange]) -> Vec<&str> {
    changes.iter().map(|change| change.path.as_str()).collect()
}

#[test]
fn b15_waivers_and_windows_are_compared_by_their_names() {
    let waiver = |id: &str, expires: &str| {
        format!(
            "{{id: {id}, check: exposed-ports, object: x, owner: ann, ticket: T, reason: \"a reason that is long enough\", expires: {expires}}}"
        )
    };
    let policy = |waivers: &[String]| format!("people: {{ann: {{}}}}\nwaivers: [{}]\n", waivers.join(", "));
    let (one, two) = (waiver("W-1", "2026-12-01"), waiver("W-2", "2026-12-01"));
    let swapped = differences(&policy(&[one.clone(), two.clone()]), &policy(&[two.clone(), one.clone()]));
    assert_eq!(swapped, Vec::new());
    let longer = differences(&policy(std::slice::from_ref(&one)), &policy(&[waiver("W-1", "2026-12-31")]));
    assert_eq!(paths(&longer), ["waivers.W-1.expires"]);
    let more = differences(&policy(std::slice::from_ref(&one)), &policy(&[one, two]));
    assert_eq!(paths(&more), ["waivers.W-2"]);
}
