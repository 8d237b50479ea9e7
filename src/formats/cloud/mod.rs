//! What the resources of cloud providers do to packets: security groups, network ACLs and firewalls, whatever notation
//! they were written in.
//!
//! One file a provider. Each meaning is that of the provider's documentation, which is named where it is used. Knows
//! nothing of notations: a reader hands over [`Instance`]s with evaluated arguments, and an [`Account`] for what became
//! of those.

mod attributes;
mod aws;
mod azure;
mod balance;
mod cloudfoundry;
mod content;
mod digitalocean;
mod exoscale;
mod google;
mod hetzner;
mod kinds;
mod line;
mod openstack;
mod points;
mod scaleway;
mod words;

use super::account::Account;
use super::data::value::Value;
use super::{Disposition, Reading};
use crate::model::{Object, Reference, Store};
use crate::text::{Span, escape};
use attributes::{Known, text_of};
use balance::Balancers;
use line::{Condition, Line, Peer};
use points::{Direction, Manner, Points};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A resource with its arguments, after everything in them that can be computed was.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    /// Its type: `aws_security_group`.
    pub(super) kind: Arc<str>,
    /// Its full address: `module.edge.aws_security_group.web["a"]`. Not escaped.
    pub(super) address: Arc<str>,
    /// Its arguments: an object.
    pub(super) body: Value,
    /// Where it is declared.
    pub(super) origin: Span,
    /// `None`: it is surely there. Otherwise the name of what decides whether it is.
    pub(super) existence: Option<Arc<str>>,
}

/// Puts the resources of a configuration into its model. Spans of arguments that are not in the model, or change
/// nothing, are claimed in `account` within what the reader has claimed as a whole.
pub(super) fn lower(instances: &[Instance], reading: &mut Reading<'_>, account: &mut Account) {
    let Reading { store, configuration, .. } = reading;
    let mut lowering = Lowering {
        account,
        store,
        balancers: Balancers::default(),
        points: Points::default(),
        objects: Vec::new(),
        undefined: Vec::new(),
        index: Index::of(instances),
        opened: BTreeSet::new(),
    };
    let mut rest: Vec<&Instance> = instances.iter().collect();
    for (kinds, lower) in providers() {
        let mut mine = Vec::new();
        rest.retain(|instance| match kinds.iter().find(|kind| ***kind == *instance.kind) {
            Some(kind) => {
                mine.push((*kind, *instance));
                false
            }
            None => true,
        });
        if !mine.is_empty() {
            lower(&mut lowering, &mine);
        }
    }
    for instance in rest {
        lowering.other(instance);
    }
    lowering.finish_backends();
    let Lowering { account: _, store: _, balancers, points, mut objects, undefined, index: _, opened: _ } = lowering;
    for object in &mut objects {
        let rules: usize = Direction::BOTH.into_iter().map(|direction| points.count(&object.address, direction)).sum();
        object.elements = object.elements.map(|_| rules);
    }
    objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
    configuration.objects.extend(objects);
    configuration.undefined.extend(undefined);
    points.finish(configuration, store);
    let Balancers { listeners, backends, .. } = balancers;
    configuration.listeners = listeners;
    configuration.backends = backends;
    super::balancers::finish(reading);
}

/// Whether resources of a type have to do with packets: what others say need not be computed.
pub(super) fn matters(kind: &str) -> bool {
    providers().any(|(kinds, _)| kinds.contains(&kind)) || kinds::other(kind).is_some()
}

/// Whether an argument of a resource that is no firewall says which firewalls stand before it.
pub(super) fn attaches(kind: &str, name: &str) -> bool {
    if name == "tags" {
        return TAGGED.contains(&kind);
    }
    let name: String = name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect();
    let computed = ["cluster", "default", "source"].iter().any(|start| name.starts_with(start));
    let words = ["securitygroup", "secgroup", "firewallid", "nsgid"];
    name == "groupset" || !computed && words.iter().any(|word| name.contains(word))
}

/// Hosts whose firewalls are found by their tags.
const TAGGED: &[&str] = &[
    "digitalocean_droplet",
    "google_compute_instance",
    "google_compute_instance_template",
    "google_compute_region_instance_template",
];

/// The arguments of resources of a type that are looked at, beside those that attach it; `None`: all of them.
pub(super) fn arguments(kind: &str) -> Option<&'static [&'static str]> {
    balance::MEMBERS.contains(&kind).then_some(balance::ARGUMENTS)
}

pub(super) use balance::count_of;

/// Resources of one provider, each with its type.
type Mine<'i> = [(&'static str, &'i Instance)];

/// The types of a provider, and what lowers them.
type Provider = (&'static [&'static str], fn(&mut Lowering<'_, '_>, &Mine<'_>));

static PROVIDERS: &[Provider] = &[
    (aws::KINDS, aws::lower),
    (azure::KINDS, azure::lower),
    (cloudfoundry::KINDS, cloudfoundry::lower),
    (digitalocean::KINDS, digitalocean::lower),
    (exoscale::KINDS, exoscale::lower),
    (google::KINDS, google::lower),
    (hetzner::KINDS, hetzner::lower),
    (openstack::KINDS, openstack::lower),
    (scaleway::KINDS, scaleway::lower),
];

/// All of them, in the order in which they are lowered.
fn providers() -> impl Iterator<Item = &'static Provider> {
    PROVIDERS.iter().chain(balance::PROVIDERS)
}

/// The model in the making.
struct Lowering<'a, 'i> {
    account: &'a mut Account,
    store: &'a mut Store,
    balancers: Balancers,
    points: Points,
    objects: Vec<Object>,
    undefined: Vec<Reference>,
    index: Index<'i>,
    /// Names that were said to be declared by nothing already.
    opened: BTreeSet<(Span, String)>,
}

/// Where the names of resources lead.
#[derive(Debug, Default)]
struct Index<'i> {
    addresses: BTreeMap<&'i str, &'i Instance>,
    ids: BTreeMap<Arc<str>, &'i Instance>,
    names: BTreeMap<(Arc<str>, Arc<str>), Vec<&'i Instance>>,
}

impl<'i> Index<'i> {
    fn of(instances: &'i [Instance]) -> Self {
        let mut index = Self::default();
        for instance in instances {
            index.addresses.insert(&instance.address, instance);
            let Some(body) = instance.body.object() else { continue };
            for key in ["id", "self_link", "arn", "instance_group"] {
                if let Some(id) = body.get(key).and_then(Value::as_text).filter(|id| !id.is_empty()) {
                    index.ids.insert(id, instance);
                }
            }
            if let Some(name) = body.get("name").and_then(Value::as_text) {
                index.names.entry((Arc::clone(&instance.kind), name)).or_default().push(instance);
            }
        }
        index
    }

    /// The resources that a text names by their id, or by their name if they are of one of these types.
    fn written(&self, text: &str, kinds: &[&str]) -> &[&'i Instance] {
        if let Some(only) = self.ids.get(text) {
            return std::slice::from_ref(only);
        }
        kinds.iter().find_map(|kind| self.names.get(&(Arc::from(*kind), Arc::from(text)))).map_or(&[], Vec::as_slice)
    }

    /// The resource that an unknown value is, or is an attribute of: `aws_security_group.web.id`. Where only one of several
    /// is there, the name without its key is its name too.
    fn referred(&self, unknown: &str) -> Option<&'i Instance> {
        let prefix = unknown.rsplit_once('.').map(|(address, _)| address);
        prefix.into_iter().chain([unknown]).find_map(|address| {
            let only = match self.several(address).as_slice() {
                [only] => Some(*only),
                _ => None,
            };
            self.addresses.get(address).copied().or(only)
        })
    }

    /// Those of which an address without its key is the address.
    fn several(&self, address: &str) -> Vec<&'i Instance> {
        let first = format!("{address}[");
        let from = self.addresses.range(&*first..);
        from.take_while(|(known, _)| known.starts_with(&first)).map(|(_, instance)| *instance).collect()
    }
}

impl<'i> Lowering<'_, 'i> {
    /// What a value is called that names a resource of one of these types: its address if it is one of this
    /// configuration, otherwise what is written. Noted if it must be one of this configuration, and none is.
    fn target(&mut self, known: &Known<Arc<str>>, kinds: &[&'static str], at: Span) -> String {
        match known {
            Known::Is(text) => match self.index.written(text, kinds) {
                [] => {
                    if self.index.addresses.contains_key(&**text) {
                        let reason = format!("`{}` is the name of a resource, and no id", escape(text.as_bytes()));
                        self.account.gap(at, reason);
                    }
                    text.to_string()
                }
                [instance] => instance.address.to_string(),
                [_, _, ..] => {
                    let reason =
                        format!("several are called `{}`: which is meant is not known", escape(text.as_bytes()));
                    self.account.gap(at, reason);
                    text.to_string()
                }
            },
            Known::Not(unknown) => {
                if let Some(instance) = self.index.referred(unknown) {
                    return instance.address.to_string();
                }
                let Some((address, _)) = unknown.rsplit_once('.') else { return unknown.clone() };
                let of = |kind: &&&'static str| is_resource(address, kind);
                let Some(kind) = kinds.iter().find(of) else { return unknown.clone() };
                if self.index.several(address).is_empty() && self.opened.insert((at, address.to_owned())) {
                    let address = escape(address.as_bytes());
                    self.undefined.push(Reference { kind, address, origin: at });
                }
                address.to_owned()
            }
        }
    }

    /// One end of a packet: members of the group that a value names.
    fn members(&mut self, value: &Value, end: &str, kinds: &[&'static str]) -> Peer {
        let known = text_of(value, "group", self.account);
        let known = known.unwrap_or_else(|| Known::Not("what is not understood".to_owned()));
        let group = self.target(&known, kinds, value.at);
        Peer::If(Condition::new(format!("{end} is a member of {group}")))
    }

    /// A resource is there.
    fn object(&mut self, kind: &'static str, instance: &Instance, content: String) -> &mut Object {
        self.objects.push(points::object(kind, instance, content));
        self.objects.last_mut().expect("one has just been added")
    }

    /// A resource whose rules make up a decision point, which may not be there at all.
    fn group(&mut self, kind: &'static str, instance: &Instance, rules: &[&str]) {
        let content = content::of(&instance.body, rules);
        self.object(kind, instance, content).elements = Some(0);
    }

    /// A group that is there without the resource: "when Terraform first adopts the default security group, it immediately
    /// removes all ingress and egress rules"; removing the resource "will not destroy the Security Group. All ingress or egress
    /// rules will be left as they are" (registry: `aws_default_security_group`, likewise `aws_default_network_acl`). So only
    /// what changes while it is managed can be computed.
    fn adopted(&mut self, kind: &'static str, instance: &Instance) {
        self.group(kind, instance, &["ingress", "egress", "tags", "subnet_ids"]);
        let object = self.objects.last_mut().expect("one has just been added");
        object.uncomputed = Some("what it lets pass while it is not managed here is not in the files");
    }

    /// There is a decision point of a resource. Where that may not be there, packets may pass as without it.
    fn declare(&mut self, instance: &Instance, direction: Direction, manner: Manner) {
        self.points.declare(&instance.address, direction, manner, instance.origin);
        if let Some(name) = instance.existence.as_ref().filter(|_| manner.absent) {
            let mut line = words::anything(instance.origin);
            line.rank = i128::MIN;
            line.conditions.push(Condition::new(format!("{name} is not there")));
            self.points.add(&instance.address, direction, manner, line);
        }
    }

    /// A resource that is a rule, or several.
    fn rules(&mut self, kind: &'static str, instance: &Instance, of: &str, lines: &[(Direction, Line)]) {
        let only: Vec<Line> = lines.iter().map(|(_, line)| line.clone()).collect();
        let directions: BTreeSet<&str> = lines.iter().map(|(direction, _)| direction.name()).collect();
        let directions: Vec<&str> = directions.into_iter().collect();
        let meaning = points::meaning(&only);
        let content = format!("{} {}: {meaning}", escape(of.as_bytes()), directions.join("+"));
        self.object(kind, instance, content);
    }

    /// Adds the lines to a decision point.
    fn add(&mut self, of: &str, manner: impl Fn(Direction) -> Manner, lines: Vec<(Direction, Line)>) {
        for (direction, line) in lines {
            self.points.add(of, direction, manner(direction), line);
        }
    }

    /// A filter says before what it stands, in arguments of these names.
    fn attached(&mut self, instance: &Instance, named: &dyn Fn(&str) -> bool) {
        if let Some(attachment) = self.attachment(instance, named) {
            attachment.uncomputed = Some(kinds::ATTACHED);
        }
    }

    /// A resource says what filter stands before what, in arguments of these names.
    fn attachment(&mut self, instance: &Instance, named: &dyn Fn(&str) -> bool) -> Option<&mut Object> {
        let content = content::attached(&instance.body, named)?;
        let account = &mut *self.account;
        content::places(&instance.body, "", named, &mut |_, entry| {
            account.claim(attributes::whole(entry), Disposition::Opaque("where a firewall stands"));
        });
        Some(self.object("attachment", instance, content))
    }

    /// A resource that no provider here knows.
    fn other(&mut self, instance: &Instance) {
        let Some(kinds::Other { kind, uncomputed }) = kinds::other(&instance.kind) else {
            self.account.claim(instance.origin, Disposition::Inert("not a firewall"));
            // Hosts come and go, and the filters that they name are judged as they are; one that comes to stand behind another
            // filter is not.
            if let Some(attachment) = self.attachment(instance, &|name| attaches(&instance.kind, name)) {
                attachment.rewritten = Some(kinds::ATTACHED);
            }
            return;
        };
        let content = content::of(&instance.body, &[]);
        let content =
            if kind == kinds::UNKNOWN { format!("{}: {content}", escape(instance.kind.as_bytes())) } else { content };
        self.object(kind, instance, content).uncomputed = Some(uncomputed);
        self.account.claim(instance.origin, Disposition::Opaque("its effect is not computed"));
    }
}

/// The condition that a resource is there, if it may not be.
fn conditions(instance: &Instance) -> Vec<Condition> {
    instance.existence.iter().map(|name| points::existence(name)).collect()
}

/// Whether an address is that of a managed resource of a type: `module.a.aws_security_group.web`.
fn is_resource(address: &str, kind: &str) -> bool {
    let mut parts = address.split('.').peekable();
    while parts.next_if_eq(&"module").is_some() {
        parts.next();
    }
    parts.next() == Some(kind) && parts.next().is_some()
}
