//! Policies: what their fields say.
//!
//! Kubernetes API reference, "NetworkPolicy" (networking.k8s.io/v1); network-policy-api.sigs.k8s.io, "AdminNetworkPolicy",
//! "BaselineAdminNetworkPolicy" (v1alpha1) and "ClusterNetworkPolicy" (v1alpha2).

use super::fields::Fields;
use super::read::Meta;
use super::selector::{Selector, selector};
use super::syntax::{Namespaces, Peer, Pods, Policy, Rule, Service, Tier, Verdict};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::value::{Value, What};
use crate::net::{Family, Set, parse_address, parse_addresses};
use crate::text::escape;
use std::sync::Arc;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// A policy of a namespace.
pub(super) fn network(mut fields: Fields<'_>, meta: &Meta<'_>, account: &mut Account) -> Policy {
    let nothing = Value::new(What::Null, meta.at);
    let mut spec = Fields::of(fields.take("spec").unwrap_or(&nothing), account);
    fields.close(account);
    let subject = spec.take("podSelector");
    let subject_at = subject.map_or(meta.at, |subject| subject.at);
    let pods = selector(subject, account);
    let rules = |spec: &mut Fields<'_>, field, peers, account: &mut Account| -> Option<Vec<Rule>> {
        let rules = spec.list(field, account)?;
        Some(rules.iter().map(|rule| network_rule(rule, peers, &meta.namespace, account)).collect())
    };
    let ingress = rules(&mut spec, "ingress", "from", account);
    let egress = rules(&mut spec, "egress", "to", account);
    let types = spec.list("policyTypes", account);
    let (mut on_ingress, mut on_egress) = (false, false);
    for value in types.unwrap_or_default() {
        match value.text() {
            Some("Ingress") => on_ingress = true,
            Some("Egress") => on_egress = true,
            Some(_) | None => account.gap(value.at, "a policy type is `Ingress` or `Egress`"),
        }
    }
    // "If no policyTypes are specified on a NetworkPolicy then by default Ingress will always be set and Egress will be set
    // if the NetworkPolicy has any egress rules."
    if types.unwrap_or_default().is_empty() {
        (on_ingress, on_egress) = (true, egress.as_ref().is_some_and(|rules| !rules.is_empty()));
    }
    for (on, rules) in [(on_ingress, &ingress), (on_egress, &egress)] {
        for rule in rules.iter().flatten().filter(|_| !on) {
            account.claim(rule.at, Disposition::Inert("`policyTypes` does not name it"));
        }
    }
    spec.close(account);
    Policy {
        kind: "NetworkPolicy",
        address: format!("NetworkPolicy/{}/{}", escape(meta.namespace.as_bytes()), escape(meta.name.as_bytes())),
        tier: Tier::Namespaced,
        subject: Pods { namespaces: Namespaces::Named(Arc::clone(&meta.namespace)), pods },
        subject_at,
        ingress: on_ingress.then(|| ingress.unwrap_or_default()),
        egress: on_egress.then(|| egress.unwrap_or_default()),
        owner: meta.labels.get("owner").map(|owner| escape(owner.as_bytes())),
        at: meta.at,
    }
}

/// "If this field is empty or missing, this rule matches all" peers, and all ports likewise.
fn network_rule(value: &Value, peers: &'static str, namespace: &Arc<str>, account: &mut Account) -> Rule {
    let mut fields = Fields::of(value, account);
    let mut some = None;
    for peer in fields.list(peers, account).unwrap_or_default() {
        some.get_or_insert_with(Vec::new).extend(network_peer(peer, namespace, account));
    }
    let mut services = None;
    for port in fields.list("ports", account).unwrap_or_default() {
        services.get_or_insert_with(Vec::new).extend(network_port(port, account));
    }
    fields.close(account);
    Rule { verdict: Verdict::Allow, peers: some, services, at: value.at }
}

fn network_peer(value: &Value, namespace: &Arc<str>, account: &mut Account) -> Vec<Peer> {
    let mut fields = Fields::of(value, account);
    let block = fields.take("ipBlock");
    let namespaces = fields.take("namespaceSelector");
    let pods = fields.take("podSelector");
    fields.close(account);
    match (block, namespaces, pods) {
        (Some(block), None, None) => ip_block(block, account),
        (None, Some(_), _) | (None, None, Some(_)) => {
            let namespaces = match namespaces {
                Some(value) => Namespaces::With(Selector::read(value, account)),
                // "Otherwise it selects the Pods matching podSelector in the policy's own Namespace."
                None => Namespaces::Named(Arc::clone(namespace)),
            };
            vec![Peer::Pods(Pods { namespaces, pods: selector(pods, account) }, value.at)]
        }
        (Some(_), _, _) | (None, None, None) => {
            account.gap(value.at, "a peer is an `ipBlock`, or has a `namespaceSelector`, a `podSelector` or both");
            Vec::new()
        }
    }
}

fn ip_block(value: &Value, account: &mut Account) -> Vec<Peer> {
    let mut fields = Fields::of(value, account);
    let block = fields.take("cidr").and_then(|value| cidr(value, account));
    let mut except = Vec::new();
    for value in fields.list("except", account).unwrap_or_default() {
        except.extend(cidr(value, account).map(|found| (found, value.at)));
    }
    let at = fields.at();
    fields.close(account);
    let Some((family, mut set)) = block else {
        account.gap(at, "a block has a `cidr`");
        return Vec::new();
    };
    let whole = set.clone();
    for ((other, part), at) in except {
        // "Except values will be rejected if they are outside the cidr range."
        if other != family || !whole.includes(&part) || part == whole {
            account.gap(at, "what is excepted is a part of the block");
        } else {
            set = set.difference(&part);
        }
    }
    vec![Peer::Block(family, set)]
}

/// A prefix as Go's `net.ParseCIDR` takes it: no zeros in front, and a length.
fn cidr(value: &Value, account: &mut Account) -> Option<(Family, Set)> {
    let found = value.text().and_then(|text| {
        let (address, length) = text.split_once('/')?;
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        parse_address(address)?;
        parse_addresses(text).filter(|_| digits && (length == "0" || !length.starts_with('0')))
    });
    if found.is_none() {
        account.gap(value.at, "a prefix is expected, as `10.0.0.0/8`");
    }
    found
}

/// "If not specified, this field defaults to TCP."
pub(super) fn protocol(fields: &mut Fields<'_>, account: &mut Account) -> u8 {
    match fields.take("protocol") {
        None => TCP,
        Some(value) => named_protocol(value, account).unwrap_or(TCP),
    }
}

fn named_protocol(value: &Value, account: &mut Account) -> Option<u8> {
    let found = match value.text() {
        Some("TCP") => Some(TCP),
        Some("UDP") => Some(UDP),
        Some("SCTP") => Some(SCTP),
        Some(_) | None => None,
    };
    if found.is_none() {
        account.gap(value.at, "a protocol is `TCP`, `UDP` or `SCTP`");
    }
    found
}

fn network_port(value: &Value, account: &mut Account) -> Option<Service> {
    let mut fields = Fields::of(value, account);
    let protocol = protocol(&mut fields, account);
    let port = fields.take("port");
    let end = fields.number("endPort", 1..=65535, account);
    fields.close(account);
    match port.map(|port| (port, &port.what)) {
        // "If this field is not provided, this matches all port names and numbers."
        None => {
            if end.is_some() {
                account.gap(value.at, "`endPort` needs a `port` that is a number");
            }
            Some(Service::Ports(protocol, ports(0, 65535)))
        }
        Some((port, What::Text(name))) => {
            if end.is_some() || !is_port_name(name) {
                account.gap(port.at, "the name of a port is expected, or a number and maybe `endPort`");
                return None;
            }
            Some(Service::Named(Arc::clone(name), Some(protocol), port.at))
        }
        Some((port, what)) => {
            let number = if let What::Number(number) = what { number.integer() } else { None };
            match number.filter(|number| (1..=65535).contains(number)) {
                Some(first) if end.is_none_or(|end| end >= first) => {
                    Some(Service::Ports(protocol, ports(first, end.unwrap_or(first))))
                }
                Some(_) => {
                    account.gap(value.at, "`endPort` is not below `port`");
                    None
                }
                None => {
                    account.gap(port.at, "a port is a number from 1 to 65535, or a name");
                    None
                }
            }
        }
    }
}

fn ports(first: i128, last: i128) -> Set {
    let port = |number: i128| u128::try_from(number).expect("ports are not negative");
    Set::range(port(first), port(last))
}

/// RFC 6335: at most 15 lowercase letters, digits and dashes, one a letter.
pub(super) fn is_port_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// A policy of the whole cluster. `None`: which it is cannot be told.
pub(super) fn cluster_wide(
    kind: &str,
    mut fields: Fields<'_>,
    meta: &Meta<'_>,
    account: &mut Account,
) -> Option<Policy> {
    let nothing = Value::new(What::Null, meta.at);
    let mut spec = Fields::of(fields.take("spec").unwrap_or(&nothing), account);
    fields.close(account);
    let (kind, tier) = match kind {
        "AdminNetworkPolicy" => ("AdminNetworkPolicy", priority(&mut spec, account).map(Tier::Admin)),
        "BaselineAdminNetworkPolicy" => {
            // "BaselineAdminNetworkPolicy … is a singleton: its name must be `default`."
            if &*meta.name != "default" {
                account.gap(meta.at, "the baseline policy is called `default`; others are refused");
            }
            ("BaselineAdminNetworkPolicy", Some(Tier::Baseline(0)))
        }
        _ => {
            let tier = spec.text("tier", account);
            let priority = priority(&mut spec, account);
            let tier = match (tier, priority) {
                (Some("Admin"), Some(priority)) => Some(Tier::Admin(priority)),
                (Some("Baseline"), Some(priority)) => Some(Tier::Baseline(priority)),
                (Some(_) | None, _) => None,
            };
            ("ClusterNetworkPolicy", tier)
        }
    };
    let subject = spec.take("subject").and_then(|value| cluster_pods(value, account));
    let is_baseline = matches!(tier, Some(Tier::Baseline(_)));
    let allow = if kind == "ClusterNetworkPolicy" { "Accept" } else { "Allow" };
    let rules = |spec: &mut Fields<'_>, field, peers, account: &mut Account| -> Vec<Rule> {
        let rules = spec.list(field, account).unwrap_or_default();
        rules.iter().filter_map(|rule| cluster_rule(rule, peers, (allow, is_baseline), account)).collect()
    };
    let ingress = rules(&mut spec, "ingress", "from", account);
    let egress = rules(&mut spec, "egress", "to", account);
    spec.close(account);
    let (Some(tier), Some(subject)) = (tier, subject) else {
        account.gap(meta.at, "it does not say for which pods it is, or when it is asked");
        return None;
    };
    Some(Policy {
        kind,
        address: format!("{kind}/{}", escape(meta.name.as_bytes())),
        tier,
        subject,
        subject_at: meta.at,
        ingress: Some(ingress),
        egress: Some(egress),
        owner: meta.labels.get("owner").map(|owner| escape(owner.as_bytes())),
        at: meta.at,
    })
}

fn priority(spec: &mut Fields<'_>, account: &mut Account) -> Option<i128> {
    spec.number("priority", 0..=1000, account)
}

/// `namespaces`, a selector of these; or `pods`, with one of namespaces and one of pods.
fn cluster_pods(value: &Value, account: &mut Account) -> Option<Pods> {
    let mut fields = Fields::of(value, account);
    let namespaces = fields.take("namespaces");
    let pods = fields.take("pods");
    fields.close(account);
    match (namespaces, pods) {
        (Some(namespaces), None) => {
            let namespaces = Namespaces::With(Selector::read(namespaces, account));
            Some(Pods { namespaces, pods: Selector::default() })
        }
        (None, Some(pods)) => {
            let mut fields = Fields::of(pods, account);
            let namespaces = selector(fields.take("namespaceSelector"), account);
            let pods = selector(fields.take("podSelector"), account);
            fields.close(account);
            Some(Pods { namespaces: Namespaces::With(namespaces), pods })
        }
        (Some(_), Some(_)) | (None, None) => {
            account.gap(value.at, "either `namespaces` or `pods` is expected");
            None
        }
    }
}

fn cluster_rule(
    value: &Value,
    peers: &'static str,
    (allow, is_baseline): (&str, bool),
    account: &mut Account,
) -> Option<Rule> {
    let mut fields = Fields::of(value, account);
    fields.inert("name", "a name", account);
    let verdict = match fields.text("action", account) {
        Some(action) if action == allow => Some(Verdict::Allow),
        Some("Deny") => Some(Verdict::Deny),
        Some("Pass") if !is_baseline => Some(Verdict::Pass),
        Some(_) | None => None,
    };
    let mut some = Vec::new();
    let listed = fields.list(peers, account).unwrap_or_default();
    for peer in listed {
        some.extend(cluster_peer(peer, peers == "to", account));
    }
    if listed.is_empty() {
        account.gap(value.at, format!("a rule has at least one peer in `{peers}`"));
    }
    let mut services = None;
    for port in fields.list("ports", account).unwrap_or_default() {
        services.get_or_insert_with(Vec::new).extend(cluster_port(port, account));
    }
    for port in fields.list("protocols", account).unwrap_or_default() {
        services.get_or_insert_with(Vec::new).extend(cluster_protocol(port, account));
    }
    fields.close(account);
    let Some(verdict) = verdict else {
        account
            .gap(value.at, "an action is expected: `Allow` (`Accept`), `Deny`, or `Pass` where other policies follow");
        return None;
    };
    Some(Rule { verdict, peers: Some(some), services, at: value.at })
}

fn cluster_peer(value: &Value, is_egress: bool, account: &mut Account) -> Vec<Peer> {
    let Some(object) = value.object() else {
        account.gap(value.at, "a peer is expected");
        return Vec::new();
    };
    let only = object.entries.iter().find(|entry| !entry.value.is_null()).map(|entry| &*entry.name);
    let mut fields = Fields::of(value, account);
    match only {
        Some("networks") if is_egress => {
            let mut blocks = Vec::new();
            for value in fields.list("networks", account).unwrap_or_default() {
                blocks.extend(cidr(value, account).map(|(family, set)| Peer::Block(family, set)));
            }
            fields.close(account);
            blocks
        }
        Some("nodes") if is_egress => {
            let nodes = selector(fields.take("nodes"), account);
            fields.close(account);
            vec![Peer::If(if nodes.is_empty() { "a node".to_owned() } else { format!("a node with {nodes}") })]
        }
        Some("domainNames") if is_egress => {
            let mut names = Vec::new();
            for value in fields.list("domainNames", account).unwrap_or_default() {
                match value.text() {
                    Some(name) => names.push(Peer::If(format!("an address of {}", escape(name.as_bytes())))),
                    None => account.gap(value.at, "the name of a domain is expected"),
                }
            }
            fields.close(account);
            names
        }
        Some(_) | None => cluster_pods(value, account).map(|pods| Peer::Pods(pods, value.at)).into_iter().collect(),
    }
}

/// One port of an AdminNetworkPolicy: `portNumber`, `portRange` or `namedPort`.
fn cluster_port(value: &Value, account: &mut Account) -> Option<Service> {
    let mut fields = Fields::of(value, account);
    let (number, range) = (fields.take("portNumber"), fields.take("portRange"));
    let named = fields.take("namedPort");
    fields.close(account);
    match (number, range, named) {
        (Some(value), None, None) => {
            let mut fields = Fields::of(value, account);
            let protocol = protocol(&mut fields, account);
            let port = fields.number("port", 1..=65535, account);
            fields.close(account);
            port.map(|port| Service::Ports(protocol, ports(port, port)))
        }
        (None, Some(value), None) => {
            let mut fields = Fields::of(value, account);
            let protocol = protocol(&mut fields, account);
            let found = bounds(&mut fields, account);
            fields.close(account);
            found.map(|set| Service::Ports(protocol, set))
        }
        (None, None, Some(value)) => port_name(value, account),
        _ => {
            account.gap(value.at, "either `portNumber`, `portRange` or `namedPort` is expected");
            None
        }
    }
}

fn port_name(value: &Value, account: &mut Account) -> Option<Service> {
    match value.text().filter(|name| is_port_name(name)) {
        Some(name) => Some(Service::Named(name.into(), None, value.at)),
        None => {
            account.gap(value.at, "the name of a port is expected");
            None
        }
    }
}

fn bounds(fields: &mut Fields<'_>, account: &mut Account) -> Option<Set> {
    let first = fields.number("start", 1..=65535, account);
    let last = fields.number("end", 1..=65535, account);
    match (first, last) {
        (Some(first), Some(last)) if first <= last => Some(ports(first, last)),
        (Some(_) | None, Some(_) | None) => {
            account.gap(fields.at(), "a range of ports has a `start`, and an `end` that is not below it");
            None
        }
    }
}

/// One protocol of a ClusterNetworkPolicy: `tcp`, `udp` or `sctp` with a `destinationPort`, or `destinationNamedPort`.
fn cluster_protocol(value: &Value, account: &mut Account) -> Option<Service> {
    let mut fields = Fields::of(value, account);
    let named = fields.take("destinationNamedPort");
    let mut found = Vec::new();
    for (field, protocol) in [("tcp", TCP), ("udp", UDP), ("sctp", SCTP)] {
        if let Some(value) = fields.take_null(field) {
            found.push((protocol, value));
        }
    }
    fields.close(account);
    match (found.as_slice(), named) {
        ([], Some(name)) => port_name(name, account),
        ([(protocol, value)], None) => {
            let mut fields = Fields::of(value, account);
            let port = fields.take("destinationPort");
            fields.close(account);
            let Some(port) = port else { return Some(Service::Ports(*protocol, ports(0, 65535))) };
            let mut fields = Fields::of(port, account);
            let number = fields.number("number", 1..=65535, account);
            let range = fields.take("range");
            fields.close(account);
            match (number, range) {
                (Some(number), None) => Some(Service::Ports(*protocol, ports(number, number))),
                (None, Some(range)) => {
                    let mut fields = Fields::of(range, account);
                    let set = bounds(&mut fields, account);
                    fields.close(account);
                    set.map(|set| Service::Ports(*protocol, set))
                }
                (Some(_), Some(_)) | (None, None) => {
                    account.gap(port.at, "either `number` or `range` is expected");
                    None
                }
            }
        }
        (_, _) => {
            account.gap(value.at, "one protocol is expected, or `destinationNamedPort`");
            None
        }
    }
}

/// What a policy says of itself, without its rules, which are in the filters of the pods that it selects.
pub(super) fn content(policy: &Policy) -> String {
    let Policy { kind: _, address: _, tier, subject, subject_at: _, ingress, egress, owner: _, at: _ } = policy;
    let tier = match tier {
        Tier::Admin(priority) => format!("admin, priority {priority}; "),
        Tier::Namespaced => String::new(),
        Tier::Baseline(priority) => format!("baseline, priority {priority}; "),
    };
    let about = |rules: &Option<Vec<Rule>>, name| if rules.is_some() { name } else { "" };
    format!("{tier}{subject}{}{}", about(ingress, "; ingress"), about(egress, "; egress"))
}
