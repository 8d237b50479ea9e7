//! Which settings differ, in words. What is compared are normalised texts of formats; here they are taken apart for readers.

/// How many settings are named.
const MOST: usize = 3;
/// How many characters of a setting are shown.
const LONGEST: usize = 80;

/// A setting, and the blocks that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    blocks: String,
    text: String,
}

/// What differs between two texts of settings: `timeout client 5s is 10s now, option httplog is gone`.
pub(super) fn difference(old: &str, new: &str) -> String {
    let (mut gone, mut fresh) = (apart(old), apart(new));
    gone.retain(|setting| match fresh.iter().position(|other| other == setting) {
        Some(at) => {
            fresh.remove(at);
            false
        }
        None => true,
    });
    let mut said = Vec::new();
    for setting in gone {
        let Setting { blocks, text } = &setting;
        let common = |other: &Setting| alike(text, &other.text);
        let near = fresh.iter().enumerate().filter(|(_, other)| other.blocks == *blocks && common(other) > 0);
        let twin = near.max_by_key(|(at, other)| (common(other), std::cmp::Reverse(*at))).map(|(at, _)| at);
        let place = if blocks.is_empty() { String::new() } else { format!("{blocks}: ") };
        said.push(match twin.map(|at| fresh.remove(at)) {
            Some(_) if is_private(text) => format!("{place}{} has another value", name(text)),
            Some(new) => {
                let words: Vec<&str> = new.text.split(' ').skip(alike(text, &new.text)).collect();
                let now = if words.is_empty() { "nothing more".to_owned() } else { words.join(" ") };
                format!("{place}{} is {} now", short(text), short(&now))
            }
            None => format!("{place}{} is gone", shown(text)),
        });
    }
    for Setting { blocks, text } in fresh {
        let place = if blocks.is_empty() { String::new() } else { format!("{blocks}: ") };
        said.push(format!("{place}{} is new", shown(&text)));
    }
    if said.is_empty() {
        return "their order".to_owned();
    }
    if said.len() > MOST {
        let more = said.len() - MOST;
        said.truncate(MOST);
        said.push(format!("{more} more"));
    }
    said.join(", ")
}

/// The settings of a text: `one; block { two; three; }`.
fn apart(text: &str) -> Vec<Setting> {
    let (mut out, mut blocks, mut current) = (Vec::new(), Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let ends = characters.peek().is_none_or(|next| *next == ' ');
        match c {
            '{' if ends && current.ends_with(' ') => blocks.push(std::mem::take(&mut current).trim().to_owned()),
            ';' if ends => finish(&mut out, &blocks, &mut current),
            '}' if ends && current.trim().is_empty() && !blocks.is_empty() => {
                current.clear();
                blocks.pop();
            }
            // The last one of a block needs no semicolon.
            '}' if ends && current.ends_with(' ') && !blocks.is_empty() => {
                finish(&mut out, &blocks, &mut current);
                blocks.pop();
            }
            c => current.push(c),
        }
    }
    finish(&mut out, &blocks, &mut current);
    out
}

fn finish(out: &mut Vec<Setting>, blocks: &[String], current: &mut String) {
    let text = std::mem::take(current).trim().to_owned();
    if !text.is_empty() {
        out.push(Setting { blocks: blocks.join(", "), text });
    }
}

/// How many words both begin with.
fn alike(old: &str, new: &str) -> usize {
    old.split(' ').zip(new.split(' ')).take_while(|(old, new)| old == new).count()
}

/// Whether what a setting says may be a secret.
fn is_private(text: &str) -> bool {
    const WORDS: &[&str] = &["auth", "cookie", "token", "secret", "password", "sign-pass", "key", "credential"];
    let text = text.to_ascii_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// The first words of a setting.
fn name(text: &str) -> String {
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn shown(text: &str) -> String {
    if is_private(text) { name(text) } else { short(text) }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn settings_that_differ_are_named() {
        for (old, new, expected) in [
            (
                "timeout client 5s; option httplog",
                "timeout client 10s",
                "timeout client 5s is 10s now, option httplog is gone",
            ),
            ("", "maxconn 5", "maxconn 5 is new"),
            ("a 1; b 2", "b 2; a 1", "their order"),
            (
                "server a { proxy_buffering on; location / { proxy_read_timeout 5s; } }",
                "server a { proxy_buffering on; location / { proxy_read_timeout 7s; } }",
                "server a, location /: proxy_read_timeout 5s is 7s now",
            ),
            ("a 1; b 1; c 1; d 1", "a 2; b 2; c 2; d 2", "a 1 is 2 now, b 1 is 2 now, c 1 is 2 now, 1 more"),
            (
                "proxy_set_header Authorization Basic-x;",
                "proxy_set_header Authorization Basic-y;",
                "proxy_set_header Authorization has another value",
            ),
            ("add_header X $a{b}; x }", "add_header X $a{c}; x }", "add_header X $a{b} is $a{c} now"),
        ] {
            assert_eq!(difference(old, new), expected, "{old} -> {new}");
        }
    }
}
