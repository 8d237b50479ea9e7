//! The JSON of a plan: what is there before it is carried out, and what after.
//!
//! developer.hashicorp.com, "JSON Output Format". Both sides are in one file; which one is read is told by
//! [`Aspect`](crate::formats::Aspect). What only the provider will know is unknown here, under the name of what it refers to; what is
//! sensitive is never printed.

mod beside;
mod fleets;
mod merge;
mod names;
mod state;

use crate::formats::account::Account;
use crate::formats::cloud::{self, Instance};
use crate::formats::data::value::Value;
use crate::formats::data::{Entry, Json, Keys, Kind, Node, Object};
use crate::formats::{Aspect, Disposition, Reading, end_of};
use crate::text::{SourceId, Span, escape};
use beside::Beside;
use merge::Merge;
use names::Names;
use std::collections::{BTreeMap, BTreeSet};

/// Whether a text is probably a plan, or pretends to be one.
pub(in crate::formats) fn is_plan(text: &[u8]) -> bool {
    let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    text.trim_ascii_start().first() == Some(&b'{')
        && (has("\"resource_changes\"") || has("\"planned_values\""))
        && (has("\"format_version\"") || has("\"terraform_version\"") || has("\"configuration\""))
}

/// When a plan was made: "`timestamp` … in RFC 3339 format".
pub(in crate::formats) fn made_at(text: &[u8]) -> Option<String> {
    let json = Json::read(text).ok()?;
    json.root().object()?.take("timestamp")?.text().map(ToOwned::to_owned)
}

/// Reads the side of a plan that is asked for. `beside` are the resources of the configuration that it was made of, as far
/// as that is at hand.
pub(super) fn read(file: SourceId, beside: Vec<Instance>, reading: &mut Reading<'_>) {
    let mut account = Account::default();
    for source in reading.files().iter().filter(|source| **source != file) {
        reading.configuration.declares = true;
        let at = Span { source: *source, start: 0, end: end_of(reading.text(*source)) };
        account.claim(at, Disposition::Inert("what the plan was made of"));
    }
    let mut instances = Vec::new();
    let text = reading.text(file);
    let whole = Span { source: file, start: 0, end: end_of(text) };
    match Json::read(text) {
        Err(refused) => {
            let at = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
            account.claim(whole, Disposition::Modelled);
            let span = Span { source: file, start: at(refused.at.start), end: at(refused.at.end) };
            account.gap(span, format!("not JSON: {}", refused.reason));
        }
        Ok(json) => {
            let mut reader = Reader {
                source: file,
                aspect: reading.aspect,
                names: Names::of(json.root()),
                beside: Beside::of(beside),
                account: &mut account,
                instances: &mut instances,
                hidden: Vec::new(),
                changed: BTreeSet::new(),
                ended: Vec::new(),
            };
            reader.document(json.root());
            if reader.aspect == Aspect::After {
                fleets::settle(reader.instances, &reader.names, &reader.ended);
            }
            let hidden = std::mem::take(&mut reader.hidden);
            hidden.into_iter().for_each(|span| reading.hide(span));
        }
    }
    cloud::lower(&instances, reading, &mut account);
    account.close(reading);
}

struct Reader<'j, 'a> {
    source: SourceId,
    aspect: Aspect,
    names: Names<'j>,
    beside: Beside,
    account: &'a mut Account,
    instances: &'a mut Vec<Instance>,
    /// What must not be printed.
    hidden: Vec<Span>,
    /// The addresses that the changes are about.
    changed: BTreeSet<&'j str>,
    /// What groups of hosts are put behind no longer.
    ended: Vec<fleets::Ended<'j>>,
}

/// What is told besides the changes and changes nothing itself.
const BESIDES: &[(&str, &str)] = &[
    ("terraform_version", "which program wrote it"),
    ("timestamp", "when it was made"),
    ("variables", "what the values were computed from"),
    ("configuration", "what the values were computed from"),
    ("output_changes", "outputs"),
    ("resource_drift", "what had changed before, which the changes begin with"),
    ("relevant_attributes", "what the values were computed from"),
    ("checks", "conditions of the configuration on itself"),
    ("applyable", "whether there is anything to do"),
];

impl<'j> Reader<'j, '_> {
    fn document(&mut self, root: Node<'j>) {
        let whole = self.span(root);
        self.account.claim(whole, Disposition::Modelled);
        let Some(mut plan) = root.object() else { return self.gap(root, "a plan is an object") };
        self.version(plan.take("format_version"), root);
        self.whole(&mut plan);
        self.hide_variables(root);
        for (key, why) in BESIDES {
            if let Some(entry) = plan.take_entry(key) {
                self.inert(&entry, why);
            }
        }
        self.hide_outputs(root);
        let changes = plan.take_entry("resource_changes");
        let planned = plan.take_entry("planned_values");
        let prior = plan.take_entry("prior_state");
        if let Some(changes) = &changes {
            match changes.value.list() {
                Some(list) => list.for_each(|change| self.change(change)),
                None if changes.value.kind() == Kind::Null => {}
                None => self.gap(changes.value, "a list of changes is expected"),
            }
        }
        self.unchanged(prior.as_ref(), planned.as_ref());
        for entry in plan.close() {
            let name = escape(entry.name.as_bytes());
            self.gap(entry.key, format!("the key `{name}` is not known here: what it says may matter"));
        }
    }

    /// "The format version … Consumers should refuse a major version that they do not know."
    fn version(&mut self, version: Option<Node<'j>>, root: Node<'j>) {
        match version.map(|node| (node, node.text())) {
            Some((node, Some(text))) if text == "0.1" || text == "0.2" || text.starts_with("1.") => {
                self.account.claim(self.span(node), Disposition::Inert("the version of the format"));
            }
            Some((node, _)) => self.gap(node, "this version of the format is not known"),
            None => self.gap(root, "it has no `format_version`: not a plan as `terraform show -json` prints it"),
        }
    }

    /// A plan that says of itself that it is not whole decides nothing.
    fn whole(&mut self, plan: &mut Object<'j>) {
        for (key, whole, reason) in [
            ("errored", false, "planning ended in an error: the plan is not whole"),
            ("complete", true, "the plan is not complete: after it is carried out there is more to do"),
        ] {
            match plan.take_entry(key) {
                Some(entry) if entry.value.truth() == Some(whole) => self.inert(&entry, "the plan is whole"),
                Some(entry) => self.gap(entry.value, reason),
                None => {}
            }
        }
        for key in ["deferred_changes", "action_invocations"] {
            let Some(entry) = plan.take_entry(key) else { continue };
            if entry.value.list().is_some_and(|mut list| list.next().is_none()) {
                self.inert(&entry, "the plan is whole");
            } else {
                self.gap(entry.value, "what is put off, or done besides, is not in the plan");
            }
        }
    }

    fn change(&mut self, node: Node<'j>) {
        let Some(mut resource) = node.object() else { return self.gap(node, "a change is an object") };
        let (Some(address), Some(kind), Some(change)) = (
            resource.take("address").and_then(Node::text),
            resource.take("type").and_then(Node::text),
            resource.take("change").and_then(Node::object),
        ) else {
            return self.gap(node, "a change without `address`, `type` or `change`");
        };
        let mode = resource.take("mode").and_then(Node::text);
        let deposed = resource.take("deposed").and_then(Node::text);
        for key in ["module_address", "name", "index", "provider_name", "action_reason", "previous_address"] {
            if let Some(entry) = resource.take_entry(key) {
                self.inert(&entry, "the address says it, or it does not matter");
            }
        }
        for entry in resource.close() {
            self.unknown_key(&entry);
        }
        if deposed.is_none() {
            self.changed.insert(address);
        }
        let origin = self.span(node);
        match mode {
            Some("managed") => {}
            Some("data") => {
                return self.account.claim(origin, Disposition::Inert("it is only read"));
            }
            Some(_) | None => return self.gap(node, "neither a managed resource nor one that is only read"),
        }
        let address = deposed.map_or_else(|| address.to_owned(), |key| format!("{address} (deposed {key})"));
        self.managed(node, &address, kind, change);
    }

    fn managed(&mut self, node: Node<'j>, address: &str, kind: &str, mut change: Object<'j>) {
        let Some(actions) = change.take("actions").and_then(Node::list) else {
            return self.gap(node, "a change without `actions`");
        };
        let actions: Vec<Option<&str>> = actions.map(Node::text).collect();
        let forgets = match actions.as_slice() {
            [Some("no-op" | "create" | "update" | "delete" | "read")]
            | [Some("delete"), Some("create")]
            | [Some("create"), Some("delete")] => false,
            [Some("forget")] | [Some("create"), Some("forget")] => true,
            _ => {
                self.gap(node, "what is done is not known here");
                false
            }
        };
        let parts = ["before", "after", "after_unknown", "before_sensitive", "after_sensitive"];
        let entries = parts.map(|key| change.take_entry(key));
        let [before, after, unknown, before_sensitive, after_sensitive] =
            entries.each_ref().map(|entry| entry.as_ref().map(|entry| entry.value));
        for key in ["replace_paths", "importing", "generated_config", "before_identity", "after_identity"] {
            if let Some(entry) = change.take_entry(key) {
                self.inert(&entry, "how it is done");
            }
        }
        for entry in change.close() {
            self.unknown_key(&entry);
        }
        let present = |node: Option<Node<'j>>| node.filter(|node| node.kind() != Kind::Null);
        let (before, after) = (present(before), present(after));
        for (value, sensitive) in [(before, before_sensitive), (after, after_sensitive)] {
            self.hide(value, sensitive);
        }
        if forgets && after.is_none() {
            // "removed … without destroying": what it does to packets it goes on doing.
            self.account.claim(self.span(node), Disposition::Inert("it stays as it is, and is managed no longer"));
        }
        self.ended.extend(fleets::ended(kind, before, after.or(before.filter(|_| forgets))));
        let (value, unknown, sensitive) = match self.aspect {
            Aspect::Before => (before, None, before_sensitive),
            Aspect::After if forgets && after.is_none() => (before, None, before_sensitive),
            Aspect::After => (after, unknown, after_sensitive),
        };
        for (n, entry) in entries.iter().enumerate() {
            let Some(entry) = entry else { continue };
            match n {
                0 | 1 if Some(entry.value.place()) == value.map(Node::place) => {}
                0 | 1 => self.inert(entry, "the other side"),
                2 => self.inert(entry, "which values are unknown, told where they stand"),
                _ => self.inert(entry, "which values must not be printed"),
            }
        }
        let Some(value) = value else { return };
        let had = |name: &str| {
            let old = before.and_then(Node::object).and_then(|mut object| object.take(name));
            old.is_some_and(|old| old.kind() != Kind::Null && old.written() != "[]")
        };
        let merge = Merge { source: self.source, names: &self.names, address, was_set: &had };
        let body = merge.body(value, unknown, sensitive);
        let new = self.aspect == Aspect::After && before.is_none();
        self.instance(address, kind, body, new, node);
    }

    fn instance(&mut self, address: &str, kind: &str, body: Value, new: bool, node: Node<'j>) {
        let origin = self.span(node);
        let instance = Instance { kind: kind.into(), address: address.into(), body, origin, existence: None };
        self.instances.push(self.beside.place(instance, new, &mut self.hidden));
    }

    /// What no change is about is as it was: the prior state says it, and the planned values once more. Where there are
    /// no changes, the planned values are all there is to the side after.
    fn unchanged(&mut self, prior: Option<&Entry<'j>>, planned: Option<&Entry<'j>>) {
        let mut known: BTreeMap<String, bool> = BTreeMap::new();
        if let Some(prior) = prior {
            let values = prior.value.object().and_then(|mut state| state.take("values"));
            for resource in state::resources(values, self) {
                if self.changed.contains(resource.address.as_str()) {
                    continue;
                }
                known.insert(resource.address.clone(), true);
                self.take(resource);
            }
            self.inert(prior, "what the changes say of the side before");
        }
        if let Some(planned) = planned {
            for resource in state::resources(Some(planned.value), self) {
                if self.changed.contains(resource.address.as_str()) || known.contains_key(&resource.address) {
                    continue;
                }
                if self.aspect == Aspect::After {
                    self.take(resource);
                }
            }
            self.inert(planned, "what the changes say of the side after");
        }
    }

    fn take(&mut self, resource: state::Resource<'j>) {
        let state::Resource { address, kind, node, values, sensitive } = resource;
        let Some(values) = values else {
            return self.gap(node, format!("nothing is said of `{}`", escape(address.as_bytes())));
        };
        let merge = Merge { source: self.source, names: &self.names, address: &address, was_set: &|_| false };
        let body = merge.body(values, None, sensitive);
        self.instance(&address, kind, body, false, node);
    }

    /// Variables that the configuration calls sensitive. Without a word on that (versions before 0.2) all may be.
    fn hide_variables(&mut self, root: Node<'j>) {
        let Some(mut plan) = root.object() else { return };
        let says = plan.take("format_version").and_then(Node::text).is_some_and(|text| text != "0.1");
        let Some(variables) = plan.take("variables").and_then(Node::object) else { return };
        for entry in variables.close() {
            if !says || self.names.is_sensitive(entry.name) {
                self.hidden.push(self.span(entry.value));
            }
        }
    }

    fn hide_outputs(&mut self, root: Node<'j>) {
        let Some(mut plan) = root.object() else { return };
        let Some(outputs) = plan.take("output_changes").and_then(Node::object) else { return };
        for output in outputs.close() {
            let Some(mut change) = output.value.object() else { continue };
            for (value, sensitive) in [("before", "before_sensitive"), ("after", "after_sensitive")] {
                let (value, sensitive) = (change.take(value), change.take(sensitive));
                self.hide(value, sensitive);
            }
        }
    }

    /// The places of what is marked in a second tree of the same shape.
    fn hide(&mut self, value: Option<Node<'j>>, sensitive: Option<Node<'j>>) {
        let (Some(value), Some(sensitive)) = (value, sensitive) else { return };
        match sensitive.kind() {
            Kind::Truth => {
                if sensitive.truth() == Some(true) {
                    self.hidden.push(self.span(value));
                }
            }
            Kind::List => {
                for (value, mark) in value.list().into_iter().flatten().zip(sensitive.list().into_iter().flatten()) {
                    self.hide(Some(value), Some(mark));
                }
            }
            Kind::Object => {
                let Some(mut values) = value.object() else { return };
                for mark in sensitive.object().map(Object::close).unwrap_or_default() {
                    self.hide(values.take(mark.name), Some(mark.value));
                }
            }
            Kind::Null | Kind::Number | Kind::Text => self.hidden.push(self.span(value)),
        }
    }
}

impl Keys for Reader<'_, '_> {
    fn source(&self) -> SourceId {
        self.source
    }

    fn account(&mut self) -> &mut Account {
        self.account
    }
}
