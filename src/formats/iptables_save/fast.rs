//! Lines that need no syntax in between: those that the other side has too, and plain ones.

use super::extensions;
use super::plain::{self, Plain, Target};
use super::read::File;
use super::refusals;
use super::ruleset::TableKind;
use crate::formats::{Disposition, Line};
use crate::model::{Action, ChainId, Draft, Literal, RuleId};
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
    pub(super) chain: Option<(&'t [u8], ChainId)>,
}

/// Added to the context of a line that leads to a chain: the chain must be there on this side too.
const LEADS: u32 = 1 << 30;
/// Added to the context of a line that is read again all the same, for its notes.
pub(super) const NOTED: u32 = 1 << 31;

impl<'t> File<'_, '_, 't> {
    /// Takes the line at `start` if it is the one that the other side has next; where it ends then.
    pub(super) fn expected(&mut self, start: usize) -> Option<usize> {
        let fast = self.fast.as_ref()?;
        let line = self.earlier.as_ref()?.expected(&self.text[start..])?;
        if line.context & !LEADS != fast.context {
            return None;
        }
        let end = start + (line.end - line.start) as usize;
        self.take(line, start, end)?;
        self.earlier.as_mut()?.advance();
        Some(end)
    }

    /// Gives a line the rules that it has on the other side.
    fn take(&mut self, line: Line, start: usize, end: usize) -> Option<()> {
        let (chain, _) = self.chain_at(start)?;
        let tab = self.fast.as_ref()?.tab;
        let at = self.ledger.span(start, end);
        if line.context & LEADS != 0 {
            let (Action::Jump(name) | Action::Goto(name)) = self.reading.store.get(line.rule).action() else {
                return None;
            };
            if !self.ruleset.tabs[tab].is_declared(self.reading.store, name) {
                return None;
            }
            self.ruleset.call(tab, chain, name, at);
        }
        for rule in line.rule.and_next(line.rules) {
            self.ruleset.tabs[tab].model.chains[chain.0 as usize].push(rule, at);
        }
        self.ledger.claim(start, end, Disposition::Modelled);
        Some(())
    }

    /// The chain of the line `-A CHAIN …` at `start`, if it is declared, and where its name ends.
    fn chain_at(&mut self, start: usize) -> Option<(ChainId, usize)> {
        let rest = self.text.get(start + 3..)?;
        let Self { fast, ruleset, reading, .. } = self;
        let Fast { tab, chain, .. } = fast.as_mut()?;
        if let Some((name, id)) = *chain
            && rest.len() > name.len()
            && rest[..name.len()] == *name
            && rest[name.len()] == b' '
        {
            return Some((id, start + 3 + name.len()));
        }
        let name = &rest[..rest.iter().position(|b| *b == b' ')?];
        let symbol = reading.store.find_symbol(name)?;
        let tab = &mut ruleset.tabs[*tab];
        if !tab.is_declared(reading.store, symbol) {
            return None;
        }
        let id = tab.chain(symbol);
        *chain = Some((name, id));
        Some((id, start + 3 + name.len()))
    }

    /// Reads the line if every byte of it can be modelled at once.
    pub(super) fn plain(&mut self, start: usize, end: usize) -> bool {
        self.known = None;
        let Some(Fast { tab, kind, family, context, chain: _ }) = self.fast else { return false };
        let line = &self.text[start..end];
        if !line.starts_with(b"-A ") {
            return false;
        }
        if let Some(known) = self.earlier.as_mut().and_then(|earlier| earlier.find(line)) {
            if known.context & !LEADS == context && self.take(known, start, end).is_some() {
                if let Some(earlier) = &mut self.earlier {
                    earlier.advance();
                }
                return true;
            }
            if known.context & !LEADS == context | NOTED {
                self.known = Some(known);
            }
        }
        let Some((chain, after)) = self.chain_at(start) else { return false };
        let (name, rest) = self.text[start + 3..end].split_at(after.min(end) - start - 3);
        let Some(rest) = rest.strip_prefix(b" ") else { return false };
        let Some(plain) = plain::rule(rest, name, kind, family, self.modes.fragments) else { return false };
        let Plain { mut draft, target, mac } = plain;
        let at = self.ledger.span(start, end);
        let (action, leads) = match target {
            Target::Action(action) => (action, 0),
            Target::Chain(name) => {
                let Some(symbol) = self.reading.store.find_symbol(name) else { return false };
                if extensions::Target::is(name) || !self.ruleset.tabs[tab].is_declared(self.reading.store, symbol) {
                    return false;
                }
                self.ruleset.call(tab, chain, symbol, at);
                (Action::Jump(symbol), LEADS)
            }
        };
        let mut context = context | leads;
        if let Some((piece, address)) = mac {
            let piece = end - rest.len() + piece.start..end - rest.len() + piece.end;
            self.mac(&mut draft, address, &piece, start..end);
            context |= NOTED;
        }
        let known = self.known.take().filter(|known| known.context | LEADS == context | LEADS && known.rules == 1);
        let rule = match known {
            Some(known) => {
                if let Some(earlier) = &mut self.earlier {
                    earlier.advance();
                }
                known.rule
            }
            None => self.reading.store.rule(draft, action),
        };
        self.ruleset.tabs[tab].model.chains[chain.0 as usize].push(rule, at);
        self.ledger.claim(self.ledger.at().max(start), end, Disposition::Modelled);
        self.note(start, end, context, rule, 1);
        true
    }

    /// The condition on a MAC address, which is in no packet that a filter is asked about.
    fn mac(&mut self, draft: &mut Draft, address: &[u8], piece: &Range<usize>, line: Range<usize>) {
        let at = self.ledger.span(piece.start, piece.end);
        let text = format!("-m mac --mac-source {}", crate::text::escape(address).to_uppercase());
        let opaque = self.ruleset.opaque(self.reading.store, &text, at);
        draft.require(Literal { opaque, holds: true });
        if !refusals::is_mac(address) {
            let (count, _) = self.no_macs.get_or_insert((0, line.clone()));
            *count += 1;
        }
        self.ledger.claim(line.start, piece.start, Disposition::Modelled);
        self.ledger.claim(piece.start, piece.end, Disposition::Opaque("mac"));
    }

    /// Notes for the other side which rules a line is.
    pub(super) fn note(&mut self, start: usize, end: usize, context: u32, rule: RuleId, rules: u32) {
        if self.earlier.is_none() {
            let Span { source: _, start, end } = self.ledger.span(start, end);
            self.lines.push(Line { start, end, context, rule, rules });
        }
    }
}
