//! Whether `nft list ruleset` says what the kernel does. It leaves out tests that it takes for implied (of the family before
//! `icmp type`, of Ethernet before `ip daddr`), and writes some comparisons in the words of others (`ct state == new|established`).
//! So what it lists is loaded into a network namespace of its own, and the kernel has to run the same programs there; where it
//! does not, other words are tried.

use super::error::NotRead;
use super::host::{Host, Ruleset, is_of_iptables};
use super::pieces;
use super::scratch::Scratch;
use super::shown::held;
use super::tool::Around;
use crate::text::escape;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A rule, as the kernel runs it: one instruction a line.
type Program = Vec<String>;
/// A table and a chain.
type Place = (String, String);
/// The programs of each chain.
type Programs = BTreeMap<Place, Vec<Program>>;
/// Some rules, by chain and number.
type Wrong = BTreeSet<(Place, usize)>;

/// Puts rules whose listing does not say what they do into other words that do, as far as such are known; what the rest is,
/// in sentences.
pub(super) fn reworded(host: &Host, ruleset: &mut Ruleset) -> Vec<String> {
    match differing(host, ruleset) {
        Ok(hidden) => hidden,
        Err(why) => vec![format!("whether `nft list ruleset` says all that rules do cannot be told: {why}")],
    }
}

fn differing(host: &Host, ruleset: &mut Ruleset) -> Result<Vec<String>, NotRead> {
    let Some(file) = ruleset.files.first_mut() else { return Ok(Vec::new()) };
    let mut now = programs(host)?;
    // Extensions of iptables cannot be loaded by nft. (Its own tables are shown by `iptables-save`.)
    let is_extension = |line: &String| line.starts_with("[ match ") || line.starts_with("[ target ");
    let extended = now.iter().filter(|(_, programs)| programs.iter().flatten().any(is_extension));
    let extended: BTreeSet<String> = extended.map(|((table, _), _)| table.clone()).collect();
    let of_others = extended.iter().filter(|table| !is_of_iptables(table)).map(|table| {
        let table = escape(table.as_bytes());
        format!("whether the listing of `{table}` says all that its rules do cannot be told: they use extensions of iptables")
    });
    let mut hidden: Vec<String> = of_others.collect();
    now.retain(|(table, _), _| !extended.contains(table));
    // What sets hold is in no program.
    let listing = host.answer("nft", &["-s", "-t", "list", "ruleset"], INSTALL)?;
    let incomplete = |says: String| NotRead::Incomplete { tool: LIST.join(" "), says };
    let listing = pieces::without(&listing, |piece| extended.contains(&piece.table));
    let listing = listing.map_err(|why| incomplete(why.to_string()))?;
    let listed = rules(&listing);
    if let Some(((table, chain), _)) = listed.iter().find(|(place, _)| !now.contains_key(place)) {
        return Err(incomplete(format!("the programs of `{table} {chain}` are not shown")));
    }
    let wrong = wrong(&now, &loaded(host, &listing)?);
    if wrong.is_empty() {
        return Ok(hidden);
    }
    // A rule that has other rules in it is not one line.
    let is_line = |place: &Place| listed.get(place).map(Vec::len) == now.get(place).map(Vec::len);
    let lines: Wrong = wrong.iter().filter(|(place, _)| is_line(place)).cloned().collect();
    let still = match loaded(host, &in_other_words(&listing, &lines)) {
        Ok(again) => self::wrong(&now, &again),
        // Some of them have no other words.
        Err(_) => wrong.clone(),
    };
    file.bytes = in_other_words(&file.bytes, &lines.difference(&still).cloned().collect());
    for (place, number) in still {
        let text =
            listed.get(&place).filter(|_| is_line(&place)).and_then(|rules| listing.get(rules.get(number)?.clone()));
        let text = text.map_or_else(String::new, |text| format!(", listed as `{}`,", escape(text)));
        let (table, chain) = (escape(place.0.as_bytes()), escape(place.1.as_bytes()));
        let number = number + 1;
        hidden.push(format!("rule {number} of `{table} {chain}`{text} does something else than its listing says"));
    }
    Ok(hidden)
}

/// What the kernel runs where a listing is loaded.
fn loaded(host: &Host, listing: &[u8]) -> Result<Programs, NotRead> {
    let scratch = Scratch::like(host, &[listing])?;
    let held = held("nft", &unowned(listing))?;
    scratch.host().change("nft", &["-f", "-"], Around { held: Some(&held), ..Around::default() })?;
    programs(scratch.host())
}

/// The rules that differ, by chain and number.
fn wrong(now: &Programs, again: &Programs) -> Wrong {
    let none = Vec::new();
    let places: BTreeSet<&Place> = now.keys().chain(again.keys()).collect();
    let mut wrong = Wrong::new();
    for place in places {
        let (now, again) = (now.get(place).unwrap_or(&none), again.get(place).unwrap_or(&none));
        let numbers = (0..now.len().max(again.len())).filter(|number| now.get(*number) != again.get(*number));
        wrong.extend(numbers.map(|number| (place.clone(), number)));
    }
    wrong
}

/// Where the rules of each chain stand in a listing; chains without any are left out.
fn rules(listing: &[u8]) -> BTreeMap<Place, Vec<Range<usize>>> {
    let mut rules: BTreeMap<Place, Vec<Range<usize>>> = BTreeMap::new();
    let (mut table, mut chain) = (String::new(), None);
    for (start, line) in crate::text::lines(listing) {
        let depth = line.iter().take_while(|byte| **byte == b'\t').count();
        let text = String::from_utf8_lossy(line).into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        match (depth, words.as_slice()) {
            (0, ["table", family, name, "{"]) => table = format!("{family} {name}"),
            (1, ["chain", name, "{"]) => chain = Some((table.clone(), (*name).to_owned())),
            (0 | 1, _) => chain = None,
            (_, [] | ["}" | "type" | "comment", ..]) => {}
            (_, _) => {
                if let Some(place) = &chain {
                    rules.entry(place.clone()).or_default().push(start + depth..start + line.len());
                }
            }
        }
    }
    rules
}

/// A listing in which some rules are in words that say more: which protocol is meant whatever the family, that all of a state is
/// compared, or that the frame is looked at.
fn in_other_words(listing: &[u8], which: &Wrong) -> Vec<u8> {
    let places = rules(listing);
    let rules = which.iter().filter_map(|(place, number)| places.get(place)?.get(*number).cloned());
    let mut rules: Vec<Range<usize>> = rules.collect();
    rules.sort_unstable_by_key(|at| at.start);
    let (mut out, mut done) = (Vec::with_capacity(listing.len()), 0);
    for at in rules {
        out.extend_from_slice(listing.get(done..at.start).unwrap_or_default());
        let rule = listing.get(at.clone()).unwrap_or_default();
        // What is quoted is no condition.
        let bare = rule.split(|byte| *byte == b'"').next().unwrap_or_default();
        let place = |word: &[u8]| {
            let starts = |start: &usize| *start == 0 || bare.get(start - 1) == Some(&b' ');
            memchr::memmem::find_iter(bare, word).find(starts)
        };
        let is_alternative = memchr::memmem::find(bare, b" | ").is_some();
        let (start, words): (usize, &[u8]) = match (place(b"icmp "), place(b"icmpv6 "), place(b"ct state ")) {
            (_, _, Some(start)) if is_alternative => (start + b"ct state ".len(), b"== "),
            (Some(start), _, _) => (start, b"meta l4proto icmp "),
            (None, Some(start), _) => (start, b"meta l4proto ipv6-icmp "),
            (None, None, _) if place(b"ip6 ").is_some() => (0, b"ether type ip6 "),
            (None, None, _) => (0, b"ether type ip "),
        };
        out.extend_from_slice(rule.get(..start).unwrap_or_default());
        out.extend_from_slice(words);
        out.extend_from_slice(rule.get(start..).unwrap_or_default());
        done = at.end;
    }
    out.extend_from_slice(listing.get(done..).unwrap_or_default());
    out
}

/// What shows the programs.
const LIST: [&str; 5] = ["nft", "-t", "--debug=netlink", "list", "ruleset"];
const INSTALL: &str = "install nftables";

fn programs(host: &Host) -> Result<Programs, NotRead> {
    let [program, arguments @ ..] = LIST;
    Ok(read(&host.answer(program, &arguments, INSTALL)?))
}

/// Reads `family table chain handle …`, below it the instructions, and so on; the listing that follows is passed over.
fn read(answer: &[u8]) -> Programs {
    const FAMILIES: [&str; 6] = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];
    let mut programs = Programs::new();
    let mut place = None;
    for line in String::from_utf8_lossy(answer).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["[", ..] if line.starts_with("  [ ") => {
                let of = place.as_ref().and_then(|place| programs.get_mut(place));
                if let Some(program) = of.and_then(|programs: &mut Vec<Program>| programs.last_mut()) {
                    program.push(instruction(&words));
                }
            }
            [family, table, chain, ..] if FAMILIES.contains(family) && line.starts_with(family) => {
                place = (!chain.starts_with('@')).then(|| (format!("{family} {table}"), unnumbered(chain)));
                if let Some(place) = &place {
                    programs.entry(place.clone()).or_default().push(Program::new());
                }
            }
            _ => {}
        }
    }
    // Chains without a name are in the order in which they were made.
    for (_, programs) in programs.iter_mut().filter(|((_, chain), _)| chain.starts_with("__chain")) {
        programs.sort_unstable();
    }
    programs
}

/// An instruction without what is counted.
fn instruction(words: &[&str]) -> String {
    if let ["[", what @ ("counter" | "last"), ..] = words {
        return format!("[ {what} ]");
    }
    let mut out = Vec::with_capacity(words.len());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "consumed" {
            words.next();
        } else {
            out.push(unnumbered(word));
        }
    }
    out.join(" ")
}

/// The names that the kernel gives have numbers, which say nothing.
fn unnumbered(word: &str) -> String {
    let names = ["__set", "__map", "__chain"];
    let given = names
        .into_iter()
        .find(|name| word.strip_prefix(name).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())));
    given.unwrap_or(word).to_owned()
}

/// A table that belongs to a process is gone with it: so it is loaded as one of nobody.
fn unowned(listing: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(listing.len());
    for line in listing.split_inclusive(|byte| *byte == b'\n') {
        let owned = line.starts_with(b"\tflags ") && memchr::memmem::find(line, b"owner").is_some();
        match owned {
            false => out.extend_from_slice(line),
            true if memchr::memmem::find(line, b"dormant").is_some() => out.extend_from_slice(b"\tflags dormant\n"),
            true => out.push(b'\n'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_apart_whatever_is_counted_and_numbered() {
        let answer = |set: &str, counted: &str, consumed: &str| {
            format!(
                "inet t @{set}\n\telement 00001600  : 0 [end]\ninet t c 5\n  [ lookup reg 1 set {set} 0x0 ]\n  [ counter pkts {counted} \
                 bytes 1 ]\n  userdata = {{ x }}\n\ninet t c 6 5\n  [ quota bytes 5 consumed {consumed} flags 1 ]\n\ninet t __chain7 9\n\
                 \x20 [ immediate reg 0 drop ]\n\ntable inet t {{\n\tchain c {{\n\t}}\n}}\n"
            )
        };
        let one = read(answer("__set0", "1", "2").as_bytes());
        assert_eq!(one, read(answer("__set3", "7", "9").as_bytes()));
        let shown: Vec<String> = one
            .iter()
            .map(|((table, chain), programs)| {
                let programs: Vec<String> = programs.iter().map(|program| program.join(" ")).collect();
                format!("{table} {chain}: {}", programs.join(" | "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "inet t __chain: [ immediate reg 0 drop ]",
                "inet t c: [ lookup reg 1 set __set 0x0 ] [ counter ] | [ quota bytes 5 flags 1 ]"
            ]
        );
    }

    #[test]
    fn rules_are_put_into_other_words() {
        let listing = "table inet t {\n\tset s {\n\t\ttype mark\n\t}\n\n\tchain c {\n\t\ttype filter hook input priority filter; \
            policy drop;\n\t\tlog prefix \"icmp \" ip saddr 10.0.0.1 accept\n\t\ttcp dport 1 accept\n\t\ticmp type echo-request \
            accept\n\t\tct state established | new accept\n\t}\n}\n";
        let place = ("inet t".to_owned(), "c".to_owned());
        let which = [0, 2, 3].map(|number| (place.clone(), number)).into_iter().collect();
        let expected = listing
            .replace("log prefix", "ether type ip log prefix")
            .replace("icmp type", "meta l4proto icmp icmp type")
            .replace("established |", "== established |");
        assert_eq!(String::from_utf8(in_other_words(listing.as_bytes(), &which)).expect("text"), expected);
    }

    #[test]
    fn a_table_that_a_process_owns_is_loaded_as_one_of_nobody() {
        let text = b"table inet t {\n\tflags owner\n\n\tset s {\n\t\tflags interval\n\t}\n}\ntable ip x {\n\tflags dormant,owner\n}\n";
        let expected = b"table inet t {\n\n\n\tset s {\n\t\tflags interval\n\t}\n}\ntable ip x {\n\tflags dormant\n}\n";
        assert_eq!(unowned(text), expected);
    }
}
