//! Watches the kernel: an nftables table beside the rules under test writes down which packet comes to which
//! hook, in which connection state, and which comes out of it.

use crate::probe::Hook;
use portcullis::net::{Family, State};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
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

/// What loads the rules under test, which decides between which priorities their chains lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watching {
    /// raw is -300, connection tracking -200, mangle -150, filter 0, security 50 in the kernel's own tables
    /// (`linux/netfilter_ipv4.h`), 150 in those of `iptables-nft`. What `nat` does comes last and is not watched.
    Iptables,
    /// Chains of any priority between -100,000 and 100,000 except -201 to -199, where connection tracking is.
    Nftables,
}

/// Where each hook is watched, with the priority there for iptables and for nftables.
const POINTS: [(Hook, Point, i32, i32); 14] = [
    (Hook::Prerouting, Point::Before, -310, FIRST),
    (Hook::Prerouting, Point::Raw, -210, -201),
    (Hook::Prerouting, Point::Tracked, -190, -199),
    (Hook::Prerouting, Point::After, -140, LAST),
    (Hook::Input, Point::Tracked, -160, FIRST),
    (Hook::Input, Point::After, 160, LAST),
    (Hook::Forward, Point::Tracked, -160, FIRST),
    (Hook::Forward, Point::After, 160, LAST),
    (Hook::Output, Point::Before, -310, FIRST),
    (Hook::Output, Point::Raw, -210, -201),
    (Hook::Output, Point::Tracked, -190, -199),
    (Hook::Output, Point::After, 160, LAST),
    (Hook::Postrouting, Point::Tracked, -160, FIRST),
    (Hook::Postrouting, Point::After, -140, LAST),
];

const FIRST: i32 = -1_000_000;
const LAST: i32 = 1_000_000;

/// The table that watches a family.
pub(crate) const fn table(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
    }
}

/// The name of the watching tables.
pub(crate) const NAME: &str = "portcullis_watch";

/// The script that adds the watching rules. Without `tracking` nothing in it asks for connection tracking, so
/// fragments arrive as they are.
pub(crate) fn script(family: Family, tracking: bool, watching: Watching) -> String {
    let table = table(family);
    let key = match family {
        Family::Ipv4 => "ip id",
        Family::Ipv6 => "@nh,0,32",
    };
    let mut script = format!("table {table} {NAME} {{\n");
    let mut write = |text: String| writeln!(script, "{text}").expect("to a String");
    for (hook, point, iptables, nftables) in POINTS {
        let name = format!("{}_{point:?}", hook.name());
        let priority = match watching {
            Watching::Iptables => iptables,
            Watching::Nftables => nftables,
        };
        let with_state = if tracking && point == Point::Tracked { format!("{key} . ct state") } else { key.to_owned() };
        write(format!("set {name} {{ typeof {with_state}; size 65535; flags dynamic; }}"));
        write(format!("chain c_{name} {{ type filter hook {} priority {priority};", hook.name()));
        write(format!("add @{name} {{ {with_state} }};"));
        if tracking && watching == Watching::Nftables {
            write(format!("ct status & (snat|dnat) != 0 add @{TRANSLATED} {{ {key} }};"));
        }
        write("}".to_owned());
    }
    write(format!("set {TRANSLATED} {{ typeof {key}; size 65535; flags dynamic; }}"));
    // What the kernel itself says to the packets (resets, unreachables) would mix with the packets.
    let silence = match watching {
        Watching::Iptables => -320,
        Watching::Nftables => FIRST - 1,
    };
    write(format!("chain silence {{ type filter hook output priority {silence}; meta skuid 0 accept; drop; }}\n}}"));
    script
}

/// The set of packets whose connection is translated.
const TRANSLATED: &str = "translated";

/// What was seen of the packets of one run, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    seen: HashMap<(Hook, Point), HashMap<u16, Option<State>>>,
    translated: HashSet<u16>,
}

impl Sightings {
    pub(crate) fn at(&self, hook: Hook, point: Point, id: u16) -> bool {
        self.seen.get(&(hook, point)).is_some_and(|ids| ids.contains_key(&id))
    }

    /// The connection state of a packet at a hook; `None` if it did not come there or was not asked.
    pub(crate) fn state(&self, hook: Hook, id: u16) -> Option<State> {
        self.seen.get(&(hook, Point::Tracked))?.get(&id).copied().flatten()
    }

    /// Whether the packet belongs to a connection whose addresses or ports are translated.
    pub(crate) fn is_translated(&self, id: u16) -> bool {
        self.translated.contains(&id)
    }

    /// Adds what `nft -j list table` prints of a watching table.
    pub(crate) fn take(&mut self, json: &str) -> Result<(), String> {
        let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let items = value["nftables"].as_array().ok_or("nft printed no list")?;
        let elements = |name: &str| {
            let set = items.iter().map(|item| &item["set"]).find(|set| set["name"] == name);
            let set = set.ok_or_else(|| format!("nft does not list the set {name}"))?;
            let read = |element| read_element(element).ok_or_else(|| format!("not an element: {element}"));
            set["elem"].as_array().into_iter().flatten().map(read).collect::<Result<Vec<_>, _>>()
        };
        for (hook, point, ..) in POINTS {
            let name = format!("{}_{point:?}", hook.name());
            self.seen.entry((hook, point)).or_default().extend(elements(&name)?);
        }
        self.translated.extend(elements(TRANSLATED)?.into_iter().map(|(id, _)| id));
        Ok(())
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
