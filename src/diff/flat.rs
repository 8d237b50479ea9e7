//! Two flat rule lists compared by cover search: a verdict with parts of the difference where a diagram is too large.

use super::cover::{Budget, Cube, TooHard, meet, uncovered};
use super::fdd::Product;
use super::ranks::{Levels, narrow};
use super::windows::windows;
use crate::model::{Action, RuleId, Store};
use crate::net::Region;

/// A list of rules that only accept or deny, and what happens otherwise.
pub(super) struct FlatList {
    pub(super) rules: Vec<RuleId>,
    pub(super) otherwise: bool,
}

/// What a comparison of flat lists found. Nothing and `complete`: the lists do the same, proved.
#[derive(Default)]
pub(super) struct FlatDifference {
    pub(super) gained: Vec<Product>,
    pub(super) lost: Vec<Product>,
    pub(super) complete: bool,
}

/// A rule is looked at in so many boxes at the most.
const MOST_CUBES: usize = 256;
/// So many changed rules are looked at one by one.
const MOST_CHANGED: usize = 1000;

struct Entry {
    cubes: Vec<Cube>,
    allow: bool,
}

/// Compares two lists inside a region. `budget` bounds the whole search.
///
/// Let `p` be decided differently, by rule `x` on base and `y` on head. If both were common to the lists, their
/// order would be the same on both sides and the same one would decide: so one of them is a changed rule, or the
/// default action differs. It is enough to look, for every changed rule, for a packet that it decides and that the
/// other list decides otherwise.
pub(super) fn compare(
    store: &Store,
    region: &Region,
    levels: &Levels,
    base: &FlatList,
    head: &FlatList,
    budget: &mut Budget,
) -> Result<FlatDifference, TooHard> {
    let whole: Cube = levels.iter().map(|level| (0, level.last_rank())).collect();
    let entries = |list: &FlatList| -> Result<Vec<Entry>, TooHard> {
        list.rules.iter().map(|rule| entry(store, region, levels, *rule, &whole)).collect()
    };
    let (before, after) = (entries(base)?, entries(head)?);
    let windows = windows(store, &base.rules, &head.rules);
    let mut out = FlatDifference { complete: true, ..FlatDifference::default() };
    let mut look = |own: &[Entry], n: Option<usize>, other: &[Entry], own_otherwise: bool, other_otherwise: bool| {
        let cubes = n.map_or_else(|| vec![whole.clone()], |n| own[n].cubes.clone());
        let allow = n.map_or(own_otherwise, |n| own[n].allow);
        let earlier: Vec<&Cube> = own[..n.unwrap_or(own.len())].iter().flat_map(|entry| &entry.cubes).collect();
        for cube in &cubes {
            let found = decided_otherwise(cube, allow, &earlier, other, other_otherwise, budget)?;
            if let Some(part) = found {
                return Ok(Some((part, allow)));
            }
        }
        Ok::<_, TooHard>(None)
    };
    let changed_base: Vec<usize> = windows.iter().flat_map(|w| w.base.0 as usize..w.base.1 as usize).collect();
    let changed_head: Vec<usize> = windows.iter().flat_map(|w| w.head.0 as usize..w.head.1 as usize).collect();
    let otherwise = (base.otherwise != head.otherwise).then_some(None);
    let mut hard = false;
    for (from_base, changed) in [(true, changed_base), (false, changed_head)] {
        let (own, other) = if from_base { (&before, &after) } else { (&after, &before) };
        let (mine, theirs) =
            if from_base { (base.otherwise, head.otherwise) } else { (head.otherwise, base.otherwise) };
        let all = changed.iter().map(|n| Some(*n)).chain(otherwise);
        for (count, n) in all.enumerate() {
            if count == MOST_CHANGED {
                out.complete = false;
                hard |= out.gained.is_empty() && out.lost.is_empty();
                break;
            }
            match look(own, n, other, mine, theirs) {
                Ok(None) => {}
                Ok(Some((part, allowed))) => {
                    out.complete = false;
                    let lost = allowed == from_base;
                    let list = if lost { &mut out.lost } else { &mut out.gained };
                    let product = product(&part, &whole);
                    if !list.contains(&product) {
                        list.push(product);
                    }
                }
                Err(TooHard) => {
                    out.complete = false;
                    hard = true;
                    break;
                }
            }
        }
    }
    if hard && out.gained.is_empty() && out.lost.is_empty() { Err(TooHard) } else { Ok(out) }
}

/// A part of `cube`, outside `earlier`, that the other list does not decide as `allow`.
fn decided_otherwise(
    cube: &Cube,
    allow: bool,
    earlier: &[&Cube],
    other: &[Entry],
    otherwise: bool,
    budget: &mut Budget,
) -> Result<Option<Cube>, TooHard> {
    let touching: Vec<&Cube> = earlier.iter().copied().filter(|e| meet(cube, e).is_some()).collect();
    if uncovered(cube, &touching, budget)?.is_none() {
        return Ok(None);
    }
    // Where the other list decides the same way before an opposite rule comes, nothing is found behind.
    let mut blockers = touching;
    let mut opposite: Vec<(Cube, usize)> = Vec::new();
    for entry in other {
        let parts = entry.cubes.iter().filter_map(|theirs| Some((meet(cube, theirs)?, theirs)));
        for (part, theirs) in parts {
            if entry.allow == allow {
                blockers.push(theirs);
            } else {
                opposite.push((part, blockers.len()));
            }
        }
    }
    let mut hard = false;
    let sample = 32.min(opposite.len());
    let quick = (budget.0 / 64).max(1);
    for (part, before) in &opposite[..sample] {
        let mut small = Budget(quick.min(budget.0));
        let spent = small.0;
        let found = uncovered(part, &blockers[..*before], &mut small);
        budget.0 -= spent - small.0;
        if let Ok(Some(part)) = found {
            return Ok(Some(part));
        }
    }
    if otherwise != allow {
        match uncovered(cube, &blockers, budget) {
            Ok(Some(part)) => return Ok(Some(part)),
            Ok(None) => return all_opposite(&opposite, &blockers, budget),
            Err(TooHard) => hard = true,
        }
    }
    match all_opposite(&opposite, &blockers, budget)? {
        None if hard => Err(TooHard),
        found => Ok(found),
    }
}

fn all_opposite(opposite: &[(Cube, usize)], blockers: &[&Cube], budget: &mut Budget) -> Result<Option<Cube>, TooHard> {
    for (part, before) in opposite {
        if let Some(part) = uncovered(part, &blockers[..*before], budget)? {
            return Ok(Some(part));
        }
    }
    Ok(None)
}

/// The boxes of a rule.
fn entry(store: &Store, region: &Region, levels: &Levels, rule: RuleId, whole: &Cube) -> Result<Entry, TooHard> {
    let allow = store.get(rule).action() == Action::Accept;
    let Some(constraints) = levels.constraints(store, region, rule) else {
        return Ok(Entry { cubes: Vec::new(), allow });
    };
    let mut cubes = vec![whole.clone()];
    for (level, ranks) in constraints {
        if cubes.len() * ranks.len() > MOST_CUBES {
            return Err(TooHard);
        }
        cubes = cubes
            .iter()
            .flat_map(|cube| {
                ranks.iter().map(move |range| {
                    let mut cube = cube.clone();
                    cube[level as usize] = *range;
                    cube
                })
            })
            .collect();
    }
    Ok(Entry { cubes, allow })
}

fn product(cube: &Cube, whole: &Cube) -> Product {
    let sides = cube.iter().zip(whole).zip(0usize..).filter(|((side, all), _)| side != all);
    sides.map(|((side, _), level)| (narrow(level), vec![*side])).collect()
}
