//! Tables on hosts that other programs own: what `verify` does not take for a difference.

use super::node::{Node, Spanned};
use super::reader::{Read, Reader, keys};

keys! {
    /// A table on hosts that another program owns.
    pub(super) struct ForeignKeys {
        /// Its name, in which `*` stands for anything: `ip docker*`; in iptables `nat`, or a chain: `filter/f2b-*`.
        table: Spanned<String>,
        /// Whose it is.
        owner: String,
        /// Whether it may decide before what is expected does. Default: false.
        first: Option<bool>,
    }
}

/// A table on hosts that another program owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignTable {
    /// Its name, in which `*` stands for anything.
    pub table: String,
    /// Whose it is.
    pub owner: String,
    /// Whether it may decide before what is expected does.
    pub first: bool,
}

impl Read for ForeignTable {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let ForeignKeys { table, owner, first } = ForeignKeys::read(node, reader)?;
        if table.value.trim_matches(['*', ' ', '/']).is_empty() {
            let help = "name it: `ip docker*`, `filter/f2b-*`";
            reader.refuse(table.span, "every table would be somebody else's", help);
            return None;
        }
        Some(Self { table: table.value, owner, first: first.unwrap_or(false) })
    }
}
