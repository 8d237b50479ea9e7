use super::error::PolicyError;
use super::feed::{FeedDoubt, Feeds};
use super::node::{Kind, Node, Spanned};
use super::people::Roster;
use super::reader::{Named, Read, Reader};
use super::terms::{Networks, Services};
use crate::net::{Family, Naming, Set};
use std::collections::BTreeMap;

/// The names that a policy defines for sets of addresses and of ports.
#[derive(Debug, Clone, Default)]
pub struct Names {
    networks: Vec<(String, Networks)>,
    services: Vec<(String, Services)>,
    pub(super) feeds: Feeds,
    /// The people that it knows.
    pub(super) roster: Roster,
    /// The environments that it knows.
    pub(crate) environments: Vec<String>,
}

impl Names {
    /// The network of that name.
    #[must_use]
    pub fn find_network(&self, name: &str) -> Option<&Networks> {
        self.networks.iter().find(|(known, _)| known == name).map(|(_, set)| set)
    }

    /// The service of that name that the policy defines.
    #[must_use]
    pub fn find_service(&self, name: &str) -> Option<&Services> {
        self.services.iter().find(|(known, _)| known == name).map(|(_, set)| set)
    }

    /// Every name of a network.
    #[must_use]
    pub fn networks(&self) -> Vec<&str> {
        self.networks.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Every name of a service that the policy defines.
    #[must_use]
    pub fn services(&self) -> Vec<&str> {
        self.services.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Why it is not known what the networks are that a flow names, if it is not.
    pub(super) fn doubts_in(&self, flow: &str) -> Vec<FeedDoubt> {
        let named = self.networks.iter().filter(|(name, _)| flow.contains(name.as_str()));
        named.flat_map(|(_, networks)| networks.doubts().iter().cloned()).collect()
    }

    /// Adds the definitions of `networks:` and `services:`; they may refer to one another in any order, but not
    /// in a circle.
    pub(super) fn define(&mut self, networks: &Named<Raw>, services: &Named<Raw>, problems: &mut Vec<PolicyError>) {
        define(self, networks, problems, |names, name, set: Networks| names.networks.push((name, set)));
        define(self, services, problems, |names, name, set: Services| names.services.push((name, set)));
    }
}

/// A definition as it stands, before the names in it are known.
#[derive(Debug, Clone)]
pub(super) struct Raw(Node);

impl Read for Raw {
    fn read(node: &Node, _: &mut Reader<'_>) -> Option<Self> {
        Some(Self(node.clone()))
    }
}

/// Resolves definitions, each after those that it refers to.
fn define<T: Read>(
    names: &mut Names,
    definitions: &Named<Raw>,
    problems: &mut Vec<PolicyError>,
    add: impl Fn(&mut Names, String, T),
) {
    let by_name: BTreeMap<&str, &Node> =
        definitions.0.iter().map(|(name, Raw(node))| (name.value.as_str(), node)).collect();
    let mut done: BTreeMap<&str, bool> = BTreeMap::new();
    for (name, _) in &definitions.0 {
        // Depth first without recursion: a policy may be hostile.
        let mut path = vec![name.value.as_str()];
        while let Some(current) = path.last().copied() {
            let Some(node) = by_name.get(current) else { break };
            let next = words(node).into_iter().find(|word| by_name.contains_key(word) && !done.contains_key(word));
            match next {
                Some(word) if path.contains(&word) => {
                    problems.push(PolicyError::Cycle { name: word.to_owned(), at: node.span });
                    done.extend(path.drain(..).map(|name| (name, false)));
                }
                Some(word) => path.push(word),
                None => {
                    path.pop();
                    if done.contains_key(current) {
                        continue;
                    }
                    let mut reader = Reader::new(names);
                    let broken = words(node).iter().any(|word| done.get(word) == Some(&false));
                    let set = if broken { None } else { T::read(node, &mut reader) };
                    problems.append(&mut reader.problems);
                    done.insert(current, set.is_some());
                    if let Some(set) = set {
                        add(names, current.to_owned(), set);
                    }
                }
            }
        }
    }
}

/// The words of a definition, which may be names.
fn words(node: &Node) -> Vec<&str> {
    match &node.kind {
        Kind::Scalar { text, .. } => vec![text],
        Kind::List(items) => items.iter().flat_map(words).collect(),
        Kind::Map(_) => Vec::new(),
    }
}

impl Naming for Names {
    /// Where several names are the same set: the one that names nothing of the other family, then the first.
    fn network(&self, family: Family, set: &Set) -> Option<&str> {
        let other = match family {
            Family::Ipv4 => Family::Ipv6,
            Family::Ipv6 => Family::Ipv4,
        };
        let fits = self.networks.iter().filter(|(_, networks)| networks.addresses(family) == set);
        fits.min_by_key(|(_, networks)| networks.addresses(other).len()).map(|(name, _)| name.as_str())
    }

    fn service(&self, protocol: u8, ports: &Set) -> Option<&str> {
        let fits =
            self.services.iter().filter(|(_, services)| services.ports(protocol).is_some_and(|set| set == ports));
        fits.min_by_key(|(_, services)| services.protocols().count()).map(|(name, _)| name.as_str())
    }

    fn addresses(&self, name: &str, family: Family) -> Option<Set> {
        let known = self.find_network(name).filter(|networks| networks.doubts().is_empty());
        known.map(|networks| networks.addresses(family).clone())
    }

    fn ports(&self, name: &str, protocol: u8) -> Option<Set> {
        self.find_service(name)?.ports(protocol).cloned()
    }
}

/// Names that stand for something whatever the policy says, so that none can be defined anew.
pub(super) fn reserved(name: &Spanned<String>, builtin: bool, problems: &mut Vec<PolicyError>) {
    if name.value == "any" || builtin {
        let message = format!("`{}` has a meaning already", name.value);
        let help = "choose another name: to redefine it would change what other checks mean".to_owned();
        problems.push(PolicyError::Value { message, help, at: name.span });
    }
}
