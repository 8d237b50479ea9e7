//! Gateways and what lets objects of one namespace name those of another: what their fields say.
//!
//! Gateway API (gateway.networking.k8s.io), "Gateway", "ReferenceGrant".

use super::conditions::is_host;
use super::{Name, Said, annotations};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::value::Value;
use crate::formats::kubernetes::fields::Fields;
use crate::formats::kubernetes::read::Meta;
use crate::formats::kubernetes::selector::Selector;
use crate::text::Span;
use std::sync::Arc;

/// The group of the objects of the Gateway API.
pub(super) const GROUP: &str = "gateway.networking.k8s.io";

/// A Gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) name: Name,
    pub(super) doors: Vec<Door>,
    /// Where it is reached, where that is said.
    pub(super) addresses: Vec<String>,
    pub(super) settings: Vec<String>,
    /// Whether cert-manager makes the certificates that it names.
    pub(super) makes_certificates: bool,
    pub(super) owner: Option<String>,
}

/// What the API calls a listener of a Gateway: several of them share a port.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) name: String,
    pub(super) host: Option<String>,
    pub(super) port: u16,
    pub(super) speaks: Speaks,
    pub(super) tls: DoorTls,
    pub(super) allowed: Allowed,
    /// The kinds of routes that it takes; `None`: those of its protocol.
    pub(super) kinds: Option<Vec<String>>,
    pub(super) at: Span,
}

/// What is spoken at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Speaks {
    Http,
    Https,
    /// TLS that is passed on as it is.
    Passthrough,
    /// TLS that ends at the Gateway.
    Tls,
    Tcp,
    Udp,
}

#[derive(Debug, Default)]
pub(super) struct DoorTls {
    /// As `namespace/name`, and where.
    pub(super) certificates: Vec<Said>,
    pub(super) settings: Vec<String>,
}

/// The namespaces whose routes a door takes.
#[derive(Debug)]
pub(super) enum Allowed {
    /// That of the Gateway.
    Same,
    All,
    None,
    With(Selector),
}

/// That objects of one namespace may name some of another.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) namespace: Arc<str>,
    /// Group, kind and namespace.
    pub(super) from: Vec<(String, String, String)>,
    /// Group, kind and name; without a name: all.
    pub(super) to: Vec<(String, String, Option<String>)>,
}

pub(super) fn gateway(fields: Fields<'_>, meta: &Meta<'_>, account: &mut Account) -> Option<Gateway> {
    let mut spec = fields.spec(meta.at, account)?;
    let mut settings = annotations::settings(meta.annotations, account);
    let makers = ["cert-manager.io/cluster-issuer: ", "cert-manager.io/issuer: "];
    let makes_certificates = settings.iter().any(|text| makers.iter().any(|maker| text.starts_with(maker)));
    for field in ["gatewayClassName", "infrastructure", "tls", "allowedListeners", "defaultScope"] {
        settings.extend(spec.setting(field, "", account));
    }
    let mut addresses = Vec::new();
    for value in spec.list("addresses", account).unwrap_or_default() {
        let mut address = Fields::of(value, account);
        address.setting("type", "", account);
        addresses.extend(address.word("value", account).map(str::to_owned));
        address.close(account);
    }
    let mut doors: Vec<Door> = Vec::new();
    for value in spec.list("listeners", account).unwrap_or_default() {
        let Some(door) = door(value, meta, account) else { continue };
        if doors.iter().any(|other| other.name == door.name) {
            account.gap(door.at, "another listener of the Gateway has that name");
        }
        doors.push(door);
    }
    spec.close(account);
    Some(Gateway {
        name: (Arc::clone(&meta.namespace), Arc::clone(&meta.name)),
        doors,
        addresses,
        settings,
        makes_certificates,
        owner: super::owner(meta),
    })
}

fn door(value: &Value, meta: &Meta<'_>, account: &mut Account) -> Option<Door> {
    let mut fields = Fields::of(value, account);
    let name = fields.word("name", account);
    let host = host(&mut fields, "hostname", account);
    let port = fields.number("port", 1..=65535, account).and_then(|port| u16::try_from(port).ok());
    let protocol_at = fields.place("protocol");
    let protocol = fields.word("protocol", account);
    let (mut tls, mut passes) = (DoorTls::default(), false);
    if let Some(value) = fields.take("tls") {
        passes = door_tls(value, meta, &mut tls, account);
    }
    let (mut allowed, mut kinds) = (Allowed::Same, None);
    if let Some(value) = fields.take("allowedRoutes") {
        (allowed, kinds) = allowed_routes(value, account);
    }
    fields.close(account);
    let speaks = match protocol {
        Some("HTTP") => Speaks::Http,
        Some("HTTPS") => Speaks::Https,
        Some("TLS") if passes => Speaks::Passthrough,
        Some("TLS") => Speaks::Tls,
        Some("TCP") => Speaks::Tcp,
        Some("UDP") => Speaks::Udp,
        Some(_) | None => {
            account.gap(protocol_at, "`protocol` is `HTTP`, `HTTPS`, `TLS`, `TCP` or `UDP`");
            return None;
        }
    };
    let (Some(name), Some(port)) = (name, port) else {
        account.gap(value.at, "a listener has a `name` and a `port`");
        return None;
    };
    Some(Door { name: name.to_owned(), host, port, speaks, tls, allowed, kinds, at: value.at })
}

/// A host that may be missing or empty.
pub(super) fn host(fields: &mut Fields<'_>, name: &'static str, account: &mut Account) -> Option<String> {
    let at = fields.place(name);
    let host = fields.text(name, account).filter(|host| !host.is_empty())?;
    if !is_host(host) {
        account.gap(at, "a host is a name in lowercase, whose first label may be `*`");
        return None;
    }
    Some(host.to_owned())
}

/// Reads the TLS of a door; whether it is passed on.
fn door_tls(value: &Value, meta: &Meta<'_>, tls: &mut DoorTls, account: &mut Account) -> bool {
    let mut fields = Fields::of(value, account);
    let mode_at = fields.place("mode");
    let mode = fields.word("mode", account).unwrap_or("Terminate");
    if mode != "Terminate" && mode != "Passthrough" {
        account.gap(mode_at, "`mode` is `Terminate` or `Passthrough`");
    }
    for value in fields.list("certificateRefs", account).unwrap_or_default() {
        let mut reference = Fields::of(value, account);
        let kind =
            (reference.text("group", account).unwrap_or(""), reference.text("kind", account).unwrap_or("Secret"));
        let name = reference.word("name", account);
        let namespace = reference.word("namespace", account).unwrap_or(&meta.namespace);
        reference.close(account);
        match (kind, name) {
            (("", "Secret"), Some(name)) => tls.certificates.push((format!("{namespace}/{name}"), value.at)),
            (_, _) => account.gap(value.at, "a certificate is a Secret, by its name"),
        }
    }
    for field in ["options", "frontendValidation"] {
        tls.settings.extend(fields.setting(field, "", account));
    }
    fields.close(account);
    mode == "Passthrough"
}

fn allowed_routes(value: &Value, account: &mut Account) -> (Allowed, Option<Vec<String>>) {
    let mut fields = Fields::of(value, account);
    let mut allowed = Allowed::Same;
    if let Some(value) = fields.take("namespaces") {
        let mut namespaces = Fields::of(value, account);
        let from_at = namespaces.place("from");
        let selector = namespaces.take("selector");
        allowed = match (namespaces.text("from", account).unwrap_or("Same"), selector) {
            ("Same", _) => Allowed::Same,
            ("All", _) => Allowed::All,
            ("None", _) => Allowed::None,
            ("Selector", Some(value)) => Allowed::With(Selector::read(value, account)),
            (_, _) => {
                account.gap(from_at, "`from` is `Same`, `All`, `None`, or `Selector` with a `selector`");
                Allowed::None
            }
        };
        if let Some(value) = selector.filter(|_| !matches!(allowed, Allowed::With(_))) {
            account.claim(value.at, Disposition::Inert("looked at with `from: Selector` only"));
        }
        namespaces.close(account);
    }
    let mut kinds = None;
    for value in fields.list("kinds", account).unwrap_or_default() {
        let mut kind = Fields::of(value, account);
        let group = kind.text("group", account).unwrap_or(GROUP);
        let name = kind.word("kind", account);
        kind.close(account);
        match name {
            Some(name) if group == GROUP => kinds.get_or_insert_with(Vec::new).push(name.to_owned()),
            Some(_) | None => {
                account.gap(value.at, "a kind of routes of the Gateway API is expected");
                kinds.get_or_insert_with(Vec::new);
            }
        }
    }
    fields.close(account);
    (allowed, kinds)
}

pub(super) fn grant(fields: Fields<'_>, meta: &Meta<'_>, account: &mut Account) -> Option<Grant> {
    if let Some(value) = meta.annotations {
        account.claim(value.at, Disposition::Inert("metadata"));
    }
    let mut spec = fields.spec(meta.at, account)?;
    let mut grant = Grant { namespace: Arc::clone(&meta.namespace), from: Vec::new(), to: Vec::new() };
    for value in spec.list("from", account).unwrap_or_default() {
        let mut from = Fields::of(value, account);
        let group = group(&mut from, account);
        let (kind, namespace) = (from.word("kind", account), from.word("namespace", account));
        from.close(account);
        match (kind, namespace) {
            (Some(kind), Some(namespace)) => grant.from.push((group, kind.to_owned(), namespace.to_owned())),
            (_, _) => account.gap(value.at, "who may refer is a `kind` in a `namespace`"),
        }
    }
    for value in spec.list("to", account).unwrap_or_default() {
        let mut to = Fields::of(value, account);
        let group = group(&mut to, account);
        let (kind, name) = (to.word("kind", account), to.word("name", account));
        to.close(account);
        match kind {
            Some(kind) => grant.to.push((group, kind.to_owned(), name.map(str::to_owned))),
            None => account.gap(value.at, "what may be referred to has a `kind`"),
        }
    }
    spec.close(account);
    Some(grant)
}

/// The group of a reference; the core group is empty.
pub(super) fn group(fields: &mut Fields<'_>, account: &mut Account) -> String {
    let at = fields.place("group");
    let group = fields.text("group", account).unwrap_or_default();
    if group.contains(char::is_whitespace) {
        account.gap(at, "`group` is a word");
    }
    group.to_owned()
}
