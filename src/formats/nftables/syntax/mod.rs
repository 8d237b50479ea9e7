//! What an nftables file says, in nft's own words: commands, statements and expressions, each with its place. No meaning:
//! a word such as `ssh` is a [`Kind::Word`] until the type beside it says what it stands for.
//!
//! A block `table inet x { … }` is written as the flat commands that nft makes of it, in nft's order: the table, its chains,
//! objects, sets, flowtables, then the elements, then the rules. So text and JSON become the same commands.

mod command;
mod expression;
mod fields;
mod statement;

pub(super) use command::{
    Base, Chain, ChainPath, Command, CtExpectation, CtTimeout, Declaration, Flowtable, Found, Listed, Object,
    ObjectData, ObjectKind, Path, Place, Policy, Priority, Rule, Set, SetData, SetFlag, SetKey, Table, TableFlag, Verb,
};
pub(super) use expression::{Binary, Element, ElementOption, Elements, Expression, Form, Jump, Kind, Plain, Verdict};
pub(super) use fields::{
    CtDirection, CtKey, ExtensionField, Family, FibFlag, FibResult, Field, Header, IpOptionField, IpsecKey, MetaKey,
    RtKey, SctpField, SocketKey, TcpOptionField,
};
pub(super) use statement::{
    Limit, LimitUnit, Log, Nat, NatFlag, NatKind, QueueFlag, Quota, Reject, Relation, SetAction, Statement,
    StatementKind, Synproxy,
};

use crate::text::Span;
use std::borrow::Cow;

/// A name or another piece of text, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name<'t> {
    pub(super) text: Cow<'t, [u8]>,
    pub(super) at: Span,
}

impl Name<'_> {
    /// The text, safe to print.
    pub(super) fn show(&self) -> String {
        crate::text::escape(&self.text)
    }
}

/// An enumeration of keywords, with the way from the word and back.
macro_rules! keywords {
    ($(#[$doc:meta])* $name:ident { $($(#[$more:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(in crate::formats::nftables) enum $name { $($(#[$more])* $variant),* }

        impl $name {
            pub(in crate::formats::nftables) const ALL: &[Self] = &[$(Self::$variant),*];

            /// The keyword of text and JSON.
            pub(in crate::formats::nftables) const fn keyword(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            pub(in crate::formats::nftables) fn from_keyword(word: &[u8]) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.keyword().as_bytes() == word)
            }
        }
    };
}
use keywords;
