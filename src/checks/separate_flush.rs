use super::{Check, Context, Report, declare_check};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::model::{Flush, Refill};
use crate::policy::keys;
use std::collections::BTreeMap;

declare_check! { id: "separate-flush", since: "0.1.0", level: Block, settings: SeparateFlush, alone: Always }

keys! {
    struct SeparateFlush {
        /// Whether commands are reported that base has as well. Default: false; in `lint` all are.
        all: Option<bool>,
    }
}

impl Check for SeparateFlush {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { all } = self;
        let all = all.unwrap_or(false) || cx.change.is_alone();
        for (base, head) in cx.change.pairs() {
            let Some(head) = head.filter(|head| report.scope().touches(&head.name, cx)) else { continue };
            let mut known: BTreeMap<(&str, &str, bool), usize> = BTreeMap::new();
            for flush in base.filter(|_| !all).iter().flat_map(|base| &base.flushes) {
                *known.entry(key(flush)).or_default() += 1;
            }
            for flush in head.flushes.iter().filter(|flush| flush.refill != Refill::Here) {
                if let Some(times) = known.get_mut(&key(flush)).filter(|times| **times > 0) {
                    *times -= 1;
                    continue;
                }
                let Flush { kind, address, origin, refill } = flush;
                let what = if address.is_empty() { (*kind).to_owned() } else { format!("{kind} `{address}`") };
                let (message, help, refilled) = match refill {
                    Refill::Here => continue,
                    Refill::Elsewhere(at) => (
                        format!("the {what} is emptied in one transaction and filled in another"),
                        "flush and fill in one file, which is one transaction: in between, packets meet what is left",
                        Some(*at),
                    ),
                    Refill::Nowhere => (
                        format!("the {what} is emptied, and nothing fills it in the same transaction"),
                        "fill it in the same file; if it is meant to go for good, delete it instead of flushing it",
                        None,
                    ),
                };
                let finding = report.finding(message, help);
                finding.configuration = Some(head.name.clone());
                finding.location = Some((Side::Head, *origin));
                finding.related = refilled.into_iter().map(|at| ("filled", Side::Head, at)).collect();
            }
        }
        Ok(())
    }
}

/// What makes two commands one.
fn key(flush: &Flush) -> (&str, &str, bool) {
    (flush.kind, &flush.address, flush.refill == Refill::Here)
}
