//! Everything that is tested from outside, in one binary.

mod flow;
mod git;
mod policy;
