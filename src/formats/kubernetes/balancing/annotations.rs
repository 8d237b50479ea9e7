//! Annotations: programs read them, and what they say to them can decide about requests.

use super::Said;
use super::conditions::is_host;
use super::service::networks;
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::value::{Entry, Value};
use crate::formats::kubernetes::fields::{SETTING, is_word, whole};
use crate::net::Set;
use crate::text::{Span, escape};

/// Whose annotations are for tools that deploy and watch, not for what serves clients.
const TOOLS: &[&str] = &[
    "kubectl.kubernetes.io",
    "deployment.kubernetes.io",
    "meta.helm.sh",
    "helm.sh",
    "argocd.argoproj.io",
    "kustomize.toolkit.fluxcd.io",
    "prometheus.io",
    "reloader.stakater.com",
];

/// What the annotations of a Service say.
#[derive(Default)]
pub(super) struct OfService {
    /// Who may use its load balancer.
    pub(super) sources: Option<Said>,
    /// Everything else that is not for tools.
    pub(super) settings: Vec<String>,
}

/// Those of a Service.
pub(super) fn service(value: Option<&Value>, account: &mut Account) -> OfService {
    let mut out = OfService::default();
    for (entry, text) in entries(value, account) {
        if &*entry.name == "service.beta.kubernetes.io/load-balancer-source-ranges" {
            if !text.trim().is_empty() {
                out.sources = Some((text.to_owned(), entry.value.at));
            }
        } else {
            out.settings.extend(setting(entry, text, account));
        }
    }
    out
}

/// What the annotations of an Ingress say.
#[derive(Debug, Default)]
pub(super) struct OfIngress {
    /// Who serves it, as it was said once.
    pub(super) class: Option<Said>,
    /// Whether cert-manager makes the certificates that it names.
    pub(super) makes_certificates: bool,
    /// What ingress-nginx reads.
    pub(super) nginx: OfNginx,
    /// Everything else that is not for tools.
    pub(super) settings: Vec<String>,
}

/// What ingress-nginx reads in the annotations of an Ingress.
///
/// kubernetes.github.io/ingress-nginx, "Annotations".
#[derive(Debug, Default)]
pub(super) struct OfNginx {
    /// Who may and who may not send requests, and where that is said.
    pub(super) allowed: Option<(Set, Set, Span)>,
    pub(super) denied: Option<(Set, Set, Span)>,
    /// Whether its paths are regular expressions: `use-regex`, or `rewrite-target`, which does the same.
    pub(super) expressions: bool,
    /// Where all requests are sent to.
    pub(super) redirect: Option<Said>,
    /// Where requests for `/` are sent to.
    pub(super) app_root: Option<Said>,
    /// Whether requests without TLS are sent to where there is TLS: where there is a certificate for the host; always.
    pub(super) to_tls: Option<bool>,
    pub(super) always_to_tls: Option<bool>,
    /// Set for an Ingress that gets a part of the requests of another one: which, and where that is said.
    pub(super) canary: Option<Canary>,
    /// Other hosts with the same paths.
    pub(super) aliases: Vec<String>,
    /// Who decides whether requests are let in.
    pub(super) authority: Option<Said>,
}

/// Which requests are for a canary.
#[derive(Debug)]
pub(super) struct Canary {
    /// Set when it gets none, or all.
    pub(super) share: Option<bool>,
    /// How it is said.
    pub(super) text: String,
    pub(super) at: Span,
}

/// The names of ingress-nginx that decide neither whether requests are let in nor which Service gets them, or their beginnings.
const NGINX_SETTINGS: &[&str] = &[
    "affinity",
    "auth-cache-",
    "auth-keepalive",
    "auth-always-set-cookie",
    "auth-proxy-set-headers",
    "auth-realm",
    "auth-request-redirect",
    "auth-response-headers",
    "auth-signin",
    "backend-protocol",
    "client-body-",
    "connection-proxy-header",
    "cors-",
    "custom-headers",
    "custom-http-errors",
    "default-backend",
    "disable-proxy-intercept-errors",
    "enable-access-log",
    "enable-cors",
    "enable-opentelemetry",
    "enable-opentracing",
    "enable-rewrite-log",
    "fastcgi-",
    "http2-push-preload",
    "load-balance",
    "mirror-",
    "opentelemetry-",
    "permanent-redirect-code",
    "preserve-trailing-slash",
    "proxy-",
    "relative-redirects",
    "rewrite-target",
    "secure-",
    "service-upstream",
    "session-cookie-",
    "ssl-ciphers",
    "ssl-prefer-server-ciphers",
    "temporal-redirect-code",
    "upstream-hash-by",
    "upstream-vhost",
    "use-regex",
    "x-forwarded-prefix",
];

/// Those by which a third party decides whether requests are let in.
const NGINX_AUTHORITY: &[&str] =
    &["auth-url", "auth-type", "auth-secret", "auth-secret-type", "auth-method", "auth-tls-"];

/// Whose annotations decide about requests in ways that are not modelled.
const CONTROLLERS: &[&str] = &[
    "alb.ingress.kubernetes.io",
    "appgw.ingress.kubernetes.io",
    "getambassador.io",
    "haproxy-ingress.github.io",
    "haproxy.org",
    "ingress.cilium.io",
    "ingress.citrix.com",
    "ingress.kubernetes.io",
    "ingress.gcp.kubernetes.io",
    "konghq.com",
    "networking.gke.io",
    "nginx.com",
    "nginx.org",
    "nginx.ingress.kubernetes.io",
    "projectcontour.io",
    "route.openshift.io",
    "traefik.ingress.kubernetes.io",
    "zalando.org",
];

/// Those of an Ingress.
pub(super) fn ingress(value: Option<&Value>, account: &mut Account) -> OfIngress {
    let mut out = OfIngress::default();
    let (mut authority, mut canary) = (Vec::new(), Vec::new());
    for (entry, text) in entries(value, account) {
        let at = entry.value.at;
        if let Some(name) = entry.name.strip_prefix("nginx.ingress.kubernetes.io/") {
            if is_one_of(name, NGINX_SETTINGS) {
                out.nginx.expressions |= name == "rewrite-target" || name == "use-regex" && text == "true";
                out.settings.extend(setting(entry, text, account));
            } else if is_one_of(name, NGINX_AUTHORITY) {
                account.claim(whole(entry), Disposition::Opaque("who lets requests in"));
                authority.push((format!("{name}: {text}"), at));
            } else if name == "canary" || name.starts_with("canary-") {
                account.claim(whole(entry), Disposition::Opaque("which requests are for a canary"));
                canary.push((name, text, at));
            } else {
                nginx(name, text, entry, &mut out.nginx, account);
            }
            continue;
        }
        let domain = entry.name.split_once('/').map_or("", |(domain, _)| domain);
        match &*entry.name {
            "kubernetes.io/ingress.class" => {
                if !is_word(text) {
                    account.gap(at, "the name of a class is a word");
                }
                out.class = Some((text.to_owned(), at));
            }
            "kubernetes.io/ingress.allow-http" => {
                account.gap(whole(entry), "whether requests without TLS are served is not modelled");
            }
            _ if CONTROLLERS.contains(&domain) => {
                account.gap(whole(entry), "what this annotation does to requests is not modelled");
            }
            name => {
                let makers = ["cert-manager.io/cluster-issuer", "cert-manager.io/issuer", "kubernetes.io/tls-acme"];
                out.makes_certificates |= makers.contains(&name) && !text.is_empty() && text != "false";
                out.settings.extend(setting(entry, text, account));
            }
        }
    }
    let said = |parts: &[(String, Span)]| parts.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>().join(", ");
    out.nginx.authority = authority.first().map(|(_, at)| (said(&authority), *at));
    out.nginx.canary = which(&canary, account);
    out
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| *known == name || known.ends_with('-') && name.starts_with(known))
}

/// Which requests are for a canary: "canary-by-header -> canary-by-cookie -> canary-weight".
fn which(parts: &[(&str, &str, Span)], account: &mut Account) -> Option<Canary> {
    let said = |wanted: &str| parts.iter().find(|(name, ..)| *name == wanted).map(|(_, text, _)| *text);
    let (_, text, at) = parts.iter().find(|(name, ..)| *name == "canary")?;
    match *text {
        "true" => {}
        "false" => return None,
        _ => account.gap(*at, "`canary` is `true` or `false`"),
    }
    let others = parts.iter().any(|(name, ..)| name.starts_with("canary-by-"));
    let weight = said("canary-weight");
    let total = said("canary-weight-total").unwrap_or("100");
    let share = match (others, weight) {
        (false, None | Some("0")) => Some(false),
        (false, Some(weight)) if weight == total => Some(true),
        (_, _) => None,
    };
    let mut all = Vec::new();
    for (name, text, at) in parts.iter().filter(|(name, ..)| *name != "canary") {
        let number = name.starts_with("canary-weight");
        if number && text.parse::<u32>().is_err() {
            account.gap(*at, "a weight is a number");
        }
        all.push(format!("{name}: {text}"));
    }
    Some(Canary { share, text: all.join(", "), at: *at })
}

/// One that decides about requests.
fn nginx(name: &str, text: &str, entry: &Entry, out: &mut OfNginx, account: &mut Account) {
    let at = entry.value.at;
    match name {
        "whitelist-source-range" | "allowlist-source-range" | "denylist-source-range" => {
            let found = ranges(text, at, account);
            if name == "denylist-source-range" {
                out.denied = found;
            } else {
                out.allowed = found.or(out.allowed.take());
            }
        }
        "permanent-redirect" | "temporal-redirect" => {
            if !is_word(text) {
                account.gap(at, "a URL is expected");
            }
            // "temporal" comes first where both stand.
            if out.redirect.is_none() || name == "temporal-redirect" {
                out.redirect = Some((text.to_owned(), at));
            }
        }
        "app-root" => {
            if !is_word(text) {
                account.gap(at, "a path is expected");
            }
            out.app_root = Some((text.to_owned(), at));
        }
        "ssl-redirect" => out.to_tls = Some(truth(text, at, account)),
        "force-ssl-redirect" => out.always_to_tls = Some(truth(text, at, account)),
        "server-alias" => {
            for alias in text.split(',').map(str::trim) {
                if is_host(alias) {
                    out.aliases.push(alias.to_owned());
                } else {
                    account.gap(at, "other names of the host are expected: regular expressions are not modelled");
                }
            }
        }
        _ => account.gap(whole(entry), "what this annotation does to requests is not modelled"),
    }
}

/// What a text says that is a truth.
pub(super) fn truth(text: &str, at: Span, account: &mut Account) -> bool {
    if text != "true" && text != "false" {
        account.gap(at, "`true` or `false` is expected");
    }
    text == "true"
}

/// The prefixes that a text lists, if it does, and where it stands.
pub(super) fn ranges(text: &str, at: Span, account: &mut Account) -> Option<(Set, Set, Span)> {
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let (ipv4, ipv6) = networks(parts.iter().map(|part| (Some(*part), at)), account);
    (!parts.is_empty()).then_some((ipv4, ipv6, at))
}

/// Those of an object whose annotations are settings only.
pub(super) fn settings(value: Option<&Value>, account: &mut Account) -> Vec<String> {
    entries(value, account).into_iter().filter_map(|(entry, text)| setting(entry, text, account)).collect()
}

/// An annotation that is compared as it is written, unless it is for a tool.
fn setting(entry: &Entry, text: &str, account: &mut Account) -> Option<String> {
    let domain = entry.name.split_once('/').map_or("", |(domain, _)| domain);
    if TOOLS.contains(&domain) {
        account.claim(whole(entry), Disposition::Inert("for tools that deploy and watch"));
        return None;
    }
    account.claim(whole(entry), Disposition::Opaque(SETTING));
    Some(format!("{}: {}", entry.name, escape(text.as_bytes())))
}

/// Texts by their names, each with its entry, sorted by name.
pub(super) fn entries<'v>(value: Option<&'v Value>, account: &mut Account) -> Vec<(&'v Entry, &'v str)> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Vec::new() };
    let Some(object) = value.object() else {
        account.gap(value.at, "it has to be texts by name");
        return Vec::new();
    };
    let mut out = Vec::new();
    for entry in &object.entries {
        match entry.value.text() {
            Some(text) => out.push((entry, text)),
            None if entry.value.is_null() => {}
            None => account.gap(whole(entry), "the value has to be a text"),
        }
    }
    out.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    out
}
