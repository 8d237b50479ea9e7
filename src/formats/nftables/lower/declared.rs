//! How sets and maps are declared: of which types, with which flags, and what nft and the kernel refuse about it.

use super::conditions::Part;
use super::context::Context;
use super::values::values;
use crate::formats::nftables::account::Account;
use crate::formats::nftables::ruleset;
use crate::formats::nftables::syntax::{
    Element, ElementOption, Expression, Kind, Name, SetData, SetFlag, SetKey, Statement, StatementKind,
};
use crate::formats::nftables::types::Type;
use crate::text::Span;

/// How a set is declared, as far as its elements are concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared {
    pub(super) interval: bool,
    pub(super) auto_merge: bool,
    pub(super) map: bool,
    /// An element has a time unless it says another.
    pub(super) timeout: Option<u64>,
    pub(super) may_time_out: bool,
    pub(super) limited: bool,
    pub(super) size: Option<u64>,
    /// Keys may be mapped to intervals.
    pub(super) to_intervals: bool,
}

impl Declared {
    pub(super) const ANONYMOUS: Self = Self {
        interval: true,
        auto_merge: true,
        map: false,
        timeout: None,
        may_time_out: false,
        limited: false,
        size: None,
        to_intervals: true,
    };

    pub(super) fn of(set: &ruleset::Set<'_>) -> Self {
        let head = &set.head;
        let has = |flag| head.flags.contains(&flag);
        Self {
            interval: has(SetFlag::Interval),
            auto_merge: head.auto_merge,
            map: head.map,
            timeout: head.timeout,
            may_time_out: has(SetFlag::Timeout) || head.timeout.is_some(),
            limited: head.statements.iter().any(|statement| decides(&statement.kind)),
            size: head.size,
            to_intervals: head.listed || matches!(head.data, Some(SetData::Types(_, true) | SetData::TypeOf(_, true))),
        }
    }
}

/// Whether a statement of an element can keep a packet from it.
pub(super) fn decides(statement: &StatementKind<'_>) -> bool {
    !matches!(statement, StatementKind::Counter { .. } | StatementKind::Last(_))
}

/// The types of the keys of a set.
pub(super) fn kinds(set: &ruleset::Set<'_>) -> Result<Vec<Type>, String> {
    match &set.head.key {
        Some(SetKey::Types(names)) => names
            .iter()
            .map(|name| Type::named(&name.text).ok_or_else(|| format!("unknown datatype {}", name.show())))
            .collect(),
        Some(SetKey::TypeOf(expression)) => types_of(expression),
        None => Err("set definition does not specify key".to_owned()),
    }
}

/// The types of what a map maps to; none for objects.
pub(super) fn data_kinds(set: &ruleset::Set<'_>) -> Vec<Type> {
    match &set.head.data {
        Some(SetData::Types(names, _)) => names.iter().filter_map(|name| Type::named(&name.text)).collect(),
        Some(SetData::TypeOf(expression, _)) => types_of(expression).unwrap_or_default(),
        Some(SetData::Objects(_)) | None => Vec::new(),
    }
}

/// A value of a map, the same for every way of writing it.
pub(super) fn shown_value(value: &Expression<'_>, data: &[Type]) -> String {
    let value = value.resolved();
    let parts = match &value.kind {
        Kind::Concatenation(parts) => parts.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let one = |(number, part): (usize, &Expression<'_>)| match (&part.resolved().kind, data.get(number)) {
        (Kind::Verdict(verdict), _) => super::text::verdict(verdict),
        (_, Some(kind)) => values(part, *kind).map_or_else(|_| super::text::expression(part), |v| v.show(*kind)),
        (Kind::Quoted(name) | Kind::Word(name), None) => super::text::word(name),
        (_, None) => super::text::expression(part),
    };
    parts.iter().enumerate().map(one).collect::<Vec<_>>().join(" . ")
}

/// The types of an expression after `typeof`.
pub(super) fn types_of(expression: &Expression<'_>) -> Result<Vec<Type>, String> {
    let parts = match &expression.resolved().kind {
        Kind::Concatenation(parts) => parts.as_slice(),
        _ => std::slice::from_ref(expression),
    };
    // A type does not depend on what must be settled before it is read.
    let one = |part: &Expression<'_>| Part::all_of(part, &Context::default()).map(|parts| kinds_of(&parts));
    parts.iter().map(one).collect::<Result<Vec<_>, _>>().map(|kinds| kinds.concat())
}

pub(super) fn kinds_of(parts: &[Part]) -> Vec<Type> {
    parts.iter().map(|part| part.selector.kind).collect()
}

/// Refuses declarations that nft or the kernel refuses. `dynamic`: a rule adds to the set, or takes away from it.
pub(super) fn check(set: &ruleset::Set<'_>, dynamic: bool, account: &mut Account) {
    if let Err((at, reason)) = checked(set, dynamic) {
        account.gap(at, format!("{reason}: nft refuses the file"));
    }
}

fn checked(set: &ruleset::Set<'_>, dynamic: bool) -> Result<(), (Span, String)> {
    let head = &set.head;
    let name = head.path.name.at;
    let word = if head.map { "map" } else { "set" };
    let has = |flag| head.flags.contains(&flag);
    let refused = |at: Span, reason: &str| Err((at, reason.to_owned()));
    match &head.key {
        Some(SetKey::Types(names)) => check_types(names, name, word, false)?,
        Some(SetKey::TypeOf(_)) => {}
        None => return refused(name, "set definition does not specify key"),
    }
    match &head.data {
        Some(SetData::Types(names, _)) => check_types(names, name, word, true)?,
        Some(SetData::TypeOf(expression, _)) => check_read(expression, word)?,
        Some(SetData::Objects(_)) | None => {}
    }
    if head.auto_merge && !has(SetFlag::Interval) {
        return refused(name, "auto-merge only works with interval sets");
    }
    if has(SetFlag::Interval) && (dynamic || has(SetFlag::Dynamic)) {
        return refused(name, "Could not process rule: Operation not supported: rules cannot add to sets of intervals");
    }
    if head.gc_interval.is_some() && !has(SetFlag::Timeout) && head.timeout.is_none() {
        return refused(name, "Could not process rule: Invalid argument: `gc-interval` without `flags timeout`");
    }
    if head.statements.len() > MOST_STATEMENTS {
        return refused(name, "Could not process rule: Argument list too long: more than two statements");
    }
    if head.listed {
        return Ok(());
    }
    // Connections are counted only for elements that rules add.
    let counts = head.statements.iter().any(|one| matches!(one.kind, StatementKind::ConnectionLimit { .. }));
    if counts && head.size.is_some() && !has(SetFlag::Dynamic) && !dynamic {
        return refused(name, "Could not process rule: Operation not supported: `ct count` without `flags dynamic`");
    }
    for element in set.changes.iter().flat_map(|change| &change.elements.others) {
        check_statements(element, &head.statements, has(SetFlag::Dynamic), word)?;
    }
    Ok(())
}

/// As many statements the kernel keeps for an element.
const MOST_STATEMENTS: usize = 2;

fn check_types(names: &[Name<'_>], set: Span, word: &str, data: bool) -> Result<(), (Span, String)> {
    for name in names {
        let variable = match &*name.text {
            b"verdict" if names.len() == 1 && data => false,
            b"verdict" | b"integer" | b"string" => true,
            _ => false,
        };
        if variable && names.len() > 1 {
            let shown = name.show();
            let reason = format!("can not use variable sized data types ({shown}) in concat expressions");
            return Err((name.at, reason));
        }
        if variable {
            let shown = name.show();
            let reason = format!(
                "unqualified type {shown} specified in {word} definition. Try \"typeof expression\" instead of \"type datatype\"."
            );
            return Err((set, reason));
        }
        if Type::named(&name.text).is_none() {
            return Err((name.at, format!("unknown datatype {}", name.show())));
        }
    }
    Ok(())
}

/// Refuses values where something is to be read.
fn check_read(expression: &Expression<'_>, word: &str) -> Result<(), (Span, String)> {
    let parts = match &expression.resolved().kind {
        Kind::Concatenation(parts) => parts.as_slice(),
        _ => std::slice::from_ref(expression),
    };
    let value = |part: &&Expression<'_>| matches!(part.resolved().kind, Kind::Word(_) | Kind::Quoted(_));
    match parts.iter().find(value) {
        Some(part) => Err((part.at, format!("{word} data type 'symbol' lacks typeof serialization"))),
        None => Ok(()),
    }
}

/// An element counts what its set says that elements count, in the same order.
fn check_statements(
    element: &Element<'_>,
    declared: &[Statement<'_>],
    dynamic: bool,
    word: &str,
) -> Result<(), (Span, String)> {
    let own: Vec<&Statement<'_>> = element
        .options
        .iter()
        .filter_map(|option| match option {
            ElementOption::Statement(statement) => Some(statement),
            ElementOption::Timeout(_) | ElementOption::Expires(_) | ElementOption::Comment(_) => None,
        })
        .collect();
    let Some(first) = own.first() else { return Ok(()) };
    if declared.is_empty() {
        let reason = format!("missing statement in {word} declaration");
        return if dynamic { Ok(()) } else { Err((first.at, reason)) };
    }
    if own.len() != declared.len() {
        let (wanted, has) = (declared.len(), own.len());
        let reason = format!("number of statements mismatch, set expects {wanted} but element has {has}");
        return Err((first.at, reason));
    }
    for (mine, of_set) in own.iter().zip(declared) {
        if std::mem::discriminant(&mine.kind) != std::mem::discriminant(&of_set.kind) {
            let keyword = |statement: &Statement<'_>| {
                let text = super::statements::text(statement);
                text.split(' ').next().unwrap_or_default().to_owned()
            };
            let (mine_word, of_set) = (keyword(mine), keyword(of_set));
            let reason = format!("statement mismatch, element expects {mine_word}, but set has type {of_set}");
            return Err((mine.at, reason));
        }
    }
    Ok(())
}
