//! How tables, chains and sets are called in reports: `inet filter/input`; what is in a table of IPv4 as in other formats,
//! `filter/INPUT`, since that is the family that nft means where none is said.

use crate::formats::nftables::ruleset::Table;
use crate::formats::nftables::syntax::Family;
use crate::text::escape;

/// The name of a table.
pub(super) fn table(table: &Table<'_>) -> String {
    let name = table.head.name.show();
    match table.head.family {
        Family::Ip => name,
        family @ (Family::Ip6 | Family::Inet | Family::Arp | Family::Bridge | Family::Netdev) => {
            format!("{} {name}", family.keyword())
        }
    }
}

/// The name of something in a table.
pub(super) fn in_table(of: &Table<'_>, name: &[u8]) -> String {
    format!("{}/{}", table(of), escape(name))
}
