//! What `aws ec2` prints of security groups and network ACLs: `describe-security-groups`, `describe-security-group-rules`,
//! `describe-network-acls` and `describe-prefix-lists`, as JSON.
//!
//! Amazon EC2 API, `SecurityGroup`, `IpPermission`, `SecurityGroupRule`, `NetworkAcl`, `PrefixList`. Each becomes the
//! resources that Terraform would describe it by, so that a dump and a configuration mean the same.

mod acl;
mod group;

use super::account::Account;
use super::cloud::{self, Instance};
use super::data::value::{Entry as Named, Value};
use super::data::{Entry, Json, Keys, Kind, Node, Object, value_of};
use super::{Disposition, Format, Reading};
use crate::model::Reference;
use crate::text::{SourceId, Span, escape};
use std::collections::BTreeSet;

pub(super) static FORMAT: AwsApi = AwsApi;

pub(super) struct AwsApi;

/// The lists that are read.
const LISTS: &[&str] = &["SecurityGroups", "SecurityGroupRules", "NetworkAcls", "PrefixLists"];
/// Those of load balancers, which are not.
const BALANCERS: &[&str] = &[
    "LoadBalancers",
    "LoadBalancerDescriptions",
    "LoadBalancerListeners",
    "LoadBalancerTargetHealth",
    "TargetGroups",
    "Listeners",
];

impl Format for AwsApi {
    fn id(&self) -> &'static str {
        "aws-api"
    }

    fn recognises(&self, _name: &str, text: &[u8]) -> bool {
        let has = |word: &str| memchr::memmem::find(text, format!("\"{word}\"").as_bytes()).is_some();
        let lists =
            [("SecurityGroups", "IpPermissions"), ("SecurityGroupRules", "IsEgress"), ("NetworkAcls", "Entries")];
        text.trim_ascii_start().first() == Some(&b'{')
            && lists.iter().any(|(list, part)| has(list) && has(part))
            && !has("format_version")
            && !has("AWSTemplateFormatVersion")
    }

    fn read(&self, reading: &mut Reading<'_>) {
        let mut account = Account::default();
        let (mut instances, mut referred) = (Vec::new(), Vec::new());
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
                    let (account, instances, referred) = (&mut account, &mut instances, &mut referred);
                    Reader { source: *file, account, instances, referred }.document(json.root());
                }
            }
        }
        let mut listed = BTreeSet::new();
        for one in &instances {
            if !listed.insert(&one.address) {
                account.gap(one.origin, "it is listed already");
            }
        }
        reading.configuration.undefined.extend(undefined(&instances, &referred));
        cloud::lower(&instances, reading, &mut account);
        account.close(reading);
    }
}

/// A group that a rule names as its peer.
struct Referred {
    id: String,
    at: Span,
    /// The account of the group that has the rule, and that of the peer.
    of: Option<String>,
    user: Option<String>,
    /// Whether it is in another VPC.
    elsewhere: bool,
}

/// The groups that rules name and a list of the groups of their account does not have.
fn undefined(instances: &[Instance], referred: &[Referred]) -> Vec<Reference> {
    const GROUP: &str = "aws_security_group";
    let groups: BTreeSet<&str> = instances
        .iter()
        .filter(|instance| &*instance.kind == GROUP)
        .filter_map(|instance| instance.body.object()?.get("id")?.text())
        .collect();
    let missing = referred.iter().filter(|Referred { id, at: _, of, user, elsewhere }| {
        let foreign = *elsewhere || matches!((of, user), (Some(of), Some(user)) if of != user);
        !groups.is_empty() && !foreign && !groups.contains(&**id)
    });
    missing
        .map(|Referred { id, at, .. }| Reference {
            kind: GROUP,
            address: format!("{GROUP}.{}", escape(id.as_bytes())),
            origin: *at,
        })
        .collect()
}

/// What answers are made of.
struct Reader<'a> {
    source: SourceId,
    account: &'a mut Account,
    instances: &'a mut Vec<Instance>,
    referred: &'a mut Vec<Referred>,
}

impl Reader<'_> {
    fn document(&mut self, root: Node<'_>) {
        let Some(mut document) = root.object() else { return self.gap(root, "an object with a list is expected") };
        // As the recorded answers of programs have it: `{"status_code": 200, "data": {…}}`.
        if let Some(entry) = document.take_entry("status_code") {
            if entry.value.natural() == Some(200) {
                self.inert(&entry, "the answer is whole");
            } else {
                self.gap(entry.value, "the answer is that of a request that failed");
            }
            if let Some(data) = document.take("data") {
                self.document(data);
            }
        }
        for key in ["ResponseMetadata", "ServiceCode"] {
            if let Some(entry) = document.take_entry(key) {
                self.inert(&entry, "about the answer, not in it");
            }
        }
        // "NextToken … the token to include in another request to get the next page".
        if let Some(entry) = document.take_entry("NextToken") {
            match entry.value.text() {
                Some("") => self.inert(&entry, "it is the last page"),
                _ if entry.value.kind() == Kind::Null => self.inert(&entry, "it is the last page"),
                _ => self.gap(entry.value, "the list goes on in another page, which is not here"),
            }
        }
        for list in LISTS {
            let Some(entry) = document.take_entry(list) else { continue };
            let Some(items) = entry.value.list() else {
                self.gap(entry.value, "a list is expected");
                continue;
            };
            for item in items {
                match *list {
                    "SecurityGroups" => self.group(item),
                    "SecurityGroupRules" => self.rule(item),
                    "NetworkAcls" => self.acl(item),
                    _ => self.prefix_list(item),
                }
            }
        }
        for entry in document.close() {
            let name = escape(entry.name.as_bytes());
            if BALANCERS.contains(&entry.name) {
                self.gap(entry.key, format!("`{name}` are of load balancers, which are not read yet"));
            } else {
                self.gap(entry.key, format!("the key `{name}` is not known here"));
            }
        }
    }

    /// `describe-prefix-lists`: "Cidrs - The IP address range of the AWS service".
    fn prefix_list(&mut self, node: Node<'_>) {
        let Some((mut list, id)) = self.opened(node, "PrefixListId") else { return };
        let entries =
            self.values(list.take_entry("Cidrs"), |reader, node| reader.object(node, vec![reader.named("cidr", node)]));
        let name = list.take("PrefixListName").map(|node| self.named("name", node));
        self.close(list);
        let body = [Some(self.entry("entry", node, entries)), name].into_iter().flatten().collect();
        self.instance("aws_ec2_managed_prefix_list", &id, node, body);
    }

    /// The object of a node, and the text by which it is called.
    fn opened<'j>(&mut self, node: Node<'j>, id: &str) -> Option<(Object<'j>, String)> {
        let mut object = self.open(node)?;
        match object.take(id).and_then(Node::text) {
            Some(id) => Some((object, id.to_owned())),
            None => {
                self.gap(node, format!("it has no `{id}`"));
                None
            }
        }
    }

    fn open<'j>(&mut self, node: Node<'j>) -> Option<Object<'j>> {
        let object = node.object();
        if object.is_none() {
            self.gap(node, "an object is expected");
        }
        object
    }

    /// The items of a list, each turned into a value.
    fn values<'j>(
        &mut self,
        entry: Option<Entry<'j>>,
        mut one: impl FnMut(&mut Self, Node<'j>) -> Value,
    ) -> Vec<Value> {
        let Some(entry) = entry else { return Vec::new() };
        let Some(items) = entry.value.list() else {
            self.gap(entry.value, "a list is expected");
            return Vec::new();
        };
        let items: Vec<Value> = items.map(|item| one(self, item)).collect();
        if items.is_empty() {
            self.inert(&entry, "it says nothing");
        }
        items
    }

    fn instance(&mut self, kind: &str, id: &str, node: Node<'_>, mut body: Vec<Named>) {
        let at = self.span(node);
        body.push(Named { name: "id".into(), at, value: Value::of_text(id, at) });
        let address = format!("{kind}.{id}");
        self.instances.push(Instance {
            kind: kind.into(),
            address: address.into(),
            body: Value::of_entries(body, at),
            origin: at,
            existence: None,
        });
    }

    fn object(&self, node: Node<'_>, entries: Vec<Named>) -> Value {
        Value::of_entries(entries, self.span(node))
    }

    fn entry(&self, name: &str, node: Node<'_>, items: Vec<Value>) -> Named {
        let at = self.span(node);
        Named { name: name.into(), at: Span { end: at.start, ..at }, value: Value::of_list(items, at) }
    }

    fn named(&self, name: &str, node: Node<'_>) -> Named {
        let value = value_of(self.source, node);
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
