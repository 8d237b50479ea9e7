use super::{Check, Context, Report, declare_check, news};
use crate::diff::Side;
use crate::diff::shadow::{Redundant, Worth};
use crate::facts::MissingFact;
use crate::policy::keys;

declare_check! { id: "redundant-rules", since: "0.1.0", level: Warn, settings: RedundantRules, alone: Always }

keys! {
    struct RedundantRules {
        /// Whether rules are reported that changed nothing on base either. Default: false; in `lint` all are.
        all: Option<bool>,
    }
}

impl Check for RedundantRules {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { all } = self;
        let all = all.unwrap_or(false) || cx.change.is_alone();
        let found = news::lines(cx, report, all, |worth| told(worth).map(|redundant| &redundant.line).collect());
        for (head, lines) in found {
            let Some(worth) = cx.change.worth(Side::Head, &head.name) else { continue };
            for Redundant { line, instead, effects, .. } in told(worth).filter(|found| lines.contains(&&found.line)) {
                let chain = news::address(cx, head, line);
                let besides = if effects.is_empty() { "" } else { ", but not logged, marked or counted" };
                let message = format!(
                    "a rule of `{chain}` changes nothing: without it its packets are decided the same{besides}"
                );
                let help = match (effects.is_empty(), worth.together) {
                    (false, _) => "keep it if what it does besides is needed; else remove it",
                    (true, true) => "remove it; all rules that are reported so can go at once",
                    (true, false) => "remove it, and look again: some of these rules stand in for one another",
                };
                let finding = report.finding(message, help);
                finding.configuration = Some(head.name.clone());
                finding.filter = news::filter(cx, head, line);
                finding.location = Some((Side::Head, line.origin));
                finding.flow = news::flow(cx, head, line);
                let effects = effects.iter().filter(|at| **at != line.origin).map(|at| ("besides", Side::Head, *at));
                finding.related = instead.iter().map(|at| ("instead", Side::Head, *at)).chain(effects).collect();
            }
        }
        news::open(cx, report, all, "change anything", |worth| worth.need_open.iter().collect());
        Ok(())
    }
}

/// The rules worth telling of. Not those that lead to chains in which nothing is decided, which other programs fill;
/// nor a last rule that says in words what happens to the rest.
fn told(worth: &Worth) -> impl Iterator<Item = &Redundant> {
    worth.redundant.iter().filter(|redundant| redundant.decides && !redundant.closing)
}
