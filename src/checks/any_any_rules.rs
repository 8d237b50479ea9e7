use super::{Check, Context, Report, declare_check, news, rules};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::model::{Action, RuleId, Store};
use crate::net::{Family, Field, State};
use crate::policy::keys;

declare_check! { id: "any-any-rules", since: "0.1.0", level: Warn, settings: AnyAnyRules, alone: Named, sees: Filters }

keys! {
    struct AnyAnyRules {
        /// Whether rules are reported that base has as well. Default: false; in `lint` all are.
        all: Option<bool>,
    }
}

impl Check for AnyAnyRules {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { all } = self;
        let all = all.unwrap_or(false) || cx.change.is_alone();
        let store = &cx.change.store;
        for (head, lines) in news::written(cx, report, all) {
            for line in lines {
                let Some(family) = line.rules.iter().find_map(|rule| lets_everything_in(*rule, store)) else {
                    continue;
                };
                let chain = rules::address(head, &line, store);
                let message = format!("a rule of `{chain}` lets every new connection over {family} pass");
                let help = "say from where, to where or to which service; a rule for one interface says enough";
                let finding = report.finding(message, help);
                finding.configuration = Some(head.name.clone());
                finding.location = Some((Side::Head, line.origin));
                finding.flow = news::packets(cx, &line);
            }
        }
        Ok(())
    }
}

/// Whether a rule accepts new connections from everywhere to everywhere; over what.
fn lets_everything_in(rule: RuleId, store: &Store) -> Option<Family> {
    if store.get(rule).action() != Action::Accept {
        return None;
    }
    let narrow = [
        Field::Source,
        Field::Destination,
        Field::Protocol,
        Field::SourcePort,
        Field::DestinationPort,
        Field::Input,
        Field::Output,
    ];
    Family::ALL.into_iter().find(|family| {
        rules::region(rule, *family, store).is_some_and(|region| {
            let is_all = |field: Field| region.get(field).is_none_or(|set| *set == field.all(*family));
            let opens = region.get(Field::State).is_none_or(|states| states.contains(State::New.value()));
            narrow.into_iter().all(is_all) && opens
        })
    })
}
