//! Text to syntax, by way of `hcl_edit`.
//!
//! HCL takes what that parser does not: a byte order mark, and a key that stands twice in an object constructor (the
//! last one counts; hashicorp/hcl `ObjectConsExpr`). Both are hidden from it.

use super::syntax::*;
use crate::formats::data::Number;
use crate::formats::data::value::{Entry, List, Object, Value, What};
use crate::text::{SourceId, Span, escape};
use hcl_edit::expr::{BinaryOperator, Expression, ObjectKey, TraversalOperator, UnaryOperator};
use hcl_edit::structure::Structure;
use hcl_edit::template::{Directive, Element, Template};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What a text may begin with, and HCL passes over.
pub(super) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How many keys may stand twice in a file, each of which is one more reading of it.
const MOST_REPEATED_KEYS: usize = 200;

/// Why a text is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) at: Span,
    pub(super) reason: String,
}

/// A file as it is written.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    pub(super) body: Body,
    pub(super) comments: Vec<Span>,
    /// The marks around all of it, in notations that have some.
    pub(super) marks: Option<Span>,
}

/// A piece of text that stands within another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'t> {
    pub(super) source: SourceId,
    pub(super) text: &'t str,
    pub(super) place: Place,
}

/// Where the bytes of a piece of text stand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// One by one from there on.
    From(usize),
    /// Somewhere in there: it is written in another way.
    Within(Span),
}

/// Reads a file.
///
/// # Errors
/// It is not HCL.
pub(super) fn file(source: SourceId, bytes: &[u8]) -> Result<File, Vec<Refused>> {
    let mut reader = Reader::of(Piece { source, text: "", place: Place::From(0) });
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let start = error.valid_up_to();
            let end = error.error_len().map_or(bytes.len(), |length| start + length);
            return Err(vec![reader.refused(start..end, "not UTF-8, which HCL has to be")]);
        }
    };
    reader.text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    reader.place = Place::From(whole.len() - reader.text.len());
    let parsed = reader.parse(hcl_edit::parser::parse_body)?;
    let body = reader.body(&parsed);
    let Reader { refused, mut texts, .. } = reader;
    texts.sort();
    if !refused.is_empty() {
        return Err(refused);
    }
    Ok(File { comments: comments(source, bytes, &texts), body, marks: None })
}

/// Reads a text with expressions in it, as it stands without quotes.
///
/// # Errors
/// It is no template.
pub(super) fn template(piece: Piece<'_>, at: Span) -> Result<Kind, Vec<Refused>> {
    Ok(text_of(parts(piece)?, at))
}

/// The pieces of such a text. Its lines are literals of their own, as in heredocs (hashicorp/hcl `scan_tokens.rl`).
///
/// # Errors
/// It is no template.
pub(super) fn parts(piece: Piece<'_>) -> Result<Vec<Part>, Vec<Refused>> {
    let mut reader = Reader::of(piece);
    let parsed = reader.parse(hcl_edit::parser::parse_template)?;
    let parts = reader.parts(&parsed, true);
    if reader.refused.is_empty() { Ok(parts) } else { Err(reader.refused) }
}

/// Reads an expression.
///
/// # Errors
/// It is none.
pub(super) fn expression(piece: Piece<'_>) -> Result<Expr, Vec<Refused>> {
    let mut reader = Reader::of(piece);
    let parsed = reader.parse(hcl_edit::parser::parse_expr)?;
    let expr = reader.expr(&parsed);
    if reader.refused.is_empty() { Ok(expr) } else { Err(reader.refused) }
}

struct Reader<'t> {
    source: SourceId,
    /// Without its byte order mark.
    text: &'t str,
    place: Place,
    /// Keys that stand twice, by their places, and what hides them.
    hidden: BTreeMap<usize, String>,
    refused: Vec<Refused>,
    /// Texts and templates.
    texts: Vec<Span>,
}

impl<'t> Reader<'t> {
    const fn of(Piece { source, text, place }: Piece<'t>) -> Self {
        Self { source, text, place, hidden: BTreeMap::new(), refused: Vec::new(), texts: Vec::new() }
    }

    fn parse<T>(&mut self, parse: fn(&str) -> Result<T, hcl_edit::parser::Error>) -> Result<T, Vec<Refused>> {
        let mut text = std::borrow::Cow::Borrowed(self.text);
        loop {
            let error = match parse(&text) {
                Ok(parsed) => return Ok(parsed),
                Err(error) => error,
            };
            let at = error.location().offset().min(text.len());
            if error.message().contains("redefined object key")
                && matches!(self.place, Place::From(_))
                && self.hidden.len() < MOST_REPEATED_KEYS
                && let Some((at, other)) = self.hide(&text, at)
            {
                let end = at + other.len();
                text.to_mut().replace_range(at..end, &other);
                self.hidden.insert(at, other);
                continue;
            }
            let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
            let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
            let range = if text[at..end].trim().is_empty() { line..end.max(at) } else { at..end };
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            return Err(vec![self.refused(range, &format!("not HCL: {}", escape(message.as_bytes())))]);
        }
    }

    /// Another name of the same length for the key at that place, that no key of the text has.
    fn hide(&self, text: &str, at: usize) -> Option<(usize, String)> {
        let at = if text[at..].starts_with('"') { at + 1 } else { at };
        let length = text[at..].find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))?;
        let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut tries = 0_usize;
        while length > 0 && tries < 10_000 {
            let mut n = tries;
            let name: String = (0..length)
                .map(|_| {
                    let letter = letters[n % letters.len()];
                    n /= letters.len();
                    char::from(letter)
                })
                .collect();
            if !text.contains(&name) {
                return Some((at, name));
            }
            tries += 1;
        }
        None
    }

    fn span(&self, range: Range<usize>) -> Span {
        let shift = match self.place {
            Place::From(shift) => shift,
            Place::Within(at) => return at,
        };
        let narrow = |n: usize| u32::try_from(n + shift).expect("sources are smaller than 4 GiB");
        Span { source: self.source, start: narrow(range.start), end: narrow(range.end) }
    }

    fn refused(&self, range: Range<usize>, reason: &str) -> Refused {
        Refused { at: self.span(range), reason: reason.to_owned() }
    }

    fn refuse(&mut self, at: Span, reason: impl Into<String>) {
        self.refused.push(Refused { at, reason: reason.into() });
    }

    /// Where a node stands: the parser gives all of them a place.
    fn place(&self, node: &impl hcl_edit::Span) -> Span {
        self.span(node.span().unwrap_or(0..self.text.len()))
    }

    /// A name, as the text has it.
    fn name(&self, name: &str, at: Span) -> Arc<str> {
        let Place::From(shift) = self.place else { return name.into() };
        let start = at.start as usize - shift;
        let start = if self.text[start..].starts_with('"') { start + 1 } else { start };
        match self.hidden.get(&start) {
            Some(hidden) => {
                let rest = name.get(hidden.len()..).unwrap_or_default();
                format!("{}{rest}", &self.text[start..start + hidden.len()]).into()
            }
            None => name.into(),
        }
    }

    fn body(&mut self, body: &hcl_edit::structure::Body) -> Body {
        let mut out = Body::default();
        let mut names = BTreeSet::new();
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    let name: Arc<str> = attribute.key.as_str().into();
                    let name_at = self.place(&attribute.key);
                    let value = self.expr(&attribute.value);
                    if !names.insert(Arc::clone(&name)) {
                        self.refuse(name_at, format!("`{name}` is set twice: terraform refuses it"));
                    }
                    let at = Span { end: value.at.end, ..name_at };
                    out.arguments.push(Argument { name, name_at, value, at });
                }
                Structure::Block(block) => {
                    let labels = block.labels.iter().map(|label| (label.as_str().into(), self.place(label)));
                    let labels: Vec<_> = labels.collect();
                    self.texts.extend(labels.iter().map(|(_, at): &(Arc<str>, Span)| *at));
                    let kind_at = self.place(&block.ident);
                    let at = Span { end: self.place(block).end, ..kind_at };
                    let body = self.body(&block.body);
                    out.blocks.push(Block { kind: block.ident.as_str().into(), kind_at, labels, body, at });
                }
            }
        }
        out
    }

    fn expr(&mut self, expr: &Expression) -> Expr {
        let at = self.place(expr);
        let literal = |what| Kind::Literal(Value::new(what, at));
        if matches!(expr, Expression::String(_) | Expression::StringTemplate(_) | Expression::HeredocTemplate(_)) {
            self.texts.push(at);
        }
        let kind = match expr {
            Expression::Null(_) => literal(What::Null),
            Expression::Bool(truth) => literal(What::Truth(*truth.value())),
            Expression::Number(written) => {
                let written: &str = written.as_repr().map_or("", |written| written);
                number(&written.split_whitespace().collect::<String>(), at)
            }
            Expression::String(text) => literal(What::Text(self.name(text.as_str(), at))),
            Expression::Array(array) => {
                let items = array.iter().map(|item| self.expr(item)).collect();
                tuple(items, at)
            }
            Expression::Object(object) => {
                let items = object
                    .iter()
                    .map(|(key, value)| {
                        let key = match key {
                            ObjectKey::Ident(name) => {
                                let at = self.place(name);
                                Key::Name(self.name(name.as_str(), at), at)
                            }
                            ObjectKey::Expression(expr) => match self.expr(expr) {
                                Expr { kind: Kind::Literal(Value { what: What::Text(text), .. }), at } => {
                                    Key::Name(text, at)
                                }
                                expr => Key::Computed(expr),
                            },
                        };
                        (key, self.expr(value.expr()))
                    })
                    .collect();
                object_of(items, at)
            }
            Expression::StringTemplate(template) => text_of(self.parts(template, false), at),
            Expression::HeredocTemplate(heredoc) => text_of(self.parts(&heredoc.template, true), at),
            Expression::Parenthesis(inner) => return Expr { at, ..self.expr(inner.inner()) },
            Expression::Variable(name) => Kind::Path(Box::new(Start::Name(name.as_str().into())), Vec::new()),
            Expression::Conditional(conditional) => Kind::Conditional(Box::new([
                self.expr(&conditional.cond_expr),
                self.expr(&conditional.true_expr),
                self.expr(&conditional.false_expr),
            ])),
            Expression::FuncCall(call) => {
                let spaces = call.name.namespace.iter().map(|space| format!("{}::", space.as_str()));
                let name = spaces.chain([call.name.name.as_str().to_owned()]).collect();
                let arguments = call.args.iter().map(|argument| self.expr(argument)).collect();
                Kind::Call(Box::new(Call { name, arguments, spread: call.args.expand_final() }))
            }
            Expression::Traversal(traversal) => {
                let start = match self.expr(&traversal.expr) {
                    Expr { kind: Kind::Path(start, steps), at: _ } if steps.is_empty() => *start,
                    expr => Start::Expr(expr),
                };
                let steps = traversal.operators.iter().map(|operator| self.step(operator)).collect();
                Kind::Path(Box::new(start), steps)
            }
            Expression::UnaryOp(operation) => {
                let of = Box::new(self.expr(&operation.expr));
                match operation.operator.value() {
                    UnaryOperator::Neg => Kind::Minus(of),
                    UnaryOperator::Not => Kind::Not(of),
                }
            }
            Expression::BinaryOp(operation) => {
                let operator = operator(*operation.operator.value());
                let sides = [self.expr(&operation.lhs_expr), self.expr(&operation.rhs_expr)];
                Kind::Binary(operator, Box::new(sides))
            }
            Expression::ForExpr(of) => Kind::For(Box::new(For {
                key: of.intro.key_var.as_ref().map(|name| name.as_str().into()),
                value: of.intro.value_var.as_str().into(),
                collection: self.expr(&of.intro.collection_expr),
                to_key: of.key_expr.as_ref().map(|key| self.expr(key)),
                to: self.expr(&of.value_expr),
                grouping: of.grouping,
                condition: of.cond.as_ref().map(|condition| self.expr(&condition.expr)),
            })),
        };
        Expr { kind, at }
    }

    fn step(&mut self, operator: &hcl_edit::Decorated<TraversalOperator>) -> Step {
        let at = self.place(operator);
        match operator.value() {
            TraversalOperator::AttrSplat(_) => Step::AttributeSplat,
            TraversalOperator::FullSplat(_) => Step::FullSplat,
            TraversalOperator::GetAttr(name) => Step::Attribute(name.as_str().into()),
            TraversalOperator::Index(index) => Step::Index(self.expr(index)),
            TraversalOperator::LegacyIndex(index) => {
                let value = Value::of_number((*index.value()).into(), at);
                Step::Index(Expr { kind: Kind::Literal(value), at })
            }
        }
    }

    /// The pieces of a template. `~` takes the blanks away at its side of the mark up to the end of the line, or of the
    /// literal if it is in quotes: in heredocs each line is a literal of its own.
    fn parts(&mut self, template: &Template, by_line: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        self.parts_between(template, by_line, false, false, &mut parts);
        parts
    }

    fn parts_between(&mut self, template: &Template, by_line: bool, first: bool, last: bool, parts: &mut Vec<Part>) {
        let mut trim = first;
        for element in template {
            match element {
                Element::Literal(text) => {
                    let text = if trim { trimmed_start(text, by_line) } else { text.as_str() };
                    parts.push(Part::Text(text.to_owned()));
                    trim = false;
                }
                Element::Interpolation(interpolation) => {
                    trim_last(parts, interpolation.strip.strip_start(), by_line);
                    parts.push(Part::Value(self.expr(&interpolation.expr)));
                    trim = interpolation.strip.strip_end();
                }
                Element::Directive(directive) => match &**directive {
                    Directive::If(directive) => {
                        let (begin, end) = (&directive.if_expr, &directive.endif_expr);
                        trim_last(parts, begin.strip.strip_start(), by_line);
                        let middle = directive.else_expr.as_ref();
                        let first_end = middle.map_or(end.strip, |middle| middle.strip).strip_start();
                        let (mut then, mut otherwise) = (Vec::new(), Vec::new());
                        self.parts_between(&begin.template, by_line, begin.strip.strip_end(), first_end, &mut then);
                        if let Some(middle) = middle {
                            let (first, last) = (middle.strip.strip_end(), end.strip.strip_start());
                            self.parts_between(&middle.template, by_line, first, last, &mut otherwise);
                        }
                        let condition = self.expr(&begin.cond_expr);
                        parts.push(Part::If(Box::new(IfPart { condition, then, otherwise })));
                        trim = end.strip.strip_end();
                    }
                    Directive::For(directive) => {
                        let (begin, end) = (&directive.for_expr, &directive.endfor_expr);
                        trim_last(parts, begin.strip.strip_start(), by_line);
                        let mut inner = Vec::new();
                        let (first, last) = (begin.strip.strip_end(), end.strip.strip_start());
                        self.parts_between(&begin.template, by_line, first, last, &mut inner);
                        parts.push(Part::For(Box::new(ForPart {
                            key: begin.key_var.as_ref().map(|name| name.as_str().into()),
                            value: begin.value_var.as_str().into(),
                            collection: self.expr(&begin.collection_expr),
                            body: inner,
                        })));
                        trim = end.strip.strip_end();
                    }
                },
            }
        }
        trim_last(parts, last, by_line);
    }
}

/// A number as it is written.
pub(super) fn number(digits: &str, at: Span) -> Kind {
    match Number::parse(digits) {
        Some(number) => Kind::Literal(Value::new(What::Number(number), at)),
        None => {
            let shown = escape(digits.as_bytes());
            Kind::Literal(Value::unknown(&format!("the number {shown}, which is out of range"), at))
        }
    }
}

fn trimmed_start(text: &str, by_line: bool) -> &str {
    let line = if by_line { text.find('\n').map_or(text.len(), |n| n + 1) } else { text.len() };
    let trimmed = text[..line].trim_start();
    &text[line - trimmed.len()..]
}

fn trim_last(parts: &mut [Part], strip: bool, by_line: bool) {
    if strip && let Some(Part::Text(text)) = parts.last_mut() {
        let before = text.strip_suffix('\n').unwrap_or(text);
        let line = if by_line { before.rfind('\n').map_or(0, |n| n + 1) } else { 0 };
        let kept = line + text[line..].trim_end().len();
        text.truncate(kept);
    }
}

/// A template, as a value if there is nothing in it to compute.
fn text_of(parts: Vec<Part>, at: Span) -> Kind {
    let plain = |part: &Part| if let Part::Text(text) = part { Some(text.clone()) } else { None };
    match parts.iter().map(plain).collect::<Option<String>>() {
        Some(text) => Kind::Literal(Value::of_text(&text, at)),
        None => Kind::Template(parts),
    }
}

/// The comments of a text, which are not in its texts.
fn comments(source: SourceId, bytes: &[u8], texts: &[Span]) -> Vec<Span> {
    let mut found = Vec::new();
    let mut texts = texts.iter().peekable();
    let mut at = 0;
    let find = |from: usize| memchr::memchr2(b'#', b'/', bytes.get(from..)?).map(|n| from + n);
    while let Some(next) = find(at) {
        while texts.next_if(|text| text.end as usize <= next).is_some() {}
        if let Some(text) = texts.peek().filter(|text| text.start as usize <= next) {
            at = text.end as usize;
            continue;
        }
        let line = || memchr::memchr(b'\n', &bytes[next..]).map_or(bytes.len(), |n| next + n);
        let end = match (bytes[next], bytes.get(next + 1)) {
            (b'#', _) | (b'/', Some(b'/')) => line(),
            (b'/', Some(b'*')) => memchr::memmem::find(&bytes[next..], b"*/").map_or(bytes.len(), |n| next + n + 2),
            (_, _) => {
                at = next + 1;
                continue;
            }
        };
        let trimmed = next + bytes[next..end].trim_ascii_end().len();
        let narrow = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
        found.push(Span { source, start: narrow(next), end: narrow(trimmed) });
        at = end;
    }
    found
}

/// A list, as a value if its items are.
pub(super) fn tuple(items: Vec<Expr>, at: Span) -> Kind {
    if !items.iter().all(|item| matches!(item.kind, Kind::Literal(_))) {
        return Kind::Tuple(items);
    }
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        if let Kind::Literal(value) = item.kind {
            values.push(value);
        }
    }
    Kind::Literal(Value::new(What::List(Arc::new(List { items: values, more: Vec::new(), is_set: false })), at))
}

/// An object, as a value if its items are.
pub(super) fn object_of(items: Vec<(Key, Expr)>, at: Span) -> Kind {
    let is_literal = |(key, value): &(Key, Expr)| matches!((key, &value.kind), (Key::Name(..), Kind::Literal(_)));
    if !items.iter().all(is_literal) {
        return Kind::Object(items);
    }
    let mut object = Object::default();
    for (key, expr) in items {
        if let (Key::Name(name, at), Kind::Literal(value)) = (key, expr.kind) {
            object.put(Entry { name, at, value });
        }
    }
    Kind::Literal(Value::new(What::Object(Arc::new(object)), at))
}

const fn operator(operator: BinaryOperator) -> Operator {
    match operator {
        BinaryOperator::Eq => Operator::Equal,
        BinaryOperator::NotEq => Operator::Unequal,
        BinaryOperator::LessEq => Operator::LessOrEqual,
        BinaryOperator::GreaterEq => Operator::GreaterOrEqual,
        BinaryOperator::Less => Operator::Less,
        BinaryOperator::Greater => Operator::Greater,
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        BinaryOperator::Mul => Operator::Times,
        BinaryOperator::Div => Operator::Over,
        BinaryOperator::Mod => Operator::Remainder,
        BinaryOperator::And => Operator::And,
        BinaryOperator::Or => Operator::Or,
    }
}
