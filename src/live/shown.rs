//! Whether `iptables-save` shows all of what is in force in the tables of iptables: whoever writes there with `nft` can write
//! rules of which it leaves conditions out without a word. So what it shows is restored into a network namespace of its own,
//! and the kernel has to list the same there.

use super::error::NotRead;
use super::host::{Host, Ruleset, is_of_iptables};
use super::pieces;
use super::scratch::Scratch;
use super::tool::Around;
use crate::text::escape;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

/// The lines of each chain of each table; those of a table that are in none stand below an empty name.
type Chains = BTreeMap<(String, String), Vec<String>>;

/// What of the tables of iptables is not shown, in sentences.
pub(super) fn hidden(host: &Host, ruleset: &Ruleset) -> Vec<String> {
    match differing(host, ruleset) {
        Ok(hidden) => hidden,
        Err(why) => vec![format!("whether `iptables-save` shows all that is in force cannot be told: {why}")],
    }
}

fn differing(host: &Host, ruleset: &Ruleset) -> Result<Vec<String>, NotRead> {
    let version = host.answer("iptables-save", &["-V"], "install iptables")?;
    if !String::from_utf8_lossy(&version).contains("nf_tables") {
        return Ok(Vec::new());
    }
    let now = chains(&host.tables()?)?;
    if now.is_empty() {
        return Ok(Vec::new());
    }
    let scratch = Scratch::new()?;
    for file in &ruleset.files {
        let program = if file.path == b"rules.v6" { "ip6tables-restore" } else { "iptables-restore" };
        let held = held(program, &file.bytes)?;
        scratch.host().change(program, &[], Around { held: Some(&held), ..Around::default() })?;
    }
    let again = chains(&scratch.host().tables()?)?;
    let names: BTreeSet<_> = now.keys().chain(again.keys()).collect();
    let none = Vec::new();
    let mut hidden = Vec::new();
    for name @ (table, chain) in names {
        let (now, again) = (now.get(name).unwrap_or(&none), again.get(name).unwrap_or(&none));
        if now == again {
            continue;
        }
        let at = now.iter().zip(again).position(|(now, again)| now != again).unwrap_or(now.len().min(again.len()));
        let said = |lines: &[String]| match lines.get(at) {
            Some(line) => format!("`{}`", escape(line.as_bytes())),
            None => "nothing more".to_owned(),
        };
        hidden.push(format!(
            "`iptables-save` does not show what is in force in `{} {}`: there is {}, and what it shows is {}",
            escape(table.as_bytes()),
            escape(chain.as_bytes()),
            said(now),
            said(again)
        ));
    }
    Ok(hidden)
}

/// The chains of the tables of iptables, without those that do nothing and what is counted.
fn chains(listing: &[u8]) -> Result<Chains, NotRead> {
    let split =
        |why: pieces::NotSplit| NotRead::Incomplete { tool: "nft -s list ruleset".to_owned(), says: why.to_string() };
    let listing = pieces::without(listing, |piece| !is_of_iptables(&piece.table)).map_err(split)?;
    let mut chains = Chains::new();
    let (mut table, mut chain) = (String::new(), String::new());
    for line in String::from_utf8_lossy(&listing).lines() {
        let depth = line.len() - line.trim_start_matches('\t').len();
        let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "counter").collect();
        match words[..] {
            [] | ["}"] if depth < 2 => {}
            [first, ..] if first.starts_with('#') => {}
            ["table", family, name, "{"] if depth == 0 => (table, chain) = (format!("{family} {name}"), String::new()),
            [_, .., "{"] if depth == 1 && words.first() != Some(&"chain") => {
                chain.clear();
                chains.entry((table.clone(), String::new())).or_default().push(words.join(" "));
            }
            ["chain", name, "{"] if depth == 1 => {
                name.clone_into(&mut chain);
                chains.entry((table.clone(), chain.clone())).or_default();
            }
            _ => {
                let chain = if depth > 1 { chain.clone() } else { String::new() };
                chains.entry((table.clone(), chain)).or_default().push(words.join(" "));
            }
        }
    }
    // Chains of the kernel come into being where anybody looks at them.
    let idle =
        |lines: &[String]| matches!(lines, [only] if only.starts_with("type ") && only.ends_with("policy accept;"));
    chains.retain(|_, lines| !idle(lines));
    Ok(chains)
}

/// What a program can read a text from once.
pub(super) fn held(program: &str, text: &[u8]) -> Result<File, NotRead> {
    let (reader, mut writer) = io::pipe().map_err(|why| NotRead::Failed {
        tool: program.to_owned(),
        code: "it was not begun".to_owned(),
        says: why.to_string(),
    })?;
    let text = text.to_vec();
    std::thread::spawn(move || {
        // Whoever reads says itself that it does not read to the end.
        drop(writer.write_all(&text));
    });
    Ok(File::from(OwnedFd::from(reader)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chains_of_the_tables_of_iptables_are_told_apart() {
        let listing = "# Warning: managed\ntable ip filter {\n\tchain INPUT {\n\
            \t\ttype filter hook input priority filter; policy accept;\n\t\ttcp dport 22 counter accept\n\t}\n\n\
            \tchain OUTPUT {\n\t\ttype filter hook output priority filter; policy accept;\n\t}\n\tchain USER {\n\t}\n}\n\
            table inet filter {\n\tchain INPUT {\n\t\taccept\n\t}\n}\ntable ip6 nat {\n\tset s {\n\t\ttype mark\n\t}\n}\n";
        let chains = chains(listing.as_bytes()).expect("a listing");
        let chains: Vec<String> =
            chains.iter().map(|((table, chain), lines)| format!("{table}/{chain}: {}", lines.join(" | "))).collect();
        assert_eq!(
            chains,
            [
                "ip filter/INPUT: type filter hook input priority filter; policy accept; | tcp dport 22 accept",
                "ip filter/USER: ",
                "ip6 nat/: set s { | type mark"
            ]
        );
    }
}
