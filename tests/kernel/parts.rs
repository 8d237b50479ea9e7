//! The three parts of the work.

use crate::acceptance::{self, Verdict};
use crate::apply;
use crate::case::{Case, Loader, Outcome, without_translation};
use crate::compare::Comparison;
use crate::corpus;
use crate::lines;
use crate::nft;
use crate::options::{Part, Share};
use crate::probe::Hook;
use crate::random::Random;
use crate::shrink::shrink;
use crate::tally::Tally;
use crate::verify;
use crate::world::World;
use portcullis::net::State;
use std::time::Duration;

/// How many failures of a share are made small and shown.
const SHOWN: u64 = 3;

/// Runs a share in the present namespace.
pub(crate) fn run(share: &Share) -> Result<Tally, String> {
    let mut tally = Tally::default();
    if share.part == Part::Verify {
        verify::proof(share, &mut tally)?;
        return Ok(tally);
    }
    if share.part == Part::Apply {
        apply::proof(share, &mut tally)?;
        return Ok(tally);
    }
    let mut world = World::new()?;
    match share.part {
        Part::Generated => generated(share, &mut world, &mut tally)?,
        Part::Corpus => real(share, &mut world, &mut tally)?,
        Part::Acceptance => damaged(share, &mut world, &mut tally)?,
        Part::Lines => lines::compared(&mut world, share.first, share.count, &mut tally)?,
        Part::NftGenerated => nft::parts::generated(share, &mut world, &mut tally)?,
        Part::NftCorpus => nft::parts::real(share, &mut world, &mut tally)?,
        Part::NftAcceptance => nft::parts::damaged(share, &mut world, &mut tally)?,
        Part::NftLines => nft::parts::sheets(share, &mut world, &mut tally)?,
        Part::Verify | Part::Apply => {}
    }
    Ok(tally)
}

fn generated(share: &Share, world: &mut World, tally: &mut Tally) -> Result<(), String> {
    for run in share.first..share.first + share.count {
        let case = Case::generate(share.seed + run, if share.long { 1_000 } else { 250 });
        judge(&case, world, tally)?;
    }
    Ok(())
}

fn real(share: &Share, world: &mut World, tally: &mut Tally) -> Result<(), String> {
    let files = corpus::files()?;
    for (path, n) in files
        .iter()
        .zip(0u64..)
        .skip_while(|(_, n)| *n < share.first)
        .take_while(|(_, n)| *n < share.first + share.count)
    {
        let rules = corpus::text(path)?;
        match corpus::loading(world, path, &without_translation(&rules))? {
            Some(loading) => {
                let case = corpus::case(path, rules, loading, share.seed + n, share.long);
                judge(&case, world, tally)?;
            }
            None => {
                tally.add("skipped", 1);
                tally.add("corpus/files that iptables-restore refuses", 1);
            }
        }
    }
    Ok(())
}

/// Runs a case and counts; failures are made small and shown.
pub(crate) fn judge(case: &Case, world: &mut World, tally: &mut Tally) -> Result<(), String> {
    match case.run(world)? {
        Outcome::Refused(message) => {
            tally.add("skipped", 1);
            println!("not compared, {}: not loaded: {}", case.name, refusal(&message, &case.rules));
        }
        Outcome::Unread(reasons) => {
            tally.add("skipped", 1);
            for reason in reasons.iter().take(3) {
                println!("not compared, {}: {reason}", case.name);
            }
        }
        Outcome::Compared(comparison) => {
            count(tally, case, &comparison);
            if let Some(mismatch) = comparison.mismatches.first() {
                tally.add("failing cases", 1);
                if tally.get("failing cases") <= SHOWN {
                    let (small, mismatch) = shrink(world, case, mismatch, Duration::from_secs(20));
                    println!("FAILED {}", small.show(&mismatch));
                } else {
                    println!("FAILED {}", case.name);
                }
            }
        }
    }
    Ok(())
}

/// The message of `iptables-restore` with the line that it names.
fn refusal(message: &str, rules: &str) -> String {
    let named = acceptance::line_of(message).and_then(|line| rules.lines().nth(line.checked_sub(1)?));
    let message = message.lines().next().unwrap_or_default();
    named.map_or_else(|| message.to_owned(), |line| format!("{message}: {line}"))
}

fn count(tally: &mut Tally, case: &Case, comparison: &Comparison) {
    let Comparison { compared, depending, dropped, outside, translated, states, hooks, mismatches } = comparison;
    let failed = u64::try_from(mismatches.len()).unwrap_or(u64::MAX);
    tally.add("passed", compared - failed);
    tally.add("failed", failed);
    tally.add(if case.loader == Loader::Nftables { "nft rulesets" } else { "rulesets" }, 1);
    tally.add(if case.loader == Loader::Nftables { "nft packets" } else { "packets" }, case.probes.len() as u64);

    tally.add("dropped", *dropped);
    tally.add("depending", *depending);
    tally.add("outside", *outside);
    tally.add("translated", *translated);
    for (state, count) in State::ALL.iter().zip(states) {
        tally.add(&format!("state/{}", state.name()), *count);
    }
    for (hook, count) in Hook::ALL.iter().zip(hooks) {
        tally.add(&format!("hook/{}", hook.name()), *count);
    }
}

fn damaged(share: &Share, world: &mut World, tally: &mut Tally) -> Result<(), String> {
    let files = if corpus::folder().is_some() { corpus::files()? } else { Vec::new() };
    let corpus: Vec<_> = files.iter().map(|path| corpus::text(path)).collect::<Result<_, _>>()?;
    let corpus: Vec<_> = corpus.into_iter().filter(|text| text.len() < 100_000).collect();
    for run in share.first..share.first + share.count {
        let mut random = Random::new(share.seed + run);
        let (family, original) = acceptance::original(&mut random, &corpus);
        let rules = if random.chance(85) { acceptance::damaged(&mut random, &original) } else { original };
        world.clear()?;
        // To refuse too much is safe and a nuisance; to read what is refused is an error.
        let (outcome, counted, detail) = match acceptance::judge(world, family, &rules) {
            Verdict::Agreed => ("agreed", "passed", None),
            Verdict::Unclear => ("unclear", "skipped", None),
            Verdict::ReadButRefused(message) => ("read but refused", "failed", Some(refusal(&message, &rules))),
            Verdict::RefusedWhereOpen => ("refused where the model is open", "skipped", None),
            Verdict::LoadedButUnread(reason) => ("loaded but unread", "skipped", Some(reason)),
        };
        tally.add(counted, 1);
        tally.add(&format!("acceptance/{outcome}"), 1);
        if let Some(detail) = detail {
            println!("{outcome}, --seed {} --runs 1 {family:?}: {detail}", share.seed + run);
            if share.count == 1 {
                println!("{rules}");
            }
        }
    }
    Ok(())
}

/// Prints what was counted.
pub(crate) fn report(tally: &Tally) {
    println!(
        "iptables: {} rulesets, {} packets; nftables: {} rulesets, {} packets; a packet is compared at every hook to which \
         it comes",
        tally.get("rulesets"),
        tally.get("packets"),
        tally.get("nft rulesets"),
        tally.get("nft packets"),
    );
    println!(
        "{} were dropped by the kernel; of {} the answer depends on conditions that the model does not know; {} are not \
         compared since the model says that they never come to their hook, {} since their connection is translated",
        tally.get("dropped"),
        tally.get("depending"),
        tally.get("outside"),
        tally.get("translated"),
    );
    for group in [
        "state/",
        "hook/",
        "corpus/",
        "acceptance/",
        "nft corpus/",
        "nft damaged/",
        "nft lines/",
        "nft round trip/",
        "verify/",
        "apply/",
        "seconds/",
    ] {
        let counts: Vec<_> = tally.under(group).map(|(name, count)| format!("{count} {name}")).collect();
        if !counts.is_empty() {
            println!("{} {}", group.trim_end_matches('/'), counts.join(", "));
        }
    }
}
