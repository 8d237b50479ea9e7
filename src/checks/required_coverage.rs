use super::hard_coded_indexes::{in_words, of_each_list};
use super::questions::{in_states, opening};
use super::{Check, Context, Finding, Report, Undecided, declare_check, looked_up};
use crate::diff::{self, Delta, FilterPair, Found, Question, Side};
use crate::facts::MissingFact;
use crate::net::{Family, Field, Region, Set, State, blocks, format_address};
use crate::policy::{Networks, Services, keys, words};
use crate::text::{Span, few};
use std::collections::{BTreeMap, BTreeSet};

declare_check! { id: "required-coverage", since: "0.1.0", level: Block, settings: RequiredCoverage, alone: Named, sees: Filters }

keys! {
    struct RequiredCoverage {
        /// Whether the networks are where packets go (`egress`) or where they come from (`ingress`).
        direction: Direction,
        /// What must be covered; of feeds what head has.
        networks: Networks,
        /// The services that must pass. Default: any.
        services: Option<Services>,
        /// Whether nothing beyond the networks may pass to these services. Default: false.
        exact: Option<bool>,
    }
}

words! {
    /// Which end of a packet is meant.
    enum Direction as "direction" {
        /// The destination.
        Egress = "egress",
        /// The source.
        Ingress = "ingress",
    }
}

impl Direction {
    const fn field(self) -> Field {
        match self {
            Self::Egress => Field::Destination,
            Self::Ingress => Field::Source,
        }
    }

    /// Whether a filter of that id sees packets in this direction. What is asked for by name is asked.
    fn is_of(self, filter: &str) -> bool {
        match filter.rsplit('/').next().unwrap_or(filter) {
            "egress" | "output" | "postrouting" => self == Self::Egress,
            "ingress" | "input" | "prerouting" => self == Self::Ingress,
            _ => true,
        }
    }
}

/// How many prefixes a sentence names; the others are counted.
const NAMED: usize = 20;

impl Check for RequiredCoverage {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let pairs = report.scope().filters(cx).into_iter().filter(|pair| self.direction.is_of(pair.id));
        let pairs: Vec<_> = pairs.collect();
        if pairs.is_empty() {
            let message = format!("there is no filter of either side that sees packets on {}", self.direction);
            report.undecided(Undecided::MatchesNothing, message, "name the filters with `in`, or remove the entry");
        }
        for pair in pairs {
            self.missing(cx, report, &pair);
            if self.exact == Some(true) {
                self.beyond(cx, report, &pair);
            }
        }
        Ok(())
    }
}

impl RequiredCoverage {
    /// The packets of the services that begin connections with these addresses.
    fn packets(&self, addresses: impl Fn(Family) -> Set) -> Vec<Region> {
        let mut out = Vec::new();
        for family in Family::ALL {
            let every = || vec![Region::all(family)];
            let boxes = self.services.as_ref().map_or_else(every, |services| services.regions(family));
            for mut region in boxes {
                region.restrict(self.direction.field(), &addresses(family));
                if !region.is_empty() {
                    out.extend(opening(in_states(region, &[State::New])));
                }
            }
        }
        out
    }

    fn services(&self) -> String {
        self.services.as_ref().map_or_else(String::new, |services| format!(" for {}", services.text))
    }

    /// Packets with one of these prefixes at the end that is meant.
    fn end(&self, prefixes: &[String]) -> String {
        match self.direction {
            Direction::Egress => format!("any -> {}", few(prefixes, NAMED)),
            Direction::Ingress => format!("{} -> any", few(prefixes, NAMED)),
        }
    }

    fn missing(&self, cx: &Context<'_>, report: &mut Report<'_>, pair: &FilterPair<'_>) {
        let question = Question::Denied(Side::Head);
        let wanted = self.packets(|family| self.networks.proposed(family));
        let mut found = diff::ask(cx.change, pair, &wanted, question);
        let (field, store) = (self.direction.field(), &cx.change.store);
        let is_possible = |delta: &Delta| !looked_up::surely_passes(delta, field, &self.networks, store);
        found.deltas.retain(is_possible);
        let Some((denied, certain)) = self.addresses(report, pair, &found) else { return };
        let published: Vec<_> =
            self.networks.published().map(|(of, first, last)| (of, Set::range(first, last))).collect();
        let is_lost =
            |(of, prefix): &&(Family, Set)| denied.iter().any(|(family, set)| family == of && set.overlaps(prefix));
        let lost: Vec<String> =
            published.iter().filter(is_lost).flat_map(|(family, set)| prefixes(*family, set)).collect();
        let add: Vec<String> = denied.iter().flat_map(|(family, set)| prefixes(*family, set)).collect();
        let does = if certain { "does not let" } else { "may not let" };
        let what = if published.is_empty() {
            self.end(&add)
        } else {
            format!("{} ({} of {} published prefixes)", self.end(&lost), lost.len(), published.len())
        };
        let (id, text, services) = (pair.id, &self.networks.text, self.services());
        let message = format!("`{id}` {does} all of {text} pass{services}: {what}");
        let picks = self.picks(cx, pair);
        let help = if !picks.is_empty() {
            "take all of that list (`for_each`, `dynamic`, or the list itself), not a fixed number of its elements"
                .to_owned()
        } else if add == lost {
            "let them pass; better, take the list from the feed instead of writing it out".to_owned()
        } else {
            format!("the fewest prefixes to add are {}", few(&add, NAMED))
        };
        // What passed before says more than what never did.
        let mut lately = diff::ask(cx.change, pair, &wanted, Question::NewlyDenied);
        lately.deltas.retain(is_possible);
        let (found, question) =
            if lately.deltas.is_empty() { (found, question) } else { (lately, Question::NewlyDenied) };
        let message = picks.iter().fold(message, |message, (said, _)| format!("{message}; {said}"));
        let finding = self.shown(cx, report, pair, &found, question, (message, help));
        let places = picks.into_iter().flat_map(|(_, places)| places);
        finding.related.extend(places.map(|at| ("taken", Side::Head, at)));
    }

    /// Where the code takes a fixed number of elements out of lists that grow: of those that the policy knows as the
    /// feed, or of any if it knows none.
    fn picks(&self, cx: &Context<'_>, pair: &FilterPair<'_>) -> Vec<(String, BTreeSet<Span>)> {
        let head = cx.change.head.configurations().iter().find(|head| head.name == pair.configuration);
        let lists: Vec<_> = head.map(|head| of_each_list(head)).into_iter().flatten().collect();
        let is_feed = |(list, _): &&(&str, _)| looked_up::is_feed(list, &self.networks);
        let mine: Vec<_> = lists.iter().filter(is_feed).collect();
        let mine = if mine.is_empty() { lists.iter().collect() } else { mine };
        let told = |(list, parts): &(&str, BTreeMap<&str, Vec<Span>>)| {
            let names: Vec<&str> = parts.keys().copied().collect();
            let said = format!("the code takes {} of `{list}`", in_words(&names));
            (said, parts.values().flatten().copied().collect())
        };
        mine.into_iter().map(told).collect()
    }

    fn beyond(&self, cx: &Context<'_>, report: &mut Report<'_>, pair: &FilterPair<'_>) {
        let question = Question::Allowed(Side::Head);
        let field = self.direction.field();
        let others = self.packets(|family| self.networks.proposed(family).complement(field.max(family)));
        let mut found = diff::ask(cx.change, pair, &others, question);
        found.deltas.retain(|delta| !looked_up::surely_stops(delta, field, &self.networks, &cx.change.store));
        let Some((allowed, certain)) = self.addresses(report, pair, &found) else { return };
        let more: Vec<String> = allowed.iter().flat_map(|(family, set)| prefixes(*family, set)).collect();
        let lets = if certain { "lets" } else { "may let" };
        let (id, text, services) = (pair.id, &self.networks.text, self.services());
        let message = format!("`{id}` {lets} more than {text} pass{services}: {}", self.end(&more));
        let help = "take away what the feed does not publish, or remove `exact`".to_owned();
        self.shown(cx, report, pair, &found, question, (message, help));
    }

    /// The addresses of an answer in each family, and whether it is certain; `None` if there is nothing to say.
    fn addresses(
        &self,
        report: &mut Report<'_>,
        pair: &FilterPair<'_>,
        found: &Found,
    ) -> Option<([(Family, Set); 2], bool)> {
        let Found { deltas, complete } = found;
        if !complete {
            let message = format!("what `{}` lets pass could not be computed within its budget", pair.id);
            let finding = report.undecided(Undecided::TooHard, message, "name fewer networks or services in one entry");
            finding.configuration = Some(pair.configuration.to_owned());
            finding.filter = Some(pair.id.to_owned());
        }
        let of = |family: Family| {
            let mine = deltas.iter().filter(|delta| delta.region.family() == family);
            let all = self.direction.field().all(family);
            let of = |delta: &Delta| delta.region.get(self.direction.field()).unwrap_or(&all).clone();
            (family, mine.fold(Set::empty(), |sum, delta| sum.union(&of(delta))))
        };
        let certain = deltas.iter().any(|delta| delta.conditions.is_empty());
        (!deltas.is_empty()).then(|| (Family::ALL.map(of), certain))
    }

    fn shown<'r>(
        &self,
        cx: &Context<'_>,
        report: &'r mut Report<'_>,
        pair: &FilterPair<'_>,
        found: &Found,
        question: Question,
        (message, help): (String, String),
    ) -> &'r mut Finding {
        let certain = found.deltas.iter().find(|delta| delta.conditions.is_empty());
        let first = certain.or(found.deltas.first());
        let witness = first.and_then(|delta| diff::witness(cx.change, pair, delta, question));
        let finding = report.finding(message, help);
        finding.configuration = Some(pair.configuration.to_owned());
        finding.filter = Some(pair.id.to_owned());
        finding.flow = first.map(|Delta { region, conditions }| (pair.plainly(region), conditions.clone()));
        let by = witness.as_ref().and_then(|witness| witness.head.by);
        finding.location = by.map(|span| (Side::Head, span));
        finding.witness = witness;
        finding
    }
}

/// The fewest prefixes of a set.
fn prefixes(family: Family, set: &Set) -> Vec<String> {
    let each = set.ranges().iter().flat_map(|(first, last)| blocks(family, first, last));
    each.map(|(at, length)| format!("{}/{length}", format_address(family, at))).collect()
}
