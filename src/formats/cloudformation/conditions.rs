//! Conditions: "Condition functions".

use super::scope::{Scope, show};
use crate::formats::Disposition;
use crate::formats::data::value::{Entry, Value, What};
use crate::text::{Span, escape};

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Truth {
    /// It does, or it does not.
    Is(bool),
    /// That is not known; what it asks.
    Not(String),
}

impl Scope<'_> {
    /// Whether a condition of the template holds.
    pub(super) fn condition(&mut self, name: &str, at: Span) -> Truth {
        let conditions = self.conditions;
        let Some(entry) = conditions.and_then(|conditions| conditions.entry(name)) else {
            self.undeclared("condition", name, at);
            return Truth::Not(name.to_owned());
        };
        self.use_of(&["Conditions", name]);
        match self.decided.get(name) {
            Some(Some(truth)) => return truth.clone(),
            Some(None) => {
                self.account.gap(at, format!("the condition `{}` asks itself", escape(name.as_bytes())));
                return Truth::Not(name.to_owned());
            }
            None => {}
        }
        self.decided.insert(&entry.name, None);
        let truth = self.truth(&entry.value);
        if let Truth::Not(_) = truth {
            let whole = super::span_of(entry.at, &entry.value);
            self.account.claim(whole, Disposition::Opaque("whether it holds"));
        }
        self.decided.insert(&entry.name, Some(truth.clone()));
        truth
    }

    fn truth(&mut self, asked: &Value) -> Truth {
        let only = asked.object().map(|object| object.entries.as_slice());
        let Some([Entry { name, at, value }]) = only else {
            return self.no_condition(asked.at, "one function is expected");
        };
        let items = value.list().map_or(&[][..], |list| list.items.as_slice());
        match (&**name, items, &value.what) {
            ("Condition", _, What::Text(name)) => self.condition(name, value.at),
            ("Fn::Equals", [a, b], _) => {
                let (a, b) = (self.value(a), self.value(b));
                match (a.as_text(), b.as_text()) {
                    (Some(a), Some(b)) => Truth::Is(a == b),
                    _ if a.is_known() && b.is_known() => Truth::Is(a == b),
                    _ if a.name_of_unknown().is_some() && a == b => Truth::Is(true),
                    _ => Truth::Not(format!("{} = {}", show(&a), show(&b))),
                }
            }
            ("Fn::Not", [of], _) => match self.truth(of) {
                Truth::Is(truth) => Truth::Is(!truth),
                Truth::Not(name) => Truth::Not(format!("not ({name})")),
            },
            ("Fn::And", [_, _, ..], _) => self.several(items, false, "and"),
            ("Fn::Or", [_, _, ..], _) => self.several(items, true, "or"),
            _ => self
                .no_condition(*at, "Fn::And, Fn::Or, Fn::Not, Fn::Equals or Condition with what it takes is expected"),
        }
    }

    /// All of several conditions, or any: one that is `decisive` decides.
    fn several(&mut self, items: &[Value], decisive: bool, word: &str) -> Truth {
        let truths: Vec<Truth> = items.iter().map(|item| self.truth(item)).collect();
        if truths.contains(&Truth::Is(decisive)) {
            return Truth::Is(decisive);
        }
        let open = truths.into_iter().filter_map(|truth| match truth {
            Truth::Is(_) => None,
            Truth::Not(name) => Some(name),
        });
        let names: Vec<String> = open.collect();
        if names.is_empty() {
            Truth::Is(!decisive)
        } else {
            Truth::Not(format!("({})", names.join(&format!(" {word} "))))
        }
    }

    fn no_condition(&mut self, at: Span, reason: &str) -> Truth {
        self.account.gap(at, format!("not a condition: {reason}"));
        Truth::Not("what is not understood".to_owned())
    }
}
