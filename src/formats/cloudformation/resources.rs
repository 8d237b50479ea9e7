//! Resources: "Resource attribute reference", and the properties of those that filter packets.

use super::conditions::Truth;
use super::kinds::{Kind, Shape, block_name, kind};
use super::scope::{Scope, show};
use super::span_of;
use crate::formats::Disposition;
use crate::formats::cloud::{self, Instance};
use crate::formats::data::value::{Entry, List, More, Object, Unknown, Value, What};
use crate::text::{Span, escape};
use std::sync::Arc;

/// What the ids begin with that properties of these names take.
const IDS: &[(&str, &str)] = &[("GroupId", "sg-"), ("NetworkAclId", "acl-"), ("PrefixListId", "pl-")];
/// Names of a rule's peer beside its id.
const ABOUT_PEERS: &[&str] = &["SourceSecurityGroupOwnerId"];
/// "If you do not add egress rules, we add egress rules that allow all outbound IPv4 and IPv6 traffic. … After the security
/// group is created, if you remove all egress rules that you added, we do not add egress rules" (`AWS::EC2::SecurityGroup`): a
/// template without such rules does not tell.
const DEFAULT_EGRESS: &str = "the egress rules that EC2 adds to a group that is made without any";

/// Reads all resources of a template.
pub(super) fn read(scope: &mut Scope<'_>) {
    let resources = scope.resources;
    for entry in &resources.entries {
        resource(entry, scope);
    }
}

fn resource(entry: &Entry, scope: &mut Scope<'_>) {
    let Entry { name, at, value } = entry;
    let origin = span_of(*at, value);
    if name.starts_with("Fn::") {
        return scope.account.gap(origin, "a macro or loop: what resources it makes is not known");
    }
    let Some(declared) = value.object() else { return scope.account.gap(origin, "a resource is an object") };
    let Some(type_name) = declared.get("Type").and_then(Value::text) else {
        return scope.account.gap(origin, "the resource has no type: CloudFormation refuses it");
    };
    let mut existence = None;
    if let Some(condition) = declared.entry("Condition") {
        let Some(asked) = condition.value.text() else {
            return scope.account.gap(span_of(condition.at, &condition.value), "the name of a condition is expected");
        };
        match scope.condition(asked, condition.value.at) {
            Truth::Is(true) => {}
            Truth::Is(false) => return scope.account.claim(origin, Disposition::Inert("its condition does not hold")),
            Truth::Not(name) => existence = Some(format!("what is made if {name}").into()),
        }
    }
    let mut body = attributes(declared, scope);
    let properties = declared.entry("Properties").map(|entry| &entry.value);
    let kind = match kind(type_name) {
        Kind::Read(shape) => {
            body.extend(arguments(shape, properties, *at, scope));
            shape.kind.to_owned()
        }
        Kind::Named(kind) => {
            if cloud::matters(&kind) {
                let read = properties.map(|properties| scope.value(properties));
                body.extend(read.iter().filter_map(Value::object).flat_map(|object| object.entries.clone()));
            } else {
                // Of what is no firewall what says which ones stand before it.
                let said = properties.and_then(Value::object).into_iter().flat_map(|object| &object.entries);
                for entry in
                    said.filter(|entry| cloud::attaches(&kind, &entry.name) || says_attached(&kind, &entry.value))
                {
                    body.push(Entry { value: scope.value(&entry.value), ..entry.clone() });
                }
            }
            kind
        }
        Kind::Makes(why) => return scope.account.gap(origin, why),
        Kind::Foreign => {
            return scope.account.claim(origin, Disposition::Opaque("what its author makes it do"));
        }
    };
    scope.found.instances.push(Instance {
        kind: kind.into(),
        address: format!("{}{name}", scope.prefix).into(),
        body: Value::of_entries(body, origin),
        origin,
        existence,
    });
}

/// Whether something in a value says which firewalls stand before a resource.
fn says_attached(kind: &str, value: &Value) -> bool {
    match &value.what {
        What::Object(object) => {
            object.entries.iter().any(|entry| cloud::attaches(kind, &entry.name) || says_attached(kind, &entry.value))
        }
        What::List(list) => list.items.iter().any(|item| says_attached(kind, item)),
        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => false,
    }
}

/// What is said of a resource beside its properties.
fn attributes(declared: &Object, scope: &mut Scope<'_>) -> Vec<Entry> {
    let mut kept = Vec::new();
    for Entry { name, at, value } in &declared.entries {
        let whole = span_of(*at, value);
        match &**name {
            "Type" | "Condition" | "Properties" => {}
            // "With DeletionPolicy: Retain … CloudFormation keeps the resource without deleting it when the template is changed
            // so that it is gone": then it stays as it was, whatever is said of its removal.
            "DeletionPolicy" | "UpdateReplacePolicy" => match value.text() {
                Some("Delete") => scope.account.claim(whole, Disposition::Inert("what happens anyway")),
                Some("Retain" | "RetainExceptOnCreate" | "Snapshot") => {
                    scope.account.claim(whole, Disposition::Opaque("it stays as it is when it is removed here"));
                    if let Some(text) = value.text() {
                        let argument = if &**name == "DeletionPolicy" { "deletion_policy" } else { "replace_policy" };
                        kept.push(Entry { name: argument.into(), at: *at, value: Value::of_text(text, value.at) });
                    }
                }
                _ => scope.account.gap(whole, "Delete, Retain or Snapshot is expected"),
            },
            "DependsOn" => scope.account.claim(whole, Disposition::Inert("in which order resources are made")),
            "Metadata" => scope.account.claim(whole, Disposition::Inert("about the resource")),
            "CreationPolicy" | "UpdatePolicy" => {
                scope.account.claim(whole, Disposition::Inert("how it is made and replaced"));
            }
            _ => {
                let reason = format!("`{}` of a resource is not known here", escape(name.as_bytes()));
                scope.account.gap(whole, reason);
            }
        }
    }
    kept
}

/// The properties of a resource as the arguments that Terraform would have.
fn arguments(shape: &Shape, properties: Option<&Value>, at: Span, scope: &mut Scope<'_>) -> Vec<Entry> {
    let computed = properties.map(|properties| scope.value(properties));
    let mut out = Object::default();
    let entries = computed.iter().filter_map(Value::object).flat_map(|object| &object.entries);
    if computed.as_ref().is_some_and(|properties| properties.object().is_none()) {
        scope.account.gap(at, "the properties of a resource are an object");
    }
    for entry in entries {
        let part = shape.parts.iter().find(|(property, _)| *property == &*entry.name);
        let block = shape.blocks.iter().find(|(property, _)| *property == &*entry.name);
        match (part, block, entry.value.object()) {
            (Some((_, names)), _, Some(object)) => {
                object.entries.iter().for_each(|part| put(&mut out, names, part, scope))
            }
            (_, Some((property, names)), given) => {
                if given.is_some() {
                    scope.account.gap(entry.value.at, "a list is expected: CloudFormation refuses it");
                }
                let value = blocks(&entry.value, names, scope);
                out.put(Entry { name: block_name(property).into(), at: entry.at, value });
            }
            _ => put(&mut out, shape.arguments, entry, scope),
        }
    }
    if shape.kind == "aws_security_group" {
        default_egress(&mut out, at);
    }
    out.entries
}

/// Gives an argument its value under the name that Terraform has for it; what has none keeps its own, which nobody takes.
fn put(out: &mut Object, names: &[(&str, &str)], entry: &Entry, scope: &mut Scope<'_>) {
    if ABOUT_PEERS.contains(&&*entry.name) {
        let at = span_of(entry.at, &entry.value);
        return scope.account.claim(at, Disposition::Inert("about the peer, which its id tells"));
    }
    let name = names.iter().find(|(property, _)| *property == &*entry.name).map_or(&*entry.name, |(_, name)| *name);
    if let (Some((_, prefix)), Some(text)) =
        (IDS.iter().find(|(property, _)| entry.name.ends_with(property)), entry.value.text())
    {
        let is_id = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !text.strip_prefix(prefix).is_some_and(is_id) {
            scope.account.gap(entry.value.at, format!("an id that begins with `{prefix}` is expected"));
        }
    }
    let value = match out.get(name) {
        // Two properties that are one argument.
        Some(other) if !other.is_null() => Value::of_list(vec![other.clone(), entry.value.clone()], entry.value.at),
        Some(_) | None => entry.value.clone(),
    };
    out.put(Entry { name: name.into(), at: entry.at, value });
}

/// A list of blocks with their arguments renamed.
fn blocks(value: &Value, names: &[(&str, &str)], scope: &mut Scope<'_>) -> Value {
    let what = match &value.what {
        What::List(list) => {
            let items = list.items.iter().map(|item| blocks(item, names, scope)).collect();
            let more =
                list.more.iter().map(|more| More { name: more.name.clone(), like: blocks(&more.like, names, scope) });
            What::List(Arc::new(List { items, more: more.collect(), is_set: false }))
        }
        What::Object(object) => {
            let mut out = Object::default();
            object.entries.iter().for_each(|entry| put(&mut out, names, entry, scope));
            What::Object(Arc::new(out))
        }
        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => value.what.clone(),
    };
    Value { what, ..value.clone() }
}

/// Where a group says of no egress rule that it is there, EC2 may have added some.
fn default_egress(group: &mut Object, at: Span) {
    let mut list = match group.get("egress").map(|value| &value.what) {
        None | Some(What::Null) => List::default(),
        Some(What::List(list)) if list.items.is_empty() => List::clone(list),
        Some(_) => return,
    };
    let argument = |name: &str, value: Value| Entry { name: name.into(), at: Span { end: at.start, ..at }, value };
    let all = |prefix: &str| Value::of_list(vec![Value::of_text(prefix, at)], at);
    let like = vec![
        argument("protocol", Value::of_text("-1", at)),
        argument("cidr_blocks", all("0.0.0.0/0")),
        argument("ipv6_cidr_blocks", all("::/0")),
    ];
    list.more.push(More { name: Unknown(DEFAULT_EGRESS.into()), like: Value::of_entries(like, at) });
    group.put(argument("egress", Value::new(What::List(Arc::new(list)), at)));
}

impl Scope<'_> {
    /// The items of a list that is there only under a condition.
    pub(super) fn perhaps(&mut self, condition: &str, list: List) -> Vec<More> {
        let List { items, mut more, is_set: _ } = list;
        for (n, like) in items.into_iter().enumerate() {
            let name = format!("what is there if {condition}, {} of it: {}", n + 1, show(&like));
            let name = self.unknown(&name, like.at);
            if let What::Unknown(name) = name.what {
                more.push(More { name, like });
            }
        }
        more
    }
}
