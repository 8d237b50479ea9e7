//! Lines that need no syntax in between: those that the other side has too, those that end like one before, and plain ones.

use super::earlier::Same;
use super::extensions;
use super::plain::{self, Addresses, Plain, Simple, Target};
use super::read::File;
use super::refusals;
use super::ruleset::TableKind;
use super::tails::Tail;
use crate::formats::{Disposition, Lines};
use crate::model::{Action, ChainId, Literal, OpaqueId, RuleId, Symbol};
use crate::net::Family;
use crate::text::Span;
use std::ops::Range;

/// The table that is open, where lines can be read without a syntax in between.
pub(super) struct Fast<'t> {
    pub(super) tab: usize,
    pub(super) kind: TableKind,
    pub(super) family: Family,
    /// What a line's rules depend on besides its text.
    pub(super) context: u32,
    /// The chain of the last line.
    pub(super) chain: Option<Named<'t>>,
}

/// A chain by the name that rules give it.
#[derive(Clone, Copy)]
pub(super) struct Named<'t> {
    /// `-A CHAIN `
    prefix: &'t [u8],
    id: ChainId,
    /// What the chain forbids its rules ([`plain::kind_of`]).
    kind: u16,
}

/// A line that ends as others may.
pub(super) struct Unread {
    /// Where the end begins, and what stands before it.
    tail: usize,
    after: u16,
}

/// What the general way made of a line: rules that its text alone decides.
pub(super) struct Made {
    pub(super) rule: RuleId,
    pub(super) rules: u32,
    pub(super) leads: Option<Symbol>,
    pub(super) no_mac: bool,
    /// How many conditions on the source there are, and how many on the destination.
    pub(super) addresses: (usize, usize),
}

/// Added to the context of a line that leads to a chain: the chain must be there on this side too.
const LEADS: u32 = 1 << 30;
/// Added to the context of lines of which some have opaque conditions.
const OPAQUE: u32 = 1 << 29;
const ADDED: u32 = LEADS | OPAQUE;

impl<'t> File<'_, '_, 't> {
    /// Takes the lines from `start` on that the other side has next; where they end then.
    pub(super) fn expected(&mut self, start: usize) -> Option<usize> {
        let fast = self.fast.as_ref()?;
        let same = self.earlier.as_ref()?.expected(&self.text[start..])?;
        if same.context & !ADDED != fast.context {
            return None;
        }
        self.take(&same, start)?;
        self.earlier.as_mut()?.advance(&same);
        Some(start + same.text.len())
    }

    /// Gives lines of one chain the rules that they have on the other side.
    fn take(&mut self, same: &Same<'t>, start: usize) -> Option<()> {
        let end = start + same.text.len();
        let (chain, _) = self.chain_at(start, end)?;
        let tab = self.fast.as_ref()?.tab;
        if same.context & LEADS != 0 {
            let (Action::Jump(name) | Action::Goto(name)) = self.reading.store.get(same.rule).action() else {
                return None;
            };
            if !self.ruleset.tabs[tab].is_declared(self.reading.store, name) {
                return None;
            }
            self.ruleset.call(tab, chain.id, name, self.ledger.span(start, end));
        }
        let rules = same.rule.and_next(same.rules);
        let model = &mut self.ruleset.tabs[tab].model.chains[chain.id.0 as usize];
        if same.single {
            let at = self.ledger.span(start, end);
            rules.for_each(|rule| model.push(rule, at));
        } else {
            let mut at = start;
            let ends = memchr::memchr_iter(b'\n', same.text).map(|n| start + n).chain([end]);
            model.rules.extend(rules);
            model.origins.extend(ends.map(|end| self.ledger.span(std::mem::replace(&mut at, end + 1), end)));
        }
        if same.context & OPAQUE != 0 {
            self.ruleset.list(self.reading.store, same.rule.and_next(same.rules), self.ledger.span(start, end));
        }
        let no_macs = same.marked(start);
        let found = no_macs.len();
        if let Some(first) = no_macs.into_iter().next() {
            let first_end = memchr::memchr(b'\n', &self.text[first..end]).map_or(end, |n| first + n);
            let (count, _) = self.no_macs.get_or_insert((0, first..first_end));
            *count += found;
        }
        self.ledger.claim_again(start, end, same.notes(start));
        Some(())
    }

    /// The chain of the line `-A CHAIN …`, if it is declared, and where the rest begins.
    fn chain_at(&mut self, start: usize, end: usize) -> Option<(Named<'t>, usize)> {
        let line = self.text.get(start..end)?;
        let Self { fast, ruleset, reading, .. } = self;
        let Fast { tab, chain, .. } = fast.as_mut()?;
        if let Some(named) = *chain
            && line.starts_with(named.prefix)
        {
            return Some((named, start + named.prefix.len()));
        }
        let rest = line.strip_prefix(b"-A ")?;
        let name = &rest[..rest.iter().position(|b| *b == b' ')?];
        let symbol = reading.store.find_symbol(name)?;
        let tab = &mut ruleset.tabs[*tab];
        if !tab.is_declared(reading.store, symbol) {
            return None;
        }
        let prefix = line.get(..name.len() + 4)?;
        let named = Named { prefix, id: tab.chain(symbol), kind: plain::kind_of(name) };
        *chain = Some(named);
        Some((named, start + prefix.len()))
    }

    /// Reads the simplest lines from `start` on, as many as follow one another in the chain of the last line; where
    /// the line after them begins.
    pub(super) fn simple(&mut self, start: usize) -> Option<usize> {
        let Fast { tab, family: Family::Ipv4, context, chain: Some(named), .. } = self.fast.as_ref()? else {
            return None;
        };
        let Named { prefix, id, .. } = *named;
        let (context, chain) = (*context, &mut self.ruleset.tabs[*tab].model.chains[id.0 as usize]);
        // Beside another side, each line is looked for there first.
        if self.modes.fragments || self.earlier.is_some() {
            return None;
        }
        let first = self.reading.store.next();
        let (mut at, mut count) = (start, 0);
        while let Some(mut rest) = self.text[at..].strip_prefix(prefix)
            && let Some(Simple { addresses, protocol, ports, action }) = plain::simple(&mut rest)
        {
            let next = self.text.len() - rest.len();
            let rule = self.reading.store.ipv4_rule(addresses, protocol, ports, action);
            chain.push(rule, self.ledger.span(at, next - 1));
            (at, count) = (next, count + 1);
        }
        if count == 0 {
            return None;
        }
        self.ledger.claim(start, at - 1, Disposition::Modelled);
        self.note(self.ledger.span(start, at - 1), context, id, (first, count), count);
        Some(at)
    }

    /// Reads the line if it is one of the other side's, ends as an earlier one or is plain; where that ends, which
    /// may be some lines further.
    pub(super) fn quick(&mut self, start: usize, end: usize) -> Option<usize> {
        self.unread = None;
        let line = &self.text[start..end];
        let &Fast { kind: table, family, context, .. } = self.fast.as_ref()?;
        if line.len() > plain::LONGEST || !line.starts_with(b"-A ") {
            return None;
        }
        if self.earlier.as_mut().is_some_and(|earlier| earlier.find(line))
            && let Some(end) = self.expected(start)
        {
            return Some(end);
        }
        let (chain, after) = self.chain_at(start, end)?;
        let mut rest = &self.text[after..end];
        let addresses = Addresses::read(&mut rest, family)?;
        let (tail, after) = (end - rest.len(), addresses.given() | chain.kind);
        if let Some(found) = self.tails.find(rest, after) {
            let found = *found;
            self.last = Some(found);
            self.end_again(&found, addresses, chain.id, start..end);
            return Some(end);
        }
        self.unread = Some(Unread { tail, after });
        let plain = plain::tail(rest, after, table, family, self.modes.fragments)?;
        self.plain(plain, addresses, chain.id, context, start..end, tail).then_some(end)
    }

    /// Reads the lines from `start` on that end as the last line did, as many as follow one another; where the line
    /// after them begins.
    pub(super) fn again(&mut self, start: usize) -> Option<usize> {
        // Beside another side, each line is looked for there first.
        let tail = self.last.filter(|_| self.earlier.is_none())?;
        let Fast { family, chain: Some(named), .. } = *self.fast.as_ref()? else { return None };
        let mut at = start;
        while let Some(mut rest) = self.text.get(at..).and_then(|text| text.strip_prefix(named.prefix))
            && let Some(addresses) = Addresses::read(&mut rest, family)
            && addresses.given() | named.kind == tail.after
            && let Some(after) = rest.strip_prefix(tail.text)
            && matches!(after, [] | [b'\n', ..])
        {
            let end = self.text.len() - after.len();
            if end - at > plain::LONGEST {
                break;
            }
            self.end_again(&tail, addresses, named.id, at..end);
            at = end + 1;
        }
        (at > start).then_some(at)
    }

    /// Makes the rule of a line that ends as an earlier one.
    fn end_again(&mut self, found: &Tail<'t>, addresses: Addresses, chain: ChainId, line: Range<usize>) {
        let Some(Fast { tab, context, .. }) = self.fast else { return };
        let Range { start, end } = line;
        let at = self.ledger.span(start, end);
        let rule = match addresses {
            Addresses::Ipv4 { source, destination } => self.reading.store.like_ipv4(found.rule, source, destination),
            Addresses::Ipv6 { source, destination } => self.reading.store.like_ipv6(found.rule, source, destination),
        };
        if let Some(name) = found.leads {
            self.ruleset.call(tab, chain, name, at);
        }
        self.ruleset.tabs[tab].model.chains[chain.0 as usize].push(rule, at);
        let first = end - found.text.len();
        let notes = self.tails.notes(found).iter();
        let notes = notes.map(|(at, disposition)| (at.start + first..at.end + first, *disposition));
        self.ledger.claim_again(start, end, notes);
        if found.no_mac {
            self.no_mac(line);
        }
        self.note(at, context | leading(found.leads) | opaque(found.opaque), chain, (rule, 1), 1);
    }

    /// Makes the rule of a line that was read without a syntax in between.
    fn plain(
        &mut self,
        plain: Plain<'t>,
        addresses: Addresses,
        chain: ChainId,
        context: u32,
        line: Range<usize>,
        tail: usize,
    ) -> bool {
        let Plain { mut draft, target, mac } = plain;
        let Some(Fast { tab, .. }) = self.fast else { return false };
        let Range { start, end } = line;
        let at = self.ledger.span(start, end);
        let (action, leads) = match target {
            Target::Action(action) => (action, None),
            Target::Chain(name) => {
                let Some(symbol) = self.reading.store.find_symbol(name) else { return false };
                if extensions::Target::is(name) || !self.ruleset.tabs[tab].is_declared(self.reading.store, symbol) {
                    return false;
                }
                self.ruleset.call(tab, chain, symbol, at);
                (Action::Jump(symbol), Some(symbol))
            }
        };
        addresses.demand(&mut draft);
        let mut note = None;
        let mut no_mac = false;
        if let Some((piece, address)) = mac {
            let at = tail + piece.start..tail + piece.end;
            let opaque = self.mac(address, &at);
            draft.require(Literal { opaque, holds: true });
            no_mac = !refusals::is_mac(address);
            if no_mac {
                self.no_mac(start..end);
            }
            note = Some((piece, Disposition::Opaque("mac")));
        }
        let rule = self.reading.store.rule(draft, action);
        self.ruleset.tabs[tab].model.chains[chain.0 as usize].push(rule, at);
        let notes = note.clone().into_iter().map(|(at, what)| (at.start + tail..at.end + tail, what));
        self.ledger.claim_again(start, end, notes);
        let is_opaque = note.is_some();
        self.note(at, context | leading(leads) | opaque(is_opaque), chain, (rule, 1), 1);
        if let Some(Unread { tail, after }) = self.unread.take() {
            self.tails.keep(&self.text[tail..end], after, rule, leads, (is_opaque, no_mac), note);
        }
        true
    }

    /// The condition on a MAC address, which is in no packet that a filter is asked about.
    fn mac(&mut self, address: &[u8], piece: &Range<usize>) -> OpaqueId {
        let mut text = "-m mac --mac-source ".to_owned();
        text.extend(address.iter().map(|byte| char::from(byte.to_ascii_uppercase())));
        self.ruleset.opaque(self.reading.store, &text, self.ledger.span(piece.start, piece.end))
    }

    /// The line holds a MAC address that is not one.
    pub(super) fn no_mac(&mut self, line: Range<usize>) {
        if self.earlier.is_none() {
            self.marked.push(self.ledger.span(line.start, line.end).start);
        }
        let (count, _) = self.no_macs.get_or_insert((0, line));
        *count += 1;
    }

    /// Keeps what the general way made of a line, for lines that are the same or end as it does. `notes`: how many there
    /// were before it.
    pub(super) fn learn(&mut self, line: Range<usize>, made: &Made, notes: usize) {
        let Range { start, end } = line;
        let Some((chain, _)) = self.chain_at(start, end) else { return };
        let Some(Fast { context, .. }) = self.fast else { return };
        let &Made { rule, rules, leads, no_mac, addresses } = made;
        let literals = rule.and_next(rules).map(|rule| self.reading.store.literals(rule).len()).sum::<usize>();
        let is_opaque = literals > 0;
        let at = self.ledger.span(start, end);
        self.note(at, context | leading(leads) | opaque(is_opaque), chain.id, (rule, rules), 1);
        let Some(Unread { tail, after }) = self.unread.take() else { return };
        let fits = |bit: u16, count: usize| after & bit == 0 || count == 1;
        if rules != 1 || !fits(plain::SOURCE, addresses.0) || !fits(plain::DESTINATION, addresses.1) {
            return;
        }
        let notes = self.ledger.notes().get(notes..).unwrap_or_default().iter();
        let notes: Option<Vec<_>> = notes
            .map(|note| {
                let at = |byte: u32| (byte as usize).checked_sub(tail);
                Some((at(note.origin.start)?..at(note.origin.end)?, note.disposition))
            })
            .collect();
        if let Some(notes) = notes {
            self.tails.keep(&self.text[tail..end], after, rule, leads, (is_opaque, no_mac), notes);
        }
    }

    /// Notes for the other side which rules `count` lines are.
    #[inline]
    fn note(&mut self, at: Span, context: u32, chain: ChainId, (rule, rules): (RuleId, u32), count: u32) {
        if self.earlier.is_some() {
            return;
        }
        let Span { source: _, start, end } = at;
        if let Some(last) = self.lines.last_mut()
            && last.end + 1 == start
            && last.context | OPAQUE == context | OPAQUE
            && context & LEADS == 0
            && rules == count
            && last.count == last.rules
            && last.rule.after(last.count) == rule
            && self.noted == Some(chain)
        {
            last.context |= context;
            last.end = end;
            last.count += count;
            last.rules += rules;
            return;
        }
        self.noted = Some(chain);
        self.lines.push(Lines { start, end, context, count, rule, rules });
    }
}

const fn opaque(is: bool) -> u32 {
    if is { OPAQUE } else { 0 }
}

const fn leading(leads: Option<Symbol>) -> u32 {
    if leads.is_some() { LEADS } else { 0 }
}
