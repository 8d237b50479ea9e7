//! Functions that give a value: "Intrinsic function reference".

use super::conditions::Truth;
use super::scope::{Scope, show};
use crate::formats::Disposition;
use crate::formats::data::value::{Entry, List, Object, Value, What};
use crate::text::{Span, escape};
use std::sync::Arc;

impl Scope<'_> {
    /// What a function gives.
    pub(super) fn function(&mut self, name: &str, given: &Value, at: Span) -> Value {
        let items = given.list().map_or(&[][..], |list| list.items.as_slice());
        match (name, items, &given.what) {
            ("Ref", _, What::Text(name)) => self.reference(name, at),
            ("Fn::GetAtt", _, What::Text(text)) => match text.split_once('.') {
                Some((resource, attribute)) => self.attribute(resource, attribute, at),
                None => self.wrong(name, at),
            },
            ("Fn::GetAtt", [resource, attribute], _) => {
                let attribute = self.value(attribute);
                match (resource.text(), attribute.as_text()) {
                    (Some(resource), Some(attribute)) => self.attribute(resource, &attribute, at),
                    (Some(resource), None) if !attribute.is_known() => {
                        let mark = self.mark(resource);
                        self.unknown(&format!("{}{resource}.{}{mark}", self.prefix, show(&attribute)), at)
                    }
                    _ => self.wrong(name, at),
                }
            }
            ("Fn::Sub", _, What::Text(text)) => self.filled(text, None, at),
            ("Fn::Sub", [text, names], _) => match (text.text(), names.object()) {
                (Some(text), Some(names)) => self.filled(text, Some(names), at),
                _ => self.wrong(name, at),
            },
            ("Fn::If", [condition, then, otherwise], _) => match condition.text() {
                Some(condition_name) => self.chosen(condition_name, condition.at, then, otherwise, at),
                None => self.wrong(name, at),
            },
            ("Fn::FindInMap", [map, first, second], _) => self.looked_up(map, first, second, at),
            ("Fn::Join", [between, list], _) => self.joined(between, list, at),
            ("Fn::Split", [between, text], _) => self.split(between, text, at),
            ("Fn::Select", [index, list], _) => self.selected(index, list, at),
            ("Fn::Base64" | "Fn::GetAZs" | "Fn::ImportValue" | "Fn::Cidr", _, _) => {
                let given = self.value(given);
                let name = name.strip_prefix("Fn::").unwrap_or(name);
                self.unknown(&format!("!{name} {}", show(&given)), at).hidden(given.sensitive)
            }
            ("Fn::Transform", _, _) => self.refused(at, "a macro: what it makes of this is not known"),
            ("Ref" | "Fn::GetAtt" | "Fn::Sub" | "Fn::If" | "Fn::Join" | "Fn::Split" | "Fn::Select", _, _) => {
                self.wrong(name, at)
            }
            _ => {
                let reason =
                    format!("the function `{}` with what it is given is not known here", escape(name.as_bytes()));
                self.refused(at, reason)
            }
        }
    }

    fn wrong(&mut self, name: &str, at: Span) -> Value {
        let reason = format!("`{}` is not given what it takes: CloudFormation refuses it", escape(name.as_bytes()));
        self.refused(at, reason)
    }

    /// "Fn::Sub substitutes variables in an input string with values that you specify"; "${!Literal}" stands for itself.
    fn filled(&mut self, text: &str, names: Option<&Object>, at: Span) -> Value {
        let (mut plain, mut named, mut known, mut hidden) = (String::new(), String::new(), true, false);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            plain.push_str(before);
            named.push_str(before);
            let Some((name, after)) = after.split_once('}') else { return self.wrong("Fn::Sub", at) };
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                let literal = format!("${{{literal}}}");
                plain.push_str(&literal);
                named.push_str(&literal);
                continue;
            }
            let value = match (names.and_then(|names| names.get(name)), name.split_once('.')) {
                (Some(value), _) => self.value(value),
                (None, Some((resource, attribute))) => self.attribute(resource, attribute, at),
                (None, None) => self.reference(name, at),
            };
            if text.len() == name.len() + 3 {
                return Value { at, ..value };
            }
            hidden |= value.sensitive;
            match value.as_text() {
                Some(text) => {
                    plain.push_str(&text);
                    named.push_str(&show(&value));
                }
                None if value.is_known() => return self.wrong("Fn::Sub", at),
                None => {
                    known = false;
                    named.push_str(&format!("${{{}}}", show(&value)));
                }
            }
        }
        plain.push_str(rest);
        named.push_str(rest);
        let value = if known { Value::of_text(&plain, at) } else { self.unknown(&format!("!Sub {named}"), at) };
        value.hidden(hidden)
    }

    fn chosen(&mut self, condition: &str, condition_at: Span, then: &Value, otherwise: &Value, at: Span) -> Value {
        match self.condition(condition, condition_at) {
            Truth::Is(truth) => {
                let (taken, left) = if truth { (then, otherwise) } else { (otherwise, then) };
                self.account.claim(left.at, Disposition::Inert("the condition decides for the other"));
                self.value(taken)
            }
            Truth::Not(name) => {
                let (then, otherwise) = (self.value(then), self.value(otherwise));
                if then == otherwise {
                    return Value { at, ..then };
                }
                match (&then.what, &otherwise.what) {
                    // Either of both lists: each of their items may be there.
                    (What::List(_) | What::Null, What::List(_) | What::Null) => {
                        let mut out = List::default();
                        for (name, value) in [(name.clone(), &then), (format!("not ({name})"), &otherwise)] {
                            let items = value.list().cloned().unwrap_or_default();
                            out.more.extend(self.perhaps(&name, items));
                        }
                        Value::new(What::List(Arc::new(out)), at)
                    }
                    _ => {
                        let name = format!("!If [{name}, {}, {}]", show(&then), show(&otherwise));
                        self.unknown(&name, at).hidden(then.sensitive || otherwise.sensitive)
                    }
                }
            }
        }
    }

    /// "Fn::FindInMap returns the value that corresponds to keys in a two-level map".
    fn looked_up(&mut self, map: &Value, first: &Value, second: &Value, at: Span) -> Value {
        let keys = [self.value(map), self.value(first), self.value(second)];
        let [Some(map), first, second] = keys.each_ref().map(Value::as_text) else {
            return if keys.iter().all(Value::is_known) {
                self.wrong("Fn::FindInMap", at)
            } else {
                let tables = self.show_mappings(None);
                self.unknown(&format!("!FindInMap {} of {tables}", show_all(&keys)), at)
            };
        };
        let mappings = self.mappings;
        let Some(table) = mappings.and_then(|mappings| mappings.get(&map)).and_then(Value::object) else {
            return self.undeclared("mapping", &map, at);
        };
        let (Some(first), Some(second)) = (first, second) else {
            let table = self.show_mappings(Some(&map));
            return self.unknown(&format!("!FindInMap {} of {table}", show_all(&keys)), at);
        };
        match table.get(&first).and_then(Value::object).and_then(|row| row.get(&second)) {
            Some(value) => {
                self.use_of(&["Mappings", &map, &first, &second]);
                Value { at, ..value.clone() }
            }
            None => {
                let reason = format!("the mapping has no `{}`", escape(format!("{first}.{second}").as_bytes()));
                self.refused(at, reason)
            }
        }
    }

    /// All that a mapping may give, or all mappings: what is looked up under keys that are not known changes with it.
    fn show_mappings(&mut self, map: Option<&str>) -> String {
        let mappings = self.mappings;
        let tables = mappings.iter().flat_map(|mappings| &mappings.entries);
        let mut out = Vec::new();
        for Entry { name, at, value } in tables.filter(|table| map.is_none_or(|map| *table.name == *map)) {
            self.use_of(&["Mappings", name]);
            self.account.claim(super::span_of(*at, value), Disposition::Opaque("which entry is meant"));
            out.push(show(value));
        }
        out.join(", ")
    }

    fn joined(&mut self, between: &Value, list: &Value, at: Span) -> Value {
        let list = self.value(list);
        let (Some(between), Some(items)) = (between.text(), list.list()) else {
            return if list.is_known() {
                self.wrong("Fn::Join", at)
            } else {
                self.unknown(&format!("!Join {}", show(&list)), at)
            };
        };
        let texts: Option<Vec<Arc<str>>> = items.items.iter().map(Value::as_text).collect();
        let hidden = list.sensitive || items.items.iter().any(|item| item.sensitive);
        match texts {
            Some(texts) if items.more.is_empty() => Value::of_text(&texts.join(between), at).hidden(hidden),
            Some(_) | None => self.unknown(&format!("!Join {between} {}", show(&list)), at).hidden(hidden),
        }
    }

    fn split(&mut self, between: &Value, text: &Value, at: Span) -> Value {
        let text = self.value(text);
        match (between.text(), text.as_text()) {
            (Some(between), Some(plain)) if !between.is_empty() => {
                let items = plain.split(between).map(|part| Value::of_text(part, at)).collect();
                Value::of_list(items, at).hidden(text.sensitive)
            }
            (Some(between), None) if !text.is_known() => self.unknown(&format!("!Split {between} {}", show(&text)), at),
            _ => self.wrong("Fn::Split", at),
        }
    }

    fn selected(&mut self, index: &Value, list: &Value, at: Span) -> Value {
        let (index, list) = (self.value(index), self.value(list));
        match (index.as_integer().map(usize::try_from), list.list()) {
            (Some(Ok(n)), Some(items)) if items.more.is_empty() => match items.items.get(n) {
                Some(item) => Value { at, ..item.clone() }.hidden(list.sensitive),
                None => self.wrong("Fn::Select", at),
            },
            _ if index.is_known() && list.is_known() => self.wrong("Fn::Select", at),
            _ => self.unknown(&format!("!Select {} of {}", show(&index), show(&list)), at),
        }
    }
}

fn show_all(values: &[Value]) -> String {
    values.iter().map(show).collect::<Vec<_>>().join(".")
}
