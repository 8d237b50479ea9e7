//! Which files make up which configuration.

use super::pattern::Pattern;
use super::{Policy, PolicyConfiguration};
use crate::text::{SourceId, SourceMap, Span, escape};
use std::collections::{BTreeMap, BTreeSet};

/// The configurations of both sides, and what the patterns of the policy do not find.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Sorted by name.
    pub configurations: Vec<Planned>,
    /// Patterns that name no file.
    pub unmatched: Vec<Unmatched>,
    /// The files that say what git does with the others, `.gitattributes`.
    pub attributes: Vec<Attributes>,
}

/// A `.gitattributes` file that could say something about files of the policy.
#[derive(Debug, Clone)]
pub struct Attributes {
    /// It on base; `None`: it is not there.
    pub base: Option<SourceId>,
    /// It on head.
    pub head: Option<SourceId>,
}

/// A configuration and its files, in the order of their names.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// Its format, if the policy names it.
    pub format: Option<String>,
    /// Its files on base; `None`: it does not exist there.
    pub base: Option<Vec<SourceId>>,
    /// Its files on head; `None`: it does not exist there.
    pub head: Option<Vec<SourceId>>,
}

impl Planned {
    /// Whether a byte of it differs, or a file came or went.
    #[must_use]
    pub fn differs(&self, sources: &SourceMap) -> bool {
        let texts = |files: &Option<Vec<SourceId>>| -> Option<Vec<Vec<u8>>> {
            files.as_ref().map(|files| files.iter().map(|file| sources.bytes(*file).to_vec()).collect())
        };
        texts(&self.base) != texts(&self.head)
    }
}

/// A pattern that names no file of head, so that nothing is judged under it.
#[derive(Debug, Clone)]
pub struct Unmatched {
    /// The configuration it belongs to.
    pub configuration: String,
    /// The pattern.
    pub pattern: String,
    /// Where.
    pub at: Span,
    /// Whether it names a file of base.
    pub on_base: bool,
}

impl Policy {
    /// Assigns the files of both sides, by name, to configurations. Names are bytes as git has them, with `/`,
    /// relative to the root.
    #[must_use]
    pub fn plan(&self, base: &[(&[u8], SourceId)], head: &[(&[u8], SourceId)]) -> Plan {
        let mut plan = Plan::default();
        for configuration in &self.configurations {
            for pattern in configuration.patterns() {
                let names = |files: &[(&[u8], SourceId)]| files.iter().any(|(name, _)| pattern.matches(name));
                if !names(head) {
                    plan.unmatched.push(Unmatched {
                        configuration: configuration.name.clone(),
                        pattern: pattern.text.clone(),
                        at: pattern.span,
                        on_base: names(base),
                    });
                }
            }
            plan.configurations.extend(assign(configuration, base, head));
        }
        plan.configurations.sort_by(|a, b| a.name.cmp(&b.name));
        let find =
            |side: &[(&[u8], SourceId)], path: &[u8]| side.iter().find(|(name, _)| *name == path).map(|(_, id)| *id);
        let paths: BTreeSet<&[u8]> =
            base.iter().chain(head).map(|(name, _)| *name).filter(|n| self.attributes(n)).collect();
        plan.attributes =
            paths.into_iter().map(|path| Attributes { base: find(base, path), head: find(head, path) }).collect();
        plan
    }

    /// Whether this file can say what git does with files of the policy: a `.gitattributes` above one.
    #[must_use]
    pub fn attributes(&self, name: &[u8]) -> bool {
        name == ATTRIBUTES
            || name
                .strip_suffix(ATTRIBUTES)
                .and_then(|folder| folder.strip_suffix(b"/"))
                .is_some_and(|f| self.reaches(f))
    }

    /// Whether a pattern of the policy names this file.
    #[must_use]
    pub fn claims(&self, name: &[u8]) -> bool {
        self.configurations.iter().flat_map(PolicyConfiguration::patterns).any(|p| p.matches(name))
    }

    /// Whether a pattern of the policy could name a file below this folder.
    #[must_use]
    pub fn reaches(&self, folder: &[u8]) -> bool {
        self.configurations.iter().flat_map(PolicyConfiguration::patterns).any(|p| p.reaches(folder))
    }
}

impl PolicyConfiguration {
    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.files.iter().chain(&self.variables)
    }
}

const ATTRIBUTES: &[u8] = b".gitattributes";

fn assign(configuration: &PolicyConfiguration, base: &[(&[u8], SourceId)], head: &[(&[u8], SourceId)]) -> Vec<Planned> {
    let PolicyConfiguration { name, at: _, files, variables, each, format } = configuration;
    let mine = |side: &[(&[u8], SourceId)]| -> BTreeMap<Vec<u8>, SourceId> {
        side.iter()
            .filter(|(name, _)| files.iter().any(|pattern| pattern.matches(name)))
            .filter(|(name, _)| !variables.iter().any(|pattern| pattern.matches(name)))
            .map(|(name, id)| (name.to_vec(), *id))
            .collect()
    };
    let values = |side: &[(&[u8], SourceId)]| -> Vec<SourceId> {
        let of = |pattern: &Pattern| {
            let found: BTreeMap<&[u8], SourceId> =
                side.iter().filter(|(name, _)| pattern.matches(name)).copied().collect();
            found.into_values().collect::<Vec<_>>()
        };
        variables.iter().flat_map(of).collect()
    };
    let (base_values, head_values) = (values(base), values(head));
    let (base, head) = (mine(base), mine(head));
    if !each {
        let side = |files: BTreeMap<Vec<u8>, SourceId>, values: Vec<SourceId>| {
            (!files.is_empty()).then(|| files.into_values().chain(values).collect())
        };
        let (base, head) = (side(base, base_values), side(head, head_values));
        let planned = Planned { name: name.clone(), format: format.clone(), base, head };
        return vec![planned];
    }
    let all: BTreeSet<&[u8]> = base.keys().chain(head.keys()).map(Vec::as_slice).collect();
    // A file is called after its name without folders that all have and without extension, unless another file of
    // either side would be called the same.
    let mut short: BTreeMap<String, usize> = BTreeMap::new();
    for file in &all {
        *short.entry(own_name(file, files)).or_default() += 1;
    }
    all.into_iter()
        .map(|file| {
            let own = own_name(file, files);
            let own = if short.get(&own) == Some(&1) { own } else { escape(file) };
            let side = |files: &BTreeMap<Vec<u8>, SourceId>, values: &[SourceId]| {
                files.get(file).map(|id| [*id].into_iter().chain(values.iter().copied()).collect())
            };
            let name = format!("{name}/{own}");
            let (base, head) = (side(&base, &base_values), side(&head, &head_values));
            Planned { name, format: format.clone(), base, head }
        })
        .collect()
}

/// `web1` for `hosts/web1.rules` under `hosts/*.rules`.
fn own_name(file: &[u8], patterns: &[Pattern]) -> String {
    let prefix = patterns.iter().find(|pattern| pattern.matches(file)).map_or("", Pattern::fixed);
    let own = file.strip_prefix(prefix.as_bytes()).unwrap_or(file);
    let folder = own.iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
    let end = own.iter().rposition(|b| *b == b'.').filter(|dot| *dot > folder).unwrap_or(own.len());
    escape(&own[..end])
}
