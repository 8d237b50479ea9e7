//! CloudFormation templates, in YAML with short tags or in JSON, without an account: parameters have their defaults or the
//! values of a parameter file beside the template, and what is known only when a stack is made stays unknown.
//!
//! CloudFormation User Guide, "Template anatomy"; Template Reference, "Intrinsic functions", `AWS::EC2::SecurityGroup` and
//! others. Each resource becomes the one that Terraform would describe it by, so that templates, configurations and dumps
//! mean the same.

mod conditions;
mod functions;
mod kinds;
mod resources;
mod scope;
mod template;

use super::account::Account;
use super::cloud::{self, Instance};
use super::data::may_be_tree;
use super::data::value::{Entry, Object, Value, What};
use super::data::yaml::{Document, Problem, documents};
use super::{Disposition, Format, Reading};
use crate::model::Reference;
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) static FORMAT: CloudFormation = CloudFormation;

pub(super) struct CloudFormation;

/// The functions that have a short tag besides `!Ref` and `!Condition`: "Intrinsic function reference".
const FUNCTIONS: &[&str] = &[
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "GetAtt",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "Transform",
];

impl Format for CloudFormation {
    fn id(&self) -> &'static str {
        "cloudformation"
    }

    fn recognises(&self, name: &str, text: &[u8]) -> bool {
        if !may_be_tree(text) {
            return false;
        }
        let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
        let json = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
        let section = if json { has("\"Resources\"") } else { text.starts_with(b"Resources:") || has("\nResources:") };
        let template = section && (has("AWS::") || has("AWSTemplateFormatVersion"));
        let parameters = has("ParameterKey") && has("ParameterValue");
        // Other configurations may have templates in them.
        let other = [".tf", ".tfvars", ".tf.json", ".tofu", ".tofu.json"].iter().any(|ending| name.ends_with(ending));
        (template || parameters) && !other && !has("\"format_version\"")
    }

    fn read(&self, reading: &mut Reading<'_>) {
        reading.configuration.declares = true;
        let mut account = Account::default();
        let (mut templates, mut given) = (Vec::new(), Given::default());
        for file in reading.files() {
            let text = reading.text(*file);
            let whole = Span { source: *file, start: 0, end: super::end_of(text) };
            account.claim(whole, Disposition::Modelled);
            match documents(*file, text, &short_tag) {
                Err(problems) => problems.into_iter().for_each(|Problem { at, reason }| account.gap(at, reason)),
                Ok(found) => match found.as_slice() {
                    [Document { at, value }] => match &value.what {
                        What::Object(object) if object.get("Resources").is_some() => {
                            templates.push((reading.name(*file), *at, Arc::clone(object)));
                        }
                        What::Object(_) | What::List(_) => given.read(value, &mut account),
                        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => {
                            account.gap(whole, "a template is expected: an object with `Resources`");
                        }
                    },
                    [] => account.gap(whole, "the file is empty: that is no template"),
                    [_, _, ..] => account.gap(whole, "several documents: a template is one"),
                },
            }
        }
        let several = templates.len() > 1;
        let mut found = Found::default();
        let mut prefixes = BTreeSet::new();
        for (name, at, object) in &templates {
            let prefix = if several { format!("{}.", stem(name)) } else { String::new() };
            if !prefixes.insert(prefix.clone()) {
                account.gap(*at, "another template of that name is read already");
            }
            template::read(object, *at, &prefix, &mut given, &mut account, &mut found);
        }
        given.close(&mut account);
        let Found { instances, undefined, hidden } = found;
        hidden.into_iter().for_each(|span| reading.hide(span));
        reading.configuration.undefined.extend(undefined);
        cloud::lower(&instances, reading, &mut account);
        account.close(reading);
    }
}

/// What templates come to.
#[derive(Default)]
struct Found {
    instances: Vec<Instance>,
    /// Names that nothing declares.
    undefined: Vec<Reference>,
    /// What must not be printed.
    hidden: Vec<Span>,
}

/// The values that parameter files give.
#[derive(Default)]
struct Given {
    values: BTreeMap<Arc<str>, Entry>,
    used: BTreeSet<Arc<str>>,
}

impl Given {
    /// `[{"ParameterKey": …, "ParameterValue": …}]`, as the command line takes them, or `{"Parameters": {…}}`, as CodePipeline
    /// does.
    fn read(&mut self, file: &Value, account: &mut Account) {
        if let Some(object) = file.object() {
            for Entry { name, at, value } in &object.entries {
                match (&**name, value.object()) {
                    ("Parameters", Some(parameters)) => {
                        parameters.entries.iter().for_each(|entry| self.give(entry.clone(), account));
                    }
                    ("Tags" | "StackPolicy", _) => {
                        account.claim(span_of(*at, value), Disposition::Inert("not about packets"));
                    }
                    _ => account.gap(*at, format!("the key `{}` is not known here", escape(name.as_bytes()))),
                }
            }
            return;
        }
        for item in file.list().iter().flat_map(|list| &list.items) {
            let Some(object) = item.object() else {
                account.gap(item.at, "a parameter is expected: an object with `ParameterKey` and `ParameterValue`");
                continue;
            };
            let key = object.get("ParameterKey").and_then(Value::text);
            match (key, object.entry("ParameterValue")) {
                (Some(key), Some(value)) if object.entries.len() == 2 => {
                    let entry = Entry { name: key.into(), at: item.at, value: value.value.clone() };
                    self.give(entry, account);
                }
                _ => account.gap(item.at, "a parameter has a `ParameterKey` and a `ParameterValue`, and nothing else"),
            }
        }
    }

    fn give(&mut self, entry: Entry, account: &mut Account) {
        let (at, name) = (entry.at, Arc::clone(&entry.name));
        if self.values.insert(name, entry).is_some() {
            account.gap(at, "this parameter has a value already");
        }
    }

    /// The value that is given to a parameter.
    fn take(&mut self, name: &str) -> Option<Value> {
        let (name, entry) = self.values.get_key_value(name)?;
        self.used.insert(Arc::clone(name));
        Some(entry.value.clone())
    }

    /// "Parameters: [x] do not exist in the template."
    fn close(&self, account: &mut Account) {
        for (name, entry) in self.values.iter().filter(|(name, _)| !self.used.contains(*name)) {
            account.gap(entry.at, format!("no template has the parameter `{}`", escape(name.as_bytes())));
        }
    }
}

/// The name of a file without folders and ending.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// `!Sub x` is `{"Fn::Sub": x}`.
fn short_tag(tag: &str, at: Span, value: Value) -> Option<Value> {
    let name = tag.strip_prefix('!')?;
    let name = match name {
        "Ref" | "Condition" => name.to_owned(),
        _ => format!("Fn::{}", FUNCTIONS.iter().find(|known| **known == name)?),
    };
    let whole = value.at;
    Some(Value::of_entries(vec![Entry { name: name.into(), at, value }], whole))
}

/// Where a key and its value stand.
fn span_of(key: Span, value: &Value) -> Span {
    if value.at.source == key.source && value.at.end > key.end { Span { end: value.at.end, ..key } } else { key }
}

/// The function that an object is, with what it is given: an object of one key that names one.
fn function(object: &Object) -> Option<&Entry> {
    match object.entries.as_slice() {
        [only] if object.more.is_empty() && (&*only.name == "Ref" || only.name.starts_with("Fn::")) => Some(only),
        _ => None,
    }
}
