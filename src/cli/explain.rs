use super::arguments::Shape;
use super::output::Streams;
use crate::checks::{self, CHECKS};
use crate::report;
use crate::text::suggest;
use std::fmt::Write as _;

pub(super) fn run(check: Option<&str>, streams: &mut Streams<'_>) -> u8 {
    let Some(id) = check else { return streams.data(&list(), 0) };
    match checks::find(id) {
        Some(declaration) => streams.data(declaration.page, 0),
        None => {
            let known: Vec<&str> = CHECKS.iter().map(|declaration| declaration.id).collect();
            streams.error(&format!("there is no check `{id}`"), Some(&suggest(id, &known)), 2)
        }
    }
}

/// Every check with the sentence that its page begins with.
fn list() -> String {
    let width = CHECKS.iter().map(|declaration| declaration.id.len()).max().unwrap_or_default();
    CHECKS.iter().fold(String::new(), |mut out, declaration| {
        writeln!(out, "{:width$}  {}", declaration.id, declaration.summary()).expect("writing to a String");
        out
    })
}

pub(super) fn schema(of: Shape) -> String {
    let schema = match of {
        Shape::Policy => checks::schema(),
        Shape::Report => return report::json::schema(),
    };
    let mut out = serde_json::to_string_pretty(&schema).expect("a JSON value can be written");
    out.push('\n');
    out
}
