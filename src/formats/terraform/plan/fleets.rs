//! What a plan says of the balancers that an autoscaling group of AWS will be behind.
//!
//! registry, `aws_autoscaling_group`: `load_balancers`, `target_group_arns` and `traffic_source` may be written or computed, and
//! not all of them may be written. What nobody writes of them is what was found when the state was read: a plan says it of the
//! side after too, even where an attachment goes, or where the one that is written says something else.

use super::merge::Step;
use super::names::Names;
use crate::formats::cloud::Instance;
use crate::formats::data::Node;
use crate::formats::data::value::{Entry, List, Object, Value, What};
use std::sync::Arc;

const GROUP: &str = "aws_autoscaling_group";
const ATTACHMENTS: &[&str] = &["aws_autoscaling_attachment", "aws_autoscaling_traffic_source_attachment"];
const BY_NAME: &[&str] = &["load_balancers", "target_group_arns"];
const BY_BLOCK: &str = "traffic_source";

/// What a group is put behind no longer: its name, and that of the balancer or target group.
pub(super) type Ended<'j> = (&'j str, &'j str);

/// What an attachment has attached and will not.
pub(super) fn ended<'j>(kind: &str, before: Option<Node<'j>>, after: Option<Node<'j>>) -> Vec<Ended<'j>> {
    if !ATTACHMENTS.contains(&kind) {
        return Vec::new();
    }
    let (mut old, new) = (attached(before), attached(after));
    old.retain(|one| !new.contains(one));
    old
}

fn attached(node: Option<Node<'_>>) -> Vec<Ended<'_>> {
    let Some(mut body) = node.and_then(Node::object) else { return Vec::new() };
    let Some(group) = body.take("autoscaling_group_name").and_then(Node::text) else { return Vec::new() };
    let names = ["alb_target_group_arn", "elb", "lb_target_group_arn"];
    let mut found: Vec<&str> = names.into_iter().filter_map(|name| body.take(name)?.text()).collect();
    let blocks = body.take(BY_BLOCK).and_then(Node::list).into_iter().flatten();
    found.extend(blocks.filter_map(|block| block.object()?.take("identifier")?.text()));
    found.into_iter().filter(|target| !target.is_empty()).map(|target| (group, target)).collect()
}

/// Leaves out what a group says on the side after that will not be so.
pub(super) fn settle(instances: &mut [Instance], names: &Names<'_>, ended: &[Ended<'_>]) {
    for instance in instances.iter_mut().filter(|instance| &*instance.kind == GROUP) {
        let What::Object(object) = &instance.body.what else { continue };
        let writes = |name: &str| names.writes(&instance.address, &[Step::Key(name)]);
        let by_name = BY_NAME.iter().any(|name| writes(name));
        // Its blocks are not written where they are `dynamic`. It has all that the others have.
        let by_block =
            !by_name && object.get(BY_BLOCK).and_then(Value::list).is_some_and(|list| !list.items.is_empty());
        let group = |target: &(&str, &str)| {
            ["id", "name"].iter().any(|key| object.get(key).and_then(Value::text) == Some(target.0))
        };
        let gone: Vec<&str> = ended.iter().filter(|target| group(target)).map(|(_, target)| *target).collect();
        let stays = |entry: &&Entry| {
            let computed = names.knows(&instance.address) && !writes(&entry.name);
            !(computed && (by_name && &*entry.name == BY_BLOCK || by_block && BY_NAME.contains(&&*entry.name)))
        };
        let without = |entry: &Entry| {
            let is_place = &*entry.name == BY_BLOCK || BY_NAME.contains(&&*entry.name);
            let list = entry.value.list().filter(|_| is_place && !gone.is_empty() && !writes(&entry.name));
            let value = list.map_or_else(
                || entry.value.clone(),
                |list| {
                    let items = list.items.iter().filter(|item| !gone.contains(&called(item))).cloned().collect();
                    Value { what: What::List(Arc::new(List { items, ..List::clone(list) })), ..entry.value.clone() }
                },
            );
            Entry { value, ..entry.clone() }
        };
        let entries = object.entries.iter().filter(stays).map(without).collect();
        let object = Object { entries, ..Object::clone(object) };
        instance.body.what = What::Object(Arc::new(object));
    }
}

/// What a balancer is called in one of these.
fn called(item: &Value) -> &str {
    let named = item.object().and_then(|block| block.get("identifier")).unwrap_or(item);
    named.text().unwrap_or_default()
}
