//! Shapes of rules: their text but for addresses, ports, counts and the comment.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not named is no hole: it is compared as text")]

use crate::formats::nftables::parse::elements::{Value, ipv4_element, number_element, plain};
use crate::formats::nftables::syntax::Jump;
use crate::formats::nftables::syntax::{Expression, Field, Kind, Relation, Rule, Statement, StatementKind, Verdict};
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::ops::Range;

/// What may differ between rules of one shape. Whatever it is, the statements stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Hole {
    /// An address, a prefix or a range.
    Ipv4,
    /// Likewise.
    Ipv6,
    /// A port or a range of them, as numbers.
    Port,
    /// What a counter has counted.
    Count,
    /// A text in quotes.
    Comment,
}

/// A hole in the first rule of a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Opening {
    pub(in crate::formats::nftables) hole: Hole,
    /// Where it is in the source.
    pub(in crate::formats::nftables) at: Range<usize>,
    /// What is compared with it.
    pub(in crate::formats::nftables) field: Option<Field>,
}

/// A shape by its first rule.
#[derive(Debug)]
pub(in crate::formats::nftables) struct Shape<'t> {
    pub(in crate::formats::nftables) rule: Rule<'t>,
    pub(in crate::formats::nftables) openings: Vec<Opening>,
    /// How many bytes before its text in quotes the comment begins.
    pub(in crate::formats::nftables) comment: Option<usize>,
}

/// The shapes that were met so far, as a tree of the pieces between holes.
#[derive(Debug, Default)]
pub(in crate::formats::nftables) struct Shapes<'t> {
    shapes: Vec<Shape<'t>>,
    nodes: Vec<Node<'t>>,
    /// The run in which each was seen last.
    seen: Vec<u64>,
    run: u64,
}

#[derive(Debug, Default)]
struct Node<'t> {
    edges: Vec<Edge<'t>>,
    /// What rules end with from here on; the first few …
    ends: Vec<(&'t [u8], u32)>,
    /// … and all others.
    more: HashMap<&'t [u8], u32, RandomState>,
}

#[derive(Debug)]
struct Edge<'t> {
    literal: &'t [u8],
    hole: Hole,
    to: usize,
}

/// More shapes than this are not kept: such a file does not repeat itself.
const MOST_SHAPES: usize = 1 << 13;
/// More ways on are not tried one after the other.
const MOST_EDGES: usize = 64;
const MOST_TRIED: usize = 8;
const MOST_HOLES: usize = 8;
const LONGEST: usize = 1 << 12;

impl<'t> Node<'t> {
    /// The edge on which a text goes on.
    fn way_on(&self, text: &[u8], at: usize) -> Option<&Edge<'t>> {
        let rest = text.get(at..)?;
        let fits = |edge: &&Edge<'_>| {
            rest.starts_with(edge.literal) && edge.hole.read(text, at + edge.literal.len(), &mut Vec::new()).is_some()
        };
        self.edges.iter().find(fits)
    }

    /// Whether an end that is known would no longer be reached.
    fn hides(&self, literal: &[u8], hole: Hole) -> bool {
        let ends = self.ends.iter().map(|(end, _)| *end).chain(self.more.keys().copied());
        let mut on_it = ends.filter(|end| end.starts_with(literal));
        on_it.any(|end| hole.read(&[end, b"\n"].concat(), literal.len(), &mut Vec::new()).is_some())
    }
}

impl Hole {
    /// Reads what is there up to a blank or the end of the line; puts its value behind the others.
    #[inline]
    pub(in crate::formats::nftables) fn read(self, text: &[u8], at: usize, values: &mut Vec<u64>) -> Option<usize> {
        let ends = |end: usize| matches!(text.get(end), Some(b' ' | b'\n')).then_some(end);
        let end = match self {
            Self::Ipv4 => match ipv4_element(text, at)? {
                (first, last, _, end) if first <= last => {
                    ends(end)?;
                    values.push(u64::from(first) << 32 | u64::from(last));
                    end
                }
                _ => return None,
            },
            Self::Ipv6 => match plain(text, at)? {
                (Value::Ipv6(first, last, _), end) if first <= last => {
                    ends(end)?;
                    values.extend(halves(first).into_iter().chain(halves(last)));
                    end
                }
                _ => return None,
            },
            Self::Port => match number_element(text, at)? {
                (first, last, _, end) if first <= last && last <= u64::from(u16::MAX) => {
                    ends(end)?;
                    values.push(first << 16 | last);
                    end
                }
                _ => return None,
            },
            Self::Count => match number_element(text, at)? {
                (first, last, _, end) if first == last => ends(end)?,
                _ => return None,
            },
            Self::Comment => {
                const MOST: usize = 128;
                let rest = text.get(at..)?.strip_prefix(b"\"")?;
                let length = memchr::memchr2(b'"', b'\n', &rest[..rest.len().min(MOST + 1)])?;
                if rest[length] != b'"' {
                    return None;
                }
                values.push((at as u64 + 1) << 32 | length as u64);
                ends(at + length + 2)?
            }
        };
        Some(end)
    }

    /// Of how many numbers its value consists.
    pub(in crate::formats::nftables) const fn width(self) -> usize {
        match self {
            Self::Ipv4 | Self::Port | Self::Comment => 1,
            Self::Ipv6 => 4,
            Self::Count => 0,
        }
    }
}

fn halves(value: u128) -> [u64; 2] {
    let low = u128::from(u64::MAX);
    [value >> 64, value & low].map(|half| u64::try_from(half).expect("64 bits"))
}

impl Shape<'_> {
    /// Of how many numbers the values in its holes consist.
    pub(in crate::formats::nftables) fn width(&self) -> usize {
        self.openings.iter().map(|opening| opening.hole.width()).sum()
    }

    /// Where the holes of a rule of this shape end.
    pub(in crate::formats::nftables) fn places(&self, text: &[u8], start: usize) -> Vec<usize> {
        let (mut first, mut here, mut values) = (self.rule.at.start as usize, start, Vec::new());
        let one = |Opening { hole, at, field: _ }: &Opening| {
            let begins = here + (at.start - first);
            here = hole.read(text, begins, &mut values).unwrap_or(begins);
            first = at.end;
            here
        };
        self.openings.iter().map(one).collect()
    }

    /// Where a byte of the first rule, outside of its holes, stands in one whose holes end at these places.
    pub(in crate::formats::nftables) fn moved(&self, places: &[usize], start: usize, at: usize) -> usize {
        let mut before = self.openings.iter().zip(places).filter(|(opening, _)| opening.at.end <= at);
        let (first, here) = before
            .next_back()
            .map_or((self.rule.at.start as usize, start), |(opening, place)| (opening.at.end, *place));
        here + (at - first)
    }
}

impl<'t> Shapes<'t> {
    /// The shape of that number.
    pub(in crate::formats::nftables) fn get(&self, shape: u32) -> &Shape<'t> {
        &self.shapes[shape as usize]
    }

    /// The shape of the rule that begins there and takes the rest of its line, and where that ends.
    pub(in crate::formats::nftables) fn find(
        &self,
        text: &[u8],
        start: usize,
        values: &mut Vec<u64>,
    ) -> Option<(u32, usize)> {
        let before = values.len();
        let found = self.walk(text, start, values);
        if found.is_none() {
            values.truncate(before);
        }
        found
    }

    #[inline]
    fn walk(&self, text: &[u8], start: usize, values: &mut Vec<u64>) -> Option<(u32, usize)> {
        let (mut node, mut at) = (self.nodes.first()?, start);
        'nodes: loop {
            let rest = text.get(at..)?;
            for Edge { literal, hole, to } in &node.edges {
                if rest.starts_with(literal)
                    && let Some(end) = hole.read(text, at + literal.len(), values)
                {
                    (node, at) = (&self.nodes[*to], end);
                    continue 'nodes;
                }
            }
            let is = |end: &[u8]| rest.get(end.len()) == Some(&b'\n') && rest.starts_with(end);
            if let Some((end, shape)) = node.ends.iter().find(|(end, _)| is(end)) {
                return Some((*shape, at + end.len()));
            }
            if node.more.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', &rest[..rest.len().min(LONGEST)])?;
            return node.more.get(&rest[..end]).map(|shape| (*shape, at + end));
        }
    }

    /// Keeps the shape of a rule if others may be like it; gives the rule back otherwise.
    pub(in crate::formats::nftables) fn learn(&mut self, text: &'t [u8], rule: Rule<'t>) -> Result<(), Rule<'t>> {
        let (start, end) = (rule.at.start as usize, rule.at.end as usize);
        let Some(line) = text.get(start..end) else { return Err(rule) };
        let alone = line.len() <= LONGEST
            && text.get(end) == Some(&b'\n')
            && !line.iter().any(|byte| matches!(byte, b'\n' | b'$' | b'\\'));
        if !alone || self.shapes.len() >= MOST_SHAPES || !rule.statements.iter().all(is_shaped) {
            return Err(rule);
        }
        let openings = openings(text, &rule);
        if openings.len() > MOST_HOLES || openings.first().is_some_and(|first| first.at.start == start) {
            return Err(rule);
        }
        let shape = u32::try_from(self.shapes.len()).expect("few shapes");
        if !self.insert(text, start..end, &openings, shape) {
            return Err(rule);
        }
        let comment = openings.last().filter(|last| last.hole == Hole::Comment).map(|last| {
            let word = text[start..last.at.start].trim_ascii_end();
            last.at.start - (start + word.len() - b"comment".len())
        });
        self.shapes.push(Shape { rule, openings, comment });
        self.seen.push(0);
        Ok(())
    }

    fn insert(&mut self, text: &'t [u8], line: Range<usize>, openings: &[Opening], shape: u32) -> bool {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let (mut node, mut at) = (0, line.start);
        for Opening { hole, at: place, field: _ } in openings {
            let literal = &text[at..place.start];
            let new = self.nodes.len();
            let known = &mut self.nodes[node];
            let to = match known.way_on(text, at) {
                Some(edge) if edge.literal == literal && edge.hole == *hole => edge.to,
                Some(_) => return false,
                None if known.edges.len() >= MOST_EDGES || known.hides(literal, *hole) => return false,
                None => {
                    known.edges.push(Edge { literal, hole: *hole, to: new });
                    self.nodes.push(Node::default());
                    new
                }
            };
            (node, at) = (to, place.end);
        }
        let last = &mut self.nodes[node];
        if last.way_on(text, at).is_some() {
            return false;
        }
        let Node { edges: _, ends, more } = last;
        let end = &text[at..line.end];
        if ends.len() < MOST_TRIED {
            ends.push((end, shape));
        } else {
            more.insert(end, shape);
        }
        true
    }

    /// Another run begins.
    pub(in crate::formats::nftables) const fn begin(&mut self) {
        self.run += 1;
    }

    /// Whether the shape is met for the first time in the run.
    #[inline]
    pub(in crate::formats::nftables) fn is_new(&mut self, shape: u32) -> bool {
        let run = self.run;
        self.seen.get_mut(shape as usize).is_some_and(|seen| std::mem::replace(seen, run) != run)
    }
}

/// Whether rules with such a statement may have a shape: it writes nothing and stands for itself.
fn is_shaped(statement: &Statement<'_>) -> bool {
    match &statement.kind {
        StatementKind::Verdict(Verdict::Jump(Jump::Block(_)) | Verdict::Goto(Jump::Block(_))) => false,
        StatementKind::Match(..)
        | StatementKind::Verdict(_)
        | StatementKind::Counter { .. }
        | StatementKind::Reject(_) => true,
        StatementKind::VerdictMap(..)
        | StatementKind::CounterReference(_)
        | StatementKind::Limit(_)
        | StatementKind::LimitReference(_)
        | StatementKind::Quota(_)
        | StatementKind::QuotaReference(_)
        | StatementKind::ConnectionLimit { .. }
        | StatementKind::Last(_)
        | StatementKind::Log(_)
        | StatementKind::Nat(_)
        | StatementKind::Tproxy { .. }
        | StatementKind::Synproxy(_)
        | StatementKind::SynproxyReference(_)
        | StatementKind::Queue { .. }
        | StatementKind::Dup { .. }
        | StatementKind::Forward { .. }
        | StatementKind::Set(..)
        | StatementKind::ResetOption(_)
        | StatementKind::CtHelper(_)
        | StatementKind::CtTimeout(_)
        | StatementKind::CtExpectation(_)
        | StatementKind::Secmark(_)
        | StatementKind::Notrack
        | StatementKind::FlowOffload(_)
        | StatementKind::SetStatement { .. }
        | StatementKind::Meter { .. }
        | StatementKind::Xt(..) => false,
    }
}

/// The holes of a rule in order.
fn openings(text: &[u8], rule: &Rule<'_>) -> Vec<Opening> {
    let mut found = Vec::new();
    let mut values = Vec::new();
    for Statement { at, kind } in &rule.statements {
        match kind {
            StatementKind::Match(Relation::Implicit | Relation::Equal, left, right) => {
                let Kind::Payload(field) = left.kind else { continue };
                let Some(hole) = hole_of(field).filter(|_| is_value(right)) else { continue };
                let at = right.at.start as usize..right.at.end as usize;
                if hole.read(text, at.start, &mut values) == Some(at.end) {
                    found.push(Opening { hole, at, field: Some(field) });
                }
            }
            StatementKind::Counter { packets: _, bytes: _ } => {
                let (start, end) = (at.start as usize, at.end as usize);
                found.extend(counts(text, start, end).into_iter().flatten().map(|at| Opening {
                    hole: Hole::Count,
                    at,
                    field: None,
                }));
            }
            _ => {}
        }
    }
    if let Some(comment) = &rule.comment {
        let at = comment.at.start as usize..comment.at.end as usize;
        if Hole::Comment.read(text, at.start, &mut values) == Some(at.end) {
            found.push(Opening { hole: Hole::Comment, at, field: None });
        }
    }
    found
}

const fn hole_of(field: Field) -> Option<Hole> {
    match field {
        Field::IpSaddr | Field::IpDaddr => Some(Hole::Ipv4),
        Field::Ip6Saddr | Field::Ip6Daddr => Some(Hole::Ipv6),
        Field::TcpSport
        | Field::TcpDport
        | Field::UdpSport
        | Field::UdpDport
        | Field::UdpliteSport
        | Field::UdpliteDport
        | Field::SctpSport
        | Field::SctpDport
        | Field::DccpSport
        | Field::DccpDport => Some(Hole::Port),
        _ => None,
    }
}

/// Whether an expression is one value, a prefix or a range.
fn is_value(expression: &Expression<'_>) -> bool {
    let word = |of: &Expression<'_>| matches!(of.kind, Kind::Word(_));
    match &expression.kind {
        Kind::Word(_) => true,
        Kind::Prefix(one, other) | Kind::Range(one, other) => word(one) && word(other),
        _ => false,
    }
}

/// Where the numbers of `counter packets 1 bytes 2` stand.
fn counts(text: &[u8], start: usize, end: usize) -> Option<[Range<usize>; 2]> {
    let mut none = Vec::new();
    let packets = start + text.get(start..end)?.strip_prefix(b"counter packets ").map(|_| "counter packets ".len())?;
    let packets = packets..Hole::Count.read(text, packets, &mut none)?;
    let bytes = packets.end + text.get(packets.end..end)?.strip_prefix(b" bytes ").map(|_| " bytes ".len())?;
    let bytes = bytes..Hole::Count.read(text, bytes, &mut none)?;
    (bytes.end == end).then_some([packets, bytes])
}
