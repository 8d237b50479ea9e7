//! The resources of a state: "a `values` representation" with modules in one another.

use super::Reader;
use crate::formats::data::{Keys, Kind, Node};

/// A managed resource of a state.
pub(super) struct Resource<'j> {
    pub(super) address: String,
    pub(super) kind: &'j str,
    pub(super) node: Node<'j>,
    pub(super) values: Option<Node<'j>>,
    pub(super) sensitive: Option<Node<'j>>,
}

/// All of them, and what is sensitive in the state is noted as such.
pub(super) fn resources<'j>(values: Option<Node<'j>>, reader: &mut Reader<'j, '_>) -> Vec<Resource<'j>> {
    let mut out = Vec::new();
    let Some(mut state) = values.and_then(Node::object) else { return out };
    for output in
        state.take("outputs").and_then(Node::object).map(crate::formats::data::Object::close).unwrap_or_default()
    {
        let Some(mut object) = output.value.object() else { continue };
        let (value, sensitive) = (object.take("value"), object.take("sensitive"));
        reader.hide(value, sensitive);
    }
    let mut modules: Vec<Node<'j>> = state.take("root_module").into_iter().collect();
    while let Some(node) = modules.pop() {
        let Some(mut module) = node.object() else {
            reader.gap(node, "a module is an object");
            continue;
        };
        modules.extend(module.take("child_modules").and_then(Node::list).into_iter().flatten());
        for node in module.take("resources").and_then(Node::list).into_iter().flatten() {
            let Some(mut resource) = node.object() else {
                reader.gap(node, "a resource is an object");
                continue;
            };
            let (values, sensitive) = (resource.take("values"), resource.take("sensitive_values"));
            reader.hide(values, sensitive);
            let (address, kind) = (resource.take("address"), resource.take("type"));
            let mode = resource.take("mode").and_then(Node::text);
            match (mode, address.and_then(Node::text), kind.and_then(Node::text)) {
                (Some("managed"), Some(address), Some(kind)) => {
                    let address = match resource.take("deposed_key").and_then(Node::text) {
                        Some(key) => format!("{address} (deposed {key})"),
                        None => address.to_owned(),
                    };
                    let values = values.filter(|values| values.kind() != Kind::Null);
                    out.push(Resource { address, kind, node, values, sensitive });
                }
                (Some("data"), _, _) => {}
                (_, _, _) => reader.gap(node, "a resource without `mode`, `address` or `type`"),
            }
        }
    }
    out
}
