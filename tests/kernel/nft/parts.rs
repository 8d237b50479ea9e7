//! The parts of the work that are about nftables.

use super::acceptance::{self, Refusal, Verdict};
use super::corpus;
use super::lines::{self, Disagreement};
use super::round_trip::{self, Trip};
use crate::compare::Model;
use crate::options::Share;
use crate::parts::judge;
use crate::random::Random;
use crate::tally::Tally;
use crate::world::World;

/// Random rulesets: what happens to packets, and now and then the round trip.
pub(crate) fn generated(share: &Share, world: &mut World, tally: &mut Tally) -> Result<(), String> {
    for run in share.first..share.first + share.count {
        let case = super::generate(share.seed + run, if share.long { 1_000 } else { 500 });
        if share.count == 1 {
            println!("{}", case.rules);
        }
        judge(&case, world, tally)?;
        if run % 8 == 0 {
            world.clear()?;
            if world.load(&case.rules).is_ok() {
                trips(&case.name, &case.rules, world, tally)?;
            }
        }
    }
    Ok(())
}

/// Real rulesets: whether they are taken, the round trip, and what happens to packets, also after small damages.
pub(crate) fn real(share: &Share, world: &mut World, tally: &mut Tally) -> Result<(), String> {
    let files = corpus::files("nftables")?;
    for (real, n) in files
        .iter()
        .zip(0u64..)
        .skip_while(|(_, n)| *n < share.first)
        .take_while(|(_, n)| *n < share.first + share.count)
    {
        let rules = corpus::text(&real.path)?;
        let mut random = Random::new(share.seed + n);
        world.clear()?;
        let names = corpus::furnish(world, &mut random, &rules)?;
        let mut verdict = acceptance::judge(world, &rules);
        if let Verdict::Read(refusal) = &mut verdict
            && real.known.starts_with("ok")
        {
            refusal.unknowable.get_or_insert("what only a newer nft takes");
        }
        count_file(&real.name, &real.known, &verdict, tally);
        if !matches!(verdict, Verdict::Taken) {
            continue;
        }
        world.load(&rules)?;
        trips(&real.name, &rules, world, tally)?;
        let lines = rules.lines().count();
        let packets = if share.long { (lines * 20).clamp(300, 10_000) } else { lines.clamp(100, 400) };
        judge(&corpus::case(real.name.clone(), rules.clone(), &names, &mut random, packets), world, tally)?;
        // A damaged one that still loads.
        for attempt in 0..if share.long { 20 } else { 2 } {
            let changed = acceptance::damaged(&mut random, &rules);
            world.clear()?;
            let name = format!("{} --seed {} damaged {attempt}", real.name, share.seed);
            match acceptance::judge(world, &changed) {
                Verdict::Taken => {
                    tally.add("nft damaged/loaded and compared", 1);
                    judge(&corpus::case(name, changed, &names, &mut random, packets), world, tally)?;
                    if !share.long {
                        break;
                    }
                }
                verdict @ (Verdict::Refused | Verdict::Read(_) | Verdict::Unread(_)) => {
                    count_damaged(&name, &changed, &verdict, tally);
                }
            }
        }
    }
    Ok(())
}

fn count_file(name: &str, known: &str, verdict: &Verdict, tally: &mut Tally) {
    match verdict {
        Verdict::Taken => {
            tally.add("passed", 1);
            tally.add("nft corpus/read and loaded", 1);
        }
        Verdict::Refused => {
            tally.add("passed", 1);
            // What comes after the colon says more only where `nft` loads it somewhere.
            let class = if known.starts_with("ok:") { known } else { known.split([':', '(']).next().unwrap_or(known) };
            tally.add(&format!("nft corpus/refused by both ({class})"), 1);
        }
        Verdict::Read(refusal) => count_read("nft corpus", name, refusal, tally),
        Verdict::Unread(reason) => {
            tally.add("skipped", 1);
            tally.add("nft corpus/loaded but unread", 1);
            println!("loaded but unread, {name}: {reason}");
        }
    }
}

fn count_read(group: &str, name: &str, refusal: &Refusal, tally: &mut Tally) {
    let Refusal { unknowable, message, line } = refusal;
    match unknowable {
        Some(class) => {
            tally.add("skipped", 1);
            tally.add(&format!("{group}/read but refused for what the text does not tell: {class}"), 1);
        }
        None => {
            tally.add("failed", 1);
            tally.add(&format!("{group}/read but refused"), 1);
            println!("FAILED: read but refused, {name}: {message}: {line}");
        }
    }
}

fn count_damaged(name: &str, rules: &str, verdict: &Verdict, tally: &mut Tally) {
    match verdict {
        Verdict::Taken => {
            tally.add("passed", 1);
            tally.add("nft damaged/taken by both", 1);
        }
        Verdict::Refused => {
            tally.add("passed", 1);
            tally.add("nft damaged/refused by both", 1);
        }
        Verdict::Read(refusal) => {
            count_read("nft damaged", name, refusal, tally);
            if let (None, Ok(folder)) = (refusal.unknowable, std::env::var("PORTCULLIS_KEEP")) {
                let file = format!("{folder}/{}.nft", name.replace(['/', ' '], "_"));
                if let Err(error) = std::fs::write(&file, rules) {
                    println!("{file}: {error}");
                }
            }
        }
        Verdict::Unread(reason) => {
            tally.add("skipped", 1);
            tally.add("nft damaged/loaded but unread", 1);
            println!("loaded but unread, {name}: {reason}");
        }
    }
}

/// Compares the rules that are loaded with what the kernel lists.
fn trips(name: &str, rules: &str, world: &World, tally: &mut Tally) -> Result<(), String> {
    for (json, format) in [(false, "text"), (true, "JSON")] {
        let listing = match world.listing(json) {
            Err(message) if message.contains("Assertion") => {
                tally.add("skipped", 1);
                tally.add(&format!("nft round trip/{format}: nft crashes"), 1);
                continue;
            }
            listing => listing?,
        };
        match round_trip::compared(rules, &listing) {
            Trip::Same => {
                tally.add("passed", 1);
                tally.add(&format!("nft round trip/{format}: the same"), 1);
            }
            Trip::Unread(reason) => {
                tally.add("skipped", 1);
                tally.add(&format!("nft round trip/{format}: unread"), 1);
                if !reason.starts_with("file: ") {
                    println!("not compared with its listing, {name} as {format}: {reason}");
                }
            }
            Trip::Empty => tally.add(&format!("nft round trip/{format}: nothing to list"), 1),
            Trip::Less(what) => {
                tally.add("passed", 1);
                tally.add(&format!("nft round trip/{format}: the same but for what nft does not list: {what}"), 1);
            }
            Trip::Differs(lines) => {
                tally.add("failed", 1);
                tally.add(&format!("nft round trip/{format}: different"), 1);
                println!("FAILED: {name} as {format} differs from the file:");
                for line in lines.iter().take(12) {
                    println!("  {line}");
                }
            }
        }
    }
    Ok(())
}

/// Damaged rulesets: whether reader and `nft` agree on them.
pub(crate) fn damaged(share: &Share, world: &mut World, tally: &mut Tally) -> Result<(), String> {
    let names = ["eth0", "eth1", "br-lan", "wan", "lan", "tun0"].map(str::to_owned);
    world.rename(&names)?;
    let files = corpus::files("nftables")?;
    let corpus: Vec<_> = files
        .iter()
        .filter(|real| real.known == "ok")
        .map(|real| Ok((real.name.clone(), corpus::text(&real.path)?)))
        .collect::<Result<_, String>>()?;
    let corpus: Vec<_> = corpus
        .into_iter()
        .filter(|(_, text)| text.len() < 50_000 && Model::read(text, "nftables").gaps().is_empty())
        .collect();
    for run in share.first..share.first + share.count {
        let seed = share.seed + run;
        let mut random = Random::new(seed ^ 0x64_616d);
        let (name, original) = if corpus.is_empty() || random.chance(40) {
            ("generated".to_owned(), super::ruleset(&mut random, true, &names))
        } else {
            random.pick(&corpus).clone()
        };
        world.clear()?;
        let name = format!("nft-acceptance --seed {seed} --runs 1 ({name})");
        let rules = acceptance::damaged(&mut random, &original);
        count_damaged(&name, &rules, &acceptance::judge(world, &rules), tally);
        if share.count == 1 {
            println!("{rules}");
        }
    }
    Ok(())
}

/// The rules of nftables' own tests.
pub(crate) fn sheets(share: &Share, world: &mut World, tally: &mut Tally) -> Result<(), String> {
    let names = ["dummy0", "dummy1", "eth0", "eth1", "bond0", "wan"].map(str::to_owned);
    world.rename(&names)?;
    world.clear()?;
    let sheets = lines::sheets()?;
    for (sheet, _) in sheets
        .iter()
        .zip(0u64..)
        .skip_while(|(_, n)| *n < share.first)
        .take_while(|(_, n)| *n < share.first + share.count)
    {
        let compared = sheet.compare(world)?;
        tally.add("passed", compared.taken + compared.refused);
        tally.add("nft lines/taken by both", compared.taken);
        tally.add("nft lines/refused by both", compared.refused);
        for disagreement in compared.disagreements {
            match disagreement {
                Disagreement::Read { rule, refusal } => {
                    count_read("nft lines", &format!("{}: {rule}", sheet.name), &refusal, tally)
                }
                Disagreement::Unread { rule, reason } => {
                    tally.add("skipped", 1);
                    tally.add("nft lines/loaded but unread", 1);
                    println!("loaded but unread, {}: {rule}: {reason}", sheet.name);
                }
            }
        }
    }
    Ok(())
}
