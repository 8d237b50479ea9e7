//! What nftables rules ask for, roughly, read from the text without the reader under test: negations are read as
//! if they were not there, since the packets beside a value matter as much as those within.

use std::collections::HashMap;

/// A rule: the chain it is in, what it compares, and where it leads.
#[derive(Debug, Clone, Default)]
pub(super) struct Rule {
    /// `family table chain`.
    pub(super) chain: String,
    pub(super) demands: Vec<Demand>,
    /// Chains of the same table.
    pub(super) jumps: Vec<String>,
}

/// Fields compared with elements, one of which must fit.
#[derive(Debug, Clone, Default)]
pub(super) struct Demand {
    /// Such as `ip saddr`, `tcp dport`, `iifname`.
    pub(super) fields: Vec<String>,
    pub(super) elements: Vec<Element>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// One value for each field.
    pub(super) parts: Vec<String>,
    /// The chain to which it leads.
    pub(super) jump: Option<String>,
}

/// What a ruleset asks for.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) rules: Vec<Rule>,
    /// The hooks of base chains, by `family table chain`.
    pub(super) hooks: HashMap<String, String>,
    /// Interfaces that chains and flow tables are on.
    pub(super) devices: Vec<String>,
    defines: HashMap<String, Vec<String>>,
    /// By `family table set`.
    sets: HashMap<String, Vec<Element>>,
}

impl Scan {
    pub(super) fn of(text: &str) -> Self {
        let words = words(text);
        let mut scan = Self::default();
        scan.defines(&words);
        scan.devices(&words);
        // Sets may be filled after the rules that name them.
        scan.walk(&words, false);
        scan.walk(&words, true);
        scan
    }

    fn defines(&mut self, words: &[String]) {
        for (at, word) in words.iter().enumerate() {
            if let ("define" | "redefine", Some(name), Some("=")) =
                (word.as_str(), words.get(at + 1), words.get(at + 2).map(String::as_str))
            {
                let value = value_at(words, at + 3);
                let value = value.iter().flat_map(|word| self.expanded(word)).collect();
                self.defines.insert(format!("${name}"), value);
            }
        }
    }

    fn devices(&mut self, words: &[String]) {
        for (at, word) in words.iter().enumerate() {
            let value = match (word.as_str(), words.get(at + 1).map(String::as_str)) {
                ("device", Some(_)) => value_at(words, at + 1),
                ("devices", Some("=")) => value_at(words, at + 2),
                _ => continue,
            };
            let names =
                value.iter().flat_map(|word| self.expanded(word)).filter(|word| !"{},\n".contains(word.as_str()));
            self.devices.extend(names.collect::<Vec<_>>());
        }
    }

    /// What is compared with one of those fields.
    pub(super) fn interfaces(&self, fields: &[&str]) -> Vec<String> {
        let demands = self.rules.iter().flat_map(|rule| &rule.demands);
        let pairs = demands.flat_map(|demand| {
            let elements = demand.elements.iter();
            elements.flat_map(|element| demand.fields.iter().zip(&element.parts))
        });
        let mut out: Vec<String> = Vec::new();
        for (field, part) in pairs {
            let name = part.trim_end_matches('*');
            if fields.contains(&field.as_str()) && !out.iter().any(|known| known == name) {
                out.push(name.to_owned());
            }
        }
        out
    }

    fn expanded(&self, word: &str) -> Vec<String> {
        self.defines.get(word).cloned().unwrap_or_else(|| vec![word.to_owned()])
    }

    fn walk(&mut self, words: &[String], rules: bool) {
        let mut table = String::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let next = |n: usize| words.get(at + n).map_or("", String::as_str);
            match word.as_str() {
                "table" => {
                    let (family, name) = family_and(&words[at + 1..]);
                    table = format!("{family} {name}");
                }
                "chain" if next(2) == "{" => {
                    let chain = format!("{table} {}", next(1));
                    let end = closing(words, at + 2);
                    self.chain(&chain, &words[at + 3..end], rules);
                    at = end;
                }
                "chain" if matches!(next(1), "ip" | "ip6" | "inet") && next(4) == "{" => {
                    let chain = format!("{} {} {}", next(1), next(2), next(3));
                    let end = closing(words, at + 4);
                    self.chain(&chain, &words[at + 5..end], rules);
                    at = end;
                }
                "set" | "map" if next(2) == "{" => {
                    let end = closing(words, at + 2);
                    let body = &words[at + 3..end];
                    if let Some(start) = body.iter().position(|word| word == "elements") {
                        let elements = self.elements(&value_at(body, start + 2));
                        self.sets.entry(format!("{table} {}", next(1))).or_default().extend(elements);
                    }
                    at = end;
                }
                "element" => {
                    let (family, name) = family_and(&words[at + 1..]);
                    let from = at + 1 + usize::from(next(1) == family);
                    let set = words.get(from + 1).map_or("", String::as_str);
                    let elements = self.elements(&value_at(words, from + 2));
                    self.sets.entry(format!("{family} {name} {set}")).or_default().extend(elements);
                }
                "rule" => {
                    let (family, name) = family_and(&words[at + 1..]);
                    let from = at + 1 + usize::from(next(1) == family);
                    let chain = words.get(from + 1).map_or("", String::as_str);
                    let end = line_end(words, from);
                    if rules && from + 2 <= end {
                        let rule = self.rule(&format!("{family} {name} {chain}"), &words[from + 2..end]);
                        self.rules.extend(rule);
                    }
                    at = end;
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn chain(&mut self, chain: &str, words: &[String], rules: bool) {
        let mut at = 0;
        while at < words.len() {
            let end = line_end(words, at);
            let rule = &words[at..end];
            if let Some(hook) = rule.iter().position(|word| word == "hook") {
                if let Some(hook) = rule.get(hook + 1) {
                    self.hooks.insert(chain.to_owned(), hook.clone());
                }
            } else if rules {
                let rule = self.rule(chain, rule);
                self.rules.extend(rule);
            }
            at = end + 1;
        }
    }

    /// The rule, and those of anonymous chains in it, each with what leads to it.
    fn rule(&self, chain: &str, words: &[String]) -> Vec<Rule> {
        let table = chain.rsplit_once(' ').map_or("", |(table, _)| table);
        let mut rule = Rule { chain: chain.to_owned(), ..Rule::default() };
        let mut inner = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let next = |n: usize| words.get(at + n).map_or("", String::as_str);
            match (words[at].as_str(), next(1)) {
                ("jump" | "goto", "{") => {
                    let end = closing(words, at + 1);
                    let mut from = at + 2;
                    while from < end {
                        let to = line_end(&words[..end], from);
                        inner.extend(self.rule(chain, &words[from..to]));
                        from = to + 1;
                    }
                    at = end + 1;
                    continue;
                }
                ("jump" | "goto", target) => rule.jumps.push(target.to_owned()),
                _ => {}
            }
            let (fields, after) = fields_at(words, at);
            if fields.is_empty() {
                at += 1;
                continue;
            }
            at = after;
            let skip = ["==", "!=", "<", ">", "<=", ">=", "!", "vmap", "map", "&", "and", "=="];
            while words.get(at).is_some_and(|word| skip.contains(&word.as_str())) {
                at += 1;
            }
            let value: Vec<_> = value_at(words, at).iter().flat_map(|word| self.expanded(word)).collect();
            at += value_at(words, at).len().max(1);
            let elements = match value.first().and_then(|word| word.strip_prefix('@')) {
                Some(set) => self.sets.get(&format!("{table} {set}")).cloned().unwrap_or_default(),
                None => self.elements(&value),
            };
            rule.jumps.extend(elements.iter().filter_map(|element| element.jump.clone()));
            rule.demands.push(Demand { fields, elements });
        }
        for below in &mut inner {
            below.demands.extend(rule.demands.iter().cloned());
        }
        inner.push(rule);
        inner
    }

    /// The elements of a value, which may be in braces.
    fn elements(&self, words: &[String]) -> Vec<Element> {
        let mut out = vec![Element::default()];
        let mut words = words.iter().flat_map(|word| self.expanded(word)).peekable();
        let mut joined = true;
        while let Some(word) = words.next() {
            let Some(last) = out.last_mut() else { break };
            match word.as_str() {
                "{" | "}" | "(" | ")" | "\n" => {}
                "," => {
                    out.push(Element::default());
                    joined = true;
                }
                "." => joined = true,
                ":" => {
                    let verdict = words.next().unwrap_or_default();
                    if matches!(verdict.as_str(), "jump" | "goto") {
                        last.jump = words.next();
                    }
                }
                _ if joined => {
                    last.parts.push(word);
                    joined = false;
                }
                // Such as a timeout or a comment.
                _ => {}
            }
        }
        out.retain(|element| !element.parts.is_empty());
        out
    }
}

/// The fields that begin at a word, joined by `.`, and where they end.
fn fields_at(words: &[String], mut at: usize) -> (Vec<String>, usize) {
    let mut out = Vec::new();
    loop {
        let word = |n: usize| words.get(at + n).map_or("", String::as_str);
        let (field, length) = match (word(0), word(1)) {
            ("meta", "iifname" | "oifname" | "iif" | "oif" | "l4proto" | "nfproto" | "protocol") => (word(1), 2),
            ("iifname" | "oifname" | "iif" | "oif" | "l4proto" | "nfproto", _) => (word(0), 1),
            ("ip" | "ip6", "saddr" | "daddr" | "protocol" | "nexthdr")
            | ("tcp" | "udp" | "sctp" | "dccp" | "udplite" | "th", "sport" | "dport")
            | ("icmp" | "icmpv6", "type" | "code")
            | ("tcp", "flags")
            | ("ct", "state") => ("", 2),
            _ => return (out, at),
        };
        out.push(if field.is_empty() { format!("{} {}", word(0), word(1)) } else { field.to_owned() });
        at += length;
        if words.get(at).is_none_or(|word| word != ".") {
            return (out, at);
        }
        at += 1;
    }
}

/// A value: a word, several joined by `.`, `,` or `|`, or what is in braces.
fn value_at(words: &[String], at: usize) -> Vec<String> {
    match words.get(at).map(String::as_str) {
        None => Vec::new(),
        Some("{" | "(") => words[at..(closing(words, at) + 1).min(words.len())].to_vec(),
        Some(_) => {
            let mut end = at + 1;
            while let [joint, _, ..] = &words[end.min(words.len())..]
                && matches!(joint.as_str(), "," | "." | "|" | "/")
            {
                end += 2;
            }
            words[at..end.min(words.len())].to_vec()
        }
    }
}

/// The index of the brace that closes the one at `at`, or the end.
fn closing(words: &[String], at: usize) -> usize {
    let mut depth = 0usize;
    for (n, word) in words.iter().enumerate().skip(at) {
        match word.as_str() {
            "{" | "(" => depth += 1,
            "}" | ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return n;
        }
    }
    words.len()
}

/// The index of the end of the line, not one within braces.
fn line_end(words: &[String], mut at: usize) -> usize {
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "\n" | ";" => return at,
            "{" => at = closing(words, at),
            _ => {}
        }
        at += 1;
    }
    words.len()
}

/// The family, if one is named, and the name after it.
fn family_and(words: &[String]) -> (&str, &str) {
    match words {
        [family, name, ..] if matches!(family.as_str(), "ip" | "ip6" | "inet" | "arp" | "bridge" | "netdev") => {
            (family, name)
        }
        [name, ..] => ("ip", name),
        [] => ("ip", ""),
    }
}

/// Words, with line ends, braces, commas and so on as words of their own; without comments and quotes.
fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => word.extend(letters.by_ref().take_while(|letter| *letter != '"')),
            '#' => {
                out.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                if letters.by_ref().any(|letter| letter == '\n') {
                    out.push("\n".to_owned());
                }
            }
            '\\' if letters.peek() == Some(&'\n') => drop(letters.next()),
            '{' | '}' | '(' | ')' | ',' | ';' | '\n' | '|' | '='
                if letter != '=' || word.is_empty() && letters.peek() != Some(&'=') =>
            {
                out.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                out.push(letter.to_string());
            }
            letter if letter.is_whitespace() => out.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            letter => word.push(letter),
        }
    }
    out.extend((!word.is_empty()).then_some(word));
    out
}
