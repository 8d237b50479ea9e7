//! Whether the reader refuses what `iptables-restore` refuses, and nothing else: real and random rulesets with
//! small damages, loaded with both backends and read.

use crate::compare::Model;
use crate::random::Random;
use crate::rules::Writer;
use crate::world::{Backend, World};
use portcullis::net::Family;

/// What became of one text.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Both take it or both refuse it.
    Agreed,
    /// The reader reports no gap in what neither backend loads; what the tool says.
    ReadButRefused(String),
    /// Both backends load what the reader has a gap for; the reasons.
    LoadedButUnread(String),
    /// The backends differ, or the refusal is about this host (a name, a user, a module): nothing is learnt.
    Unclear,
}

/// A ruleset of one family and what the reader and the tools make of it.
pub(crate) fn judge(world: &mut World, family: Family, rules: &str) -> Verdict {
    let gaps = Model::read(rules).gaps();
    let nft = world.restore(family, Backend::Nft, rules);
    let plausible = World::is_plausible(family, rules);
    // Loading takes time, and is needed only where the two do not agree yet.
    let legacy =
        if nft.is_err() && plausible { world.restore(family, Backend::Legacy, rules).is_ok() } else { plausible };
    match (nft, legacy, gaps.first()) {
        (Ok(()), true, None) | (Err(_), false, Some(_)) => Verdict::Agreed,
        (Err(nft), false, None) if is_about_host(&nft) => Verdict::Unclear,
        (Err(nft), false, None) => Verdict::ReadButRefused(nft),
        (Ok(()), true, Some((place, reason, text))) => {
            Verdict::LoadedButUnread(format!("line {}: {reason}: {text}", place.line))
        }
        (Ok(()), false, _) | (Err(_), true, _) => Verdict::Unclear,
    }
}

fn is_about_host(message: &str) -> bool {
    ["not found", "owner", "Set ", "set ", "No such file or directory", "Operation not supported"]
        .iter()
        .any(|part| message.contains(part))
}

/// A small ruleset to damage: a random one, or some neighbouring rules of a real one with the chains they need.
pub(crate) fn original(random: &mut Random, family: Family, corpus: &[String]) -> String {
    if corpus.is_empty() || random.chance(40) {
        let names = ["eth0", "eth1", "br-lan"].map(str::to_owned);
        return Writer::new(random, family, true, &names).ruleset();
    }
    let text = random.pick(corpus).clone();
    if text.lines().count() < 60 {
        return text;
    }
    let rules: Vec<_> = text.lines().enumerate().filter(|(_, line)| line.contains("-A ")).map(|(n, _)| n).collect();
    if rules.is_empty() {
        return text;
    }
    let start = *random.pick(&rules);
    let kept = text.lines().enumerate().filter(|(n, line)| !line.contains("-A ") || (start..start + 12).contains(n));
    kept.flat_map(|(_, line)| [line, "\n"]).collect()
}

/// The text with one to three damages.
pub(crate) fn damaged(random: &mut Random, rules: &str) -> String {
    let mut text = rules.to_owned();
    for _ in 0..=random.below(3) {
        text = damage(random, &text);
    }
    text
}

fn damage(random: &mut Random, rules: &str) -> String {
    let mut lines: Vec<String> = rules.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return rules.to_owned();
    }
    let at = random.below(lines.len());
    match random.below(12) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let other = random.below(lines.len());
            lines.swap(at, other);
        }
        3 => lines[at] = lines[at].chars().take(random.below(lines[at].len() + 1)).collect(),
        _ => {
            let mut words: Vec<String> = lines[at].split(' ').map(str::to_owned).collect();
            let other: Vec<&str> = rules.split_ascii_whitespace().collect();
            damage_words(random, &mut words, &other);
            lines[at] = words.join(" ");
        }
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn damage_words(random: &mut Random, words: &mut Vec<String>, other: &[&str]) {
    const STRAY: [&str; 14] =
        ["!", "-m", "-j", "", "0", "65536", "tcp", "all", "\"", "NEW", "-p", "256", "10.0.0.0/33", "1,2"];
    let at = random.below(words.len());
    match random.below(7) {
        0 => drop(words.remove(at)),
        1 => words.insert(at, words[at].clone()),
        2 => words.insert(at, (*random.pick(&STRAY)).to_owned()),
        3 => words[at] = (*random.pick(&STRAY)).to_owned(),
        4 if !other.is_empty() => words[at] = (*random.pick(other)).to_owned(),
        5 => {
            let with = random.below(words.len());
            words.swap(at, with);
        }
        _ => {
            let mut letters: Vec<char> = words[at].chars().collect();
            if letters.is_empty() {
                return;
            }
            let letter = random.below(letters.len());
            match random.below(3) {
                0 => drop(letters.remove(letter)),
                1 => letters[letter] = *random.pick(&['0', '9', '/', ':', ',', '-', '+', '!', 'x', '.']),
                _ => letters.insert(letter, letters[letter]),
            }
            words[at] = letters.into_iter().collect();
        }
    }
}
