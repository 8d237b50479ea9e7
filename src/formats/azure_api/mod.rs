//! What Azure tells of network security groups: the answers of its interface (`{"value": […]}`, or one group), and the lists of
//! `az network nsg list` and `show`, in which the properties stand beside the names.
//!
//! Azure REST API, "Network Security Groups". Each group becomes the resource that Terraform would describe it by.

use super::account::Account;
use super::cloud::{self, Instance};
use super::data::value::{Entry as Named, Value};
use super::data::{Json, Keys, Kind, Node, Object, value_of};
use super::{Disposition, Format, Reading};
use crate::text::{SourceId, Span};
use std::collections::BTreeSet;

pub(super) static FORMAT: AzureApi = AzureApi;

pub(super) struct AzureApi;

const KIND: &str = "azurerm_network_security_group";
/// What the interface calls the type of a group.
const TYPE: &str = "Microsoft.Network/networkSecurityGroups";
/// What is told of everything.
const ABOUT: &[&str] = &["id", "etag", "type", "provisioningState", "resourceGuid", "resourceGroup"];
/// What is told of a group beside its rules.
const AROUND: &[&str] = &["flowLogs", "flushConnection"];
/// What a group stands before, and how that is called as an argument.
const HOSTS: &[(&str, &str)] = &[("networkInterfaces", "network_interfaces"), ("subnets", "subnets")];

/// The properties of a rule, and the arguments of Terraform that they are.
const RULE: &[(&str, &str)] = &[
    ("access", "access"),
    ("description", "description"),
    ("destinationAddressPrefix", "destination_address_prefix"),
    ("destinationAddressPrefixes", "destination_address_prefixes"),
    ("destinationPortRange", "destination_port_range"),
    ("destinationPortRanges", "destination_port_ranges"),
    ("direction", "direction"),
    ("name", "name"),
    ("priority", "priority"),
    ("protocol", "protocol"),
    ("sourceAddressPrefix", "source_address_prefix"),
    ("sourceAddressPrefixes", "source_address_prefixes"),
    ("sourcePortRange", "source_port_range"),
    ("sourcePortRanges", "source_port_ranges"),
];

/// Lists of groups that a rule names, each an object with an `id`.
const GROUPS: &[(&str, &str)] = &[
    ("destinationApplicationSecurityGroups", "destination_application_security_group_ids"),
    ("sourceApplicationSecurityGroups", "source_application_security_group_ids"),
];

/// "Default security rules": they are in every group, and cannot be changed.
const DEFAULTS: &[(&str, u64, &str, &str)] = &[
    ("AllowVnetInBound", 65000, "Allow", "Inbound"),
    ("AllowAzureLoadBalancerInBound", 65001, "Allow", "Inbound"),
    ("DenyAllInBound", 65500, "Deny", "Inbound"),
    ("AllowVnetOutBound", 65000, "Allow", "Outbound"),
    ("AllowInternetOutBound", 65001, "Allow", "Outbound"),
    ("DenyAllOutBound", 65500, "Deny", "Outbound"),
];

impl Format for AzureApi {
    fn id(&self) -> &'static str {
        "azure-api"
    }

    fn recognises(&self, _name: &str, text: &[u8]) -> bool {
        let has = |word: &str| memchr::memmem::find(text, format!("\"{word}\"").as_bytes()).is_some();
        matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
            && has(TYPE)
            && has("securityRules")
            && !has("format_version")
            && !has("$schema")
    }

    fn read(&self, reading: &mut Reading<'_>) {
        let (mut account, mut instances) = (Account::default(), Vec::new());
        for file in reading.files() {
            let text = reading.text(*file);
            let whole = Span { source: *file, start: 0, end: super::end_of(text) };
            account.claim(whole, Disposition::Modelled);
            match Json::read(text) {
                Err(refused) => {
                    let at = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
                    let span = Span { source: *file, start: at(refused.at.start), end: at(refused.at.end) };
                    account.gap(span, format!("not JSON: {}", refused.reason));
                }
                Ok(json) => {
                    let (account, instances) = (&mut account, &mut instances);
                    Reader { source: *file, account, instances }.document(json.root());
                }
            }
        }
        let mut listed = BTreeSet::new();
        for one in &instances {
            if !listed.insert(&one.address) {
                account.gap(one.origin, "a group of that name is listed already");
            }
        }
        cloud::lower(&instances, reading, &mut account);
        account.close(reading);
    }
}

struct Reader<'a> {
    source: SourceId,
    account: &'a mut Account,
    instances: &'a mut Vec<Instance>,
}

impl Reader<'_> {
    fn document(&mut self, root: Node<'_>) {
        if let Some(items) = root.list() {
            return items.for_each(|item| self.group(item));
        }
        match root.object().map(|mut page| page.take("value").is_some()) {
            Some(true) => self.page(root),
            Some(false) => self.group(root),
            None => self.gap(root, "a group or a list of groups is expected"),
        }
    }

    /// "NetworkSecurityGroupListResult": "nextLink - the URL to get the next set of results".
    fn page(&mut self, root: Node<'_>) {
        let Some(mut page) = root.object() else { return };
        if let Some(next) = page.take_entry("nextLink") {
            if next.value.kind() == Kind::Null || next.value.text() == Some("") {
                self.inert(&next, "it is the last page");
            } else {
                self.gap(next.value, "the list goes on in another page, which is not here");
            }
        }
        match page.take("value").map(|value| (value, value.list())) {
            Some((_, Some(items))) => items.for_each(|item| self.group(item)),
            Some((value, None)) => self.gap(value, "a list is expected"),
            None => {}
        }
        self.close(page);
    }

    fn group(&mut self, node: Node<'_>) {
        let Some(mut group) = self.open(node) else { return };
        let kind = group.take_entry("type");
        match kind.as_ref().map(|entry| entry.value.text()) {
            Some(Some(TYPE)) => kind.iter().for_each(|entry| self.inert(entry, "what it is")),
            Some(_) | None => return self.gap(node, format!("it is not of the type {TYPE}")),
        }
        let called = group.take("name").and_then(|name| Some((name, name.text()?)));
        let Some((name_node, name)) = called else { return self.gap(node, "it has no name") };
        let mut body = vec![self.named("name", Value::of_text(name, self.span(name_node)))];
        body.extend(group.take("tags").map(|tags| self.named("tags", value_of(self.source, tags))));
        self.inert_keys(&mut group, &["location"], "not about packets");
        self.inert_keys(&mut group, ABOUT, "not about packets");
        let mut properties = match group.take("properties") {
            Some(properties) => {
                self.close(group);
                let Some(properties) = self.open(properties) else { return };
                properties
            }
            None => group,
        };
        let rules = properties.take("securityRules");
        match rules.and_then(Node::list) {
            Some(items) => {
                let at = rules.map_or(node, |rules| rules);
                let blocks = items.map(|item| self.rule(item)).collect();
                body.push(self.named("security_rule", Value::of_list(blocks, self.span(at))));
            }
            None => self.gap(node, "it has no list of `securityRules`: the answer is not whole"),
        }
        if let Some(rules) = properties.take("defaultSecurityRules") {
            rules.list().into_iter().flatten().for_each(|rule| self.default_rule(rule));
        }
        for (property, argument) in HOSTS {
            let Some(hosts) = properties.take(property).filter(|hosts| hosts.kind() != Kind::Null) else { continue };
            let ids = hosts.list().into_iter().flatten().filter_map(|host| self.host(host)).collect();
            body.push(self.named(argument, Value::of_list(ids, self.span(hosts))));
        }
        self.inert_keys(&mut properties, ABOUT, "not about packets");
        self.inert_keys(&mut properties, AROUND, "which hosts it is for");
        self.close(properties);
        let origin = self.span(node);
        self.instances.push(Instance {
            kind: KIND.into(),
            address: format!("{KIND}.{name}").into(),
            body: Value::of_entries(body, origin),
            origin,
            existence: None,
        });
    }

    /// "SecurityRule", its properties in an object of their own or beside its name.
    fn rule(&mut self, node: Node<'_>) -> Value {
        let mut body = Vec::new();
        for mut part in self.parts(node) {
            for (property, argument) in RULE {
                body.extend(part.take(property).map(|node| self.named(argument, value_of(self.source, node))));
            }
            for (property, argument) in GROUPS {
                let Some(groups) = part.take(property) else { continue };
                let ids = groups.list().into_iter().flatten().filter_map(|group| self.id(group)).collect();
                body.push(self.named(argument, Value::of_list(ids, self.span(groups))));
            }
            self.inert_keys(&mut part, ABOUT, "not about packets");
            self.close(part);
        }
        Value::of_entries(body, self.span(node))
    }

    /// What a group stands before, of which only the id is told unless more is asked for.
    fn host(&mut self, node: Node<'_>) -> Option<Value> {
        let mut host = self.open(node)?;
        let id = host.take("id").map(|id| value_of(self.source, id));
        for entry in host.close() {
            self.inert(&entry, "about the host, which its id tells");
        }
        if id.is_none() {
            self.gap(node, "it has no `id`");
        }
        id
    }

    fn id(&mut self, node: Node<'_>) -> Option<Value> {
        let mut group = self.open(node)?;
        let id = group.take("id").map(|id| value_of(self.source, id));
        self.inert_keys(&mut group, &["resourceGroup", "location"], "about the group, which its id tells");
        self.close(group);
        if id.is_none() {
            self.gap(node, "it has no `id`");
        }
        id
    }

    /// The object of a node, and that of its properties.
    fn parts<'j>(&mut self, node: Node<'j>) -> Vec<Object<'j>> {
        let Some(mut object) = self.open(node) else { return Vec::new() };
        let properties = object.take("properties").and_then(|properties| self.open(properties));
        [Some(object), properties].into_iter().flatten().collect()
    }

    /// One that every group has, as every group has it.
    fn default_rule(&mut self, node: Node<'_>) {
        let (mut words, mut number) = ([None; 3], None);
        for part in &mut self.parts(node) {
            for (word, key) in words.iter_mut().zip(["name", "access", "direction"]) {
                *word = word.or(part.take(key).and_then(Node::text));
            }
            number = number.or(part.take("priority").and_then(Node::natural));
        }
        let [name, access, direction] = words;
        let known = DEFAULTS.iter().any(|(known, priority, verb, way)| {
            name.is_some_and(|name| name.eq_ignore_ascii_case(known))
                && (number, access, direction) == (Some(*priority), Some(*verb), Some(*way))
        });
        if known {
            self.account.claim(self.span(node), Disposition::Inert("a rule that every group has"));
        } else {
            self.gap(node, "not one of the rules that every group has");
        }
    }

    fn open<'j>(&mut self, node: Node<'j>) -> Option<Object<'j>> {
        let object = node.object();
        if object.is_none() {
            self.gap(node, "an object is expected");
        }
        object
    }

    fn named(&self, name: &str, value: Value) -> Named {
        let at = value.at;
        Named { name: name.into(), at: Span { end: at.start, ..at }, value }
    }
}

impl Keys for Reader<'_> {
    fn source(&self) -> SourceId {
        self.source
    }

    fn account(&mut self) -> &mut Account {
        self.account
    }
}
