//! A policy in the making, and its text.

use crate::text::escape;
use std::fmt::Write as _;

/// Where editors find what may stand in a policy of this version of the program.
const SCHEMA: &str = concat!(
    "# yaml-language-server: $schema=",
    env!("CARGO_PKG_REPOSITORY"),
    "/raw/v",
    env!("CARGO_PKG_VERSION"),
    "/policies/schema.json"
);

/// How wide lines are at most, where they can be broken.
const WIDTH: usize = 118;

/// A policy that is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The presets, each with what it is for.
    pub extends: Vec<(&'static str, String)>,
    /// The configurations.
    pub configurations: Vec<DraftConfiguration>,
    /// The files that are in no configuration though they look like it: path, and why.
    pub left: Vec<(String, String)>,
    /// Named networks.
    pub networks: Vec<DraftNetwork>,
    /// The checks.
    pub checks: Vec<DraftCheck>,
}

/// A configuration that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftConfiguration {
    /// Its name.
    pub name: String,
    /// Its patterns.
    pub files: Vec<String>,
    /// Whether every file is a configuration of its own.
    pub each: bool,
    /// Its format.
    pub format: &'static str,
}

/// A network that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftNetwork {
    /// Its name.
    pub name: String,
    /// Prefixes, addresses and ranges.
    pub addresses: Vec<String>,
    /// What it is.
    pub note: String,
}

/// An entry of `checks` that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftCheck {
    /// What it is for, a line each.
    pub notes: Vec<String>,
    /// The check.
    pub check: &'static str,
    /// Its other keys.
    pub keys: Vec<(&'static str, DraftValue)>,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftValue {
    /// A word, a number, or a map in flow style, as it is written.
    Written(String),
    /// A list of texts.
    List(Vec<String>),
}

impl DraftCheck {
    /// An entry without other keys.
    #[must_use]
    pub fn new(check: &'static str, note: impl Into<String>) -> Self {
        Self { notes: vec![note.into()], check, keys: Vec::new() }
    }

    /// The same with a key that has a word or a value in flow style.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.keys.push((key, DraftValue::Written(value.into())));
        self
    }

    /// The same with a key that has a list of texts.
    #[must_use]
    pub fn with_list<T: AsRef<str>>(mut self, key: &'static str, items: &[T]) -> Self {
        self.keys.push((key, DraftValue::List(items.iter().map(|item| item.as_ref().to_owned()).collect())));
        self
    }
}

impl Draft {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { extends, configurations, left, networks, checks } = self;
        let mut out = format!("{SCHEMA}\n");
        let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("writing to a String");
        line(format_args!(
            "# What may change in these configurations, and what may not: `portcullis explain` tells what each check"
        ));
        line(format_args!(
            "# demands, `portcullis policy lint` what here has no effect. It passes on the state that it was made of."
        ));
        line(format_args!("version: 1"));
        if !extends.is_empty() {
            line(format_args!("extends:"));
            for (preset, note) in extends {
                line(format_args!("  - {preset:<30} # {note}"));
            }
        }
        line(format_args!(
            "\n# What is judged. A file that no pattern names is judged by nobody: `portcullis policy coverage` finds such."
        ));
        line(format_args!("configurations:"));
        for DraftConfiguration { name, files, each, format } in configurations {
            let each = if *each { ", each: true" } else { "" };
            let short = format!("  {name}: {{files: {}{each}, format: {format}}}", list(files));
            if short.len() <= WIDTH {
                line(format_args!("{short}"));
                continue;
            }
            line(format_args!("  {name}:"));
            line(format_args!("    files:"));
            for file in files {
                line(format_args!("      - {}", quoted(file)));
            }
            if !each.is_empty() {
                line(format_args!("    each: true"));
            }
            line(format_args!("    format: {format}"));
        }
        if !left.is_empty() {
            line(format_args!("  # Not judged, because not all of it is understood. Correct it and take it in:"));
            for (path, why) in left {
                line(format_args!("  #   {}   # {}", quoted(&escape(path.as_bytes())), escape(why.as_bytes())));
            }
        }
        if !networks.is_empty() {
            line(format_args!("\n# Names for what the checks are about."));
            line(format_args!("networks:"));
        }
        for DraftNetwork { name, addresses, note } in networks {
            line(format_args!("  # {}", escape(note.as_bytes())));
            line(format_args!("  {name}: {}", list(addresses)));
        }
        if !checks.is_empty() {
            line(format_args!("\nchecks:"));
        }
        for DraftCheck { notes, check, keys } in checks {
            for note in notes {
                line(format_args!("  # {}", escape(note.as_bytes())));
            }
            line(format_args!("  - check: {check}"));
            for (key, value) in keys {
                match value {
                    DraftValue::Written(text) => line(format_args!("    {key}: {text}")),
                    DraftValue::List(items) => {
                        let mut row = format!("    {key}: [");
                        for (n, item) in items.iter().enumerate() {
                            let item = word(item) + if n + 1 == items.len() { "]" } else { ", " };
                            if row.len() + item.len() > WIDTH {
                                line(format_args!("{}", row.trim_end()));
                                row = "      ".to_owned();
                            }
                            row.push_str(&item);
                        }
                        line(format_args!("{row}"));
                    }
                }
            }
        }
        out
    }
}

/// A list in flow style.
fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| word(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A text as it may stand in a list: without quotes only if every reader takes it for the same text.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
    let address = text.split('/').next().is_some_and(|part| part.parse::<std::net::Ipv4Addr>().is_ok());
    let letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let truth =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&text.to_ascii_lowercase().as_str());
    if text.chars().all(plain) && (letter && !truth || address) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_a_reader_could_take_them_for_something_else() {
        let words =
            ["web/input", "10.0.0.0/8", "10.0.0.1", "10.0.0.0-10.0.0.9", "no", "2001:db8::/32", "hosts/*.v4", "1e3"];
        assert_eq!(
            list(&words),
            r#"[web/input, 10.0.0.0/8, 10.0.0.1, "10.0.0.0-10.0.0.9", "no", "2001:db8::/32", "hosts/*.v4", "1e3"]"#
        );
    }
}
