//! How much is computed of one configuration: what a few lines can ask for has no end.

use super::{Context, Evaluated, Failure};
use crate::formats::data::value::{More, Value, What};
use std::sync::Arc;

/// What a configuration may cost.
pub(in super::super) const MOST: u64 = 1 << 28;
/// What a step costs.
pub(super) const STEP: u64 = 4;
/// What an item costs that is made, or gone through.
pub(in super::super) const ITEM: u64 = 32;
/// How many values may be in one, each as often as it is there.
const LARGEST: u64 = 1 << 22;

impl Context<'_, '_> {
    /// A value that was made, if it is not too large.
    pub(super) fn made(&self, value: Value) -> Evaluated {
        let is_shared = match &value.what {
            What::List(list) => Arc::strong_count(list) > 1,
            What::Object(object) => Arc::strong_count(object) > 1,
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => false,
        };
        // It is one that was made before.
        if is_shared {
            return Ok(value);
        }
        let shallow = match &value.what {
            What::List(list) => list.items.len() + list.more.len(),
            What::Object(object) => object.entries.len() + object.more.len(),
            What::Text(text) => text.len() / 128,
            What::Null | What::Truth(_) | What::Number(_) | What::Unknown(_) => 0,
        };
        let mut all = 0;
        count(&value, &mut all);
        let made = u64::try_from(shallow).unwrap_or(u64::MAX).saturating_mul(ITEM);
        self.world.charge(value.at, made.saturating_add(all))?;
        if all > LARGEST {
            return Err(Failure::limit(value.at, "a value that is larger than can be computed"));
        }
        Ok(value)
    }
}

/// Counts what is in a value, as far as it may be.
fn count(value: &Value, all: &mut u64) {
    *all += 1;
    if *all > LARGEST {
        return;
    }
    let further = |more: &[More], all: &mut u64| more.iter().for_each(|more| count(&more.like, all));
    match &value.what {
        What::List(list) => {
            for item in &list.items {
                if *all > LARGEST {
                    return;
                }
                count(item, all);
            }
            further(&list.more, all);
        }
        What::Object(object) => {
            for entry in &object.entries {
                if *all > LARGEST {
                    return;
                }
                count(&entry.value, all);
            }
            further(&object.more, all);
        }
        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => {}
    }
}
