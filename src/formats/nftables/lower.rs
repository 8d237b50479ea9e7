//! The ruleset to the model.

use super::account::Account;
use super::ruleset::Ruleset;
use crate::formats::Reading;

/// Puts the ruleset into the model of the configuration, and says what became of every statement, expression and set
/// element of it: rules are claimed here, everything around them where it is parsed.
pub(super) fn lower<'t>(_reading: &mut Reading<'t>, ruleset: &Ruleset<'t>, account: &mut Account) {
    for table in &ruleset.tables {
        account.gap(table.at, "the meaning of nftables rulesets is not computed yet");
    }
}
