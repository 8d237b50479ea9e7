//! Certificates that manifests declare: Secrets that hold one, and what makes such Secrets.

use crate::formats::data::value::{Object, Value};
use crate::formats::kubernetes::read::Meta;

/// The certificates that an object declares, as `namespace/name`. None of what they hold is looked at.
///
/// Kubernetes documentation, "Ingress", "TLS": "the TLS secret must contain keys named `tls.crt` and `tls.key`". cert-manager.io:
/// a Certificate is put into the Secret `spec.secretName`. SealedSecrets and ExternalSecrets become Secrets of their own names.
pub(in crate::formats::kubernetes) fn declared(
    group: &str,
    kind: &str,
    object: &Object,
    meta: &Meta<'_>,
) -> Vec<String> {
    let found = match (group, kind) {
        ("", "Secret") => holds_one(object).then(|| meta.name.to_string()),
        ("cert-manager.io", "Certificate") => text(object, &["spec", "secretName"]).map(str::to_owned),
        ("bitnami.com", "SealedSecret") => {
            let keys = at(object, &["spec", "encryptedData"]).is_some_and(|data| has_key(data, "tls.crt"));
            let typed = text(object, &["spec", "template", "type"]) == Some(TLS);
            (keys || typed).then(|| meta.name.to_string())
        }
        ("external-secrets.io", "ExternalSecret") => {
            let name = text(object, &["spec", "target", "name"]).unwrap_or(&meta.name);
            let typed = text(object, &["spec", "target", "template", "type"]) == Some(TLS);
            typed.then(|| name.to_owned())
        }
        (_, _) => None,
    };
    found.map(|name| format!("{}/{name}", meta.namespace)).into_iter().collect()
}

/// The type of Secrets that hold a certificate.
const TLS: &str = "kubernetes.io/tls";

fn holds_one(secret: &Object) -> bool {
    text(secret, &["type"]) == Some(TLS)
        || ["data", "stringData"].iter().any(|field| secret.get(field).is_some_and(|data| has_key(data, "tls.crt")))
}

fn has_key(value: &Value, key: &str) -> bool {
    value.object().is_some_and(|object| object.get(key).is_some())
}

fn at<'v>(object: &'v Object, path: &[&str]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let found = object.get(first)?;
    if rest.is_empty() { Some(found) } else { at(found.object()?, rest) }
}

fn text<'v>(object: &'v Object, path: &[&str]) -> Option<&'v str> {
    at(object, path)?.text()
}
