//! What goes by what went before: limits, quotas and counts of connections, those of a name, and those in the elements of sets
//! (nft(8), STATEFUL OBJECTS; nft_limit.c, nft_quota.c, nft_connlimit.c, nft_dynset.c).
//!
//! One without a name belongs to its rule. One with a name, and one in an element of a set, is shared by all rules that ask it:
//! each takes from it, so what one finds depends on who else does.

use super::declared::decides;
use super::keys;
use super::names::in_table;
use super::rules::{Lowered, Lowering, SAID};
use super::sets::Contents;
use super::statements;
use super::terms::{Term, Truth, Unknown};
use super::text;
use crate::formats::Disposition;
use crate::formats::nftables::ruleset::Table;
use crate::formats::nftables::syntax::{
    ElementOption, Expression, Kind, Limit, Name, ObjectKind, SetAction, Statement,
};
use crate::text::Span;

impl<'r, 't> Lowering<'_, '_, 'r, 't> {
    /// A condition that is another one at each place.
    pub(super) fn here(&mut self, key: String, shown: Option<String>, holds: bool, at: Span) {
        self.here_by(key, shown, holds, Truth::Occurrence, at);
    }

    /// The same where others have a part in it.
    fn here_by(&mut self, key: String, shown: Option<String>, holds: bool, truth: Truth, at: Span) {
        let text = shown.clone().unwrap_or_else(|| key.clone());
        let text = if holds { text } else { format!("not {text}") };
        let unknown = Unknown { key, shown, holds, truth, at };
        self.demand(vec![vec![Term::Opaque(unknown)]], text, at);
    }

    pub(super) fn limit(&mut self, limit: &Limit, at: Span) -> Lowered {
        if limit.rate == 0 {
            return Err("Could not process rule: Invalid argument: a rate of nothing".to_owned());
        }
        let shown = text::limit(limit);
        let (key, shown) = match keys::limit(limit) {
            Some(key) => (key, Some(shown)),
            None => (shown, None),
        };
        self.here(key, shown, !limit.over, at);
        Ok(Disposition::Opaque("limit"))
    }

    /// What an object of that name, or of the name that a map gives, lets through.
    pub(super) fn of_object(&mut self, kind: ObjectKind, name: &'r Expression<'t>, text: String, at: Span) -> Lowered {
        self.reference(name)?;
        let table = self.env.table;
        let truth = bucket(table, kind, name).unwrap_or_else(|| any_bucket(table, kind));
        self.here_by(text + &self.definition(kind, name), None, true, truth, at);
        Ok(Disposition::Opaque(kind.keyword()))
    }

    /// An element that comes or goes. A full set, or what the element carries, ends the rule.
    pub(super) fn element(
        &mut self,
        (action, set): (SetAction, &Name<'t>),
        (key, value): (&'r Expression<'t>, Option<&'r Expression<'t>>),
        options: &'r [ElementOption<'t>],
        text: String,
        at: Span,
    ) -> Lowered {
        let Some(of) = self.env.table.set(&set.text) else { return Err(SAID.to_owned()) };
        self.refused_at(|rule| rule.check_update(set, key, options, value, at))?;
        self.writes = true;
        for value in [Some(key), value].into_iter().flatten() {
            self.value(value)?;
        }
        self.effects.push(text.clone());
        if action != SetAction::Delete {
            let name = in_table(self.env.table, &set.text);
            // That others have filled a set of the usual size is not taken into account.
            let truth = match of.head.size {
                _ if self.env.limited.contains(&name) => Truth::Bucket(name),
                Some(size) if size != USUAL_SIZE => Truth::Set(name),
                Some(_) | None => Truth::Occurrence,
            };
            let asked = statements::asked_by(&of.head).map_or_else(String::new, |asked| format!(" ({asked})"));
            self.here_by(text + &asked, None, true, truth, at);
        }
        Ok(Disposition::Opaque("dynamic set"))
    }

    pub(super) fn meter(&mut self, name: &Name<'t>, key: &'r Expression<'t>, text: String, at: Span) -> Lowered {
        self.writes = true;
        self.value(key)?;
        self.effects.push(text.clone());
        self.here_by(text, None, true, Truth::Bucket(in_table(self.env.table, &name.text)), at);
        Ok(Disposition::Opaque("meter"))
    }

    /// What it depends on whether those elements of a set are met that are not always there.
    pub(super) fn there(&self, set: Option<&str>, contents: &Contents<'_, '_>) -> Truth {
        match set {
            Some(set) if self.env.limited.contains(set) => Truth::Bucket(set.to_owned()),
            None if contents.asks() => Truth::Occurrence,
            Some(_) | None => Truth::Packet,
        }
    }

    /// What it depends on whether an element is met that rules have added.
    pub(super) fn added(&self, set: String) -> Truth {
        if self.env.limited.contains(&set) { Truth::Bucket(set) } else { Truth::Set(set) }
    }
}

/// The size that listings give to sets to which rules add where none is said.
pub(super) const USUAL_SIZE: u64 = 65535;

/// Whether what a rule adds to a set keeps packets from it.
pub(super) fn are_limited(options: &[ElementOption<'_>], statements: &[Statement<'_>]) -> bool {
    let own = |option: &ElementOption<'_>| match option {
        ElementOption::Statement(statement) => decides(&statement.kind),
        ElementOption::Timeout(_) | ElementOption::Expires(_) | ElementOption::Comment(_) => false,
    };
    options.iter().any(own) || statements.iter().any(|statement| decides(&statement.kind))
}

/// The bucket of an object; `None`: a map gives the name.
pub(super) fn bucket(table: &Table<'_>, kind: ObjectKind, name: &Expression<'_>) -> Option<Truth> {
    match &name.resolved().kind {
        Kind::Word(name) | Kind::Quoted(name) => Some(named_bucket(table, kind, name)),
        _ => None,
    }
}

pub(super) fn named_bucket(table: &Table<'_>, kind: ObjectKind, name: &[u8]) -> Truth {
    Truth::Bucket(format!("{} {}", kind.keyword(), in_table(table, name)))
}

/// The buckets of all objects of a kind.
pub(super) fn any_bucket(table: &Table<'_>, kind: ObjectKind) -> Truth {
    Truth::Bucket(format!("every {} of {}", kind.keyword(), super::names::table(table)))
}
