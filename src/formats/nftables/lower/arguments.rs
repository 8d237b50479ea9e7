//! Values that statements write or hand on: of which type they are, and which nft takes (nft(8), STATEMENTS).

use super::conditions::Part;
use super::declared::{Declared, data_kinds, kinds_of};
use super::rules::Lowering;
use super::values::{self, Values, values};
use crate::formats::nftables::syntax::{
    Binary, CtKey, ElementOption, Elements, Expression, Kind, Name, QueueFlag, SetData,
};
use crate::formats::nftables::types::Type;
use crate::text::Span;

/// Where nft refuses something, and why.
pub(super) type Refused = (Span, String);

impl<'r, 't> Lowering<'_, '_, 'r, 't> {
    /// Refuses a value that cannot stand where one of that type is written.
    pub(super) fn argument(&self, value: &Expression<'t>, target: Type) -> Result<(), Refused> {
        let at = value.at;
        let value = value.resolved();
        let found = match &value.kind {
            Kind::Word(_) | Kind::Quoted(_) => {
                return constant(value, target).map(drop).map_err(|(_, reason)| (at, reason));
            }
            Kind::Range(_, _) | Kind::Prefix(_, _) => return Err((at, "an interval cannot be set".to_owned())),
            Kind::Map(_, map) => match &map.resolved().kind {
                Kind::Set(elements) => return mapped(elements, &[target], true),
                Kind::SetReference(name) => self.data(name),
                _ => return Ok(()),
            },
            Kind::Binary(operator, left, right) => {
                let Some(kind) = self.kind_of(left)? else {
                    return values::number(value, target).map(drop).map_err(|reason| (at, reason));
                };
                if let Binary::ShiftLeft | Binary::ShiftRight = operator {
                    values::shift(*operator, right, kind).map_err(|reason| (right.at, reason))?;
                }
                Some(vec![kind])
            }
            _ => self.kind_of(value)?.map(|kind| vec![kind]),
        };
        let Some(found) = found else { return Ok(()) };
        if let [kind] = found[..]
            && (kind == target || fits(kind, target))
        {
            return same_length(value, kind, target).map_err(|reason| (at, reason));
        }
        let found: Vec<String> = found.into_iter().map(Type::title).collect();
        let (wanted, found) = (target.title(), found.join(", "));
        Err((at, format!("datatype mismatch: expected {wanted}, expression has type {found}")))
    }

    /// Refuses what packets cannot be sent to: an address or a port, or several.
    pub(super) fn target(&self, value: &Expression<'t>, target: Type) -> Result<(), Refused> {
        match &value.resolved().kind {
            Kind::Word(_) | Kind::Quoted(_) | Kind::Range(_, _) | Kind::Prefix(_, _) => {
                values(value, target).map(drop).map_err(|reason| (value.at, reason))
            }
            Kind::Concatenation(_) => Ok(()),
            _ if self.maps_to_several(value) => Ok(()),
            _ => self.argument(value, target),
        }
    }

    /// The type of what is read; `None`: nothing is read.
    fn kind_of(&self, expression: &Expression<'t>) -> Result<Option<Type>, Refused> {
        let expression = expression.resolved();
        match &expression.kind {
            Kind::Word(_) | Kind::Quoted(_) | Kind::Set(_) | Kind::SetReference(_) | Kind::Exists(_) => Ok(None),
            Kind::Verdict(_) | Kind::List(_) | Kind::Wildcard | Kind::Range(_, _) | Kind::Prefix(_, _) => Ok(None),
            Kind::Binary(_, left, _) => self.kind_of(left),
            Kind::Map(_, map) => match &map.resolved().kind {
                Kind::SetReference(name) => Ok(self.data(name).filter(|kinds| kinds.len() == 1).map(|kinds| kinds[0])),
                _ => Ok(None),
            },
            _ => {
                let parts = Part::all_of(expression, &self.context).map_err(|reason| (expression.at, reason))?;
                Ok(match kinds_of(&parts)[..] {
                    [kind] => Some(kind),
                    _ => None,
                })
            }
        }
    }

    /// What a named map maps to.
    pub(super) fn data(&self, name: &Name<'t>) -> Option<Vec<Type>> {
        let set = self.env.table.set(&name.text)?;
        match &set.head.data {
            Some(SetData::Types(_, _) | SetData::TypeOf(_, _)) => Some(data_kinds(set)),
            Some(SetData::Objects(_)) | None => None,
        }
    }

    /// Whether a value maps to addresses together with ports.
    pub(super) fn maps_to_several(&self, value: &Expression<'t>) -> bool {
        let Kind::Map(_, map) = &value.resolved().kind else { return false };
        match &map.resolved().kind {
            Kind::Set(elements) => elements.others.iter().any(|element| {
                element.value.as_ref().is_some_and(|value| matches!(value.resolved().kind, Kind::Concatenation(_)))
            }),
            Kind::SetReference(name) => self.data(name).is_some_and(|kinds| kinds.len() > 1),
            _ => false,
        }
    }

    /// Refuses what a rule cannot do with a set.
    pub(super) fn check_update(
        &self,
        name: &Name<'t>,
        key: &Expression<'t>,
        options: &[ElementOption<'t>],
        value: Option<&Expression<'t>>,
        at: Span,
    ) -> Result<(), Refused> {
        let Some(set) = self.env.table.set(&name.text) else { return Ok(()) };
        let declared = Declared::of(set);
        for option in options {
            match option {
                ElementOption::Comment(_) => {
                    return Err((key.at, "Key expression comments are not supported".to_owned()));
                }
                ElementOption::Timeout(Some(_)) if !declared.may_time_out => {
                    let reason = "Could not process rule: Operation not supported: the set has no `flags timeout`";
                    return Err((at, reason.to_owned()));
                }
                ElementOption::Timeout(_) | ElementOption::Expires(_) | ElementOption::Statement(_) => {}
            }
        }
        if value.is_some() != set.head.map {
            let what = if set.head.map { "a map needs a value" } else { "a set takes no value" };
            return Err((at, format!("Could not process rule: Invalid argument: {what}")));
        }
        let Some(kinds) = self.env.sets.get(&*name.text).map(|contents| &contents.kinds) else { return Ok(()) };
        if let ([target], Some(found)) = (kinds.as_slice(), self.kind_of(key)?) {
            if found != *target && !fits(found, *target) {
                let (wanted, found) = (target.title(), found.title());
                return Err((key.at, format!("datatype mismatch: expected {wanted}, expression has type {found}")));
            }
        } else if let Kind::Concatenation(parts) = &key.resolved().kind
            && parts.len() != kinds.len()
        {
            let wanted: Vec<String> = kinds.iter().map(|kind| kind.title()).collect();
            let (wanted, count) = (wanted.join(" . "), parts.len());
            return Err((key.at, format!("datatype mismatch: expected {wanted}, and this has {count} parts")));
        }
        match (value, self.data(name).as_deref()) {
            (Some(value), Some([target])) if *target != Type::Verdict => self.argument(value, *target),
            _ => Ok(()),
        }
    }
}

/// Whether nft takes one type for the other. Into marks newer versions write whatever is a number.
fn fits(found: Type, target: Type) -> bool {
    match (found, target) {
        (Type::Integer(_), _) | (_, Type::Label | Type::Text | Type::Time | Type::Duration | Type::Hour) => true,
        (found, Type::Mark) => !matches!(found, Type::Interface | Type::Text),
        (_, _) => false,
    }
}

/// Refuses a number from a packet that is longer or shorter than what it is written into.
fn same_length(value: &Expression<'_>, found: Type, target: Type) -> Result<(), String> {
    let bits = |kind: Type| 128 - kind.largest().leading_zeros();
    match (&value.kind, found) {
        (Kind::Payload(_) | Kind::RawPayload { .. }, Type::Integer(length))
            if target != Type::Mark && length % 8 == 0 && length != bits(target) =>
        {
            let wanted = target.title();
            Err(format!("datatype mismatch: expected {wanted}, expression has type integer with length {length}"))
        }
        (_, _) => Ok(()),
    }
}

/// Refuses a word that is no value of the type.
fn constant(value: &Expression<'_>, target: Type) -> Result<Values, Refused> {
    match target {
        // These take any text that begins with a number, or nothing of it.
        Type::Class | Type::Ethernet | Type::Label | Type::Text => Ok(Values::default()),
        _ => values(value, target).map_err(|reason| (value.at, reason)),
    }
}

/// Refuses elements whose values are not of the types that a map maps to; `interval`: ranges may stand there.
pub(super) fn mapped(elements: &Elements<'_>, targets: &[Type], interval: bool) -> Result<(), Refused> {
    elements
        .others
        .iter()
        .filter_map(|element| element.value.as_ref())
        .try_for_each(|value| of_types(value, targets, interval))
}

/// Refuses a value that is not of the types that a map maps to.
pub(super) fn of_types(value: &Expression<'_>, targets: &[Type], interval: bool) -> Result<(), Refused> {
    let at = value.at;
    let value = value.resolved();
    if let [Type::Verdict] = targets {
        return match &value.kind {
            Kind::Verdict(_) => Ok(()),
            _ => Err((at, "Can't parse symbolic netfilter verdict expressions".to_owned())),
        };
    }
    let parts = match &value.kind {
        Kind::Concatenation(parts) => parts.as_slice(),
        _ => std::slice::from_ref(value),
    };
    if parts.len() != targets.len() {
        let wanted: Vec<String> = targets.iter().map(|kind| kind.title()).collect();
        return Err((at, format!("invalid data type, expected concatenation of ({})", wanted.join(", "))));
    }
    for (part, target) in parts.iter().zip(targets) {
        let part_at = part.at;
        match &part.resolved().kind {
            Kind::Verdict(_) => {
                return Err((at, "Could not process rule: Invalid argument: a verdict is no value".to_owned()));
            }
            Kind::Word(_) | Kind::Quoted(_) | Kind::Range(_, _) | Kind::Prefix(_, _) | Kind::Binary(_, _, _) => {
                let found = constant(part.resolved(), *target).map_err(|(_, reason)| (part_at, reason))?;
                if !interval && found.set.len() > 1 {
                    return Err((at, "Value must be a singleton".to_owned()));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses what cannot be part of a key of several parts.
pub(super) fn check_parts(parts: &[Expression<'_>]) -> Result<(), String> {
    let variable =
        |part: &Expression<'_>| matches!(part.resolved().kind, Kind::Ct(CtKey::Helper, _) | Kind::Osf { .. });
    if parts.iter().any(variable) {
        return Err("can not use variable sized data types (string) in concat expressions".to_owned());
    }
    Ok(())
}

/// A number of a queue under which iptables knows it too; `None`: it does not.
pub(super) fn queue_key(number: Option<&Expression<'_>>, flags: &[QueueFlag]) -> Option<String> {
    let number = match number {
        Some(number) => values::number(number, Type::Integer(16)).ok()?,
        None => 0,
    };
    let mut key = format!("-j NFQUEUE --queue-num {number}");
    if flags.contains(&QueueFlag::Bypass) {
        key.push_str(" --queue-bypass");
    }
    (!flags.contains(&QueueFlag::Fanout)).then_some(key)
}

/// Refuses what cannot be the number of a queue.
pub(super) fn queue_number(number: &Expression<'_>, flags: &[QueueFlag]) -> Result<(), String> {
    let one = |number: &Expression<'_>| values::number(number, Type::Integer(16)).map(drop);
    match &number.resolved().kind {
        Kind::Word(_) if flags.contains(&QueueFlag::Fanout) => {
            Err("fanout requires a range to be specified".to_owned())
        }
        Kind::Word(_) => one(number),
        Kind::Range(first, last) => one(first).and_then(|()| one(last)),
        Kind::Numgen { .. } | Kind::Jhash { .. } | Kind::Symhash { .. } if flags.contains(&QueueFlag::Fanout) => {
            Err("fanout requires a range to be specified".to_owned())
        }
        Kind::Symhash { modulus, offset } if modulus.saturating_add(*offset) > 65_536 => {
            Err("queue expression max value exceeds 65535".to_owned())
        }
        _ => Ok(()),
    }
}
