//! What the names of one template stand for, and values in which they are replaced.

use super::conditions::Truth;
use super::{Found, function};
use crate::formats::account::Account;
use crate::formats::data::value::{Entry, List, More, Object, Unknown, Value, What};
use crate::model::Reference;
use crate::text::{Span, escape, hex};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How deep functions may stand in one another, attributes and conditions followed.
const DEEPEST: u32 = 64;
/// Longer names of what is not known are told apart by a digest.
const LONGEST: usize = 300;

/// One template while it is computed.
pub(super) struct Scope<'t> {
    /// What addresses of its resources begin with.
    pub(super) prefix: &'t str,
    pub(super) parameters: BTreeMap<&'t str, Value>,
    pub(super) mappings: Option<&'t Object>,
    pub(super) conditions: Option<&'t Object>,
    pub(super) resources: &'t Object,
    /// Conditions that are computed; `None`: one that is being computed.
    pub(super) decided: BTreeMap<&'t str, Option<Truth>>,
    /// The parameters, conditions and entries of mappings that somebody asked for, by their names.
    pub(super) used: BTreeSet<Vec<String>>,
    pub(super) account: &'t mut Account,
    pub(super) found: &'t mut Found,
    pub(super) depth: u32,
}

impl<'t> Scope<'t> {
    /// A value with its functions computed.
    pub(super) fn value(&mut self, value: &Value) -> Value {
        if self.depth >= DEEPEST {
            self.account.gap(value.at, format!("functions stand in one another more than {DEEPEST} deep"));
            return self.unknown("what is too deep", value.at);
        }
        self.depth += 1;
        let computed = match &value.what {
            // "{{resolve:service-name:reference-key}}": CloudFormation asks when it makes the stack.
            What::Text(text) if text.contains("{{resolve:") => self.unknown(text, value.at),
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => value.clone(),
            What::List(list) => self.list(list, value.at),
            What::Object(object) => match function(object) {
                Some(Entry { name, at, value: given }) => self.function(name, given, Span { end: value.at.end, ..*at }),
                None => self.object(object, value.at),
            },
        };
        self.depth -= 1;
        computed
    }

    fn list(&mut self, list: &List, at: Span) -> Value {
        let mut out = List::default();
        for item in &list.items {
            let choice = item.object().and_then(function).filter(|entry| &*entry.name == "Fn::If");
            match choice.and_then(|entry| self.choice(entry)) {
                // Which of both is there is not known: each may be.
                Some((condition, [then, otherwise])) => {
                    let both = [(condition.clone(), then), (format!("not ({condition})"), otherwise)];
                    out.more.extend(both.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, like)| More {
                        name: Unknown(shortened(format!("what is there if {name}")).into()),
                        like,
                    }));
                }
                None => out.items.extend(Some(self.value(item)).filter(|value| !value.is_null())),
            }
        }
        Value::new(What::List(Arc::new(out)), at)
    }

    /// What a choice is between, and on what, if that is not known.
    fn choice(&mut self, entry: &Entry) -> Option<(String, [Value; 2])> {
        let [name, then, otherwise] = entry.value.list()?.items.as_slice() else { return None };
        let Truth::Not(condition) = self.condition(name.text()?, name.at) else { return None };
        Some((condition, [self.value(then), self.value(otherwise)]))
    }

    fn object(&mut self, object: &Object, at: Span) -> Value {
        let mut out = Object::default();
        for entry in &object.entries {
            if &*entry.name == "Ref" || entry.name.starts_with("Fn::") {
                self.account.gap(entry.at, "a function stands alone in its object");
                continue;
            }
            let value = self.value(&entry.value);
            out.put(Entry { name: Arc::clone(&entry.name), at: entry.at, value });
        }
        Value::new(What::Object(Arc::new(out)), at)
    }

    /// What `Ref` gives: "the value of a specified parameter, resource, or another intrinsic function".
    pub(super) fn reference(&mut self, name: &str, at: Span) -> Value {
        if let Some(value) = self.parameters.get(name) {
            let value = Value { at, ..value.clone() };
            self.use_of(&["Parameters", name]);
            return value;
        }
        match name {
            // "Removes the corresponding resource property."
            "AWS::NoValue" => Value::new(What::Null, at),
            "AWS::AccountId"
            | "AWS::NotificationARNs"
            | "AWS::Partition"
            | "AWS::Region"
            | "AWS::StackId"
            | "AWS::StackName"
            | "AWS::URLSuffix" => self.unknown(name, at),
            _ => {
                let Some(declared) = self.resources.get(name) else {
                    return self.undeclared("parameter or resource", name, at);
                };
                let kind = declared.object().and_then(|declared| declared.get("Type")).and_then(Value::text);
                // What `Ref` gives of one that is not of Amazon is up to its author.
                let mark = if is_identity(kind, "Arn") { String::new() } else { self.mark(name) };
                self.unknown(&format!("{}{name}{mark}", self.prefix), at)
            }
        }
    }

    /// What `Fn::GetAtt` gives: an attribute of a resource. Known are those that the resource itself is given.
    pub(super) fn attribute(&mut self, resource: &str, attribute: &str, at: Span) -> Value {
        let resources = self.resources;
        let Some(declared) = resources.get(resource) else { return self.undeclared("resource", resource, at) };
        if !attribute.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_')) {
            let reason = format!("`{}` is no attribute: CloudFormation refuses it", escape(attribute.as_bytes()));
            self.account.gap(at, reason);
        }
        let declared = declared.object();
        let kind = declared.and_then(|declared| declared.get("Type")).and_then(Value::text);
        if let (Some("AWS::EC2::VPC" | "AWS::EC2::Subnet"), "CidrBlock") = (kind, attribute) {
            let properties = declared.and_then(|declared| declared.get("Properties")).and_then(Value::object);
            if let Some(given) = properties.and_then(|properties| properties.get(attribute)) {
                let value = self.value(given);
                if value.is_known() {
                    return Value { at, ..value };
                }
            }
        }
        let mark = if is_identity(kind, attribute) { String::new() } else { self.mark(resource) };
        self.unknown(&format!("{}{resource}.{attribute}{mark}", self.prefix), at)
    }

    /// What tells apart what a template says of a resource, and of all that it refers to: an attribute that is not known is another
    /// one where that is something else.
    pub(super) fn mark(&self, resource: &str) -> String {
        let (mut said, mut out) = (BTreeSet::new(), String::new());
        self.said(resource, &mut said, &mut out);
        let digest = Sha256::digest(out.as_bytes());
        format!(" #{}", hex(&digest[..8]))
    }

    fn said<'n>(&self, name: &'n str, said: &mut BTreeSet<&'n str>, out: &mut String)
    where
        't: 'n,
    {
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            if !said.insert(name) {
                continue;
            }
            let rows = self.mappings.and_then(|mappings| mappings.get(name));
            let asked = self.conditions.and_then(|conditions| conditions.get(name));
            let declared = self.resources.get(name);
            for value in [declared, rows, asked].into_iter().flatten() {
                out.push_str(&show(value));
                words(value, &mut open);
            }
            match self.parameters.get(name) {
                Some(value) if value.sensitive => out.push_str(&secret(value)),
                Some(value) => out.push_str(&show(value)),
                None => {}
            }
        }
    }

    /// A name that nothing declares, for which CloudFormation refuses the template.
    pub(super) fn undeclared(&mut self, kind: &'static str, name: &str, at: Span) -> Value {
        let address = escape(name.as_bytes());
        self.account.gap(at, format!("there is no {kind} `{address}`: CloudFormation refuses it"));
        self.found.undefined.push(Reference { kind, address, origin: at });
        self.unknown(&format!("Ref {name}"), at)
    }

    pub(super) fn unknown(&self, name: &str, at: Span) -> Value {
        Value::unknown(&shortened(name.to_owned()), at)
    }

    /// The template refuses something, of which nothing is known then.
    pub(super) fn refused(&mut self, at: Span, reason: impl Into<String>) -> Value {
        self.account.gap(at, reason);
        self.unknown("what is not understood", at)
    }

    /// Somebody asks for the value at this place of the template.
    pub(super) fn use_of(&mut self, path: &[&str]) {
        self.used.insert(path.iter().map(|part| (*part).to_owned()).collect());
    }
}

/// Whether an attribute says which resource it is, and is the same one whatever is said of that.
fn is_identity(kind: Option<&str>, attribute: &str) -> bool {
    let named = matches!(attribute, "Arn" | "Name" | "GroupName");
    let of_amazon = kind.is_some_and(|kind| kind.starts_with("AWS::") && !kind.starts_with("AWS::CloudFormation::"));
    of_amazon && (named || attribute.ends_with("Id") || attribute.ends_with("Arn"))
}

/// The words in the texts of a value, which may be names.
fn words<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match &value.what {
        What::Text(text) => {
            out.extend(text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()))
        }
        What::List(list) => list.items.iter().for_each(|item| words(item, out)),
        What::Object(object) => object.entries.iter().for_each(|entry| words(&entry.value, out)),
        What::Null | What::Truth(_) | What::Number(_) | What::Unknown(_) => {}
    }
}

/// Tells values apart that must not be printed; says nothing of them, and is another one in every run.
fn secret(value: &Value) -> String {
    use std::hash::BuildHasher as _;
    static SEED: std::sync::OnceLock<std::hash::RandomState> = std::sync::OnceLock::new();
    let plain = Value { sensitive: false, ..value.clone() };
    format!("{:016x}", SEED.get_or_init(std::hash::RandomState::new).hash_one(show(&plain)))
}

/// A value in words, for the names of what is computed from it.
pub(super) fn show(value: &Value) -> String {
    if value.sensitive && value.name_of_unknown().is_none() {
        return "a sensitive value".to_owned();
    }
    match &value.what {
        What::Null => "nothing".to_owned(),
        What::Unknown(Unknown(name)) => name.to_string(),
        What::Truth(_) | What::Number(_) | What::Text(_) => {
            value.as_text().map_or_else(|| "a number".to_owned(), |text| text.to_string())
        }
        What::List(list) => {
            let items = list.items.iter().map(show);
            let more = list.more.iter().map(|More { name, like }| format!("{}: {}", name.0, show(like)));
            format!("[{}]", items.chain(more).collect::<Vec<_>>().join(", "))
        }
        What::Object(object) => {
            let entries = object.entries.iter().map(|entry| format!("{}: {}", entry.name, show(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn shortened(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let start: String = text.chars().take(LONGEST / 4).collect();
    let digest = Sha256::digest(text.as_bytes());
    format!("{start}… #{}", crate::text::hex(digest.get(..8).unwrap_or_default()))
}
