//! What a line means, before it is made into rules.

use super::extensions::Truth;
use super::ruleset::Hook;
use super::words::Word;
use crate::model::Action;
use crate::net::{Family, Field, Set};
use std::ops::Range;

/// One thing a rule can demand.
#[derive(Debug, Clone)]
pub(super) enum Term {
    Field(Field, Set),
    Address(Field, Family, Set),
    Opaque(Unknown),
}

/// A condition whose truth is not in the file.
#[derive(Debug, Clone)]
pub(super) struct Unknown {
    /// Its text, normalised and without negation where it can be.
    pub(super) text: String,
    pub(super) holds: bool,
    pub(super) truth: Truth,
    /// Which of the things of that truth it reads: the names of the lists, sets, buckets or counters.
    pub(super) of: Vec<String>,
    /// The chain and the occurrence in it, where the truth may be another at each place.
    pub(super) place: String,
    pub(super) at: Range<usize>,
}

/// What a rule does with the packets it matches.
#[derive(Debug, Clone)]
pub(super) enum Verdict<'t> {
    Action(Action),
    Jump(Word<'t>),
    Goto(Word<'t>),
    /// Something outside the rules lets the packet pass or not; the text names it.
    Elsewhere(String),
    /// Nobody knows: it passes, is gone or goes on; the text names it.
    Any(String),
}

/// What the command on a line is.
#[derive(Debug, Clone)]
pub(super) enum Order<'t> {
    Append(Word<'t>),
    /// At a position, from 1.
    Insert(Word<'t>, usize),
    New(Word<'t>),
    Policy(Word<'t>, Word<'t>),
}

/// What a rule changes for the conditions of other rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Translation {
        early: bool,
    },
    Tracking,
    Copy,
    /// Where the hop limit runs out the packet is dropped.
    Hops,
}

/// How a piece of the line is accounted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    Modelled,
    Inert(&'static str),
    Opaque(&'static str),
    Gap(String),
}

/// One line, understood.
#[derive(Debug)]
pub(super) struct Meant<'t> {
    pub(super) order: Option<Order<'t>>,
    /// The family of `-4` or `-6`.
    pub(super) only: Option<Family>,
    /// All must hold, each if one of its terms does.
    pub(super) conditions: Vec<Vec<Term>>,
    pub(super) verdict: Verdict<'t>,
    pub(super) comment: Option<Vec<u8>>,
    pub(super) writes: Vec<(Truth, String)>,
    pub(super) sets: Vec<(String, Range<usize>)>,
    pub(super) beside: Option<Beside>,
    /// `-f` occurs.
    pub(super) fragments: bool,
    /// A MAC address is not one, as in dumps that were made anonymous.
    pub(super) no_mac: bool,
    pub(super) claims: Vec<(Range<usize>, Claim)>,
    /// Extensions that may stand at these hooks only.
    pub(super) hooks: Vec<(String, &'static [Hook])>,
    /// What it means depends on its chain in a way that its neighbours' chains may not share.
    pub(super) placed: bool,
    /// The real program would not take the line.
    pub(super) refused: bool,
}
