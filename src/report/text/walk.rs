//! The way of a packet through chains.

use super::page::{BOLD, CYAN, DIM, GREEN, PLAIN, Page, RED, YELLOW};
use super::reasons::chains;
use crate::decision::{Answer, HopReport, Walk, WalkedSide};

pub(super) fn walk(page: &mut Page<'_>, walk: &Walk) {
    let Walk { version: _, packet, filter, sides } = walk;
    page.entry(0, (BOLD, ""), 0, &format!("{packet}  at {filter}"));
    for walked in sides {
        page.blank();
        let WalkedSide { side: which, answer, outcome, path, present, hops, unknown } = walked;
        let (ink, word) = match answer {
            Answer::Allow => (GREEN, "allowed"),
            Answer::Deny => (RED, "denied"),
        };
        let absent = match outcome {
            _ if *present => "",
            Some(_) => "  nothing listens there",
            None => "  there is no such filter: this is what its absence means",
        };
        let word = outcome.as_deref().filter(|_| *present).unwrap_or(word);
        page.line(0, &[(CYAN, page.side(*which)), (PLAIN, ": "), (ink, word), (PLAIN, absent)]);
        if let Some(path) = path {
            page.entry(2, (DIM, "the path is read as"), 22, path);
        }
        let mut chain = None;
        for hop in hops {
            let here = Some((hop.chain.as_str(), hop.depth));
            if chain != here {
                let name = chains(std::slice::from_ref(&hop.chain));
                page.line(2 + indent_of(hop.depth), &[(BOLD, &name)]);
                chain = here;
            }
            self::hop(page, hop);
        }
        if !unknown.is_empty() {
            page.entry(2, (YELLOW, "taken as not true:"), 21, &unknown.join("; "));
        }
    }
}

fn hop(page: &mut Page<'_>, hop: &HopReport) {
    let HopReport { chain: _, depth, location, action } = hop;
    let indent = 4 + indent_of(*depth);
    match location {
        Some(location) => {
            let place = format!("{}:{}:{}  ", location.path, location.line, location.column);
            page.line(indent, &[(DIM, &place), (PLAIN, action)]);
            if let Some(span) = location.span {
                page.excerpt(indent, location.line, span);
            }
        }
        None => page.line(indent, &[(DIM, "at its end  "), (PLAIN, action)]),
    }
}

/// Columns that so many jumps indent a line; beyond a dozen, deeper chains are no longer told apart by it.
fn indent_of(depth: usize) -> usize {
    2 * depth.min(12)
}
