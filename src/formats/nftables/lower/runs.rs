//! Runs of rules of known shapes: the first rule of a shape is understood, the others are that rule with other values.

use super::rules::{self, Outcome, Verdict};
use super::terms::Term;
use super::{Lowering, Occurrences, Place};
use crate::formats::nftables::account::Account;
use crate::formats::nftables::program::shares_text;
use crate::formats::nftables::runs::{self, Body, COMMENT, Hole, Line, Read, Run, Shape};
use crate::formats::nftables::syntax;
use crate::formats::{Disposition, Lines, Reading, Taken};
use crate::model::{self, Other, RuleId};
use crate::net::{Field, Set};
use crate::text::{SourceId, Span};
use std::collections::BTreeMap;
use std::ops::Range;

/// What rules of a shape become in one table, before or after tracking.
#[derive(Debug, Default)]
pub(super) enum Template {
    #[default]
    Unknown,
    /// Each has to be understood by itself.
    General,
    Known(Known),
}

/// The rule of the model for the first of a shape.
#[derive(Debug)]
pub(super) struct Known {
    rule: RuleId,
    /// Which field each hole with a value is about; nothing for comments.
    fields: Vec<(Hole, Option<Field>)>,
    width: usize,
    /// What is not modelled, in the first rule, beside its comment.
    notes: Vec<(Range<usize>, Disposition)>,
    /// Its text alone decides what it means.
    shared: bool,
}

/// The blocks of lines that reading the other side may take over, and the first lines of the shapes in each.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    by_source: BTreeMap<SourceId, Taken>,
    /// The shapes in the last block.
    shapes: Vec<u32>,
    open: bool,
}

/// So many lines are compared and taken over at once.
const BLOCK: u32 = 64;

impl<'r, 't> Lowering<'_, 'r, 't> {
    pub(super) fn run(
        &mut self,
        reading: &mut Reading<'_>,
        made: &mut model::Table,
        place: Place,
        run: &'r Run<'t>,
        occurrences: &mut Occurrences,
        account: &mut Account,
    ) {
        let early = self.timing.is_early(place.table, place.chain);
        let family = self.ruleset.tables[place.table].head.family as u32;
        let prefixed = if run.prefix.is_empty() { 0 } else { runs::PREFIXED };
        let context = prefixed | family << 2 | u32::from(self.survey.fragments) << 1 | u32::from(early);
        let anew;
        let read = match &run.body {
            Body::Same(lines) if lines.context == context => return again(reading, made, place, run, lines, account),
            Body::Same(_) => {
                anew = run.read(&self.ruleset.shapes);
                &anew
            }
            Body::Read(read) => read,
        };
        let key = (place.table, early);
        let mut templates = self.templates.remove(&key).unwrap_or_default();
        let Read { lines, values } = read;
        let (source, mut values) = (run.at.source, values.as_slice());
        let remembers = reading.earlier(source).is_none();
        let mut claimed: Option<Span> = None;
        self.remembered.open = false;
        for line @ Line { shape, start, end } in lines.iter().copied() {
            let at = Span { source, start, end };
            let number = shape as usize;
            if templates.len() <= number {
                templates.resize_with(number + 1, Template::default);
            }
            if matches!(templates[number], Template::Unknown) {
                let known = self.template(reading, place, self.ruleset.shapes.get(shape));
                templates[number] = known.map_or(Template::General, Template::Known);
            }
            let Template::Known(known) = &templates[number] else {
                let shape = self.ruleset.shapes.get(shape);
                values = values.get(shape.width()..).unwrap_or_default();
                self.remembered.open = false;
                if let Some(at) = claimed.take() {
                    account.claim(at, Disposition::Modelled);
                }
                self.rule(reading, made, place, &runs::rule(run.text, at), occurrences, account);
                continue;
            };
            let (mine, rest) = values.split_at(known.width);
            values = rest;
            let rule = known.with(reading, run.text, mine);
            made.chains[place.id.0 as usize].push(rule, at);
            known.notes(self.ruleset.shapes.get(shape), run.text, line, |at, disposition| {
                account.claim(Span { source, ..at }, disposition);
            });
            claimed = Some(match claimed {
                Some(before) => Span { end, ..before },
                None => at,
            });
            if remembers && known.shared {
                self.remembered.keep(at, context, rule, shape);
            } else {
                self.remembered.open = false;
            }
        }
        if let Some(at) = claimed {
            account.claim(at, Disposition::Modelled);
        }
        self.templates.insert(key, templates);
    }

    /// What the first rule of a shape becomes, if other values in its holes change nothing but those.
    fn template(&mut self, reading: &mut Reading<'_>, place: Place, shape: &'r Shape<'t>) -> Option<Known> {
        let rule = &shape.rule;
        let text = reading.text(rule.at.source);
        let mut account = Account::default();
        let meant = rules::lower(self.env(place.table, place.chain), rule, &mut account);
        let modelled = account.claims.iter().all(|(_, claim)| matches!(claim, Ok(Disposition::Modelled)));
        let [Outcome { conditions, verdict }] = meant.outcomes.as_slice() else { return None };
        let decides = matches!(verdict, Verdict::Action(_) | Verdict::Jump(_) | Verdict::Goto(_));
        if !modelled || !decides || meant.refused || meant.writes || meant.beside.is_some() {
            return None;
        }
        let mut terms = Vec::new();
        for condition in conditions {
            let [all] = condition.any.as_slice() else { return None };
            terms.extend(all);
        }
        let is_known = |term: &&Term| matches!(term, Term::Families(_) | Term::Field(..) | Term::Address(..));
        if !terms.iter().all(is_known) {
            return None;
        }
        let (mut fields, mut values) = (Vec::new(), Vec::new());
        for opening in &shape.openings {
            let before = values.len();
            opening.hole.read(text, opening.at.start, &mut values)?;
            let field = match opening.field {
                Some(field) => Some(field_of(field)?),
                None => None,
            };
            if let Some(field) = field {
                let of = |term: &&&Term| match term {
                    Term::Field(other, _) | Term::Address(other, _, _) => *other == field,
                    Term::Families(_) | Term::Opaque(_) => false,
                };
                let (first, last) = ends(opening.hole, values.get(before..)?)?;
                let mut on_it = terms.iter().filter(of);
                match (on_it.next(), on_it.next()) {
                    (Some(Term::Field(_, set) | Term::Address(_, _, set)), None) if *set == Set::range(first, last) => {
                    }
                    _ => return None,
                }
            }
            if opening.hole.width() > 0 {
                fields.push((opening.hole, field));
            }
        }
        let mut notes = Vec::new();
        for (at, claim) in &meant.claims {
            match claim {
                Ok(Disposition::Modelled) => {}
                Ok(disposition) => notes.push((at.start as usize..at.end as usize, *disposition)),
                Err(_) => return None,
            }
        }
        let comment = rule.comment.as_ref().map(|comment| reading.store.symbol(&comment.text));
        let mut occurrences = Occurrences::default();
        let made = self
            .builder(reading.store, place, "", &mut occurrences)
            .rules(&meant, comment, |_, _| unreachable!("a rule with a shape leads to no block"));
        let [made] = made.as_slice() else { return None };
        let known = Known { rule: *made, fields, width: shape.width(), notes, shared: shares_text(rule) };
        let again = known.with(reading, text, &values);
        reading.store.same(again, *made).then_some(known)
    }
}

impl Known {
    /// The rule with these values.
    fn with(&self, reading: &mut Reading<'_>, text: &[u8], values: &[u64]) -> RuleId {
        let mut others = [Other::Nothing; 9];
        let mut at = 0;
        for ((hole, field), other) in self.fields.iter().zip(&mut others) {
            let mine = values.get(at..at + hole.width()).unwrap_or_default();
            at += hole.width();
            *other = match (hole, field, mine) {
                (Hole::Ipv4, Some(field), [both]) => Other::Ipv4(*field, high(*both), low(*both)),
                (Hole::Ipv6, Some(field), [a, b, c, d]) => Other::Ipv6(*field, whole(*a, *b), whole(*c, *d)),
                (Hole::Port, Some(field), [both]) => Other::Port(*field, port(*both >> 16), port(*both & 0xffff)),
                (Hole::Comment, _, [place]) => {
                    let start = high(*place) as usize;
                    let comment = text.get(start..start + low(*place) as usize).unwrap_or_default();
                    Other::Comment(reading.store.symbol(comment))
                }
                _ => Other::Nothing,
            };
        }
        reading.store.like(self.rule, &others[..self.fields.len()])
    }

    /// What is not modelled in a line of this shape.
    fn notes(&self, shape: &Shape<'_>, text: &[u8], line: Line, mut found: impl FnMut(Span, Disposition)) {
        if self.notes.is_empty() {
            return;
        }
        let places = shape.places(text, line.start as usize);
        let moved = |at: usize| shape.moved(&places, line.start as usize, at);
        for (at, disposition) in &self.notes {
            let [start, end] = [at.start, at.end].map(|at| u32::try_from(moved(at)).expect("within the source"));
            found(Span { source: shape.rule.at.source, start, end }, *disposition);
        }
    }
}

/// Gives lines the rules that they have on the other side.
fn again(
    reading: &mut Reading<'_>,
    made: &mut model::Table,
    place: Place,
    run: &Run<'_>,
    lines: &Lines,
    account: &mut Account,
) {
    let chain = &mut made.chains[place.id.0 as usize];
    chain.rules.extend(lines.rule.and_next(lines.rules));
    chain.origins.extend(run.places());
    account.claim(run.at, Disposition::Modelled);
    let Some(earlier) = reading.earlier(run.at.source) else { return };
    // Comments are told where the lines are read.
    for note in runs::notes_of(earlier.notes, lines).filter(|note| note.disposition != COMMENT) {
        let moved = |at: u32| at - lines.start + run.at.start;
        let Span { source: _, start, end } = note.origin;
        account.claim(Span { start: moved(start), end: moved(end), ..run.at }, note.disposition);
    }
}

impl Remembered {
    /// The line is a rule of the model, whatever else the file says.
    fn keep(&mut self, at: Span, context: u32, rule: RuleId, shape: u32) {
        let Taken { lines: blocks, ends: _, marked } = self.by_source.entry(at.source).or_default();
        match blocks.last_mut() {
            Some(last)
                if self.open
                    && last.count < BLOCK
                    && last.context == context
                    && last.rule.after(last.count) == rule =>
            {
                last.end = at.end;
                last.count += 1;
                last.rules += 1;
            }
            Some(_) | None => {
                self.shapes.clear();
                self.open = true;
                let Span { source: _, start, end } = at;
                blocks.push(Lines { start, end, context, count: 1, rule, rules: 1 });
            }
        }
        if !self.shapes.contains(&shape) {
            self.shapes.push(shape);
            marked.push(at.start);
        }
    }

    /// What was kept, in the order of the texts.
    pub(super) fn finish(self) -> BTreeMap<SourceId, Taken> {
        let mut all = self.by_source;
        for Taken { lines: blocks, ends: _, marked } in all.values_mut() {
            blocks.sort_unstable_by_key(|block| block.start);
            marked.sort_unstable();
        }
        all
    }
}

/// What the value in a hole says, as closed range.
fn ends(hole: Hole, values: &[u64]) -> Option<(u128, u128)> {
    Some(match (hole, values) {
        (Hole::Ipv4, [both]) => (high(*both).into(), low(*both).into()),
        (Hole::Ipv6, [a, b, c, d]) => (whole(*a, *b), whole(*c, *d)),
        (Hole::Port, [both]) => (port(*both >> 16).into(), port(*both & 0xffff).into()),
        _ => return None,
    })
}

fn field_of(field: syntax::Field) -> Option<Field> {
    use syntax::Field as F;
    Some(match field {
        F::IpSaddr | F::Ip6Saddr => Field::Source,
        F::IpDaddr | F::Ip6Daddr => Field::Destination,
        F::TcpSport | F::UdpSport | F::UdpliteSport | F::SctpSport | F::DccpSport => Field::SourcePort,
        F::TcpDport | F::UdpDport | F::UdpliteDport | F::SctpDport | F::DccpDport => Field::DestinationPort,
        _ => return None,
    })
}

fn high(both: u64) -> u32 {
    u32::try_from(both >> 32).expect("32 bits")
}

fn low(both: u64) -> u32 {
    u32::try_from(both & u64::from(u32::MAX)).expect("32 bits")
}

fn port(number: u64) -> u16 {
    u16::try_from(number).expect("ports were read as such")
}

fn whole(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}
