//! The names that a rule or an element uses.

use super::super::syntax::{
    Element, ElementOption, Elements, Expression, Jump, Kind, Name, ObjectKind, Rule, Statement, StatementKind, Verdict,
};
use crate::text::Span;

/// A name of the table that something uses.
#[derive(Debug, Clone, Copy)]
pub(super) enum Used<'r, 't> {
    Chain(&'r Name<'t>),
    /// A set or a map.
    Set(&'r Name<'t>),
    Flowtable(&'r Name<'t>),
    /// The object, and where it is named.
    Object(ObjectKind, &'r [u8], Span),
}

type Found<'f, 'r, 't> = &'f mut dyn FnMut(Used<'r, 't>);

/// Calls `found` with every name that a rule uses.
pub(super) fn of_rule<'r, 't>(rule: &'r Rule<'t>, found: Found<'_, 'r, 't>) {
    for Statement { at: _, kind } in &rule.statements {
        of_statement(kind, found);
    }
}

/// Calls `found` with every name that the elements of a set use.
pub(super) fn of_elements<'r, 't>(elements: &'r Elements<'t>, found: Found<'_, 'r, 't>) {
    for Element { at: _, key, options, value } in &elements.others {
        of_expression(key, found);
        of_options(options, found);
        if let Some(value) = value {
            of_expression(value, found);
        }
    }
}

fn of_options<'r, 't>(options: &'r [ElementOption<'t>], found: Found<'_, 'r, 't>) {
    for option in options {
        match option {
            ElementOption::Statement(statement) => of_statement(&statement.kind, found),
            ElementOption::Timeout(_) | ElementOption::Expires(_) | ElementOption::Comment(_) => {}
        }
    }
}

fn of_statement<'r, 't>(kind: &'r StatementKind<'t>, found: Found<'_, 'r, 't>) {
    match kind {
        StatementKind::Match(_, left, right)
        | StatementKind::VerdictMap(left, right)
        | StatementKind::Set(left, right) => {
            of_expression(left, found);
            of_expression(right, found);
        }
        StatementKind::Verdict(verdict) => of_verdict(verdict, found),
        StatementKind::CounterReference(name) => of_object(ObjectKind::Counter, name, found),
        StatementKind::LimitReference(name) => of_object(ObjectKind::Limit, name, found),
        StatementKind::QuotaReference(name) => of_object(ObjectKind::Quota, name, found),
        StatementKind::SynproxyReference(name) => of_object(ObjectKind::Synproxy, name, found),
        StatementKind::CtHelper(name) => of_object(ObjectKind::CtHelper, name, found),
        StatementKind::CtTimeout(name) => of_object(ObjectKind::CtTimeout, name, found),
        StatementKind::CtExpectation(name) => of_object(ObjectKind::CtExpectation, name, found),
        StatementKind::Secmark(name) => of_object(ObjectKind::Secmark, name, found),
        StatementKind::FlowOffload(name) => found(Used::Flowtable(name)),
        StatementKind::Nat(nat) => {
            for part in nat.address.iter().chain(&nat.port) {
                of_expression(part, found);
            }
        }
        StatementKind::Tproxy { family: _, address, port } => {
            for part in address.iter().chain(port) {
                of_expression(part, found);
            }
        }
        StatementKind::Queue { number, flags: _ } => {
            if let Some(number) = number {
                of_expression(number, found);
            }
        }
        StatementKind::Dup { to, device } => {
            for part in to.iter().chain(device) {
                of_expression(part, found);
            }
        }
        StatementKind::Forward { family: _, to, device } => {
            for part in to.iter().chain([device]) {
                of_expression(part, found);
            }
        }
        StatementKind::SetStatement { action: _, set, key, options, value, statements } => {
            found(Used::Set(set));
            of_expression(key, found);
            of_options(options, found);
            if let Some(value) = value {
                of_expression(value, found);
            }
            for statement in statements {
                of_statement(&statement.kind, found);
            }
        }
        StatementKind::Meter { name: _, size: _, key, options, statements } => {
            of_expression(key, found);
            of_options(options, found);
            for statement in statements {
                of_statement(&statement.kind, found);
            }
        }
        StatementKind::ResetOption(option) => of_expression(option, found),
        StatementKind::Counter { .. }
        | StatementKind::Limit(_)
        | StatementKind::Quota(_)
        | StatementKind::ConnectionLimit { .. }
        | StatementKind::Last(_)
        | StatementKind::Log(_)
        | StatementKind::Reject(_)
        | StatementKind::Synproxy(_)
        | StatementKind::Notrack
        | StatementKind::Xt(..) => {}
    }
}

/// An object by its name, or those that a map leads to (which its elements name).
fn of_object<'r, 't>(kind: ObjectKind, name: &'r Expression<'t>, found: Found<'_, 'r, 't>) {
    let what = &name.resolved().kind;
    if let Kind::Word(text) | Kind::Quoted(text) = what {
        found(Used::Object(kind, text, name.at));
    } else if let Kind::Map(key, map) = what {
        of_expression(key, found);
        if let Kind::Set(elements) = &map.resolved().kind {
            for value in elements.others.iter().filter_map(|element| element.value.as_ref()) {
                of_object(kind, value, found);
            }
        } else {
            of_expression(map, found);
        }
    } else {
        of_expression(name, found);
    }
}

fn of_verdict<'r, 't>(verdict: &'r Verdict<'t>, found: Found<'_, 'r, 't>) {
    match verdict {
        Verdict::Jump(Jump::Chain(name)) | Verdict::Goto(Jump::Chain(name)) => found(Used::Chain(name)),
        Verdict::Jump(Jump::Block(rules)) | Verdict::Goto(Jump::Block(rules)) => {
            for rule in rules {
                of_rule(rule, found);
            }
        }
        Verdict::Accept | Verdict::Drop | Verdict::Continue | Verdict::Return => {}
    }
}

fn of_expression<'r, 't>(expression: &'r Expression<'t>, found: Found<'_, 'r, 't>) {
    match &expression.kind {
        Kind::SetReference(name) => found(Used::Set(name)),
        Kind::Set(elements) => of_elements(elements, found),
        Kind::Verdict(verdict) => of_verdict(verdict, found),
        Kind::Variable(_, value) => of_expression(value, found),
        Kind::Prefix(left, right)
        | Kind::Range(left, right)
        | Kind::Map(left, right)
        | Kind::Binary(_, left, right) => {
            of_expression(left, found);
            of_expression(right, found);
        }
        Kind::List(parts) | Kind::Concatenation(parts) => {
            for part in parts {
                of_expression(part, found);
            }
        }
        Kind::Inner(_, inner) => of_expression(inner, found),
        Kind::Jhash { key, .. } => of_expression(key, found),
        Kind::Word(_)
        | Kind::Quoted(_)
        | Kind::Wildcard
        | Kind::Exists(_)
        | Kind::Meta(_)
        | Kind::Ct(..)
        | Kind::Payload(_)
        | Kind::RawPayload { .. }
        | Kind::Extension(..)
        | Kind::ExtensionHeader(_)
        | Kind::TcpOption { .. }
        | Kind::RawTcpOption { .. }
        | Kind::IpOption { .. }
        | Kind::SctpChunk { .. }
        | Kind::DccpOption(_)
        | Kind::Rt(_)
        | Kind::Socket(..)
        | Kind::Osf { .. }
        | Kind::Fib { .. }
        | Kind::Numgen { .. }
        | Kind::Symhash { .. }
        | Kind::Ipsec { .. }
        | Kind::Other(_) => {}
    }
}

/// Calls `found` with the objects of that kind that keys are mapped to.
pub(super) fn of_objects<'r, 't>(kind: ObjectKind, elements: &'r Elements<'t>, found: Found<'_, 'r, 't>) {
    for value in elements.others.iter().filter_map(|element| element.value.as_ref()) {
        let named = &value.resolved().kind;
        if let Kind::Word(text) | Kind::Quoted(text) = named {
            found(Used::Object(kind, text, value.at));
        } else if let Kind::Verdict(_) = named {
            found(Used::Object(kind, b"a verdict", value.at));
        }
    }
}

/// The statement behind the one that ends a rule, which nft refuses.
pub(super) fn after_the_end<'r, 't>(rule: &'r Rule<'t>) -> Option<&'r Statement<'t>> {
    let ends = |statement: &Statement<'_>| {
        matches!(&statement.kind, StatementKind::Reject(_) | StatementKind::Nat(_))
            || matches!(&statement.kind, StatementKind::Verdict(verdict) if *verdict != Verdict::Continue)
    };
    let end = rule.statements.iter().position(ends);
    let block = |statement: &'r Statement<'t>| {
        let StatementKind::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) = &statement.kind else { return None };
        let Jump::Block(rules) = to else { return None };
        rules.iter().find_map(after_the_end)
    };
    end.and_then(|end| rule.statements.get(end + 1)).or_else(|| rule.statements.iter().find_map(block))
}
