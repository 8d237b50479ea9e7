//! Numeric functions (functions: numeric functions).

use super::{Arguments, Found, Stop, number};
use crate::formats::data::Number;
use crate::formats::data::value::{Value, What};
use std::cmp::Ordering;

pub(super) fn call(name: &str, arguments: &Arguments<'_, '_, '_>) -> Option<Found> {
    Some(match name {
        "abs" => one(arguments, |number| {
            if number.compare(Number::whole(0)) == Some(Ordering::Less) { number.negative() } else { Some(number) }
        }),
        "ceil" => one(arguments, |number| Some(Number::whole(number.ceil()))),
        "floor" => one(arguments, |number| Some(Number::whole(number.floor()))),
        "signum" => one(arguments, |number| {
            Some(Number::whole(match number.compare(Number::whole(0))? {
                Ordering::Less => -1,
                Ordering::Equal => 0,
                Ordering::Greater => 1,
            }))
        }),
        "max" => extreme(arguments, Ordering::Greater),
        "min" => extreme(arguments, Ordering::Less),
        "pow" => power(arguments),
        "log" => logarithm(arguments),
        "parseint" => parse(arguments),
        "sum" => sum(arguments),
        _ => return None,
    })
}

fn one(arguments: &Arguments<'_, '_, '_>, compute: impl Fn(Number) -> Option<Number>) -> Found {
    arguments.at_most(1)?;
    compute(arguments.number(0)?).map(What::Number).ok_or(Stop::Unknown)
}

fn extreme(arguments: &Arguments<'_, '_, '_>, wanted: Ordering) -> Found {
    let mut best = arguments.number(0)?;
    for n in 1..arguments.all().len() {
        let next = arguments.number(n)?;
        if next.compare(best).ok_or(Stop::Unknown)? == wanted {
            best = next;
        }
    }
    Ok(What::Number(best))
}

/// Whole powers; others are rounded, so that they stay unknown.
fn power(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let base = arguments.number(0)?;
    let Some(exponent) = arguments.number(1)?.integer().filter(|exponent| (0..=1024).contains(exponent)) else {
        return Err(Stop::Unknown);
    };
    let mut result = Number::whole(1);
    for _ in 0..exponent {
        result = result.times(base).ok_or(Stop::Unknown)?;
    }
    Ok(What::Number(result))
}

/// Logarithms that are whole; others are rounded, so that they stay unknown.
fn logarithm(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (Some(value), Some(base)) = (arguments.number(0)?.integer(), arguments.number(1)?.integer()) else {
        return Err(Stop::Unknown);
    };
    if value < 1 || base < 2 {
        return Err(Stop::Unknown);
    }
    let exponent = value.ilog(base);
    if base.checked_pow(exponent) == Some(value) { number(exponent.into()) } else { Err(Stop::Unknown) }
}

fn parse(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (text, base) = (arguments.text(0)?, arguments.integer(1)?);
    let Some(base) = u32::try_from(base).ok().filter(|base| (2..=62).contains(base)) else {
        return arguments.refuse("the base is out of range");
    };
    if base > 36 {
        return Err(Stop::Unknown);
    }
    match i128::from_str_radix(&text, base) {
        Ok(value) => number(value),
        Err(_) => arguments.refuse("this is no whole number to that base"),
    }
}

fn sum(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let items = arguments.items(0)?;
    if items.is_empty() {
        return arguments.refuse("there is nothing to add up");
    }
    let mut total = Number::whole(0);
    for item in items {
        let next = match (Value::as_number(item), item.name_of_unknown()) {
            (Some(number), _) => number,
            (None, Some(_)) => return Err(Stop::Unknown),
            (None, None) => return arguments.refuse("a list of numbers is expected"),
        };
        total = total.plus(next).ok_or(Stop::Unknown)?;
    }
    Ok(What::Number(total))
}
