//! The arguments of a resource from the three trees in which a plan says them: values, what of them is not known, and
//! what of them is sensitive.

use super::names::Names;
use crate::formats::data::value::{Entry as Named, List, Object, Value, What};
use crate::formats::data::{Entry, Kind, Node, Number, Object as Opened};
use crate::text::{SourceId, Span};
use std::sync::Arc;

/// What is needed to tell what a value is.
pub(super) struct Merge<'m, 'j> {
    pub(super) source: SourceId,
    pub(super) names: &'m Names<'j>,
    /// The address of the resource.
    pub(super) address: &'m str,
    /// Whether an argument had a value before.
    pub(super) was_set: &'m dyn Fn(&str) -> bool,
}

impl<'j> Merge<'_, 'j> {
    /// The arguments. "`after_unknown` … `true` where a value is not known until the plan is carried out". What nobody wrote and the
    /// provider will fill in is left out, as it is from the configuration; not so the rules of a firewall: the expressions of a
    /// plan have no `dynamic` blocks and none of [`RULES`], so that rules that depend on what is not known look as if
    /// nobody had written them.
    pub(super) fn body(&self, value: Node<'j>, unknown: Option<Node<'j>>, sensitive: Option<Node<'j>>) -> Value {
        let at = self.span(value);
        let Some(values) = value.object() else { return self.merge(value, unknown, sensitive, &mut Vec::new()) };
        let mut entries = Vec::new();
        let (mut unknowns, mut marks) = (open(unknown), open(sensitive));
        let all_sensitive = is_true(sensitive);
        for Entry { name, key, value } in values.close() {
            let (unknown, mark) = (take(&mut unknowns, name), take(&mut marks, name));
            let mut path = vec![Step::Key(name)];
            let mark = if all_sensitive { sensitive } else { mark };
            let value = self.merge(value, unknown, mark, &mut path);
            entries.push(Named { name: name.into(), at: self.span(key), value });
        }
        for Entry { name, key, value } in unknowns.map(Opened::close).unwrap_or_default() {
            let path = vec![Step::Key(name)];
            let computed = self.names.knows(self.address) && !self.names.writes(self.address, &path);
            if !is_true(Some(value)) || computed && !(self.was_set)(name) && !RULES.contains(&name) {
                continue;
            }
            let at = self.span(key);
            let value = Value::unknown(&self.names.name(self.address, &path), at);
            entries.push(Named { name: name.into(), at, value });
        }
        Value::new(What::Object(Arc::new(Object { entries, more: Vec::new() })), at)
    }

    fn merge(
        &self,
        value: Node<'j>,
        unknown: Option<Node<'j>>,
        sensitive: Option<Node<'j>>,
        path: &mut Vec<Step<'j>>,
    ) -> Value {
        let at = self.span(value);
        if is_true(unknown) {
            return Value::unknown(&self.names.name(self.address, path), at);
        }
        let what = match value.kind() {
            Kind::Null => What::Null,
            Kind::Truth => What::Truth(value.truth() == Some(true)),
            Kind::Text => What::Text(value.text().unwrap_or_default().into()),
            Kind::Number => match Number::parse(value.written()) {
                Some(number) => What::Number(number),
                None => What::Text(value.written().into()),
            },
            Kind::List => {
                let mut unknowns = unknown.and_then(Node::list);
                let mut marks = sensitive.and_then(Node::list);
                let mut items = Vec::new();
                for (n, item) in value.list().into_iter().flatten().enumerate() {
                    path.push(Step::Item(n, value));
                    let next =
                        |list: &mut Option<crate::formats::data::Values<'j>>| list.as_mut().and_then(Iterator::next);
                    let mark = if is_true(sensitive) { sensitive } else { next(&mut marks) };
                    items.push(self.merge(item, next(&mut unknowns), mark, path));
                    path.pop();
                }
                for (n, left) in unknowns.into_iter().flatten().enumerate().filter(|(_, left)| is_true(Some(*left))) {
                    path.push(Step::Item(items.len() + n, value));
                    items.push(Value::unknown(&self.names.name(self.address, path), self.span(left)));
                    path.pop();
                }
                What::List(Arc::new(List { items, more: Vec::new(), is_set: false }))
            }
            Kind::Object => {
                let (mut unknowns, mut marks) = (open(unknown), open(sensitive));
                let mut entries = Vec::new();
                for Entry { name, key, value } in value.object().map(Opened::close).unwrap_or_default() {
                    let (unknown, mark) = (take(&mut unknowns, name), take(&mut marks, name));
                    let mark = if is_true(sensitive) { sensitive } else { mark };
                    path.push(Step::Key(name));
                    let value = self.merge(value, unknown, mark, path);
                    path.pop();
                    entries.push(Named { name: name.into(), at: self.span(key), value });
                }
                for Entry { name, key, value } in unknowns.map(Opened::close).unwrap_or_default() {
                    if is_true(Some(value)) {
                        path.push(Step::Key(name));
                        let at = self.span(key);
                        let value = Value::unknown(&self.names.name(self.address, path), at);
                        entries.push(Named { name: name.into(), at, value });
                        path.pop();
                    }
                }
                What::Object(Arc::new(Object { entries, more: Vec::new() }))
            }
        };
        Value::new(what, at).hidden(is_true(sensitive))
    }

    fn span(&self, node: Node<'_>) -> Span {
        let (start, end) = node.place();
        Span { source: self.source, start, end }
    }
}

/// Arguments that hold rules and that providers fill in where nobody writes them (`aws_security_group`,
/// `aws_network_acl`, `azurerm_network_security_group` and their defaults).
pub(super) const RULES: [&str; 3] = ["ingress", "egress", "security_rule"];

/// A step into a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'j> {
    /// The value of a key.
    Key(&'j str),
    /// An item of a list, and what is known of that.
    Item(usize, Node<'j>),
}

fn open(node: Option<Node<'_>>) -> Option<Opened<'_>> {
    node.and_then(Node::object)
}

fn take<'j>(object: &mut Option<Opened<'j>>, key: &str) -> Option<Node<'j>> {
    object.as_mut().and_then(|object| object.take(key))
}

fn is_true(node: Option<Node<'_>>) -> bool {
    node.and_then(Node::truth) == Some(true)
}
