//! Differences as lists of flows.

use super::report::SummaryLine;
use crate::diff::Found;
use crate::model::{Literal, Store};
use crate::net::{Naming, Region, show_region};
use crate::text::escape;

/// One flow with its conditions.
pub(super) fn show(region: &Region, conditions: &[Literal], store: &Store, names: &dyn Naming) -> String {
    let mut out = show_region(region, names);
    for literal in conditions {
        out.push_str(if literal.holds { " if " } else { " unless " });
        out.push_str(&escape(store.opaque_text(literal.opaque).as_bytes()));
    }
    out
}

/// Every flow of a difference, in its order.
pub(super) fn list(found: &Found, store: &Store, names: &dyn Naming) -> Vec<String> {
    found.deltas.iter().map(|delta| show(&delta.region, &delta.conditions, store, names)).collect()
}

/// The flows by destination and service, when there are many.
pub(super) const fn summary(_found: &Found, _names: &dyn Naming) -> Vec<SummaryLine> {
    Vec::new()
}
