//! Inventories of load balancers as JSON, for changes that do not come from a configuration file: what an API is about
//! to do to the balancers of a platform, written down before and after.
//!
//! ```json
//! {"version": 1,
//!  "balancers": [{"id": "lb-17", "name": "shop", "owner": "project-4", "addresses": ["203.0.113.7"],
//!    "sources": ["198.51.100.7"],
//!    "listeners": [{"name": "https", "port": 443, "protocol": "https", "certificates": ["shop-2026"],
//!      "allow": ["0.0.0.0/0"], "routes": [{"host": "shop.example", "path_prefix": "/api/", "backend": "api"}],
//!      "backend": "web"}],
//!    "backends": [{"name": "web", "health_check": {"protocol": "http", "path": "/up", "port": 8081},
//!      "servers": [{"name": "web1", "address": "10.0.0.1", "port": 8080, "weight": 1, "enabled": true,
//!        "backup": false}]}]}],
//!  "certificates": ["shop-2026"]}
//! ```
//! Needed are `version`, `balancers`, and in each part the keys that name it: `id`, `port`, `protocol`, `name`,
//! `address`. `sources` are the addresses from which servers see the balancer; without it these are `addresses`. Routes
//! are asked in order: `host` (`*` stands for any text), `path` (exactly), `path_prefix`, `sources`; `"refuse": "403"`
//! may stand for `backend`.

mod parts;

use super::account::Account;
use super::data::{Json, Keys, Kind, Node, Object};
use super::{Disposition, Format, Reading};
use crate::model::{Object as Declared, Reference};
use crate::text::{SourceId, Span, escape};
use std::collections::{BTreeSet, HashSet};

pub(super) static FORMAT: BalancerInventory = BalancerInventory;

pub(super) struct BalancerInventory;

impl Format for BalancerInventory {
    fn id(&self) -> &'static str {
        "balancer-inventory"
    }

    fn recognises(&self, _name: &str, text: &[u8]) -> bool {
        let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
        text.trim_ascii_start().first() == Some(&b'{') && has("\"balancers\"") && has("\"version\"")
    }

    fn read(&self, reading: &mut Reading<'_>) {
        let mut account = Account::default();
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
                    let backends = reading.configuration.backends.iter().map(|backend| backend.name.clone()).collect();
                    Reader { source: *file, account: &mut account, reading, backends }.document(json.root());
                }
            }
        }
        let mut seen = BTreeSet::new();
        for object in &reading.configuration.objects {
            if !seen.insert((object.kind, object.address.clone())) {
                account.gap(object.origin, format!("another {} of that name is read already", object.kind));
            }
        }
        reading.configuration.objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
        // An inventory without a balancer says that there is none.
        reading.configuration.declares = true;
        super::balancers::finish(reading);
        account.close(reading);
    }
}

struct Reader<'a, 'r> {
    source: SourceId,
    account: &'a mut Account,
    reading: &'a mut Reading<'r>,
    /// The names of the backends so far.
    backends: HashSet<String>,
}

impl Reader<'_, '_> {
    fn document(&mut self, root: Node<'_>) {
        let Some(mut document) = self.object(root, "an inventory: an object with `version` and `balancers`") else {
            return;
        };
        match document.take("version") {
            Some(version) if version.natural() == Some(1) => {}
            Some(version) => self.gap(version, "only version 1 is known here"),
            None => self.gap(root, "it has no `version`"),
        }
        match document.take("balancers") {
            Some(list) => {
                for balancer in self.list(list, "`balancers` is a list") {
                    self.balancer(balancer);
                }
            }
            None => self.gap(root, "it has no `balancers`"),
        }
        if let Some(list) = document.take("certificates") {
            for name in self.list(list, "`certificates` is a list of names") {
                match name.text() {
                    Some(text) => self.declare("certificate", text, None, name),
                    None => self.gap(name, "the name of a certificate is a text"),
                }
            }
        }
        self.close(document);
    }

    fn declare(&mut self, kind: &'static str, address: &str, owner: Option<String>, at: Node<'_>) {
        let origin = self.span(at);
        self.reading.configuration.objects.push(Declared {
            kind,
            address: escape(address.as_bytes()),
            content: String::new(),
            elements: None,
            members: None,
            owner,
            origin,
            uncomputed: None,
            stays: None,
            rewritten: None,
        });
    }

    /// A backend that is named and is not there.
    fn undefined(&mut self, kind: &'static str, address: &str, at: Node<'_>) {
        let origin = self.span(at);
        self.reading.configuration.undefined.push(Reference { kind, address: escape(address.as_bytes()), origin });
    }

    fn object<'j>(&mut self, node: Node<'j>, what: &str) -> Option<Object<'j>> {
        let object = node.object();
        if object.is_none() {
            self.gap(node, format!("{what} is expected"));
        }
        object
    }

    fn list<'j>(&mut self, node: Node<'j>, what: &str) -> Vec<Node<'j>> {
        match node.list() {
            Some(items) => items.collect(),
            None => {
                self.gap(node, what);
                Vec::new()
            }
        }
    }

    /// The text of a key that has to be there.
    fn needed<'j>(&mut self, object: &mut Object<'j>, key: &str) -> Option<&'j str> {
        let at = object.at;
        match object.take(key) {
            None => {
                self.gap(at, format!("it has no `{key}`"));
                None
            }
            Some(node) => self.text(node, key),
        }
    }

    fn text<'j>(&mut self, node: Node<'j>, key: &str) -> Option<&'j str> {
        let text = node.text();
        if text.is_none() {
            self.gap(node, format!("`{key}` is a text"));
        }
        text
    }

    fn optional<'j>(&mut self, object: &mut Object<'j>, key: &str) -> Option<&'j str> {
        let node = object.take(key).filter(|node| node.kind() != Kind::Null)?;
        self.text(node, key)
    }

    fn port(&mut self, node: Node<'_>) -> Option<u16> {
        let port = node.natural().and_then(|port| u16::try_from(port).ok());
        if port.is_none() {
            self.gap(node, "a port is a number from 0 to 65535");
        }
        port
    }

    fn truth(&mut self, object: &mut Object<'_>, key: &str, otherwise: bool) -> Option<bool> {
        match object.take(key) {
            None => Some(otherwise),
            Some(node) => {
                if node.truth().is_none() {
                    self.gap(node, format!("`{key}` is true or false"));
                }
                node.truth()
            }
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
