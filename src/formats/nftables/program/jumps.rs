//! How deep jumps lead: the kernel refuses a ruleset in which a packet could go through more than 16 chains, or in circles.

use super::super::account::Account;
use super::super::ruleset::{Chain, Placed, Table};
use super::super::runs::{Run, Shapes};
use super::super::syntax::Rule;
use super::references::{self, Used};
use crate::text::Span;
use std::collections::HashMap;

/// As many chains the kernel can be in at once.
const DEEPEST: usize = 16;

/// A jump from one chain to another, and where.
type Edge = (usize, crate::text::Span);

pub(super) fn check(table: &Table<'_>, shapes: &Shapes<'_>, account: &mut Account) {
    let numbers: HashMap<&[u8], usize> =
        table.chains.iter().enumerate().map(|(number, chain)| (&*chain.name.text, number)).collect();
    let edges_of = |chain: &Chain<'_>, runs: &mut Runs<'_>| edges(table, chain, &numbers, runs);
    let of_shapes: &mut Runs<'_> = &mut |run, found| {
        run.shapes.iter().for_each(|shape| found(&shapes.get(*shape).rule));
    };
    let edges: Vec<Vec<Edge>> = table.chains.iter().map(|chain| edges_of(chain, of_shapes)).collect();
    let mut depths = vec![Depth::Unknown; edges.len()];
    for (number, chain) in table.chains.iter().enumerate() {
        if chain.base.is_some() {
            explore(number, &edges, &mut depths);
        }
    }
    for (number, chain) in table.chains.iter().enumerate() {
        if chain.base.is_some() && matches!(depths[number], Depth::Endless | Depth::Known(DEEPEST..)) {
            let one_by_one: &mut Runs<'_> = &mut |run, found| run.rules(|rule| found(&rule));
            let at = edges_of(chain, one_by_one).first().map_or(chain.at, |(_, at)| *at);
            let how = if matches!(depths[number], Depth::Endless) { "in circles" } else { "through too many chains" };
            account.gap(at, format!("jumps from here lead {how}: the kernel refuses the file"));
        }
    }
}

/// How many chains deep jumps from a chain lead.
#[derive(Debug, Clone, Copy)]
enum Depth {
    Unknown,
    /// It is being explored: to meet it again is a circle.
    Open,
    Known(usize),
    Endless,
}

/// Finds out how deep the jumps from a chain lead, without recursion.
fn explore(start: usize, edges: &[Vec<Edge>], depths: &mut [Depth]) {
    let mut path = vec![(start, 0)];
    while let Some((chain, next)) = path.last_mut() {
        let here = *chain;
        if *next == 0 && matches!(depths[here], Depth::Known(_) | Depth::Endless) {
            path.pop();
            continue;
        }
        depths[here] = Depth::Open;
        let edge = edges[here].get(*next);
        *next += 1;
        match edge {
            Some((to, _)) => match depths[*to] {
                Depth::Unknown => path.push((*to, 0)),
                Depth::Open | Depth::Known(_) | Depth::Endless => {}
            },
            None => {
                let deepest = edges[here].iter().map(|(to, _)| depths[*to]).try_fold(0, |deepest, depth| match depth {
                    Depth::Known(depth) => Some(deepest.max(depth + 1)),
                    Depth::Open | Depth::Endless | Depth::Unknown => None,
                });
                depths[here] = deepest.map_or(Depth::Endless, Depth::Known);
                path.pop();
            }
        }
    }
}

/// Calls a function with the rules of a run.
type Runs<'f> = dyn FnMut(&Run<'_>, &mut dyn FnMut(&Rule<'_>)) + 'f;

fn edges(table: &Table<'_>, chain: &Chain<'_>, numbers: &HashMap<&[u8], usize>, runs: &mut Runs<'_>) -> Vec<Edge> {
    let mut found = Vec::new();
    let mut maps: Vec<(Vec<u8>, Span)> = Vec::new();
    let mut rule = |rule: &Rule<'_>| {
        references::of_rule(rule, &mut |used| match used {
            Used::Chain(name) => found.extend(numbers.get(&*name.text).map(|number| (*number, name.at))),
            Used::Set(name) => maps.push((name.text.to_vec(), name.at)),
            Used::Flowtable(_) | Used::Object(..) => {}
        });
    };
    for placed in &chain.rules {
        match placed {
            Placed::Rule(_, of) => rule(of),
            Placed::Run(run) => runs(run, &mut rule),
        }
    }
    for (name, at) in maps {
        let Some(set) = table.set(&name) else { continue };
        for change in &set.changes {
            references::of_elements(&change.elements, &mut |used| {
                if let Used::Chain(chain) = used {
                    found.extend(numbers.get(&*chain.text).map(|number| (*number, at)));
                }
            });
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|(number, _)| *number);
    found
}
