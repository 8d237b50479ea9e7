//! Hosts and paths of rules as questions to requests.

use crate::formats::balancers;
use crate::model::{Condition, Store, Subject};
use crate::net::Pattern;

/// Whether a request is for a host of an Ingress; `None`: any.
///
/// Kubernetes API reference, "IngressRule": a wildcard host matches "if the http host header is to equal to the suffix
/// (removing the first label) of the wildcard rule", so that exactly one label stands for `*`; ports are not looked at.
pub(super) fn ingress_host(store: &mut Store, host: Option<&str>) -> Condition {
    let pattern = match host.map(|host| (host, host.strip_prefix("*."))) {
        None => return Condition::Always,
        Some((_, Some(suffix))) => {
            let literal = suffix.replace('.', r"\.");
            Pattern::regex(&format!(r"^[^.]+\.{literal}$")).expect("hosts are letters, digits, dashes and dots")
        }
        Some((host, None)) => Pattern::exact(host),
    };
    balancers::text(store, Subject::HostName, vec![pattern.ignoring_case()])
}

/// Whether a request, or the server name of a handshake, is for a host of the Gateway API; `None`: any.
///
/// Gateway API, "Hostname": "Hostnames that are prefixed with a wildcard label (`*.`) are interpreted as a suffix match. That
/// means that a match for `*.example.com` would match both `test.example.com`, and `foo.test.example.com`, but not
/// `example.com`."
pub(super) fn gateway_host(store: &mut Store, subject: Subject, host: Option<&str>) -> Condition {
    let pattern = match host.map(|host| (host, host.strip_prefix('*'))) {
        None => return Condition::Always,
        Some((_, Some(suffix))) => Pattern::suffix(suffix),
        Some((host, None)) => Pattern::exact(host),
    };
    balancers::text(store, subject, vec![pattern.ignoring_case()])
}

/// Whether a request is for that path.
pub(super) fn exact(store: &mut Store, path: &str) -> Condition {
    balancers::text(store, Subject::Path, vec![Pattern::exact(path)])
}

/// Whether a path begins with the elements of another one: `/a/b` with those of `/a` and `/a/`, `/ab` not.
///
/// Kubernetes documentation, "Ingress", "Path types": "matches based on a URL path prefix split by `/`. Matching is case
/// sensitive and done on a path element by element basis"; Gateway API, "PathMatchType", says the same.
pub(super) fn prefix(store: &mut Store, path: &str) -> Condition {
    let bare = path.trim_end_matches('/');
    balancers::text(store, Subject::Path, vec![Pattern::exact(bare), Pattern::prefix(format!("{bare}/"))])
}

/// Whether a text can be the host of a rule: a name, behind `*.` or not.
pub(super) fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 253 && name.split('.').all(part)
}
