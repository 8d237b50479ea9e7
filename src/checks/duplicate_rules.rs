use super::{Check, Context, Report, declare_check, news, rules};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::policy::keys;
use crate::text::Span;
use std::collections::HashMap;

declare_check! { id: "duplicate-rules", since: "0.1.0", level: Warn, settings: DuplicateRules, alone: Named, sees: Filters }

keys! {
    struct DuplicateRules {
        /// Whether rules are reported that base has twice as well. Default: false; in `lint` all are.
        all: Option<bool>,
    }
}

impl Check for DuplicateRules {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { all } = self;
        let all = all.unwrap_or(false) || cx.change.is_alone();
        let store = &cx.change.store;
        for (head, lines) in news::written(cx, report, all) {
            // Where each meaning stands first in its chain.
            let mut first: HashMap<_, Span> = HashMap::new();
            let key =
                |line: &rules::Line<'_>| (line.table.to_owned(), line.chain.name, rules::meaning_of(line.rules, store));
            for line in rules::lines(head) {
                first.entry(key(&line)).or_insert(line.origin);
            }
            for line in lines {
                let Some(other) = first.get(&key(&line)).filter(|first| **first != line.origin) else { continue };
                let message = format!("a rule of `{}` stands there twice", rules::address(head, &line, store));
                let finding = report.finding(message, "remove one of them: the second never does anything");
                finding.configuration = Some(head.name.clone());
                finding.location = Some((Side::Head, line.origin));
                finding.flow = news::packets(cx, &line);
                finding.related = vec![("first", Side::Head, *other)];
            }
        }
        Ok(())
    }
}
