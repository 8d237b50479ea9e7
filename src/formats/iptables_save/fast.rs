//! Lines that need no syntax in between: those that the other side has too, those that end like one before, and plain ones.

use super::earlier::{ADDED, LEADS, Noted, OPAQUE, Same};
use super::extensions;
use super::meaning::Beside;
use super::normal;
use super::parse;
use super::plain::{self, Address, Addresses, Plain, Target};
use super::read::File;
use super::refusals;
use super::ruleset::{self, Tab, TableKind};
use super::tails::Tail;
use crate::formats::Disposition;
use crate::model::{Action, ChainId, Literal, OpaqueId, Origins, RuleId, Symbol};
use crate::net::Family;
use crate::text::behind;
use std::iter::once;
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
    /// It is an object too, so that the other side reads it as well.
    pub(super) beside: Option<Beside>,
}

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
        let model = &mut self.ruleset.tabs[tab].model.chains[chain.id.0 as usize];
        model.extend_rules(same.rule.and_next(same.rules));
        if same.is_single() {
            model.origins.extend((0..same.rules).map(|_| self.ledger.span(start, end)));
        } else {
            model.origins.extend_places(self.ledger.source(), same.places(start));
        }
        if same.context & OPAQUE != 0 {
            self.ruleset.list(self.reading.store, same.rule.and_next(same.rules), self.ledger.span(start, end));
        }
        let no_macs = same.marked(start);
        let found = no_macs.len();
        if let Some(first) = no_macs.into_iter().next() {
            let first_end = memchr::memchr(b'\n', &self.text[first..end]).map_or(end, |n| first + n);
            self.no_macs.add_some(found, first..first_end);
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
            && behind(named.prefix, line).is_some()
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

    /// Reads lines of the chain of the last line from `start` on, as many as follow one another that are simple or end as
    /// others did; where the line after them begins. Beside another side one at most, since each is looked for there first.
    pub(super) fn run(&mut self, start: usize) -> Option<usize> {
        match self.fast.as_ref()?.family {
            Family::Ipv4 => self.run_of::<(u32, u32)>(start),
            Family::Ipv6 => self.run_of::<(u128, u128)>(start),
        }
    }

    fn run_of<A: Address>(&mut self, start: usize) -> Option<usize> {
        let &Fast { tab, context, chain: Some(Named { prefix, id, kind }), .. } = self.fast.as_ref()? else {
            return None;
        };
        let Self { text, reading, ruleset, ledger, tails, noted, no_macs, .. } = self;
        let text = *text;
        let Tab { model, more, .. } = &mut ruleset.tabs[tab];
        let (chain, calls) = (&mut model.chains[id.0 as usize], &mut more[id.0 as usize].calls);
        let simply = !self.modes.fragments;
        let alone = self.earlier.is_some();
        let first = reading.store.next();
        let mut run = Run { start: ledger.span(start, start).start, rule: first, count: 0, context };
        let mut at = start;
        // Lines are mostly of the sort of the one before.
        let mut was_simple = true;
        while let Some(mut rest) = text.get(at..).and_then(|text| behind(prefix, text))
            && let Some(addresses) = Addresses::<A>::read(&mut rest)
            && !(alone && at > start)
        {
            let after = addresses.given() | kind;
            let again = |tail: &Tail<'t>| tail.after == after && follows(rest, tail.text);
            let known = tails.last.filter(|tail| !was_simple && again(tail));
            if known.is_none() && simply && A::simple(addresses, &mut rest, reading.store).is_some() {
                let next = text.len() - rest.len();
                chain.origins.push(ledger.span(at, next - 1));
                (at, was_simple) = (next, true);
                run.count += 1;
                continue;
            }
            let known = known.or_else(|| tails.last.filter(|tail| was_simple && again(tail)));
            let Some(tail) = known.or_else(|| {
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                tails.find(&rest[..end], after).copied()
            }) else {
                break;
            };
            let end = text.len() - rest.len() + tail.text.len();
            if tail.is_object() || end - at > plain::LONGEST {
                break;
            }
            let rule = A::like(addresses, tail.rule, reading.store);
            let place = ledger.span(at, end);
            for (piece, disposition) in tails.notes(&tail) {
                let first = end - tail.text.len();
                ledger.note(first + piece.start, first + piece.end, *disposition);
            }
            if tail.no_mac {
                no_macs.add(at..end);
                noted.mark(place);
            }
            if let Some(name) = tail.leads {
                ruleset::call(calls, name, place);
                run.note(noted, &chain.origins, id);
                let context = context | LEADS | opaque(tail.opaque);
                noted.lines(place.start, once(place.end), context, id, (rule, 1));
                run = Run { start: place.end + 1, rule: rule.after(1), count: 0, context: run.context };
            } else {
                run.context |= opaque(tail.opaque);
                run.count += 1;
            }
            chain.origins.push(place);
            (tails.last, at, was_simple) = (Some(tail), end + 1, false);
        }
        if at == start {
            return None;
        }
        run.note(noted, &chain.origins, id);
        chain.extend_rules(first.and_next(first.until(reading.store.next())));
        ledger.claim(start, at - 1, Disposition::Modelled);
        Some(at)
    }

    /// Reads the line if it is one of the other side's, ends as an earlier one or is plain; where that ends, which
    /// may be some lines further.
    pub(super) fn quick(&mut self, start: usize, end: usize) -> Option<usize> {
        self.unread = None;
        let line = &self.text[start..end];
        let family = self.fast.as_ref()?.family;
        if line.len() > plain::LONGEST || !line.starts_with(b"-A ") {
            return None;
        }
        if self.earlier.as_mut().is_some_and(|earlier| earlier.find(line))
            && let Some(end) = self.expected(start)
        {
            return Some(end);
        }
        let (chain, after) = self.chain_at(start, end)?;
        if let Some(next) = self.run(start) {
            return Some(next - 1);
        }
        match family {
            Family::Ipv4 => self.alone::<(u32, u32)>(start..end, after, chain),
            Family::Ipv6 => self.alone::<(u128, u128)>(start..end, after, chain),
        }
    }

    /// Reads a line of a chain if it is plain; `after`: where the name of the chain ends.
    fn alone<A: Address>(&mut self, line: Range<usize>, after: usize, chain: Named<'t>) -> Option<usize> {
        let &Fast { kind: table, family, context, .. } = self.fast.as_ref()?;
        let mut rest = &self.text[after..line.end];
        let addresses = Addresses::<A>::read(&mut rest)?;
        let (tail, after) = (line.end - rest.len(), addresses.given() | chain.kind);
        if let Some(known) = self.tails.find(rest, after).copied().filter(Tail::is_object) {
            return self.object(&known, addresses, line, chain.id);
        }
        self.unread = Some(Unread { tail, after });
        let mut plain = plain::tail(rest, after, table, family, self.modes.fragments)?;
        A::demand(addresses, &mut plain.draft);
        self.plain(plain, chain.id, context, line.clone(), tail).then_some(line.end)
    }

    /// Makes the rule and the object of a line that ends as others did.
    fn object<A: Address>(
        &mut self,
        tail: &Tail<'t>,
        addresses: Addresses<A>,
        line: Range<usize>,
        chain: ChainId,
    ) -> Option<usize> {
        let Range { start, end } = line;
        let (beside, rule) = self.tails.beside(tail).filter(|_| !tail.no_mac)?;
        let [source, destination] = [addresses.source, addresses.destination].map(|given| given.map(A::show));
        let text = rule.with(source.as_deref(), destination.as_deref());
        let at = self.ledger.span(start, end);
        let tab = self.fast.as_ref()?.tab;
        self.ruleset.beside(self.reading.store, tab, chain, &text, Some(*beside), at);
        let rule = A::like(addresses, tail.rule, self.reading.store);
        self.ruleset.tabs[tab].model.chains[chain.0 as usize].push(rule, at);
        let first = end - tail.text.len();
        let notes = self.tails.notes(tail).iter();
        let notes = notes.map(|(piece, what)| (first + piece.start..first + piece.end, *what));
        self.ledger.claim_again(start, end, notes);
        Some(end)
    }

    /// Makes the rule of a line that was read without a syntax in between.
    fn plain(&mut self, plain: Plain<'t>, chain: ChainId, context: u32, line: Range<usize>, tail: usize) -> bool {
        let Plain { mut draft, target, mac } = plain;
        let Some(Fast { tab, .. }) = self.fast else { return false };
        let Range { start, end } = line;
        let at = self.ledger.span(start, end);
        let (action, leads) = match target {
            Target::Action(action) => (action, None),
            Target::Chain(name) => {
                let Some(symbol) = self.reading.store.find_symbol(name) else { return false };
                let Tab { kind, .. } = &self.ruleset.tabs[tab];
                let refused = extensions::Target::is(name) || kind.hook(name).is_some();
                if refused || !self.ruleset.tabs[tab].is_declared(self.reading.store, symbol) {
                    return false;
                }
                self.ruleset.call(tab, chain, symbol, at);
                (Action::Jump(symbol), Some(symbol))
            }
        };
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
        self.noted.lines(at.start, once(at.end), context | leading(leads) | opaque(is_opaque), chain, (rule, 1));
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
        self.noted.mark(self.ledger.span(line.start, line.end));
        self.no_macs.add(line);
    }

    /// Keeps what the general way made of a line, for lines that are the same or end as it does. `notes`: how many there
    /// were before it.
    pub(super) fn learn(&mut self, line: Range<usize>, made: &Made, notes: usize) {
        let Range { start, end } = line;
        let Some((chain, _)) = self.chain_at(start, end) else { return };
        let Some(Fast { context, family, .. }) = self.fast else { return };
        let &Made { rule, rules, leads, no_mac, addresses, beside } = made;
        let literals = rule.and_next(rules).map(|rule| self.reading.store.literals(rule).len()).sum::<usize>();
        let is_opaque = literals > 0;
        let at = self.ledger.span(start, end);
        let context = context | leading(leads) | opaque(is_opaque);
        if beside.is_none() {
            self.noted.lines(at.start, once(at.end), context, chain.id, (rule, rules));
        }
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
            if let Some(beside) = beside {
                let rule = normal::Rule::of(&parse::command(self.text, tail, end), family);
                self.tails.keep_beside(beside, rule);
            }
        }
    }
}

/// The last lines of a chain, one rule each, that are still to be noted.
struct Run {
    start: u32,
    rule: RuleId,
    count: u32,
    context: u32,
}

impl Run {
    fn note(&self, noted: &mut Noted, origins: &Origins, chain: ChainId) {
        let &Self { start, rule, count, context } = self;
        if count > 0 {
            noted.lines(start, origins.last_ends(count as usize), context, chain, (rule, count));
        }
    }
}

/// Whether the line ends so.
fn follows(rest: &[u8], tail: &[u8]) -> bool {
    behind(tail, rest).is_some_and(|after| matches!(after, [] | [b'\n', ..]))
}

const fn opaque(is: bool) -> u32 {
    if is { OPAQUE } else { 0 }
}

const fn leading(leads: Option<Symbol>) -> u32 {
    if leads.is_some() { LEADS } else { 0 }
}
