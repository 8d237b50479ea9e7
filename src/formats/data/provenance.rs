//! What a value was taken out of, where that matters: lists whose length the configuration does not determine.

use super::value::{Value, What};
use crate::text::Span;
use std::sync::Arc;

/// How many picks are told of one value; more say nothing new.
const MOST: usize = 64;

/// Where a value comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::formats) struct Provenance {
    /// Set if it is, or was computed from all of, something that grows without the configuration: what that is called.
    grows: Option<Arc<str>>,
    /// What fixed parts of such lists it was computed from.
    picks: Vec<Pick>,
}

/// A fixed part of a list that grows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::formats) struct Pick {
    /// What the list is called.
    pub(in crate::formats) list: Arc<str>,
    /// The part: `[0]`, `slice(…, 0, 2)`.
    pub(in crate::formats) part: Arc<str>,
    /// The expression that takes it.
    pub(in crate::formats) at: Span,
}

impl Value {
    /// The same, grown with something that is called so.
    #[must_use]
    pub(in crate::formats) fn growing(mut self, name: &str) -> Self {
        let mut provenance = self.provenance.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        provenance.grows.get_or_insert_with(|| name.into());
        self.provenance = Some(Arc::new(provenance));
        self
    }

    /// The same, computed from these.
    #[must_use]
    pub(in crate::formats) fn computed_from<'v>(mut self, values: impl IntoIterator<Item = &'v Self>) -> Self {
        for value in values {
            self.comes_from(value.provenance.as_ref());
        }
        self
    }

    fn comes_from(&mut self, other: Option<&Arc<Provenance>>) {
        let Some(other) = other else { return };
        match &mut self.provenance {
            None => self.provenance = Some(Arc::clone(other)),
            Some(mine) if Arc::ptr_eq(mine, other) || *mine == *other => {}
            Some(mine) => {
                let mine = Arc::make_mut(mine);
                if mine.grows.is_none() {
                    mine.grows.clone_from(&other.grows);
                }
                for pick in &other.picks {
                    if mine.picks.len() < MOST && !mine.picks.contains(pick) {
                        mine.picks.push(pick.clone());
                    }
                }
            }
        }
    }

    /// The same as a part of `list` that is taken by these: a pick, if the list grows and none of what says which part
    /// grows with it.
    #[must_use]
    pub(in crate::formats) fn taken_from(mut self, list: &Self, by: &[&Self], part: &str, at: Span) -> Self {
        let grows = match &list.what {
            What::Unknown(unknown) => Some(&unknown.0),
            What::List(many) => {
                let known = list.provenance.as_ref().and_then(|provenance| provenance.grows.as_ref());
                known.or(many.more.first().map(|more| &more.name.0))
            }
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Object(_) => None,
        };
        let follows = |value: &&Self| {
            !value.is_known() || value.provenance.as_ref().is_some_and(|provenance| provenance.grows.is_some())
        };
        let mut provenance = Provenance::default();
        if let Some(list) = grows.filter(|_| !by.iter().any(follows)) {
            provenance.picks.push(Pick { list: Arc::clone(list), part: part.into(), at });
        }
        provenance.picks.extend(list.picks().iter().cloned());
        // What is in an element may grow by itself, but it is not the list.
        let element = self.provenance.take();
        self.provenance = (provenance != Provenance::default()).then(|| Arc::new(provenance));
        self.comes_from(element.as_ref());
        self
    }

    /// The same as an item of a list that is gone through as a whole.
    #[must_use]
    pub(in crate::formats) fn item_of(self, list: &Self) -> Self {
        if list.picks().is_empty() {
            return self;
        }
        let picks = list.picks().to_vec();
        let mut item = self;
        item.comes_from(Some(&Arc::new(Provenance { grows: None, picks })));
        item
    }

    /// Adds the picks of everything in it.
    pub(in crate::formats) fn all_picks(&self, out: &mut Vec<Pick>) {
        out.extend(self.picks().iter().cloned());
        match &self.what {
            What::List(list) => list.items.iter().for_each(|item| item.all_picks(out)),
            What::Object(object) => object.entries.iter().for_each(|entry| entry.value.all_picks(out)),
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => {}
        }
    }

    /// The fixed parts of lists that grow that it was computed from.
    pub(in crate::formats) fn picks(&self) -> &[Pick] {
        self.provenance.as_ref().map_or(&[], |provenance| &provenance.picks)
    }
}
