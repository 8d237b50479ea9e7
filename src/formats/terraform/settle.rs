//! Syntax of a text as that of an equal one that stands elsewhere: the other side of a change has most files unchanged.

use super::parse::File;
use super::syntax::*;
use crate::formats::data::value::{Entry, List, More, Object, Value, What};
use crate::text::{SourceId, Span};
use std::sync::Arc;

/// The same syntax in another text of the same bytes.
pub(super) fn settled(file: &File, source: SourceId) -> File {
    let mut file = file.clone();
    let File { body: whole, comments, marks } = &mut file;
    body(whole, source);
    comments.iter_mut().chain(marks).for_each(|at| at.source = source);
    file
}

fn body(Body { arguments, blocks }: &mut Body, source: SourceId) {
    for Argument { name: _, name_at, value, at } in arguments {
        name_at.source = source;
        at.source = source;
        expr(value, source);
    }
    for Block { kind: _, kind_at, labels, body: inner, at } in blocks {
        for place in [kind_at, at].into_iter().chain(labels.iter_mut().map(|(_, at)| at)) {
            place.source = source;
        }
        body(inner, source);
    }
}

fn exprs<'e>(all: impl IntoIterator<Item = &'e mut Expr>, source: SourceId) {
    all.into_iter().for_each(|inner| expr(inner, source));
}

fn expr(Expr { kind, at }: &mut Expr, source: SourceId) {
    at.source = source;
    match kind {
        Kind::Literal(literal) => value(literal, source),
        Kind::Tuple(items) => exprs(items, source),
        Kind::Object(items) => {
            for (name, inner) in items {
                match name {
                    Key::Name(_, at) => at.source = source,
                    Key::Computed(computed) => expr(computed, source),
                }
                expr(inner, source);
            }
        }
        Kind::Template(pieces) => parts(pieces, source),
        Kind::Path(start, steps) => {
            if let Start::Expr(start) = &mut **start {
                expr(start, source);
            }
            for step in steps {
                match step {
                    Step::Index(index) => expr(index, source),
                    Step::Attribute(_) | Step::AttributeSplat | Step::FullSplat => {}
                }
            }
        }
        Kind::Conditional(inner) => exprs(&mut **inner, source),
        Kind::Call(call) => exprs(&mut call.arguments, source),
        Kind::Not(of) | Kind::Minus(of) => expr(of, source),
        Kind::Binary(_, sides) => exprs(&mut **sides, source),
        Kind::For(of) => {
            let For { key: _, value: _, collection, to_key, to, grouping: _, condition } = &mut **of;
            exprs([collection, to].into_iter().chain(to_key).chain(condition), source);
        }
    }
}

fn parts(pieces: &mut [Part], source: SourceId) {
    for piece in pieces {
        match piece {
            Part::Text(_) => {}
            Part::Value(inner) => expr(inner, source),
            Part::If(part) => {
                let IfPart { condition, then, otherwise } = &mut **part;
                expr(condition, source);
                parts(then, source);
                parts(otherwise, source);
            }
            Part::For(part) => {
                let ForPart { key: _, value: _, collection, body } = &mut **part;
                expr(collection, source);
                parts(body, source);
            }
        }
    }
}

/// What is written out has no provenance, and is no choice.
fn value(Value { what, at, sensitive: _, provenance: _, either: _ }: &mut Value, source: SourceId) {
    let settle = |at: &mut Span| at.source = source;
    settle(at);
    let further = |more: &mut Vec<More>| more.iter_mut().for_each(|more| value(&mut more.like, source));
    match what {
        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => {}
        What::List(list) => {
            let List { items, more, is_set: _ } = Arc::make_mut(list);
            items.iter_mut().for_each(|item| value(item, source));
            further(more);
        }
        What::Object(object) => {
            let Object { entries, more } = Arc::make_mut(object);
            for Entry { name: _, at, value: inner } in entries {
                settle(at);
                value(inner, source);
            }
            further(more);
        }
    }
}
