use super::{Check, Context, Report, declare_check, news};
use crate::diff::Side;
use crate::diff::shadow::{Cause, Shadowed};
use crate::facts::MissingFact;
use crate::policy::keys;

declare_check! { id: "shadowed-rules", since: "0.1.0", level: Warn, settings: ShadowedRules, alone: Always }

keys! {
    struct ShadowedRules {
        /// Whether rules are reported that never applied on base either. Default: false; in `lint` all are.
        all: Option<bool>,
    }
}

impl Check for ShadowedRules {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { all } = self;
        let all = all.unwrap_or(false) || cx.change.is_alone();
        let found = news::lines(cx, report, all, |worth| worth.shadowed.iter().map(|found| &found.line).collect());
        for (head, lines) in found {
            let Some(worth) = cx.change.worth(Side::Head, &head.name) else { continue };
            let causes = worth.shadowed.iter().filter(|found| lines.contains(&&found.line));
            for Shadowed { line, cause } in causes {
                let chain = news::address(cx, head, line);
                let (why, related, more): (&str, Vec<_>, usize) = match cause {
                    Cause::Contradiction => ("its conditions contradict one another", Vec::new(), 0),
                    Cause::Elsewhere(jump) => ("none of its packets is sent to its chain", vec![("sent by", *jump)], 0),
                    Cause::Covered(takers, more) => {
                        let takers = takers.iter().map(|at| ("by", *at)).collect();
                        ("what stands before it takes all its packets", takers, *more)
                    }
                };
                let more = match more {
                    0 => String::new(),
                    more => format!("; {more} more have a part in it"),
                };
                let help = "remove it; if it is meant to apply, move it before what takes its packets, or narrow that";
                let finding = report.finding(format!("a rule of `{chain}` never applies: {why}{more}"), help);
                finding.configuration = Some(head.name.clone());
                finding.filter = news::filter(cx, head, line);
                finding.location = Some((Side::Head, line.origin));
                finding.flow = news::flow(cx, head, line);
                finding.related = related.into_iter().map(|(what, at)| (what, Side::Head, at)).collect();
            }
        }
        news::open(cx, report, all, "ever apply", |worth| worth.open.iter().collect());
        Ok(())
    }
}
