//! Rules of the model out of what rules mean.

use super::rules::{Condition, Meant, Outcome, Verdict};
use super::terms::{Term, Truth, Unknown};
use super::written::Digests;
use crate::model::{Action, Draft, Families, Literal, OpaqueId, RuleId, Store, Symbol};
use crate::text::Span;
use foldhash::quality::RandomState;
use std::collections::{HashMap, HashSet};

/// The conditions of a rule that were given a name of their place.
type Named = HashMap<String, OpaqueId, RandomState>;

/// Makes the rules of one chain.
pub(super) struct Builder<'b> {
    pub(super) store: &'b mut Store,
    pub(super) digests: &'b Digests,
    /// Where each opaque condition stands first.
    pub(super) opaques: &'b mut Vec<(OpaqueId, Span)>,
    pub(super) known: &'b mut HashSet<OpaqueId, RandomState>,
    pub(super) families: Families,
    /// The chain, as `table/chain`.
    pub(super) place: &'b str,
    /// How often each condition has stood in the chain.
    pub(super) occurrences: &'b mut HashMap<String, u32, RandomState>,
}

/// More rules than this are not made of one: what has the most alternatives is one condition then.
const MOST_RULES: usize = 1_000_000;
const MOST_COMBINATIONS: usize = 4_096;

impl Builder<'_> {
    /// The rules for a rule, in order; `blocks` gives the chain of each block of rules without a name.
    pub(super) fn rules(
        &mut self,
        meant: &Meant<'_, '_>,
        comment: Option<Symbol>,
        mut block: impl FnMut(&mut Store, usize) -> Symbol,
    ) -> Vec<RuleId> {
        let mut named = Named::default();
        let mut rules = Vec::with_capacity(meant.outcomes.len());
        if meant.writes
            && let Some(first) = meant.outcomes.iter().find(|o| !matches!(o.verdict, Verdict::Action(Action::Continue)))
        {
            let drafts = self.drafts(&first.conditions, comment, &mut named);
            rules.extend(drafts.into_iter().map(|draft| self.store.rule(draft, Action::Continue)));
        }
        let mut blocks = 0;
        for Outcome { conditions, verdict } in &meant.outcomes {
            let drafts = self.drafts(conditions, comment, &mut named);
            let action = match verdict {
                Verdict::Action(action) => *action,
                Verdict::Jump(name) => Action::Jump(self.store.symbol(&name.text)),
                Verdict::Goto(name) => Action::Goto(self.store.symbol(&name.text)),
                Verdict::Block(_, goto) => {
                    let name = block(self.store, blocks);
                    blocks += 1;
                    if *goto { Action::Goto(name) } else { Action::Jump(name) }
                }
                Verdict::Elsewhere(key, shown) => {
                    for draft in drafts {
                        let passes = self.with(&draft, key, shown, "lets it pass", meant.at);
                        rules.push(self.store.rule(passes, Action::Accept));
                        rules.push(self.store.rule(draft, Action::Deny));
                    }
                    continue;
                }
                Verdict::Any(text) => {
                    for draft in drafts {
                        let passes = self.with(&draft, text, text, "lets it pass", meant.at);
                        rules.push(self.store.rule(passes, Action::Accept));
                        let denied = self.with(&draft, text, text, "drops it", meant.at);
                        rules.push(self.store.rule(denied, Action::Deny));
                    }
                    continue;
                }
            };
            rules.extend(drafts.into_iter().map(|draft| self.store.rule(draft, action)));
        }
        rules
    }

    fn with(&mut self, draft: &Draft, key: &str, shown: &str, does: &str, at: Span) -> Draft {
        let mut draft = draft.clone();
        let opaque = self.opaque(&format!("{key} {does}"), Some(&format!("{shown} {does}")), at);
        draft.require(Literal { opaque, holds: true });
        draft
    }

    fn opaque(&mut self, key: &str, shown: Option<&str>, at: Span) -> OpaqueId {
        let id = match shown {
            Some(shown) => self.store.opaque_shown(key, shown),
            None => self.store.opaque(key),
        };
        if self.known.insert(id) {
            self.opaques.push((id, at));
        }
        id
    }

    /// One draft for each combination of alternatives.
    fn drafts(&mut self, conditions: &[Condition], comment: Option<Symbol>, named: &mut Named) -> Vec<Draft> {
        let mut base = Draft::new(self.families);
        if let Some(comment) = comment {
            base.comment(comment);
        }
        let mut drafts = vec![base];
        for Condition { any, text, at } in conditions {
            let many = drafts.len().saturating_mul(any.len());
            let too_many = many > MOST_RULES || (drafts.len() > 1 && any.len() > 1 && many > MOST_COMBINATIONS);
            if too_many {
                let opaque = self.opaque(text, None, *at);
                drafts.iter_mut().for_each(|draft| draft.require(Literal { opaque, holds: true }));
                continue;
            }
            match any.as_slice() {
                [] => drafts.iter_mut().for_each(Draft::never),
                [all] => {
                    for term in all {
                        for draft in &mut drafts {
                            self.require(draft, term, named);
                        }
                    }
                }
                _ => {
                    let mut product = Vec::with_capacity(many);
                    for draft in &drafts {
                        for all in any {
                            let mut draft = draft.clone();
                            all.iter().for_each(|term| self.require(&mut draft, term, named));
                            // What cannot be is no rule of its own.
                            if draft.families() != Families::NONE {
                                product.push(draft);
                            }
                        }
                    }
                    if product.is_empty() {
                        drafts.truncate(1);
                        drafts.iter_mut().for_each(Draft::never);
                    } else {
                        drafts = product;
                    }
                }
            }
        }
        drafts
    }

    fn require(&mut self, draft: &mut Draft, term: &Term, named: &mut Named) {
        match term {
            Term::Families(families) => draft.families_only(*families),
            Term::Field(field, set) => draft.restrict(*field, set),
            Term::Address(field, family, set) => draft.addresses(*field, *family, set),
            Term::Opaque(unknown) => {
                let opaque = self.resolve(unknown, named);
                draft.require(Literal { opaque, holds: unknown.holds });
            }
        }
    }

    /// The condition under its full name: with its place where it may be another at each, and with what is written.
    fn resolve(&mut self, unknown: &Unknown, named: &mut Named) -> OpaqueId {
        let Unknown { key, shown, holds: _, truth, at } = unknown;
        let written = match truth {
            Truth::Packet => return self.opaque(key, shown.as_deref(), *at),
            Truth::Occurrence => String::new(),
            Truth::Marks | Truth::Hops | Truth::Service | Truth::Payload | Truth::Options | Truth::Class => {
                match self.digests.of_truth(truth) {
                    Some(written) => written,
                    None => return self.opaque(key, shown.as_deref(), *at),
                }
            }
            Truth::Set(_) | Truth::Bucket(_) => self.digests.of_truth(truth).unwrap_or_default(),
        };
        if let Some(opaque) = named.get(key) {
            return *opaque;
        }
        let count = self.occurrences.entry(key.clone()).or_insert(0);
        *count += 1;
        let nth = if *count > 1 { format!(" (#{count})") } else { String::new() };
        let end = format!(" in {}{nth}{written}", self.place);
        let shown = shown.as_ref().map(|shown| format!("{shown}{end}"));
        let opaque = self.opaque(&format!("{key}{end}"), shown.as_deref(), *at);
        named.insert(key.clone(), opaque);
        opaque
    }
}
