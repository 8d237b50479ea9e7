//! What the rewrite module says of a request: `return`, `rewrite`, `if`, `break`.

use super::Lowering;
use super::handlers::{Context, Piece, is_content};
use super::http::block;
use super::locations::under;
use super::scope::{Scope, is_of_scope};
use super::syntax::{Directive, called};
use super::variables::{anew, grouped, known, variables};
use crate::model::{Condition, Outcome, Subject};
use crate::net::{Family, Pattern, Set, parse_addresses};
use crate::text::escape;

/// What the rewrite module makes of a block.
pub(super) struct Rewritten<'d> {
    pub(super) pieces: Vec<Piece>,
    /// Whether nothing is left after it.
    pub(super) ended: bool,
    /// Of which requests it goes on to look at what comes after the block.
    going: Condition,
    /// The blocks of `if`, and for which requests they hold.
    pub(super) branches: Vec<(Condition, &'d Directive)>,
}

impl Lowering<'_, '_> {
    /// What the rewrite module decides, and whether nothing is left after it.
    pub(super) fn rewrites<'d>(
        &mut self,
        list: &'d [Directive],
        scope: &Scope,
        cx: &Context<'_>,
        of_server: bool,
    ) -> Rewritten<'d> {
        let (mut pieces, mut branches) = (Vec::new(), Vec::new());
        let mut going = Condition::Always;
        for (at, directive) in list.iter().enumerate() {
            let cx = &Context { later: list.get(at + 1..).unwrap_or_default(), ..*cx };
            match &directive.name[..] {
                b"return" => {
                    let outcome = returned(directive, cx);
                    let condition = going.clone();
                    pieces.push(Piece { condition, outcome, at: directive.span });
                    if going == Condition::Always {
                        return Rewritten { pieces, ended: true, going: Condition::Never, branches };
                    }
                    break;
                }
                b"break" => return Rewritten { pieces, ended: false, going: Condition::Never, branches },
                b"rewrite" => {
                    if let Some(piece) = self.rewritten(directive, cx, of_server) {
                        pieces.extend(under(&going, vec![piece]));
                    } else if let [expression, _, flag] = &directive.words[..]
                        && flag.text == b"break"
                    {
                        // No directive of this module is looked at after it.
                        let fits = self.expression(Subject::Path, &expression.text, false);
                        going = Condition::all([going, fits.negated()]);
                    }
                }
                b"if" => {
                    let condition = self.asked_if(directive, scope, cx);
                    let captured = grouped(std::slice::from_ref(directive));
                    let captured = if captured.is_empty() { cx.captured } else { &captured };
                    let inside = Context { captured, ..*cx };
                    let inner = self.rewrites(block(directive), scope, &inside, of_server);
                    let holds = Condition::all([going.clone(), condition.clone()]);
                    pieces.extend(under(&holds, inner.pieces));
                    if !inner.ended && !goes_away(block(directive)) {
                        branches.push((holds, directive));
                    }
                    if inner.going != Condition::Always && !inner.ended {
                        going = Condition::all([going, Condition::any([condition.negated(), inner.going])]);
                    }
                    for inner in block(directive) {
                        match &inner.name[..] {
                            b"return" | b"break" | b"rewrite" | b"if" => {}
                            name if is_content(name) || is_of_scope(name) => {}
                            _ => self.beside(inner),
                        }
                    }
                }
                _ => {}
            }
        }
        Rewritten { pieces, ended: false, going, branches }
    }

    /// A redirect, or another path with which a location is looked for anew; `None`: the location stays.
    fn rewritten(&mut self, directive: &Directive, cx: &Context<'_>, of_server: bool) -> Option<Piece> {
        let [expression, to, rest @ ..] = &directive.words[..] else {
            self.account.gap(directive.span, "nginx refuses it: invalid number of arguments in \"rewrite\"");
            return None;
        };
        let flag = rest.first().map_or(&b""[..], |word| &word.text);
        // A redirect is another one where `$1` is a part of another expression.
        let captured = grouped(std::slice::from_ref(directive));
        let own = Context { captured: if captured.is_empty() { cx.captured } else { &captured }, ..*cx };
        let away = [&b"http://"[..], b"https://", b"$scheme"].iter().any(|start| to.text.starts_with(start));
        let outcome = match flag {
            b"permanent" => Outcome::Answered(format!("redirect 301 to {}", known(&to.text, &own))),
            b"redirect" => Outcome::Answered(format!("redirect 302 to {}", known(&to.text, &own))),
            _ if away => Outcome::Answered(format!("redirect 302 to {}", known(&to.text, &own))),
            b"break" if !of_server => return None,
            b"last" | b"break" | b"" => Outcome::Computed(anew(&escape(&to.text), cx)),
            other => {
                self.account.gap(directive.span, format!("nginx refuses it: invalid parameter \"{}\"", escape(other)));
                return None;
            }
        };
        let condition = self.expression(Subject::Path, &expression.text, false);
        Some(Piece { condition, outcome, at: directive.span })
    }

    /// The condition of an `if`.
    fn asked_if(&mut self, directive: &Directive, scope: &Scope, cx: &Context<'_>) -> Condition {
        let mut words: Vec<Vec<u8>> = directive.words.iter().map(|word| word.text.clone()).collect();
        let opens =
            words.first_mut().is_some_and(|word| word.first() == Some(&b'(') && !word.drain(..1).as_slice().is_empty());
        let closes = words.last_mut().is_some_and(|word| word.pop() == Some(b')'));
        if !opens || !closes {
            self.account.gap(directive.head, "nginx refuses it: invalid condition");
            return Condition::Opaque(self.reading.store.opaque(&directive.said()));
        }
        // A parenthesis may be a word of its own; a text of nothing is one.
        words.pop_if(|_| directive.words.last().is_some_and(|word| word.text == b")"));
        words.drain(..usize::from(directive.first() == b"(").min(words.len()));
        let unknown = |this: &mut Self, text: String| Condition::Opaque(this.reading.store.opaque(&text));
        match &words[..] {
            [variable] => {
                let text = format!("{} is set", known(variable, cx));
                unknown(self, text)
            }
            [variable, operator, value] => {
                let (negated, operator) = match &operator[..] {
                    b"=" => (false, Operator::Is),
                    b"!=" => (true, Operator::Is),
                    b"~" => (false, Operator::Matches(false)),
                    b"~*" => (false, Operator::Matches(true)),
                    b"!~" => (true, Operator::Matches(false)),
                    b"!~*" => (true, Operator::Matches(true)),
                    _ => {
                        self.account.gap(directive.head, "nginx refuses it: invalid condition");
                        (false, Operator::Is)
                    }
                };
                let condition = self.compared(variable, (operator, value), scope, cx);
                if negated { condition.negated() } else { condition }
            }
            [test, file] if test.starts_with(b"-") || test.starts_with(b"!-") => {
                let (negated, test) = test.strip_prefix(b"!").map_or((false, &test[..]), |test| (true, test));
                let text = format!("{} {} holds", escape(test), known(file, cx));
                let condition = unknown(self, text);
                if negated { condition.negated() } else { condition }
            }
            _ => {
                self.account.gap(directive.head, "nginx refuses it: invalid condition");
                unknown(self, directive.said())
            }
        }
    }

    fn compared(
        &mut self,
        variable: &[u8],
        (operator, value): (Operator, &[u8]),
        scope: &Scope,
        cx: &Context<'_>,
    ) -> Condition {
        let subject = match variable {
            _ if value.contains(&b'$') && operator == Operator::Is => None,
            b"$host" => Some((Subject::HostName, true)),
            b"$http_host" => Some((Subject::Host, false)),
            b"$request_method" => Some((Subject::Method, false)),
            b"$uri" | b"$document_uri" => Some((Subject::Path, false)),
            b"$args" | b"$query_string" => Some((Subject::Query, false)),
            b"$ssl_server_name" => Some((Subject::ServerName, false)),
            b"$scheme" => {
                let scheme = if cx.tls { "https" } else { "http" };
                let pattern = match operator {
                    Operator::Is => Some(Pattern::exact(value)),
                    Operator::Matches(fold) => std::str::from_utf8(value)
                        .ok()
                        .and_then(Pattern::regex)
                        .map(|pattern| if fold { pattern.ignoring_case() } else { pattern }),
                };
                if let Some(pattern) = pattern {
                    return if pattern.matches(scheme.as_bytes()) { Condition::Always } else { Condition::Never };
                }
                None
            }
            b"$remote_addr" if operator == Operator::Is => {
                let text = String::from_utf8_lossy(value);
                // It is a text that is compared: no address reads like a network.
                if let Some((family, set)) = parse_addresses(&text).filter(|_| !text.contains(['/', '-'])) {
                    let (ipv4, ipv6) = match family {
                        Family::Ipv4 => (set, Set::empty()),
                        Family::Ipv6 => (Set::empty(), set),
                    };
                    return self.client(ipv4, ipv6, &scope.believed);
                }
                None
            }
            _ => None,
        };
        match (subject, operator) {
            (Some((subject, fold)), Operator::Is) => {
                let pattern = Pattern::exact(value);
                self.test(subject, vec![if fold { pattern.ignoring_case() } else { pattern }])
            }
            (Some((subject, fold)), Operator::Matches(ignore)) => self.expression(subject, value, ignore || fold),
            (None, operator) => {
                let sign = match operator {
                    Operator::Is => "=",
                    Operator::Matches(true) => "~*",
                    Operator::Matches(false) => "~",
                };
                let text = format!("{} {sign} {}", known(variable, cx), escape(value));
                Condition::Opaque(self.reading.store.opaque(&text))
            }
        }
    }
}

/// Whether a block sends every request elsewhere.
fn goes_away(list: &[Directive]) -> bool {
    const ANY: &[&[u8]] =
        &[b"^", b".*", b"^.*", b"^.*$", b"(.*)", b"^(.*)$", b"^/(.*)$", b"^/(.*)", b"^/.*$", b"^(.*)", b"/"];
    let away = |d: &Directive| ANY.contains(&d.first()) && d.words.get(2).is_some_and(|flag| flag.text != b"break");
    called(list, "rewrite").any(away)
}

fn returned(directive: &Directive, cx: &Context<'_>) -> Outcome {
    let said = directive.said();
    let said = format!("{said}{}", variables(&said, cx));
    match directive.first() {
        b"200" | b"204" | b"201" | b"202" => Outcome::Answered(format!("return {said}")),
        b"301" | b"302" | b"303" | b"307" | b"308" => Outcome::Answered(format!("redirect {said}")),
        code if code.iter().all(u8::is_ascii_digit) && code.len() == 3 && code[0] >= b'4' => Outcome::Refused(said),
        code if code.iter().all(u8::is_ascii_digit) => Outcome::Answered(format!("return {said}")),
        // An address alone is a temporary redirect.
        _ => Outcome::Answered(format!("redirect 302 {said}")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    /// `true`: whatever the case is.
    Matches(bool),
}
