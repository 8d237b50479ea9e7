//! A configuration and the plan of it are one model, however the configuration says it: in blocks, in dynamic ones over lists,
//! and in resources of their own, repeated by number or by key.

use portcullis::formats::{self, Input, describe};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What a rule lets pass, and how the configuration writes it.
#[derive(Debug, Clone)]
struct Rule {
    egress: bool,
    protocol: &'static str,
    ports: (u16, u16),
    peer: Peer,
    way: Way,
}

#[derive(Debug, Clone)]
enum Peer {
    Ipv4(Vec<String>),
    Ipv6(Vec<String>),
    Own,
    Group,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Block,
    Dynamic,
    Count,
    ForEach,
    Single,
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let ipv4 = (0_u8..4, 8_u8..=32).prop_map(|(n, length)| {
        let address = u32::from_be_bytes([10, n, 128, 1]) & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        format!("{}/{length}", std::net::Ipv4Addr::from(address))
    });
    let ipv6 = (0_u16..4).prop_map(|n| format!("2001:db8:{n:x}::/48"));
    let peer = prop_oneof![
        4 => prop::collection::btree_set(ipv4, 1..4).prop_map(|all| Peer::Ipv4(all.into_iter().collect())),
        2 => prop::collection::btree_set(ipv6, 1..3).prop_map(|all| Peer::Ipv6(all.into_iter().collect())),
        1 => Just(Peer::Own),
        1 => Just(Peer::Group),
    ];
    let way =
        prop_oneof![Just(Way::Block), Just(Way::Dynamic), Just(Way::Count), Just(Way::ForEach), Just(Way::Single)];
    let protocol = prop_oneof![Just("tcp"), Just("udp"), Just("17"), Just("icmp"), Just("-1")];
    let rule = (any::<bool>(), protocol, (1_u16..100, 0_u16..5), peer, way).prop_map(
        |(egress, protocol, (first, more), peer, way)| {
            let ports = match protocol {
                "-1" => (0, 0),
                "icmp" => (8, 0),
                _ => (first, first + more),
            };
            Rule { egress, protocol, ports, peer, way }
        },
    );
    prop::collection::vec(rule, 1..6)
}

impl Rule {
    fn direction(&self) -> &'static str {
        if self.egress { "egress" } else { "ingress" }
    }

    /// The argument that names the peers, for a block or for a resource of its own, and its value in the configuration and in
    /// the plan.
    fn peers(&self, alone: bool) -> (&'static str, String, Value) {
        let list = |all: &[String]| (json!(all).to_string(), json!(all));
        match &self.peer {
            Peer::Ipv4(all) => ("cidr_blocks", list(all).0, list(all).1),
            Peer::Ipv6(all) => ("ipv6_cidr_blocks", list(all).0, list(all).1),
            Peer::Own => ("self", "true".into(), json!(true)),
            Peer::Group if alone => ("source_security_group_id", "aws_security_group.db.id".into(), json!("sg-db")),
            Peer::Group => ("security_groups", "[aws_security_group.db.id]".into(), json!(["sg-db"])),
        }
    }

    fn arguments(&self, alone: bool) -> [(&'static str, String, Value); 4] {
        let (first, last) = self.ports;
        [
            ("protocol", json!(self.protocol).to_string(), json!(self.protocol)),
            ("from_port", first.to_string(), json!(first)),
            ("to_port", last.to_string(), json!(last)),
            self.peers(alone),
        ]
    }

    fn is_block(&self) -> bool {
        matches!(self.way, Way::Block | Way::Dynamic)
    }
}

/// The configuration, and the plan that makes it.
fn twins(rules: &[Rule]) -> (String, String) {
    let mut source = "resource \"aws_security_group\" \"db\" {\n  ingress = []\n  egress  = []\n}\n".to_owned();
    let (mut web, mut more) = (String::new(), String::new());
    let mut blocks: BTreeMap<&str, Vec<Value>> = BTreeMap::from([("ingress", Vec::new()), ("egress", Vec::new())]);
    let mut changes = Vec::new();
    let created = |address: &str, kind: &str, after: Value| {
        json!({"address": address, "mode": "managed", "type": kind,
            "change": {"actions": ["create"], "before": null, "after": after, "after_unknown": {}}})
    };
    for (n, rule) in rules.iter().enumerate() {
        let direction = rule.direction();
        let arguments = rule.arguments(!rule.is_block());
        let lines = |margin: &str, ports: [&str; 2]| -> String {
            arguments.iter().fold(String::new(), |mut out, (name, written, _)| {
                let value = match *name {
                    "from_port" if !ports[0].is_empty() => ports[0],
                    "to_port" if !ports[1].is_empty() => ports[1],
                    _ => written,
                };
                writeln!(out, "{margin}{name} = {value}").expect("writing to a String");
                out
            })
        };
        let planned: serde_json::Map<String, Value> =
            arguments.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())).collect();
        match rule.way {
            Way::Block => writeln!(web, "  {direction} {{\n{}  }}", lines("    ", ["", ""])),
            Way::Dynamic => {
                writeln!(more, "locals {{\n  ports_{n} = [{{ from = {}, to = {} }}]\n}}", rule.ports.0, rule.ports.1)
                    .expect("writing to a String");
                let ports = [format!("{direction}.value.from"), format!("{direction}.value[\"to\"]")];
                let body = lines("      ", [&ports[0], &ports[1]]);
                writeln!(web, "  dynamic \"{direction}\" {{\n    for_each = local.ports_{n}\n    content {{\n{body}    }}\n  }}")
            }
            Way::Count | Way::ForEach | Way::Single => {
                let (repeat, ports, address) = match rule.way {
                    Way::Count => ("  count = 1\n".to_owned(), String::new(), format!("aws_security_group_rule.r{n}[0]")),
                    Way::ForEach => {
                        let map = format!("  for_each = {{ only = {} }}\n", rule.ports.0);
                        (map, "each.value".to_owned(), format!("aws_security_group_rule.r{n}[\"only\"]"))
                    }
                    Way::Block | Way::Dynamic | Way::Single => (String::new(), String::new(), format!("aws_security_group_rule.r{n}")),
                };
                let mut after = planned.clone();
                after.insert("type".into(), json!(direction));
                after.insert("security_group_id".into(), json!("sg-web"));
                changes.push(created(&address, "aws_security_group_rule", Value::Object(after)));
                let body = lines("  ", [&ports, ""]);
                writeln!(
                    more,
                    "resource \"aws_security_group_rule\" \"r{n}\" {{\n{repeat}  type = \"{direction}\"\n  security_group_id = \
                     aws_security_group.web.id\n{body}}}"
                )
            }
        }
        .expect("writing to a String");
        if rule.is_block() {
            blocks.entry(direction).or_default().push(Value::Object(planned));
        }
    }
    for direction in ["ingress", "egress"] {
        // A list that a configuration does not give is whatever it was; a plan gives it.
        if blocks[direction].is_empty() {
            writeln!(web, "  {direction} = []").expect("writing to a String");
        }
    }
    write!(source, "resource \"aws_security_group\" \"web\" {{\n{web}}}\n{more}").expect("writing to a String");
    let group = |name: &str, ingress: &[Value], egress: &[Value]| {
        let after = json!({"id": format!("sg-{name}"), "ingress": ingress, "egress": egress});
        created(&format!("aws_security_group.{name}"), "aws_security_group", after)
    };
    changes.push(group("web", &blocks["ingress"], &blocks["egress"]));
    changes.push(group("db", &[], &[]));
    (source, json!({"format_version": "1.2", "resource_changes": changes}).to_string())
}

/// The rules of each chain, without their places; and the gaps.
fn model(name: &str, text: &str) -> (BTreeMap<String, BTreeSet<String>>, Vec<String>) {
    let mut sources = SourceMap::default();
    let file = sources.add(name.as_bytes(), text.into()).expect("small");
    let input = Input { name: "aws".into(), format: formats::format("terraform"), files: vec![file] };
    let mut store = Store::default();
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut store, None);
    let mut chains: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut chain = String::new();
    for line in describe(&snapshot, &[], &sources, &store).lines() {
        if let Some(rest) = line.strip_prefix("chain ") {
            chain = rest.split(" (").next().unwrap_or(rest).to_owned();
            chains.entry(chain.clone()).or_default();
        } else if let Some((_, rule)) = line.split_once("  accept  ") {
            chains.entry(chain.clone()).or_default().insert(rule.to_owned());
        }
    }
    (chains, snapshot.gaps().iter().map(|gap| gap.reason.to_string()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_configuration_and_its_plan_are_one_model(rules in rules()) {
        let (source, plan) = twins(&rules);
        let (configuration, planned) = (model("main.tf", &source), model("plan.json", &plan));
        prop_assert_eq!(&configuration.1, &Vec::<String>::new(), "{}", source);
        let told: usize = configuration.0.values().map(BTreeSet::len).sum();
        prop_assert!(told > 0, "{}", source);
        prop_assert_eq!(configuration, planned, "{}\n{}", source, plan);
    }
}
