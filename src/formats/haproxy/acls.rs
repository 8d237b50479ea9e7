//! The ACLs of a proxy: their lines, and the conditions that name them.

use super::ask::predefined;
use super::conditions::{Asked, Question, Term, When};
use super::lex::{Line, Word};
use super::proxies::{Reader, needed};
use super::rewrites::{Part, changed_by};
use crate::text::Span;

impl Reader<'_> {
    pub(super) fn acl(&mut self, line: &Line) -> Result<(), (Span, String)> {
        let name = needed(line, 1)?;
        self.no_guards(line)?;
        let plain = name.text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b));
        if name.text.is_empty() || !plain {
            return Err((name.at, format!("`{}` is no name of an ACL: HAProxy refuses the file", name.text)));
        }
        if name.text.eq_ignore_ascii_case("or") {
            return Err((name.at, "an ACL cannot be called `or`: HAProxy refuses the file".to_owned()));
        }
        let question = Question::read(line.from(2), line.at)?;
        self.proxy.acls.entry(name.text.clone()).or_default().push(question);
        Ok(())
    }

    /// ACLs that a condition names are declared before.
    pub(super) fn check_when(&mut self, when: Option<&When>) {
        let terms = when.into_iter().flat_map(|when| when.alternatives.iter().flatten());
        let missing: Vec<Word> = terms
            .filter_map(|term| match &term.asked {
                Asked::Named(word) => Some(word),
                Asked::Inline(_) => None,
            })
            .filter(|word| !self.proxy.acls.contains_key(&word.text) && predefined(&word.text, word.at).is_none())
            .cloned()
            .collect();
        for word in missing {
            self.undefined("acl", &word);
            self.gap(word.at, format!("no such ACL: `{}`: HAProxy refuses the file", word.text));
        }
    }

    /// What is changed by asking for a condition.
    pub(super) fn asking(&self, when: Option<&When>) -> Vec<Part> {
        let terms = when.into_iter().flat_map(|when| when.alternatives.iter().flatten());
        let questions = terms.flat_map(|term| match &term.asked {
            Asked::Inline(question) => std::slice::from_ref(&**question),
            Asked::Named(word) => self.proxy.acls.get(&word.text).map_or(&[][..], Vec::as_slice),
        });
        questions.flat_map(|question| changed_by(&question.sample)).collect()
    }

    /// A condition as it reads whatever its ACLs are called.
    pub(super) fn show_when(&self, when: Option<&When>) -> String {
        let Some(When { unless, alternatives }) = when else { return String::new() };
        let term = |term: &Term| {
            let text = match &term.asked {
                Asked::Inline(question) => question.text(),
                Asked::Named(word) => match self.proxy.acls.get(&word.text) {
                    Some(questions) => questions.iter().map(Question::text).collect::<Vec<_>>().join(" | "),
                    None => word.text.clone(),
                },
            };
            format!("{}{{ {text} }}", if term.negated { "!" } else { "" })
        };
        let one = |terms: &Vec<Term>| terms.iter().map(term).collect::<Vec<_>>().join(" ");
        let all = alternatives.iter().map(one).collect::<Vec<_>>().join(" || ");
        format!(" {} {all}", if *unless { "unless" } else { "if" })
    }
}
