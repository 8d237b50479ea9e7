//! Which pods are looked at that a tree does not have.
//!
//! Selectors are decided on the workloads of the tree. That must not hide a change of what is selected: where the policy of a
//! name selects other pods on the other side of a change, or the tree has others of those, what it says of pods that
//! are not declared is looked at as well, on both sides.

use super::peers::Index;
use super::syntax::{Direction, Peer, Pods, Policy, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// What one side selects.
#[derive(Debug)]
pub(super) struct Selected {
    /// Pods that a policy is for, none of which is in the tree.
    undeclared: BTreeSet<Pods>,
    /// By the addresses of the policies.
    policies: BTreeMap<String, Meant>,
}

/// Whom a policy means.
#[derive(Debug)]
struct Meant {
    subject: Pods,
    /// Those at the other end, and whether the tree has any; for what.
    peers: BTreeMap<(Direction, Verdict, Pods, bool), BTreeSet<String>>,
}

/// What is looked at beyond the tree.
#[derive(Debug, Default)]
pub(super) struct Beyond {
    /// Pods that a policy is for.
    pub(super) subjects: BTreeSet<Pods>,
    /// Those of them that a policy is for on one side only.
    pub(super) changed: BTreeSet<Pods>,
    /// The policies of which that holds for the pods at the other end.
    pub(super) policies: BTreeSet<String>,
}

impl Selected {
    pub(super) fn of(index: &Index<'_>) -> Self {
        let policies = &index.cluster.policies;
        let all = policies.iter().flat_map(|policy| policy.subject.parts());
        let undeclared = all.filter(|pods| !index.declares(pods)).collect();
        let policies = policies.iter().map(|policy| (policy.address.clone(), Meant::of(policy, index))).collect();
        Self { undeclared, policies }
    }

    /// What is to be looked at on both sides, of which this is one.
    pub(super) fn beyond(&self, other: Option<&Self>) -> Beyond {
        let mut beyond = Beyond { subjects: self.undeclared.clone(), ..Beyond::default() };
        let Some(other) = other else { return beyond };
        beyond.subjects.extend(other.undeclared.iter().cloned());
        for (address, mine) in &self.policies {
            let Some(theirs) = other.policies.get(address) else { continue };
            if mine.subject != theirs.subject {
                beyond.changed.extend(mine.subject.parts().into_iter().chain(theirs.subject.parts()));
            }
            if mine.selects_others(theirs) {
                beyond.policies.insert(address.clone());
            }
        }
        beyond.subjects.extend(beyond.changed.iter().cloned());
        beyond
    }
}

impl Meant {
    fn of(policy: &Policy, index: &Index<'_>) -> Self {
        let mut peers: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (direction, rules) in [(Direction::Ingress, &policy.ingress), (Direction::Egress, &policy.egress)] {
            for rule in rules.iter().flatten() {
                let services = rule.services.as_ref().map_or_else(
                    || BTreeSet::from(["anything".to_owned()]),
                    |services| services.iter().map(ToString::to_string).collect(),
                );
                for peer in rule.peers.iter().flatten() {
                    let Peer::Pods(pods, _) = peer else { continue };
                    for part in pods.parts() {
                        let declared = index.declares(&part);
                        peers.entry((direction, rule.verdict, part, declared)).or_default().extend(services.clone());
                    }
                }
            }
        }
        Self { subject: policy.subject.clone(), peers }
    }

    /// Whether others are selected, or the same ones for what others were selected before.
    fn selects_others(&self, other: &Self) -> bool {
        let services = |meant: &Self| meant.peers.values().flatten().cloned().collect::<BTreeSet<String>>();
        !self.peers.keys().eq(other.peers.keys()) || self.peers != other.peers && services(self) == services(other)
    }
}
