//! Goes through the files of a configuration line by line, as `iptables-restore` does with each in turn.
//!
//! A table that a later file, or a later part of one, opens again for the same family is emptied first, since that is what
//! `iptables-restore` does; if rules are lost by it, that is a gap.

use super::earlier::{Earlier, Noted};
use super::family;
use super::fast::{Fast, Made, Unread};
use super::lower;
use super::meaning::{Claim, Meant, Order, Term, Verdict};
use super::normal;
use super::parse;
use super::ruleset::{Ruleset, Spot, Tab, TableKind};
use super::syntax::{self, Command, Kind};
use super::tails::Tails;
use super::words::Word;
use crate::formats::{Disposition, Ledger, Reading};
use crate::model::{Action, ChainId, Reference, Symbol};
use crate::net::{Family, Field};
use crate::text::{SourceId, Span};
use std::ops::Range;
use std::rc::Rc;

/// What must be known of all files before the first line can be read; found out on the way, and then begun anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Modes {
    /// A file has lines with `-4` or `-6`: each file is for both families.
    pub(super) dual: bool,
    /// `-f` occurs: later fragments exist.
    pub(super) fragments: bool,
}

/// Reads all files; `Err` says what must be known when it is tried again.
pub(super) fn files<'t>(reading: &mut Reading<'t>, modes: Modes) -> Result<(Ruleset<'t>, Vec<Ledger<'t>>), Modes> {
    let mut ruleset = Ruleset::default();
    let mut ledgers = Vec::with_capacity(reading.files().len());
    for file in reading.files() {
        ledgers.push(File::new(reading, &mut ruleset, *file, modes).read()?);
    }
    Ok((ruleset, ledgers))
}

/// A file in the course of being read.
pub(super) struct File<'r, 'a, 't> {
    pub(super) reading: &'r mut Reading<'t>,
    pub(super) ruleset: &'a mut Ruleset<'t>,
    pub(super) modes: Modes,
    pub(super) text: &'t [u8],
    /// The file's lines on the other side, if that was read before; …
    pub(super) earlier: Option<Earlier<'t>>,
    /// … otherwise this side's are noted for it.
    pub(super) noted: Noted,
    pub(super) fast: Option<Fast<'t>>,
    /// Ends of lines of the open table.
    pub(super) tails: Tails<'t>,
    /// The line in hand ends as others may.
    pub(super) unread: Option<Unread>,
    /// What the general way made of it.
    made: Option<Made>,
    pub(super) ledger: Ledger<'t>,
    families: Vec<Family>,
    /// The table that is open, for each family, and where its `*` stands.
    open: Option<Open>,
    /// Lines that end with CR LF.
    carriage: Several,
    /// Lines that hold a MAC address that is not one.
    pub(super) no_macs: Several,
    tables: usize,
}

/// Lines of real rules are hardly ever shorter on average.
const USUAL_LINE: usize = 64;
/// A text with more gaps, or more jumps to chains that may come later, is not read to its end.
const MOST_GAPS: usize = 10_000;

/// How many lines there are of a sort, and the first of them.
#[derive(Debug, Default)]
pub(super) struct Several(Option<(usize, Range<usize>)>);

impl Several {
    pub(super) fn add(&mut self, line: Range<usize>) {
        self.add_some(1, line);
    }

    pub(super) fn add_some(&mut self, found: usize, first: Range<usize>) {
        let (count, _) = self.0.get_or_insert((0, first));
        *count += found;
    }
}

#[derive(Clone)]
struct Open {
    tabs: Rc<[usize]>,
    kind: TableKind,
    at: Range<usize>,
}

impl<'r, 'a, 't> File<'r, 'a, 't> {
    fn new(reading: &'r mut Reading<'t>, ruleset: &'a mut Ruleset<'t>, file: SourceId, modes: Modes) -> Self {
        let text = reading.text(file);
        let evidence = family::of(reading.name(file), text);
        let families = if modes.dual { Family::ALL.to_vec() } else { vec![evidence.family] };
        let ledger = reading.ledger(file);
        if let Some(against) = evidence.against.filter(|_| !modes.dual) {
            ruleset.gaps.push((ledger.span(0, text.len().min(1)), against.to_owned()));
        }
        for family in &families {
            if !ruleset.families.contains(family) {
                ruleset.families.push(*family);
            }
        }
        let earlier = reading.earlier(file).map(Earlier::new);
        if earlier.is_none() {
            reading.store.reserve(text.len() / USUAL_LINE);
        }
        Self {
            reading,
            ruleset,
            modes,
            text,
            noted: Noted::new(earlier.is_none(), text.len() / USUAL_LINE),
            earlier,
            fast: None,
            tails: Tails::default(),
            unread: None,
            made: None,
            ledger,
            families,
            open: None,
            carriage: Several::default(),
            no_macs: Several::default(),
            tables: 0,
        }
    }

    fn read(mut self) -> Result<Ledger<'t>, Modes> {
        let most = MOST_GAPS + self.ruleset.gaps.len();
        let mut at = 0;
        while at < self.text.len() {
            if let Some(end) = self.expected(at) {
                at = end + 1;
                continue;
            }
            if self.earlier.is_none()
                && let Some(next) = self.run(at)
            {
                at = next;
                continue;
            }
            let stop = memchr::memchr(b'\n', &self.text[at..]).map_or(self.text.len(), |n| at + n);
            let mut end = stop;
            if end > at && self.text[end - 1] == b'\r' {
                end -= 1;
                let blank = self.text[at..end].iter().take_while(|byte| **byte == b' ' || **byte == b'\t').count();
                self.carriage.add(at + blank..stop);
            }
            let stop = match self.quick(at, end) {
                Some(end) => end.max(stop),
                None => {
                    self.slow(at, end, stop)?;
                    stop
                }
            };
            at = stop + 1;
            if self.ledger.gap_count() + self.ruleset.gaps.len() + self.ruleset.waiting > most {
                let reason = "so much of the file is not understood up to here that the rest is not read";
                self.ledger.gap(at.min(self.text.len()), self.text.len(), reason);
                break;
            }
        }
        self.finish();
        Ok(self.ledger)
    }

    /// Reads a line the general way, and learns from it if all of it is understood.
    fn slow(&mut self, start: usize, end: usize, stop: usize) -> Result<(), Modes> {
        let gaps = |file: &Self| file.ledger.gap_count() + file.ruleset.gaps.len();
        let (before, notes) = (gaps(self), self.ledger.notes().len());
        self.made = None;
        self.line(start, end)?;
        let text = &self.text[start..stop];
        let bare = text.starts_with(b"-A ") && text.last().is_some_and(|byte| !byte.is_ascii_whitespace());
        if let Some(made) = self.made.take().filter(|_| bare && gaps(self) == before) {
            self.learn(start..end, &made, notes);
        }
        Ok(())
    }

    fn finish(&mut self) {
        if let Some(taken) = self.noted.take() {
            self.reading.remember(&self.ledger, taken);
        }
        if let Some(Open { tabs: _, kind, at }) = self.open.take() {
            let reason = format!("the table `{}` has no COMMIT: iptables-restore does not apply it", kind.name());
            self.ruleset.gaps.push((self.ledger.span(at.start, at.end), reason));
        }
        if let Some((count, at)) = self.carriage.0.take() {
            let reason = format!(
                "{count} lines end with CR LF: iptables-restore takes the CR for a part of the last word and refuses the file; \
                 store it with LF"
            );
            self.ruleset.gaps.push((self.ledger.span(at.start, at.end), reason));
        }
        if let Some((count, at)) = self.no_macs.0.take() {
            let reason = format!(
                "{count} lines from here on hold a MAC address that is not one: iptables-restore refuses the file"
            );
            self.ruleset.gaps.push((self.ledger.span(at.start, at.end), reason));
        }
        if self.tables == 0 {
            let reason = if self.text.trim_ascii().is_empty() {
                "the file is empty: it holds no table and no rule"
            } else {
                "the file holds no table, so no rule of it is in force"
            };
            let start = self.text.len() - self.text.trim_ascii_start().len();
            let line = self.text[start..].split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii_end();
            self.ruleset.gaps.push((self.ledger.span(start, start + line.len()), reason.to_owned()));
        }
    }

    fn line(&mut self, start: usize, end: usize) -> Result<(), Modes> {
        match parse::line(self.text, start, end) {
            syntax::Line::Blank if start == end => {}
            syntax::Line::Blank => {
                self.ruleset.gaps.push((
                    self.ledger.span(start, end),
                    "the line holds only blanks: iptables-restore refuses it".to_owned(),
                ));
            }
            syntax::Line::Comment => self.ledger.claim(start, end, Disposition::Inert("comment")),
            syntax::Line::Table { name, rest } => self.table(start, end, &name, rest),
            syntax::Line::Chain { name, policy, rest } => self.chain(start, end, &name, policy.as_ref(), rest),
            syntax::Line::Commit { ragged } => self.commit(start, end, ragged),
            syntax::Line::Command => return self.command(start, end),
        }
        Ok(())
    }

    fn table(&mut self, start: usize, end: usize, name: &Word<'t>, rest: Range<usize>) {
        // Whatever the line names, the former table is over, for the fast way too.
        self.fast = None;
        self.tails.clear();
        if let Some(Open { tabs: _, kind, at: _ }) = self.open.take() {
            let reason = format!("the table `{}` has no COMMIT before this one begins", kind.name());
            self.ledger.gap(start, end, reason);
            self.tables += 1;
            if let Some(kind) = TableKind::find(&name.text) {
                self.begin(kind, start..end);
            }
            return;
        }
        self.tables += 1;
        match TableKind::find(&name.text) {
            Some(kind) => {
                self.ledger.claim(start, name.end, Disposition::Modelled);
                if !self.text[rest.clone()].trim_ascii().is_empty() {
                    self.ledger.claim(rest.start, rest.end, Disposition::Inert("ignored by iptables-restore"));
                }
                self.begin(kind, start..end);
            }
            None => self.ledger.gap(start, end, format!("there is no table `{}`", name.show())),
        }
    }

    fn begin(&mut self, kind: TableKind, at: Range<usize>) {
        let span = self.ledger.span(at.start, at.end);
        let mut tabs = Vec::with_capacity(2);
        for family in &self.families {
            match self.ruleset.tab(kind, *family) {
                None => {
                    self.ruleset.tabs.push(Tab::new(kind, *family, span));
                    tabs.push(self.ruleset.tabs.len() - 1);
                }
                Some(tab) => {
                    let lost = self.ruleset.tabs[tab].rules();
                    if lost > 0 {
                        let reason = format!(
                            "the table `{}` is opened again, which empties it: {lost} rules are lost",
                            kind.name()
                        );
                        self.ruleset.gaps.push((span, reason));
                    }
                    self.ruleset.reopen(tab, span);
                    tabs.push(tab);
                }
            }
        }
        self.fast = match &*tabs {
            [tab] if kind != TableKind::Nat => Some(Fast {
                tab: *tab,
                kind,
                family: self.ruleset.tabs[*tab].family,
                context: kind as u32
                    | u32::from(self.modes.fragments) << 3
                    | (self.ruleset.tabs[*tab].family as u32) << 4,
                chain: None,
            }),
            _ => None,
        };
        self.open = Some(Open { tabs: tabs.into(), kind, at });
    }

    fn chain(&mut self, start: usize, end: usize, name: &Word<'t>, policy: Option<&Word<'t>>, rest: Range<usize>) {
        let Some(Open { tabs, kind, at: _ }) = self.open.clone() else { return self.outside(start, end) };
        let Some(policy) = policy else {
            return self.ledger.gap(start, end, "the chain lacks a policy: iptables-restore refuses the line");
        };
        let builtin = kind.hook(&name.text).is_some();
        let action = match &*policy.text {
            b"ACCEPT" if builtin => Some(Action::Accept),
            b"DROP" if builtin => Some(Action::Deny),
            b"-" => None,
            _ if builtin => {
                let reason = format!("`{}` is no policy: ACCEPT or DROP", policy.show());
                return self.ledger.gap(start, end, reason);
            }
            _ => {
                let reason = format!(
                    "`{}` is not a chain that the table `{}` has by itself: only those have a policy",
                    name.show(),
                    kind.name()
                );
                return self.ledger.gap(start, end, reason);
            }
        };
        if kind == TableKind::Nat && action == Some(Action::Deny) {
            return self.ledger.gap(
                start,
                end,
                "the nat table is not for filtering: its effect on filters is not computed",
            );
        }
        if let Some(reason) = bad_chain_name(&name.text) {
            return self.ledger.gap(start, end, reason);
        }
        self.ledger.claim(start, policy.end, Disposition::Modelled);
        self.counters(rest);
        self.declare(&tabs, name, action, start..end, builtin);
    }

    /// What stands after the policy: counters, or what the real program passes over.
    fn counters(&mut self, rest: Range<usize>) {
        let text = &self.text[rest.clone()];
        let trimmed = text.trim_ascii();
        let what = if trimmed.starts_with(b"[") { "counters" } else { "ignored by iptables-restore" };
        if !trimmed.is_empty() {
            let start = rest.start + (text.len() - text.trim_ascii_start().len());
            self.ledger.claim(start, start + trimmed.len(), Disposition::Inert(what));
        }
    }

    fn declare(&mut self, tabs: &[usize], name: &Word<'t>, action: Option<Action>, at: Range<usize>, builtin: bool) {
        let symbol = self.reading.store.symbol(&name.text);
        let span = self.ledger.span(at.start, at.end);
        for tab in tabs {
            let tab = &mut self.ruleset.tabs[*tab];
            let id = tab.chain(symbol);
            let declared = &mut tab.model.chains[id.0 as usize].declared;
            if declared.is_some() && !builtin {
                self.ruleset.gaps.push((span, format!("the chain `{}` is declared twice", name.show())));
            } else {
                *declared = Some(span);
            }
            if let Some(action) = action {
                tab.more[id.0 as usize].policy = Some((action, span));
            }
        }
    }

    fn commit(&mut self, start: usize, end: usize, ragged: bool) {
        self.fast = None;
        if self.open.take().is_none() {
            return self.outside(start, end);
        }
        if ragged {
            let reason = "there are blanks around COMMIT: iptables-restore does not take it for one";
            self.ledger.gap(start, end, reason);
        } else {
            self.ledger.claim(start, end, Disposition::Modelled);
        }
    }

    fn outside(&mut self, start: usize, end: usize) {
        let text = &self.text[start..end];
        let reason = if super::values::is_template(text) {
            "the line is left for a template engine to fill in"
        } else {
            "the line stands outside a table: iptables-restore refuses it"
        };
        self.ledger.gap(start, end, reason);
    }

    fn command(&mut self, start: usize, end: usize) -> Result<(), Modes> {
        let length = end - start;
        let start = end - self.text[start..end].trim_ascii_start().len();
        let end = start + self.text[start..end].trim_ascii_end().len();
        let Some(Open { tabs, kind, at: _ }) = self.open.clone() else {
            self.outside(start, end);
            return Ok(());
        };
        if length > LONGEST_LINE {
            self.ledger.gap(start, end, "the line is longer than the 10,238 bytes that iptables-restore reads at once");
            return Ok(());
        }
        let mut claims: Option<Vec<(Range<usize>, Claim)>> = None;
        let mut refused = false;
        for tab in tabs.iter().copied() {
            let command = parse::command(self.text, start, end);
            let family = self.ruleset.tabs[tab].family;
            let rule = (kind == TableKind::Nat || has_beside(&command)).then(|| normal::rule(&command, family));
            let mut meant = lower::lower(command, kind, family, self.modes.fragments);
            if meant.only.is_some() && !self.modes.dual {
                return Err(Modes { dual: true, ..self.modes });
            }
            if meant.fragments && !self.modes.fragments {
                return Err(Modes { fragments: true, ..self.modes });
            }
            if meant.only.is_some_and(|only| only != self.ruleset.tabs[tab].family) {
                continue;
            }
            if meant.refused {
                meant.verdict = Verdict::Any(format!("`{}`", crate::text::escape(self.text[start..end].trim_ascii())));
            }
            refused |= meant.refused;
            if meant.no_mac {
                self.no_mac(start..end);
            }
            let found = std::mem::take(&mut meant.claims);
            match &mut claims {
                Some(claims) if found.iter().any(|(_, claim)| matches!(claim, Claim::Gap(_))) => *claims = found,
                Some(_) => {}
                None => claims = Some(found),
            }
            self.carry_out(tab, kind, meant, rule.as_deref(), start..end);
        }
        self.account(claims.unwrap_or_default(), refused);
        Ok(())
    }

    fn carry_out(&mut self, tab: usize, kind: TableKind, meant: Meant<'t>, rule: Option<&str>, at: Range<usize>) {
        let span = self.ledger.span(at.start, at.end);
        let (chain, position) = match meant.order.clone() {
            Some(Order::Append(chain)) => (chain, None),
            Some(Order::Insert(chain, position)) => (chain, Some(position)),
            Some(Order::New(chain)) => {
                if let Some(reason) = bad_chain_name(&chain.text) {
                    self.ruleset.gaps.push((span, reason.to_owned()));
                } else {
                    self.declare(&[tab], &chain, None, at, false);
                }
                return;
            }
            Some(Order::Policy(chain, policy)) => {
                let action = match &*policy.text {
                    b"ACCEPT" => Some(Action::Accept),
                    b"DROP" => Some(Action::Deny),
                    _ => None,
                };
                match action.filter(|_| kind.hook(&chain.text).is_some()) {
                    Some(action) => self.declare(&[tab], &chain, Some(action), at, true),
                    None => {
                        let reason =
                            "only ACCEPT and DROP are policies, and only of the chains that a table has by itself";
                        self.ruleset.gaps.push((span, reason.to_owned()));
                    }
                }
                return;
            }
            None => {
                if !meant.refused {
                    self.ruleset.gaps.push((span, "the line holds no command: iptables-restore refuses it".to_owned()));
                }
                return;
            }
        };
        let symbol = self.reading.store.symbol(&chain.text);
        let id = self.chain_of(tab, symbol, &chain);
        for (set, place) in &meant.sets {
            self.ruleset.set(set, self.ledger.span(place.start, place.end));
        }
        if let Some(rule) = rule
            && (kind == TableKind::Nat || meant.beside.is_some())
        {
            self.ruleset.beside(self.reading.store, tab, id, rule, meant.beside, span);
        }
        if kind == TableKind::Nat && matches!(meant.verdict, Verdict::Action(Action::Deny)) {
            self.ruleset
                .gaps
                .push((span, "the nat table is not for filtering: iptables refuses DROP in it".to_owned()));
        }
        let text_decides =
            !meant.refused && position.is_none() && !meant.placed && meant.writes.is_empty() && meant.sets.is_empty();
        let leads = match &meant.verdict {
            Verdict::Jump(name) | Verdict::Goto(name) => Some(self.reading.store.symbol(&name.text)),
            Verdict::Action(_) | Verdict::Elsewhere(_) | Verdict::Any(_) => None,
        };
        let on = |wanted: Field| {
            let terms = meant.conditions.iter().flatten();
            terms.filter(|term| matches!(term, Term::Address(field, _, _) if *field == wanted)).count()
        };
        let (addresses, no_mac, beside) = ((on(Field::Source), on(Field::Destination)), meant.no_mac, meant.beside);
        let made = self.ruleset.rule(self.reading, Spot { tab, chain: id, position, at: span }, meant);
        self.made =
            made.filter(|_| text_decides).map(|(rule, rules)| Made { rule, rules, leads, no_mac, addresses, beside });
    }

    /// The chain a rule goes to; it must have been declared.
    fn chain_of(&mut self, tab: usize, symbol: Symbol, word: &Word<'t>) -> ChainId {
        let declared = self.ruleset.tabs[tab].is_declared(self.reading.store, symbol);
        if !declared {
            let table = self.ruleset.tabs[tab].kind.name();
            let reason =
                format!("the table `{table}` has no chain `{}`: nothing before this line declares it", word.show());
            let at = self.ledger.span(word.start, word.end);
            let address = format!("{}/{}", self.ruleset.tabs[tab].model.name, word.show());
            self.ruleset.undefined.push(Reference { kind: "chain", address, origin: at });
            self.ruleset.gaps.push((at, reason));
        }
        self.ruleset.tabs[tab].chain(symbol)
    }

    /// Claims the pieces of a line; neighbours of one kind as one. A line that is refused has one gap.
    fn account(&mut self, claims: Vec<(Range<usize>, Claim)>, refused: bool) {
        let doubtful = claims.iter().any(|(_, claim)| matches!(claim, Claim::Gap(_)));
        let mut told = false;
        let mut merged: Vec<(Range<usize>, Claim)> = Vec::with_capacity(claims.len());
        for (at, claim) in claims {
            let claim = match claim {
                Claim::Modelled if doubtful => Claim::Opaque(DOUBTFUL),
                Claim::Gap(_) if refused && std::mem::replace(&mut told, true) => Claim::Opaque(DOUBTFUL),
                Claim::Modelled | Claim::Inert(_) | Claim::Opaque(_) | Claim::Gap(_) => claim,
            };
            match merged.last_mut() {
                Some((last, same)) if *same == claim => last.end = at.end,
                Some(_) | None => merged.push((at, claim)),
            }
        }
        for (at, claim) in merged {
            match claim {
                Claim::Modelled => self.ledger.claim(at.start, at.end, Disposition::Modelled),
                Claim::Inert(why) => self.ledger.claim(at.start, at.end, Disposition::Inert(why)),
                Claim::Opaque(what) => self.ledger.claim(at.start, at.end, Disposition::Opaque(what)),
                Claim::Gap(reason) => self.ledger.gap(at.start, at.end, reason),
            }
        }
    }
}

const DOUBTFUL: &str = "line with a gap";

/// `char buffer[10240]` with its newline and NUL (iptables/xtables-restore.c).
const LONGEST_LINE: usize = 10_238;

fn has_beside(command: &Command<'_>) -> bool {
    let beside = |kind: &Kind<'_>| if let Kind::Jump(_, target) = kind { (*target)?.effect.beside() } else { None };
    command.parts.iter().any(|part| beside(&part.kind).is_some())
}

/// Why a chain cannot be called so.
fn bad_chain_name(name: &[u8]) -> Option<&'static str> {
    match name {
        [b'-' | b'!', ..] => Some("a chain's name cannot begin with `-` or `!`: iptables refuses it"),
        b"ACCEPT" | b"DROP" | b"RETURN" | b"QUEUE" => {
            Some("a chain cannot be called like a target: iptables refuses it")
        }
        _ if name.len() <= 28 && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) => None,
        _ if name.len() > 28 => Some("a chain's name has at most 28 bytes: iptables refuses it"),
        _ if super::values::is_template(name) => Some("the chain's name is left for a shell or a template to fill in"),
        _ => None,
    }
}

impl Ruleset<'_> {
    /// Empties a table that is opened again; the policies of its own chains stay.
    fn reopen(&mut self, tab: usize, at: Span) {
        let old = &mut self.tabs[tab];
        let mut new = Tab::new(old.kind, old.family, at);
        for (chain, more) in old.model.chains.iter().zip(&old.more) {
            if let Some(policy) = more.policy {
                let id = new.chain(chain.name);
                new.model.chains[id.0 as usize].declared = chain.declared;
                new.more[id.0 as usize].policy = Some(policy);
            }
        }
        let name = new.model.name.clone();
        self.tabs[tab] = new;
        self.objects.retain(|object| !object.address.strip_prefix(&name).is_some_and(|rest| rest.starts_with('/')));
    }
}
