//! What leads to what in a load balancer: listeners to backends to servers, and what of it is gone or new.

use crate::decision::{BalancerPart, BalancerReport, LinkChange, LinkReport, PartChange, RequestEffect, RequestReport};
use crate::report::escaping::{cut, markup};
use crate::text::beginning;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many parts of one kind are drawn.
const NODES: usize = 60;
/// How many differences and requests of one part are named.
const NAMED: usize = 10;
const WIDTH: usize = 260;
const GAP: usize = 90;
const HEIGHT: usize = 30;
const STEP: usize = 40;
/// How many characters of a name fit into its box.
const LETTERS: usize = 34;

/// Listeners, backends or servers, in the order in which they are drawn, with how they fare.
#[derive(Default)]
struct Column {
    names: Vec<String>,
    states: BTreeMap<String, LinkChange>,
    hidden: usize,
}

impl Column {
    /// The row of a part; `None`: there is no room for it.
    fn place(&mut self, name: &str, change: Option<LinkChange>) -> Option<usize> {
        if let Some(change) = change {
            self.states.entry(name.to_owned()).and_modify(|known| *known = both(*known, change)).or_insert(change);
        }
        if let Some(row) = self.names.iter().position(|known| known == name) {
            return Some(row);
        }
        if self.names.len() == NODES {
            self.hidden += 1;
            return None;
        }
        self.names.push(name.to_owned());
        Some(self.names.len() - 1)
    }
}

/// A line between two parts: its columns, its rows and how it fares.
struct Edge {
    column: usize,
    rows: (usize, usize),
    change: LinkChange,
}

/// The parts that differ, as a picture, and then in words.
pub(super) fn balancers(balancers: &[BalancerReport]) -> String {
    if balancers.is_empty() {
        return String::new();
    }
    let mut columns = [Column::default(), Column::default(), Column::default()];
    let mut edges: Vec<Edge> = Vec::new();
    for balancer in balancers {
        let state = Some(state(balancer.change));
        let [listeners, backends, servers] = &mut columns;
        match balancer.kind {
            BalancerPart::Listener => {
                let from = listeners.place(&balancer.name, state);
                for LinkReport { name, change } in &balancer.leads_to {
                    connect(&mut edges, 0, from, backends.place(name, None), *change);
                }
            }
            BalancerPart::Backend => {
                let to = backends.place(&balancer.name, state);
                for LinkReport { name, change } in &balancer.reached_from {
                    connect(&mut edges, 0, listeners.place(name, None), to, *change);
                }
                for LinkReport { name, change } in &balancer.leads_to {
                    // Servers of two backends are two, whatever they are called.
                    let server = servers.place(&format!("{}\n{name}", balancer.name), Some(*change));
                    connect(&mut edges, 1, to, server, *change);
                }
            }
        }
    }
    let mut out = picture(&columns, &edges);
    for balancer in balancers {
        out.push_str(&words(balancer));
    }
    out
}

const fn state(change: PartChange) -> LinkChange {
    match change {
        PartChange::Added => LinkChange::New,
        PartChange::Removed => LinkChange::Gone,
        PartChange::Changed => LinkChange::Changed,
    }
}

fn connect(edges: &mut Vec<Edge>, column: usize, from: Option<usize>, to: Option<usize>, change: LinkChange) {
    if let (Some(from), Some(to)) = (from, to) {
        match edges.iter_mut().find(|edge| edge.column == column && edge.rows == (from, to)) {
            Some(known) => known.change = both(known.change, change),
            None => edges.push(Edge { column, rows: (from, to), change }),
        }
    }
}

/// How something fares that is told twice: a listener that leaves one address and comes to another has changed.
fn both(one: LinkChange, other: LinkChange) -> LinkChange {
    if one == other { one } else { LinkChange::Changed }
}

const fn class(change: LinkChange) -> &'static str {
    match change {
        LinkChange::Gone => "gone",
        LinkChange::New => "new",
        LinkChange::Changed => "changed",
        LinkChange::Kept => "kept",
    }
}

fn picture(columns: &[Column; 3], edges: &[Edge]) -> String {
    let rows = columns.iter().map(|column| column.names.len()).max().unwrap_or_default();
    let (width, height) = (3 * WIDTH + 2 * GAP, 30 + rows * STEP);
    let mut out = format!(
        "<div class=\"wide\"><svg class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"listeners, backends and servers\">\n"
    );
    for (n, title) in ["listeners", "backends", "servers"].into_iter().enumerate() {
        writeln!(out, "<text class=\"title\" x=\"{}\" y=\"16\">{title}</text>", n * (WIDTH + GAP))
            .expect("writing to a String");
    }
    for Edge { column, rows: (from, to), change } in edges {
        let left = column * (WIDTH + GAP) + WIDTH;
        let (right, bend) = (left + GAP, left + GAP / 2);
        let y = |row: usize| 30 + row * STEP + HEIGHT / 2;
        writeln!(
            out,
            "<path class=\"{}\" d=\"M{left} {} C{bend} {} {bend} {} {right} {}\"/>",
            class(*change),
            y(*from),
            y(*from),
            y(*to),
            y(*to)
        )
        .expect("writing to a String");
    }
    for (n, column) in columns.iter().enumerate() {
        let x = n * (WIDTH + GAP);
        for (row, name) in column.names.iter().enumerate() {
            let change = column.states.get(name).copied().unwrap_or(LinkChange::Kept);
            let name = name.rsplit('\n').next().unwrap_or_default();
            let (y, class) = (30 + row * STEP, self::class(change));
            let mark = match change {
                LinkChange::Gone => "− ",
                LinkChange::New => "+ ",
                LinkChange::Changed => "~ ",
                LinkChange::Kept => "",
            };
            let short = beginning(name, LETTERS);
            writeln!(
                out,
                "<g class=\"{class}\"><title>{}: {class}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" \
                 height=\"{HEIGHT}\" rx=\"4\"/><text x=\"{}\" y=\"{}\">{mark}{}</text></g>",
                markup(name),
                x + 10,
                y + 20,
                markup(&short)
            )
            .expect("writing to a String");
        }
    }
    out.push_str("</svg></div>\n");
    let hidden: usize = columns.iter().map(|column| column.hidden).sum();
    if hidden > 0 {
        let drawn: usize = columns.iter().map(|column| column.names.len()).sum();
        writeln!(out, "<p>{drawn} of {} parts drawn</p>", drawn + hidden).expect("writing to a String");
    }
    out
}

/// What the picture cannot show.
fn words(balancer: &BalancerReport) -> String {
    let BalancerReport { kind, name, change, endpoints, differences, requests, complete, .. } = balancer;
    let kind = match kind {
        BalancerPart::Listener => "listener",
        BalancerPart::Backend => "backend",
    };
    let class = class(state(*change));
    let place = balancer.head.as_ref().or(balancer.base.as_ref());
    let place = place.map(|l| format!(" <code>{}:{}</code>", markup(&l.path), l.line)).unwrap_or_default();
    let at =
        if endpoints.is_empty() { String::new() } else { format!(" at {}", markup(&cut(&endpoints.join(", "), 200))) };
    let mut out = format!("<details><summary>{kind} {}{at}: {class}{place}</summary>\n<ul>\n", markup(name));
    for difference in differences.iter().take(NAMED) {
        writeln!(out, "<li>{}</li>", markup(difference)).expect("writing to a String");
    }
    if differences.len() > NAMED {
        writeln!(out, "<li>{NAMED} of {} differences shown</li>", differences.len()).expect("writing to a String");
    }
    for request in requests.iter().take(NAMED) {
        let RequestReport { requests: what, kinds, effect, certainty: _, witness, assumed: _, base, head } = request;
        let (class, word) = match effect {
            RequestEffect::NewlyRefused => ("closed", "newly refused"),
            RequestEffect::NewlyServed => ("opened", "newly served"),
            RequestEffect::Moved => ("both", "answered otherwise"),
        };
        let what = cut(&what.join("; "), 400);
        writeln!(
            out,
            "<li><span class=\"sign {class}\">{word}</span> {kinds} kinds of requests: <code>{}</code><br>for example \
             <code>{}</code><br>base: {}; head: {}</li>",
            markup(&what),
            markup(witness),
            markup(&base.outcome),
            markup(&head.outcome)
        )
        .expect("writing to a String");
    }
    if requests.len() > NAMED {
        writeln!(out, "<li>{NAMED} of {} groups of requests shown</li>", requests.len()).expect("writing to a String");
    }
    if !complete {
        out.push_str("<li>not all requests could be compared</li>\n");
    }
    out.push_str("</ul></details>\n");
    out
}
