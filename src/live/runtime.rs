//! What packets have put into sets: the elements of those that rules of the expected ruleset add to. They are no part of a
//! ruleset, and no difference.

use super::pieces::{self, Notation};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;

/// The sets that rules add to: the table, if it is known, and the name.
#[derive(Debug, Default)]
pub(super) struct Filled(BTreeSet<(Option<String>, String)>);

/// A listing without the elements that packets have put into sets, and the names of those sets.
pub(super) type Settled = (Vec<u8>, BTreeSet<String>);

impl Filled {
    /// Those to which any of these texts adds. One whose parts cannot be told apart adds to none, which makes more a
    /// difference and not less.
    pub(super) fn by<'t>(texts: impl Iterator<Item = &'t [u8]>) -> Self {
        let mut filled = Self::default();
        for text in texts {
            match pieces::notation(text) {
                Notation::Iptables => {}
                Notation::Nft => {
                    for piece in pieces::pieces(text).unwrap_or_default() {
                        filled.nft(text.get(piece.at).unwrap_or_default(), Some(&piece.table));
                    }
                    filled.nft(&pieces::without(text, |_| true).unwrap_or_default(), None);
                }
                Notation::Json => {
                    for piece in pieces::pieces(text).unwrap_or_default() {
                        let item = serde_json::from_slice(text.get(piece.at).unwrap_or_default());
                        filled.json(&item.unwrap_or_default(), &piece.table);
                    }
                }
            }
        }
        filled
    }

    fn nft(&mut self, text: &[u8], table: Option<&str>) {
        let words = words(text);
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        let mut of = table.map(str::to_owned);
        for at in 0..words.len() {
            if table.is_none() && matches!(word(at), "add" | "insert" | "replace" | "create") && word(at + 1) == "rule"
            {
                let family = matches!(word(at + 2), "ip" | "ip6" | "inet" | "arp" | "bridge" | "netdev");
                of = Some(if family {
                    format!("{} {}", word(at + 2), word(at + 3))
                } else {
                    format!("ip {}", word(at + 2))
                });
            }
            let name = match word(at) {
                "add" | "update" => word(at + 1).strip_prefix('@').map(str::to_owned).or_else(|| {
                    // `set add ip saddr @seen`, as it was written once.
                    let older = at.checked_sub(1).is_some_and(|before| word(before) == "set");
                    let name = words.get(at + 1..)?.iter().find_map(|word| word.strip_prefix('@'));
                    name.filter(|_| older).map(str::to_owned)
                }),
                "meter" | "flow" if word(at + 1) != "table" => Some(word(at + 1).to_owned()),
                _ => None,
            };
            self.0.extend(name.filter(|name| !name.is_empty()).map(|name| (of.clone(), name)));
        }
    }

    fn json(&mut self, item: &Value, table: &str) {
        match item {
            Value::Array(items) => items.iter().for_each(|item| self.json(item, table)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    let adds = value.get("op").and_then(Value::as_str).is_some_and(|op| matches!(op, "add" | "update"));
                    let name = match key.as_str() {
                        "set" | "map" if adds => value.get(key).and_then(Value::as_str),
                        "meter" => value.get("name").and_then(Value::as_str),
                        _ => None,
                    };
                    let name = name.map(|name| name.trim_start_matches('@').to_owned());
                    self.0.extend(name.map(|name| (Some(table.to_owned()), name)));
                    self.json(value, table);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn holds(&self, table: &str, name: &str) -> bool {
        self.0.iter().any(|(of, filled)| filled == name && of.as_deref().is_none_or(|of| of == table))
    }

    /// A listing without what packets have put into these sets. Elements of which `expected` says that somebody expects
    /// them stay.
    pub(super) fn settled(&self, text: &[u8], expected: impl Fn(&[u8]) -> bool) -> Settled {
        if self.0.is_empty() {
            return (text.to_vec(), BTreeSet::new());
        }
        match pieces::notation(text) {
            Notation::Iptables => (text.to_vec(), BTreeSet::new()),
            Notation::Nft => self.settled_nft(text, expected),
            Notation::Json => self.settled_json(text, expected),
        }
    }

    fn settled_nft(&self, text: &[u8], expected: impl Fn(&[u8]) -> bool) -> Settled {
        let (mut out, mut names) = (Vec::with_capacity(text.len()), BTreeSet::new());
        let (mut at, mut table, mut set) = (0, String::new(), None);
        while at < text.len() {
            let end =
                memchr::memchr(b'\n', text.get(at..).unwrap_or_default()).map_or(text.len(), |length| at + length);
            let line = text.get(at..end).unwrap_or_default().trim_ascii();
            let words = line.split(u8::is_ascii_whitespace).map(String::from_utf8_lossy).collect::<Vec<_>>();
            match words.iter().map(|word| &**word).collect::<Vec<_>>()[..] {
                ["table", family, name, "{"] => (table, set) = (format!("{family} {name}"), None),
                ["set" | "map" | "meter", name, "{"] => set = self.holds(&table, name).then(|| name.to_owned()),
                ["chain", ..] => set = None,
                ["elements", "=", "{", ..] if set.is_some() => {
                    let body = at + memchr::memchr(b'{', text.get(at..).unwrap_or_default()).unwrap_or(0) + 1;
                    let elements = elements(text, body);
                    let close = elements.last().map_or(body, |range| range.end);
                    let kept = elements.iter().filter_map(|range| text.get(range.clone())).map(<[u8]>::trim_ascii);
                    let kept: Vec<&[u8]> = kept.filter(|element| expected(key(element))).collect();
                    if kept.len() < elements.len() {
                        names.extend(set.as_ref().map(|set| format!("{table} {set}")));
                    }
                    if !kept.is_empty() {
                        out.extend([b"elements = { ", kept.join(&b", "[..]).as_slice(), b" }"].concat());
                    }
                    // Whatever follows stands on the line on which it stood.
                    let gone = text.get(at..close).unwrap_or_default();
                    out.extend(gone.iter().filter(|byte| **byte == b'\n'));
                    at = close + 1;
                    continue;
                }
                _ => {}
            }
            out.extend(text.get(at..=end).or_else(|| text.get(at..)).unwrap_or_default());
            at = end + 1;
        }
        (out, names)
    }

    fn settled_json(&self, text: &[u8], expected: impl Fn(&[u8]) -> bool) -> Settled {
        let (mut out, mut names) = (text.to_vec(), BTreeSet::new());
        // What is damaged stays, and is refused by whoever reads it.
        for piece in pieces::pieces(text).unwrap_or_default() {
            let item = text.get(piece.at.clone()).unwrap_or_default();
            let value: Value = serde_json::from_slice(item).unwrap_or_default();
            let set = ["set", "map", "meter"].into_iter().find_map(|kind| value.get(kind));
            let Some(name) = set.and_then(|set| set.get("name")).and_then(Value::as_str) else { continue };
            let filled = self.holds(&piece.table, name);
            let Some(elements) = set.and_then(|set| set.get("elem")).and_then(Value::as_array).filter(|_| filled)
            else {
                continue;
            };
            let Some(list) = list_of(item) else { continue };
            let kept: Vec<String> =
                elements.iter().filter(|element| named(element, &expected)).map(Value::to_string).collect();
            let all = kept.len() == elements.len();
            let kept = format!("[{}]", kept.join(","));
            let list = piece.at.start + list.start..piece.at.start + list.end;
            let Some(place) = out.get_mut(list).filter(|place| place.len() >= kept.len()) else { continue };
            if all {
                continue;
            }
            names.insert(format!("{} {name}", piece.table));
            // Whatever follows stands where it stood.
            place.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            place.iter_mut().zip(kept.bytes()).for_each(|(byte, kept)| *byte = kept);
        }
        (out, names)
    }
}

/// Where the list of elements is in an item of a listing in JSON.
fn list_of(item: &[u8]) -> Option<Range<usize>> {
    let (mut depth, mut at, mut start, mut key) = (0_usize, 0, None, false);
    while let Some(byte) = item.get(at) {
        match byte {
            b'"' => {
                let from = at;
                at += 1;
                while let Some(byte) = item.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                key = depth == 2 && item.get(from..=at) == Some(b"\"elem\"");
            }
            b'{' | b'[' => {
                if depth == 2 && key && *byte == b'[' {
                    start = Some(at);
                }
                (depth, key) = (depth + 1, false);
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if let Some(start) = start.filter(|_| depth == 2) {
                    return Some(start..at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether an element in JSON is one that somebody expects: everything that says which one it is.
fn named(element: &Value, expected: &impl Fn(&[u8]) -> bool) -> bool {
    match element {
        Value::Object(fields) => match fields.get("elem").and_then(|element| element.get("val")) {
            Some(value) => named(value, expected),
            None => fields.values().all(|value| named(value, expected)),
        },
        // Of a map, the key says it.
        Value::Array(parts) => parts.iter().all(|part| named(part, expected)),
        Value::String(text) => expected(text.as_bytes()),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => expected(other.to_string().as_bytes()),
    }
}

/// The words of a text for `nft -f`, without comments and what is quoted.
fn words(text: &[u8]) -> Vec<String> {
    let (mut words, mut at) = (Vec::new(), 0);
    let ends =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'{' | b'}' | b';' | b'"' | b'#' | b'\\' | b',');
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        at += match byte {
            b'#' => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            b'"' => {
                let quoted = rest.get(1..).unwrap_or_default();
                memchr::memchr(b'"', quoted).map_or(rest.len(), |length| length + 2)
            }
            byte if ends(byte) => 1,
            _ => {
                let length = rest.iter().position(ends).unwrap_or(rest.len());
                words.push(String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned());
                length
            }
        };
    }
    words
}

/// The elements of a set from behind its opening brace on; the last one ends before the closing brace.
fn elements(text: &[u8], body: usize) -> Vec<Range<usize>> {
    let (mut out, mut start, mut at, mut depth, mut quoted) = (Vec::new(), body, body, 0_usize, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' => depth += 1,
            b'}' if depth == 0 => {
                out.push(start..at);
                return out;
            }
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                out.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    out.push(start..at);
    out
}

/// What of an element says which one it is.
fn key(element: &[u8]) -> &[u8] {
    const BEHIND: [&[u8]; 8] =
        [b" timeout ", b" expires ", b" counter", b" limit ", b" quota ", b" ct count ", b" comment ", b" : "];
    let ends = BEHIND.iter().filter_map(|word| memchr::memmem::find(element, word));
    element.get(..ends.min().unwrap_or(element.len())).unwrap_or(element).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "table inet f {\n\tchain c {\n\t\tadd @seen { ip saddr }\n\t}\n}\n";
    const ELEMENTS: &str =
        "elements = { 10.0.0.1 timeout 1m expires 5s, 10.0.0.2,\n\t\t\t     10.0.0.3 comment \"a, } b\" }";

    fn settled(text: &str, rules: &str, expected: &str) -> (String, Vec<String>) {
        let filled = Filled::by([rules.as_bytes()].into_iter());
        let named = |key: &[u8]| memchr::memmem::find(expected.as_bytes(), key).is_some();
        let (text, names) = filled.settled(text.as_bytes(), named);
        (String::from_utf8(text).expect("text"), names.into_iter().collect())
    }

    #[test]
    fn what_packets_put_into_sets_is_left_out_where_rules_do_unless_somebody_expects_it() {
        let set = "\tset seen {\n\t\ttype ipv4_addr\n\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\t\tELEMENTS\n\t}\n\n";
        let text = format!(
            "table inet f {{\n{set}\tset allow {{\n\t\ttype ipv4_addr\n\t\tELEMENTS\n\t}}\n}}\ntable inet g {{\n{set}}}\n"
        );
        let text = text.replace("ELEMENTS", ELEMENTS);
        let without = text.replacen(&format!("\t\t{ELEMENTS}"), "\n", 1);
        let names = vec!["inet f seen".to_owned()];
        assert_eq!(settled(&text, RULE, ""), (without.clone(), names.clone()));
        let kept = without.replacen("1m\n\n\n", "1m\nelements = { 10.0.0.1 timeout 1m expires 5s }\n\n", 1);
        assert_eq!(settled(&text, RULE, "10.0.0.1 "), (kept, names.clone()));
        let command = "add rule inet f c update @seen { ip saddr timeout 1m }\n";
        assert_eq!(settled(&text, command, ""), (without.clone(), names.clone()));
        let json = r#"{"nftables": [{"rule": {"family": "inet", "table": "f", "chain": "c", "expr": [{"set":
            {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@seen"}}]}}]}"#;
        assert_eq!(settled(&text, json, ""), (without, names));
        for none in [
            RULE.replace("add @seen", "ip saddr @seen"),
            RULE.replace("add @seen { ip saddr }", "accept comment \"add @seen { ip saddr }\" # add @seen { x }"),
            RULE.replace("inet f", "inet h"),
            RULE.replace("add @seen", "delete @seen"),
            json.replace("\"add\"", "\"delete\""),
            "*filter\nCOMMIT\n".to_owned(),
        ] {
            assert_eq!(settled(&text, &none, ""), (text.clone(), Vec::new()), "{none}");
        }
    }

    #[test]
    fn it_is_left_out_of_a_json_listing_too() {
        let of = |table: &str, elements: &str| {
            let head = r#"{"set": {"family": "inet", "name": "seen", "#;
            format!("{head}\"table\": \"{table}\", \"flags\": [\"dynamic\"], \"elem\": {elements}, \"timeout\": 60}}}}")
        };
        let some = r#"["10.0.0.2", {"elem": {"val": "10.0.0.1", "expires": 5}}]"#;
        let listing = |f: &str, g: &str| format!("{{\"nftables\": [{}, {}]}}", of("f", f), of("g", g));
        let text = listing(some, some);
        let names = vec!["inet f seen".to_owned()];
        let padded = |kept: &str| format!("{kept:width$}", width = some.len());
        assert_eq!(settled(&text, RULE, ""), (listing(&padded("[]"), some), names.clone()));
        let kept = padded(r#"[{"elem":{"expires":5,"val":"10.0.0.1"}}]"#);
        assert_eq!(settled(&text, RULE, "10.0.0.1"), (listing(&kept, some), names));
        assert_eq!(settled(&text, &RULE.replace("inet f", "inet h"), ""), (text.clone(), Vec::new()));
    }
}
