//! Where rules stand that do something to requests, among those that end a list (manual, 4.2: the rules of a list are asked
//! in their order, and none after `allow`, `accept` or a final action).

use super::rewrites::Part;
use super::rules::{Action, Rule};
use crate::text::hex;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// Lines longer than this are told by their number and digest.
const MOST_SHOWN: usize = 400;

/// How each rule of a list reads, with what keeps requests from it that the rules before let through or end.
///
/// What only changes a request has no effect on one that has been ended: of those before it only the rules count that
/// end the list and let the request pass.
pub(super) fn placed(rules: &[Rule]) -> Vec<String> {
    let (mut passed, mut ended) = (BTreeSet::new(), BTreeSet::new());
    let mut out = Vec::with_capacity(rules.len());
    for rule in rules {
        let kept = match &rule.action {
            Action::Rewrite(parts) => parts.iter().any(Part::is_kept),
            Action::Set(name, _) => Part::Variable(name.clone()).is_kept(),
            Action::Accept | Action::Final(_) | Action::Setting | Action::Delay | Action::Nothing(_) => false,
        };
        let before = if kept || rule.asking.iter().any(Part::is_kept) { &ended } else { &passed };
        out.push(match &rule.action {
            Action::Delay => rule.text.clone(),
            _ if before.is_empty() => rule.text.clone(),
            Action::Accept
            | Action::Final(_)
            | Action::Rewrite(_)
            | Action::Set(..)
            | Action::Setting
            | Action::Nothing(_) => format!("{} unless an earlier rule ends the list ({})", rule.text, listed(before)),
        });
        match &rule.action {
            Action::Accept => {
                passed.insert(rule.condition.trim_start());
                ended.insert(rule.condition.trim_start());
            }
            Action::Final(_) => {
                ended.insert(rule.condition.trim_start());
            }
            Action::Rewrite(_) | Action::Set(..) | Action::Setting | Action::Delay | Action::Nothing(_) => {}
        }
    }
    out
}

/// ` after …`: lines that have changed what is looked at; nothing if there are none.
pub(super) fn after(lines: &[&str]) -> String {
    if lines.is_empty() { String::new() } else { format!(" after {}", listed(lines)) }
}

fn listed<'t>(texts: impl IntoIterator<Item = &'t &'t str, IntoIter: Clone>) -> String {
    let all = texts.into_iter().copied();
    if all.clone().map(|text| text.len() + 2).sum::<usize>() <= MOST_SHOWN {
        return all.collect::<Vec<_>>().join(", ");
    }
    let mut digest = Sha256::new();
    for text in all.clone() {
        digest.update(text);
        digest.update(b"\n");
    }
    format!("{} rules ({})", all.count(), hex(&digest.finalize()[..16]))
}
