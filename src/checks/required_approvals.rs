use super::deletions::{self, Grouping};
use super::effects::{Effects, Evidence, Kind, Other};
use super::things::{Requests, Things};
use super::{Check, Context, Level, Report, Spans, Undecided, declare_check};
use crate::diff::{ChangeKind, Found};
use crate::facts::MissingFact;
use crate::net::{Family, Region};
use crate::policy::{ApprovalKeys, Flows, Networks, Node, Pattern, Policy, Read, Reader, Services, Spanned, keys};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

declare_check! {
    id: "required-approvals", since: "0.1.0", level: Approve, settings: RequiredApprovals, always: true, waivable: false
}

keys! {
    struct RequiredApprovals {
        /// What is asked of whom: every rule that matches holds. What the change does and no rule is about blocks, unless the
        /// policy has `approvals`, which then hold for it. Each rule has a `name`; `when` it matches; perhaps `in` or
        /// `environments`; and `count`, `from` and `distinct_teams`, or `none: {because: …}` to ask for nothing.
        rules: Option<Vec<Rule>>,
    }
}

keys! {
    /// Who has to approve what.
    struct RuleKeys {
        /// What it is called, in reports.
        name: Spanned<String>,
        /// What the change does: one of these at least.
        when: When,
        /// Only there: configurations, filters or patterns of them. Default: everywhere.
        r#in: Option<Vec<Pattern>>,
        /// Only in these of the policy's `environments`.
        environments: Option<Vec<Spanned<String>>>,
        /// How many different people, at least 1.
        count: Option<usize>,
        /// Of which people or teams. Default: anyone who may write to the repository.
        from: Option<Vec<Spanned<String>>>,
        /// Of how many different teams of `from`.
        distinct_teams: Option<usize>,
        /// Asks for nothing.
        none: Option<Nothing>,
    }
}

keys! {
    struct Nothing {
        /// Why that is safe.
        because: String,
    }
}

keys! {
    struct When {
        /// Packets pass that did not.
        opens: Option<Traffic>,
        /// Packets do not pass any more.
        closes: Option<Traffic>,
        /// Packets from or to these networks fare otherwise.
        touches: Option<Networks>,
        /// More rules and objects go than so many.
        deletes_more_than: Option<usize>,
        /// Objects come, go or differ: sets, chains, groups …; `true`, or those of these kinds or addresses.
        objects: Option<Things>,
        /// Listeners, routes, backends or servers differ, or requests fare otherwise; `true`, or `effects` and `of`.
        requests: Option<Requests>,
        /// The policy differs.
        changes_policy: Option<bool>,
        /// Something comes or goes that is not understood.
        not_understood: Option<bool>,
        /// The text differs and it is proved that nothing else does.
        no_effect: Option<bool>,
        /// Any of these but `no_effect`.
        any_effect: Option<bool>,
    }
}

keys! {
    struct Traffic {
        /// Where the packets come from. Default: anywhere.
        from: Option<Networks>,
        /// Where they go. Default: anywhere.
        to: Option<Networks>,
        /// The services. Default: any.
        services: Option<Services>,
    }
}

/// Who has to approve what.
#[derive(Debug, Clone)]
struct Rule {
    name: Spanned<String>,
    when: When,
    within: Option<Vec<Pattern>>,
    environments: Option<Vec<Spanned<String>>>,
    /// `None`: nobody.
    demand: Option<ApprovalKeys>,
}

impl JsonSchema for Rule {
    fn schema_name() -> Cow<'static, str> {
        RuleKeys::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RuleKeys::json_schema(generator)
    }
}

impl Read for Rule {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let RuleKeys { name, when, r#in: within, environments, count, from, distinct_teams, none } =
            RuleKeys::read(node, reader)?;
        let before = reader.problems.len();
        if when.is_empty() {
            let help = "write for example `when: {opens: {from: internet}}` or `when: {any_effect: true}`";
            reader.refuse(name.span, format!("`{}` never matches", name.value), help);
        }
        let known: Vec<&str> = reader.names.environments.iter().map(String::as_str).collect();
        for environment in environments.iter().flatten() {
            if !known.contains(&environment.value.as_str()) {
                reader.unknown("environment", &environment.value, &known, environment.span);
            }
        }
        let demand = match (count, none) {
            (Some(count), None) => ApprovalKeys::new(count, from, distinct_teams, name.span, reader).map(Some),
            (None, Some(Nothing { because })) if from.is_none() && distinct_teams.is_none() => {
                if because.trim().chars().count() < 10 {
                    reader.refuse(
                        name.span,
                        "that is no reason to ask for nothing",
                        "say in `because` why that is safe",
                    );
                }
                Some(None)
            }
            (_, _) => {
                let help = "write `count`, at least 1, or `none: {because: \"…\"}` and nothing else";
                reader.refuse(name.span, format!("it is not said how many approvals `{}` asks for", name.value), help);
                None
            }
        };
        let demand = demand?;
        (reader.problems.len() == before).then_some(Self { name, when, within, environments, demand })
    }
}

impl When {
    fn is_empty(&self) -> bool {
        let Self {
            opens,
            closes,
            touches,
            deletes_more_than,
            objects,
            requests,
            changes_policy,
            not_understood,
            no_effect,
            any_effect,
        } = self;
        let said = [changes_policy, not_understood, no_effect, any_effect];
        objects.as_ref().is_none_or(Things::is_nothing)
            && requests.as_ref().is_none_or(Requests::is_nothing)
            && opens.is_none()
            && closes.is_none()
            && touches.is_none()
            && deletes_more_than.is_none()
            && said.iter().all(|said| !said.unwrap_or(false))
    }

    /// The packets whose opening (or closing) it is about.
    fn packets(&self, opened: bool) -> Vec<Region> {
        if self.any_effect.unwrap_or(false) {
            return Family::ALL.into_iter().map(Region::all).collect();
        }
        let traffic = if opened { &self.opens } else { &self.closes };
        let mut out: Vec<Region> = Vec::new();
        if let Some(Traffic { from, to, services }) = traffic {
            out.extend(Flows { from: from.as_ref(), to: to.as_ref(), services: services.as_ref() }.regions());
        }
        if let Some(networks) = &self.touches {
            out.extend(Flows { from: Some(networks), to: None, services: None }.regions());
            out.extend(Flows { from: None, to: Some(networks), services: None }.regions());
        }
        out
    }

    /// Whether it is about effects of that kind other than packets. `many`: more goes than `deletes_more_than` says.
    fn names(&self, other: &Other, many: bool) -> bool {
        let is = |said: &Option<bool>| said.unwrap_or(false);
        let object = || self.objects.as_ref().is_some_and(|things| things.covers(other));
        let request = || self.requests.as_ref().is_some_and(|requests| requests.covers(other));
        let named = match other.kind {
            Kind::Policy => is(&self.changes_policy),
            Kind::NotUnderstood => is(&self.not_understood),
            Kind::Object => object(),
            Kind::Gone => object() || many,
            Kind::Request => request(),
            Kind::RequestGone => request() || many,
            Kind::Nothing => return is(&self.no_effect),
        };
        named || is(&self.any_effect)
    }
}

impl Rule {
    fn holds_in(&self, configuration: &str, address: &str, cx: &Context<'_>) -> bool {
        let inside = self.within.as_ref().is_none_or(|all| all.iter().any(|pattern| pattern.covers(address)));
        let environments = self.environments.as_ref().is_none_or(|wanted| {
            cx.policy.environments_of(configuration).any(|name| wanted.iter().any(|wanted| wanted.value == name))
        });
        inside && environments
    }

    /// What it matches of the change.
    fn matches(&self, effects: &Effects<'_>, cx: &Context<'_>, report: &Report<'_>) -> Vec<Evidence> {
        // Rules that go are no effect of their own, so that so many do is told first, and how many.
        let many = self.many(cx, report);
        let mut out: Vec<Evidence> = many.clone().into_iter().collect();
        for packets in &effects.packets {
            if !self.holds_in(packets.pair.configuration, packets.pair.id, cx) {
                continue;
            }
            let found = packets.answer(cx, &self.when.packets(packets.opened));
            out.extend(packets.evidence(&found, cx));
            if !found.complete && found.deltas.is_empty() {
                out.push(packets.unknown());
            }
        }
        let others = effects.others.iter().filter(|other| self.covers_other(other, many.is_some(), cx));
        out.extend(others.map(|other| other.evidence.clone()));
        out
    }

    fn covers_other(&self, other: &Other, many: bool, cx: &Context<'_>) -> bool {
        let there = match &other.evidence.configuration {
            Some(name) => self.holds_in(name, name, cx),
            // The policy is nowhere, so only a rule that names it or is not limited is about it.
            None => self.when.changes_policy.unwrap_or(false) || (self.within.is_none() && self.environments.is_none()),
        };
        there && self.when.names(other, many)
    }

    /// That more goes than it says, in what it is about; what is proved to do the same is no loss.
    fn many(&self, cx: &Context<'_>, report: &Report<'_>) -> Option<Evidence> {
        let most = self.when.deletes_more_than?;
        let differs = |configuration: &str| {
            let mut all = cx.difference.configurations.iter().filter(|difference| difference.name == configuration);
            all.any(|difference| !matches!(difference.change, ChangeKind::Unchanged | ChangeKind::Equivalent))
        };
        let here = |configuration: &str| {
            differs(configuration)
                && report.scope().touches(configuration, cx)
                && self.holds_in(configuration, configuration, cx)
        };
        let groups = deletions::count(cx, here, Grouping::Kind);
        let gone: usize = groups.values().map(deletions::Count::removed).sum();
        (gone > most).then(|| Evidence::removal(gone, groups.values().find_map(|count| count.first)))
    }
}

impl Check for RequiredApprovals {
    fn spans(&self, policy: &Policy) -> Spans {
        let named = policy.entries.iter().any(|entry| entry.check.value == "required-approvals");
        if named || policy.approvals.is_some() { Spans::Configurations } else { Spans::Nothing }
    }

    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { rules } = self;
        let rules = rules.as_deref().unwrap_or_default();
        let named = report.at().is_some();
        if !named && cx.policy.approvals.is_none() {
            return Ok(());
        }
        let effects = Effects::of(cx, report);
        for effect in &effects.broken {
            let finding =
                report.undecided(Undecided::Internal, effect, "this is an error of the program: please report it");
            finding.level = Level::Block;
        }
        for rule in rules {
            let found = rule.matches(&effects, cx, report);
            if let (Some(first), Some(demand)) = (found.first(), &rule.demand) {
                let message = format!("`{}`: the change {}{}", rule.name.value, first.what, more(found.len()));
                ask(demand.clone(), message, first, rule.name.span, report);
            }
        }
        self.uncovered(rules, &effects, cx, report);
        Ok(())
    }
}

impl RequiredApprovals {
    /// What the change does and no rule is about.
    fn uncovered(&self, rules: &[Rule], effects: &Effects<'_>, cx: &Context<'_>, report: &mut Report<'_>) {
        let mut left: Vec<Evidence> = Vec::new();
        for packets in &effects.packets {
            let mut rest: Vec<Region> = Family::ALL.into_iter().map(Region::all).collect();
            for rule in rules.iter().filter(|rule| rule.holds_in(packets.pair.configuration, packets.pair.id, cx)) {
                for hole in rule.when.packets(packets.opened) {
                    rest = rest.iter().flat_map(|region| region.minus(&hole)).collect();
                }
            }
            let found = packets.answer(cx, &rest);
            left.extend(packets.evidence(&found, cx));
            let Found { deltas, complete } = found;
            if !complete && deltas.is_empty() {
                left.push(packets.unknown());
            }
        }
        let many: Vec<bool> = rules.iter().map(|rule| rule.many(cx, report).is_some()).collect();
        for other in &effects.others {
            if !rules.iter().zip(&many).any(|(rule, many)| rule.covers_other(other, *many, cx)) {
                // The default is about changes with an effect.
                let silent = other.kind == Kind::Nothing;
                if !silent || report.at().is_some() {
                    left.push(other.evidence.clone());
                }
            }
        }
        let Some(first) = left.first() else { return };
        let at = report.at().or(cx.policy.root.get("approvals").map(|node| node.span));
        match (&cx.policy.approvals, at) {
            (Some(demand), Some(at)) => {
                let message = format!("the change {}{}", first.what, more(left.len()));
                ask(demand.clone(), message, first, at, report);
            }
            (_, _) if rules.is_empty() => {
                let message = format!("the change {}{}", first.what, more(left.len()));
                first.fill(report.finding(message, HELP)).level = Level::Approve;
            }
            (_, _) => {
                for evidence in left.iter().take(SHOWN) {
                    let message = format!("no rule says who approves it: the change {}", evidence.what);
                    let help = "add a rule for such changes first, in a change of the policy; \
                                `when: {any_effect: true}` is about all of them, `no_effect` about those without";
                    evidence.fill(report.finding(message, help)).level = Level::Block;
                }
            }
        }
    }
}

/// How many effects that no rule is about are findings of their own.
const SHOWN: usize = 10;

const HELP: &str = "ask those who are named to review the pull request as it is now";

fn ask(demand: ApprovalKeys, message: String, evidence: &Evidence, at: crate::text::Span, report: &mut Report<'_>) {
    let finding = evidence.fill(report.finding(message, HELP));
    finding.level = Level::Approve;
    finding.policy = Some(at);
    finding.approvals = vec![demand];
}

fn more(all: usize) -> String {
    match all {
        0 | 1 => String::new(),
        2 => " (and 1 more effect)".to_owned(),
        n => format!(" (and {} more effects)", n - 1),
    }
}
