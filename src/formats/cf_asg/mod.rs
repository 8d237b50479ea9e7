//! Cloud Foundry application security groups as JSON: the list of rules that `cf create-security-group` takes, the object
//! with `name` and `rules` of the Cloud Controller API, and its lists of those.
//!
//! docs.cloudfoundry.org, "App Security Groups"; Cloud Controller API v3, "Security groups".

use super::account::Account;
use super::cloud::{self, Instance};
use super::data::value::{Entry, Value};
use super::data::{Json, Keys, Kind, Node, value_of};
use super::{Disposition, Format, Reading};
use crate::text::{SourceId, Span};

pub(super) static FORMAT: CfAsg = CfAsg;

pub(super) struct CfAsg;

/// The type of resource that a group is lowered as.
const KIND: &str = "cloudfoundry_asg";
/// The address of the group of a file that gives it no name, and is alone.
const ALONE: &str = "group";

impl Format for CfAsg {
    fn id(&self) -> &'static str {
        "cf-asg"
    }

    fn recognises(&self, _name: &str, text: &[u8]) -> bool {
        let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
        let first = text.trim_ascii_start().first();
        let is_list = first == Some(&b'[') && has("\"protocol\"") && has("\"destination\"");
        let is_group = first == Some(&b'{') && has("\"rules\"") && has("\"destination\"") && has("\"protocol\"");
        let other = || has("\"nftables\"") || has("\"kind\"") || has("\"format_version\"");
        (is_list || is_group) && !other()
    }

    fn read(&self, reading: &mut Reading<'_>) {
        let mut account = Account::default();
        let mut groups = Vec::new();
        let files = reading.files();
        for file in files {
            let text = reading.text(*file);
            let whole = Span { source: *file, start: 0, end: super::end_of(text) };
            if text.trim_ascii().is_empty() {
                account.gap(whole, "the file is empty: that is no list of rules");
                continue;
            }
            if !matches!(text.trim_ascii_start().first(), Some(b'[' | b'{')) {
                account.gap(whole, "not JSON: a security group is read as `cf create-security-group` takes it; take it out of a manifest or page first");
                continue;
            }
            match Json::read(text) {
                Err(refused) => {
                    let at = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
                    let span = Span { source: *file, start: at(refused.at.start), end: at(refused.at.end) };
                    account.claim(whole, Disposition::Modelled);
                    account.gap(span, format!("not JSON: {}", refused.reason));
                }
                Ok(json) => {
                    let name = if files.len() == 1 { ALONE.to_owned() } else { stem(reading.name(*file)) };
                    let mut reader = Reader { source: *file, account: &mut account, groups: &mut groups };
                    reader.document(json.root(), &name);
                }
            }
        }
        for (n, group) in groups.iter().enumerate() {
            if groups.iter().take(n).any(|other| other.address == group.address) {
                account.gap(group.origin, "another group of that name is read already");
            }
        }
        cloud::lower(&groups, reading, &mut account);
        account.close(reading);
    }
}

/// The name of a file without folders and ending.
fn stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".json").unwrap_or(name).to_owned()
}

struct Reader<'a> {
    source: SourceId,
    account: &'a mut Account,
    groups: &'a mut Vec<Instance>,
}

impl Reader<'_> {
    fn document(&mut self, root: Node<'_>, name: &str) {
        self.account.claim(self.span(root), Disposition::Modelled);
        let keys = |key: &str| root.object().is_some_and(|mut object| object.take(key).is_some());
        match root.kind() {
            Kind::List => {
                let rules = value_of(self.source, root);
                let at = rules.at;
                let entry = Entry { name: "rules".into(), at: Span { end: at.start, ..at }, value: rules };
                self.groups.push(self.instance(name, Value::of_entries(vec![entry], at), at));
            }
            Kind::Object if keys("resources") => self.page(root),
            Kind::Object => self.group(root, name),
            Kind::Null | Kind::Truth | Kind::Number | Kind::Text => {
                self.account.gap(self.span(root), "a list of rules or a group is expected");
            }
        }
    }

    /// What the API answers to a request for several groups: one page of them.
    fn page(&mut self, root: Node<'_>) {
        let Some(mut page) = root.object() else { return };
        if let Some(pagination) = page.take("pagination") {
            let next = pagination.object().and_then(|mut object| object.take("next"));
            if next.is_some_and(|next| next.kind() != Kind::Null) {
                self.account.gap(self.span(pagination), "the list goes on in another page, which is not here");
            } else {
                self.account.claim(self.span(pagination), Disposition::Inert("about the list, not in it"));
            }
        }
        let resources = page.take("resources");
        for entry in page.close() {
            let reason = format!("the key `{}` is not known here", crate::text::escape(entry.name.as_bytes()));
            self.account.gap(self.span(entry.key), reason);
        }
        match resources.and_then(Node::list) {
            Some(groups) => groups.for_each(|group| self.group(group, ALONE)),
            None => self.account.gap(self.span(root), "`resources` is a list of groups"),
        }
    }

    fn group(&mut self, node: Node<'_>, name: &str) {
        let at = self.span(node);
        let body = value_of(self.source, node);
        let Some(object) = body.object() else {
            return self.account.gap(at, "a group is expected: an object with `name` and `rules`");
        };
        if object.get("rules").and_then(Value::list).is_none() {
            self.account.gap(at, "it has no list of `rules`: not a security group");
            return;
        }
        let name = object.get("name").and_then(Value::text).map_or_else(|| name.to_owned(), ToOwned::to_owned);
        self.groups.push(self.instance(&name, body, at));
    }

    fn instance(&self, name: &str, body: Value, origin: Span) -> Instance {
        Instance { kind: KIND.into(), address: name.into(), body, origin, existence: None }
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
