use super::{Check, Context, Report, declare_check};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::model::{Configuration, Pick};
use crate::policy::keys;
use crate::text::Span;
use std::collections::{BTreeMap, BTreeSet};

declare_check! { id: "hard-coded-indexes", since: "0.1.0", level: Warn, settings: HardCodedIndexes, alone: Always }

keys! {
    struct HardCodedIndexes {
        /// Whether elements are reported that were taken on base already. Default: false; in `lint` all are.
        all: Option<bool>,
    }
}

impl Check for HardCodedIndexes {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { all } = self;
        let all = all.unwrap_or(false) || cx.change.is_alone();
        for (base, head) in cx.change.pairs() {
            let Some(head) = head.filter(|head| report.scope().touches(&head.name, cx)) else { continue };
            let old = base.filter(|_| !all).map(of_each_list).unwrap_or_default();
            for (list, parts) in of_each_list(head) {
                if old.get(list).is_some_and(|old| parts.keys().all(|part| old.contains_key(part))) {
                    continue;
                }
                let names: Vec<&str> = parts.keys().copied().collect();
                let name = &head.name;
                let message = format!(
                    "`{name}` takes {} of `{list}` for addresses, whatever else that list comes to hold",
                    in_words(&names)
                );
                let help =
                    "take all of it (`for_each`, `dynamic`, or the list itself), so that what is added is not missed";
                let finding = report.finding(message, help);
                finding.configuration = Some(name.clone());
                let mut places = parts.into_values().flatten().collect::<BTreeSet<Span>>().into_iter();
                finding.location = places.next().map(|at| (Side::Head, at));
                finding.related = places.map(|at| ("also in", Side::Head, at)).collect();
            }
        }
        Ok(())
    }
}

/// The parts that a configuration takes of each list, and where.
pub(super) fn of_each_list(configuration: &Configuration) -> BTreeMap<&str, BTreeMap<&str, Vec<Span>>> {
    let mut lists: BTreeMap<&str, BTreeMap<&str, Vec<Span>>> = BTreeMap::new();
    for Pick { list, part, origin } in &configuration.picks {
        lists.entry(list).or_default().entry(part).or_default().push(*origin);
    }
    lists
}

/// `[0]`, `[1]` and `[2]`
pub(super) fn in_words(parts: &[&str]) -> String {
    let quoted: Vec<String> = parts.iter().map(|part| format!("`{part}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}
