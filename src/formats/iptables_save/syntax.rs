//! What a file of `iptables-save` says, line by line, in its own words.

use super::extensions::{Module, Spec, Target};
use super::words::Word;
use crate::net::Family;
use std::ops::Range;

/// One line, told by its first byte.
#[derive(Debug)]
pub(super) enum Line<'t> {
    /// Nothing stands on it.
    Blank,
    /// `# …`
    Comment,
    /// `*filter`
    Table { name: Word<'t>, rest: Range<usize> },
    /// `:INPUT DROP [0:0]`
    Chain { name: Word<'t>, policy: Option<Word<'t>>, rest: Range<usize> },
    /// `COMMIT`; `ragged` where the real program does not take it for one.
    Commit { ragged: bool },
    /// Arguments as of the command `iptables`.
    Command,
}

/// The arguments of one line, in their order.
#[derive(Debug)]
pub(super) struct Command<'t> {
    pub(super) parts: Vec<Part<'t>>,
    /// The matches, in the order of their `-m`.
    pub(super) matches: Vec<Match<'t>>,
}

/// A match: everything that stands under one `-m`, or under the one that `-p` brings along.
#[derive(Debug)]
pub(super) struct Match<'t> {
    /// `None`: nobody knows a match of this name.
    pub(super) module: Option<&'static Module>,
    pub(super) name: Word<'t>,
}

/// One option with its arguments.
#[derive(Debug)]
pub(super) struct Part<'t> {
    pub(super) at: Range<usize>,
    /// A `!` stands before it, or before its argument.
    pub(super) negated: bool,
    pub(super) kind: Kind<'t>,
}

#[derive(Debug)]
pub(super) enum Kind<'t> {
    /// `[12:3456]` or `-c 12 3456`
    Counters,
    /// `-4`, `-6`
    Family(Family),
    /// `-A CHAIN`
    Append(Word<'t>),
    /// `-I CHAIN [N]`
    Insert(Word<'t>, Option<Word<'t>>),
    /// `-N CHAIN`
    New(Word<'t>),
    /// `-P CHAIN TARGET`
    Policy(Word<'t>, Word<'t>),
    /// Another command (`-D`, `-F`, `-X`, …), with what it does.
    OtherCommand(&'static str),
    Source(Word<'t>),
    Destination(Word<'t>),
    Protocol(Word<'t>),
    Input(Word<'t>),
    Output(Word<'t>),
    Fragment,
    /// `-v`: how the command is carried out.
    Manner,
    /// `-m NAME`: the number is its index in [`Command::matches`].
    Match(usize),
    /// An option of a match.
    Option {
        of: usize,
        spec: &'static Spec,
        values: Vec<Word<'t>>,
    },
    /// `-j NAME`; the target if there is one of that name, else a chain is meant.
    Jump(Word<'t>, Option<&'static Target>),
    /// `-g NAME`
    Goto(Word<'t>),
    /// An option of the target.
    TargetOption {
        spec: &'static Spec,
        values: Vec<Word<'t>>,
    },
    /// An option that nobody knows, and the words after it up to the next one.
    Unknown {
        values: Vec<Word<'t>>,
    },
    /// Not an option at all, or one without its argument: why the real program refuses it.
    Refused(String),
}
