//! Which pods, namespaces or nodes are meant: by their labels.
//!
//! Kubernetes API, "LabelSelector": the requirements of `matchLabels` and `matchExpressions` all hold; one without any
//! selects everything.

use super::fields::{Fields, Labels, is_key, is_label};
use crate::formats::account::Account;
use crate::formats::data::value::Value;
use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::sync::Arc;

/// Into how many parts a selector is divided at most.
const MOST_PARTS: usize = 64;

/// The label that every namespace has: its name.
pub(super) const NAME: &str = "kubernetes.io/metadata.name";

/// Requirements on labels, all of which hold. Equal selectors say the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub(super) struct Selector {
    requirements: BTreeSet<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Requirement {
    key: Arc<str>,
    what: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Wanted {
    /// It has the label, with one of these values.
    In(BTreeSet<Arc<str>>),
    /// It has no such label, or one with another value.
    NotIn(BTreeSet<Arc<str>>),
    /// It has the label.
    Exists,
    /// It does not.
    DoesNotExist,
}

/// What is known of labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'l> {
    /// Labels that are there.
    pub(super) labels: &'l Labels,
    /// Whether there are no others.
    pub(super) all: bool,
}

/// Whether something is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selects {
    Yes,
    No,
    /// The labels that decide are not known.
    Maybe,
}

impl Selector {
    /// Reads a selector. What the API server refuses is a gap.
    pub(super) fn read(value: &Value, account: &mut Account) -> Self {
        let mut fields = Fields::of(value, account);
        let mut requirements = BTreeSet::new();
        for (key, text) in fields.texts("matchLabels", account) {
            requirements.insert(Requirement { key, what: Wanted::In(BTreeSet::from([text])) });
        }
        for expression in fields.list("matchExpressions", account).unwrap_or_default() {
            requirements.extend(Requirement::read(expression, account));
        }
        fields.close(account);
        Self { requirements }
    }

    /// Whether it selects everything.
    pub(super) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether it selects what has these labels.
    pub(super) fn selects(&self, known: Known<'_>) -> Selects {
        let mut answer = Selects::Yes;
        for requirement in &self.requirements {
            match requirement.holds(known) {
                Selects::Yes => {}
                Selects::No => return Selects::No,
                Selects::Maybe => answer = Selects::Maybe,
            }
        }
        answer
    }

    /// Whether something with all of these labels, and no others, is selected.
    pub(super) fn matches(&self, labels: &Labels) -> bool {
        self.selects(Known { labels, all: true }) == Selects::Yes
    }

    /// Labels that everything it selects has.
    pub(super) fn implied(&self) -> Labels {
        let one = |requirement: &Requirement| match &requirement.what {
            Wanted::In(values) if values.len() == 1 => {
                values.first().map(|value| (Arc::clone(&requirement.key), Arc::clone(value)))
            }
            Wanted::In(_) | Wanted::NotIn(_) | Wanted::Exists | Wanted::DoesNotExist => None,
        };
        self.requirements.iter().filter_map(one).collect()
    }

    /// Selectors for one value of each label, which select together what it selects. One that would be too many is itself.
    pub(super) fn parts(&self) -> Vec<Self> {
        let mut parts = vec![Self::default()];
        for requirement in &self.requirements {
            let single: Vec<Requirement> = match &requirement.what {
                Wanted::In(values) => {
                    let one = |value: &Arc<str>| Wanted::In(BTreeSet::from([Arc::clone(value)]));
                    values
                        .iter()
                        .map(|value| Requirement { key: Arc::clone(&requirement.key), what: one(value) })
                        .collect()
                }
                Wanted::NotIn(_) | Wanted::Exists | Wanted::DoesNotExist => vec![requirement.clone()],
            };
            if parts.len().saturating_mul(single.len()) > MOST_PARTS {
                return vec![self.clone()];
            }
            let with = |part: &Self| {
                let mut all = Vec::with_capacity(single.len());
                for one in &single {
                    let mut part = part.clone();
                    part.requirements.insert(one.clone());
                    all.push(part);
                }
                all
            };
            parts = parts.iter().flat_map(with).collect();
        }
        parts
    }

    /// Its requirements, each as a text.
    pub(super) fn each(&self) -> impl Iterator<Item = String> + '_ {
        self.requirements.iter().map(Requirement::to_string)
    }

    /// The values of a label, if only what has one of them is selected and nothing else is asked for.
    pub(super) fn only(&self, key: &str) -> Option<&BTreeSet<Arc<str>>> {
        let mut all = self.requirements.iter();
        let first = all.next().filter(|requirement| &*requirement.key == key && all.next().is_none())?;
        if let Wanted::In(values) = &first.what { Some(values) } else { None }
    }
}

impl Requirement {
    fn read(value: &Value, account: &mut Account) -> Option<Self> {
        let mut fields = Fields::of(value, account);
        let key = fields.text("key", account);
        let operator = fields.text("operator", account);
        let mut values = BTreeSet::new();
        let listed = fields.list("values", account).unwrap_or_default();
        for item in listed {
            match item.text().filter(|text| is_label(text)) {
                Some(text) => {
                    values.insert(text.into());
                }
                None => account.gap(item.at, "the value of a label is expected"),
            }
        }
        let at = fields.at();
        fields.close(account);
        let (Some(key), Some(operator)) = (key, operator) else {
            account.gap(at, "a requirement has a `key` and an `operator`");
            return None;
        };
        if !is_key(key) {
            account.gap(at, "`key` is the name of a label");
            return None;
        }
        let what = match (operator, listed.is_empty()) {
            ("In", false) => Wanted::In(values),
            ("NotIn", false) => Wanted::NotIn(values),
            ("Exists", true) => Wanted::Exists,
            ("DoesNotExist", true) => Wanted::DoesNotExist,
            _ => {
                account.gap(at, "`In` and `NotIn` have values, `Exists` and `DoesNotExist` have none, and there is no other operator");
                return None;
            }
        };
        Some(Self { key: key.into(), what })
    }

    fn holds(&self, known: Known<'_>) -> Selects {
        let decided = |holds| if holds { Selects::Yes } else { Selects::No };
        match (known.labels.get(&self.key), &self.what) {
            (Some(value), Wanted::In(values)) => decided(values.contains(value)),
            (Some(value), Wanted::NotIn(values)) => decided(!values.contains(value)),
            (Some(_), Wanted::Exists) => Selects::Yes,
            (Some(_), Wanted::DoesNotExist) => Selects::No,
            (None, _) if !known.all => Selects::Maybe,
            (None, Wanted::In(_) | Wanted::Exists) => Selects::No,
            (None, Wanted::NotIn(_) | Wanted::DoesNotExist) => Selects::Yes,
        }
    }
}

impl Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, what } = self;
        let several = |values: &BTreeSet<Arc<str>>| values.iter().map(|v| &**v).collect::<Vec<_>>().join(",");
        match what {
            Wanted::In(values) if values.len() == 1 => write!(f, "{key}={}", several(values)),
            Wanted::In(values) => write!(f, "{key} in ({})", several(values)),
            Wanted::NotIn(values) if values.len() == 1 => write!(f, "{key}!={}", several(values)),
            Wanted::NotIn(values) => write!(f, "{key} notin ({})", several(values)),
            Wanted::Exists => f.write_str(key),
            Wanted::DoesNotExist => write!(f, "!{key}"),
        }
    }
}

/// As `kubectl` has it: `app=web,tier in (a,b),!old`.
impl Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.each().collect::<Vec<_>>().join(","))
    }
}

/// A selector that stands in a field, and where; nothing selects everything.
pub(super) fn selector(value: Option<&Value>, account: &mut Account) -> Selector {
    value.map_or_else(Selector::default, |value| Selector::read(value, account))
}
