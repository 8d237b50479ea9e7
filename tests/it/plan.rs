//! Terraform plans: both sides in one file.

use crate::cli::{Ran, portcullis};
use portcullis::formats::{self, Input, describe};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use tempfile::TempDir;

const POLICY: &str = "version: 1
configurations:
  aws: {files: [\"*.tf\"], format: terraform}
checks:
  - {check: exposed-ports, from: internet, services: [ssh]}
  - {check: protected-rules, objects: [\"aws/aws_security_group.web[0]\"]}
networks: {internet: any}
";

/// A plan with one security group and what becomes of it.
fn plan(actions: &str, before: &str, after: &str, more: &str) -> String {
    format!(
        r#"{{"format_version": "1.2", {more} "resource_changes": [{{"address": "aws_security_group.web[0]", "mode": "managed",
        "type": "aws_security_group", "name": "web", "index": 0, "change": {{"actions": [{actions}], "before": {before},
        "after": {after}, "after_unknown": {{"id": true}}}}}}]}}"#
    )
}

fn group(cidr: &str) -> String {
    format!(
        r#"{{"id": "sg-1", "ingress": [{{"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": [{cidr}]}}]}}"#
    )
}

fn check(plan: &str, more: &[&str]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("portcullis.yaml"), POLICY).expect("written");
    std::fs::write(folder.path().join("plan.json"), plan).expect("written");
    let arguments = ["check", "--plan", "plan.json", "--policy", "portcullis.yaml"];
    portcullis(folder.path(), &[], &[&arguments, more].concat())
}

#[test]
fn a_plan_that_changes_nothing_passes() {
    let same = group("\"10.0.0.0/8\"");
    let ran = check(&plan("\"no-op\"", &same, &same, ""), &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn a_port_that_a_plan_opens_is_found() {
    let ran = check(&plan("\"update\"", &group("\"10.0.0.0/8\""), &group("\"0.0.0.0/1\", \"128.0.0.0/1\""), ""), &[]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    let said = "forbidden traffic can newly pass `aws/aws_security_group.web[0]/ingress`";
    assert!(ran.out.contains(said), "{}", ran.out);
}

#[test]
fn a_protected_group_that_a_plan_deletes_is_found_and_one_that_it_forgets_is_not() {
    let there = group("\"10.0.0.0/8\"");
    assert_eq!(check(&plan("\"delete\"", &there, "null", ""), &[]).code, 1);
    assert_eq!(check(&plan("\"forget\"", &there, "null", ""), &[]).code, 0);
}

#[test]
fn a_replaced_group_is_the_same_group() {
    let (old, new) = (group("\"10.0.0.0/8\""), group("\"10.0.0.0/9\", \"10.128.0.0/9\""));
    assert_eq!(check(&plan("\"delete\", \"create\"", &old, &new, ""), &[]).code, 0);
}

#[test]
fn a_plan_that_is_not_whole_is_undecided() {
    let same = group("\"10.0.0.0/8\"");
    for more in ["\"errored\": true,", "\"complete\": false,", "\"deferred_changes\": [{}],", "\"something\": 1,"] {
        assert_eq!(check(&plan("\"no-op\"", &same, &same, more), &[]).code, 3, "{more}");
    }
    assert_eq!(check(&plan("\"no-op\"", &same, &same, "").replace("1.2", "2.0"), &[]).code, 3);
    // Nothing is protected where nothing is read, which blocks even before that it is undecided.
    assert_eq!(check("{\"format_version\": \"1.2\", \"resource_changes\": [", &[]).code, 1);
    assert_eq!(check(&plan("\"reboot\"", &same, &same, ""), &[]).code, 3);
}

#[test]
fn an_old_plan_is_undecided() {
    let same = group("\"10.0.0.0/8\"");
    let made = |when: &str| plan("\"no-op\"", &same, &same, &format!("\"timestamp\": \"{when}\","));
    assert_eq!(check(&made("2020-01-01T00:00:00Z"), &["--max-age", "24h"]).code, 3);
    assert_eq!(check(&made("9000-01-01T00:00:00Z"), &["--max-age", "24h"]).code, 3);
    assert_eq!(check(&made("yesterday"), &["--max-age", "24h"]).code, 3);
    assert_eq!(check(&plan("\"no-op\"", &same, &same, ""), &["--max-age", "24h"]).code, 3);
    assert_eq!(check(&made("2020-01-01T00:00:00Z"), &["--max-age", "90000d"]).code, 0);
    assert_eq!(check(&made("2020-01-01T00:00:00Z"), &["--max-age", "soon"]).code, 2);
}

#[test]
fn i02_what_is_sensitive_is_printed_nowhere() {
    let (old, new) = (group("\"10.99.0.0/16\""), group("\"10.98.0.0/16\""));
    let text = plan("\"update\"", &old, &new, "").replace(
        "\"after_unknown\"",
        r#""before_sensitive": {"ingress": true}, "after_sensitive": {"ingress": [{"cidr_blocks": [true]}]}, "after_unknown""#,
    );
    for output in ["text", "json"] {
        let ran = check(&text, &["--output", output]);
        assert_ne!(ran.code, 0, "another value that nobody may see may open anything: {}", ran.out);
        assert!(!ran.out.contains("10.99") && !ran.out.contains("10.98"), "{}", ran.out);
    }
}

#[test]
fn a_policy_with_several_terraform_configurations_must_be_told_which_one_the_plan_is_of() {
    let same = group("\"10.0.0.0/8\"");
    let ran = check(&plan("\"no-op\"", &same, &same, ""), &["--configuration", "asw"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("did you mean `aws`"), "{}", ran.out);
}

/// A security group that a plan creates with rules that it does not tell, beside the configuration that it was made of.
fn created(configuration: &str) -> Ran {
    let folder = TempDir::new().expect("a folder");
    let plan = r#"{"format_version": "1.2", "resource_changes": [
        {"address": "aws_security_group.web[0]", "mode": "managed", "type": "aws_security_group", "name": "web", "index": 0,
         "change": {"actions": ["no-op"], "before": {"id": "sg-1"}, "after": {"id": "sg-1"}}},
        {"address": "aws_security_group.new", "mode": "managed", "type": "aws_security_group", "name": "new",
         "change": {"actions": ["create"], "before": null, "after": {"name": "new"},
                    "after_unknown": {"id": true, "ingress": true, "egress": true}}}],
      "configuration": {"root_module": {"resources": [{"address": "aws_security_group.new", "mode": "managed",
        "type": "aws_security_group", "name": "new", "expressions": {"name": {"constant_value": "new"}}}]}}}"#;
    for (name, text) in [("portcullis.yaml", POLICY), ("plan.json", plan), ("main.tf", configuration)] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    portcullis(folder.path(), &[], &["check", "--plan", "plan.json", "--policy", "portcullis.yaml"])
}

const WEB: &str = "resource \"aws_security_group\" \"web\" {\n  count = 1\n}\n";

#[test]
fn rules_of_a_new_group_that_a_plan_does_not_tell_are_those_of_its_configuration() {
    let none = created(&format!("{WEB}resource \"aws_security_group\" \"new\" {{\n  name = \"new\"\n}}\n"));
    assert_eq!(none.code, 0, "{}", none.out);
    // Of a group of another name nothing is known.
    let other = created(&format!("{WEB}resource \"aws_security_group\" \"newer\" {{\n}}\n"));
    assert_eq!(other.code, 1, "{}", other.out);
    let unknown = created(&format!(
        "{WEB}variable \"ports\" {{\n  type = set(number)\n}}\nresource \"aws_security_group\" \"new\" {{\n  name = \"new\"\n  \
         dynamic \"ingress\" {{\n    for_each = var.ports\n    content {{\n      protocol    = \"tcp\"\n      \
         from_port   = ingress.value\n      to_port     = ingress.value\n      cidr_blocks = [\"0.0.0.0/0\"]\n    }}\n  }}\n}}\n"
    ));
    let said = "forbidden traffic may pass the new filter `aws/aws_security_group.new/ingress`";
    assert!(unknown.code == 1 && unknown.out.contains(said), "{}", unknown.out);
    assert!(unknown.out.contains("main.tf:9:3"), "{}", unknown.out);
}

#[test]
fn findings_of_a_plan_point_into_the_configuration_of_each_side() {
    let group = |cidr: &str| {
        format!(
            "resource \"aws_security_group\" \"web\" {{\n  count = 1\n  ingress {{\n    protocol    = \"tcp\"\n    \
             from_port   = 22\n    to_port     = 22\n    cidr_blocks = [{cidr}]\n  }}\n}}\n"
        )
    };
    let plan = plan("\"update\"", &self::group("\"10.0.0.0/8\""), &self::group("\"0.0.0.0/0\""), "");
    let repo = crate::repo::Repo::new();
    let (old, new) = (format!("\n\n{}", group("\"10.0.0.0/8\"")), group("\"0.0.0.0/0\""));
    let policy: crate::repo::Item<'_> = (b"portcullis.yaml", "100644", POLICY.as_bytes());
    let base = repo.commit(&[], &[policy, (b"main.tf", "100644", old.as_bytes())]);
    repo.commit(&[base], &[policy, (b"main.tf", "100644", new.as_bytes())]);
    repo.checkout();
    std::fs::write(repo.folder.path().join("plan.json"), plan).expect("written");
    let ran = portcullis(repo.folder.path(), &[], &["check", "--plan", "plan.json", "--base", "HEAD~1"]);
    let told = |word: &str| {
        let lines = ran.out.lines().map(str::trim);
        lines.filter(|line| line.starts_with(word)).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert_eq!(told("- main.tf"), ["- main.tf:5  ingress {"], "{}", ran.out);
    assert_eq!(told("+ main.tf"), ["+ main.tf:3  ingress {"], "{}", ran.out);
    assert!(!ran.out.contains("plan.json:"), "{}", ran.out);
}

#[test]
fn the_policy_says_how_old_a_plan_may_be_and_the_flag_can_only_say_less() {
    let same = group("\"10.0.0.0/8\"");
    let plan = plan("\"no-op\"", &same, &same, "\"timestamp\": \"2020-01-01T00:00:00Z\",");
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("plan.json"), plan).expect("written");
    for (most, more, code) in [
        ("24h", &[][..], 3),
        ("24h", &["--max-age", "90000d"], 3),
        ("90000d", &[], 0),
        ("90000d", &["--max-age", "24h"], 3),
        ("soon", &[], 2),
    ] {
        let policy = format!("{POLICY}plan: {{max_age: {most}}}\n");
        std::fs::write(folder.path().join("portcullis.yaml"), policy).expect("written");
        let arguments = ["check", "--plan", "plan.json", "--policy", "portcullis.yaml"];
        let ran = portcullis(folder.path(), &[], &[&arguments, more].concat());
        assert_eq!(ran.code, code, "{most} {more:?}: {}", ran.out);
    }
}

/// The rules that a plan makes of two blocks, each for its own port and group; the provider has put them into another order.
fn rules_of_blocks(first: &str, second: &str) -> Vec<String> {
    let block = |port: &str, group: &str| {
        format!(
            r#"{{"protocol": {{"constant_value": "tcp"}}, "from_port": {port}, "to_port": {port},
            "security_groups": {{"references": ["aws_security_group.{group}.id", "aws_security_group.{group}"]}}}}"#
        )
    };
    let item = |port: u16| format!(r#"{{"protocol": "tcp", "from_port": {port}, "to_port": {port}}}"#);
    let plan = format!(
        r#"{{"format_version": "1.2", "resource_changes": [{{"address": "aws_security_group.web", "mode": "managed",
        "type": "aws_security_group", "name": "web", "change": {{"actions": ["create"], "before": null,
        "after": {{"egress": [], "ingress": [{}, {}]}},
        "after_unknown": {{"id": true, "ingress": [{{"security_groups": true}}, {{"security_groups": true}}]}}}}}}],
        "configuration": {{"root_module": {{"resources": [{{"address": "aws_security_group.web", "mode": "managed",
        "type": "aws_security_group", "name": "web", "expressions": {{"ingress": [{}, {}]}}}}]}}}}}}"#,
        item(443),
        item(22),
        block(first, "a"),
        block(second, "b")
    );
    let mut sources = SourceMap::default();
    let file = sources.add(b"plan.json", plan.into()).expect("small");
    let input = Input { name: "aws".into(), format: formats::format("terraform"), files: vec![file] };
    let mut store = Store::default();
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut store, None);
    assert!(snapshot.gaps().is_empty(), "{:?}", snapshot.gaps());
    let mut undefined = snapshot.configurations().iter().flat_map(|configuration| &configuration.undefined);
    assert!(undefined.all(|reference| ["aws_security_group.a", "aws_security_group.b"].contains(&&*reference.address)));
    let page = describe(&snapshot, &[], &sources, &store);
    let rules = page.lines().filter_map(|line| line.split_once("  accept  tcp 0.0.0.0/0 -> any:"));
    let mut rules: Vec<String> = rules.map(|(_, rule)| rule.to_owned()).collect();
    rules.sort();
    rules
}

#[test]
fn a_block_that_its_constants_tell_is_the_one_and_others_may_be_any() {
    let (ssh, https) = (r#"{"constant_value": 22}"#, r#"{"constant_value": 443}"#);
    let told =
        ["22 if source is a member of aws_security_group.a", "443 if source is a member of aws_security_group.b"];
    assert_eq!(rules_of_blocks(ssh, https), told);
    let maybe = |port: u16, n: u8| {
        format!(
            "{port} if source is a member of what aws_security_group.web.ingress[{n}].security_groups may take of \
             aws_security_group.a.id, aws_security_group.b.id"
        )
    };
    let variable = r#"{"references": ["var.port"]}"#;
    assert_eq!(rules_of_blocks(variable, variable), [maybe(22, 1), maybe(443, 0)]);
    // One of them is of a block that is repeated, which plans do not tell.
    assert_eq!(rules_of_blocks(variable, ssh).len(), 2);
    assert_eq!(rules_of_blocks(r#"{"constant_value": 80}"#, variable)[0], maybe(22, 1));
}
