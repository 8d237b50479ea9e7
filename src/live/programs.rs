//! Whether `nft list ruleset` says what the kernel does. It leaves out tests that it takes for implied (of the family before
//! `icmp type`, of Ethernet before `ip daddr`), and writes some comparisons in the words of others (`ct state == new|established`).
//! So what it lists is loaded into a network namespace of its own, and the kernel has to run the same programs there.

use super::error::NotRead;
use super::host::{Host, Ruleset, is_of_iptables};
use super::pieces;
use super::scratch::Scratch;
use super::shown::{chains, held, incomplete};
use super::tool::Around;
use crate::text::escape;
use std::collections::{BTreeMap, BTreeSet};

/// A rule, as the kernel runs it: one instruction a line.
type Program = Vec<String>;
/// The programs of each chain of each table.
type Programs = BTreeMap<(String, String), Vec<Program>>;

/// What rules do that their listing does not say, in sentences.
pub(super) fn hidden(host: &Host, ruleset: &Ruleset) -> Vec<String> {
    match differing(host, ruleset) {
        Ok(hidden) => hidden,
        Err(why) => vec![format!("whether `nft list ruleset` says all that rules do cannot be told: {why}")],
    }
}

fn differing(host: &Host, ruleset: &Ruleset) -> Result<Vec<String>, NotRead> {
    if ruleset.files.is_empty() {
        return Ok(Vec::new());
    }
    // What sets hold is in no program.
    let listing = host.answer("nft", &["-s", "-t", "list", "ruleset"], "install nftables")?;
    let mut now = programs(host)?;
    // Extensions of iptables cannot be loaded by nft. (Its tables are shown by `iptables-save`.)
    let foreign =
        |program: &Program| program.iter().any(|line| line.starts_with("[ match ") || line.starts_with("[ target "));
    let with: BTreeSet<String> =
        now.iter().filter(|(_, programs)| programs.iter().any(foreign)).map(|((table, _), _)| table.clone()).collect();
    let mut hidden: Vec<String> = with
        .iter()
        .filter(|table| !is_of_iptables(table))
        .map(|table| {
            let table = escape(table.as_bytes());
            format!("whether the listing of `{table}` says all that its rules do cannot be told: it has extensions of iptables")
        })
        .collect();
    now.retain(|(table, _), _| !with.contains(table));
    let listing = pieces::without(&listing, |piece| with.contains(&piece.table)).map_err(|why| incomplete(&why))?;
    let listed = chains(&listing, |_| true)?;
    let scratch = Scratch::like(host, &[&listing])?;
    let text = unowned(&listing);
    scratch.host().change("nft", &["-f", "-"], Around { held: Some(&held("nft", &text)?), ..Around::default() })?;
    let again = programs(scratch.host())?;
    let none = Vec::new();
    for (place @ (table, chain), lines) in &listed {
        let is_rule = |line: &&String| !line.starts_with("type ") && !line.starts_with("comment ");
        let rules: Vec<&String> = lines.iter().filter(is_rule).collect();
        if !chain.is_empty() && !rules.is_empty() && !now.contains_key(place) {
            let says = format!("the programs of `{table} {chain}` are not shown");
            return Err(NotRead::Incomplete { tool: LIST.join(" "), says });
        }
    }
    let places: BTreeSet<_> = now.keys().chain(again.keys()).collect();
    for place @ (table, chain) in places {
        let (now, again) = (now.get(place).unwrap_or(&none), again.get(place).unwrap_or(&none));
        if now == again {
            continue;
        }
        let at = now.iter().zip(again).position(|(now, again)| now != again).unwrap_or(now.len().min(again.len()));
        let rules = listed.get(place).map(|lines| lines.iter().filter(|line| !line.starts_with("type ")));
        let rules: Vec<&String> = rules.into_iter().flatten().filter(|line| !line.starts_with("comment ")).collect();
        let text = rules
            .get(at)
            .filter(|_| rules.len() == now.len())
            .map(|text| format!(", listed as `{}`,", escape(text.as_bytes())));
        let (table, chain) = (escape(table.as_bytes()), escape(chain.as_bytes()));
        let (number, text) = (at + 1, text.unwrap_or_default());
        hidden.push(format!("rule {number} of `{table} {chain}`{text} does something else than its listing says"));
    }
    Ok(hidden)
}

/// What shows the programs.
const LIST: [&str; 5] = ["nft", "-t", "--debug=netlink", "list", "ruleset"];

fn programs(host: &Host) -> Result<Programs, NotRead> {
    let [program, arguments @ ..] = LIST;
    Ok(read(&host.answer(program, &arguments, "install nftables")?))
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
    fn a_table_that_a_process_owns_is_loaded_as_one_of_nobody() {
        let text = b"table inet t {\n\tflags owner\n\n\tset s {\n\t\tflags interval\n\t}\n}\ntable ip x {\n\tflags dormant,owner\n}\n";
        let expected = b"table inet t {\n\n\n\tset s {\n\t\tflags interval\n\t}\n}\ntable ip x {\n\tflags dormant\n}\n";
        assert_eq!(unowned(text), expected);
    }
}
