//! Ingresses and their classes: what their fields say.
//!
//! Kubernetes API reference, "Ingress", "IngressClass" (networking.k8s.io/v1, and v1beta1 with its other names of backends).

use super::annotations::{self, OfIngress};
use super::conditions::is_host;
use super::services::PortName;
use super::{Name, Said};
use crate::formats::account::Account;
use crate::formats::data::value::{Value, What};
use crate::formats::kubernetes::fields::{Fields, is_word};
use crate::formats::kubernetes::policy::is_port_name;
use crate::formats::kubernetes::read::Meta;
use crate::text::Span;
use std::sync::Arc;

/// An Ingress.
#[derive(Debug)]
pub(super) struct Ingress {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    /// Who serves it.
    pub(super) class: Option<Said>,
    pub(super) rules: Vec<Rule>,
    /// What gets the requests that no rule is for.
    pub(super) default: Option<(Target, Span)>,
    pub(super) tls: Vec<Certified>,
    pub(super) said: OfIngress,
    pub(super) owner: Option<String>,
    pub(super) at: Span,
}

/// The paths of a host.
#[derive(Debug)]
pub(super) struct Rule {
    /// `None`: any.
    pub(super) host: Option<String>,
    pub(super) paths: Vec<Path>,
}

#[derive(Debug)]
pub(super) struct Path {
    pub(super) path: String,
    pub(super) kind: PathKind,
    pub(super) target: Target,
    pub(super) at: Span,
}

/// How paths are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PathKind {
    Exact,
    Prefix,
    /// "Interpretation of the Path matching is up to the IngressClass."
    Specific,
}

/// Where requests are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Service(Name, PortName, Span),
    /// Something else than a Service.
    Resource(String),
}

/// Hosts and the certificate for them.
#[derive(Debug)]
pub(super) struct Certified {
    /// None: those of the rules.
    pub(super) hosts: Vec<String>,
    pub(super) secret: Option<Said>,
}

/// A class of Ingresses.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) controller: String,
    /// Whether Ingresses without a class are of it.
    pub(super) default: bool,
    pub(super) settings: Vec<String>,
}

/// The annotation that makes a class the one of Ingresses that name none.
const IS_DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";

pub(super) fn class(fields: Fields<'_>, meta: &Meta<'_>, account: &mut Account) -> Option<Class> {
    let mut spec = fields.spec(meta.at, account)?;
    let controller = spec.word("controller", account).unwrap_or_default().to_owned();
    let mut settings: Vec<String> = spec.setting("parameters", "", account).into_iter().collect();
    spec.close(account);
    settings.extend(annotations::settings(meta.annotations, account));
    let default = settings.iter().any(|text| text.strip_prefix(IS_DEFAULT) == Some(": true"));
    settings.retain(|text| !text.starts_with(IS_DEFAULT));
    Some(Class { name: meta.name.to_string(), controller, default, settings })
}

pub(super) fn read(fields: Fields<'_>, meta: &Meta<'_>, old: bool, account: &mut Account) -> Option<Ingress> {
    let mut spec = fields.spec(meta.at, account)?;
    let class_at = spec.place("ingressClassName");
    let class = spec.word("ingressClassName", account).map(|class| (class.to_owned(), class_at));
    let default = spec.take(if old { "backend" } else { "defaultBackend" });
    let default = default.and_then(|value| Some((target(value, meta, old, account)?, value.at)));
    let mut rules = Vec::new();
    for value in spec.list("rules", account).unwrap_or_default() {
        rules.push(rule(value, meta, old, account));
    }
    let mut tls = Vec::new();
    for value in spec.list("tls", account).unwrap_or_default() {
        tls.push(certified(value, meta, account));
    }
    spec.close(account);
    if rules.is_empty() && default.is_none() {
        account.gap(meta.at, "an Ingress has rules or a default backend");
    }
    let said = annotations::ingress(meta.annotations, account);
    Some(Ingress {
        namespace: Arc::clone(&meta.namespace),
        name: Arc::clone(&meta.name),
        class: class.or_else(|| said.class.clone()),
        rules,
        default,
        tls,
        said,
        owner: super::owner(meta),
        at: meta.at,
    })
}

fn rule(value: &Value, meta: &Meta<'_>, old: bool, account: &mut Account) -> Rule {
    let mut fields = Fields::of(value, account);
    let host_at = fields.place("host");
    let host = fields.text("host", account).filter(|host| !host.is_empty());
    if host.is_some_and(|host| !is_host(host)) {
        account.gap(host_at, "a host is a name in lowercase, whose first label may be `*`");
    }
    let host = host.filter(|host| is_host(host)).map(str::to_owned);
    let mut paths = Vec::new();
    if let Some(http) = fields.take("http") {
        let mut http = Fields::of(http, account);
        for value in http.list("paths", account).unwrap_or_default() {
            paths.extend(path(value, meta, old, account));
        }
        http.close(account);
    }
    fields.close(account);
    Rule { host, paths }
}

fn path(value: &Value, meta: &Meta<'_>, old: bool, account: &mut Account) -> Option<Path> {
    let mut fields = Fields::of(value, account);
    let path_at = fields.place("path");
    let kind_at = fields.place("pathType");
    let path = fields.text("path", account).unwrap_or_default();
    let kind = match fields.text("pathType", account) {
        Some("Exact") => Some(PathKind::Exact),
        Some("Prefix") => Some(PathKind::Prefix),
        Some("ImplementationSpecific") => Some(PathKind::Specific),
        // "Defaults to ImplementationSpecific", in v1beta1 only.
        None if old => Some(PathKind::Specific),
        Some(_) | None => {
            account.gap(kind_at, "`pathType` is `Exact`, `Prefix` or `ImplementationSpecific`");
            None
        }
    };
    let backend = fields.take("backend");
    fields.close(account);
    // "Paths must begin with a '/'" for the two that are defined.
    let begins = path.starts_with('/') || kind == Some(PathKind::Specific) && path.is_empty();
    let odd = ["//", "/./", "/../", "%2f", "%2F"].iter().any(|part| path.contains(part));
    if !begins || (!path.is_empty() && !is_word(path)) || (odd && kind != Some(PathKind::Specific)) {
        account.gap(path_at, "a path begins with a slash and has no empty, dotted or coded parts");
        return None;
    }
    let Some(backend) = backend else {
        account.gap(value.at, "a path has a `backend`");
        return None;
    };
    let target = target(backend, meta, old, account)?;
    Some(Path { path: path.to_owned(), kind: kind?, target, at: value.at })
}

fn target(value: &Value, meta: &Meta<'_>, old: bool, account: &mut Account) -> Option<Target> {
    let mut fields = Fields::of(value, account);
    let resource = fields.setting("resource", "", account);
    let (name, port) = if old {
        (fields.word("serviceName", account), fields.take("servicePort"))
    } else {
        let service = fields.take("service");
        let mut service = service.map(|service| Fields::of(service, account));
        let name = service.as_mut().and_then(|service| service.word("name", account));
        let port = service.as_mut().and_then(|service| service.take("port"));
        if let Some(service) = service {
            service.close(account);
        }
        (name, port)
    };
    fields.close(account);
    match (name, port, resource) {
        (None, None, Some(resource)) => Some(Target::Resource(resource)),
        (Some(name), Some(port), None) => {
            let called = port_name(port, old, account)?;
            Some(Target::Service((Arc::clone(&meta.namespace), name.into()), called, value.at))
        }
        _ => {
            account.gap(value.at, "a backend is a Service with a port, or a resource");
            None
        }
    }
}

fn port_name(value: &Value, old: bool, account: &mut Account) -> Option<PortName> {
    let one = |value: &Value| match &value.what {
        What::Number(number) => number
            .integer()
            .and_then(|number| u16::try_from(number).ok())
            .filter(|port| *port > 0)
            .map(PortName::Number),
        What::Text(text) if is_port_name(text) => Some(PortName::Named(text.to_string())),
        What::Text(_) | What::Null | What::Truth(_) | What::List(_) | What::Object(_) | What::Unknown(_) => None,
    };
    let found = if old {
        one(value)
    } else {
        let mut fields = Fields::of(value, account);
        let (number, name) = (fields.take("number"), fields.take("name"));
        fields.close(account);
        match (number, name) {
            (Some(number), None) => one(number).filter(|port| matches!(port, PortName::Number(_))),
            (None, Some(name)) => one(name).filter(|port| matches!(port, PortName::Named(_))),
            (Some(_), Some(_)) | (None, None) => None,
        }
    };
    if found.is_none() {
        account.gap(value.at, "the number or the name of a port of the Service is expected");
    }
    found
}

fn certified(value: &Value, meta: &Meta<'_>, account: &mut Account) -> Certified {
    let mut fields = Fields::of(value, account);
    let mut hosts = Vec::new();
    for value in fields.list("hosts", account).unwrap_or_default() {
        match value.text().filter(|text| is_host(text)) {
            Some(text) => hosts.push(text.to_owned()),
            None => account.gap(value.at, "a host is a name in lowercase, whose first label may be `*`"),
        }
    }
    let at = fields.place("secretName");
    let secret = fields.word("secretName", account);
    fields.close(account);
    Certified { hosts, secret: secret.map(|secret| (format!("{}/{secret}", meta.namespace), at)) }
}
