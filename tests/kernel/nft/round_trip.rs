//! Whether the model of a file is the model of what the kernel holds after loading it, as text and as JSON.

use crate::compare::read;
use portcullis::diff::{Change, Delta, compare};
use portcullis::model::{Literal, Snapshot, Store};
use portcullis::net::{Family, Field, Region, Set};
use portcullis::text::SourceMap;

/// What a comparison of two notations says.
#[derive(Debug)]
pub(crate) enum Trip {
    Same,
    /// One of them has gaps; the first.
    Unread(String),
    Differs(Vec<String>),
    /// The listing says less than the kernel holds.
    Less(&'static str),
    /// Nothing is loaded, so nothing is listed.
    Empty,
}

/// Compares a ruleset with what `nft` lists of it.
pub(crate) fn compared(file: &str, listing: &str) -> Trip {
    if listing.trim().is_empty() {
        return Trip::Empty;
    }
    let mut sources = SourceMap::default();
    let mut store = Store::default();
    let (base, _) = read(&mut sources, &mut store, file, "nftables");
    let (head, _) = read(&mut sources, &mut store, listing, "nftables");
    for (side, snapshot) in [("file", &base), ("listing", &head)] {
        if let Some(gap) = snapshot.gaps().first() {
            let text: String = sources.show(gap.origin).chars().take(120).collect();
            return Trip::Unread(format!("{side}: {}: {text}", gap.reason));
        }
    }
    let change = Change::new(base, head, store);
    let difference = compare(&change);
    let (mut lines, mut less) = (Vec::new(), None);
    for configuration in &difference.configurations {
        for filter in &configuration.filters {
            for (what, found) in [("newly allowed", &filter.newly_allowed), ("newly denied", &filter.newly_denied)] {
                if !found.deltas.is_empty() && found.deltas.iter().all(|delta| is_foreign(&delta.region)) {
                    less = Some("ICMP of one family in packets of the other");
                } else if !found.deltas.is_empty()
                    && found.deltas.iter().all(|delta| reads_written(&change.store, delta))
                {
                    less = Some("the words of rules that lead to a mark or take from a bucket");
                } else if let Some(delta) = found.deltas.first() {
                    lines.push(format!(
                        "{}: {what}: {:?}",
                        filter.id,
                        delta
                            .conditions
                            .iter()
                            .map(|literal| change.store.opaque_text(literal.opaque))
                            .collect::<Vec<_>>()
                    ));
                    lines.push(format!(
                        "  in {}",
                        delta
                            .region
                            .witness()
                            .map_or_else(|| "no packet".to_owned(), |packet| portcullis::net::show_packet(&packet))
                    ));
                } else if !found.complete {
                    lines.push(format!("{}: {what}: not computed", filter.id));
                }
            }
        }
        let objects = &configuration.objects;
        for (what, changes) in
            [("added", &objects.added), ("removed", &objects.removed), ("modified", &objects.modified)]
        {
            for object in changes.iter().filter(|object| object.kind != "rule") {
                let content = |snapshot: &Snapshot| {
                    let of = snapshot.configurations().iter().flat_map(|configuration| &configuration.objects);
                    let mut of = of.filter(|own| own.kind == object.kind && own.address == object.address);
                    of.next().map(|own| own.content.clone())
                };
                if let (Some(base), Some(head)) = (content(&change.base), content(&change.head))
                    && let Some(why) = says_less(&base, &head)
                {
                    less = Some(why);
                    continue;
                }
                lines.push(format!("{} {} is {what}", object.kind, object.address));
                for (side, snapshot) in [("file", &change.base), ("listing", &change.head)] {
                    let of = snapshot.configurations().iter().flat_map(|configuration| &configuration.objects);
                    let of = of.filter(|own| own.kind == object.kind && own.address == object.address);
                    lines.extend(
                        of.map(|own| format!("  {side}: {}", own.content.chars().take(300).collect::<String>())),
                    );
                }
            }
        }
    }
    match less {
        _ if !lines.is_empty() => Trip::Differs(lines),
        Some(why) => Trip::Less(why),
        None => Trip::Same,
    }
}

/// Whether it depends on a mark or a bucket. Such a condition is another one where the rules that lead to writing it are
/// written in other words, such as `meta l4proto udplite th dport 22`, which is listed as `udplite dport 22`.
fn reads_written(store: &Store, delta: &Delta) -> bool {
    let text = |literal: &Literal| store.opaque_text(literal.opaque).to_owned();
    delta.conditions.iter().map(text).any(|text| text.contains("[marks ") || text.contains("[bucket "))
}

/// Whether the region is of packets that hold the ICMP of the other family. `meta l4proto icmp icmp type 8` is about
/// them too, but is listed as `icmp type 8`, which is not.
fn is_foreign(region: &Region) -> bool {
    let icmp = match region.family() {
        Family::Ipv4 => 58,
        Family::Ipv6 => 1,
    };
    region.get(Field::Protocol).is_some_and(|set| *set == Set::point(icmp))
}

/// What nft 1.0.6 leaves out of its JSON: the devices of chains, the flag `dynamic`, the types behind `typeof`.
fn says_less(file: &str, listing: &str) -> Option<&'static str> {
    let without_devices = |content: &str| {
        let (before, rest) = content.split_once("devices {")?;
        let (_, after) = rest.split_once('}')?;
        Some(format!("{before}{after}"))
    };
    if without_devices(file).is_some_and(|file| Some(file) == without_devices(listing)) && listing.contains("{ ? }") {
        Some("the devices of chains")
    } else if let (Some((key, rest)), Some((listed, same))) = (file.split_once(" : "), listing.split_once(" : "))
        && rest == same
        && key.strip_prefix(listed).is_some_and(|more| more.starts_with(" . "))
    {
        Some("types behind `typeof`")
    } else if file.replace(" dynamic", "") == listing {
        Some("that a set is dynamic")
    } else {
        None
    }
}
