//! Sets (functions: `toset`, `setunion` and the like).

use super::collections::{product, to_set};
use super::{Arguments, Found, Stop};
use crate::formats::data::value::{More, Value, What};
use crate::formats::terraform::eval::equal;
use crate::formats::terraform::types::set_of;

pub(super) fn call(name: &str, arguments: &Arguments<'_, '_, '_>) -> Option<Found> {
    Some(match name {
        "toset" => to_set(arguments),
        "setproduct" => product(arguments),
        "setunion" => union(arguments),
        "setintersection" => intersection(arguments),
        "setsubtract" => difference(arguments),
        _ => return None,
    })
}

fn union(arguments: &Arguments<'_, '_, '_>) -> Found {
    let (mut items, mut more): (Vec<Value>, Vec<More>) = (Vec::new(), Vec::new());
    for n in 0..arguments.all().len().max(1) {
        let list = arguments.list(n)?;
        items.extend(list.items.iter().cloned());
        more.extend(list.more.iter().cloned());
    }
    Ok(set_of(items, more))
}

fn intersection(arguments: &Arguments<'_, '_, '_>) -> Found {
    let mut kept = arguments.items(0)?.to_vec();
    for n in 1..arguments.all().len() {
        kept = chosen(&kept, arguments.items(n)?, true)?;
    }
    Ok(set_of(kept, Vec::new()))
}

fn difference(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    Ok(set_of(chosen(arguments.items(0)?, arguments.items(1)?, false)?, Vec::new()))
}

/// The items that are among others, or are not. Numbers beside texts are texts.
fn chosen(items: &[Value], others: &[Value], among: bool) -> Result<Vec<Value>, Stop> {
    let as_text = |value: &Value| match value.as_text() {
        Some(text) => Value { what: What::Text(text), ..value.clone() },
        None => value.clone(),
    };
    let mut out = Vec::new();
    for item in items {
        let found: Vec<Option<bool>> = others.iter().map(|other| equal(&as_text(item), &as_text(other))).collect();
        let is_among = found.contains(&Some(true));
        if !is_among && found.contains(&None) {
            return Err(Stop::Unknown);
        }
        if is_among == among {
            out.push(item.clone());
        }
    }
    Ok(out)
}
