use super::{Check, Context, Report, declare_check};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::model::Configuration;
use crate::policy::keys;
use crate::text::{Span, suggest};
use std::collections::BTreeMap;

declare_check! { id: "undefined-references", since: "0.1.0", level: Block, settings: UndefinedReferences, alone: Always }

keys! {
    struct UndefinedReferences {}
}

impl Check for UndefinedReferences {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self {} = self;
        for head in cx.change.head.configurations() {
            if !report.scope().touches(&head.name, cx) {
                continue;
            }
            let mut missing: BTreeMap<(&str, &str), Vec<Span>> = BTreeMap::new();
            for reference in &head.undefined {
                missing.entry((reference.kind, &reference.address)).or_default().push(reference.origin);
            }
            for ((kind, address), uses) in missing {
                let times = match uses.len() {
                    1 => String::new(),
                    n => format!(" in {n} places"),
                };
                let message = format!("`{}` uses the {kind} `{address}`{times}, and nothing declares it", head.name);
                let help = format!("declare it, or correct the name: {}", nearest(head, kind, address));
                let finding = report.finding(message, help);
                finding.configuration = Some(head.name.clone());
                let mut uses = uses.into_iter();
                finding.location = uses.next().map(|at| (Side::Head, at));
                finding.related = uses.map(|at| ("also in", Side::Head, at)).collect();
            }
        }
        Ok(())
    }
}

/// What could have been meant.
fn nearest(configuration: &Configuration, kind: &str, address: &str) -> String {
    let mine = configuration.objects.iter().filter(|object| object.kind == kind);
    let known: Vec<&str> = mine.map(|object| object.address.as_str()).take(1000).collect();
    suggest(address, &known)
}
