use super::{Check, Context, Report, declare_check, news, rules};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::policy::{Expression, keys};

declare_check! { id: "rule-reason", since: "0.1.0", level: Warn, settings: RuleReason, alone: Named, sees: Filters }

keys! {
    struct RuleReason {
        /// A regular expression that the comment on a rule must have a match of: `NET-[0-9]+`. Default: any comment.
        pattern: Option<Expression>,
        /// Whether rules are reported that base has as well. Default: false; in `lint` all are.
        all: Option<bool>,
    }
}

impl Check for RuleReason {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { pattern, all } = self;
        let all = all.unwrap_or(false) || cx.change.is_alone();
        let store = &cx.change.store;
        for (head, lines) in news::written(cx, report, all) {
            for line in lines {
                let comment = line.rules.iter().find_map(|rule| store.comment(*rule)).unwrap_or_default();
                let text = String::from_utf8_lossy(comment);
                let fine = pattern.as_ref().map_or(!text.trim().is_empty(), |pattern| pattern.is_match(&text));
                if fine {
                    continue;
                }
                let chain = rules::address(head, &line, store);
                let message = match (pattern, comment) {
                    (_, b"") => format!("a rule of `{chain}` has no comment that says why it is there"),
                    (Some(pattern), _) => format!("the comment on a rule of `{chain}` has no `{}`", pattern.text()),
                    (None, _) => format!("the comment on a rule of `{chain}` is empty"),
                };
                let help = "say in its comment what it is for, or which ticket asks for it";
                let finding = report.finding(message, help);
                finding.configuration = Some(head.name.clone());
                finding.location = Some((Side::Head, line.origin));
                finding.flow = news::packets(cx, &line);
            }
        }
        Ok(())
    }
}
