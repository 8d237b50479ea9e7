//! The ways in which others let an open port pass, each as a Terraform configuration, as the plan of it, as what the interface of
//! AWS lists, and as a template of CloudFormation.

use crate::cli::{Ran, portcullis};
use std::fmt::Write as _;
use std::path::Path;
use tempfile::TempDir;

/// ssh from anywhere, but for two networks that may.
const POLICY: &str = "version: 1
configurations:
  aws: {files: [\"*.tf\"], format: terraform}
checks:
  - {check: exposed-ports, from: any, services: [ssh], except: [\"10.0.0.0/8\", \"198.51.100.0/29\"]}
";

const SSH: &[(&str, &str)] = &[("protocol", "\"tcp\""), ("from_port", "22"), ("to_port", "22")];

/// The blocks of a rule: arguments as JSON, which are the same in the configuration language.
type Block<'b> = Vec<(&'b str, &'b str)>;

fn ssh<'b>(more: &[(&'b str, &'b str)]) -> Block<'b> {
    SSH.iter().chain(more).copied().collect()
}

/// What is open, by the trick that hides it.
fn open() -> Vec<(&'static str, Vec<Block<'static>>)> {
    let any = ("cidr_blocks", "[\"0.0.0.0/0\"]");
    let ports = |protocol, from, to| vec![("protocol", protocol), ("from_port", from), ("to_port", to), any];
    vec![
        ("plainly", vec![ssh(&[any])]),
        ("as two halves", vec![ssh(&[("cidr_blocks", "[\"0.0.0.0/1\", \"128.0.0.0/1\"]")])]),
        ("as a half", vec![ssh(&[("cidr_blocks", "[\"128.0.0.0/1\"]")])]),
        (
            "as four quarters",
            vec![ssh(&[("cidr_blocks", "[\"0.0.0.0/2\", \"64.0.0.0/2\", \"128.0.0.0/2\", \"192.0.0.0/2\"]")])],
        ),
        (
            "as halves in two blocks",
            vec![ssh(&[("cidr_blocks", "[\"0.0.0.0/1\"]")]), ssh(&[("cidr_blocks", "[\"128.0.0.0/1\"]")])],
        ),
        ("over IPv6", vec![ssh(&[("ipv6_cidr_blocks", "[\"::/0\"]")])]),
        ("over half of IPv6", vec![ssh(&[("ipv6_cidr_blocks", "[\"::/1\"]")])]),
        ("over IPv4 in IPv6", vec![ssh(&[("ipv6_cidr_blocks", "[\"::ffff:0:0/96\"]")])]),
        ("with bits behind the prefix", vec![ssh(&[("cidr_blocks", "[\"192.0.2.77/1\"]")])]),
        ("as all ports", vec![ports("\"tcp\"", "0", "65535")]),
        ("as a range of ports", vec![ports("\"tcp\"", "20", "30")]),
        ("as all protocols", vec![ports("\"-1\"", "0", "0")]),
        ("as all protocols by name", vec![ports("\"all\"", "0", "0")]),
        ("as a number of a protocol", vec![ports("\"6\"", "22", "22")]),
        ("behind a block of its own members", vec![ssh(&[("self", "true")]), ssh(&[any])]),
        ("beside its own members", vec![ssh(&[("self", "true"), any])]),
        ("beside a prefix list", vec![ssh(&[("prefix_list_ids", "[\"pl-1\"]"), any])]),
        ("as a prefix list of which nothing is known", vec![ssh(&[("prefix_list_ids", "[\"pl-1\"]")])]),
        ("beside another group", vec![ssh(&[("security_groups", "[\"sg-1\"]"), any])]),
        ("beside what may", vec![ssh(&[("cidr_blocks", "[\"10.0.0.0/8\", \"10.0.0.0/7\"]")])]),
    ]
}

/// What is not open.
fn shut() -> Vec<(&'static str, Vec<Block<'static>>)> {
    let any = ("cidr_blocks", "[\"0.0.0.0/0\"]");
    vec![
        ("another port", vec![vec![("protocol", "\"tcp\""), ("from_port", "443"), ("to_port", "443"), any]]),
        ("another protocol", vec![vec![("protocol", "\"udp\""), ("from_port", "22"), ("to_port", "22"), any]]),
        ("one that may", vec![ssh(&[("cidr_blocks", "[\"10.9.0.0/16\"]")])]),
        ("a small one that may", vec![ssh(&[("cidr_blocks", "[\"198.51.100.0/29\"]")])]),
        ("nobody", vec![ssh(&[("cidr_blocks", "[]")])]),
    ]
}

/// What the provider refuses: nothing is known of what comes of it.
fn refused() -> Vec<(&'static str, Vec<Block<'static>>)> {
    let cidr = |text| vec![ssh(&[("cidr_blocks", text)])];
    vec![
        ("a length with a zero in front", cidr("[\"0.0.0.0/00\"]")),
        ("a length with a sign", cidr("[\"0.0.0.0/+0\"]")),
        ("too great a length", cidr("[\"0.0.0.0/33\"]")),
        ("a mask", cidr("[\"0.0.0.0/0.0.0.0\"]")),
        ("numbers with zeros in front", cidr("[\"010.0.0.0/8\"]")),
        ("too few numbers", cidr("[\"0/0\"]")),
        ("a blank", cidr("[\" 10.0.0.0/8\"]")),
        ("IPv6 among IPv4", cidr("[\"::/0\"]")),
        ("a name", cidr("[\"everyone\"]")),
        (
            "ports the wrong way round",
            vec![vec![
                ("protocol", "\"tcp\""),
                ("from_port", "23"),
                ("to_port", "22"),
                ("cidr_blocks", "[\"10.0.0.0/8\"]"),
            ]],
        ),
        ("an argument that nobody knows", vec![ssh(&[("cidr_blocks", "[\"10.0.0.0/8\"]"), ("door", "\"open\"")])]),
    ]
}

fn written(blocks: &[Block<'_>]) -> String {
    let mut out = "resource \"aws_security_group\" \"web\" {\n".to_owned();
    for block in blocks {
        out.push_str("  ingress {\n");
        for (name, value) in block {
            writeln!(out, "    {name} = {value}").expect("writing to a String");
        }
        out.push_str("  }\n");
    }
    out + "}\n"
}

fn planned(blocks: &[Block<'_>]) -> String {
    let block = |block: &Block<'_>| {
        let arguments: Vec<String> = block.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", arguments.join(", "))
    };
    let blocks: Vec<String> = blocks.iter().map(block).collect();
    format!(
        r#"{{"format_version": "1.2", "resource_changes": [{{"address": "aws_security_group.web", "mode": "managed",
        "type": "aws_security_group", "change": {{"actions": ["update"], "before": {{"ingress": [], "egress": []}},
        "after": {{"ingress": [{}], "egress": []}}, "after_unknown": {{}}}}}}]}}"#,
        blocks.join(", ")
    )
}

/// The peers of a rule: the argument, the list of a dump, what its items are, and the property of a template.
const PEERS: &[(&str, &str, &str, &str)] = &[
    ("cidr_blocks", "IpRanges", "CidrIp", "CidrIp"),
    ("ipv6_cidr_blocks", "Ipv6Ranges", "CidrIpv6", "CidrIpv6"),
    ("prefix_list_ids", "PrefixListIds", "PrefixListId", "SourcePrefixListId"),
    ("security_groups", "UserIdGroupPairs", "GroupId", "SourceSecurityGroupId"),
];

/// What the rest of a rule is called in a dump and in a template.
const ASKED: &[(&str, &str)] = &[("protocol", "IpProtocol"), ("from_port", "FromPort"), ("to_port", "ToPort")];

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

/// What a block asks for, and its peers: each with the names that it has in a dump and in a template.
fn parts(block: &Block<'_>) -> (serde_json::Map<String, serde_json::Value>, Vec<[String; 4]>) {
    let (mut asked, mut peers) = (serde_json::Map::new(), Vec::new());
    for (name, value) in block {
        if let Some((_, name)) = ASKED.iter().find(|(known, _)| known == name) {
            asked.insert((*name).to_owned(), json(value));
        } else if let Some((_, list, item, property)) = PEERS.iter().find(|(known, ..)| known == name) {
            let values = json(value).as_array().cloned().unwrap_or_default();
            let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
            let named = |value| [*list, *item, *property].map(ToOwned::to_owned).into_iter().chain([text(value)]);
            let four = |value| named(value).collect::<Vec<_>>().try_into().expect("four");
            peers.extend(values.iter().map(four));
        } else if *name == "self" {
            let own = ["UserIdGroupPairs", "GroupId", "SourceSecurityGroupId", "sg-web"];
            peers.push(own.map(ToOwned::to_owned));
        } else {
            asked.insert((*name).to_owned(), json(value));
        }
    }
    (asked, peers)
}

/// The group as `aws ec2 describe-security-groups` prints it.
fn dumped(blocks: &[Block<'_>]) -> String {
    let permission = |block: &Block<'_>| {
        let (mut permission, peers) = parts(block);
        for [list, item, _, value] in peers {
            let list = permission.entry(list).or_insert_with(|| serde_json::json!([]));
            list.as_array_mut().expect("a list").push(serde_json::json!({item: value}));
        }
        serde_json::Value::Object(permission)
    };
    let permissions: Vec<_> = blocks.iter().map(permission).collect();
    let other =
        serde_json::json!({"GroupId": "sg-1", "GroupName": "other", "IpPermissions": [], "IpPermissionsEgress": []});
    let web = serde_json::json!({
        "GroupId": "sg-web", "GroupName": "web", "IpPermissions": permissions, "IpPermissionsEgress": []
    });
    serde_json::json!({"SecurityGroups": [web, other]}).to_string()
}

/// The group as a template of CloudFormation, in which each rule has one peer.
fn templated(blocks: &[Block<'_>]) -> String {
    let mut rules = Vec::new();
    for block in blocks {
        let (asked, peers) = parts(block);
        for [_, _, property, value] in peers {
            let mut rule = asked.clone();
            rule.insert(property, value.into());
            rules.push(serde_json::Value::Object(rule));
        }
    }
    let properties = serde_json::json!({"GroupDescription": "web", "SecurityGroupIngress": rules});
    let web = serde_json::json!({"Type": "AWS::EC2::SecurityGroup", "Properties": properties});
    serde_json::json!({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"web": web}}).to_string()
}

/// Judges a configuration against one that opens nothing.
fn check(policy: &str, old: &str, new: &str) -> Ran {
    check_file(policy, "main.tf", old, new)
}

fn check_file(policy: &str, name: &str, old: &str, new: &str) -> Ran {
    let folder = TempDir::new().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write("policy.yaml", policy);
    write(&format!("old/{name}"), old);
    write(&format!("new/{name}"), new);
    portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "policy.yaml"])
}

/// The same of a group in each notation.
fn check_each(blocks: &[Block<'_>]) -> [Ran; 4] {
    let of = |format: &str| {
        POLICY.replace("files: [\"*.tf\"], format: terraform", &format!("files: [\"*.json\"], format: {format}"))
    };
    [
        check(POLICY, EMPTY, &written(blocks)),
        check_plan(POLICY, &planned(blocks)),
        check_file(&of("aws-api"), "groups.json", &dumped(&[]), &dumped(blocks)),
        check_file(&of("cloudformation"), "stack.json", &templated(&[]), &templated(blocks)),
    ]
}

fn check_plan(policy: &str, plan: &str) -> Ran {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("policy.yaml"), policy).expect("written");
    std::fs::write(folder.path().join("plan.json"), plan).expect("written");
    portcullis(folder.path(), &[], &["check", "--plan", "plan.json", "--policy", "policy.yaml"])
}

const EMPTY: &str = "resource \"aws_security_group\" \"web\" {\n}\n";

#[test]
fn what_is_open_is_found_however_it_is_written() {
    for (how, blocks) in open() {
        for ran in check_each(&blocks) {
            assert_eq!(ran.code, 1, "{how}: {}", ran.out);
            assert!(ran.out.contains("exposed-ports"), "{how}: {}", ran.out);
        }
    }
}

#[test]
fn what_is_not_open_passes() {
    for (how, blocks) in shut() {
        for ran in check_each(&blocks) {
            assert_eq!(ran.code, 0, "{how}: {}", ran.out);
        }
    }
}

#[test]
fn what_the_provider_refuses_is_undecided() {
    for (how, blocks) in refused() {
        for ran in check_each(&blocks) {
            assert_eq!(ran.code, 3, "{how}: {}", ran.out);
        }
    }
}

#[test]
fn a_rule_that_is_a_resource_of_its_own_is_found() {
    let old = ["resource \"aws_security_group_rule\"", "resource \"aws_vpc_security_group_ingress_rule\""];
    let arguments = [
        "type = \"ingress\"\n protocol = \"tcp\"\n cidr_blocks = [\"0.0.0.0/0\"]",
        "ip_protocol = \"tcp\"\n cidr_ipv4 = \"0.0.0.0/0\"",
    ];
    for (kind, arguments) in old.iter().zip(arguments) {
        let rule = format!(
            "{EMPTY}{kind} \"open\" {{\n security_group_id = aws_security_group.web.id\n from_port = 22\n to_port = 22\n {arguments}\n}}\n"
        );
        let ran = check(POLICY, EMPTY, &rule);
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.out.contains("`aws/aws_security_group.web/ingress`"), "{}", ran.out);
    }
}

#[test]
fn what_is_not_known_may_be_open() {
    let unknown = "variable \"office\" {}\nresource \"aws_security_group\" \"web\" {\n  ingress {\n    protocol = \"tcp\"\n    \
                   from_port = 22\n    to_port = 22\n    cidr_blocks = [var.office]\n  }\n}\n";
    let ran = check(POLICY, EMPTY, unknown);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("may newly be able to pass") && ran.out.contains("var.office"), "{}", ran.out);
    assert_eq!(check(POLICY, unknown, unknown).code, 0, "what was so before is not new");
}

const DELETIONS: &str = "version: 1
configurations:
  aws: {files: [\"*.tf\"], format: terraform}
checks:
  - {check: deletion-limit, count: 0, kinds: [aws_security_group]}
";

#[test]
fn a_deletion_is_seen_where_only_the_planned_values_are_looked_at_elsewhere() {
    let plan = planned(&[])
        .replace("\"update\"", "\"delete\"")
        .replace(r#""after": {"ingress": [], "egress": []}"#, "\"after\": null");
    let plan = plan.replacen('{', r#"{"planned_values": {"root_module": {}}, "#, 1);
    let ran = check_plan(DELETIONS, &plan);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("removes 1 of 1 objects of the kind `aws_security_group`"), "{}", ran.out);
}

#[test]
fn what_prevents_its_own_destruction_ends_with_its_block() {
    let guarded = "resource \"aws_security_group\" \"web\" {\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n";
    let other = "resource \"aws_security_group\" \"other\" {\n}\n";
    let ran = check(DELETIONS, &format!("{guarded}{other}"), other);
    assert_eq!(ran.code, 1, "{}", ran.out);
}

#[test]
fn what_is_empty_or_cut_short_is_no_pass() {
    assert_eq!(check(DELETIONS, EMPTY, "").code, 1, "a file with nothing in it is one, and deletes what was in it");
    for text in
        ["resource \"aws_security_group\" \"web\" {", "resource \"aws_security_group\" \"web\" {\n  ingress {\n"]
    {
        assert_eq!(check(POLICY, EMPTY, text).code, 3, "{text}");
    }
    for text in ["", "{}", "{\"format_version\": \"1.2\"", "{\"planned_values\": {}}"] {
        assert_eq!(check_plan(POLICY, text).code, 3, "{text}");
    }
}

#[test]
fn a_network_acl_is_read_in_the_order_of_its_numbers() {
    let acl = |first: &str, second: &str| {
        let rule = |number: u8, action: &str| {
            format!(
                "  ingress {{\n rule_no = {number}\n action = \"{action}\"\n protocol = \"tcp\"\n from_port = 0\n to_port = 65535\n \
                 cidr_block = \"0.0.0.0/0\"\n }}\n"
            )
        };
        format!(
            "resource \"aws_network_acl\" \"main\" {{\n vpc_id = \"vpc-1\"\n{}{}}}\n",
            rule(20, second),
            rule(10, first)
        )
    };
    let shut = acl("deny", "allow");
    assert_eq!(check(POLICY, &shut, &acl("allow", "deny")).code, 1);
    assert_eq!(check(POLICY, &shut, &shut.replace("= 10", "= 11").replace("= 20", "= 100")).code, 0);
}

/// The workload of the comparison with others: seventeen groups, of which fourteen are open.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped workload is told")]
fn the_traps_of_the_comparison_with_others_are_told_apart() {
    let traps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/bench/traps/main.tf");
    let Ok(text) = std::fs::read_to_string(&traps) else {
        eprintln!("SKIPPED: there is no workload in {}", traps.display());
        return;
    };
    let ran = check(POLICY, EMPTY, &text);
    assert_eq!(ran.code, 1, "{}", ran.out);
    let groups = text.lines().filter_map(|line| line.strip_prefix("resource \"aws_security_group\" \""));
    let names: Vec<&str> = groups.filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(names.len(), 17);
    let report = ran.out.split("What the change does").next().unwrap_or_default().replace("\n  ", " ");
    for name in names {
        let found = report.contains(&format!("`aws/aws_security_group.{name}/ingress`"));
        assert_eq!(found, name.starts_with("t0") || name.starts_with("t1"), "{name}: {report}");
    }
}

#[test]
fn deletions_are_limited_for_each_owner() {
    let policy = DELETIONS
        .replace("count: 0, kinds: [aws_security_group]", "count: 1, per: owner, kinds: [aws_security_group, rule]");
    let group = |name: &str, owner: &str, port: u16| {
        let mut out = format!(
            "resource \"aws_security_group\" \"{name}\" {{\n  tags = {{ Owner = \"{owner}\" }}\n  ingress {{\n"
        );
        writeln!(out, "    protocol = \"tcp\"\n    from_port = {port}\n    to_port = {port}\n    cidr_blocks = [\"10.0.0.0/8\"]\n  }}\n}}")
            .expect("writing to a String");
        out
    };
    let (a, b, c) = (group("a", "web", 1), group("b", "web", 2), group("c", "data", 3));
    let d = group("d", "web", 4);
    assert_eq!(check(&policy, &format!("{a}{b}{c}"), &format!("{b}{c}")).code, 0, "one of two");
    for (base, head, said) in [
        (
            format!("{a}{b}{c}{d}"),
            format!("{a}{c}"),
            "removes 2 of 3 objects of the kind `aws_security_group` in what `web` owns",
        ),
        (format!("{a}{b}{c}"), c, "`web` loses all of 2 objects of the kind `aws_security_group`"),
        (
            format!("{a}{b}{}", group("c", "data", 3)),
            format!("{a}{b}"),
            "`data` loses all of 1 objects of the kind `aws_security_group`",
        ),
    ] {
        let ran = check(&policy, &base, &head);
        assert_eq!(ran.code, 1, "{}", ran.out);
        let report = ran.out.replace("\n  ", " ");
        assert!(report.contains(said), "{report}");
    }
}

/// One rule each with ports, a prefix and a name that must not be printed, in the ways in which providers take them.
const SECRETS: &str = r#"
variable "ports" {
  default   = ["4242", "4300-4301"]
  sensitive = true
}
variable "port" {
  default   = 4242
  sensitive = true
}
variable "nets" {
  default   = ["10.77.0.0/16"]
  sensitive = true
}
variable "who" {
  default   = "mallory"
  sensitive = true
}
resource "google_compute_firewall" "a" {
  network       = "n"
  source_ranges = var.nets
  target_tags   = [var.who]
  allow {
    protocol = "tcp"
    ports    = concat(var.ports, [var.port])
  }
}
resource "exoscale_security_group_rules" "a" {
  security_group_id = "a"
  ingress {
    protocol                 = "TCP"
    ports                    = [var.port, "22"]
    cidr_list                = [var.nets[0]]
    user_security_group_list = [var.who]
  }
}
resource "azurerm_network_security_group" "a" {
  security_rule {
    name                       = "a"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_port_range          = var.port
    source_address_prefixes    = var.nets
    destination_address_prefix = "*"
    destination_port_ranges    = var.ports
  }
}
resource "digitalocean_firewall" "a" {
  inbound_rule {
    protocol         = "tcp"
    port_range       = var.port
    source_addresses = var.nets
    source_tags      = [var.who]
  }
}
"#;

#[test]
fn what_is_sensitive_is_never_printed() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("main.tf"), SECRETS).expect("written");
    std::fs::write(folder.path().join("empty.tf"), EMPTY).expect("written");
    let parsed = portcullis(folder.path(), &[], &["parse", "main.tf"]);
    let differs = portcullis(folder.path(), &[], &["diff", "empty.tf", "main.tf"]);
    let json = portcullis(folder.path(), &[], &["diff", "empty.tf", "main.tf", "--output", "json"]);
    let judged = check(POLICY, EMPTY, SECRETS);
    for (ran, code) in [(parsed, 0), (differs, 1), (json, 1), (judged, 1)] {
        assert_eq!(ran.code, code, "{}", ran.out);
        for secret in ["4242", "4300", "4301", "10.77", "mallory"] {
            assert!(!ran.out.contains(secret), "{secret} in {}", ran.out);
        }
        assert!(ran.out.contains("a sensitive"), "{}", ran.out);
    }
}

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
