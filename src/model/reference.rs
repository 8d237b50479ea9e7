use crate::text::{SourceId, Span};
use std::sync::Arc;

/// A command that empties something: `flush ruleset`, `flush set inet filter overlay`.
///
/// A file that is a program (nftables) is one transaction: what it empties and fills again is never seen empty. What
/// is emptied in one transaction and filled in another is empty in between, and for good if the second one fails.
/// Only formats that have such commands fill this in; a dump that is loaded whole (iptables-save) has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flush {
    /// What is emptied: `ruleset`, `table`, `chain`, `set` or `map`.
    pub kind: &'static str,
    /// Its address, as [`super::Object::address`] has it; empty for the whole ruleset.
    pub address: String,
    /// Where the command stands.
    pub origin: Span,
    /// Where it is filled again.
    pub refill: Refill,
}

/// Where something that was emptied is filled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refill {
    /// In the same transaction, i.e. the same top-level file with what it includes.
    Here,
    /// By another transaction of the configuration; where that begins to.
    Elsewhere(Span),
    /// By nothing in the configuration, which says that it held something, or cannot know it (`flush ruleset` alone).
    Nowhere,
}

/// A fixed number of elements that a firewall's addresses are taken from, out of a list whose length the configuration
/// does not determine: `data.aws_ip_ranges.s3.cidr_blocks[0]`.
///
/// When the list grows, or comes in another order, others are taken, and nothing says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pick {
    /// What the list is called, safe to print.
    pub list: String,
    /// What is taken: `[0]`, `slice(…, 0, 2)`.
    pub part: String,
    /// Where.
    pub origin: Span,
}

/// A name that a configuration uses and nothing in it declares.
///
/// A reader that cannot bound what that does reports a gap as well ([`super::Gap`]), at the same place. Names that are
/// declared outside of what the format holds (an ipset beside an iptables-save dump) are not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What is missing: `chain`, `set`, `map`, `flowtable`, `counter`, `define` …
    pub kind: &'static str,
    /// Its address as the objects of that kind have it (`filter/LOG_DROP`), safe to print.
    pub address: String,
    /// Where it is used.
    pub origin: Span,
}

/// A name that a configuration declares and that only it can use, for `unused-objects`.
///
/// Only what nobody outside of the configuration can refer to is listed, and only where every reference names it.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// What it is: `chain`, `set`, `define`, `backend` …
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its address within the configuration: `inet filter/office`.
    pub address: String,
    /// Where it is declared; what stands there is no reference.
    pub origin: Span,
    /// How texts refer to what is called so: words, one of which would be there. A blank stands for blanks and quotes.
    pub mentions: fn(&str) -> Vec<String>,
    /// The texts in which that could be.
    pub files: Arc<[SourceId]>,
}
