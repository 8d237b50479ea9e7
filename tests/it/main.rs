//! Everything that is tested from outside, in one binary.

mod architecture;
mod blessed;
mod checks;
mod cli;
mod cloud_corpus;
mod corpus;
mod evasions;
mod feeds;
mod flow;
mod git;
mod incidents;
mod includes;
mod iptables;
mod lint;
mod nftables;
mod nftables_corpus;
mod nftables_refusals;
mod nftables_runs;
mod pairs;
mod plan;
mod policy;
mod readme;
mod report;
mod terraform;
mod terraform_corpus;
