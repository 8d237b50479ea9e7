use super::node::Node;
use super::reader::{Read, Reader};
use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

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

    /// Whether a text has a match of it.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl Read for Expression {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        match RegexBuilder::new(&text).size_limit(LARGEST).build() {
            Ok(expression) => Some(Self(expression)),
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
