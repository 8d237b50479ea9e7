//! Which location of a server handles a path, as a list of conditions of which the first that holds decides.
//!
//! nginx looks for an exact location, then for the longest prefix, and in it again; then, unless that prefix says `^~`, for the
//! first regular expression that matches; then takes the prefix (`ngx_http_core_find_location`; nginx.org, `location`).

use super::Lowering;
use super::handlers::{Context, Piece};
use super::http::block;
use super::scope::Scope;
use super::syntax::Directive;
use super::words::is_pass;
use crate::model::{Condition, Outcome, Subject};
use crate::net::Pattern;
use crate::text::escape;

/// A location.
struct Place<'d> {
    directive: &'d Directive,
    kind: Kind,
    path: &'d [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exact,
    /// `true`: no regular expressions are looked at once it is chosen.
    Prefix(bool),
    /// `true`: whatever the case is.
    Expression(bool),
    Named,
}

impl<'d> Lowering<'_, '_> {
    /// What becomes of requests at the locations of a server.
    pub(super) fn locations(&mut self, list: &'d [Directive], scope: &Scope, cx: &Context<'_>) -> Vec<Piece> {
        self.level(list, None, scope, cx)
    }

    /// The same for one level. What none of its locations handles is left over.
    fn level(
        &mut self,
        list: &'d [Directive],
        within: Option<&Place<'d>>,
        scope: &Scope,
        cx: &Context<'_>,
    ) -> Vec<Piece> {
        let places = self.places(list, within);
        let mut out = self.early(&places, scope, cx);
        out.extend(self.late(&places, scope, cx));
        out
    }

    /// The locations of a level, or those inside of another.
    fn places(&mut self, list: &'d [Directive], within: Option<&Place<'d>>) -> Vec<Place<'d>> {
        let mut out: Vec<Place<'d>> = Vec::new();
        for directive in list.iter().filter(|directive| directive.is("location")) {
            let Some((kind, path)) = kind_of(directive) else {
                self.account.gap(directive.head, "nginx refuses it: invalid number of arguments in \"location\"");
                continue;
            };
            let twin = |other: &Place<'_>| {
                // nginx looks for no others that are alike.
                let group = |kind| match kind {
                    Kind::Prefix(_) => Some(0),
                    Kind::Exact => Some(1),
                    Kind::Named | Kind::Expression(_) => None,
                };
                group(kind).is_some() && group(other.kind) == group(kind) && other.path == path
            };
            if let Some(outer) = within {
                let (inner, around) = (escape(path), escape(outer.path));
                let wrong = match (outer.kind, kind) {
                    (Kind::Exact, _) => {
                        Some(format!("location \"{inner}\" cannot be inside the exact location \"{around}\""))
                    }
                    (_, Kind::Named) => Some(format!("named location \"{inner}\" can be on the server level only")),
                    (_, Kind::Expression(_)) => None,
                    (_, Kind::Exact | Kind::Prefix(_)) if path.starts_with(outer.path) => None,
                    (_, Kind::Exact | Kind::Prefix(_)) => {
                        Some(format!("location \"{inner}\" is outside location \"{around}\""))
                    }
                };
                if let Some(reason) = wrong {
                    self.account.gap(directive.head, format!("nginx refuses it: {reason}"));
                    continue;
                }
            }
            if out.iter().any(twin) {
                self.account.gap(directive.head, format!("nginx refuses it: duplicate location \"{}\"", escape(path)));
                continue;
            }
            out.push(Place { directive, kind, path });
        }
        out
    }

    /// What is decided before the regular expressions of the level above are looked at: exact locations, and those inside of
    /// the longest prefix; then the expressions of this level.
    fn early(&mut self, places: &[Place<'d>], scope: &Scope, cx: &Context<'_>) -> Vec<Piece> {
        let mut out = Vec::new();
        for place in places.iter().filter(|place| place.kind == Kind::Exact) {
            let condition = self.test(Subject::Path, vec![Pattern::exact(place.path)]);
            // Nothing may be in it: what is, is refused.
            self.places(block(place.directive), Some(place));
            out.extend(under(&condition, self.handler(place.directive, scope, cx)));
        }
        let fixed = |place: &&Place<'_>| matches!(place.kind, Kind::Exact | Kind::Prefix(_));
        for place in places.iter().filter(fixed).filter(|place| asks(place.directive)) {
            // Without its last slash it is sent to where it has one.
            let Some(bare) = place.path.strip_suffix(b"/").filter(|bare| !bare.is_empty()) else { continue };
            if places.iter().any(|other| matches!(other.kind, Kind::Exact | Kind::Prefix(_)) && other.path == bare) {
                continue;
            }
            let condition = self.test(Subject::Path, vec![Pattern::exact(bare)]);
            let outcome = Outcome::Answered(format!("redirect 301 to {}", escape(place.path)));
            out.push(Piece { condition, outcome, at: place.directive.head });
        }
        let mut forbids = Vec::new();
        for place in places {
            let Kind::Prefix(final_) = place.kind else { continue };
            let inner = block(place.directive);
            let has_inner = inner.iter().any(|directive| directive.is("location"));
            if !final_ && !has_inner {
                continue;
            }
            let condition = self.longest(place, places);
            if has_inner {
                let scope = scope.inside(self, inner);
                let nested = self.places(inner, Some(place));
                out.extend(under(&condition, self.early(&nested, &scope, cx)));
            }
            // That it is final forbids the expressions of this level; those of the level above are looked at all the same.
            if final_ {
                forbids.push(condition.negated());
            }
        }
        let guard = Condition::all(forbids);
        for place in places {
            let Kind::Expression(ignore_case) = place.kind else { continue };
            let condition = self.expression(Subject::Path, place.path, ignore_case);
            let condition = Condition::all([guard.clone(), condition]);
            let inner = block(place.directive);
            if inner.iter().any(|directive| directive.is("location")) {
                let scope = scope.inside(self, inner);
                out.extend(under(&condition, self.level(inner, Some(place), &scope, cx)));
            }
            out.extend(under(&condition, self.handler(place.directive, scope, cx)));
        }
        out
    }

    /// The prefixes, the longest first.
    fn late(&mut self, places: &[Place<'d>], scope: &Scope, cx: &Context<'_>) -> Vec<Piece> {
        let mut prefixes: Vec<&Place<'d>> =
            places.iter().filter(|place| matches!(place.kind, Kind::Prefix(_))).collect();
        prefixes.sort_by_key(|place| std::cmp::Reverse(place.path.len()));
        let mut out = Vec::new();
        for place in prefixes {
            let condition = self.test(Subject::Path, vec![Pattern::prefix(place.path)]);
            out.extend(under(&condition, self.whole(place, scope, cx)));
        }
        out
    }

    /// A prefix location once no regular expression is looked at any more: what is in it, then itself.
    fn whole(&mut self, place: &Place<'d>, scope: &Scope, cx: &Context<'_>) -> Vec<Piece> {
        let inner = block(place.directive);
        let mut out = Vec::new();
        if inner.iter().any(|directive| directive.is("location")) {
            let scope = scope.inside(self, inner);
            let nested = self.places(inner, Some(place));
            out.extend(self.late(&nested, &scope, cx));
        }
        out.extend(self.handler(place.directive, scope, cx));
        out
    }

    /// Whether a prefix is the longest of its level that fits.
    fn longest(&mut self, place: &Place<'d>, places: &[Place<'d>]) -> Condition {
        let mut parts = vec![self.test(Subject::Path, vec![Pattern::prefix(place.path)])];
        for other in places.iter().filter(|other| matches!(other.kind, Kind::Prefix(_))) {
            if other.path.len() > place.path.len() && other.path.starts_with(place.path) {
                parts.push(self.test(Subject::Path, vec![Pattern::prefix(other.path)]).negated());
            }
        }
        Condition::all(parts)
    }
}

/// Which paths a location is for.
fn kind_of(directive: &Directive) -> Option<(Kind, &[u8])> {
    let words: Vec<&[u8]> = directive.words.iter().map(|word| &word.text[..]).collect();
    Some(match words[..] {
        [b"=", path] => (Kind::Exact, path),
        [b"^~", path] => (Kind::Prefix(true), path),
        [b"~", path] => (Kind::Expression(false), path),
        [b"~*", path] => (Kind::Expression(true), path),
        [name] if name.starts_with(b"@") => (Kind::Named, name),
        [path] => match path {
            // The sign may stand at the path without a blank.
            [b'=', path @ ..] => (Kind::Exact, path),
            [b'^', b'~', path @ ..] => (Kind::Prefix(true), path),
            [b'~', b'*', path @ ..] => (Kind::Expression(true), path),
            [b'~', path @ ..] => (Kind::Expression(false), path),
            path => (Kind::Prefix(false), path),
        },
        _ => return None,
    })
}

/// The expression of a location that has groups, as it reads.
pub(super) fn expression_of(location: &Directive) -> Option<String> {
    match kind_of(location)? {
        (Kind::Expression(_), expression) if expression.contains(&b'(') => {
            Some(format!("location {}", location.said()))
        }
        (Kind::Expression(_) | Kind::Exact | Kind::Prefix(_) | Kind::Named, _) => None,
    }
}

/// The location of a server that answers a path that nginx itself asks for; `None`: it is not known, or leads elsewhere.
pub(super) fn answering<'d>(path: &[u8], list: &'d [Directive]) -> Option<&'d Directive> {
    const ELSEWHERE: &[&str] = &["location", "rewrite", "try_files", "error_page", "if"];
    let path = path.split(|byte| *byte == b'?').next().unwrap_or(path);
    let matches = |text: &[u8], fold: bool| {
        let pattern = std::str::from_utf8(text).ok().and_then(Pattern::regex);
        let pattern = pattern.map(|pattern| if fold { pattern.ignoring_case() } else { pattern });
        pattern.is_none_or(|pattern| pattern.matches(path))
    };
    let inside = list.iter().filter(|directive| directive.is("if")).flat_map(block);
    let away = list.iter().chain(inside).any(|d| d.is("rewrite") && matches(d.first(), false));
    if !path.starts_with(b"/") || path.contains(&b'$') || away {
        return None;
    }
    let known: Vec<(&Directive, Kind, &[u8])> = list
        .iter()
        .filter(|directive| directive.is("location"))
        .filter_map(|directive| kind_of(directive).map(|(kind, text)| (directive, kind, text)))
        .collect();
    let exact = known.iter().find(|(_, kind, text)| *kind == Kind::Exact && *text == path);
    let prefixes = known.iter().filter(|(_, kind, text)| matches!(kind, Kind::Prefix(_)) && path.starts_with(text));
    let (location, kind, _) = exact.or_else(|| prefixes.max_by_key(|(_, _, text)| text.len()))?;
    let expressions = |kind: &Kind, text: &[u8]| match kind {
        Kind::Expression(fold) => matches(text, *fold),
        Kind::Exact | Kind::Prefix(_) | Kind::Named => false,
    };
    if *kind == Kind::Prefix(false) && known.iter().any(|(_, kind, text)| expressions(kind, text)) {
        return None;
    }
    (!block(location).iter().any(|d| ELSEWHERE.iter().any(|name| d.is(name)))).then_some(*location)
}

/// Whether a location asks servers itself.
fn asks(location: &Directive) -> bool {
    block(location).iter().any(|directive| is_pass(&directive.name))
}

/// Pieces for requests of which a condition holds.
pub(super) fn under(condition: &Condition, pieces: Vec<Piece>) -> Vec<Piece> {
    let under = |piece: Piece| Piece { condition: Condition::all([condition.clone(), piece.condition]), ..piece };
    pieces.into_iter().map(under).collect()
}
