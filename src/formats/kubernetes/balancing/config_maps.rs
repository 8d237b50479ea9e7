//! ConfigMaps that tell ingress controllers of nginx what to do: with all Ingresses, and with ports beside those.
//!
//! kubernetes.github.io/ingress-nginx, "ConfigMaps", "Exposing TCP and UDP services". Which of them a controller reads is said
//! by its command line, which is not read: they are known by their usual names and labels. So that one is read is a condition
//! of which nothing is known. What is not modelled is a setting of all listeners of Ingresses that nginx may serve.

use super::annotations::{entries, ranges, truth};
use super::services::{Lowering, PortName, endpoint};
use super::{Name, Said};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::value::{Entry, Value};
use crate::formats::kubernetes::fields::{Fields, SETTING, is_word, whole};
use crate::formats::kubernetes::policy::is_port_name;
use crate::formats::kubernetes::read::{Meta, Reader};
use crate::formats::kubernetes::shown;
use crate::model::{Listener, Object, Paths, Protocol};
use crate::net::Set;
use crate::text::{Span, escape};
use std::sync::Arc;

/// What such a ConfigMap is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Settings of ingress-nginx, under a usual name.
    Settings,
    /// Something of a controller of nginx, or of which only the labels are known.
    Other,
    /// Ports that lead to Services; whether by UDP.
    Ports(bool),
}

/// The ends of the names of its settings, as its manifests and charts have them.
const SETTINGS: &[&str] = &[
    "ingress-nginx-controller",
    "nginx-configuration",
    "nginx-ingress-controller",
    "nginx-load-balancer-microk8s-conf",
];

/// Those of ports, by TCP and by UDP. Charts name them after themselves.
const PORTS: [&[&str]; 2] = [
    &["tcp-services", "ingress-nginx-tcp", "nginx-ingress-tcp", "nginx-ingress-tcp-microk8s-conf"],
    &["udp-services", "ingress-nginx-udp", "nginx-ingress-udp", "nginx-ingress-udp-microk8s-conf"],
];

/// The labels by which things of a controller of nginx are known.
const LABELS: &[&str] = &["app.kubernetes.io/name", "app.kubernetes.io/part-of", "app"];
const LABELLED: &[&str] = &["ingress-nginx", "nginx-ingress"];

/// The keys that decide about requests in ways that are not modelled, as their annotations do, unless they say so.
const NOT_MODELLED: &[(&str, &str)] = &[
    ("enable-modsecurity", "false"),
    ("enable-owasp-modsecurity-crs", "false"),
    ("global-auth-snippet", ""),
    ("http-snippet", ""),
    ("location-snippet", ""),
    ("main-snippet", ""),
    ("modsecurity-snippet", ""),
    ("server-snippet", ""),
    ("stream-snippet", ""),
];

/// What is said of values that are so anyway.
const USUAL: &str = "as it is by default";

/// The keys that name another ConfigMap, of headers.
const HEADERS: &[&str] = &["add-headers", "proxy-set-headers"];

/// Settings of a controller.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) name: Name,
    /// Whether it is surely one of ingress-nginx, whose keys are known.
    pub(super) is_known: bool,
    /// What is so for each Ingress that does not say it itself.
    pub(super) allowed: Option<(Set, Set, Span)>,
    pub(super) denied: Option<(Set, Set, Span)>,
    pub(super) to_tls: Option<bool>,
    pub(super) always_to_tls: Option<bool>,
    /// Who decides whether requests are let in.
    pub(super) authority: Option<Said>,
    /// Everything else.
    pub(super) settings: Vec<String>,
    /// The ConfigMaps that it names.
    headers: Vec<Name>,
    /// All that it says.
    text: String,
    pub(super) at: Span,
}

/// A port that leads to a Service.
#[derive(Debug)]
pub(super) struct Forward {
    /// The ConfigMap.
    of: Name,
    is_udp: bool,
    port: u16,
    to: (Name, PortName),
    /// Whether the PROXY protocol is spoken.
    settings: String,
    at: Span,
}

/// A ConfigMap of which nothing is known, until somebody names it.
#[derive(Debug)]
pub(super) struct Plain {
    name: Name,
    data: Option<Value>,
    at: Span,
}

impl Config {
    /// How it is called.
    pub(super) fn address(&self) -> String {
        address(&self.name)
    }
}

fn address((namespace, name): &Name) -> String {
    format!("ConfigMap/{}/{}", escape(namespace.as_bytes()), escape(name.as_bytes()))
}

fn role(meta: &Meta<'_>) -> Option<Role> {
    let ends = |names: &[&str]| names.iter().any(|known| meta.name.ends_with(known));
    for (names, is_udp) in PORTS.into_iter().zip([false, true]) {
        if ends(names) {
            return Some(Role::Ports(is_udp));
        }
    }
    if ends(SETTINGS) {
        return Some(Role::Settings);
    }
    let labelled = LABELS.iter().filter_map(|label| meta.labels.get(*label)).any(|value| LABELLED.contains(&&**value));
    // Every namespace has this one.
    let is_theirs = LABELLED.contains(&&*meta.namespace) && &*meta.name != "kube-root-ca.crt";
    (labelled || is_theirs).then_some(Role::Other)
}

pub(super) fn read(reader: &mut Reader, mut fields: Fields<'_>, meta: &Meta<'_>, at: Span) {
    let name: Name = (Arc::clone(&meta.namespace), Arc::clone(&meta.name));
    let Some(role) = role(meta) else {
        let data = fields.take("data").cloned();
        return reader.balancing.plain.push(Plain { name, data, at });
    };
    if !reader.first("ConfigMap", &address(&name), meta.at) {
        return;
    }
    let Reader { account, balancing, .. } = reader;
    fields.inert("immutable", "whether it may change", account);
    let data = fields.take("data");
    let binary = fields.setting("binaryData", "", account);
    fields.close(account);
    let entries = entries(data, account);
    if let Role::Ports(is_udp) = role {
        balancing.forwards.extend(entries.into_iter().filter_map(|entry| forward(&name, is_udp, entry, account)));
        return;
    }
    let text = data.map(shown::value).unwrap_or_default();
    let mut config = Config {
        name,
        is_known: role == Role::Settings,
        allowed: None,
        denied: None,
        to_tls: None,
        always_to_tls: None,
        authority: None,
        settings: binary.into_iter().collect(),
        headers: Vec::new(),
        text,
        at: meta.at,
    };
    let mut authority: Vec<(String, Span)> = Vec::new();
    for (entry, text) in entries {
        if config.is_known && key(&mut config, &mut authority, entry, text, account) {
            continue;
        }
        account.claim(whole(entry), Disposition::Opaque(SETTING));
        config.settings.push(format!("{}: {}", escape(entry.name.as_bytes()), escape(text.as_bytes())));
    }
    if let Some((_, at)) = authority.first() {
        let texts: Vec<&str> = authority.iter().map(|(text, _)| text.as_str()).collect();
        config.authority = Some((texts.join(", "), *at));
    }
    balancing.configs.push(config);
}

/// A key that is more than a setting.
fn key(
    config: &mut Config,
    authority: &mut Vec<(String, Span)>,
    entry: &Entry,
    text: &str,
    account: &mut Account,
) -> bool {
    let at = entry.value.at;
    match &*entry.name {
        "ssl-redirect" if text == "true" => account.claim(whole(entry), Disposition::Inert(USUAL)),
        "ssl-redirect" => config.to_tls = Some(truth(text, at, account)),
        "force-ssl-redirect" if text == "false" => account.claim(whole(entry), Disposition::Inert(USUAL)),
        "force-ssl-redirect" => config.always_to_tls = Some(truth(text, at, account)),
        "whitelist-source-range" => config.allowed = ranges(text, at, account),
        "denylist-source-range" => config.denied = ranges(text, at, account),
        name if NOT_MODELLED.iter().any(|(known, _)| *known == name) => {
            if text.trim().is_empty() || NOT_MODELLED.contains(&(name, text)) {
                account.claim(whole(entry), Disposition::Inert(USUAL));
            } else {
                account.gap(whole(entry), "what this key does to requests is not modelled");
            }
        }
        name if name.starts_with("global-auth-") => {
            account.claim(whole(entry), Disposition::Opaque("who lets requests in"));
            if !text.is_empty() {
                authority.push((format!("{name}: {}", escape(text.as_bytes())), at));
            }
        }
        name => {
            if HEADERS.contains(&name)
                && let Some((namespace, name)) = text.split_once('/')
            {
                config.headers.push((namespace.into(), name.into()));
            }
            return false;
        }
    }
    true
}

/// "The key is the external port to use and the value indicates the service to expose using the format
/// `<namespace/service name>:<service port>:[PROXY]:[PROXY]`. It is also possible to use a number or the name of the port."
fn forward(of: &Name, is_udp: bool, (entry, text): (&Entry, &str), account: &mut Account) -> Option<Forward> {
    let at = entry.value.at;
    let found = (|| {
        let port = entry.name.parse::<u16>().ok().filter(|port| *port > 0)?;
        let mut parts = text.split(':');
        let (namespace, name) = parts.next()?.split_once('/')?;
        let service = parts.next()?;
        let named = match service.parse::<u16>() {
            Ok(number) => PortName::Number(number),
            Err(_) if is_port_name(service) => PortName::Named(service.to_owned()),
            Err(_) => return None,
        };
        let flags: Vec<&str> = parts.collect();
        let known = flags.len() <= 2 && flags.iter().all(|flag| ["", "PROXY"].contains(flag));
        if !known || !is_word(namespace) || !is_word(name) {
            return None;
        }
        let said = ["from clients", "to servers"].into_iter().zip(&flags).filter(|(_, flag)| **flag == "PROXY");
        let settings: Vec<String> = said.map(|(way, _)| format!("the PROXY protocol {way}")).collect();
        let to = ((namespace.into(), name.into()), named);
        Some(Forward { of: of.clone(), is_udp, port, to, settings: settings.join("; "), at })
    })();
    if found.is_none() {
        account.gap(whole(entry), "a port and `<namespace>/<service>:<port>` are expected");
    }
    found
}

impl<'c> Lowering<'c, '_> {
    /// The ports that lead to Services, and ConfigMaps whose Ingresses are not here.
    pub(super) fn config_maps(&mut self) {
        let objects = self.objects;
        for Forward { of, is_udp, port, to: (service, named), settings, at } in &objects.forwards {
            let outcome = self.leads(service, named, *is_udp, *at);
            let place = endpoint(&format!("ingress/{}", address(of)), Some((*port, *port)), *at);
            self.listeners.push(Listener {
                name: format!("{}:{port}{}", address(of), if *is_udp { "/udp" } else { "" }),
                protocol: if *is_udp { Protocol::Udp } else { Protocol::Tcp },
                endpoints: vec![place],
                paths: Paths::AsWritten,
                routes: Vec::new(),
                otherwise: outcome,
                otherwise_at: Some(*at),
                settings: settings.clone(),
                owner: None,
                origin: *at,
            });
        }
        for config in objects.configs.iter().filter(|_| objects.ingresses.is_empty()) {
            let uncomputed = Some("which requests reach which pods is not computed");
            let object = Object::new("ConfigMap", config.address(), config.text.clone(), config.at);
            self.told.push(Object { uncomputed, ..object });
        }
        for Plain { name, data: _, at } in &objects.plain {
            let named = objects.configs.iter().any(|config| config.headers.contains(name));
            let disposition =
                if named { Disposition::Opaque(SETTING) } else { Disposition::Inert("not about packets") };
            self.account.claim(*at, disposition);
        }
    }

    /// What ConfigMaps say of all Ingresses of a class.
    pub(super) fn said_for_all(&self, by_nginx: bool) -> Vec<String> {
        let mut out = Vec::new();
        for config in self.objects.configs.iter().filter(|config| by_nginx || !config.is_known) {
            let of = config.address();
            out.extend(config.settings.iter().map(|text| format!("{of}: {text}")));
            for name in &config.headers {
                for Plain { data, .. } in self.objects.plain.iter().filter(|plain| plain.name == *name) {
                    out.push(format!("{}: {}", address(name), data.as_ref().map(shown::value).unwrap_or_default()));
                }
            }
            if self.config().is_none() && config.is_known {
                out.push(format!("{of}: {}", config.text));
            }
        }
        out
    }

    /// The one that decides what is so for each Ingress, if there is one.
    pub(super) fn config(&self) -> Option<&'c Config> {
        let objects = self.objects;
        let mut known = objects.configs.iter().filter(|config| config.is_known);
        known.next().filter(|_| known.next().is_none())
    }
}
