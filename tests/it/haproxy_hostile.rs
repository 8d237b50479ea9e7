//! HAProxy: small files that would cost much.

use crate::cli::portcullis;
use crate::folder::folder;

/// The exit code of `lint`, and what it says.
fn linted(text: &str) -> (u8, String) {
    let folder = folder(&[("haproxy.cfg", text)]);
    let ran = portcullis(folder.path(), &[], &["lint", "--path", "haproxy.cfg"]);
    (ran.code, format!("{}{}", ran.out, ran.talk))
}

const REST: &str =
    "defaults\n mode http\nfrontend f\n bind :80\n default_backend b\nbackend b\n server s 10.0.0.1:80\n";

#[test]
fn a_condition_of_many_parentheses_is_a_gap() {
    let (code, said) = linted(&format!(".if {}1{}\n.endif\n{REST}", "(".repeat(20_000), ")".repeat(20_000)));
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("nested deeper than is read here"), "{said}");
}

#[test]
fn variables_that_hold_others_many_times_are_a_gap() {
    let mut text = "global\n setenv A0 xxxxxxxxxx\n".to_owned();
    for n in 0..13 {
        text.push_str(&format!(" setenv A{} \"{}\"\n", n + 1, format!("$A{n}").repeat(10)));
    }
    let (code, said) = linted(&format!("{text}{REST}"));
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("variables become more text than is read here"), "{said}");
}

#[test]
fn conditions_with_blanks_are_read() {
    for holds in ["defined(X) && version_atleast(2.4)", "1 || ( 0 && 1 )", "!feature(LUA) || version_before(2.4)"] {
        let (code, said) = linted(&format!("global\n.if {holds}\n nbthread 2\n.endif\n{REST}"));
        assert_eq!((code, said.contains("expected")), (0, false), "{holds}: {said}");
    }
    let nothing = linted(&format!("global\n.if 0 && defined(X)\n foo\n.endif\n{REST}"));
    assert_eq!(nothing.0, 0, "{}", nothing.1);
    for refused in ["streq(a)", "(1", "strstr(a)", "1 1"] {
        assert_eq!(linted(&format!(".if {refused}\n.endif\n{REST}")).0, 3, "{refused}");
    }
}

/// A frontend with those rules.
fn rules(rules: &[String]) -> String {
    format!(
        "defaults\n mode http\nfrontend f\n bind :80\n {}\n default_backend b\nbackend b\n server s 10.0.0.1:80\n",
        rules.join("\n ")
    )
}

#[test]
fn rules_of_one_outcome_are_equal_in_any_order_however_many_unknowns_they_have() {
    let rule = |n: usize| {
        format!(
            "http-request deny if {{ req.hdr(a{n}) a }} !{{ req.hdr(b{n}) b }} or {{ req.hdr(c{n}) c }} !{{ req.hdr(d{n}) d }}"
        )
    };
    let mut all: Vec<String> = (0..30).map(rule).collect();
    let old = folder(&[("haproxy.cfg", &rules(&all))]);
    all.reverse();
    let new = folder(&[("haproxy.cfg", &rules(&all))]);
    let ran =
        portcullis(old.path(), &[], &["diff", "haproxy.cfg", &new.path().join("haproxy.cfg").display().to_string()]);
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn expressions_whose_product_is_too_large_are_not_answered() {
    let rule = |n: usize| format!("http-request deny if {{ path_reg a{n}.*b{n} }} !{{ path_reg c{n}.*d{n} }}");
    let (code, said) = linted(&rules(&(0..12).map(rule).collect::<Vec<_>>()));
    assert_eq!((code, said.contains("could not be found out within the budget")), (3, true), "{said}");
}
