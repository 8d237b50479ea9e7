use super::{Check, Context, Report, declare_check};
use crate::diff::{Side, Sided};
use crate::facts::MissingFact;
use crate::model::{Action, ChainId, Families, Stage, Store, Table};
use crate::net::Family;
use crate::policy::{Pattern, keys, words};
use crate::text::Span;
use std::collections::HashSet;

declare_check! { id: "default-action", since: "0.1.0", level: Block, settings: DefaultAction, alone: Named, sees: Filters }

keys! {
    struct DefaultAction {
        /// Filters or patterns of them: `edge/input`, `hosts/*/input`. Default: those of `in`.
        filters: Option<Vec<Pattern>>,
        /// What must happen to packets that no rule decides. Default: deny.
        must_be: Option<Default>,
    }
}

words! {
    /// What happens to packets that no rule decides.
    enum Default as "default action" {
        /// They do not pass.
        Deny = "deny",
    }
}

impl Check for DefaultAction {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { filters, must_be } = self;
        let Default::Deny = must_be.unwrap_or(Default::Deny);
        let pairs = report.scope().filters(cx);
        for pattern in filters.iter().flatten() {
            if !pairs.iter().any(|pair| pattern.covers(pair.id)) {
                let message = format!("`{}` names no filter of either side", pattern.text);
                report.idle(message, Some(pattern.span));
            }
        }
        for pair in pairs {
            let named = |pattern: &Pattern| pattern.covers(pair.id);
            if filters.as_ref().is_some_and(|filters| !filters.iter().any(named)) {
                continue;
            }
            let found = match pair.head {
                Some(sided) => let_through(sided, &cx.change.store),
                None if pair.absent() => vec![(None, "there is no filter any more, so everything passes".to_owned())],
                None => Vec::new(),
            };
            for (at, why) in found {
                let message = format!("`{}` lets packets pass that no rule decides: {why}", pair.id);
                let help = "set the default action of the chain to deny, or end it with a rule that denies the rest";
                let finding = report.finding(message, help);
                finding.configuration = Some(pair.configuration.to_owned());
                finding.filter = Some(pair.id.to_owned());
                finding.location = at.map(|span| (Side::Head, span));
            }
        }
        Ok(())
    }
}

/// For each family that comes to the filter and whose undecided packets pass: where that is said, and why.
pub(super) fn let_through(sided: Sided<'_>, store: &Store) -> Vec<(Option<Span>, String)> {
    let Sided { configuration, filter } = sided;
    let mut out: Vec<(Option<Span>, String)> = Vec::new();
    for family in Family::ALL {
        if !filter.domain.iter().any(|region| region.family() == family) {
            continue;
        }
        let stages = filter.stages.iter().filter(|stage| stage.families.contains(family));
        let ends: Vec<_> = stages.map(|stage| end(configuration.table(stage.table), stage, family, store)).collect();
        if ends.iter().any(|end| matches!(end, End::Denies)) {
            continue;
        }
        let (at, why) = match ends.last() {
            Some(End::Passes(at)) => (*at, format!("{family} packets are accepted here")),
            Some(End::Denies | End::Open) | None => (None, format!("no base chain sees {family} packets")),
        };
        if !out.iter().any(|(other, _)| at.is_some() && *other == at) {
            out.push((at, why));
        }
    }
    out
}

/// What becomes of packets that no rule with a condition decides.
enum End {
    /// They are denied.
    Denies,
    /// They pass.
    Passes(Option<Span>),
    /// They come to the end of the chain.
    Open,
}

fn end(table: &Table, stage: &Stage, family: Family, store: &Store) -> End {
    match last(table, stage.chain, family, store) {
        End::Open => match stage.otherwise {
            Action::Deny => End::Denies,
            Action::Accept | Action::Return | Action::Jump(_) | Action::Goto(_) | Action::Continue => {
                End::Passes(stage.otherwise_at)
            }
        },
        decided @ (End::Denies | End::Passes(_)) => decided,
    }
}

/// The first rule of a chain that takes every packet, in it or in a chain that all packets run through. A rule before
/// it that may lead out of its chain leaves that chain's end open, since its packets miss that rule.
fn last(table: &Table, chain: ChainId, family: Family, store: &Store) -> End {
    // Chains and the rule that comes next in each; a chain that was run through once is open, however often called.
    let mut stack = vec![(chain, 0)];
    let mut seen = HashSet::from([chain]);
    while let Some((chain, next)) = stack.last_mut() {
        let chain = table.get(*chain);
        let Some((rule, origin)) = chain.rules.get(*next).zip(chain.origins.get(*next)) else {
            stack.pop();
            continue;
        };
        *next += 1;
        if store.get(*rule).families().and(Families::only(family)) == Families::NONE {
            continue;
        }
        let whole = store.ranges(*rule, family).next().is_none() && store.literals(*rule).is_empty();
        match store.get(*rule).action() {
            Action::Accept if whole => return End::Passes(Some(origin)),
            Action::Deny if whole => return End::Denies,
            Action::Return => *next = usize::MAX,
            Action::Goto(target) => {
                *next = usize::MAX;
                stack.extend(table.find(target).filter(|id| whole && seen.insert(*id)).map(|id| (id, 0)));
            }
            Action::Jump(target) => {
                stack.extend(table.find(target).filter(|id| whole && seen.insert(*id)).map(|id| (id, 0)));
            }
            Action::Accept | Action::Deny | Action::Continue => {}
        }
    }
    End::Open
}
