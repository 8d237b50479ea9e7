//! nftables: random rulesets, real ones, and whether the reader takes what `nft` takes.

mod acceptance;
mod aim;
pub(crate) mod corpus;
mod lines;
pub(crate) mod parts;
mod round_trip;
mod rules;
mod scan;
mod sets;
mod statements;
mod values;
mod write;

use crate::case::{Case, Loader};
use crate::random::Random;
use crate::world::{INTERFACES, NAMES};
use aim::Aimer;
use write::Writer;

/// The random case of that seed.
pub(crate) fn generate(seed: u64, packets: usize) -> Case {
    // Neighbours share their interfaces, since giving names takes time.
    let mut random = Random::new(seed / 16);
    let mut pool = NAMES.to_vec();
    let names: Vec<String> = (0..INTERFACES).map(|_| pool.swap_remove(random.below(pool.len())).to_owned()).collect();
    let mut random = Random::new(seed ^ 0x6e66_7400);
    let tracking = random.chance(75);
    let rules = ruleset(&mut random, tracking, &names);
    let case = Case {
        name: format!("nft-generated --seed {seed} --runs 1"),
        loader: Loader::Nftables,
        tracking,
        names: names.clone(),
        rules: rules.clone(),
        seeds: Vec::new(),
        probes: Vec::new(),
    };
    let aimer = Aimer::new(&names, !tracking, &rules);
    case.aimed(&mut random, packets, |random| aimer.probe(random))
}

/// A random ruleset.
fn ruleset(random: &mut Random, tracking: bool, names: &[String]) -> String {
    Writer::new(random, tracking, names).ruleset()
}

/// How many sheets of rules there are.
pub(crate) fn sheets() -> Result<usize, String> {
    Ok(lines::sheets()?.len())
}
