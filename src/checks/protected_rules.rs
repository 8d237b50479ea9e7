use super::questions::{ask, in_states, part, tell};
use super::rules::{self, Line};
use super::{Check, Context, Report, declare_check};
use crate::diff::{self, FilterPair, Found, Question, Side, Sided};
use crate::facts::MissingFact;
use crate::model::{Action, ChainId, Configuration, Store, TableId};
use crate::net::{Family, Region, State};
use crate::policy::{Flows, Kind, Networks, Node, Object, Pattern, Read, Reader, Services, Wildcard, keys};
use crate::text::{Span, beginning};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

declare_check! { id: "protected-rules", since: "0.1.0", level: Block, settings: ProtectedRules }

keys! {
    struct ProtectedRules {
        /// The rules, or other objects, of base that must stay: addresses or patterns (`edge/input`,
        /// `edge/filter/OVERLAY`), `{comment: "overlay*"}`, `{text: "*--dport 8472*"}`.
        objects: Option<Vec<Selector>>,
        /// Instead of objects: the flows that rules must carry, where they come from. Default: anywhere.
        from: Option<Networks>,
        /// Where those flows go. Default: anywhere.
        to: Option<Networks>,
        /// The services of those flows. Default: any.
        services: Option<Services>,
    }
}

/// What picks rules.
#[derive(Debug, Clone)]
enum Selector {
    /// The address of a filter, a chain or another object.
    Address(Pattern),
    /// The comment on a rule.
    Comment(Wildcard),
    /// The line of a rule.
    Text(Wildcard),
}

impl Read for Selector {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(node.kind, Kind::Map(_)) {
            return Pattern::read(node, reader).map(Self::Address);
        }
        let mut object = Object::open(node, reader)?;
        let comment: Option<Option<Wildcard>> = object.take("comment", reader);
        let text: Option<Option<Wildcard>> = object.take("text", reader);
        object.close(reader);
        match (comment?, text?) {
            (Some(comment), None) => Some(Self::Comment(comment)),
            (None, Some(text)) => Some(Self::Text(text)),
            (Some(_), Some(_)) | (None, None) => {
                reader.refuse(node.span, "one of `comment` and `text` is needed", "write `{comment: \"overlay*\"}`");
                None
            }
        }
    }
}

impl JsonSchema for Selector {
    fn schema_name() -> Cow<'static, str> {
        "selector".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (pattern, wildcard) = (generator.subschema_for::<Pattern>(), generator.subschema_for::<Wildcard>());
        let one = |key: &str, doc: &str| {
            json_schema!({
                "description": doc,
                "type": "object",
                "properties": {key: wildcard},
                "required": [key],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "anyOf": [
                pattern,
                one("comment", "Rules with such a comment"),
                one("text", "Rules whose line reads so"),
            ],
        })
    }
}

impl Selector {
    const fn span(&self) -> Span {
        match self {
            Self::Address(pattern) => pattern.span,
            Self::Comment(wildcard) | Self::Text(wildcard) => wildcard.span,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Address(pattern) => format!("`{}`", pattern.text),
            Self::Comment(wildcard) => format!("the comment `{}`", wildcard.text),
            Self::Text(wildcard) => format!("the text `{}`", wildcard.text),
        }
    }
}

impl Check for ProtectedRules {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { objects, from, to, services } = self;
        let flows = Flows { from: from.as_ref(), to: to.as_ref(), services: services.as_ref() };
        let any_flow = from.is_none() && to.is_none() && services.is_none();
        match objects {
            Some(objects) => {
                for selector in objects {
                    let within = (!any_flow).then(|| flows.regions());
                    protect(selector, within.as_deref(), cx, report);
                }
            }
            None if any_flow => {
                report.idle("neither objects nor flows are named, so nothing is protected", report.at())
            }
            None => carry(&flows, cx, report),
        }
        Ok(())
    }
}

/// Flows that some rule of base lets pass, and that must go on to pass.
fn carry(flows: &Flows<'_>, cx: &Context<'_>, report: &mut Report<'_>) {
    let regions: Vec<Region> =
        flows.regions().into_iter().map(|region| in_states(region, &[State::New, State::Established])).collect();
    let mut carried = false;
    for pair in report.scope().filters(cx) {
        let base = diff::ask(cx.change, &pair, &regions, Question::Allowed(Side::Base));
        // A question too hard for its budget says nothing; then it is not said that nothing is carried.
        carried |= pair.base.is_some() && (!base.deltas.is_empty() || !base.complete);
        ask(cx, report, &pair, &regions, Question::NewlyDenied, |certain, flow| {
            let no = if certain { "no longer" } else { "perhaps no longer" };
            let message = format!("the rules of `{}` {no} carry a protected flow: {flow}", pair.id);
            (message, "restore the rule that let it pass on base, above whatever denies it now")
        });
    }
    if !carried {
        report.idle("no filter of base lets a packet of the protected flows pass", report.at());
    }
}

/// Looks after the rules and objects of base that a selector picks.
fn protect(selector: &Selector, within: Option<&[Region]>, cx: &Context<'_>, report: &mut Report<'_>) {
    report.focus(selector.span());
    let mut picked = 0;
    for (base, head) in cx.change.pairs() {
        let Some(base) = base.filter(|base| report.scope().touches(&base.name, cx)) else { continue };
        let pairs: Vec<FilterPair<'_>> =
            cx.change.filters().into_iter().filter(|pair| pair.configuration == base.name).collect();
        let reaches = |side: fn(&FilterPair<'_>) -> bool, of: Side| -> Vec<Reach<'_>> {
            let mine = pairs.iter().filter(|pair| side(pair));
            mine.map(|pair| Reach::of(pair, of, &cx.change.store)).collect()
        };
        let before: Vec<Reach<'_>> =
            reaches(|pair| pair.base.is_some(), Side::Base).into_iter().map(|reach| reach.with_changes(cx)).collect();
        let after = reaches(|pair| pair.head.is_some(), Side::Head);
        let mine = picks(selector, base, &before, cx);
        let theirs = head.map(|head| picks(selector, head, &after, cx)).unwrap_or_default();
        picked += mine.len();
        // A rule that has lost what it was picked by is not protected any more, which is as bad as being gone.
        let (all, kept) = (mine.iter().map(|pick| pick.line), theirs.iter().map(|pick| pick.line));
        let lost = rules::missing(all, kept, &cx.change.store);
        let lost: BTreeSet<Span> = lost.iter().map(|line| line.origin).collect();
        for pick in &mine {
            let gone = lost.contains(&pick.line.origin);
            let mut said = false;
            for reach in &before {
                said |= look_after(pick, gone, within, reach, cx, report);
            }
            if gone && !said {
                let rule = text(pick.line, cx);
                let message = format!("a protected rule is gone, though its packets are decided as before: {rule}");
                let help = "restore it, or take it out of the policy first: what replaces it is not protected";
                let finding = report.finding(message, help);
                finding.configuration = Some(base.name.clone());
                finding.location = Some((Side::Base, pick.line.origin));
            }
        }
        picked += objects(selector, base, head, report);
    }
    if picked == 0 {
        report.idle(format!("{} names no rule or object of base", selector.shown()), Some(selector.span()));
    }
}

/// A line that is picked, and its chain.
struct Pick<'c> {
    place: (TableId, ChainId),
    line: Line<'c>,
}

/// The lines of one side that a selector picks.
fn picks<'c>(
    selector: &Selector,
    configuration: &'c Configuration,
    reaches: &[Reach<'_>],
    cx: &Context<'_>,
) -> Vec<Pick<'c>> {
    let store = &cx.change.store;
    let number = |n: usize| u32::try_from(n).expect("fewer than 2^32 chains");
    let mut out = Vec::new();
    for (t, table) in configuration.tables.iter().enumerate() {
        for (c, chain) in table.chains.iter().enumerate() {
            let place = (TableId(number(t)), ChainId(number(c)));
            let whole = match selector {
                Selector::Address(pattern) => {
                    pattern.covers(&rules::chain_address(configuration, table, chain, store))
                        || reaches.iter().any(|reach| pattern.covers(reach.pair.id) && reach.ways.contains_key(&place))
                }
                Selector::Comment(_) | Selector::Text(_) => false,
            };
            let mine = |line: &Line<'_>| match selector {
                Selector::Address(_) => whole,
                Selector::Comment(wildcard) => {
                    line.rules.iter().any(|rule| store.comment(*rule).is_some_and(|comment| wildcard.matches(comment)))
                }
                Selector::Text(wildcard) => wildcard.matches(cx.sources.slice(line.origin)),
            };
            out.extend(rules::lines_of(table, chain).filter(mine).map(|line| Pick { place, line }));
        }
    }
    out
}

/// Asks whether packets that the rule matches are decided otherwise on head; `true`: something was reported.
fn look_after(
    pick: &Pick<'_>,
    gone: bool,
    within: Option<&[Region]>,
    reach: &Reach<'_>,
    cx: &Context<'_>,
    report: &mut Report<'_>,
) -> bool {
    let Pick { place, line } = pick;
    let Some(ways) = reach.ways.get(place) else { return false };
    let mut matched: Vec<Region> = Vec::new();
    let mut questions: BTreeSet<bool> = BTreeSet::new();
    for rule in line.rules {
        match cx.change.store.get(*rule).action() {
            Action::Accept => questions.extend([true]),
            Action::Deny => questions.extend([false]),
            Action::Jump(_) | Action::Goto(_) | Action::Return => questions.extend([true, false]),
            Action::Continue => {}
        }
        for family in Family::ALL {
            let Some(region) = rules::region(*rule, family, &cx.change.store) else { continue };
            matched.extend(ways.iter().filter_map(|way| way.intersection(&region)));
        }
    }
    if let Some(within) = within {
        matched =
            matched.iter().flat_map(|region| within.iter().filter_map(|flow| region.intersection(flow))).collect();
    }
    let mut said = false;
    for allowed in questions {
        let (question, verb) =
            if allowed { (Question::NewlyDenied, "denied") } else { (Question::NewlyAllowed, "let through") };
        if matched.is_empty() {
            continue;
        }
        let answer = reach.answer(cx, &matched, allowed);
        let found = tell(cx, report, &reach.pair, &matched, question, (answer, 1), |certain, flow| {
            let is = if certain { "is" } else { "may be" };
            let rule = text(*line, cx);
            if gone {
                let message =
                    format!("a protected rule is gone or narrower, and {flow} {is} {verb} now; it was {rule}");
                (message, "restore the rule")
            } else {
                let message =
                    format!("a protected rule is overruled by another one, and {flow} {is} {verb} now; it is {rule}");
                (message, "move the new rule below the protected one")
            }
        });
        said |= !found.deltas.is_empty() || !found.complete;
    }
    said
}

/// The chains that packets can come to from a filter, and with each the packets: one box for each way through jumps.
/// Rules before a jump are not looked at, so it may be more packets than come.
struct Reach<'c> {
    pair: FilterPair<'c>,
    ways: BTreeMap<(TableId, ChainId), Vec<Region>>,
    /// What is newly denied and what newly allowed at the filter, where all of it could be computed.
    changed: Option<(Found, Found)>,
}

impl<'c> Reach<'c> {
    /// Ways to one chain beyond these are not told apart.
    const MOST: usize = 64;

    fn of(pair: &FilterPair<'c>, side: Side, store: &Store) -> Self {
        Self { pair: *pair, ways: Self::ways(pair, side, store), changed: None }
    }

    /// Finds out what changes at all, so that rules need not be asked about one by one.
    fn with_changes(mut self, cx: &Context<'_>) -> Self {
        let domain = self.pair.base.or(self.pair.head).map(|sided| sided.filter.domain.as_slice());
        let ask = |question| diff::ask(cx.change, &self.pair, domain.unwrap_or_default(), question);
        let (denied, allowed) = (ask(Question::NewlyDenied), ask(Question::NewlyAllowed));
        self.changed = (denied.complete && allowed.complete).then_some((denied, allowed));
        self
    }

    /// The answer to one of the two questions for a part of the filter's packets.
    fn answer(&self, cx: &Context<'_>, within: &[Region], denied: bool) -> Found {
        match &self.changed {
            Some((found, _)) if denied => part(found, within),
            Some((_, found)) => part(found, within),
            None if denied => diff::ask(cx.change, &self.pair, within, Question::NewlyDenied),
            None => diff::ask(cx.change, &self.pair, within, Question::NewlyAllowed),
        }
    }

    fn ways(pair: &FilterPair<'c>, side: Side, store: &Store) -> BTreeMap<(TableId, ChainId), Vec<Region>> {
        let mut ways: BTreeMap<(TableId, ChainId), Vec<Region>> = BTreeMap::new();
        let sided = match side {
            Side::Base => pair.base,
            Side::Head => pair.head,
        };
        let Some(Sided { configuration, filter }) = sided else { return ways };
        let mut open: Vec<(TableId, ChainId, Region)> = Vec::new();
        for stage in &filter.stages {
            let mine = filter.domain.iter().filter(|region| stage.families.contains(region.family()));
            open.extend(mine.map(|region| (stage.table, stage.chain, region.clone())));
        }
        while let Some((table, chain, mut region)) = open.pop() {
            let known = ways.entry((table, chain)).or_default();
            if known.len() >= Self::MOST {
                region = Region::all(region.family());
            }
            // What has come this way before has gone on from here already; so this ends, loops or not.
            if known.iter().any(|other| other.includes(&region)) {
                continue;
            }
            known.push(region.clone());
            let table_of = configuration.table(table);
            for rule in &table_of.get(chain).rules {
                let target = match store.get(*rule).action() {
                    Action::Jump(target) | Action::Goto(target) => table_of.find(target),
                    Action::Accept | Action::Deny | Action::Return | Action::Continue => None,
                };
                let Some(target) = target else { continue };
                let matched = rules::region(*rule, region.family(), store);
                if let Some(narrowed) = matched.and_then(|matched| region.intersection(&matched)) {
                    open.push((table, target, narrowed));
                }
            }
        }
        ways
    }
}

/// Objects other than rules: those that are gone or say something else. Returns how many are picked.
fn objects(selector: &Selector, base: &Configuration, head: Option<&Configuration>, report: &mut Report<'_>) -> usize {
    let Selector::Address(pattern) = selector else { return 0 };
    let there = rules::objects(head);
    let mut picked = 0;
    for object in &base.objects {
        if !pattern.covers(&format!("{}/{}", base.name, object.address)) {
            continue;
        }
        picked += 1;
        let twin = there.get(&(object.kind, object.address.as_str()));
        let (what, location) = match twin {
            None => ("is gone", (Side::Base, object.origin)),
            Some(twin) if !twin.says_the_same(object) => ("says something else", (Side::Head, twin.origin)),
            Some(_) => continue,
        };
        let message = format!("the protected {} `{}` {what}", object.kind, object.address);
        let finding = report.finding(message, "restore it, or take it out of the policy first");
        finding.configuration = Some(base.name.clone());
        finding.location = Some(location);
    }
    picked
}

/// The line of a rule, cut.
fn text(line: Line<'_>, cx: &Context<'_>) -> String {
    format!("`{}`", beginning(&cx.sources.show(line.origin), 160))
}
