//! The ways in which others let an open port pass, each as a Terraform configuration, as the plan of it, as what the interface of
//! AWS lists, and as a template of CloudFormation.

use crate::cli::{Ran, portcullis};
use std::fmt::Write as _;
use std::path::Path;
use tempfile::TempDir;

/// ssh from anywhere, but for two networks that may.
pub(crate) const POLICY: &str = "version: 1
configurations:
  aws: {files: [\"*.tf\"], format: terraform}
checks:
  - {check: exposed-ports, from: any, services: [ssh], except: [\"10.0.0.0/8\", \"198.51.100.0/29\"]}
";

const SSH: &[(&str, &str)] = &[("protocol", "\"tcp\""), ("from_port", "22"), ("to_port", "22")];

/// The blocks of a rule: arguments as JSON, which are the same in the configuration language.
type Block<'b> = Vec<(&'b str, &'b str)>;

pub(crate) fn ssh<'b>(more: &[(&'b str, &'b str)]) -> Block<'b> {
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

pub(crate) fn written(blocks: &[Block<'_>]) -> String {
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
pub(crate) fn dumped(blocks: &[Block<'_>]) -> String {
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
pub(crate) fn check(policy: &str, old: &str, new: &str) -> Ran {
    check_file(policy, "main.tf", old, new)
}

pub(crate) fn check_file(policy: &str, name: &str, old: &str, new: &str) -> Ran {
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

pub(crate) const EMPTY: &str = "resource \"aws_security_group\" \"web\" {\n}\n";

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
