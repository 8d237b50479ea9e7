//! Text with expressions in it (Terraform language: strings and templates).

use super::operators::truth_of;
use super::repeat::{Item, items_of};
use super::show::{show, unknown_of};
use super::{Context, Evaluated, Failure, ITEM, Scope};
use crate::formats::data::value::{Value, What};
use crate::formats::terraform::syntax::{Expr, Kind, Part, Start, each_of_parts};
use crate::text::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

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

    /// `templatefile(path, vars)`: the names in the file are those of the second argument, and no others.
    pub(super) fn template_file(&self, values: &[Value], at: Span) -> Evaluated {
        let refuse = |reason: String| Err(Failure::new(at, format!("`templatefile`: {reason}")));
        let [path, given] = values else { return refuse("a path and an object are expected".to_owned()) };
        let unknown = || {
            let shown = format!("templatefile({}, {})", show(path), show(given));
            Ok(unknown_of(&shown, &[path, given], at))
        };
        let text = match path.as_text() {
            Some(path) => self.file(&path),
            None if path.name_of_unknown().is_some() => None,
            None => return refuse("a path is expected".to_owned()),
        };
        // What is not at hand is not known.
        let Some(text) = text else {
            self.missing("templatefile", Some(path), at);
            return unknown();
        };
        let names = match &given.what {
            What::Object(names) if names.more.is_empty() => names,
            What::Object(_) | What::Unknown(_) => {
                let text = Value::of_text(text.text, at);
                let shown = format!("templatefile({} of {}, {})", show(path), show(&text), show(given));
                return Ok(unknown_of(&shown, &[path, given], at));
            }
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::List(_) => {
                return refuse("an object is expected".to_owned());
            }
        };
        let parts = match text.template() {
            Ok(parts) => parts,
            Err(reason) => return refuse(reason.to_owned()),
        };
        let (mut needed, mut functions) = (BTreeSet::new(), BTreeSet::new());
        each_of_parts(parts, &[], &mut |expr, further| {
            let mut known = further.iter().map(|name| Arc::clone(name)).collect();
            uses(expr, &mut known, &mut needed, &mut functions);
        });
        if functions.iter().any(|name| name.strip_prefix("core::").unwrap_or(name) == "templatefile") {
            return refuse("a template file cannot read another one".to_owned());
        }
        if let Some(missing) = needed.iter().find(|name| names.get(name).is_none()) {
            return refuse(format!("the file needs `{missing}`, which is not given"));
        }
        let given: Vec<(&str, Value)> =
            names.entries.iter().map(|entry| (&*entry.name, entry.value.clone().hidden(given.sensitive))).collect();
        let scope = Scope { names: &given, outer: None };
        let found = Context { scope: &scope, ..*self }.template(parts, at)?;
        Ok(found.hidden(path.sensitive).computed_from([path]))
    }

    fn parts(&self, parts: &'m [Part], text: &mut Text, at: Span) -> Result<(), Failure> {
        for part in parts {
            if text.plain.len() > LONGEST_TEXT {
                return Err(Failure::limit(at, "a text that is longer than can be computed"));
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
                        self.world.charge(at, ITEM)?;
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

/// The names that an expression takes from outside, and the functions that it calls.
fn uses(expr: &Expr, known: &mut Vec<Arc<str>>, names: &mut BTreeSet<Arc<str>>, functions: &mut BTreeSet<String>) {
    match &expr.kind {
        Kind::Path(start, _) => {
            if let Start::Name(name) = &**start
                && !known.contains(name)
            {
                names.insert(Arc::clone(name));
            }
        }
        Kind::Call(call) => {
            functions.insert(call.name.clone());
        }
        Kind::Literal(_)
        | Kind::Tuple(_)
        | Kind::Object(_)
        | Kind::Template(_)
        | Kind::Conditional(_)
        | Kind::Not(_)
        | Kind::Minus(_)
        | Kind::Binary(..)
        | Kind::For(_) => {}
    }
    expr.each(&mut |inner, further| {
        let before = known.len();
        known.extend(further.iter().map(|name| Arc::clone(name)));
        uses(inner, known, names, functions);
        known.truncate(before);
    });
}

impl Text {
    fn unknown(&mut self, value: &Value) {
        self.unknown = true;
        self.named.push_str("${");
        self.named.push_str(&show(value));
        self.named.push('}');
    }
}
