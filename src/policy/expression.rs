use super::node::Node;
use super::reader::{Read, Reader};
use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A regular expression of a setting.
#[derive(Debug, Clone)]
pub struct Expression(Regex);

/// Bytes that a compiled expression may take.
const LARGEST: usize = 1 << 20;

impl Expression {
    /// As it is written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.as_str()
    }

    /// One that the program comes with.
    ///
    /// # Errors
    /// It is none.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        RegexBuilder::new(text).size_limit(LARGEST).build().map(Self)
    }

    /// Whether it has a group of that name.
    #[must_use]
    pub fn has_group(&self, name: &str) -> bool {
        self.0.capture_names().flatten().any(|known| known == name)
    }

    /// What that group is in every match of a text.
    #[must_use]
    pub fn all(&self, text: &str, group: &str) -> BTreeSet<String> {
        self.0.captures_iter(text).filter_map(|found| Some(found.name(group)?.as_str().to_owned())).collect()
    }

    /// Whether a text has a match of it.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl Read for Expression {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        match Self::new(&text) {
            Ok(expression) => Some(expression),
            Err(why) => {
                let why = why.to_string();
                let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let help = "see https://docs.rs/regex for what may stand there";
                reader.refuse(node.span, format!("`{text}` is not a regular expression: {last}"), help);
                None
            }
        }
    }
}

impl JsonSchema for Expression {
    fn schema_name() -> Cow<'static, str> {
        "expression".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "a regular expression", "type": "string", "format": "regex"})
    }
}
