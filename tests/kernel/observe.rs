//! Watches the kernel: an nftables table beside the rules under test writes down which packet comes to which
//! hook, in which connection state, and which comes out of it.

use crate::probe::Hook;
use portcullis::net::{Family, State};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt::Write as _;

/// A place between the base chains of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Point {
    /// Before the first chain.
    Before,
    /// After `raw`, before connection tracking.
    Raw,
    /// After connection tracking, before `mangle`.
    Tracked,
    /// After the last chain.
    After,
}

/// Where each hook is watched, with the priority there: raw is -300, connection tracking -200, mangle -150,
/// filter 0, security 50 in the kernel's own tables (`linux/netfilter_ipv4.h`), 150 in those of `iptables-nft`.
const POINTS: [(Hook, Point, i32); 14] = [
    (Hook::Prerouting, Point::Before, -310),
    (Hook::Prerouting, Point::Raw, -210),
    (Hook::Prerouting, Point::Tracked, -190),
    (Hook::Prerouting, Point::After, -140),
    (Hook::Input, Point::Tracked, -160),
    (Hook::Input, Point::After, 160),
    (Hook::Forward, Point::Tracked, -160),
    (Hook::Forward, Point::After, 160),
    (Hook::Output, Point::Before, -310),
    (Hook::Output, Point::Raw, -210),
    (Hook::Output, Point::Tracked, -190),
    (Hook::Output, Point::After, 160),
    (Hook::Postrouting, Point::Tracked, -160),
    (Hook::Postrouting, Point::After, -140),
];

/// The script that replaces whatever nftables rules there are by the watching ones. Without `tracking` nothing
/// in it asks for connection tracking, so fragments arrive as they are.
pub(crate) fn script(family: Family, tracking: bool) -> String {
    let (table, key) = match family {
        Family::Ipv4 => ("ip", "ip id"),
        Family::Ipv6 => ("ip6", "@nh,0,32"),
    };
    let mut script = format!("flush ruleset\ntable {table} watch {{\n");
    for (hook, point, priority) in POINTS {
        let name = format!("{}_{point:?}", hook.name());
        let key = if tracking && point == Point::Tracked { format!("{key} . ct state") } else { key.to_owned() };
        writeln!(script, "set {name} {{ typeof {key}; size 65535; flags dynamic; }}").expect("to a String");
        writeln!(
            script,
            "chain c_{name} {{ type filter hook {} priority {priority}; add @{name} {{ {key} }}; }}",
            hook.name()
        )
        .expect("to a String");
    }
    // What the kernel itself says to the packets (resets, unreachables) would mix with the packets.
    script.push_str("chain silence { type filter hook output priority -320; meta skuid 0 accept; drop; }\n}\n");
    script
}

/// What was seen of the packets of one run, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    seen: HashMap<(Hook, Point), HashMap<u16, Option<State>>>,
}

impl Sightings {
    pub(crate) fn at(&self, hook: Hook, point: Point, id: u16) -> bool {
        self.seen.get(&(hook, point)).is_some_and(|ids| ids.contains_key(&id))
    }

    /// The connection state of a packet at a hook; `None` if it did not come there or was not asked.
    pub(crate) fn state(&self, hook: Hook, id: u16) -> Option<State> {
        self.seen.get(&(hook, Point::Tracked))?.get(&id).copied().flatten()
    }

    /// Reads what `nft -j list table` prints of the watching table.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let items = value["nftables"].as_array().ok_or("nft printed no list")?;
        let mut out = Self::default();
        for (hook, point, _) in POINTS {
            let name = format!("{}_{point:?}", hook.name());
            let set = items.iter().map(|item| &item["set"]).find(|set| set["name"] == name.as_str());
            let set = set.ok_or_else(|| format!("nft does not list the set {name}"))?;
            let ids = out.seen.entry((hook, point)).or_default();
            for element in set["elem"].as_array().into_iter().flatten() {
                let (id, state) = read_element(element).ok_or_else(|| format!("not an element: {element}"))?;
                ids.insert(id, state);
            }
        }
        Ok(out)
    }
}

/// `5`, or `{"concat": [5, "new"]}`; IPv6 keys hold the id in their low 16 bits.
fn read_element(element: &Value) -> Option<(u16, Option<State>)> {
    let id = |value: &Value| {
        let [_, _, high, low] = u32::try_from(value.as_u64()?).ok()?.to_be_bytes();
        Some(u16::from_be_bytes([high, low]))
    };
    match element["concat"].as_array().map(Vec::as_slice) {
        None => Some((id(element)?, None)),
        Some([key, state]) => {
            let state = State::ALL.into_iter().find(|s| *state == s.name())?;
            Some((id(key)?, Some(state)))
        }
        Some(_) => None,
    }
}
