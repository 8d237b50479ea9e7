//! Lists that a configuration looks up by itself and that the policy has as a feed: what is unknown of the one is known
//! of the other.

use crate::diff::Delta;
use crate::model::Store;
use crate::net::{Family, Field};
use crate::policy::Networks;

/// Functions that change nothing but the order of a list, or how often an element is there.
const WHOLE: [&str; 4] = ["toset", "tolist", "sort", "distinct"];

/// Whether no packet can be denied so: all of them go to what is published (or come from there), and they would have to
/// belong neither to the list nor to as many of its elements as there are.
pub(super) fn surely_passes(delta: &Delta, field: Field, networks: &Networks, store: &Store) -> bool {
    let Delta { region, conditions } = delta;
    let fails: Vec<&str> = conditions.iter().filter(|l| !l.holds).map(|l| store.opaque_text(l.opaque)).collect();
    networks.looked_up(region.family()).any(|(name, published, count)| {
        let lists = names(name);
        let is_published = region.get(field).is_some_and(|addresses| published.includes(addresses));
        let not_in = |list: &str| fails.iter().any(|text| is_in(text, list));
        let not_one = |list: &String| fails.iter().any(|text| is_there_for_each(text, list));
        let in_none_of = |list: &String| {
            let part = |n| not_in(&format!("{list}[{n}]")) || not_in(&format!("element({list}, {n})"));
            count > 0 && (0..count).all(part)
        };
        let whole = |list: &String| not_in(list) || not_in(&format!("{list}[*]")) || not_one(list) || in_none_of(list);
        is_published && lists.iter().any(whole)
    })
}

/// Whether no packet can be let pass so: it would have to belong to a list that publishes nothing of it.
pub(super) fn surely_stops(delta: &Delta, field: Field, networks: &Networks, store: &Store) -> bool {
    let Delta { region, conditions } = delta;
    let holds: Vec<&str> = conditions.iter().filter(|l| l.holds).map(|l| store.opaque_text(l.opaque)).collect();
    let all = field.all(region.family());
    networks.looked_up(region.family()).any(|(name, published, _)| {
        let belongs = |text: &str, list: &String| {
            is_in(text, list)
                || text.contains(&format!(" is in {list}["))
                || text.contains(&format!(" is in element({list}, "))
        };
        let lists = names(name);
        !region.get(field).unwrap_or(&all).overlaps(&published)
            && holds.iter().any(|text| lists.iter().any(|list| belongs(text, list)))
    })
}

/// Whether a list is one that these networks have as a feed.
pub(super) fn is_feed(list: &str, networks: &Networks) -> bool {
    let mut known = Family::ALL.into_iter().flat_map(|family| networks.looked_up(family));
    known.any(|(name, ..)| names(name).iter().any(|name| name == list))
}

/// A list by its name, and as functions give it that leave nothing out.
fn names(name: &str) -> Vec<String> {
    [name.to_owned()].into_iter().chain(WHOLE.iter().map(|function| format!("{function}({name})"))).collect()
}

fn is_in(text: &str, list: &str) -> bool {
    text.strip_suffix(list).is_some_and(|text| text.ends_with(" is in "))
}

/// Whether a condition is that a rule is there, of which there is one for each element.
fn is_there_for_each(text: &str, list: &str) -> bool {
    text == format!("for_each = {list}[*] is there") || text.ends_with(&format!(" has one of {list}[*]"))
}
