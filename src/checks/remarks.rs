//! What a policy says that has no effect, for its author: beside what the checks say of a change.

use super::{Alone, Configured, Context, Finding, Level, Scope, Sees, find};
use crate::policy::{Entry, Kind, Node, Policy, Spanned, Unmatched, Unused, Validity, Waiver};
use crate::text::Span;
use miette::{Diagnostic, Severity};
use std::collections::BTreeSet;
use std::fmt;

/// Something in a policy that is well-formed and does nothing, or not what it seems to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// Where.
    pub at: Span,
    /// What kind of thing it is: `never-used`.
    pub id: &'static str,
    /// One sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Remark {}

impl Diagnostic for Remark {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("portcullis::policy::{}", self.id)))
    }
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Warning)
    }
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }
}

/// A check as a policy has it, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its id.
    pub check: &'static str,
    /// The name of this instance.
    pub name: Option<String>,
    /// Its level.
    pub level: Level,
    /// The patterns that say what it is about; empty: everything.
    pub within: Vec<String>,
    /// Where the policy or a preset names it; `None`: nothing does, and it runs all the same.
    pub at: Option<Span>,
}

impl Described {
    /// The check and the name of the instance: `critical-ports (ssh)`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", self.check),
            None => self.check.to_owned(),
        }
    }
}

/// A configured check in words.
#[must_use]
pub fn described(configured: &Configured) -> Described {
    Described {
        check: configured.declaration.id,
        name: configured.name.clone(),
        level: configured.level,
        within: configured.within.patterns().iter().map(|pattern| pattern.text.clone()).collect(),
        at: configured.at,
    }
}

/// The checks that see something of a configuration, those that see everything as well.
#[must_use]
pub fn watchers<'k>(checks: &'k [Configured], configuration: &str, cx: &Context<'_>) -> Vec<&'k Configured> {
    checks.iter().filter(|check| check.level != Level::Off && sees(check, configuration, cx)).collect()
}

/// Everything in a policy that has no effect on a state of things: `cx` has that state on both sides. `findings` are what
/// the checks say of it, `accepted` the waivers that accept something of it, `expected` the files of expectations beside it.
#[must_use]
pub fn remarks(
    checks: &[Configured],
    cx: &Context<'_>,
    findings: &[Finding],
    accepted: &BTreeSet<String>,
    expected: &[crate::policy::Expected],
) -> Vec<Remark> {
    let mut out = Vec::new();
    let mut say = |at, id, message: String, help: &str| out.push(Remark { at, id, message, help: help.to_owned() });
    for Unmatched { configuration, pattern, at, on_base: _ } in &cx.plan.unmatched {
        let message = format!("`{pattern}` of `{configuration}` matches no file");
        say(*at, "pattern-matches-nothing", message, "correct or remove it: as long as it stands no change is judged");
    }
    for finding in findings.iter().filter(|finding| finding.idle) {
        if let Some(at) = finding.policy {
            say(at, "check-matches-nothing", format!("{} ({})", finding.message, finding.check), &finding.help);
        }
    }
    for check in checks.iter().filter(|check| check.level != Level::Off && is_own(check, cx.policy)) {
        if let Some(at) = check.at
            && let Some(what) = unseen(check, cx)
        {
            let message =
                format!("`{}` never sees anything: there is no {what} in what it is about", check.declaration.id);
            say(at, "check-sees-nothing", message, "remove the entry, or correct `in` and the configurations");
        }
    }
    for (at, message) in without_effect(checks, cx.policy) {
        say(
            at,
            "entry-without-effect",
            message,
            "entries only add to one another: remove it, or say what it is to add",
        );
    }
    for Unused { key, name, at } in cx.policy.unused(expected) {
        let help = "remove it, or correct the name where it was to be used";
        say(at, "never-used", format!("nothing uses `{name}` of `{key}`"), help);
    }
    for (at, message) in out_of_reach(cx.policy) {
        say(at, "approvals-out-of-reach", message, "add people with accounts or teams to `from`, or ask for fewer");
    }
    for planned in &cx.plan.configurations {
        let seen = watchers(checks, &planned.name, cx).into_iter().any(|check| !check.declaration.always);
        if !seen {
            let own = cx.policy.configurations.iter();
            let mut own = own.filter(|known| planned.name.split('/').next() == Some(known.name.as_str()));
            let at = own.next().map_or(cx.policy.root.span, |known| known.at);
            let message = format!("no check sees `{}`: any change of it that can be read passes", planned.name);
            say(at, "configuration-unchecked", message, "add checks for it, or `extends: [baseline]`");
        }
    }
    for (name, patterns) in &cx.policy.environments {
        for pattern in patterns {
            if !cx.plan.configurations.iter().any(|planned| pattern.covers(&planned.name)) {
                let message = format!("`{}` of the environment `{}` names no configuration", pattern.text, name.value);
                say(pattern.span, "environment-matches-nothing", message, "correct or remove it");
            }
        }
    }
    for waiver in &cx.policy.waivers.list {
        if let Some((id, message, help)) = waived(waiver, checks, cx, accepted) {
            say(waiver.id.span, id, message, help);
        }
    }
    out.sort();
    out.dedup();
    out
}

fn is_own(check: &Configured, policy: &Policy) -> bool {
    check.at.is_some_and(|at| at.source == policy.source)
}

/// Whether a check sees something of a configuration.
fn sees(check: &Configured, configuration: &str, cx: &Context<'_>) -> bool {
    let touched = |scope: &Scope| scope.touches(configuration, cx);
    match check.declaration.sees {
        Sees::Filters => check.within.filters(cx).iter().any(|pair| pair.configuration == configuration),
        Sees::Balancers => {
            let mut all = cx.change.head.configurations().iter().filter(|known| known.name == configuration);
            touched(&check.within) && all.any(|known| !known.listeners.is_empty() || !known.backends.is_empty())
        }
        Sees::Anything => touched(&check.within),
    }
}

/// What a check looks for and cannot find, if so.
fn unseen(check: &Configured, cx: &Context<'_>) -> Option<&'static str> {
    let what = match check.declaration.sees {
        Sees::Filters => "filter",
        Sees::Balancers => "load balancer",
        Sees::Anything => return None,
    };
    let all = &cx.plan.configurations;
    // Of patterns that name nothing that is said already.
    let touched = all.iter().any(|planned| check.within.touches(&planned.name, cx));
    (touched && !all.iter().any(|planned| sees(check, &planned.name, cx))).then_some(what)
}

/// The keys of settings that let more pass the larger they are.
const LARGER_IS_WEAKER: [&str; 3] = ["count", "percent", "shrink"];
/// The keys of settings that let more pass.
const LENIENT: [&str; 2] = ["except", "allow"];

/// The keys of settings that say what an entry is about.
const NARROWING: [&str; 8] = ["kinds", "per", "backends", "listeners", "filters", "from", "to", "ranges"];

/// The policy's own entries that look as if they took something away from others of the same check, which they cannot.
fn without_effect(checks: &[Configured], policy: &Policy) -> Vec<(Span, String)> {
    let mut out = Vec::new();
    let entry = |check: &Configured| policy.entries.iter().find(|entry| Some(entry.check.span) == check.at);
    for (n, check) in checks.iter().enumerate().filter(|(_, check)| is_own(check, policy)) {
        let Some((at, mine)) = check.at.zip(entry(check)) else { continue };
        let id = check.declaration.id;
        let others = checks.iter().enumerate().filter(|(m, other)| {
            *m != n && other.declaration.id == id && other.level != Level::Off && within(&check.within, &other.within)
        });
        let others: Vec<&Configured> = others.map(|(_, other)| other).collect();
        if check.level == Level::Off {
            if !others.is_empty() {
                out.push((at, format!("`level: off` does not switch off the other `{id}`, which stays as it is")));
            } else if check.declaration.alone != Alone::Always {
                out.push((at, format!("`{id}` is off, and would not run either if it were not here")));
            }
            continue;
        }
        for (other, theirs) in others.into_iter().filter_map(|other| Some((other, entry(other)?))) {
            if let Some(why) = weaker(mine, theirs, check.level, other.level) {
                let place = if is_own(other, policy) { "another entry" } else { "a preset" };
                out.push((at, format!("{why} does not weaken the `{id}` of {place}, which holds as well")));
            }
        }
    }
    out
}

/// Whether all that the one scope names stands in the other, as far as their texts tell.
fn within(inner: &Scope, outer: &Scope) -> bool {
    let named = |text: &str| outer.patterns().iter().any(|pattern| pattern.text == text || pattern.covers(text));
    outer.is_everything() || !inner.is_everything() && inner.patterns().iter().all(|pattern| named(&pattern.text))
}

/// What of an entry asks for less than the other does, where they are about the same.
fn weaker(mine: &Entry, theirs: &Entry, level: Level, other: Level) -> Option<String> {
    let (mine, theirs) = (mine.settings(), theirs.settings());
    if level < other && mine.show() == theirs.show() {
        return Some(format!("`level: {level}`"));
    }
    // Only what the other is about as well could be weakened.
    let narrower = |key: &&str| {
        let theirs = theirs.get(key).map(Node::show).filter(|text| text != "any");
        theirs.is_some_and(|text| mine.get(key).map(Node::show) != Some(text))
    };
    if NARROWING.iter().any(narrower) {
        return None;
    }
    let lenient = LENIENT.iter().find(|key| mine.get(key).is_some() && theirs.get(key).is_none());
    // What is excepted from services that the other does not name is excepted from nothing of it.
    if let Some(key) = lenient
        && same(mine.get("services"), theirs.get("services"))
    {
        return Some(format!("`{key}`"));
    }
    let number = |node: &Node| match &node.kind {
        Kind::Scalar { text, .. } => text.parse::<u64>().ok(),
        Kind::Map(_) | Kind::List(_) => None,
    };
    let larger = |key: &&&str| {
        let (mine, theirs) = (mine.get(key).and_then(number), theirs.get(key).and_then(number));
        mine.zip(theirs).is_some_and(|(mine, theirs)| mine > theirs)
    };
    let key = LARGER_IS_WEAKER.iter().find(larger)?;
    Some(format!("`{key}: {}`", mine.get(key).map(Node::show).unwrap_or_default()))
}

/// Whether what is named by one setting is named by the other as well, so that an exception seems to be one from both.
fn same(mine: Option<&Node>, theirs: Option<&Node>) -> bool {
    let words = |node: &Node| -> BTreeSet<String> {
        match &node.kind {
            Kind::List(items) => items.iter().map(Node::show).collect(),
            Kind::Scalar { .. } | Kind::Map(_) => BTreeSet::from([node.show()]),
        }
    };
    match (mine.map(words), theirs.map(words)) {
        (_, None) => true,
        (None, Some(_)) => true,
        (Some(mine), Some(theirs)) => mine.contains("any") || !mine.is_disjoint(&theirs),
    }
}

/// The demands for approvals that nobody, or none of those who are asked, could get for a change of their own.
fn out_of_reach(policy: &Policy) -> Vec<(Span, String)> {
    let mut out = Vec::new();
    let mut pending = vec![&policy.root];
    while let Some(node) = pending.pop() {
        match &node.kind {
            Kind::Map(entries) => {
                pending.extend(entries.iter().map(|(_, node)| node));
                out.extend(demand(node).and_then(|(count, from)| Some((node.span, scarce(count, &from, policy)?))));
            }
            Kind::List(items) => pending.extend(items),
            Kind::Scalar { .. } => {}
        }
    }
    out
}

/// A map that asks for so many approvals of somebody.
fn demand(node: &Node) -> Option<(usize, Vec<Spanned<String>>)> {
    let text = |node: &Node| match &node.kind {
        Kind::Scalar { text, .. } => Some(Spanned { value: text.clone(), span: node.span }),
        Kind::Map(_) | Kind::List(_) => None,
    };
    let count = text(node.get("count")?)?.value.parse().ok()?;
    match &node.get("from")?.kind {
        Kind::List(items) => Some((count, items.iter().map(text).collect::<Option<_>>()?)),
        Kind::Map(_) | Kind::Scalar { .. } => None,
    }
}

fn scarce(count: usize, from: &[Spanned<String>], policy: &Policy) -> Option<String> {
    let people = policy.approvers(from)?;
    let has_account = |name: &&str| policy.roster().person(name).is_some_and(|person| person.github.is_some());
    let (with, without): (Vec<&str>, Vec<&str>) = people.into_iter().partition(has_account);
    if with.len() < count {
        let without = without.join(", ");
        let message = format!("nobody can give {count} approvals: {} of those in `from` have an account", with.len());
        return Some(if without.is_empty() { message } else { format!("{message}; these do not: {without}") });
    }
    let all = with.join(" and ");
    (with.len() == count).then(|| {
        format!("a change by {all} can never be approved: it needs all of them, and nobody approves their own")
    })
}

/// What is to be said of a waiver.
fn waived(
    waiver: &Waiver,
    checks: &[Configured],
    cx: &Context<'_>,
    accepted: &BTreeSet<String>,
) -> Option<(&'static str, String, &'static str)> {
    let id = &waiver.id.value;
    match cx.facts.now.map(|now| waiver.validity(now, cx.policy.waivers.most_days)) {
        Some(Validity::Expired) => {
            let message = format!("the waiver `{id}` ended after {}", waiver.expires);
            return Some(("waiver-expired", message, "remove it, or renew it when somebody has looked again"));
        }
        Some(Validity::TooLong) => {
            let message =
                format!("the waiver `{id}` holds nothing yet: until {} is longer than allowed", waiver.expires);
            return Some(("waiver-unused", message, "let it expire earlier (`max_waiver_days`)"));
        }
        Some(Validity::Early | Validity::Holds(_)) | None => {}
    }
    let named = |check: &&Configured| {
        let name = waiver.name.as_ref().is_none_or(|name| check.name.as_ref() == Some(&name.value));
        check.declaration.id == waiver.check.value && check.level != Level::Off && name
    };
    let help = "remove it: what is not needed today hides something tomorrow";
    let always = find(&waiver.check.value).is_some_and(|check| check.alone == Alone::Always);
    if !always && !checks.iter().any(|check| named(&check)) {
        return Some((
            "waiver-unused",
            format!("the waiver `{id}` is of `{}`, which does not run", waiver.check.value),
            help,
        ));
    }
    let one_sided = find(&waiver.check.value).is_some_and(|check| check.alone != Alone::Never);
    (one_sided && !accepted.contains(id))
        .then(|| ("waiver-unused", format!("the waiver `{id}` accepts nothing of the present state"), help))
}
