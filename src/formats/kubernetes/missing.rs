//! What policies name that a tree does not have, though it has what stands beside it.

use super::peers::Index;
use super::selector::{NAME, Selector};
use super::syntax::{Namespaces, Peer, Pods, Policy};
use crate::model::Reference;
use crate::text::{Span, escape};
use std::sync::Arc;

/// The namespaces that every cluster has.
const BUILT_IN: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Selectors that select nothing in namespaces of which the tree has workloads, and namespaces of policies that are not among
/// those that the tree declares.
pub(super) fn missing(index: &Index<'_>) -> Vec<Reference> {
    index.cluster.policies.iter().flat_map(|policy| of_policy(policy, index)).collect()
}

fn of_policy(policy: &Policy, index: &Index<'_>) -> Vec<Reference> {
    let mut out: Vec<Reference> = namespace(policy, index).into_iter().collect();
    out.extend(pods(&policy.subject, policy.subject_at, index));
    for rule in [&policy.ingress, &policy.egress].into_iter().flatten().flatten() {
        for peer in rule.peers.iter().flatten() {
            if let Peer::Pods(some, at) = peer {
                out.extend(pods(some, *at, index));
            }
        }
    }
    out
}

fn namespace(policy: &Policy, index: &Index<'_>) -> Option<Reference> {
    let Namespaces::Named(name) = &policy.subject.namespaces else { return None };
    let declared = &index.cluster.namespaces;
    let known = declared.contains_key(name) || index.by_namespace.contains_key(name) || BUILT_IN.contains(&&**name);
    let address = format!("Namespace/{}", escape(name.as_bytes()));
    (!declared.is_empty() && !known).then_some(Reference { kind: "Namespace", address, origin: policy.at })
}

/// Pods of namespaces that are named, all of which have workloads in the tree.
fn pods(some: &Pods, at: Span, index: &Index<'_>) -> Option<Reference> {
    let Pods { namespaces, pods } = some;
    let names: Vec<&Arc<str>> = match namespaces {
        Namespaces::Named(name) => vec![name],
        Namespaces::With(selector) => Selector::only(selector, NAME)?.iter().collect(),
    };
    let told = names.iter().all(|name| index.by_namespace.contains_key(*name));
    if !told || pods.is_empty() || index.declares(some) {
        return None;
    }
    let names: Vec<String> = names.into_iter().map(|name| escape(name.as_bytes())).collect();
    let address = format!("{pods} in namespace {}", names.join(" or "));
    Some(Reference { kind: "pods", address, origin: at })
}
