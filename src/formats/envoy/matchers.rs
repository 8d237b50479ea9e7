//! Matchers of Envoy's API as conditions: `type.matcher.v3`, `config.route.v3.HeaderMatcher`, `config.core.v3.CidrRange`.

use super::Lowering;
use super::fields::{Fields, brief, said};
use crate::formats::balancers;
use crate::formats::data::value::Value;
use crate::model::{Condition, Subject};
use crate::net::{Family, Pattern, Set, parse_addresses};
use crate::text::{Span, escape};

impl Lowering<'_, '_> {
    /// A condition whose truth is not in the file.
    pub(super) fn opaque(&mut self, text: &str) -> Condition {
        Condition::Opaque(self.reading.store.opaque(text))
    }

    /// Whether one of some patterns matches a part of the request.
    pub(super) fn text(&mut self, subject: Subject, patterns: Vec<Pattern>) -> Condition {
        balancers::text(self.reading.store, subject, patterns)
    }

    /// Whether a part of the request is as a `StringMatcher` asks (`exact`, `prefix`, `suffix`, `contains`, `safe_regex`,
    /// `ignore_case`; the expression matches the whole text).
    pub(super) fn string(&mut self, subject: Subject, matcher: &Value) -> Condition {
        let mut fields = Fields::of(matcher, self.account);
        let fold = fields.truth("ignore_case", self.account);
        let found =
            fields.one_of(&["exact", "prefix", "suffix", "contains", "safe_regex", "regex", "custom"], self.account);
        fields.close(self.account);
        let Some((kind, value)) = found else {
            self.account.gap(matcher.at, "Envoy refuses it: a matcher says what it matches");
            return self.opaque(&format!("the {subject} matches nothing"));
        };
        let pattern = match kind {
            "safe_regex" | "regex" => self.expression(value, false),
            "custom" => None,
            _ => match value.as_text() {
                None => {
                    self.account.gap(value.at, "Envoy refuses it: a text is expected");
                    None
                }
                Some(text) => Some(match kind {
                    "exact" => Pattern::exact(text.as_bytes()),
                    "prefix" => Pattern::prefix(text.as_bytes()),
                    "suffix" => Pattern::suffix(text.as_bytes()),
                    _ => Pattern::contains(text.as_bytes()),
                }),
            },
        };
        match pattern {
            Some(pattern) => {
                let folds = fold && !matches!(kind, "safe_regex" | "regex");
                self.text(subject, vec![if folds { pattern.ignoring_case() } else { pattern }])
            }
            None => self.opaque(&format!("the {subject} is {}", brief(matcher))),
        }
    }

    /// A regular expression (RE2) that matches a whole text; `None`: it is not one that is decided here.
    pub(super) fn expression(&mut self, value: &Value, fold: bool) -> Option<Pattern> {
        let text = match value.object() {
            None => value.as_text(),
            Some(_) => {
                let mut fields = Fields::of(value, self.account);
                fields.inert(&["google_re2"], "the engine of expressions", self.account);
                let text = fields.text("regex", self.account);
                fields.close(self.account);
                text
            }
        };
        let Some(text) = text else {
            self.account.gap(value.at, "Envoy refuses it: a regular expression is expected");
            return None;
        };
        let pattern = Pattern::regex(&format!(r"\A(?:{text})\z"))?;
        Some(if fold { pattern.ignoring_case() } else { pattern })
    }

    /// `config.route.v3.HeaderMatcher`. Of a header that is not there only `present_match` and `treat_missing_header_as_empty`
    /// can hold, inverted or not; methods and hosts are always there.
    pub(super) fn header(&mut self, matcher: &Value) -> Condition {
        const EXACT: &[&str] = &["exact_match", "prefix_match", "suffix_match", "contains_match"];
        let mut fields = Fields::of(matcher, self.account);
        let name = fields.text("name", self.account).map(|name| name.to_ascii_lowercase());
        let inverted = fields.truth("invert_match", self.account);
        let empty = fields.truth("treat_missing_header_as_empty", self.account);
        let names =
            [EXACT, &["safe_regex_match", "regex_match", "range_match", "present_match", "string_match"]].concat();
        let found = fields.one_of(&names, self.account);
        fields.close(self.account);
        let subject = match name.as_deref() {
            None => {
                self.account.gap(matcher.at, "Envoy refuses it: a matcher of headers has a `name`");
                None
            }
            Some(":method") => Some(Subject::Method),
            Some(":authority" | "host") => Some(Subject::Host),
            Some(_) => None,
        };
        let Some(subject) = subject.filter(|_| !empty) else {
            return self.opaque(&format!("the header is as {}", brief(matcher)));
        };
        let pattern = |kind: &str, text: &str| match kind {
            "exact_match" => Pattern::exact(text),
            "prefix_match" => Pattern::prefix(text),
            "suffix_match" => Pattern::suffix(text),
            _ => Pattern::contains(text),
        };
        let condition = match found {
            None => Condition::Always,
            Some(("present_match", value)) if value.as_truth() == Some(true) => Condition::Always,
            Some(("present_match", value)) if value.as_truth() == Some(false) => Condition::Never,
            Some(("string_match", value)) => self.string(subject, value),
            Some(("safe_regex_match" | "regex_match", value)) => match self.expression(value, false) {
                Some(pattern) => self.text(subject, vec![pattern]),
                None => self.opaque(&format!("the {subject} matches {}", said(value))),
            },
            Some((kind, value)) if EXACT.contains(&kind) => match value.as_text() {
                Some(text) => self.text(subject, vec![pattern(kind, &text)]),
                None => {
                    self.account.gap(value.at, "Envoy refuses it: a text is expected");
                    Condition::Never
                }
            },
            Some((_, value)) => self.opaque(&format!("the {subject} is in {}", said(value))),
        };
        if inverted { condition.negated() } else { condition }
    }

    /// The addresses of a `CidrRange`.
    pub(super) fn range(&mut self, value: &Value) -> Option<(Family, Set, String)> {
        let mut fields = Fields::of(value, self.account);
        let prefix = fields.text("address_prefix", self.account)?;
        let length = fields.number("prefix_len", 128, self.account).unwrap_or(0);
        fields.close(self.account);
        let written = format!("{prefix}/{length}");
        match parse_addresses(&written) {
            Some((family, set)) => Some((family, set, written)),
            None => {
                let shown = escape(written.as_bytes());
                self.account.gap(value.at, format!("Envoy refuses it: {shown} is no range of addresses"));
                None
            }
        }
    }

    /// Whether the source is in a range; `None` for the source: it is not the one that the connection comes from.
    pub(super) fn sourced(&mut self, value: &Value, unlike: Option<&str>) -> Condition {
        let Some((family, set, written)) = self.range(value) else { return Condition::Never };
        match unlike {
            Some(which) => self.opaque(&format!("{which} is in {written}")),
            None => self.from(family, set),
        }
    }

    /// Whether the source is one of these addresses.
    pub(super) fn from(&mut self, family: Family, set: Set) -> Condition {
        let (ipv4, ipv6) = match family {
            Family::Ipv4 => (set, Set::empty()),
            Family::Ipv6 => (Set::empty(), set),
        };
        balancers::source(self.reading.store, ipv4, ipv6)
    }

    /// What is left out because Envoy refuses it.
    pub(super) fn refused(&mut self, at: Span, reason: &str) {
        self.account.gap(at, format!("Envoy refuses it: {reason}"));
    }
}
