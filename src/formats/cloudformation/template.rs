//! The sections of a template: "Template anatomy".

use super::scope::{Scope, show};
use super::{Found, Given, resources, span_of};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::value::{Entry, Object, Value, What};
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};

/// "2010-09-09 is currently the only valid value".
const VERSION: &str = "2010-09-09";
/// Functions of the language that are computed where it is.
const EXTENSIONS: &str = "AWS::LanguageExtensions";
/// What of a parameter limits the values that it takes.
const LIMITS: &[&str] =
    &["AllowedPattern", "AllowedValues", "ConstraintDescription", "MaxLength", "MaxValue", "MinLength", "MinValue"];

/// Reads a template.
pub(super) fn read(
    template: &Object,
    at: Span,
    prefix: &str,
    given: &mut Given,
    account: &mut Account,
    found: &mut Found,
) {
    let nothing = Object::default();
    let section = |name: &str| template.get(name).and_then(Value::object);
    let parameters = section("Parameters").unwrap_or(&nothing);
    let mut scope = Scope {
        prefix,
        parameters: BTreeMap::new(),
        mappings: section("Mappings"),
        conditions: section("Conditions"),
        resources: section("Resources").unwrap_or(&nothing),
        decided: BTreeMap::new(),
        used: BTreeSet::new(),
        account,
        found,
        depth: 0,
    };
    for entry in &template.entries {
        sections(entry, &mut scope);
    }
    for entry in &parameters.entries {
        let value = parameter(entry, given, &mut scope);
        scope.parameters.insert(&entry.name, value);
    }
    if scope.resources.entries.is_empty() {
        scope.account.gap(at, "the template has no resources: CloudFormation refuses it");
    }
    resources::read(&mut scope);
    unused(parameters, &mut scope);
}

fn sections(section: &Entry, scope: &mut Scope<'_>) {
    let Entry { name, at, value } = section;
    let whole = span_of(*at, value);
    match &**name {
        "AWSTemplateFormatVersion" => {
            if value.as_text().as_deref() == Some(VERSION) {
                scope.account.claim(whole, Disposition::Inert("the version of the format"));
            } else {
                scope.account.gap(whole, format!("the version is not {VERSION}: CloudFormation refuses it"));
            }
        }
        "Description" => scope.account.claim(whole, Disposition::Inert("a description")),
        "Metadata" => scope.account.claim(whole, Disposition::Inert("about the template")),
        "Rules" => scope.account.claim(whole, Disposition::Inert("what values parameters take")),
        "Outputs" => scope.account.claim(whole, Disposition::Inert("what the stack tells others")),
        "Transform" => {
            let names = value.list().map_or(std::slice::from_ref(value), |list| list.items.as_slice());
            for name in names.iter().filter(|name| name.text() != Some(EXTENSIONS)) {
                scope.account.gap(name.at, "a macro: what it makes of the template is not known; expand it first");
            }
        }
        "Parameters" | "Mappings" | "Conditions" | "Resources" => {
            let Some(object) = value.object() else {
                return scope.account.gap(whole, format!("`{name}` is an object"));
            };
            // "The logical ID must be alphanumeric (A-Za-z0-9) and unique within the template."
            let alphanumeric = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            for entry in
                object.entries.iter().filter(|entry| !alphanumeric(&entry.name) && !entry.name.starts_with("Fn::"))
            {
                let name = escape(entry.name.as_bytes());
                scope.account.gap(entry.at, format!("`{name}` is no name: CloudFormation refuses it"));
            }
        }
        _ => scope.account.gap(whole, format!("the section `{}` is not known here", escape(name.as_bytes()))),
    }
}

/// The value of a parameter: what is given, or else "the value to use if no value is specified when a stack is created".
fn parameter(entry: &Entry, given: &mut Given, scope: &mut Scope<'_>) -> Value {
    let Entry { name, at, value } = entry;
    let unknown = format!("Ref {name}");
    let Some(declared) = value.object() else {
        scope.account.gap(span_of(*at, value), "a parameter is an object");
        return scope.unknown(&unknown, *at);
    };
    let (mut kind, mut default, mut hidden) = (None, None, false);
    for Entry { name, at, value } in &declared.entries {
        let whole = span_of(*at, value);
        match (&**name, &value.what) {
            ("Type", What::Text(text)) => kind = Some(&**text),
            ("Default", _) => {
                scope.account.claim(whole, Disposition::Opaque("what it is unless another value is given"));
                default = Some(value);
            }
            ("NoEcho", _) if value.as_truth().is_some() => {
                hidden = value.as_truth() == Some(true);
                scope.account.claim(whole, Disposition::Inert("whether it is printed"));
            }
            ("Description", _) => scope.account.claim(whole, Disposition::Inert("a description")),
            (limit, _) if LIMITS.contains(&limit) => {
                scope.account.claim(whole, Disposition::Inert("what values it takes"));
            }
            _ => scope.account.gap(whole, format!("`{}` of a parameter is not known here", escape(name.as_bytes()))),
        }
    }
    let found = given.take(name).or_else(|| default.cloned());
    if let Some(value) = found.as_ref().filter(|_| hidden) {
        scope.found.hidden.push(value.at);
    }
    let kind = kind.unwrap_or_else(|| {
        scope.account.gap(*at, "the parameter has no type: CloudFormation refuses it");
        "String"
    });
    let asked = kind.strip_prefix("AWS::SSM::Parameter::Value<").and_then(|kind| kind.strip_suffix('>'));
    let list = |kind: &str| kind.strip_prefix("List<").and_then(|kind| kind.strip_suffix('>')).is_some_and(is_single);
    let listed = kind == "CommaDelimitedList" || list(kind);
    let single = is_single(kind);
    let named = asked.is_some_and(|kind| is_single(kind) || kind == "CommaDelimitedList" || list(kind));
    if !listed && !single && !named {
        scope.account.gap(*at, format!("there is no type `{}`", escape(kind.as_bytes())));
    }
    let value = match found {
        // "AWS::SSM::Parameter::Value<…>": its default is the name of a parameter in another service.
        Some(value) if single => match value.as_text() {
            Some(_) => value,
            None => scope.refused(value.at, "a text or number is expected"),
        },
        Some(value) if listed => match value.as_text() {
            Some(text) => {
                let items = text.split(',').map(|part| Value::of_text(part.trim(), value.at));
                Value::of_list(items.filter(|item| item.text() != Some("")).collect(), value.at)
            }
            None => scope.refused(value.at, "a text is expected: values between commas"),
        },
        Some(value) if named => scope.unknown(&format!("{unknown}, the SSM parameter {}", show(&value)), *at),
        Some(_) | None => scope.unknown(&unknown, *at),
    };
    value.hidden(hidden)
}

/// "AWS-specific parameter types" and what is as simple.
fn is_single(kind: &str) -> bool {
    const KINDS: &[&str] = &[
        "String",
        "Number",
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::VPC::Id",
        "AWS::EC2::Volume::Id",
        "AWS::Route53::HostedZone::Id",
        "AWS::SSM::Parameter::Name",
    ];
    KINDS.contains(&kind)
}

/// What nobody asked for cannot change anything.
fn unused(parameters: &Object, scope: &mut Scope<'_>) {
    let mut idle = Vec::new();
    let sections = [("Parameters", Some(parameters)), ("Conditions", scope.conditions)];
    for (section, object) in sections {
        for entry in object.into_iter().flat_map(|object| &object.entries) {
            if !scope.used.contains(&vec![section.to_owned(), entry.name.to_string()]) {
                idle.push(span_of(entry.at, &entry.value));
            }
        }
    }
    for map in scope.mappings.into_iter().flat_map(|mappings| &mappings.entries) {
        if scope.used.contains(&vec!["Mappings".to_owned(), map.name.to_string()]) {
            continue;
        }
        let Some(rows) = map.value.object() else {
            scope.account.gap(map.at, "a mapping is an object of objects");
            continue;
        };
        for row in &rows.entries {
            let Some(leaves) = row.value.object() else {
                scope.account.gap(row.at, "a mapping is an object of objects");
                continue;
            };
            let path = |leaf: &Entry| {
                vec!["Mappings".to_owned(), map.name.to_string(), row.name.to_string(), leaf.name.to_string()]
            };
            let left = leaves.entries.iter().filter(|leaf| !scope.used.contains(&path(leaf)));
            idle.extend(left.map(|leaf| span_of(leaf.at, &leaf.value)));
        }
    }
    for at in idle {
        scope.account.claim(at, Disposition::Inert("nobody asks for it"));
    }
}
