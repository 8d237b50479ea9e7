//! What a tree of manifests says of packets, in words of its own.

use super::fields::Labels;
use super::selector::Selector;
use crate::net::{Family, Set};
use crate::text::Span;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::sync::Arc;

/// Everything that is read.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    /// The namespaces that are declared, with their labels.
    pub(super) namespaces: BTreeMap<Arc<str>, Labels>,
    /// What runs pods.
    pub(super) workloads: Vec<Workload>,
    /// What decides which of their packets pass.
    pub(super) policies: Vec<Policy>,
    /// Between which numbers somebody else decides how many pods a workload has.
    pub(super) autoscalers: BTreeMap<Named, (u32, u32)>,
}

/// The kind, namespace and name of something.
pub(super) type Named = (String, Arc<str>, Arc<str>);

/// How many pods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// So many.
    Of(u32),
    /// One on each node.
    EachNode,
    /// One or several, or none: they end, or somebody starts and stops them.
    Sometimes,
}

/// The ports of containers by their names: protocol and number.
pub(super) type Ports = BTreeMap<Arc<str>, Vec<(u8, u16)>>;

/// Pods that are alike: one that is declared, or those that a controller makes.
#[derive(Debug)]
pub(super) struct Workload {
    /// `Deployment`.
    pub(super) kind: &'static str,
    /// The namespace of the pods.
    pub(super) namespace: Arc<str>,
    /// Its name.
    pub(super) name: Arc<str>,
    /// The labels of the pods.
    pub(super) labels: Labels,
    /// The ports of their containers that have names: protocol and number.
    pub(super) ports: Ports,
    /// Where it says that the pods share the network of their node.
    pub(super) on_host: Option<Span>,
    /// How it is found out whether a pod is ready: that of each container which says so.
    pub(super) ready: Vec<String>,
    /// What decides where they run, as far as their author says it.
    pub(super) placed: Vec<String>,
    /// How many pods there are, and where that is said.
    pub(super) count: (Count, Span),
    /// Whether it is not declared itself: some of its pods are.
    pub(super) of_pods: bool,
    /// The kind and name of what made it.
    pub(super) owner: Option<(&'static str, Arc<str>)>,
    /// Where it is declared.
    pub(super) at: Span,
}

/// When a policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    /// Before all others, in the order of these numbers.
    Admin(i128),
    /// All that select a pod, together.
    Namespaced,
    /// Where no other selects the pod.
    Baseline(i128),
}

/// A policy.
#[derive(Debug)]
pub(super) struct Policy {
    /// `NetworkPolicy`.
    pub(super) kind: &'static str,
    /// `NetworkPolicy/default/web`.
    pub(super) address: String,
    /// When it is asked.
    pub(super) tier: Tier,
    /// The pods it is for.
    pub(super) subject: Pods,
    /// Where it says so.
    pub(super) subject_at: Span,
    /// What comes to them; `None`: it says nothing of that.
    pub(super) ingress: Option<Vec<Rule>>,
    /// What comes from them, likewise.
    pub(super) egress: Option<Vec<Rule>>,
    /// Whose it is.
    pub(super) owner: Option<String>,
    /// Where it is declared.
    pub(super) at: Span,
}

/// Which end of a packet a rule is about, seen from the pods that a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    pub(super) const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];

    /// The name of the chain.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// What the others are of the packet.
    pub(super) const fn peer(self) -> &'static str {
        match self {
            Self::Ingress => "source",
            Self::Egress => "destination",
        }
    }

    /// What the pods are of the packet.
    pub(super) const fn own(self) -> &'static str {
        match self {
            Self::Ingress => "destination",
            Self::Egress => "source",
        }
    }
}

/// Pods of some namespaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pods {
    pub(super) namespaces: Namespaces,
    pub(super) pods: Selector,
}

impl Pods {
    /// Pods with one value of each label, which together are these.
    pub(super) fn parts(&self) -> Vec<Self> {
        let Self { namespaces, pods } = self;
        pods.parts().into_iter().map(|pods| Self { namespaces: namespaces.clone(), pods }).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Namespaces {
    /// The one of that name.
    Named(Arc<str>),
    /// Those with such labels.
    With(Selector),
}

/// What is done with a packet that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Allow,
    Deny,
    /// The other admin policies have no say; those of namespaces and the baseline do.
    Pass,
}

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) verdict: Verdict,
    /// Who is at the other end; `None`: anyone.
    pub(super) peers: Option<Vec<Peer>>,
    /// What for; `None`: anything.
    pub(super) services: Option<Vec<Service>>,
    /// Where it stands.
    pub(super) at: Span,
}

/// Who is at the other end.
#[derive(Debug, Clone)]
pub(super) enum Peer {
    /// Pods, and where it says which.
    Pods(Pods, Span),
    Block(Family, Set),
    /// Of which only this is known: `a node with zone=a`.
    If(String),
}

/// What a packet is for.
#[derive(Debug, Clone)]
pub(super) enum Service {
    /// A protocol, and its ports.
    Ports(u8, Set),
    /// The port of the destination's containers that is called so; of that protocol, or of any.
    Named(Arc<str>, Option<u8>, Span),
}

/// Equal texts say the same.
impl Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ports(protocol, set) => write!(f, "{protocol} {:?}", set.ranges()),
            Self::Named(name, protocol, _) => write!(f, "{protocol:?} port {name}"),
        }
    }
}
