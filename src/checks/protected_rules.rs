use super::questions::{ask, in_states};
use super::rules::{self, Line};
use super::{Check, Context, Report, declare_check};
use crate::diff::{self, FilterPair, Question, Side};
use crate::facts::MissingFact;
use crate::model::{Action, ChainId, Configuration, TableId};
use crate::net::{Family, Region, State};
use crate::policy::{Flows, Kind, Networks, Node, Object, Pattern, Read, Reader, Services, Wildcard, keys};
use crate::text::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::collections::BTreeSet;

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
            None if any_flow => report.idle("neither objects nor flows are named, so nothing is protected", report.at()),
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
        let lost: BTreeSet<Span> = rules::lost(base, head, &cx.change.store).iter().map(|line| line.origin).collect();
        let pairs: Vec<FilterPair<'_>> =
            cx.change.filters().into_iter().filter(|pair| pair.configuration == base.name).collect();
        for (table, chain, line) in numbered(base) {
            if !picks(selector, base, line, &pairs, (table, chain), cx) {
                continue;
            }
            picked += 1;
            let gone = lost.contains(&line.origin);
            let mut said = false;
            for pair in &pairs {
                said |= look_after(line, (table, chain), gone, within, pair, cx, report);
            }
            if gone && !said {
                let message =
                    format!("a protected rule is gone, though its packets are decided as before: {}", text(line, cx));
                let help = "restore it, or take it out of the policy first: what replaces it is not protected";
                let finding = report.finding(message, help);
                finding.configuration = Some(base.name.clone());
                finding.location = Some((Side::Base, line.origin));
            }
        }
        picked += objects(selector, base, head, report);
    }
    if picked == 0 {
        report.idle(format!("{} names no rule or object of base", selector.shown()), Some(selector.span()));
    }
}

/// The lines of a configuration with the numbers of their tables and chains.
fn numbered(configuration: &Configuration) -> impl Iterator<Item = (TableId, ChainId, Line<'_>)> {
    let number = |n: usize| u32::try_from(n).expect("fewer than 2^32 chains");
    configuration.tables.iter().enumerate().flat_map(move |(t, table)| {
        table.chains.iter().enumerate().flat_map(move |(c, chain)| {
            rules::lines_of(table, chain).map(move |line| (TableId(number(t)), ChainId(number(c)), line))
        })
    })
}

fn picks(
    selector: &Selector,
    base: &Configuration,
    line: Line<'_>,
    pairs: &[FilterPair<'_>],
    place: (TableId, ChainId),
    cx: &Context<'_>,
) -> bool {
    let store = &cx.change.store;
    match selector {
        Selector::Address(pattern) => {
            pattern.covers(&rules::chain_address(base, line.table, line.chain, store))
                || pairs.iter().any(|pair| {
                    pattern.covers(pair.id) && !ways(base, pair, place, cx).is_empty()
                })
        }
        Selector::Comment(wildcard) => {
            line.rules.iter().any(|rule| store.comment(*rule).is_some_and(|comment| wildcard.matches(comment)))
        }
        Selector::Text(wildcard) => wildcard.matches(cx.sources.slice(line.origin)),
    }
}

/// Asks whether packets that the rule matches are decided otherwise on head; `true`: something was reported.
fn look_after(
    line: Line<'_>,
    place: (TableId, ChainId),
    gone: bool,
    within: Option<&[Region]>,
    pair: &FilterPair<'_>,
    cx: &Context<'_>,
    report: &mut Report<'_>,
) -> bool {
    let Some(base) = pair.base else { return false };
    let ways = ways(base.configuration, pair, place, cx);
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
        matched = matched.iter().flat_map(|region| within.iter().filter_map(|flow| region.intersection(flow))).collect();
    }
    let mut said = false;
    for allowed in questions {
        let (question, verb) =
            if allowed { (Question::NewlyDenied, "denied") } else { (Question::NewlyAllowed, "let through") };
        let found = ask(cx, report, pair, &matched, question, |certain, flow| {
            let is = if certain { "is" } else { "may be" };
            let rule = text(line, cx);
            if gone {
                let message = format!("a protected rule is gone or narrower, and {flow} {is} {verb} now; it was {rule}");
                (message, "restore the rule")
            } else {
                let message = format!("a protected rule is overruled by another one, and {flow} {is} {verb} now; it is {rule}");
                (message, "move the new rule below the protected one")
            }
        });
        said |= !found.deltas.is_empty() || !found.complete;
    }
    said
}

/// The packets that can come to a chain of base from a filter, one box for each way through jumps. Rules before each
/// jump are not looked at, so it may be more than those that come. Empty: none can.
fn ways(base: &Configuration, pair: &FilterPair<'_>, place: (TableId, ChainId), cx: &Context<'_>) -> Vec<Region> {
    /// More ways than these are not told apart.
    const MOST: usize = 64;
    let Some(sided) = pair.base else { return Vec::new() };
    let (table_id, goal) = place;
    let table = base.table(table_id);
    let mut out = Vec::new();
    for stage in sided.filter.stages.iter().filter(|stage| stage.table == table_id) {
        for region in sided.filter.domain.iter().filter(|region| stage.families.contains(region.family())) {
            let mut open = vec![(stage.chain, region.clone(), vec![stage.chain])];
            while let Some((chain, region, path)) = open.pop() {
                if chain == goal {
                    out.push(region);
                } else {
                    for rule in &table.get(chain).rules {
                        let target = match cx.change.store.get(*rule).action() {
                            Action::Jump(target) | Action::Goto(target) => table.find(target),
                            Action::Accept | Action::Deny | Action::Return | Action::Continue => None,
                        };
                        let Some(target) = target.filter(|target| !path.contains(target)) else { continue };
                        let matched = rules::region(*rule, region.family(), &cx.change.store);
                        let Some(narrowed) = matched.and_then(|matched| region.intersection(&matched)) else { continue };
                        let mut path = path.clone();
                        path.push(target);
                        open.push((target, narrowed, path));
                    }
                }
                if out.len() + open.len() > MOST {
                    return sided.filter.domain.clone();
                }
            }
        }
    }
    out
}

/// Objects other than rules: those that are gone or say something else. Returns how many are picked.
fn objects(selector: &Selector, base: &Configuration, head: Option<&Configuration>, report: &mut Report<'_>) -> usize {
    let Selector::Address(pattern) = selector else { return 0 };
    let mut picked = 0;
    for object in &base.objects {
        if !pattern.covers(&format!("{}/{}", base.name, object.address)) {
            continue;
        }
        picked += 1;
        let twin = head.and_then(|head| head.objects.iter().find(|o| o.kind == object.kind && o.address == object.address));
        let (what, location) = match twin {
            None => ("is gone", (Side::Base, object.origin)),
            Some(twin) if twin.content != object.content => ("says something else", (Side::Head, twin.origin)),
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
    const MOST: usize = 160;
    let shown = cx.sources.show(line.origin);
    match shown.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}…`", &shown[..end]),
        None => format!("`{shown}`"),
    }
}
