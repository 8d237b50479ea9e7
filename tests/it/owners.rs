//! Whose a balancer is: that it becomes another's is told, and its owner has lost it.

use crate::cli::portcullis;
use crate::folder::folder;
use std::fmt::Write as _;

fn inventory(owner: impl Fn(usize) -> &'static str) -> String {
    let mut out = String::new();
    for n in 0..20 {
        let owner = owner(n);
        let owner = if owner.is_empty() { String::new() } else { format!(r#""owner": "{owner}", "#) };
        let comma = if n == 0 { "" } else { "," };
        write!(out, r#"{comma}{{"id": "lb-{n}", {owner}"addresses": ["203.0.113.{n}"], "listeners": [{{"name": "h", "port": 80, "protocol": "http", "backend": "w"}}], "backends": [{{"name": "w", "servers": [{{"name": "a", "address": "10.0.0.{n}", "port": 80}}]}}]}}"#)
            .expect("a String");
    }
    format!(r#"{{"version": 1, "balancers": [{out}]}}"#)
}

#[test]
fn an_owner_who_loses_everything_by_losing_the_name_is_over_the_limit() {
    const POLICY: &str = "version: 1\nconfigurations:\n  lb: {files: [\"*.json\"]}\nchecks:\n  - {check: deletion-limit, count: 100, percent: 100, per: owner}\n";
    let old = inventory(|n| if n < 2 { "alice" } else { "bob" });
    for (new, code) in [
        (inventory(|n| if n < 2 { "" } else { "bob" }), 1),
        (inventory(|n| if n < 2 { "carol" } else { "bob" }), 1),
        (old.clone(), 0),
    ] {
        let folder = folder(&[("old/a.json", &old), ("new/a.json", &new), ("p.yaml", POLICY)]);
        let ran = portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "p.yaml"]);
        assert_eq!(ran.code, code, "{}{}", ran.out, ran.talk);
        assert_eq!(ran.out.contains("lose"), code == 1, "{}", ran.out);
        let ran = portcullis(folder.path(), &[], &["diff", "old/a.json", "new/a.json"]);
        assert_eq!((ran.code, ran.out.contains("its owner differs")), (code, code == 1), "{}", ran.out);
    }
}
