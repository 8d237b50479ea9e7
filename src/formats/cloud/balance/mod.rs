//! Load balancers of cloud providers: which requests reach which servers.
//!
//! One file a provider, and what they have in common. What a resource says is in the model where it decides about
//! requests or servers, and otherwise in the text that is compared; arguments that are in neither are gaps.

mod actions;
mod aws;
mod azure;
mod certificates;
mod classic;
mod exoscale;
mod google;
mod members;
mod rules;
mod scaleway;
mod services;
mod sizes;
mod targets;
mod url_maps;

use super::attributes::{Attributes, Items, Known, text_of, whole};
use super::content::{says, show};
use super::line::Condition as Unknown;
use super::{Instance, Lowering, Provider, points};
use crate::formats::Disposition;
use crate::formats::balancers;
use crate::formats::data::value::Value;
use crate::model::{
    Backend, Condition, Endpoint, Listener, Object, Outcome, Paths, Protocol, Route, Server, Subject, Tls,
};
use crate::net::{Family, Pattern, Set, parse_address};
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The types of resources, and what lowers them. What lowers later is looked at by nothing before.
pub(super) static PROVIDERS: &[Provider] = &[
    (members::KINDS, members::lower),
    (certificates::KINDS, certificates::lower),
    (aws::KINDS, aws::lower),
    (classic::KINDS, classic::lower),
    (azure::KINDS, azure::lower),
    (exoscale::KINDS, exoscale::lower),
    (google::KINDS, google::lower),
    (scaleway::KINDS, scaleway::lower),
];

pub(super) use members::{ARGUMENTS, KINDS as MEMBERS};
pub(in crate::formats) use sizes::count_of;

/// What providers fill in by themselves and nobody can change, and names that nothing refers to.
const COMPUTED: &[&str] = &[
    "id",
    "arn",
    "arn_suffix",
    "dns_name",
    "zone_id",
    "vpc_id",
    "tags",
    "tags_all",
    "labels",
    "effective_labels",
    "terraform_labels",
    "label_fingerprint",
    "region",
    "timeouts",
    "self_link",
    "creation_timestamp",
    "fingerprint",
    "generated_id",
    "description",
    "created_at",
    "updated_at",
    "state",
];

/// What is in the making.
#[derive(Debug, Default)]
pub(super) struct Balancers {
    pub(super) listeners: Vec<Listener>,
    pub(super) backends: Vec<Backend>,
    /// The names of the backends.
    pub(super) known: BTreeSet<String>,
    /// What puts servers behind balancers while they run, by what it puts them behind.
    members: BTreeMap<String, Vec<members::Member>>,
    /// How many servers it has, by its address.
    sizes: BTreeMap<String, sizes::Size>,
    /// What somebody has asked the members of.
    joined: BTreeSet<String>,
    /// How many hosts of groups are counted.
    counted: balancers::Numbered,
    /// The backends that tell what is said of a group, and its address.
    told: BTreeSet<(String, String)>,
    /// Backends that requests are sent to: why they may not be here, and where they are named first.
    awaited: BTreeMap<String, (String, Span)>,
}

/// A resource that an argument names.
#[derive(Debug, Clone)]
struct Referred<'i> {
    /// Its address if it is one of this configuration, otherwise what is written.
    name: String,
    /// It itself, if it is.
    instance: Option<&'i Instance>,
}

/// A number that may not be known: a port, a weight.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Number {
    /// It is not said.
    Unsaid,
    /// It is this.
    Is(u32),
    /// It is not known; its name.
    Unknown(String),
}

impl Number {
    /// The port that it is.
    fn port(&self) -> Option<u16> {
        match self {
            Self::Is(number) => u16::try_from(*number).ok(),
            Self::Unsaid | Self::Unknown(_) => None,
        }
    }

    /// What has to be told of it besides.
    fn unknown(&self, what: &str) -> Option<String> {
        match self {
            Self::Unknown(name) => Some(format!("{what} = unknown {name}")),
            Self::Unsaid | Self::Is(_) => None,
        }
    }
}

/// How clients reach a listener.
struct Reached {
    protocol: Protocol,
    address: String,
    addresses: Option<(Set, Set)>,
    /// `None`: one that is not known.
    ports: Vec<Option<(u16, u16)>>,
    tls: Option<Tls>,
}

/// What a listener does.
struct Decides {
    routes: Vec<Route>,
    otherwise: Outcome,
    otherwise_at: Option<Span>,
    settings: Vec<String>,
}

impl<'i> Lowering<'_, 'i> {
    /// A condition of which nothing is known but its text.
    fn unknown(&mut self, condition: &Unknown) -> Condition {
        let opaque = Condition::Opaque(condition.intern(self.store));
        if condition.holds() { opaque } else { opaque.negated() }
    }

    /// The same, from its text.
    fn opaque(&mut self, text: impl AsRef<str>) -> Condition {
        self.unknown(&Unknown::new(text))
    }

    /// That a resource is there.
    fn existing(&mut self, instance: &Instance) -> Condition {
        match &instance.existence {
            None => Condition::Always,
            Some(name) => self.unknown(&points::existence(name)),
        }
    }

    /// The resource of one of these types that an argument names.
    fn refer(&mut self, known: &Known<Arc<str>>, kinds: &[&'static str], at: Span) -> Referred<'i> {
        let name = self.target(known, kinds, at);
        let instance = self.index.addresses.get(name.as_str()).copied();
        Referred { instance: instance.filter(|instance| kinds.contains(&&*instance.kind)), name }
    }

    /// The resource that an argument of that name has to name; a gap if it is not there.
    fn needed(&mut self, block: &mut Attributes<'_>, name: &str, kinds: &[&'static str]) -> Option<Referred<'i>> {
        let (at, known) = (self.place(block, name), block.text(name, self.account));
        match known {
            Some(known) => Some(self.refer(&known, kinds, at)),
            None => {
                self.account.gap(block.at, format!("it has no `{name}`"));
                None
            }
        }
    }

    /// The same, if it is there.
    fn named(&mut self, block: &mut Attributes<'_>, name: &str, kinds: &[&'static str]) -> Option<Referred<'i>> {
        let at = self.place(block, name);
        let known = block.text(name, self.account)?;
        if known == Known::Is("".into()) {
            return None;
        }
        Some(self.refer(&known, kinds, at))
    }

    /// All that an argument names.
    fn all_named(
        &mut self,
        block: &mut Attributes<'_>,
        name: &str,
        kinds: &[&'static str],
    ) -> Vec<(Referred<'i>, Span)> {
        let mut out = Vec::new();
        for item in block.items(name).all() {
            if let Some(known) = text_of(&item, "name of a resource", self.account) {
                out.push((self.refer(&known, kinds, item.at), item.at));
            }
        }
        out
    }

    fn place(&self, block: &Attributes<'_>, name: &str) -> Span {
        block.value(name).map_or(block.at, |value| value.at)
    }

    /// A number from 0 to `most`.
    fn number(&mut self, block: &mut Attributes<'_>, name: &str, most: u32) -> Number {
        match block.number(name, self.account) {
            None => Number::Unsaid,
            Some(Known::Not(name)) => Number::Unknown(name),
            Some(Known::Is(number)) => match u32::try_from(number).ok().filter(|number| *number <= most) {
                Some(number) => Number::Is(number),
                None => {
                    self.account.gap(self.place(block, name), format!("`{name}` is a number from 0 to {most}"));
                    Number::Unknown(number.to_string())
                }
            },
        }
    }

    /// A port.
    fn port(&mut self, block: &mut Attributes<'_>, name: &str) -> Number {
        self.number(block, name, u16::MAX.into())
    }

    /// A word, in lower case; what is not known is named so.
    fn word(&mut self, block: &mut Attributes<'_>, name: &str) -> Option<Known<String>> {
        Some(match block.text(name, self.account)? {
            Known::Is(text) if text.is_empty() => return None,
            Known::Is(text) => Known::Is(text.to_ascii_lowercase()),
            Known::Not(name) => Known::Not(name),
        })
    }

    /// The same, where it is `usual` if it is not said.
    fn word_or(&mut self, block: &mut Attributes<'_>, name: &str, usual: &str) -> Known<String> {
        let at = self.place(block, name);
        match self.word(block, name) {
            Some(Known::Is(word)) if word == usual => {
                self.account.claim(at, Disposition::Inert("as it is by default"));
                Known::Is(word)
            }
            Some(known) => known,
            None => Known::Is(usual.to_owned()),
        }
    }

    /// A truth that is `otherwise` where it is not said; or the name of what it is.
    fn flag(&mut self, block: &mut Attributes<'_>, name: &str, otherwise: bool) -> Known<bool> {
        block.truth(name, self.account).unwrap_or(Known::Is(otherwise))
    }

    /// What arguments say that is compared and not computed: those of these names, but for what is so by default.
    fn rest(&mut self, block: &mut Attributes<'_>, names: &[(&str, &str)]) -> String {
        let mut parts = Vec::new();
        for (name, default) in names {
            let Some(entry) = block.take(name) else { continue };
            if !says(&entry.value) && *default != "true" {
                continue;
            }
            if !default.is_empty() && entry.value.as_text().is_some_and(|text| &*text == *default) {
                self.account.claim(whole(entry), Disposition::Inert("as it is by default"));
                continue;
            }
            parts.push(format!("{name} = {}", self.said(&entry.value)));
        }
        parts.join(", ")
    }

    /// A value in words; what must not be printed is told apart all the same.
    fn said(&self, value: &Value) -> String {
        if let (true, Some(text)) = (value.sensitive, value.as_text()) {
            return super::attributes::sensitive("value", &text);
        }
        show(value)
    }

    /// Closes a resource or block: what providers fill in says nothing, all else that is left is a gap.
    fn done(&mut self, mut block: Attributes<'_>) {
        let left: Vec<&str> = COMPUTED.iter().copied().filter(|name| !block.took(name)).collect();
        block.inert(&left, "it decides about no request", self.account);
        block.close(self.account);
    }

    /// The only block of a name.
    fn block<'v>(&mut self, of: &mut Attributes<'v>, name: &str) -> Option<&'v Value> {
        let items = of.items(name);
        if let Some((unknown, value)) = items.perhaps.first() {
            let unknown = escape(unknown.as_bytes());
            self.account.gap(value.at, format!("whether there is a block `{name}` is not known: `{unknown}`"));
        }
        if let Some(second) = items.there.get(1) {
            self.account.gap(second.at, format!("there is only one block `{name}`"));
        }
        items.there.first().copied()
    }

    /// A request of which one of some texts is as a pattern of `make` says; `what` is what is asked, in words.
    fn texts(
        &mut self,
        items: &Items<'_>,
        subject: Subject,
        what: &str,
        make: impl Fn(&str) -> Option<Pattern>,
    ) -> Condition {
        let (mut patterns, mut parts) = (Vec::new(), Vec::new());
        for item in items.all() {
            match text_of(&item, "text", self.account) {
                Some(Known::Is(text)) => match make(&text) {
                    Some(pattern) => patterns.push(pattern),
                    None => parts.push(self.opaque(format!("the {what} is {text}"))),
                },
                Some(Known::Not(name)) => parts.push(self.opaque(format!("the {what} is one of {name}"))),
                None => {}
            }
        }
        if !patterns.is_empty() {
            parts.push(balancers::text(self.store, subject, patterns));
        }
        Condition::any(parts)
    }

    /// A request from one of some addresses.
    fn sources(&mut self, items: &Items<'_>) -> Condition {
        use super::line::Peer;
        let (mut ipv4, mut ipv6, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for peer in super::attributes::peers(items, "source", None, self.account) {
            match peer {
                Peer::Any => return Condition::Always,
                Peer::Known(Family::Ipv4, set) => ipv4.extend(set.ranges()),
                Peer::Known(Family::Ipv6, set) => ipv6.extend(set.ranges()),
                Peer::KnownIf(family, set, condition) => {
                    let (ipv4, ipv6) = match family {
                        Family::Ipv4 => (set, Set::empty()),
                        Family::Ipv6 => (Set::empty(), set),
                    };
                    let known = balancers::source(self.store, ipv4, ipv6);
                    parts.push(Condition::all([self.unknown(&condition), known]));
                }
                Peer::If(condition) => parts.push(self.unknown(&condition)),
            }
        }
        parts.push(balancers::source(self.store, Set::from_ranges(ipv4), Set::from_ranges(ipv6)));
        Condition::any(parts)
    }

    /// There is a listener.
    fn listen(&mut self, name: String, instance: &Instance, owner: Option<String>, reached: Reached, decides: Decides) {
        let Reached { protocol, address, addresses, ports, tls } = reached;
        let Decides { mut routes, otherwise, otherwise_at, mut settings } = decides;
        let origin = instance.origin;
        if let Some(there) = &instance.existence {
            let condition = self.existing(instance).negated();
            let outcome = Outcome::Refused(format!("{there} is not there"));
            routes.insert(0, Route { condition, outcome, origin });
        }
        settings.retain(|text| !text.is_empty());
        let endpoint = |ports: &Option<(u16, u16)>| Endpoint {
            address: address.clone(),
            addresses: addresses.clone(),
            ports: *ports,
            tls: tls.clone(),
            origin,
        };
        self.balancers.listeners.push(Listener {
            name,
            protocol,
            endpoints: ports.iter().map(endpoint).collect(),
            paths: Paths::AsWritten,
            routes,
            otherwise,
            otherwise_at,
            settings: settings.join("; "),
            owner: owner.or_else(|| super::content::owner(&instance.body)),
            origin,
        });
    }

    /// A part of something that is not in these files.
    fn apart(&mut self, address: String, kind: &'static str, content: String, origin: Span) {
        let (address, content) = (escape(address.as_bytes()), escape(content.as_bytes()));
        let uncomputed = Some("what it is a part of is not in these files");
        self.objects.push(Object { uncomputed, ..Object::new(kind, address, content, origin) });
    }

    /// Where a balancer is reached, which says so in an argument if it is known.
    fn addresses(&self, of: Option<&Referred<'_>>, name: &str) -> (String, Option<(Set, Set)>) {
        let body = of.and_then(|of| of.instance).and_then(|instance| instance.body.object());
        let value = body.and_then(|body| body.get(name)).filter(|value| !value.sensitive);
        let known = value.and_then(Value::as_text).and_then(|text| Some((parse_address(&text)?, text)));
        match known {
            Some(((Family::Ipv4, address), text)) => (text.to_string(), Some((Set::point(address), Set::empty()))),
            Some(((Family::Ipv6, address), text)) => (text.to_string(), Some((Set::empty(), Set::point(address)))),
            None => (of.map_or("a load balancer", |of| &of.name).to_owned(), None),
        }
    }

    /// There is a backend.
    fn serve(&mut self, mut backend: Backend) {
        if !self.balancers.known.insert(backend.name.clone()) {
            self.account.gap(backend.origin, "another backend of that name is read already");
        }
        if backend.open.is_some() || backend.servers.is_empty() {
            // Which servers it has is not known: no other one has the same.
            backend.settings = joined([backend.settings, format!("the servers of {}", backend.name)]);
        }
        self.balancers.backends.push(backend);
    }

    /// There is a backend, whose settings tell which servers it has that are found at run time.
    fn serve_pool(&mut self, backend: Backend) {
        self.balancers.known.insert(backend.name.clone());
        self.balancers.backends.push(backend);
    }

    /// Requests go to a backend, which others may know.
    fn toward(&mut self, name: &str, why: &str, at: Span) -> Outcome {
        self.balancers.awaited.entry(name.to_owned()).or_insert_with(|| (why.to_owned(), at));
        Outcome::Backend(name.to_owned())
    }

    /// A backend for each name that requests are sent to and nothing here says what is behind.
    pub(super) fn finish_backends(&mut self) {
        for (name, (why, at)) in std::mem::take(&mut self.balancers.awaited) {
            if !self.balancers.known.contains(&name) {
                let mut backend = backend(name.clone(), None, at);
                backend.open = Some(why);
                self.join(&mut backend, &name, None, None);
                self.serve(backend);
            }
        }
        self.finish_members();
    }
}

/// A backend without servers.
fn backend(name: String, owner: Option<String>, origin: Span) -> Backend {
    Backend {
        name,
        servers: Vec::new(),
        open: None,
        health_check: None,
        sources: None,
        settings: String::new(),
        owner,
        origin,
    }
}

/// A server that takes part, if its resource is there.
fn server(name: String, address: String, port: Option<u16>, existence: Option<&Arc<str>>, origin: Span) -> Server {
    let settings = existence.map_or_else(String::new, |name| format!("if {name}"));
    let enabled = existence.is_none().then_some(true);
    Server { enabled, settings, ..Server::new(name, address, port, origin) }
}

/// A text that is known, or what it is called.
fn shown(known: &Known<Arc<str>>) -> String {
    match known {
        Known::Is(text) => text.to_string(),
        Known::Not(name) => name.clone(),
    }
}

/// What is not known, as a text that is compared.
fn told(what: &str, known: &Known<String>) -> Option<String> {
    match known {
        Known::Is(_) => None,
        Known::Not(name) => Some(format!("{what} = unknown {name}")),
    }
}

/// Joins texts that say something.
fn joined(parts: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}
