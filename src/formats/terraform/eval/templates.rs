//! Text with expressions in it (Terraform language: strings and templates).

use super::operators::truth_of;
use super::repeat::{Item, items_of};
use super::show::{show, unknown_of};
use super::{Context, Evaluated, Failure, Scope};
use crate::formats::data::value::{Value, What};
use crate::formats::terraform::syntax::Part;
use crate::text::Span;

/// How long a text may become.
pub(in super::super) const LONGEST_TEXT: usize = 1 << 24;

/// A text in the making.
#[derive(Default)]
struct Text {
    /// As far as it is known.
    plain: String,
    /// The name of it, in which what is not known stands as `${name}`.
    named: String,
    unknown: bool,
    hidden: bool,
    /// What it is made of, where it matters where that comes from.
    traced: Vec<Value>,
}

impl<'m> Context<'_, 'm> {
    pub(super) fn template(&self, parts: &'m [Part], at: Span) -> Evaluated {
        // A single expression between quotes is what it is, not a text.
        if let [Part::Value(expr)] = parts {
            return Ok(Value { at, ..self.eval(expr)? });
        }
        let mut text = Text::default();
        self.parts(parts, &mut text, at)?;
        let Text { plain, named, unknown, hidden, traced } = text;
        if unknown {
            return Ok(unknown_of(&format!("\"{named}\""), &[], at).hidden(hidden).computed_from(&traced));
        }
        Ok(Value::of_text(&plain, at).hidden(hidden).computed_from(&traced))
    }

    fn parts(&self, parts: &'m [Part], text: &mut Text, at: Span) -> Result<(), Failure> {
        for part in parts {
            if text.plain.len() > LONGEST_TEXT {
                return Err(Failure::new(at, "a text that is longer than can be computed"));
            }
            match part {
                Part::Text(plain) => {
                    text.plain.push_str(plain);
                    text.named.push_str(plain);
                }
                Part::Value(expr) => {
                    let value = self.eval(expr)?;
                    text.hidden |= value.sensitive;
                    if value.provenance.is_some() {
                        text.traced.push(value.clone());
                    }
                    match (value.as_text(), &value.what) {
                        (Some(plain), _) => {
                            text.plain.push_str(&plain);
                            // In the name of an unknown text it must not stand.
                            text.named.push_str(&if value.sensitive { show(&value) } else { plain.to_string() });
                        }
                        (None, What::Unknown(_) | What::Number(_)) => text.unknown(&value),
                        (None, What::Null | What::Truth(_) | What::Text(_) | What::List(_) | What::Object(_)) => {
                            return Err(Failure::new(
                                expr.at,
                                "only a text, a number or a truth can be part of a text",
                            ));
                        }
                    }
                }
                Part::If(part) => {
                    let condition = self.eval(&part.condition)?;
                    text.hidden |= condition.sensitive;
                    match truth_of(&condition)? {
                        Some(true) => self.parts(&part.then, text, at)?,
                        Some(false) => self.parts(&part.otherwise, text, at)?,
                        None => {
                            text.named.push_str("%{ if }");
                            text.unknown(&condition);
                            self.parts(&part.then, text, at)?;
                            text.named.push_str("%{ else }");
                            self.parts(&part.otherwise, text, at)?;
                            text.named.push_str("%{ endif }");
                        }
                    }
                }
                Part::For(part) => {
                    let collection = self.eval(&part.collection)?;
                    text.hidden |= collection.sensitive;
                    let items = items_of(&collection, part.collection.at)?;
                    for Item { key, value, name } in items {
                        if let Some(name) = name {
                            text.unknown = true;
                            text.named.push_str("%{ for ");
                            text.named.push_str(&name);
                            text.named.push_str(" }");
                        }
                        let key_name = part.key.as_deref().map(|name| (name, key));
                        let names: Vec<(&str, Value)> = key_name.into_iter().chain([(&*part.value, value)]).collect();
                        let scope: Scope<'_> = self.scope.with(&names);
                        self.with(&scope).parts(&part.body, text, at)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Text {
    fn unknown(&mut self, value: &Value) {
        self.unknown = true;
        self.named.push_str("${");
        self.named.push_str(&show(value));
        self.named.push('}');
    }
}
