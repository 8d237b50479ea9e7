//! Judging a part of the configurations.

use super::judge::{self, Demands, Inputs, Outside, PolicyPath};
use super::progress::Progress;
use crate::checks::{self, Context, Spans};
use crate::decision::{Case, Decision, Part, decide_part};
use crate::diff::{self, Change, Difference};
use crate::facts::Facts;
use crate::formats::Input;
use crate::policy::{Plan, Visibility};
use crate::source::Sides;
use crate::text::{SourceId, SourceMap, hex};
use sha2::{Digest as _, Sha256};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// One of several parts of the configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    /// From 1.
    number: usize,
    of: usize,
}

/// So many parts are more than anybody has machines.
const MOST: usize = 1000;

/// `2/8`: the second of eight.
pub(super) fn shard(text: &str) -> Result<Shard, String> {
    let wrong = || format!("`{text}` is no part: write for example 2/8, the second of eight (of at most {MOST})");
    let (number, of) = text.split_once('/').ok_or_else(wrong)?;
    let count = |text: &str| text.parse::<usize>().ok().filter(|n| (1..=MOST).contains(n)).ok_or_else(wrong);
    let shard = Shard { number: count(number)?, of: count(of)? };
    if shard.number <= shard.of { Ok(shard) } else { Err(wrong()) }
}

/// Judges those configurations that are this part's; the first part also what has to see all of them at once.
pub(super) fn judge(
    sides: &Sides,
    path: &PolicyPath,
    shard: Shard,
    outside: &Outside,
    progress: &Progress,
) -> (Decision, SourceMap, Option<Visibility>) {
    let mut sources = SourceMap::default();
    let (mut used, mut visibility) = (None, None);
    let (base, head) = (judge::origin(&sides.base), judge::origin(&sides.head));
    let read = judge::demands(sides, path, &mut sources, &mut used, &mut visibility).and_then(|demands| {
        let (plan, inputs) = judge::planned_inputs(&demands.policy, sides, &mut sources)?;
        Ok((demands, plan, inputs))
    });
    let Shard { number, of } = shard;
    let (demands, plan, inputs) = match read {
        Ok(read) => read,
        Err(doubts) => {
            let (change, difference) = (&Change::default(), &Difference::default());
            let case = judge::unread(change, difference, doubts, (base, head), used);
            let part = Part { number, of, subject: None, visibility };
            return (decide_part(vec![case], part, &sources), sources, visibility);
        }
    };
    let Demands { policy, feeds, checks, proposal } = &demands;
    let spans = checks::spans(checks, policy);
    let whole = spans.contains(&Spans::Configurations);
    let mine = shard.configurations(&plan, whole, &sources);
    let change = judge::both(&of_part(&inputs, &mine), &sources);
    progress.stage("comparing");
    let difference = diff::compare(&change);
    progress.stage("checking");
    let mut facts = outside.facts(sides);
    let plan = &plan;
    let all = (whole && number == 1).then(|| {
        progress.stage("comparing all configurations");
        let change = judge::both(&inputs, &sources);
        let difference = diff::compare(&change);
        (change, difference)
    });
    let asked = || {
        let inquiry = outside.inquiry.as_ref()?;
        progress.stage("asking who approved it");
        Some(inquiry.ask(sides, policy, path, feeds))
    };
    if let Some((change, difference)) = &all
        && checks::depend_on_maker(checks, &context(change, difference, &facts, &demands, plan, &sources))
        && let Some(reviewed) = asked()
    {
        facts.reviewed = reviewed;
    }
    let findings = checks::run_those(
        checks,
        &context(&change, &difference, &facts, &demands, plan, &sources),
        |spans| match spans {
            Spans::Nothing => true,
            Spans::Files => number == 1,
            Spans::Configurations => false,
        },
    );
    let spanning_findings = match &all {
        Some((change, difference)) => {
            checks::run_those(checks, &context(change, difference, &facts, &demands, plan, &sources), |spans| {
                spans == Spans::Configurations
            })
        }
        None => Vec::new(),
    };
    if [&findings, &spanning_findings].into_iter().any(|found| judge::awaits_review(found, proposal, &facts))
        && let Some(reviewed) = asked()
    {
        facts.reviewed = reviewed;
    }
    let spanning: Vec<usize> =
        (0..).zip(&spans).filter(|(_, spans)| **spans != Spans::Nothing).map(|(n, _)| n).collect();
    let case = |change, difference, findings| Case {
        change,
        difference,
        findings,
        doubts: Vec::new(),
        base: base.clone(),
        head: head.clone(),
        policy: used.clone(),
        names: policy,
        judging: Some((policy, &facts)),
        proposed: proposal.policy(),
        spanning: &spanning,
    };
    let mut cases = vec![case(&change, &difference, findings)];
    cases.extend(all.as_ref().map(|(change, difference)| case(change, difference, spanning_findings)));
    let part = Part { number, of, subject: Some(digest(&sources)), visibility };
    let decision = decide_part(cases, part, &sources);
    (decision, sources, visibility)
}

fn context<'c>(
    change: &'c Change,
    difference: &'c Difference,
    facts: &'c Facts,
    Demands { policy, feeds: _, checks: _, proposal }: &'c Demands,
    plan: &'c Plan,
    sources: &'c SourceMap,
) -> Context<'c> {
    Context { change, difference, policy, proposal, plan, facts, sources }
}

impl Shard {
    /// The names of its configurations: the largest go first, each to the part that has least so far. Which part gets
    /// which depends on the texts of both sides alone.
    fn configurations<'p>(self, plan: &'p Plan, whole: bool, sources: &SourceMap) -> BTreeSet<&'p str> {
        let bytes = |files: &Option<Vec<SourceId>>| -> usize {
            files.iter().flatten().map(|file| sources.bytes(*file).len()).sum()
        };
        let mut all: Vec<(usize, &str)> =
            plan.configurations.iter().map(|one| (bytes(&one.base) + bytes(&one.head), one.name.as_str())).collect();
        all.sort_by_key(|(bytes, name)| (Reverse(*bytes), *name));
        let mut loads = vec![0; self.of];
        // Who has to read everything gets less of its own.
        if let Some(first) = loads.first_mut().filter(|_| whole) {
            *first = all.iter().map(|(bytes, _)| bytes).sum::<usize>() / 2;
        }
        let mut mine = BTreeSet::new();
        for (bytes, name) in all {
            let least = (1..).zip(loads.iter_mut()).min_by_key(|(number, load)| (**load, *number));
            let (number, load) = least.expect("there is a part");
            // What is empty is something to look after as well.
            *load += bytes.max(1);
            if number == self.number {
                mine.insert(name);
            }
        }
        mine
    }
}

fn of_part((base, head): &Inputs, mine: &BTreeSet<&str>) -> Inputs {
    let side = |inputs: &[Input]| inputs.iter().filter(|input| mine.contains(input.name.as_str())).cloned().collect();
    (side(base), side(head))
}

/// The digest of every text that was read.
fn digest(sources: &SourceMap) -> String {
    let mut hash = Sha256::new();
    for source in sources.all() {
        let (name, bytes) = (sources.name(source), sources.bytes(source));
        for part in [name.as_bytes(), bytes] {
            hash.update(u64::try_from(part.len()).expect("64 bits").to_be_bytes());
            hash.update(part);
        }
        hash.update([u8::from(sources.is_executable(source))]);
    }
    hex(&hash.finalize())
}
