//! Long flat lists of plain rules, compared in one pass over both: what does each changed rule decide that the other
//! list decides otherwise?
//!
//! Let a packet be decided by a changed rule `r` of one list. Then no earlier rule of that list matches it, be it
//! common to both lists or not: all those are taken away from what is left of `r`. Common rules before `r` need not be
//! looked at on the other list, because they cannot match what is left; what counts there is its own changed rules
//! before `r`, and everything behind. So one pass over the common and the changed rules, in order, has all that there
//! is to know of every changed rule, and most are done long before its end: a single wide rule takes all away.

use super::cover::{self, Piece, Steps, TooHard};
use super::index::Index;
use super::ranks::narrow;
use super::windows::Window;
use super::{Delta, Found, Side};
use crate::model::{Action, PLAIN, PlainBox, RuleId, Store};
use crate::net::{Family, Region, Set};

/// Two lists of rules that only accept, deny or go on, and where they differ.
pub(super) struct Lists<'l> {
    pub(super) base: &'l [RuleId],
    pub(super) head: &'l [RuleId],
    pub(super) windows: &'l [Window],
    /// Whether packets that no rule decides pass.
    pub(super) otherwise: bool,
}

/// What one pass found.
#[derive(Default)]
pub(super) struct Streamed {
    pub(super) gained: Found,
    pub(super) lost: Found,
    /// What is small enough to be listed completely: regions with the rules of either list that count there.
    pub(super) few: Vec<Few>,
    /// Regions that this way cannot tell about: rules that ask for more than plain values touch them.
    pub(super) left: Vec<Region>,
}

/// A region and the rules of base and of head that decide all of it.
pub(super) struct Few {
    pub(super) region: Region,
    pub(super) rules: [Vec<RuleId>; 2],
}

/// With more changed rules than [`MANY`], one that meets more than [`FEW`] rules is answered with a part.
const MANY: usize = 64;
const FEW: usize = 1000;
/// Opposite rules that are tried at once, while there may be a cheaper answer behind.
const SAMPLE: usize = 12;
/// The part of all steps that one rule may take at the end, and that one quick try may take.
const SHARE: u64 = 8;
const QUICK: u64 = 256;

/// Compares two lists inside `piece`; `None` if they are not such lists. `most`: a rule that meets more rules than this
/// is answered with one part of what it changes.
pub(super) fn compare(
    store: &Store,
    piece: &Region,
    lists: &Lists<'_>,
    most: usize,
    steps: &mut Steps,
) -> Option<Streamed> {
    let whole = plain_box(piece)?;
    let mut tasks: Vec<Option<Task>> = Vec::new();
    let mut numbers: Vec<Option<usize>> = Vec::new();
    for (rule, side) in lists.windows.iter().flat_map(|window| lists.changed(*window)) {
        let task = Task::new(store, rule, side, &whole);
        numbers.push(task.is_some().then_some(tasks.len()));
        tasks.extend(task.map(Some));
    }
    if tasks.len() > Index::MOST {
        return None;
    }
    let most = if tasks.len() > MANY { most.min(FEW) } else { most };
    let mut out = Streamed { gained: Found::NONE, lost: Found::NONE, few: Vec::new(), left: Vec::new() };
    let open = |task: &Task| (!task.is_done()).then_some(task.rest.sides);
    let mut index = Index::new(&tasks.iter().map(|task| task.as_ref().and_then(open)).collect::<Vec<_>>());
    let mut met: Vec<usize> = Vec::new();
    let mut changed = numbers.into_iter();
    for (rule, side) in lists.merged() {
        let own = if side.is_some() { changed.next().flatten() } else { None };
        let allow = match store.get(rule).action() {
            Action::Accept => true,
            Action::Deny => false,
            Action::Continue => continue,
            Action::Return | Action::Jump(_) | Action::Goto(_) => return None,
        };
        if index.is_empty() || !store.get(rule).families().contains(Family::Ipv4) {
            continue;
        }
        let (cube, plain) = store.plain_hull(rule);
        met.clear();
        index.each(&cube, |n| met.push(n));
        for n in met.iter().copied() {
            let Some(task) = &mut tasks[n] else { continue };
            if own == Some(n) {
                task.pass(store, steps);
            } else if plain {
                task.feed(store, &Item { rule, cube, allow, side }, most, steps);
            } else {
                task.set_general(&cube);
            }
            if task.is_done() {
                index.drop(n);
                if let Some(task) = tasks[n].take() {
                    task.finish(store, piece, lists, steps, &mut out);
                }
            }
        }
    }
    for task in tasks.into_iter().flatten() {
        task.finish(store, piece, lists, steps, &mut out);
    }
    Some(out)
}

impl Lists<'_> {
    /// The rules of a window, those of base first.
    fn changed(&self, window: Window) -> impl Iterator<Item = (RuleId, Side)> {
        let base = between(self.base, window.base).map(|rule| (rule, Side::Base));
        base.chain(between(self.head, window.head).map(|rule| (rule, Side::Head)))
    }

    /// The rules of both lists in an order that keeps the order of each; common ones (`None`) once.
    fn merged(&self) -> impl Iterator<Item = (RuleId, Option<Side>)> {
        let mut before = 0;
        let stretches = self.windows.iter().flat_map(move |window| {
            let from = std::mem::replace(&mut before, window.base.1);
            let common = between(self.base, (from, window.base.0)).map(|rule| (rule, None));
            common.chain(self.changed(*window).map(|(rule, side)| (rule, Some(side))))
        });
        let last = self.windows.last().map_or(0, |window| window.base.1);
        stretches.chain(between(self.base, (last, narrow(self.base.len()))).map(|rule| (rule, None)))
    }
}

fn between(rules: &[RuleId], (from, to): (u32, u32)) -> impl Iterator<Item = RuleId> {
    rules.get(from as usize..to as usize).unwrap_or_default().iter().copied()
}

/// The plain values of a region, if it is one box of those of IPv4.
fn plain_box(piece: &Region) -> Option<PlainBox> {
    let mut whole = [(0, u32::MAX); 5];
    for (side, field) in whole.iter_mut().zip(PLAIN) {
        let range = match piece.get(field) {
            None => (0, field.max(piece.family())),
            Some(set) => set.ranges().single()?,
        };
        *side = (u32::try_from(range.0).ok()?, u32::try_from(range.1).ok()?);
    }
    (piece.family() == Family::Ipv4).then_some(whole)
}

/// A rule that is met on the way.
#[derive(Clone, Copy)]
struct Item {
    rule: RuleId,
    cube: PlainBox,
    allow: bool,
    /// Which list it stands in; `None`: in both.
    side: Option<Side>,
}

/// A changed rule.
struct Task {
    side: Side,
    rule: RuleId,
    allow: bool,
    /// What is left of what it matches.
    rest: Rest,
    /// What was left when the pass came to the rule itself: all that it can decide. `None` before.
    decides: Option<Rest>,
    /// Rules that take something away from what is left and leave no single box: of its own list those before it, of
    /// the other list those that do the same.
    blockers: Vec<RuleId>,
    /// Rules of the other list that were met before the rule itself.
    waiting: Vec<Item>,
    /// What opposite rules of the other list match, each with how many of `blockers` come before it.
    opposite: Vec<(Rest, usize)>,
    tried: usize,
    /// All rules that were met, as long as they are few.
    few: Option<Vec<(RuleId, Option<Side>)>>,
    state: State,
}

enum State {
    Open,
    /// The other list decides all that is left.
    Closed,
    /// Nothing is left that it decides, or that the other list can decide otherwise.
    Nothing,
    /// A part that is decided differently.
    Found(Piece),
    /// A rule that is not plain touches it.
    General,
}

impl Task {
    fn new(store: &Store, rule: RuleId, side: Side, whole: &PlainBox) -> Option<Self> {
        let allow = match store.get(rule).action() {
            Action::Accept => true,
            Action::Deny => false,
            Action::Continue | Action::Return | Action::Jump(_) | Action::Goto(_) => return None,
        };
        if !store.get(rule).families().contains(Family::Ipv4) {
            return None;
        }
        let (cube, exact) = store.plain_hull(rule);
        let mut rest = Rest::of(whole);
        rest.meet(&cube).then_some(Self {
            side,
            rule,
            allow,
            rest,
            decides: None,
            blockers: Vec::new(),
            waiting: Vec::new(),
            opposite: Vec::new(),
            tried: 0,
            few: Some(Vec::new()),
            state: if exact { State::Open } else { State::General },
        })
    }

    const fn is_done(&self) -> bool {
        !matches!(self.state, State::Open)
    }

    fn set_general(&mut self, cube: &PlainBox) {
        if self.rest.touches(cube) {
            self.state = State::General;
        }
    }

    fn feed(&mut self, store: &Store, item: &Item, most: usize, steps: &mut Steps) {
        let passed = self.decides.is_some();
        if passed && item.side == Some(self.side) || !self.rest.touches(&item.cube) {
            return;
        }
        if passed {
            self.remember(store, item, most, steps);
            if !self.is_done() {
                self.weigh(store, item, steps);
            }
        } else if item.side.is_none_or(|side| side == self.side) {
            match self.rest.cut(&item.cube) {
                Cut::Narrower => {}
                Cut::All => self.state = State::Nothing,
                Cut::Part => {
                    self.blockers.push(item.rule);
                    self.remember(store, item, most, steps);
                }
            }
        } else {
            self.waiting.push(*item);
            self.remember(store, item, most, steps);
        }
    }

    /// The pass comes to the rule itself.
    fn pass(&mut self, store: &Store, steps: &mut Steps) {
        self.decides = Some(self.rest.clone());
        if let Some(few) = &mut self.few {
            few.push((self.rule, Some(self.side)));
        }
        for item in std::mem::take(&mut self.waiting) {
            if !self.is_done() && self.rest.touches(&item.cube) {
                self.weigh(store, &item, steps);
            }
        }
    }

    /// A rule of the other list to which packets of what is left may come.
    fn weigh(&mut self, store: &Store, item: &Item, steps: &mut Steps) {
        let same = item.allow == self.allow;
        if !same {
            let mut part = self.rest.clone();
            part.meet(&item.cube);
            self.opposite.push((part, self.blockers.len()));
            if self.few.is_none() {
                self.try_some(store, steps);
            }
        }
        if self.is_done() {
            return;
        }
        match self.rest.cut(&item.cube) {
            Cut::Narrower => {}
            Cut::All => self.state = State::Closed,
            Cut::Part if same => self.blockers.push(item.rule),
            Cut::Part => {}
        }
    }

    /// Keeps the rule, or begins to look for one part only.
    fn remember(&mut self, store: &Store, item: &Item, most: usize, steps: &mut Steps) {
        let Some(few) = &mut self.few else { return };
        few.push((item.rule, item.side));
        if few.len() > most {
            self.few = None;
            self.try_some(store, steps);
        }
    }

    /// Looks for a part in the first opposite rules.
    fn try_some(&mut self, store: &Store, steps: &mut Steps) {
        while self.tried < self.opposite.len().min(SAMPLE) {
            let (part, before) = &self.opposite[self.tried];
            self.tried += 1;
            let quick = (steps.0 / QUICK).max(1);
            let found = steps.part(quick, |steps| part.outside(store, &self.blockers[..*before], steps));
            if let Ok(Some(piece)) = found {
                self.state = State::Found(piece);
                return;
            }
        }
    }

    /// What has become of it.
    fn finish(self, store: &Store, piece: &Region, lists: &Lists<'_>, steps: &mut Steps, out: &mut Streamed) {
        let found = if self.allow == (self.side == Side::Head) { &mut out.gained } else { &mut out.lost };
        let closed = match &self.state {
            State::Nothing => return,
            State::General => return out.left.push(Rest::of_rule(store, self.rule).region(piece)),
            State::Found(part) => {
                found.complete = false;
                found.deltas.push(delta(piece, part));
                return;
            }
            State::Closed => true,
            State::Open => false,
        };
        let by_default = !closed && lists.otherwise != self.allow;
        if self.opposite.is_empty() && !by_default {
            return;
        }
        if let (Some(few), Some(decides)) = (&self.few, &self.decides) {
            let touching = |rule: RuleId| decides.touches(&store.plain_hull(rule).0);
            let of = |side: Side| {
                let mine = few.iter().filter(|(_, owner)| owner.is_none_or(|owner| owner == side));
                mine.map(|(rule, _)| *rule).filter(|rule| touching(*rule)).collect()
            };
            let (region, rules) = (decides.region(piece), [of(Side::Base), of(Side::Head)]);
            out.few.push(Few { region, rules });
            return;
        }
        let part = steps.0 / SHARE;
        match steps.part(part, |steps| self.search(store, by_default, steps)) {
            Ok(None) => {}
            Ok(Some(part)) => {
                found.complete = false;
                found.deltas.push(delta(piece, &part));
            }
            Err(TooHard) => found.complete = false,
        }
    }

    /// A part that the other list decides otherwise; `by_default`: what happens to packets that no rule of it decides
    /// is otherwise.
    fn search(&self, store: &Store, by_default: bool, steps: &mut Steps) -> Result<Option<Piece>, TooHard> {
        let mut hard = false;
        if by_default {
            match steps.part(steps.0 / 4, |steps| self.rest.outside(store, &self.blockers, steps)) {
                Ok(Some(part)) => return Ok(Some(part)),
                Ok(None) => {}
                Err(TooHard) => hard = true,
            }
        }
        for (part, before) in &self.opposite {
            match steps.part(steps.0 / 4, |steps| part.outside(store, &self.blockers[..*before], steps)) {
                Ok(Some(part)) => return Ok(Some(part)),
                Ok(None) => {}
                Err(TooHard) => hard = true,
            }
        }
        if hard { Err(TooHard) } else { Ok(None) }
    }
}

fn delta(piece: &Region, part: &Piece) -> Delta {
    let mut region = piece.clone();
    for (field, (first, last)) in PLAIN.into_iter().zip(part) {
        region.restrict(field, &Set::range((*first).into(), (*last).into()));
    }
    Delta { region, conditions: Vec::new() }
}

/// A box of plain values whose protocols are any set.
#[derive(Clone)]
struct Rest {
    sides: PlainBox,
    protocols: [u64; 4],
}

/// The side of a [`Rest`] whose truth is in `protocols`.
pub(super) const PROTOCOL: usize = 2;

/// What a box takes away from another one.
enum Cut {
    /// So that one box is left.
    Narrower,
    /// So that more than one box is left: nothing was done.
    Part,
    All,
}

impl Rest {
    fn of(cube: &PlainBox) -> Self {
        Self { sides: *cube, protocols: mask(cube[PROTOCOL]) }
    }

    fn of_rule(store: &Store, rule: RuleId) -> Self {
        Self::of(&store.plain_hull(rule).0)
    }

    fn touches(&self, cube: &PlainBox) -> bool {
        let meets = |n: usize| self.sides[n].0 <= cube[n].1 && cube[n].0 <= self.sides[n].1;
        (0..5).all(meets) && mask(cube[PROTOCOL]).iter().zip(&self.protocols).any(|(a, b)| a & b != 0)
    }

    /// Keeps what is in `cube` too; `false` if that is nothing.
    fn meet(&mut self, cube: &PlainBox) -> bool {
        if !self.touches(cube) {
            return false;
        }
        for (mine, theirs) in self.sides.iter_mut().zip(cube) {
            *mine = (mine.0.max(theirs.0), mine.1.min(theirs.1));
        }
        for (mine, theirs) in self.protocols.iter_mut().zip(mask(cube[PROTOCOL])) {
            *mine &= theirs;
        }
        true
    }

    /// Takes away what is in `cube`, which it touches, if at most one box is left then.
    fn cut(&mut self, cube: &PlainBox) -> Cut {
        let theirs = mask(cube[PROTOCOL]);
        let covered = |n: usize| match n {
            PROTOCOL => self.protocols.iter().zip(&theirs).all(|(mine, theirs)| mine & !theirs == 0),
            _ => cube[n].0 <= self.sides[n].0 && self.sides[n].1 <= cube[n].1,
        };
        let mut open = (0..5).filter(|n| !covered(*n));
        let Some(side) = open.next() else { return Cut::All };
        if open.next().is_some() {
            return Cut::Part;
        }
        drop(open);
        let ((low, high), (first, last)) = (&mut self.sides[side], cube[side]);
        if side == PROTOCOL {
            for (mine, theirs) in self.protocols.iter_mut().zip(theirs) {
                *mine &= !theirs;
            }
        } else if first <= *low {
            *low = last + 1;
        } else if *high <= last {
            *high = first - 1;
        } else {
            return Cut::Part;
        }
        Cut::Narrower
    }

    /// Runs of protocols.
    fn runs(&self) -> impl Iterator<Item = (u32, u32)> {
        let has = |n: u32| n < 256 && self.protocols[n as usize / 64] >> (n % 64) & 1 == 1;
        let starts = (0..256).filter(move |n| has(*n) && (*n == 0 || !has(n - 1)));
        starts.map(move |first| (first, (first..256).find(|n| !has(n + 1)).unwrap_or(255)))
    }

    /// A part outside every one of these rules.
    fn outside(&self, store: &Store, rules: &[RuleId], steps: &mut Steps) -> Result<Option<Piece>, TooHard> {
        let cube = |rule: RuleId| store.plain_hull(rule).0;
        let mut hard = false;
        for run in self.runs() {
            let mut sides = self.sides;
            sides[PROTOCOL] = run;
            match cover::outside(&cube, &sides, rules, steps) {
                Ok(Some(part)) => return Ok(Some(part)),
                Ok(None) => {}
                Err(TooHard) => hard = true,
            }
        }
        if hard { Err(TooHard) } else { Ok(None) }
    }

    fn region(&self, piece: &Region) -> Region {
        let mut region = piece.clone();
        for (n, (field, (first, last))) in PLAIN.into_iter().zip(self.sides).enumerate() {
            let set = match n {
                PROTOCOL => Set::from_ranges(self.runs().map(|(first, last)| (first.into(), last.into()))),
                _ => Set::range(first.into(), last.into()),
            };
            region.restrict(field, &set);
        }
        region
    }
}

/// Protocols as bits.
fn mask((first, last): (u32, u32)) -> [u64; 4] {
    std::array::from_fn(|word| {
        let word = narrow(word) * 64;
        let (low, high) = (first.max(word), last.min(word + 63));
        if low > high { 0 } else { u64::MAX >> (63 - (high - low)) << (low - word) }
    })
}
