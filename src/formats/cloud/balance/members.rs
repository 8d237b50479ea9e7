//! Resources that put hosts behind balancers while they run: how many those are, and which, is in no file.
//!
//! registry: `aws_autoscaling_group`, `aws_autoscaling_attachment`, `aws_autoscaling_traffic_source_attachment`,
//! `aws_ecs_service`, `azurerm_linux_virtual_machine_scale_set`, `azurerm_windows_virtual_machine_scale_set`.

use super::super::attributes::{Items, text_of};
use super::Lowering;
use crate::formats::Disposition;
use crate::formats::cloud::{Mine, attaches};
use crate::formats::data::value::{Value, What};

pub(in crate::formats::cloud) const KINDS: &[&str] = &[
    "aws_autoscaling_attachment",
    "aws_autoscaling_group",
    "aws_autoscaling_traffic_source_attachment",
    "aws_ecs_service",
    "azurerm_linux_virtual_machine_scale_set",
    "azurerm_orchestrated_virtual_machine_scale_set",
    "azurerm_windows_virtual_machine_scale_set",
];

/// Their arguments that name what hosts are put behind, wherever they stand in them. Nothing else of them is looked at.
pub(in crate::formats::cloud) const ARGUMENTS: &[&str] = &[
    "alb_target_group_arn",
    "elb",
    "lb_target_group_arn",
    "load_balancer",
    "load_balancers",
    "network_configuration",
    "network_interface",
    "target_group_arns",
    "traffic_source",
];

/// The names within blocks.
const NAMES: &[&str] =
    &["elb_name", "identifier", "ip_configuration", "load_balancer_backend_address_pool_ids", "target_group_arn"];

const TARGETS: &[&str] = &["aws_lb_target_group", "aws_alb_target_group", "aws_elb", "azurerm_lb_backend_address_pool"];

pub(in crate::formats::cloud) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    for (_, instance) in mine {
        lowering.account.claim(instance.origin, Disposition::Opaque("which hosts there are is found at run time"));
        lowering.attached(instance, &|name| attaches(&instance.kind, name));
        let Some(body) = instance.body.object() else { continue };
        for entry in body.entries.iter().filter(|entry| ARGUMENTS.contains(&&*entry.name)) {
            let mut found = Vec::new();
            texts(&entry.value, &mut found);
            for value in found {
                let Some(known) = text_of(&value, "name", lowering.account) else { continue };
                let target = lowering.refer(&known, TARGETS, value.at).name;
                lowering.balancers.members.entry(target).or_insert_with(|| instance.address.to_string());
            }
        }
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
