//! The tables and chains of a listing, each with its place in the text, so that some can be left out.
//!
//! What is left out becomes blanks: what remains stands where it stood.

use serde_json::Value;
use std::ops::Range;
use thiserror::Error;

/// A text is no listing: its parts cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct NotSplit {
    why: String,
}

impl NotSplit {
    /// A text of which no place can be told.
    pub(super) fn too_large() -> Self {
        Self { why: "a listing of 4 GiB or more cannot be read".to_owned() }
    }
}

/// A part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The table: `inet filter` of nftables, `filter` of iptables.
    pub(super) table: String,
    /// The chain, if it is a part of a table: only the notation of iptables has such pieces.
    pub(super) chain: Option<String>,
    /// Where it stands.
    pub(super) at: Range<usize>,
}

impl Piece {
    /// `inet filter`, `filter`, `filter/DOCKER`.
    pub(super) fn name(&self) -> String {
        match &self.chain {
            Some(chain) => format!("{}/{chain}", self.table),
            None => self.table.clone(),
        }
    }
}

/// Which notation a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    Nft,
    Json,
    Iptables,
}

pub(super) fn notation(text: &[u8]) -> Notation {
    let is_table = |line: &[u8]| {
        let name = line.strip_prefix(b"*");
        name.is_some_and(|name| !name.is_empty() && name.trim_ascii_end().iter().all(u8::is_ascii_alphabetic))
    };
    if text.trim_ascii_start().first() == Some(&b'{') {
        Notation::Json
    } else if crate::text::lines(text).any(|(_, line)| is_table(line)) {
        Notation::Iptables
    } else {
        Notation::Nft
    }
}

/// The parts of a text.
pub(super) fn pieces(text: &[u8]) -> Result<Vec<Piece>, NotSplit> {
    match notation(text) {
        Notation::Nft => nft(text),
        Notation::Json => json(text),
        Notation::Iptables => Ok(iptables(text)),
    }
}

/// The text without some of its parts.
pub(super) fn without(text: &[u8], unwanted: impl Fn(&Piece) -> bool) -> Result<Vec<u8>, NotSplit> {
    let mut out = text.to_vec();
    for piece in pieces(text)?.iter().filter(|piece| unwanted(piece)) {
        blank(&mut out, piece.at.clone(), notation(text));
    }
    Ok(out)
}

/// An `iptables-save` text without tables that do nothing, if it has any: they come into being where anybody looks at them,
/// and never go. `filter` stays: that it lets everything pass may be what is meant.
pub(super) fn awake(text: &[u8]) -> Option<Vec<u8>> {
    if notation(text) != Notation::Iptables {
        return None;
    }
    let idle = |piece: &Piece| {
        let lines = text.get(piece.at.clone()).unwrap_or_default();
        piece.chain.is_none() && piece.table != "filter" && !decides(lines)
    };
    iptables(text).iter().any(idle).then(|| without(text, idle).unwrap_or_else(|_| text.to_vec()))
}

fn blank(text: &mut [u8], at: Range<usize>, notation: Notation) {
    /// An item of a listing that says nothing, and is shorter than any that does.
    const NOTHING: &[u8] = b"{\"metainfo\":{}}";
    let part = text.get_mut(at).unwrap_or_default();
    for byte in part.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
    if notation == Notation::Iptables {
        // Blank lines are refused there; comments are not.
        for line in part.split_mut(|byte| *byte == b'\n') {
            if let Some(first) = line.first_mut() {
                *first = b'#';
            }
        }
    }
    if let (Notation::Json, Some(start)) = (notation, part.get_mut(..NOTHING.len())) {
        start.copy_from_slice(NOTHING);
    }
}

/// Whether a listing has a table. What cannot be told apart may have one.
pub(super) fn has_tables(text: &[u8]) -> bool {
    pieces(text).map_or(true, |pieces| !pieces.is_empty())
}

/// Whether an `iptables-save` text does anything: it has a rule, or denies what no rule decides.
pub(super) fn decides(text: &[u8]) -> bool {
    let mut lines = crate::text::lines(text).map(|(_, line)| line.trim_ascii());
    lines.any(|line| match line.first() {
        Some(b':') => {
            line.split(u8::is_ascii_whitespace).nth(1).is_some_and(|policy| !matches!(policy, b"ACCEPT" | b"-"))
        }
        Some(b'#' | b'*') | None => false,
        Some(_) => line != b"COMMIT",
    })
}

/// The blocks of tables in a text for `nft -f`; what is not in one is no piece.
fn nft(text: &[u8]) -> Result<Vec<Piece>, NotSplit> {
    let mut pieces = Vec::new();
    let (mut words, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let end = match byte {
            b'#' => line_end(text, at),
            b'"' => match memchr::memchr(b'"', text.get(at + 1..).unwrap_or_default()) {
                Some(length) => at + length + 2,
                None => return Err(NotSplit { why: "a quotation mark is not closed".to_owned() }),
            },
            b'{' | b'}' | b'\n' | b';' => at + 1,
            b' ' | b'\t' | b'\r' | b'\\' => at + 1,
            _ => {
                let rest = text.get(at..).unwrap_or_default();
                let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'{' | b'}' | b';' | b'"' | b'#');
                at + rest.iter().position(ends).unwrap_or(rest.len())
            }
        };
        let word = text.get(at..end).unwrap_or_default();
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1).ok_or_else(|| NotSplit { why: "a brace was never opened".to_owned() })?;
                if depth == 0 {
                    if let Some(table) = table_of(&words) {
                        pieces.push(Piece { table, chain: None, at: start..end });
                    }
                    words.clear();
                }
            }
            b'\n' | b';' if depth == 0 => words.clear(),
            b' ' | b'\t' | b'\r' | b'\\' | b'\n' | b';' | b'#' => {}
            _ if depth == 0 => {
                if words.is_empty() {
                    start = at;
                }
                words.push(word);
            }
            _ => {}
        }
        at = end;
    }
    match depth {
        0 => Ok(pieces),
        _ => Err(NotSplit { why: "a brace is not closed: the listing is cut short".to_owned() }),
    }
}

/// The table whose block those words begin. A family that is not named is `ip`.
fn table_of(words: &[&[u8]]) -> Option<String> {
    let words = match words {
        [b"add" | b"create", rest @ ..] => rest,
        all => all,
    };
    let text = |word: &[u8]| String::from_utf8_lossy(word).trim_matches('"').to_owned();
    match words {
        [b"table", name] => Some(format!("ip {}", text(name))),
        [b"table", family, name] => Some(format!("{} {}", text(family), text(name))),
        _ => None,
    }
}

fn line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(text.len(), |length| at + length)
}

/// The items of `{"nftables": [ … ]}` that belong to a table.
fn json(text: &[u8]) -> Result<Vec<Piece>, NotSplit> {
    let mut pieces = Vec::new();
    let (mut depth, mut start, mut at) = (0_usize, 0, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(byte) = text.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => {
                if depth == 2 {
                    start = at;
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1).ok_or_else(|| NotSplit { why: "the JSON is damaged".to_owned() })?;
                if depth == 2 {
                    let item = text.get(start..=at).unwrap_or_default();
                    let value = serde_json::from_slice(item);
                    let value: Value = value.map_err(|why| NotSplit { why: format!("the JSON is damaged: {why}") })?;
                    let table = value.as_object().and_then(|item| item.iter().next()).and_then(of_table);
                    pieces.extend(table.map(|table| Piece { table, chain: None, at: start..at + 1 }));
                }
            }
            _ => {}
        }
        at += 1;
    }
    match depth {
        0 => Ok(pieces),
        _ => Err(NotSplit { why: "the JSON is cut short".to_owned() }),
    }
}

fn of_table((kind, item): (&String, &Value)) -> Option<String> {
    let name = item.get(if kind == "table" { "name" } else { "table" })?;
    Some(format!("{} {}", item.get("family")?.as_str()?, name.as_str()?))
}

/// The tables of an `iptables-save` text, and the lines of each chain: its declaration, its rules, and those that lead
/// to it.
fn iptables(text: &[u8]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut table: Option<(String, usize)> = None;
    for (start, line) in crate::text::lines(text) {
        let line_at = start..start + line.len();
        let string = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        match (line.trim_ascii_start().first(), &table) {
            (Some(b'*'), _) => {
                let name = words.next().and_then(|word| word.strip_prefix(b"*")).unwrap_or_default();
                table = Some((string(name), start));
            }
            (Some(b':'), Some((name, _))) => {
                let chain = words.next().and_then(|word| word.strip_prefix(b":")).map(string);
                pieces.push(Piece { table: name.clone(), chain, at: line_at });
            }
            (Some(b'C'), Some((name, from))) if line.trim_ascii() == b"COMMIT" => {
                pieces.push(Piece { table: name.clone(), chain: None, at: *from..line_at.end });
                table = None;
            }
            (Some(b'-' | b'['), Some((name, _))) => {
                let mut words = bare(line).into_iter();
                while let Some(word) = words.next() {
                    if matches!(word, b"-A" | b"--append" | b"-j" | b"--jump" | b"-g" | b"--goto") {
                        let chain = words.next().map(string);
                        pieces.push(Piece { table: name.clone(), chain, at: line_at.clone() });
                    }
                }
            }
            (_, _) => {}
        }
    }
    pieces
}

/// The words of a rule outside of quotation marks: what is quoted is no option, whatever it reads like.
fn bare(line: &[u8]) -> Vec<&[u8]> {
    let (mut words, mut start, mut quoted, mut at) = (Vec::new(), None, false, 0);
    while let Some(byte) = line.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => {
                quoted = !quoted;
                start = None;
            }
            _ if quoted => {}
            b' ' | b'\t' | b'\r' => words.extend(start.take().and_then(|start: usize| line.get(start..at))),
            _ => {
                start.get_or_insert(at);
            }
        }
        at += 1;
    }
    words.extend(start.and_then(|start| line.get(start..)));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        pieces(text.as_bytes()).expect("a listing").iter().map(Piece::name).collect()
    }

    fn left(text: &str, unwanted: &str) -> String {
        let left = without(text.as_bytes(), |piece| piece.name() == unwanted).expect("a listing");
        let text = String::from_utf8(left).expect("text");
        text.lines().map(str::trim_end).filter(|line| !line.is_empty() && *line != "#").collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn tables_of_a_listing_are_told_apart_whatever_braces_their_texts_hold() {
        let text =
            "# Warning: {\ntable ip a {\n\tchain c {\n\t\tlog prefix \"}{\" accept # }\n\t}\n}\ntable inet b {\n}\n";
        assert_eq!(names(text), ["ip a", "inet b"]);
        assert_eq!(left(text, "ip a"), "# Warning: {\ntable inet b {\n}");
        assert_eq!(names("flush ruleset\ndefine x = { 1, 2 }\nadd table y { }\n"), ["ip y"]);
        assert!(pieces(b"table ip a {\n\tchain c {\n\t}\n").is_err(), "a listing that is cut short is none");
    }

    #[test]
    fn items_of_a_json_listing_belong_to_tables() {
        let text = concat!(
            r#"{"nftables": [{"metainfo": {"json_schema_version": 1}}, {"table": {"family": "ip", "name": "a"}}, "#,
            r#"{"chain": {"family": "ip", "table": "a", "name": "]}"}}, {"table": {"family": "inet", "name": "b"}}]}"#
        );
        assert_eq!(names(text), ["ip a", "ip a", "inet b"]);
        let blanked = without(text.as_bytes(), |piece| piece.table == "ip a").expect("a listing");
        assert_eq!(blanked.len(), text.len());
        assert_eq!(names(&String::from_utf8(blanked).expect("text")), ["inet b"]);
        assert!(pieces(&text.as_bytes()[..text.len() - 2]).is_err());
    }

    #[test]
    fn a_table_of_iptables_that_does_nothing_is_none() {
        let filter = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n";
        let idle = "*nat\n:PREROUTING ACCEPT [7:7]\n:X - [0:0]\nCOMMIT\n";
        let some = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j DROP\nCOMMIT\n";
        let awake = |text: &str| awake(text.as_bytes()).map(|text| names(&String::from_utf8(text).expect("text")));
        assert_eq!(awake(&[filter, some].concat()), None);
        let names: Vec<String> = ["filter/INPUT", "filter"].map(str::to_owned).to_vec();
        assert_eq!(awake(&[filter, idle].concat()), Some(names));
        assert_eq!(awake("table ip nat {\n}\n"), None);
    }

    #[test]
    fn a_chain_of_iptables_is_its_declaration_its_rules_and_what_leads_to_it() {
        let text = "*filter\n:INPUT DROP [0:0]\n:F2B - [0:0]\n-A INPUT -p tcp --syn -j F2B\n\
            -A INPUT -m comment --comment \"see -j F2B\" -j ACCEPT\n-A F2B -j RETURN\nCOMMIT\n";
        let ours = "*filter\n:INPUT DROP [0:0]\n-A INPUT -m comment --comment \"see -j F2B\" -j ACCEPT\nCOMMIT";
        assert_eq!(left(text, "filter/F2B"), ours);
        assert_eq!(left(text, "filter"), "");
        assert!(decides(text.as_bytes()) && !decides(b"# x\n*nat\n:PREROUTING ACCEPT [1:2]\n:X - [0:0]\nCOMMIT\n"));
    }
}
