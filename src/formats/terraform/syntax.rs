//! What Terraform files say, in their own words, each node with its bytes.

use crate::formats::data::value::Value;
use crate::text::Span;
use std::sync::Arc;

/// The body of a file or a block.
#[derive(Debug, Clone, Default)]
pub(super) struct Body {
    /// Its arguments, in order; no name stands twice.
    pub(super) arguments: Vec<Argument>,
    /// Its blocks, in order.
    pub(super) blocks: Vec<Block>,
}

/// `name = value`
#[derive(Debug, Clone)]
pub(super) struct Argument {
    pub(super) name: Arc<str>,
    /// Where the name stands.
    pub(super) name_at: Span,
    pub(super) value: Expr,
    /// The whole of it.
    pub(super) at: Span,
}

/// `kind "label" "label" { … }`
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) kind: Arc<str>,
    /// Where the kind stands.
    pub(super) kind_at: Span,
    pub(super) labels: Vec<(Arc<str>, Span)>,
    pub(super) body: Body,
    /// The whole of it.
    pub(super) at: Span,
}

/// An expression.
#[derive(Debug, Clone)]
pub(super) struct Expr {
    pub(super) kind: Kind,
    pub(super) at: Span,
}

/// What an expression is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A value that is written out: `80`, `["10.0.0.0/8"]`.
    Literal(Value),
    /// `[a, b]`
    Tuple(Vec<Expr>),
    /// `{ a = b }`
    Object(Vec<(Key, Expr)>),
    /// `"a${b}"`, or a heredoc.
    Template(Vec<Part>),
    /// A name and what is behind it: `aws_vpc.main["a"].id`, `f(x)[0]`.
    Path(Box<Start>, Vec<Step>),
    /// `a ? b : c`
    Conditional(Box<[Expr; 3]>),
    /// `f(a, b...)`
    Call(Box<Call>),
    /// `!a`
    Not(Box<Expr>),
    /// `-a`
    Minus(Box<Expr>),
    /// `a + b`
    Binary(Operator, Box<[Expr; 2]>),
    /// `[for a in b : c]`, `{for a, b in c : d => e}`
    For(Box<For>),
}

/// What a path begins with.
#[derive(Debug, Clone)]
pub(super) enum Start {
    /// A name.
    Name(Arc<str>),
    /// Any other expression.
    Expr(Expr),
}

/// One step of a path.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// `.name`
    Attribute(Arc<str>),
    /// `[index]`, `.0`
    Index(Expr),
    /// `.*`: the attributes behind it are those of each item.
    AttributeSplat,
    /// `[*]`: all behind it is done with each item.
    FullSplat,
}

/// The key of an item of an object.
#[derive(Debug, Clone)]
pub(super) enum Key {
    /// A name as it stands.
    Name(Arc<str>, Span),
    /// `"a${b}"`, `(a)`
    Computed(Expr),
}

/// A piece of a template.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// As it stands.
    Text(String),
    /// `${a}`
    Value(Expr),
    /// `%{ if a }…%{ else }…%{ endif }`
    If(Box<IfPart>),
    /// `%{ for a in b }…%{ endfor }`
    For(Box<ForPart>),
}

#[derive(Debug, Clone)]
pub(super) struct IfPart {
    pub(super) condition: Expr,
    pub(super) then: Vec<Part>,
    pub(super) otherwise: Vec<Part>,
}

#[derive(Debug, Clone)]
pub(super) struct ForPart {
    pub(super) key: Option<Arc<str>>,
    pub(super) value: Arc<str>,
    pub(super) collection: Expr,
    pub(super) body: Vec<Part>,
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    /// With its name space: `provider::aws::arn_parse`.
    pub(super) name: String,
    pub(super) arguments: Vec<Expr>,
    /// Whether the last one is a list of arguments: `f(a...)`.
    pub(super) spread: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Over,
    Remainder,
}

impl Operator {
    /// As it is written.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Over => "/",
            Self::Remainder => "%",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct For {
    pub(super) key: Option<Arc<str>>,
    pub(super) value: Arc<str>,
    pub(super) collection: Expr,
    /// The key of each item, if it makes an object.
    pub(super) to_key: Option<Expr>,
    pub(super) to: Expr,
    /// Whether values of one key are a list: `...`.
    pub(super) grouping: bool,
    pub(super) condition: Option<Expr>,
}

impl Body {
    /// The argument of that name.
    pub(super) fn argument(&self, name: &str) -> Option<&Argument> {
        self.arguments.iter().find(|argument| &*argument.name == name)
    }

    /// The blocks of that kind.
    pub(super) fn blocks_of<'b>(&'b self, kind: &'b str) -> impl Iterator<Item = &'b Block> {
        self.blocks.iter().filter(move |block| &*block.kind == kind)
    }
}

impl Key {
    pub(super) const fn at(&self) -> Span {
        match self {
            Self::Name(_, at) => *at,
            Self::Computed(expr) => expr.at,
        }
    }
}

impl Expr {
    /// The expressions that it is made of, one level deep, with the names that each of them may use besides: those
    /// that a `for` gives.
    pub(super) fn each(&self, visit: &mut dyn FnMut(&Self, &[&Arc<str>])) {
        match &self.kind {
            Kind::Literal(_) => {}
            Kind::Tuple(items) => items.iter().for_each(|item| visit(item, &[])),
            Kind::Object(items) => {
                for (key, value) in items {
                    if let Key::Computed(key) = key {
                        visit(key, &[]);
                    }
                    visit(value, &[]);
                }
            }
            Kind::Template(parts) => each_of_parts(parts, &[], visit),
            Kind::Path(start, steps) => {
                if let Start::Expr(expr) = &**start {
                    visit(expr, &[]);
                }
                for step in steps {
                    if let Step::Index(index) = step {
                        visit(index, &[]);
                    }
                }
            }
            Kind::Conditional(parts) => parts.iter().for_each(|part| visit(part, &[])),
            Kind::Call(call) => call.arguments.iter().for_each(|argument| visit(argument, &[])),
            Kind::Not(of) | Kind::Minus(of) => visit(of, &[]),
            Kind::Binary(_, parts) => parts.iter().for_each(|part| visit(part, &[])),
            Kind::For(of) => {
                visit(&of.collection, &[]);
                let names: Vec<_> = of.key.iter().chain([&of.value]).collect();
                for inner in of.to_key.iter().chain([&of.to]).chain(&of.condition) {
                    visit(inner, &names);
                }
            }
        }
    }
}

/// The same for pieces of templates, within which these names may be used besides.
pub(super) fn each_of_parts<'p>(parts: &'p [Part], names: &[&'p Arc<str>], visit: &mut dyn FnMut(&Expr, &[&Arc<str>])) {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Value(expr) => visit(expr, names),
            Part::If(part) => {
                visit(&part.condition, names);
                each_of_parts(&part.then, names, visit);
                each_of_parts(&part.otherwise, names, visit);
            }
            Part::For(part) => {
                visit(&part.collection, names);
                let mut inner = names.to_vec();
                inner.extend(part.key.iter().chain([&part.value]));
                each_of_parts(&part.body, &inner, visit);
            }
        }
    }
}

impl Expr {
    /// The name that it is, with nothing behind it.
    pub(super) fn as_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Path(start, steps) if steps.is_empty() => match &**start {
                Start::Name(name) => Some(name),
                Start::Expr(_) => None,
            },
            Kind::Literal(_)
            | Kind::Tuple(_)
            | Kind::Object(_)
            | Kind::Template(_)
            | Kind::Path(..)
            | Kind::Conditional(_)
            | Kind::Call(_)
            | Kind::Not(_)
            | Kind::Minus(_)
            | Kind::Binary(..)
            | Kind::For(_) => None,
        }
    }

    /// The names that a list of names has, or the one name that it is; in quotes, too, as they once were.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        match &self.kind {
            Kind::Tuple(items) => items.iter().flat_map(Self::names).collect(),
            Kind::Literal(value) => match (value.text(), value.list()) {
                (Some(text), _) => vec![text.into()],
                (None, Some(list)) => list.items.iter().filter_map(|item| item.text().map(Into::into)).collect(),
                (None, None) => Vec::new(),
            },
            Kind::Path(start, _) => match &**start {
                Start::Name(name) => vec![Arc::clone(name)],
                Start::Expr(_) => Vec::new(),
            },
            Kind::Object(_)
            | Kind::Template(_)
            | Kind::Conditional(_)
            | Kind::Call(_)
            | Kind::Not(_)
            | Kind::Minus(_)
            | Kind::Binary(..)
            | Kind::For(_) => Vec::new(),
        }
    }
}

impl Expr {
    fn literal(&self) -> Option<&Value> {
        if let Kind::Literal(value) = &self.kind { Some(value) } else { None }
    }

    /// The text that is written out.
    pub(super) fn literal_text(&self) -> Option<&str> {
        self.literal()?.text()
    }

    /// The truth that is written out.
    pub(super) fn literal_truth(&self) -> Option<bool> {
        self.literal()?.as_truth()
    }

    /// The items of a list constructor that are no values.
    pub(super) fn tuple(&self) -> Option<&[Self]> {
        if let Kind::Tuple(items) = &self.kind {
            return Some(items);
        }
        self.literal()?.list().filter(|list| list.items.is_empty()).map(|_| &[][..])
    }

    /// The items of an object constructor that are no values.
    pub(super) fn object(&self) -> Option<&[(Key, Self)]> {
        if let Kind::Object(items) = &self.kind {
            return Some(items);
        }
        self.literal()?.object().filter(|object| object.entries.is_empty()).map(|_| &[][..])
    }
}
