//! Operators (Terraform language: arithmetic and logical operators), and what is known where a condition is not.

use super::show::{more, show, unknown_of};
use super::{Context, Evaluated, Failure};
use crate::formats::data::Number;
use crate::formats::data::value::{Entry, List, Object, Value, What};
use crate::formats::terraform::syntax::{Expr, Operator};
use crate::text::Span;
use std::cmp::Ordering;
use std::sync::Arc;

/// Longer lists that a condition chooses among are not compared item by item.
const MOST_COMPARISONS: usize = 1_000_000;

impl<'m> Context<'_, 'm> {
    pub(super) fn binary(&self, operator: Operator, [left, right]: &'m [Expr; 2], at: Span) -> Evaluated {
        let (left, right) = (self.eval(left)?, self.eval(right)?);
        let hidden = left.sensitive || right.sensitive;
        let unknown = || {
            let name = format!("({} {} {})", show(&left), operator.sign(), show(&right));
            unknown_of(&name, &[&left, &right], at)
        };
        let truth = |truth| Value::new(What::Truth(truth), at).hidden(hidden);
        let number = |number| Value::new(What::Number(number), at).hidden(hidden);
        Ok(match operator {
            Operator::And | Operator::Or => {
                let decisive = operator == Operator::Or;
                match (truth_of(&left)?, truth_of(&right)?) {
                    (Some(one), _) | (_, Some(one)) if one == decisive => truth(decisive),
                    (Some(_), Some(_)) => truth(!decisive),
                    (None, _) | (_, None) => unknown(),
                }
            }
            Operator::Equal | Operator::Unequal => match equal(&left, &right) {
                Some(equal) => truth(equal == (operator == Operator::Equal)),
                None => unknown(),
            },
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                let (Some(left), Some(right)) = (number_of(&left)?, number_of(&right)?) else { return Ok(unknown()) };
                let Some(order) = left.compare(right) else { return Ok(unknown()) };
                let or_equal = matches!(operator, Operator::LessOrEqual | Operator::GreaterOrEqual);
                let wanted = if matches!(operator, Operator::Less | Operator::LessOrEqual) {
                    Ordering::Less
                } else {
                    Ordering::Greater
                };
                truth(order == wanted || or_equal && order == Ordering::Equal)
            }
            Operator::Plus => computed(&left, &right, Number::plus)?.map_or_else(unknown, number),
            Operator::Minus => computed(&left, &right, Number::minus)?.map_or_else(unknown, number),
            Operator::Times => computed(&left, &right, Number::times)?.map_or_else(unknown, number),
            Operator::Over | Operator::Remainder => {
                let (Some(a), Some(b)) = (number_of(&left)?, number_of(&right)?) else { return Ok(unknown()) };
                if b == Number::whole(0) {
                    return Err(Failure::new(at, "division by zero"));
                }
                let result = if operator == Operator::Over { a.over(b) } else { remainder(a, b) };
                result.map_or_else(unknown, number)
            }
        })
    }
}

/// What two numbers come to; `None`: not known.
fn computed(
    left: &Value,
    right: &Value,
    compute: impl Fn(Number, Number) -> Option<Number>,
) -> Result<Option<Number>, Failure> {
    let (left, right) = (number_of(left)?, number_of(right)?);
    Ok(left.zip(right).and_then(|(left, right)| compute(left, right)))
}

/// The rest of a division that is rounded towards zero.
fn remainder(a: Number, b: Number) -> Option<Number> {
    let quotient = a.over(b)?;
    let whole = if quotient.compare(Number::whole(0))? == Ordering::Less { quotient.ceil() } else { quotient.floor() };
    a.minus(b.times(Number::whole(whole))?)
}

pub(super) fn not(of: &Value, at: Span) -> Evaluated {
    Ok(match truth_of(of)? {
        Some(truth) => Value::new(What::Truth(!truth), at).hidden(of.sensitive),
        None => unknown_of(&format!("!{}", show(of)), &[of], at),
    })
}

pub(super) fn minus(of: &Value, at: Span) -> Evaluated {
    Ok(match number_of(of)?.and_then(Number::negative) {
        Some(number) => Value::new(What::Number(number), at).hidden(of.sensitive),
        None => unknown_of(&format!("-{}", show(of)), &[of], at),
    })
}

/// A truth; `None`: not known.
pub(super) fn truth_of(value: &Value) -> Result<Option<bool>, Failure> {
    match (value.as_truth(), value.name_of_unknown()) {
        (Some(truth), _) => Ok(Some(truth)),
        (None, Some(_)) => Ok(None),
        (None, None) => Err(Failure::new(value.at, "`true` or `false` is expected")),
    }
}

fn number_of(value: &Value) -> Result<Option<Number>, Failure> {
    match (value.as_number(), value.name_of_unknown()) {
        (Some(number), _) => Ok(Some(number)),
        (None, Some(_)) => Ok(None),
        (None, None) => Err(Failure::new(value.at, "a number is expected")),
    }
}

/// Whether two values are equal, which values of different types never are (Terraform language: equality operators);
/// `None`: not known. A list is not equal to a tuple of the same items, and which of them is which is not known here.
pub(in super::super) fn equal(left: &Value, right: &Value) -> Option<bool> {
    match (&left.what, &right.what) {
        (What::Unknown(a), What::Unknown(b)) => (a == b).then_some(true),
        (What::Unknown(_), _) | (_, What::Unknown(_)) => None,
        (What::List(a), What::List(b)) => {
            let same = if left.is_known() && right.is_known() {
                a.items.len() == b.items.len() && a.items.iter().zip(&b.items).all(|(a, b)| equal(a, b) != Some(false))
            } else {
                true
            };
            if same { None } else { Some(false) }
        }
        (What::Object(a), What::Object(b)) => {
            let known = left.is_known() && right.is_known();
            let same = !known
                || a.entries.len() == b.entries.len()
                    && a.entries
                        .iter()
                        .all(|entry| b.get(&entry.name).is_some_and(|other| equal(&entry.value, other) != Some(false)));
            if same { None } else { Some(false) }
        }
        (a, b) => Some(a == b),
    }
}

/// What is known of a value that is one of two, as a condition says that is not known.
pub(super) fn either(condition: &Value, then: &Value, otherwise: &Value, at: Span) -> Value {
    let hidden = condition.sensitive;
    if then == otherwise {
        return then.clone().hidden(hidden || otherwise.sensitive);
    }
    let name = || format!("({} ? {} : {})", show(condition), show(then), show(otherwise));
    match (&then.what, &otherwise.what) {
        (What::List(a), What::List(b)) if a.items.len() * b.items.len() <= MOST_COMPARISONS => {
            let mut list = List { items: Vec::new(), more: Vec::new(), is_set: a.is_set || b.is_set };
            let sides = [(a, b, ""), (b, a, "!")];
            for (this, other, negation) in sides {
                for item in &this.items {
                    if other.items.contains(item) {
                        if negation.is_empty() && !list.items.contains(item) {
                            list.items.push(item.clone());
                        }
                    } else {
                        let name = format!("{} if {negation}{}", show(item), show(condition));
                        list.more.push(more(&name, item.clone()));
                    }
                }
                for further in &this.more {
                    let name = format!("{} if {negation}{}", further.name.0, show(condition));
                    list.more.push(more(&name, further.like.clone()));
                }
            }
            // The same ones in another order, or another number of times.
            if list.more.is_empty()
                && let Some(item) = list.items.first()
            {
                list.more.push(more(&name(), item.clone()));
            }
            let hidden = hidden || then.sensitive || otherwise.sensitive;
            Value::new(What::List(Arc::new(list)), at).hidden(hidden)
        }
        (What::Object(a), What::Object(b)) if a.more.is_empty() && b.more.is_empty() => {
            let same_names =
                a.entries.len() == b.entries.len() && a.entries.iter().all(|entry| b.get(&entry.name).is_some());
            if !same_names {
                return unknown_of(&name(), &[condition, then, otherwise], at);
            }
            let one = |entry: &Entry| {
                let other = b.get(&entry.name)?;
                let value = either(condition, &entry.value, other, at);
                Some(Entry { name: Arc::clone(&entry.name), at: entry.at, value })
            };
            let entries = a.entries.iter().filter_map(one).collect();
            let object = Object { entries, more: Vec::new() };
            let hidden = hidden || then.sensitive || otherwise.sensitive;
            Value::new(What::Object(Arc::new(object)), at).hidden(hidden)
        }
        (What::Text(_), What::Text(_)) => {
            let value = unknown_of(&name(), &[condition, then, otherwise], at);
            let either = (show(condition), [then.clone(), otherwise.clone()]);
            Value { either: Some(Arc::new(either)), ..value }
        }
        _ => unknown_of(&name(), &[condition, then, otherwise], at),
    }
}
