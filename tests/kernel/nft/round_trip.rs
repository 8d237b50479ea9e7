//! Whether the model of a file is the model of what the kernel holds after loading it, as text and as JSON.

use portcullis::diff::{Change, compare};
use portcullis::formats::{self, Input};
use portcullis::model::{Snapshot, Store};
use portcullis::text::SourceMap;

/// What a comparison of two notations says.
#[derive(Debug)]
pub(crate) enum Trip {
    Same,
    /// One of them has gaps; the first.
    Unread(String),
    Differs(Vec<String>),
}

/// Compares a ruleset with what `nft` lists of it.
pub(crate) fn compared(file: &str, listing: &str) -> Trip {
    let mut sources = SourceMap::default();
    let mut store = Store::default();
    let mut read = |name: &[u8], text: &str| -> Snapshot {
        let source = sources.add(name, text.into()).expect("rules are smaller than 4 GiB");
        let input = Input { name: "host".to_owned(), format: formats::format("nftables"), files: vec![source] };
        formats::read(&[input], &sources, &mut store, None).0
    };
    let (base, head) = (read(b"file", file), read(b"listing", listing));
    for (side, snapshot) in [("file", &base), ("listing", &head)] {
        if let Some(gap) = snapshot.gaps().first() {
            let text: String = sources.show(gap.origin).chars().take(120).collect();
            return Trip::Unread(format!("{side}: {}: {text}", gap.reason));
        }
    }
    let change = Change::new(base, head, store);
    let difference = compare(&change);
    let mut lines = Vec::new();
    for configuration in &difference.configurations {
        for filter in &configuration.filters {
            for (what, found) in [("newly allowed", &filter.newly_allowed), ("newly denied", &filter.newly_denied)] {
                if let Some(delta) = found.deltas.first() {
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
    if lines.is_empty() { Trip::Same } else { Trip::Differs(lines) }
}
