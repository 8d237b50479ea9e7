//! Resources that put hosts behind balancers while they run, and how many those say that there are. Which hosts, and at which
//! addresses, is in no file.
//!
//! registry: `aws_autoscaling_attachment`, `aws_autoscaling_traffic_source_attachment`; the types of [`super::sizes`].

use super::super::attributes::{Attributes, Items, Known, text_of};
use super::super::{content, kinds};
use super::sizes::{self, NODES, POOLS, Size};
use super::{Instance, Lowering, backend, joined, server};
use crate::formats::Disposition;
use crate::formats::cloud::{Mine, attaches};
use crate::formats::data::value::{Value, What};
use crate::model::{Backend, Server};
use crate::text::{Span, escape};
use std::sync::Arc;

pub(in crate::formats::cloud) const KINDS: &[&str] = &[
    "alicloud_ess_scaling_group",
    "aws_appautoscaling_scheduled_action",
    "aws_appautoscaling_target",
    "aws_autoscaling_attachment",
    "aws_autoscaling_group",
    "aws_autoscaling_schedule",
    "aws_autoscaling_traffic_source_attachment",
    "aws_ec2_instance_state",
    "aws_ecs_service",
    "aws_ecs_task_set",
    "aws_eks_node_group",
    "aws_spot_fleet_request",
    "azurerm_linux_virtual_machine_scale_set",
    "azurerm_monitor_autoscale_setting",
    "azurerm_orchestrated_virtual_machine_scale_set",
    "azurerm_virtual_machine_scale_set",
    "azurerm_windows_virtual_machine_scale_set",
    "exoscale_instance_pool",
    "exoscale_sks_nodepool",
    "google_compute_autoscaler",
    "google_compute_instance_group",
    "google_compute_instance_group_manager",
    "google_compute_region_autoscaler",
    "google_compute_region_instance_group_manager",
    "huaweicloud_as_group",
    "ibm_is_instance_group",
    "kubernetes_deployment",
    "kubernetes_deployment_v1",
    "kubernetes_horizontal_pod_autoscaler",
    "kubernetes_horizontal_pod_autoscaler_v1",
    "kubernetes_horizontal_pod_autoscaler_v2",
    "kubernetes_horizontal_pod_autoscaler_v2beta2",
    "kubernetes_replication_controller",
    "kubernetes_replication_controller_v1",
    "kubernetes_stateful_set",
    "kubernetes_stateful_set_v1",
    "oci_core_instance_pool",
    "tencentcloud_as_scaling_group",
    "yandex_compute_instance_group",
];

/// Their arguments that name what hosts are put behind, wherever they stand in them.
const PLACES: &[&str] = &[
    "alb_target_group_arn",
    "elb",
    "lb_target_group_arn",
    "load_balancer",
    "load_balancers",
    "network_configuration",
    "network_interface",
    "network_profile",
    "target_group_arns",
    "target_pools",
    "traffic_source",
];

/// The names within blocks.
const NAMES: &[&str] = &[
    "application_gateway_backend_address_pool_ids",
    "elb_name",
    "identifier",
    "ip_configuration",
    "load_balancer_backend_address_pool_ids",
    "target_group_arn",
];

/// Their arguments that are looked at: [`PLACES`], those of [`OTHERS`], and what says how many hosts there are.
pub(in crate::formats::cloud) const ARGUMENTS: &[&str] = &[
    "alb_server_group",
    "alb_target_group_arn",
    "application_load_balancer",
    "application_port",
    "autoscaling_group_name",
    "autoscaling_policy",
    "availability_zones",
    "cluster",
    "deployment_controller",
    "desire_instance_number",
    "desired_capacity",
    "desired_capacity_type",
    "desired_count",
    "elb",
    "enabled",
    "end_time",
    "forward_balancer_ids",
    "instance_count",
    "instances",
    "lb_target_group_arn",
    "lbaas_listeners",
    "load_balancer",
    "load_balancer_ids",
    "load_balancer_pool",
    "load_balancers",
    "loadbalancer_ids",
    "max_capacity",
    "max_instance_number",
    "max_size",
    "min_capacity",
    "min_instance_number",
    "min_size",
    "mixed_instances_policy",
    "name",
    "named_port",
    "network_configuration",
    "network_interface",
    "network_profile",
    "profile",
    "recurrence",
    "resource_id",
    "scalable_target_action",
    "scale",
    "scale_policy",
    "scaling_config",
    "schedule",
    "scheduling_strategy",
    "security_group_ids",
    "size",
    "sku",
    "spec",
    "start_time",
    "state",
    "suspended_processes",
    "suspended_state",
    "target",
    "target_capacity",
    "target_group_arns",
    "target_pools",
    "target_resource_id",
    "target_size",
    "time_zone",
    "timezone",
    "traffic_source",
    "vpc_zone_identifier",
    "vserver_groups",
];

/// How CloudFormation calls what hosts are put behind, and what says how many there are.
const PLACES_IN_TEMPLATES: &[&str] = &["LoadBalancerNames", "LoadBalancers", "TargetGroupARNs", "TrafficSources"];
const SIZES_IN_TEMPLATES: &[&str] = &[
    "DeploymentController",
    "DesiredCapacity",
    "DesiredCapacityType",
    "DesiredCount",
    "MaxSize",
    "MinSize",
    "SchedulingStrategy",
];

/// The types that put hosts behind balancers and are not followed there: what they name these in, and what says how many hosts
/// there are.
///
/// registry: `alicloud_ess_scaling_group`, `aws_ecs_task_set`, `aws_spot_fleet_request`, `huaweicloud_as_group`,
/// `ibm_is_instance_group`, `oci_core_instance_pool`, `tencentcloud_as_scaling_group`, `yandex_compute_instance_group`.
type Other = (&'static str, &'static [&'static str], &'static [&'static str]);

const OTHERS: &[Other] = &[
    (
        "alicloud_ess_scaling_group",
        &["alb_server_group", "loadbalancer_ids", "vserver_groups"],
        &["desired_capacity", "max_size", "min_size"],
    ),
    ("aws_ecs_task_set", &["load_balancer"], &["scale"]),
    ("aws_spot_fleet_request", &["load_balancers", "target_group_arns"], &["target_capacity"]),
    (
        "huaweicloud_as_group",
        &["lbaas_listeners"],
        &["desire_instance_number", "max_instance_number", "min_instance_number"],
    ),
    ("ibm_is_instance_group", &["load_balancer", "load_balancer_pool"], &["application_port", "instance_count"]),
    ("oci_core_instance_pool", &["load_balancers"], &["size", "state"]),
    (
        "tencentcloud_as_scaling_group",
        &["forward_balancer_ids", "load_balancer_ids"],
        &["desired_capacity", "max_size", "min_size"],
    ),
    ("yandex_compute_instance_group", &["application_load_balancer", "load_balancer"], &["scale_policy"]),
];

/// What is said of a place besides.
const OF_PLACE: &[&str] = &["container_name", "container_port"];

const TARGETS: &[&str] = &[
    "aws_lb_target_group",
    "aws_alb_target_group",
    "aws_elb",
    "azurerm_lb_backend_address_pool",
    "google_compute_target_pool",
];

/// The types that put the hosts of another resource behind balancers: of the one that this argument names.
const ATTACHMENTS: &[&str] = &["aws_autoscaling_attachment", "aws_autoscaling_traffic_source_attachment"];
const ATTACHED: &str = "autoscaling_group_name";

/// Hosts that are put behind something.
#[derive(Debug, Clone)]
pub(in crate::formats::cloud) struct Member {
    size: Size,
    /// Set when it may not put them there: the name of what decides.
    existence: Option<Arc<str>>,
    /// What it says of the place.
    settings: String,
    at: Span,
}

pub(in crate::formats::cloud) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    for (kind, instance) in mine {
        lowering.account.claim(instance.origin, Disposition::Opaque("which hosts there are is found at run time"));
        let attachment = lowering.attachment(instance, &|name| attaches(&instance.kind, name));
        if let Some(attachment) = attachment {
            let is_other = POOLS.contains(kind) || *kind == NODES || OTHERS.iter().any(|(other, ..)| other == kind);
            let said = if is_other { &mut attachment.rewritten } else { &mut attachment.uncomputed };
            *said = Some(kinds::ATTACHED);
        }
        if let Some(content) = in_template(&instance.body).or_else(|| elsewhere(kind, &instance.body)) {
            let content = format!("{}: {content}", escape(instance.kind.as_bytes()));
            lowering.object(kinds::UNKNOWN, instance, content).uncomputed = Some(kinds::BALANCED);
        }
    }
    let scalers = sizes::scalers(lowering, mine);
    for (kind, instance) in mine {
        if let Some(size) = sizes::read(lowering, kind, instance, &scalers) {
            lowering.balancers.sizes.insert(instance.address.to_string(), size);
        }
    }
    for (kind, instance) in mine {
        let size = if ATTACHMENTS.contains(kind) {
            attached(lowering, instance)
        } else {
            lowering.balancers.sizes.get(&*instance.address).cloned()
        };
        if let Some(size) = size {
            places(lowering, instance, &size);
        }
    }
}

/// What a template of CloudFormation says of how many hosts are put where: its words are others, and balancers in it are not
/// computed.
fn in_template(body: &Value) -> Option<String> {
    let body = body.object()?;
    let said = |name: &&&str| body.get(name).is_some_and(content::says);
    PLACES_IN_TEMPLATES.iter().find(said)?;
    let names = PLACES_IN_TEMPLATES.iter().chain(SIZES_IN_TEMPLATES).filter(said);
    let part = |name: &&str| Some(format!("{name} = {}", super::show(body.get(name)?)));
    Some(joined(names.filter_map(part)))
}

/// What a resource says of how many servers there are behind balancers that are not computed, or not by what it says.
fn elsewhere(kind: &str, body: &Value) -> Option<String> {
    let said = |names: &[&str]| content::attached(body, &|name| names.contains(&name));
    if let Some((_, places, sizes)) = OTHERS.iter().find(|(other, ..)| *other == kind) {
        return said(places).map(|behind| joined([behind, said(sizes).unwrap_or_default()]));
    }
    match kind {
        "aws_ec2_instance_state" => said(&["state"]),
        kind if kind.starts_with("kubernetes_") => said(&["max_replicas", "min_replicas", "replicas"]),
        _ => None,
    }
}

/// Whose hosts an attachment puts somewhere.
fn attached(lowering: &mut Lowering<'_, '_>, instance: &Instance) -> Option<Size> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    let at = lowering.place(&body, ATTACHED);
    let known = body.text(ATTACHED, lowering.account);
    let known = known.unwrap_or_else(|| Known::Not("a group".to_owned()));
    let name = lowering.refer(&known, &["aws_autoscaling_group"], at).name;
    let sizes = &lowering.balancers.sizes;
    // A group of nodes names the groups that it makes: `aws_eks_node_group.a.resources[0].autoscaling_groups[0].name`.
    let of_nodes = || sizes.iter().find(|(address, size)| size.kind == NODES && is_within(&name, address));
    let known = sizes.get(&name).or_else(|| of_nodes().map(|(_, size)| size)).cloned();
    Some(known.unwrap_or_else(|| Size::elsewhere(&name, &instance.address, instance.origin)))
}

/// Whether something is called as a part of a resource is.
fn is_within(name: &str, address: &str) -> bool {
    name.strip_prefix(address).is_some_and(|rest| rest.starts_with('.'))
}

/// What a resource puts hosts behind.
fn places(lowering: &mut Lowering<'_, '_>, instance: &Instance, size: &Size) {
    let Some(body) = instance.body.object() else { return };
    for entry in body.entries.iter().filter(|entry| PLACES.contains(&&*entry.name)) {
        for item in Items::of(&entry.value).all() {
            let mut found = Vec::new();
            texts(&item, &mut found);
            let mut settings = Vec::new();
            content::places(&item, "", &|name| OF_PLACE.contains(&name), &mut |path, entry| {
                settings.push(format!("{path} = {}", super::show(&entry.value)));
            });
            for value in found {
                let Some(known) = text_of(&value, "name", lowering.account) else { continue };
                // As plans write what is not said.
                if known == Known::Is("".into()) {
                    continue;
                }
                let target = lowering.refer(&known, TARGETS, value.at).name;
                let member = Member {
                    size: size.clone(),
                    existence: both(size.existence.as_ref(), instance.existence.as_ref()),
                    settings: joined(settings.clone()),
                    at: instance.origin,
                };
                let all = lowering.balancers.members.entry(target).or_default();
                let same =
                    |other: &Member| other.size.address == member.size.address && other.settings == member.settings;
                // What is said twice, by the group and by an attachment of it, is there once.
                if all.iter().any(|other| same(other) && other.existence.is_none()) {
                    continue;
                }
                all.retain(|other| !same(other));
                all.push(member);
            }
        }
    }
}

/// Both conditions, which may be the same.
fn both(one: Option<&Arc<str>>, other: Option<&Arc<str>>) -> Option<Arc<str>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Some(format!("{one} and {other}").into()),
        (one, other) => one.or(other).cloned(),
    }
}

/// All that is named in a value.
fn texts(value: &Value, out: &mut Vec<Value>) {
    match &value.what {
        What::Null | What::Truth(_) | What::Number(_) => {}
        What::Text(_) | What::Unknown(_) => out.push(value.clone()),
        What::List(_) => Items::of(value).all().iter().for_each(|item| texts(item, out)),
        What::Object(object) => {
            object.entries.iter().filter(|entry| NAMES.contains(&&*entry.name)).for_each(|e| texts(&e.value, out));
        }
    }
}

impl Lowering<'_, '_> {
    /// Puts the hosts behind a backend that resources put behind what is called so.
    pub(super) fn join(&mut self, backend: &mut Backend, of: &str, port: Option<u16>, check: Option<Option<u16>>) {
        self.balancers.joined.insert(of.to_owned());
        let Some(members) = self.balancers.members.get(of).cloned() else { return };
        for Member { size, existence, settings, at } in &members {
            let hosts = self.hosts(size, backend, existence.as_ref(), *at);
            // Tasks have ports of their own.
            let port = port.filter(|_| size.one == "host");
            let placed =
                |host: Server| Server { port, check, settings: joined([host.settings, settings.clone()]), ..host };
            backend.servers.extend(hosts.into_iter().map(placed));
        }
    }

    /// The hosts of a group, of which the backend tells what is said of all of them.
    pub(super) fn hosts(
        &mut self,
        size: &Size,
        backend: &mut Backend,
        existence: Option<&Arc<str>>,
        at: Span,
    ) -> Vec<Server> {
        let Size { address, kind: _, one, certain, perhaps, open, settings, existence: _, at: said_at } = size;
        if !settings.is_empty() && self.balancers.told.insert((backend.name.clone(), address.clone())) {
            let between = if backend.settings.is_empty() { "" } else { ", " };
            backend.settings.extend([between, address, ": ", settings]);
        }
        if backend.open.is_none() {
            backend.open.clone_from(open);
        }
        let host = |n: Option<u32>| {
            let name = n.map_or_else(|| address.clone(), |n| format!("{address}-{n}"));
            server(name, format!("{one} of {address}"), None, existence, at)
        };
        match (certain, perhaps) {
            (0, false) => Vec::new(),
            (0, true) => {
                let any = host(None);
                let settings = joined([any.settings, "if it has any".to_owned()]);
                vec![Server { enabled: None, settings, ..any }]
            }
            (1, _) => vec![host(None)],
            (all, _) => {
                let Self { balancers, account, .. } = self;
                let mut gap = |reason| account.gap(*said_at, reason);
                let all = balancers.counted.count(*all, ("hosts", "group"), &mut gap);
                (1..=all).map(|n| host(Some(n))).collect()
            }
        }
    }

    /// A backend for each name that hosts are put behind and nothing here says what leads there.
    pub(super) fn finish_members(&mut self) {
        let all: Vec<(String, Span)> = self
            .balancers
            .members
            .iter()
            .filter(|(name, _)| !self.balancers.joined.contains(*name) && !sizes::is_ignored(name))
            .filter_map(|(name, members)| Some((name.clone(), members.first()?.at)))
            .collect();
        for (name, at) in all {
            let mut backend = backend(name.clone(), None, at);
            backend.open = Some("what leads to it is not in these files, or not computed".to_owned());
            self.join(&mut backend, &name, None, None);
            self.serve(backend);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hosts_are_put_behind_is_looked_at() {
        let mut arguments = [PLACES, &[ATTACHED]].concat();
        let mut kinds = ATTACHMENTS.to_vec();
        for (kind, places, sizes) in OTHERS {
            kinds.push(kind);
            arguments.extend(places.iter().chain(*sizes));
        }
        kinds.retain(|kind| !KINDS.contains(kind));
        arguments.retain(|name| !ARGUMENTS.contains(name));
        assert_eq!((kinds, arguments), (Vec::new(), Vec::new()));
    }
}
