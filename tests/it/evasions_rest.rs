//! What the notations of cloud providers leave to others: defaults, groups that are declared elsewhere, conditions, tags.

use crate::evasions::{EMPTY, POLICY, check, check_file, dumped, ssh, written};
use std::fmt::Write as _;

/// A policy with one check only.
fn with(check: &str) -> String {
    format!("{}checks: [{{{check}}}]\n", POLICY.split("checks:").next().unwrap_or_default())
}

/// A group, and a rule of its own for a group.
fn rule(group: &str, cidr: &str) -> String {
    format!(
        "{EMPTY}resource \"aws_security_group_rule\" \"repair\" {{\n type = \"ingress\"\n protocol = \"tcp\"\n from_port = 22\n \
         to_port = 22\n cidr_blocks = [{cidr}]\n security_group_id = {group}\n}}\n"
    )
}

#[test]
fn a_rule_of_a_group_that_nothing_declares_is_an_undefined_reference() {
    let policy = with("check: undefined-references");
    assert_eq!(check(&policy, EMPTY, &rule("aws_security_group.web.id", "\"10.0.0.0/8\"")).code, 0);
    let ran = check(&policy, EMPTY, &rule("aws_security_group.wbe.id", "\"10.0.0.0/8\""));
    assert_ne!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("undefined-references") && ran.out.contains("aws_security_group.wbe"), "{}", ran.out);
}

#[test]
fn a_repair_rule_is_protected_by_its_address() {
    let policy = with("check: protected-rules, objects: [\"aws/aws_security_group_rule.repair\"]");
    let old = rule("aws_security_group.web.id", "\"10.0.0.0/8\"");
    let halves = rule("aws_security_group.web.id", "\"10.0.0.0/9\", \"10.128.0.0/9\"");
    assert_eq!(check(&policy, &old, &halves).code, 0, "the same in two halves");
    assert_eq!(check(&policy, &old, &rule("aws_security_group.web.id", "\"10.0.0.0/9\"")).code, 1);
    assert_eq!(check(&policy, &old, EMPTY).code, 1);
}

/// One group, written so that it lets something pass and so that it does not, in the notations of several providers.
const DEFAULTS: &[(&str, &str, &str)] = &[
    (
        "a default that is given",
        "resource \"scaleway_instance_security_group\" \"a\" {\n  inbound_default_policy = \"drop\"\n  outbound_default_policy = \"drop\"\n}\n",
        "resource \"scaleway_instance_security_group\" \"a\" {\n  inbound_default_policy = \"accept\"\n  outbound_default_policy = \"drop\"\n}\n",
    ),
    (
        "a default that is not given",
        "resource \"scaleway_instance_security_group\" \"a\" {\n  inbound_default_policy = \"drop\"\n  outbound_default_policy = \"drop\"\n}\n",
        "resource \"scaleway_instance_security_group\" \"a\" {\n  outbound_default_policy = \"drop\"\n}\n",
    ),
    (
        "a rule for all",
        "resource \"google_compute_firewall\" \"a\" {\n  network = \"a\"\n  source_ranges = [\"10.0.0.0/8\"]\n  allow {\n    protocol = \"all\"\n  }\n}\n",
        "resource \"google_compute_firewall\" \"a\" {\n  network = \"a\"\n  source_ranges = [\"0.0.0.0/0\"]\n  allow {\n    protocol = \"all\"\n  }\n}\n",
    ),
    (
        "a last rule for all",
        "resource \"azurerm_network_security_group\" \"a\" {\n}\n",
        "resource \"azurerm_network_security_group\" \"a\" {\n  security_rule {\n    name = \"all\"\n    priority = 4096\n    direction = \"Inbound\"\n    \
         access = \"Allow\"\n    protocol = \"*\"\n    source_port_range = \"*\"\n    destination_port_range = \"*\"\n    source_address_prefix = \"*\"\n    \
         destination_address_prefix = \"*\"\n  }\n}\n",
    ),
    (
        "the only rule that closes a direction",
        "resource \"hcloud_firewall\" \"a\" {\n  rule {\n    direction = \"out\"\n    protocol = \"tcp\"\n    port = \"443\"\n    destination_ips = [\"192.0.2.0/24\"]\n  }\n}\n",
        "resource \"hcloud_firewall\" \"a\" {\n}\n",
    ),
];

#[test]
fn what_passes_where_no_rule_decides_is_seen_with_every_provider() {
    let policy = with("check: default-action");
    for (how, shut, open) in DEFAULTS {
        assert_eq!(check(&policy, shut, shut).code, 0, "{how}");
        let ran = check(&policy, shut, open);
        assert_eq!(ran.code, 1, "{how}: {}", ran.out);
        assert!(ran.out.contains("lets packets pass that no rule decides"), "{how}: {}", ran.out);
    }
}

/// Two groups with the same rule, and the list of the first.
fn twins(cidr: &str) -> String {
    let group = |name: &str, cidr: &str| written(&[ssh(&[("cidr_blocks", cidr)])]).replace("\"web\"", name);
    group("\"first\"", cidr) + &group("\"second\"", "[\"10.0.0.0/8\"]")
}

#[test]
fn a_group_whose_rules_become_empty_is_seen_though_another_has_the_same() {
    for kind in ["", ", kinds: [chain]", ", kinds: [aws_security_group]"] {
        let policy = with(&format!("check: empty-input{kind}"));
        let ran = check(&policy, &twins("[\"10.0.0.0/8\"]"), &twins("[]"));
        assert_eq!(ran.code, 1, "{kind}: {}", ran.out);
        assert!(ran.out.contains("aws_security_group.first"), "{kind}: {}", ran.out);
        assert!(!ran.out.contains("aws_security_group.second"), "{kind}: {}", ran.out);
    }
    let whole = with("check: empty-input");
    let ran = check(&whole, &rule("aws_security_group.web.id", "\"10.0.0.0/8\""), EMPTY);
    assert_eq!(ran.code, 1, "{}", ran.out);
}

#[test]
fn what_a_default_group_let_pass_before_it_was_managed_is_not_guessed() {
    let adopted = "resource \"aws_default_security_group\" \"web\" {\n}\n";
    let policy = with("check: default-action");
    for (old, new) in [("", adopted), (adopted, "")] {
        let (old, new) = (format!("{EMPTY}{old}"), format!("{EMPTY}{new}"));
        let ran = check(&policy, &old, &new);
        assert_eq!(ran.code, 3, "{}", ran.out);
        assert!(ran.out.contains("not managed here"), "{}", ran.out);
    }
    let tagged = adopted.replace("{\n", "{\n  tags = { a = \"b\" }\n");
    assert_eq!(check(&policy, adopted, &tagged).code, 0);
}

/// A dump of two groups, of which the first lets in members of another.
fn naming(pair: &str) -> String {
    let web = dumped(&[ssh(&[("security_groups", "[\"sg-1\"]")])]).replace("{\"GroupId\":\"sg-1\"}", pair);
    web.replace("\"GroupName\":\"web\"", "\"GroupName\":\"web\",\"OwnerId\":\"1\"")
}

#[test]
fn a_group_that_a_dump_does_not_hold_is_an_undefined_reference() {
    let policy = with("check: undefined-references")
        .replace("files: [\"*.tf\"], format: terraform", "files: [\"*.json\"], format: aws-api");
    let judged = |pair: &str| check_file(&policy, "groups.json", &dumped(&[]), &naming(pair));
    for (pair, code) in [
        ("{\"GroupId\":\"sg-1\",\"UserId\":\"1\"}", 0),
        ("{\"GroupId\":\"sg-gone\",\"UserId\":\"1\"}", 1),
        ("{\"GroupId\":\"sg-gone\"}", 1),
        // Groups of other accounts and of other VPCs are in no dump of this one.
        ("{\"GroupId\":\"sg-gone\",\"UserId\":\"2\"}", 0),
        ("{\"GroupId\":\"sg-gone\",\"UserId\":\"1\",\"VpcPeeringConnectionId\":\"pcx-1\"}", 0),
    ] {
        let ran = judged(pair);
        assert_eq!(ran.code, code, "{pair}: {}", ran.out);
        assert_eq!(ran.out.contains("`aws_security_group.sg-gone`"), code == 1, "{pair}: {}", ran.out);
    }
}

/// A template with a parameter, a condition on it, and a rule under that condition.
fn conditional(default: &str, cidr: &str, egress: &str) -> String {
    format!(
        "Parameters:\n  Env: {{Type: String{default}}}\nConditions:\n  IsProd: !Equals [!Ref Env, prod]\nResources:\n  web:\n    \
         Type: AWS::EC2::SecurityGroup\n    Properties:\n      GroupDescription: web\n      SecurityGroupIngress:\n        - !If\n          \
         - IsProd\n          - {{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: {cidr}}}\n          - !Ref AWS::NoValue\n{egress}"
    )
}

#[test]
fn what_a_template_does_not_tell_is_not_guessed() {
    let policy = POLICY.replace("files: [\"*.tf\"], format: terraform", "files: [\"*.yaml\"], format: cloudformation");
    let judged = |policy: &str, old: &str, new: &str| check_file(policy, "stack.yaml", old, new);
    let (shut, open) = (conditional("", "10.0.0.0/8", ""), conditional("", "0.0.0.0/0", ""));
    assert_eq!(judged(&policy, &shut, &shut).code, 0);
    let ran = judged(&policy, &shut, &open);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("may newly be able to pass") && ran.out.contains("Ref Env = prod"), "{}", ran.out);
    let known = |default: &str| conditional(&format!(", Default: {default}"), "0.0.0.0/0", "");
    assert_eq!(judged(&policy, &known("test"), &known("test")).code, 0);
    assert_eq!(judged(&policy, &known("test"), &known("prod")).code, 1);
    // Without egress rules a group has those that EC2 gave it, or none any more.
    let out = policy.replace(
        "exposed-ports, from: any, services: [ssh]",
        "critical-ports, from: any, to: 192.0.2.0/24, services: [tcp/443]",
    );
    let out = out.replace(", except: [\"10.0.0.0/8\", \"198.51.100.0/29\"]", "");
    let rule =
        "      SecurityGroupEgress:\n        - {IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}\n";
    let ran = judged(&out, &conditional("", "10.0.0.0/8", rule), &shut);
    assert_eq!(ran.code, 1, "{}", ran.out);
}

#[test]
fn what_makes_other_resources_is_no_pass() {
    let policy = with("check: deletion-limit, count: 0")
        .replace("files: [\"*.tf\"], format: terraform", "files: [\"*.yaml\"], format: cloudformation");
    let group = "Resources:\n  web: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: web}}\n";
    for more in [
        "  more: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: a}}\n",
        "  more: {Type: A::B::C::MODULE}\n",
        "  more: {Type: AWS::Serverless::Function}\n",
        "  Fn::ForEach::More: [a, [b], {}]\n",
        "  more: {Type: AWS::EC2::SecurityGroup, Properties: {Fn::Transform: {Name: AWS::Include}}}\n",
        "  more: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref wbe, IpProtocol: -1, CidrIp: 10.0.0.0/8}}\n",
        "Transform: AWS::Serverless-2016-10-31\n",
    ] {
        let ran = check_file(&policy, "stack.yaml", group, &format!("{group}{more}"));
        assert_eq!(ran.code, 3, "{more}: {}", ran.out);
    }
    for text in ["", "Resources:\n", "Resources: {}\n", "Resources: [", "a: b\n", "--- {}\n--- {}\n"] {
        assert_ne!(check_file(&policy, "stack.yaml", group, text).code, 0, "{text}");
    }
}

/// Rules of one network: the tag that each is for, whether it lets ssh in, and its place.
fn tagged(rules: &[(&str, &str, u16)]) -> String {
    let mut out = String::new();
    for (n, (tag, verb, priority)) in rules.iter().enumerate() {
        writeln!(
            out,
            "resource \"google_compute_firewall\" \"r{n}\" {{\n  network = \"n\"\n  priority = {priority}\n  target_tags = [\"{tag}\"]\n  \
             source_ranges = [\"0.0.0.0/0\"]\n  {verb} {{\n    protocol = \"tcp\"\n    ports = [\"22\"]\n  }}\n}}"
        )
        .expect("writing to a String");
    }
    out
}

#[test]
fn a_host_may_be_several_targets_at_once() {
    let allow = ("a", "allow", 300);
    let denied = [("b", "deny", 100), ("c", "deny", 200), allow];
    // Hosts with the tag `a` that are `b` as well are opened by a change of a rule for `b`.
    let ran = check(POLICY, &tagged(&denied), &tagged(&[("c", "deny", 200), allow]));
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("`aws/n/tag a/ingress`"), "{}", ran.out);
    assert_eq!(check(POLICY, &tagged(&denied), &tagged(&denied)).code, 0);
    // Behind the rule for `a` those for others decide nothing of its hosts.
    let behind = [allow, ("b", "deny", 400)];
    assert_eq!(check(POLICY, &tagged(&behind), &tagged(&[allow])).code, 0);
}

#[test]
fn a_group_that_cloudformation_keeps_is_removed_and_stays() {
    let policy = POLICY.replace("files: [\"*.tf\"], format: terraform", "files: [\"*.yaml\"], format: cloudformation")
        + "  - {check: deletion-limit, count: 0}\n";
    let group = |more: &str| {
        format!(
            "Resources:\n  other: {{Type: AWS::EC2::SecurityGroup, Properties: {{GroupDescription: a}}}}\n  web:\n    \
             Type: AWS::EC2::SecurityGroup\n    Properties: {{GroupDescription: b}}\n{more}"
        )
    };
    let without = group("").split("  web:").next().expect("a part").to_owned();
    let gone = |more: &str| check_file(&policy, "stack.yaml", &group(more), &without);
    let kept = gone("    DeletionPolicy: Retain\n");
    assert_eq!(kept.code, 1, "{}", kept.out);
    assert!(kept.out.contains("removes 1 of 2 objects of the kind `aws_security_group`"), "{}", kept.out);
    let said = kept.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("it stays in force, and nothing here manages it any more"), "{}", kept.out);
    for more in ["", "    DeletionPolicy: Delete\n", "    UpdateReplacePolicy: Retain\n"] {
        let ran = gone(more);
        assert!(ran.code == 1 && !ran.out.contains("stays in force"), "{more}: {}", ran.out);
    }
}
