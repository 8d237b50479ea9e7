//! Whether the reader refuses what `nft` refuses, and nothing else.

use crate::compare::Model;
use crate::random::Random;
use crate::world::World;

/// What became of one text.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Both take it.
    Taken,
    /// Both refuse it.
    Refused,
    /// The reader has no gap in what `nft` does not load.
    Read(Refusal),
    /// `nft` loads what the reader has a gap for.
    Unread(String),
}

/// Why `nft` refuses something.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What a checker without the host cannot know; `None`: it could.
    pub(crate) unknowable: Option<&'static str>,
    /// What `nft` says first, without places.
    pub(crate) message: String,
    /// The line it is about.
    pub(crate) line: String,
}

impl Refusal {
    pub(crate) fn of(message: &str, rules: &str) -> Self {
        let (place, said) = message.split_once("Error: ").unwrap_or(("", message));
        let said = said.lines().next().unwrap_or_default();
        let line = place.rsplit(':').nth(2).and_then(|line| line.parse::<usize>().ok());
        let line = line.and_then(|line| rules.lines().nth(line.checked_sub(1)?)).unwrap_or_default().trim().to_owned();
        Self { unknowable: unknowable(said, &line), message: said.to_owned(), line }
    }
}

/// What of the host or of the version decides, if the text alone does not.
fn unknowable(said: &str, line: &str) -> Option<&'static str> {
    let flow = line.contains("flow") || line.contains("hook ingress");
    Some(match said {
        _ if said.contains("Interface does not exist") => "interfaces of the host",
        _ if said.contains("Could not resolve hostname") => "name resolution",
        _ if said.contains("User does not exist") || said.contains("Group does not exist") => "users of the host",
        _ if said.contains("No such file or directory") && line.contains("include") => "included files of the host",
        _ if said.contains("No such file or directory") && flow => "flow tables, which this kernel lacks",
        _ if said.contains("No such file or directory") && line.contains("queue") => "queues, which this kernel lacks",
        _ if said.contains("No such file or directory") && line.contains("secmark") => {
            "security labels, which this kernel lacks"
        }
        _ if said.contains("Assertion") => "a crash of nft",
        _ if said.contains("invalid priority expression") && (line.contains("dstnat") || line.contains("srcnat")) => {
            "priorities that only a newer nft takes"
        }
        // Newer ones write any number into a mark.
        _ if said.starts_with("datatype mismatch: expected packet mark") => "words that only a newer nft takes",
        _ if line.starts_with("gre ")
            || NEWER.iter().any(|word| line.split_ascii_whitespace().any(|other| other == *word)) =>
        {
            "words that only a newer nft takes"
        }
        _ => return None,
    })
}

/// Words that nft 1.0.6 does not know, and what is said of tunnels.
const NEWER: [&str; 7] = ["destroy", "last", "geneve", "vxlan", "gretap", "broute", "option"];

pub(crate) fn judge(world: &mut World, rules: &str) -> Verdict {
    let gaps = Model::read(rules, "nftables").gaps();
    match (world.would_load(rules), gaps.first()) {
        (Ok(()), None) => Verdict::Taken,
        (Err(_), Some(_)) => Verdict::Refused,
        (Err(message), None) => {
            let mut refusal = Refusal::of(&message, rules);
            if ["flush chain", "flush table", "delete chain", "delete table"].iter().any(|part| rules.contains(part)) {
                refusal.unknowable.get_or_insert("what is perhaps taken away again, which is not judged");
            }
            Verdict::Read(refusal)
        }
        (Ok(()), Some((place, reason, text))) => {
            let text = text.chars().take(120).collect::<String>();
            Verdict::Unread(format!("line {}: {reason}: {text}", place.line))
        }
    }
}

/// The text with one to three damages.
pub(crate) fn damaged(random: &mut Random, rules: &str) -> String {
    let mut text = rules.to_owned();
    // Mostly one: what is damaged often is refused anyway.
    for _ in 0..1 + random.below(4) / 2 {
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
    match random.below(16) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let other = random.below(lines.len());
            lines.swap(at, other);
        }
        3 => lines[at] = lines[at].chars().take(random.below(lines[at].len() + 1)).collect(),
        _ => {
            // Most lines are blank, braces or comments.
            let full: Vec<usize> =
                (0..lines.len()).filter(|n| lines[*n].trim().len() > 4 && !lines[*n].trim().starts_with('#')).collect();
            let at = if full.is_empty() { at } else { *random.pick(&full) };
            let mut words: Vec<String> = lines[at].split(' ').map(str::to_owned).collect();
            let other: Vec<&str> = rules.split_ascii_whitespace().collect();
            damage_words(random, &mut words, &other);
            lines[at] = words.join(" ");
        }
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn damage_words(random: &mut Random, words: &mut Vec<String>, other: &[&str]) {
    const STRAY: [&str; 34] = [
        "!=",
        "{",
        "}",
        ";",
        ",",
        "",
        "0",
        "65536",
        "tcp",
        "udp",
        "accept",
        "drop",
        "\"",
        "new",
        "ip",
        "ip6",
        "256",
        "10.0.0.0/33",
        "1-2",
        "2-1",
        "@x",
        "$x",
        "jump",
        "==",
        "vmap",
        ":",
        ".",
        "&",
        "policy",
        "0x10",
        "::1",
        "established",
        "counter",
        "saddr",
    ];
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
                1 => letters[letter] = *random.pick(&['0', '9', '/', ':', ',', '-', '+', '!', 'x', '.', '{', ';']),
                _ => letters.insert(letter, letters[letter]),
            }
            words[at] = letters.into_iter().collect();
        }
    }
}
