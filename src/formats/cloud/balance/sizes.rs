//! How many hosts a resource has that makes them while it runs.
//!
//! registry: `aws_autoscaling_group`, `aws_ecs_service`, `azurerm_linux_virtual_machine_scale_set` and its likes,
//! `exoscale_instance_pool`, `exoscale_sks_nodepool`, `google_compute_instance_group`, `google_compute_instance_group_manager` and its regional one; what changes the number:
//! `aws_appautoscaling_target`, `azurerm_monitor_autoscale_setting`, `google_compute_autoscaler`; what does so at some time:
//! `aws_autoscaling_schedule`, `aws_appautoscaling_scheduled_action`. Amazon EC2 Auto Scaling User Guide, "Set scaling limits",
//! "Suspend and resume processes".

use super::super::attributes::{Attributes, Items, Known, text_of};
use super::super::content;
use super::{Instance, Lowering, Number, joined, show};
use crate::formats::cloud::Mine;
use crate::formats::data::value::Value;
use crate::text::Span;
use std::sync::Arc;

/// How many hosts there are.
#[derive(Debug, Clone)]
pub(in crate::formats::cloud) struct Size {
    /// Whose they are.
    pub(super) address: String,
    /// Of which type that is, if it is known.
    pub(super) kind: &'static str,
    /// What one is.
    pub(super) one: &'static str,
    /// Those that are there in ordinary times.
    pub(super) certain: u32,
    /// Whether there may be some where none is certain.
    pub(super) perhaps: bool,
    /// Set where the number is decided by somebody else: why.
    pub(super) open: Option<String>,
    /// What else decides about it.
    pub(super) settings: String,
    /// Set when the resource may not be there: the name of what decides.
    pub(super) existence: Option<Arc<str>>,
    pub(super) at: Span,
}

impl Size {
    /// That of a group that is not in these files.
    pub(super) fn elsewhere(address: &str, by: &str, at: Span) -> Self {
        Self {
            address: address.to_owned(),
            kind: "",
            one: "host",
            certain: 0,
            perhaps: false,
            open: Some(format!("{by} puts hosts into it, and how many those are is not in these files")),
            settings: String::new(),
            existence: None,
            at,
        }
    }
}

/// A type that says how many hosts it has.
struct Counted {
    kind: &'static str,
    /// What one of them is.
    one: &'static str,
    /// The argument that says how many there are to be, and the block that it stands in, if it does.
    wanted: &'static str,
    within: Option<&'static str>,
    /// Those that say how many there are at least and at most.
    bounds: Option<[&'static str; 2]>,
    /// How many there are where nobody says it; `None`: as many as somebody makes of it.
    usual: Option<u32>,
    /// What else is compared.
    told: &'static [(&'static str, &'static str)],
}

const GROUP: Counted = Counted {
    kind: "aws_autoscaling_group",
    one: "host",
    wanted: "desired_capacity",
    within: None,
    bounds: Some(["min_size", "max_size"]),
    usual: None,
    // Hosts in other zones or networks may be none that the balancer reaches.
    told: &[
        ("availability_zones", ""),
        ("desired_capacity_type", "units"),
        ("suspended_processes", ""),
        ("vpc_zone_identifier", ""),
    ],
};

/// "desired_count - (Optional) Number of instances of the task definition to place and keep running. Defaults to 0."
const SERVICE: Counted = Counted {
    kind: "aws_ecs_service",
    one: "task",
    wanted: "desired_count",
    within: None,
    bounds: None,
    usual: Some(0),
    told: &[("deployment_controller", ""), ("scheduling_strategy", "REPLICA")],
};

/// "instances - (Optional) The number of Virtual Machines in the Scale Set. Defaults to 0."
const SCALE_SET: Counted = Counted {
    kind: "azurerm_linux_virtual_machine_scale_set",
    one: "host",
    wanted: "instances",
    within: None,
    bounds: None,
    usual: Some(0),
    told: &[],
};

/// "target_size - … This will fight with autoscaler settings when set": where it is not said, it stays as it is.
const MANAGER: Counted = Counted {
    kind: "google_compute_instance_group_manager",
    one: "host",
    wanted: "target_size",
    within: None,
    bounds: None,
    usual: None,
    told: &[("named_port", "")],
};

static COUNTED: &[Counted] = &[
    GROUP,
    SERVICE,
    SCALE_SET,
    Counted { kind: "azurerm_windows_virtual_machine_scale_set", ..SCALE_SET },
    Counted { kind: "azurerm_orchestrated_virtual_machine_scale_set", usual: None, ..SCALE_SET },
    Counted {
        kind: "azurerm_virtual_machine_scale_set",
        wanted: "capacity",
        within: Some("sku"),
        usual: None,
        ..SCALE_SET
    },
    Counted { kind: NODES, wanted: "desired_size", within: Some("scaling_config"), usual: None, ..SCALE_SET },
    Counted { kind: "exoscale_instance_pool", wanted: "size", usual: None, ..SCALE_SET },
    Counted { kind: "exoscale_sks_nodepool", wanted: "size", usual: None, ..SCALE_SET },
    MANAGER,
    Counted { kind: "google_compute_region_instance_group_manager", ..MANAGER },
];

/// Hosts that are listed by hand, and may be put there elsewhere.
const LISTED: &str = "google_compute_instance_group";

/// Groups of nodes of Kubernetes, which make groups of hosts.
pub(super) const NODES: &str = "aws_eks_node_group";

/// The groups that a backend of Google can be.
pub(super) const GOOGLE: &[&str] =
    &[LISTED, "google_compute_instance_group_manager", "google_compute_region_instance_group_manager"];

/// The types that something changes the number of hosts of.
const SIZED: &[&str] = &[
    "aws_autoscaling_group",
    "azurerm_linux_virtual_machine_scale_set",
    "azurerm_orchestrated_virtual_machine_scale_set",
    "azurerm_virtual_machine_scale_set",
    "azurerm_windows_virtual_machine_scale_set",
    "google_compute_instance_group_manager",
    "google_compute_region_instance_group_manager",
];

/// The pools of Exoscale that a service can lead to.
pub(super) const POOLS: &[&str] = &["exoscale_instance_pool", "exoscale_sks_nodepool"];

/// The argument or block that says how many hosts there are of a type: where its changes are ignored, nobody here says it, even where it is
/// not written.
pub(in crate::formats) fn count_of(kind: &str) -> Option<&'static str> {
    let counted = COUNTED.iter().find(|counted| counted.kind == kind)?;
    Some(counted.within.unwrap_or(counted.wanted))
}

/// Whether a value is called so because its changes are ignored.
pub(super) fn is_ignored(name: &str) -> bool {
    name.ends_with(" (ignore_changes)")
}

/// A type that changes how many hosts another resource has: the argument that names that one, the blocks in which the bounds
/// stand, and those.
type Scaling = (&'static str, &'static str, &'static [&'static str], [&'static str; 2]);

const SCALING: &[Scaling] = &[
    ("aws_appautoscaling_target", "resource_id", &[], ["min_capacity", "max_capacity"]),
    ("azurerm_monitor_autoscale_setting", "target_resource_id", &["profile", "capacity"], ["minimum", "maximum"]),
    ("google_compute_autoscaler", "target", &["autoscaling_policy"], ["min_replicas", "max_replicas"]),
    ("google_compute_region_autoscaler", "target", &["autoscaling_policy"], ["min_replicas", "max_replicas"]),
];

/// Those that do so at some time, and the argument that names the resource.
const AT_TIMES: &[(&str, &str)] =
    &[("aws_appautoscaling_scheduled_action", "resource_id"), ("aws_autoscaling_schedule", "autoscaling_group_name")];

/// What changes how many hosts a resource has.
pub(super) struct Scaler {
    /// What it says of whose they are, and the address of that if it is one of this configuration.
    of: String,
    address: String,
    /// Between which bounds; `None`: at some times.
    bounds: Option<[Option<u32>; 2]>,
    /// What it says.
    text: String,
}

pub(super) fn scalers(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) -> Vec<Scaler> {
    let mut out = Vec::new();
    for (kind, instance) in mine {
        let scaling = SCALING.iter().find(|(known, ..)| known == kind);
        let at_times = AT_TIMES.iter().find(|(known, _)| known == kind);
        let Some(argument) = scaling.map(|(_, of, ..)| *of).or(at_times.map(|(_, of)| *of)) else { continue };
        let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { continue };
        let enabled = lowering.flag(&mut body, "enabled", true);
        if enabled == Known::Is(false) {
            continue;
        }
        let Some(known) = body.text(argument, lowering.account) else { continue };
        let address = lowering.refer(&known, SIZED, body.at).name;
        let (bounds, text) = match scaling {
            Some((_, _, blocks, names)) => {
                let Some((bounds, text)) = within(lowering, &instance.body, blocks, *names) else { continue };
                (Some(bounds), text)
            }
            None => (None, format!("{}: {}", instance.address, content::of(&instance.body, &["name", argument]))),
        };
        let text = match &instance.existence {
            Some(name) => format!("{text} if {name}"),
            None => text,
        };
        // One that may not be there, or may be switched off, makes nothing certain.
        let surely = instance.existence.is_none() && enabled == Known::Is(true);
        let bounds = bounds.map(|bounds| if surely { bounds } else { [None; 2] });
        out.push(Scaler { of: super::shown(&known), address, bounds, text });
    }
    out
}

/// The bounds that the innermost of some blocks say, and the same in words; `None`: it is switched off.
fn within(
    lowering: &mut Lowering<'_, '_>,
    body: &Value,
    blocks: &[&str],
    names: [&'static str; 2],
) -> Option<([Option<u32>; 2], String)> {
    let mut values = vec![body.clone()];
    for block in blocks {
        let inner = |value: &Value| value.object().and_then(|object| object.get(block)).cloned();
        values = values.iter().filter_map(inner).flat_map(|value| Items::of(&value).all()).collect();
    }
    let mut all: Vec<[Number; 2]> = Vec::new();
    let mut parts = Vec::new();
    for value in &values {
        let Some(mut block) = value.object().is_some().then(|| Attributes::open(value, lowering.account)).flatten()
        else {
            parts.push(format!("as {} says", show(value)));
            all.push([Number::Unsaid, Number::Unsaid]);
            continue;
        };
        if block.value("mode").and_then(Value::text) == Some("OFF") {
            return None;
        }
        let switched = block.value("mode").is_some_and(|mode| mode.text().is_none());
        let numbers = names.map(|name| lowering.number(&mut block, name, u32::MAX));
        parts.push(said(names, &numbers));
        parts.push(lowering.rest(&mut block, &[("mode", "ON"), ("suspended_state", "")]));
        // Whether it is switched off is not known.
        all.push(if switched { [Number::Unsaid, Number::Unsaid] } else { numbers });
    }
    let every = |n: usize| all.iter().map(|numbers| known(&numbers[n])).collect::<Option<Vec<u32>>>();
    let least = every(0).and_then(|numbers| numbers.into_iter().min());
    let most = every(1).and_then(|numbers| numbers.into_iter().max());
    Some(([least, most], format!("scaled with {}", joined(parts))))
}

fn known(number: &Number) -> Option<u32> {
    match number {
        Number::Is(number) => Some(*number),
        Number::Unsaid | Number::Unknown(_) => None,
    }
}

/// Numbers in words.
fn said(names: [&str; 2], numbers: &[Number; 2]) -> String {
    let part = |(name, number): (&str, &Number)| match number {
        Number::Unsaid => String::new(),
        Number::Is(number) => format!("{name} = {number}"),
        Number::Unknown(unknown) => format!("{name} = unknown {unknown}"),
    };
    joined(names.into_iter().zip(numbers).map(part))
}

/// How many hosts a resource has.
pub(super) fn read(
    lowering: &mut Lowering<'_, '_>,
    kind: &str,
    instance: &Instance,
    scalers: &[Scaler],
) -> Option<Size> {
    if kind == LISTED {
        return listed(lowering, instance);
    }
    let counted = COUNTED.iter().find(|counted| counted.kind == kind)?;
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    let wanted = match counted.within {
        None => lowering.number(&mut body, counted.wanted, u32::MAX),
        Some(name) => inner(lowering, &body, name, counted.wanted),
    };
    let bounds = counted.bounds.map(|names| names.map(|name| lowering.number(&mut body, name, u32::MAX)));
    let doubts = doubts(lowering, &body);
    let told = lowering.rest(&mut body, counted.told);
    let named = Named::of(instance);
    let mine: Vec<&Scaler> = scalers.iter().filter(|scaler| named.is_of(scaler)).collect();
    let scaled: Vec<[Option<u32>; 2]> = mine.iter().filter_map(|scaler| scaler.bounds).collect();
    let [least, most] = match &bounds {
        Some(numbers) => numbers.each_ref().map(known),
        None => [
            scaled.iter().map(|bounds| bounds[0]).min().flatten(),
            scaled.iter().map(|bounds| bounds[1]).collect::<Option<Vec<u32>>>().and_then(|all| all.into_iter().max()),
        ],
    };
    let unknown_bounds = bounds.iter().flatten().any(|number| matches!(number, Number::Unknown(_)));
    let address = instance.address.to_string();
    let name = counted.wanted;
    let mut open = None;
    let (mut certain, mut perhaps) = match (&wanted, least) {
        // "The desired capacity must be equal to or greater than the minimum …, and less than or equal to the maximum": where
        // it was not, it is made so.
        (Number::Is(number), least) if scaled.is_empty() => {
            let number = (*number).max(least.unwrap_or(0));
            (number.min(most.unwrap_or(number)), number > 0)
        }
        (Number::Is(number), least) => ((*number).min(least.unwrap_or(0)), *number > 0),
        // "If you do not specify a desired capacity, the default is the minimum size"; what changes it stays within.
        (Number::Unsaid | Number::Unknown(_), Some(least)) => (least, true),
        (Number::Unknown(unknown), None) if !is_ignored(unknown) => (0, true),
        (Number::Unsaid, None) if unknown_bounds || !scaled.is_empty() => (0, true),
        (Number::Unsaid | Number::Unknown(_), None) => match counted.usual.filter(|_| wanted == Number::Unsaid) {
            Some(usual) => (usual, usual > 0),
            None => {
                open = Some(format!("how many hosts {address} puts into it is decided elsewhere"));
                (0, false)
            }
        },
    };
    if most == Some(0) {
        (certain, perhaps, open) = (0, false, None);
    }
    let mut parts = vec![match &wanted {
        Number::Unknown(unknown) if is_ignored(unknown) => format!("changes of {name} are ignored"),
        Number::Unknown(unknown) => format!("{name} = unknown {unknown}"),
        Number::Is(_) | Number::Unsaid => String::new(),
    }];
    // Where the number is not one of servers, how many servers there are does not tell it.
    let telling = matches!(doubts, Doubts::None | Doubts::Elsewhere(_));
    if let (Some(names), Some(numbers)) = (counted.bounds, &bounds)
        && !(telling && numbers.iter().all(|number| *number == Number::Is(certain)))
    {
        parts.push(said(names, numbers));
    }
    if let (Number::Is(number), false) = (&wanted, telling) {
        parts.push(format!("{name} = {number}"));
    }
    match doubts {
        Doubts::None => {}
        Doubts::Elsewhere(why) => (certain, perhaps, open) = (0, false, Some(format!("{address} {why}"))),
        Doubts::Units(units, largest) => {
            // So many units are at least so many hosts of the largest kind, and no units are none.
            parts.push(units);
            certain = largest.map_or(certain.min(1), |largest| certain.div_ceil(largest));
        }
        Doubts::Halted => certain = 0,
    }
    parts.push(told);
    parts.extend(mine.iter().map(|scaler| scaler.text.clone()));
    Some(Size {
        address,
        kind: counted.kind,
        one: counted.one,
        certain,
        perhaps: perhaps && certain == 0,
        open,
        settings: joined(parts),
        existence: instance.existence.clone(),
        at: instance.origin,
    })
}

/// A number that stands in the only block of a name.
fn inner(lowering: &mut Lowering<'_, '_>, body: &Attributes<'_>, name: &str, wanted: &str) -> Number {
    let Some(block) = body.value(name).and_then(|value| Items::of(value).all().into_iter().next()) else {
        return Number::Unsaid;
    };
    match block.name_of_unknown() {
        Some(unknown) => Number::Unknown(unknown.to_owned()),
        None => match Attributes::open(&block, lowering.account) {
            Some(mut block) => lowering.number(&mut block, wanted, u32::MAX),
            None => Number::Unsaid,
        },
    }
}

/// Why a number is not that of hosts that serve.
enum Doubts {
    /// It is.
    None,
    /// Something else decides how many there are: what.
    Elsewhere(&'static str),
    /// It is one of units, of which a host has several: as it says, and how many that are at most, if that is known.
    Units(String, Option<u32>),
    /// Hosts that are made are not there or not behind a balancer, before somebody lets them.
    Halted,
}

/// "`Launch` … suspended: does not launch new instances"; "`AddToLoadBalancer`: launches the instances but does not add them to the load balancer target group".
const HALTING: &[&str] = &["AddToLoadBalancer", "Launch"];

fn doubts(lowering: &mut Lowering<'_, '_>, body: &Attributes<'_>) -> Doubts {
    let text = |name: &str| body.value(name).and_then(Value::text);
    // "DAEMON - places exactly one task on each active container instance".
    if text("scheduling_strategy") == Some("DAEMON") {
        return Doubts::Elsewhere("has a task on each host of its cluster");
    }
    let external = |value: &Value| {
        Items::of(value)
            .all()
            .iter()
            .any(|item| item.object().and_then(|object| object.get("type")).and_then(Value::text) == Some("EXTERNAL"))
    };
    if body.value("deployment_controller").is_some_and(external) {
        return Doubts::Elsewhere("has the tasks of its task sets");
    }
    let halted = body.value("suspended_processes").map(|value| Items::of(value).all()).unwrap_or_default();
    if halted.iter().any(|item| item.text().is_none_or(|text| HALTING.contains(&text))) {
        return Doubts::Halted;
    }
    let (mut weights, mut largest) = (Vec::new(), Some(1));
    if let Some(value) = body.value("mixed_instances_policy") {
        content::places(value, "", &|name| name == "weighted_capacity", &mut |_, entry| {
            weights.push(format!("weighted_capacity = {}", lowering.said(&entry.value)));
            let weight = entry.value.as_integer().and_then(|weight| u32::try_from(weight).ok());
            largest = largest.zip(weight).map(|(largest, weight)| largest.max(weight));
        });
    }
    let kind = body.value("desired_capacity_type");
    let units = kind.is_some_and(|kind| !matches!(kind.text(), Some("units" | "")));
    match (units, weights.is_empty()) {
        (true, _) => Doubts::Units(joined(weights), None),
        (false, false) => Doubts::Units(joined(weights), largest),
        (false, true) => Doubts::None,
    }
}

/// How scalers may call a resource.
struct Named<'i> {
    address: &'i str,
    /// For a service of ECS: its name, its cluster, and how what is not known of a text begins that names it.
    service: Option<[Option<&'i str>; 2]>,
    begins: String,
}

impl<'i> Named<'i> {
    fn of(instance: &'i Instance) -> Self {
        let body = instance.body.object();
        let last = |name: &str| body.and_then(|body| body.get(name)).and_then(Value::text)?.rsplit('/').next();
        let service = (&*instance.kind == SERVICE.kind).then(|| [last("name"), last("cluster")]);
        Self { address: &instance.address, service, begins: format!("{}.", instance.address) }
    }

    /// Whether a scaler is about it. A service of ECS is named `service/<cluster>/<name>`.
    fn is_of(&self, scaler: &Scaler) -> bool {
        let Scaler { of, address, .. } = scaler;
        if address == self.address {
            return true;
        }
        let Some([name, cluster]) = self.service else { return false };
        let of = of.trim_matches('"');
        let mut parts = of.rsplit('/');
        let named = of.starts_with("service/") && parts.next().is_some_and(|part| name == Some(part));
        let said = parts.next().filter(|part| !part.contains(['$', '.']));
        let same = said.zip(cluster).is_none_or(|(one, other)| one == other);
        // What is not known of the text may still name it; not one of another module.
        let begins = |at: usize| !of[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "._-]".contains(c));
        named && same || of.match_indices(&self.begins).any(|(at, _)| begins(at))
    }
}

/// "instances - The list of instances in the group, in self_link format": if it is not said, others put them there.
fn listed(lowering: &mut Lowering<'_, '_>, instance: &Instance) -> Option<Size> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    let said = body.value("instances").is_some();
    let items = body.items("instances");
    let names: Vec<String> =
        items.all().iter().filter_map(|item| Some(super::shown(&text_of(item, "host", lowering.account)?))).collect();
    let address = instance.address.to_string();
    let open = match items.perhaps.first() {
        Some((unknown, _)) => Some(format!("{address} has one of {unknown}")),
        None if !said => Some(format!("how many hosts {address} puts into it is decided elsewhere")),
        None => None,
    };
    Some(Size {
        address,
        kind: LISTED,
        one: "host",
        certain: u32::try_from(items.there.len()).unwrap_or(u32::MAX),
        perhaps: false,
        open,
        settings: if names.is_empty() { String::new() } else { format!("instances = {}", joined(names)) },
        existence: instance.existence.clone(),
        at: instance.origin,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{ARGUMENTS, MEMBERS};
    use super::*;

    #[test]
    fn what_is_counted_is_looked_at() {
        let (mut kinds, mut arguments) = (vec![LISTED], vec!["instances"]);
        for Counted { kind, one: _, wanted, within, bounds, usual: _, told } in COUNTED {
            kinds.push(kind);
            arguments.push(within.unwrap_or(wanted));
            arguments.extend(bounds.iter().flatten());
            arguments.extend(told.iter().map(|(name, _)| *name));
        }
        for (kind, of, blocks, names) in SCALING {
            kinds.push(kind);
            arguments.push(of);
            arguments.extend(blocks.first().map_or(&names[..], std::slice::from_ref));
        }
        for (kind, of) in AT_TIMES {
            kinds.push(kind);
            arguments.push(of);
        }
        kinds.retain(|kind| !MEMBERS.contains(kind));
        arguments.retain(|name| !ARGUMENTS.contains(name));
        assert_eq!((kinds, arguments), (Vec::new(), Vec::new()));
    }
}
