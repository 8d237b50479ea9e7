//! nftables rulesets, as text for `nft -f` and as the JSON of `nft -j list ruleset`.
//!
//! Both notations become the same commands (`syntax`), these are carried out on a ruleset (`program`), and the ruleset is
//! turned into the model (`lower`).

mod account;
mod json;
mod lower;
mod names;
mod ruleset;
mod syntax;
mod types;
