//! What an unknown value is called: after what it refers to in the configuration, which the plan holds as well, so that it
//! has the name that it has where the configuration itself is read.

use super::merge::Step;
use crate::formats::data::{Kind, Node, Object};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How far references are followed through modules.
const DEEPEST: usize = 16;

/// The configuration of a plan.
#[derive(Debug, Default)]
pub(super) struct Names<'j> {
    /// By the address without instance keys: the expressions of a resource.
    resources: BTreeMap<String, Node<'j>>,
    /// By the address of a module without instance keys: the expressions it is called with, and its outputs.
    modules: BTreeMap<String, Module<'j>>,
    sensitive: BTreeSet<&'j str>,
}

#[derive(Debug, Default)]
struct Module<'j> {
    inputs: Option<Node<'j>>,
    outputs: Option<Node<'j>>,
}

impl<'j> Names<'j> {
    /// The names of a plan.
    pub(super) fn of(root: Node<'j>) -> Self {
        let mut names = Self::default();
        let configuration = root.object().and_then(|mut plan| plan.take("configuration"));
        let module = configuration.and_then(Node::object).and_then(|mut c| c.take("root_module"));
        if let Some(variables) =
            module.and_then(Node::object).and_then(|mut m| m.take("variables")).and_then(Node::object)
        {
            for variable in variables.close() {
                let mark = variable.value.object().and_then(|mut v| v.take("sensitive")).and_then(Node::truth);
                if mark == Some(true) {
                    names.sensitive.insert(variable.name);
                }
            }
        }
        let mut open: Vec<(String, Node<'j>)> = module.map(|module| (String::new(), module)).into_iter().collect();
        while let Some((prefix, node)) = open.pop() {
            let Some(mut module) = node.object() else { continue };
            names.modules.entry(prefix.clone()).or_default().outputs = module.take("outputs");
            for resource in module.take("resources").and_then(Node::list).into_iter().flatten() {
                let Some(mut object) = resource.object() else { continue };
                if let (Some(address), Some(expressions)) =
                    (object.take("address").and_then(Node::text), object.take("expressions"))
                {
                    names.resources.insert(format!("{prefix}{address}"), expressions);
                }
            }
            for call in module.take("module_calls").and_then(Node::object).map(Object::close).unwrap_or_default() {
                let Some(mut object) = call.value.object() else { continue };
                let inner = format!("{prefix}module.{}.", call.name);
                names.modules.entry(inner.clone()).or_default().inputs = object.take("expressions");
                open.extend(object.take("module").map(|module| (inner, module)));
            }
        }
        names
    }

    /// Whether a variable of the root module is called sensitive.
    pub(super) fn is_sensitive(&self, variable: &str) -> bool {
        self.sensitive.contains(variable)
    }

    /// Whether the configuration of a resource is there.
    pub(super) fn knows(&self, address: &str) -> bool {
        self.resources.contains_key(&plain(address))
    }

    /// Whether the configuration gives an argument a value.
    pub(super) fn writes(&self, address: &str, path: &[Step<'j>]) -> bool {
        !self.expressions(address, path).found.is_empty()
    }

    /// The name of an unknown argument.
    pub(super) fn name(&self, address: &str, path: &[Step<'j>]) -> String {
        let own = || {
            let mut name = address.to_owned();
            for step in path {
                match step {
                    Step::Key(key) => write!(name, ".{key}"),
                    Step::Item(n, _) => write!(name, "[{n}]"),
                }
                .expect("writing to a String");
            }
            name
        };
        let Expressions { found, sure } = self.expressions(address, path);
        let module = module_of(address);
        let mut referred: Vec<String> =
            found.into_iter().flat_map(references).map(|name| self.resolve(&module, name, 0)).collect();
        referred.sort();
        referred.dedup();
        match (referred.as_slice(), sure) {
            ([], _) => own(),
            ([one], true) => one.clone(),
            // No name of a resource, which those of single references begin with.
            (several, true) => format!("what {} takes of {}", own(), several.join(", ")),
            (several, false) => format!("what {} may take of {}", own(), several.join(", ")),
        }
    }

    /// What a reference within a module leads to: through its inputs to its caller, through outputs into other modules.
    fn resolve(&self, module: &str, name: &str, depth: usize) -> String {
        let written = format!("{module}{name}");
        if depth > DEEPEST {
            return written;
        }
        let mut parts = name.splitn(3, '.');
        let follow = |module: &str, expression: Option<Node<'j>>| match references(expression?).as_slice() {
            [one] => Some(self.resolve(module, one, depth + 1)),
            _ => None,
        };
        let led = match (parts.next(), parts.next(), parts.next()) {
            (Some("var"), Some(variable), None) => {
                let inputs = self.modules.get(&plain_prefix(module)).and_then(|module| module.inputs);
                follow(&caller(module), inputs.and_then(Node::object).and_then(|mut i| i.take(variable)))
            }
            (Some("module"), Some(call), Some(output)) => {
                let inner = format!("{module}module.{call}.");
                let outputs = self.modules.get(&plain_prefix(&inner)).and_then(|module| module.outputs);
                let output = outputs.and_then(Node::object).and_then(|mut o| o.take(output)).and_then(Node::object);
                follow(&inner, output.and_then(|mut output| output.take("expression")))
            }
            _ => None,
        };
        led.unwrap_or(written)
    }

    /// The expressions that an argument may have, which may be one in blocks.
    fn expressions(&self, address: &str, path: &[Step<'j>]) -> Expressions<'j> {
        let Some(resource) = self.resources.get(&plain(address)) else { return Expressions::default() };
        let (mut nodes, mut sure) = (vec![*resource], true);
        for step in path {
            let is_expression = |node: &Node<'j>| {
                node.object().is_some_and(|mut object| {
                    object.take("references").is_some() || object.take("constant_value").is_some()
                })
            };
            let mut next = Vec::new();
            for node in nodes {
                match (step, node.list()) {
                    _ if is_expression(&node) => next.push(node),
                    (Step::Key(key), _) => next.extend(node.object().and_then(|mut object| object.take(key))),
                    (Step::Item(n, items), Some(blocks)) => {
                        let blocks: Vec<Node<'j>> = blocks.collect();
                        match block_of(&blocks, *n, *items) {
                            Some(block) => next.push(block),
                            None => {
                                sure = false;
                                next.extend(blocks);
                            }
                        }
                    }
                    (Step::Item(_, _), None) => next.push(node),
                }
            }
            nodes = next;
        }
        Expressions { found: nodes, sure }
    }
}

/// What the configuration may say of an argument.
#[derive(Debug, Default)]
struct Expressions<'j> {
    /// One of these.
    found: Vec<Node<'j>>,
    /// Whether all of them say it together, so that none is another one's.
    sure: bool,
}

/// The block of a configuration that an item was made of, as far as that can be told. Those of a set stand in another order than in the
/// configuration, and `dynamic` blocks, which are not among these, make others: it is the one whose constants the item has, if no other
/// block and no other item has them too.
fn block_of<'j>(blocks: &[Node<'j>], n: usize, items: Node<'j>) -> Option<Node<'j>> {
    let items: Vec<Node<'j>> = items.list()?.collect();
    if let ([only], [_]) = (blocks, items.as_slice()) {
        return Some(*only);
    }
    let item = *items.get(n)?;
    let mut fitting = blocks.iter().filter(|block| fits(**block, item));
    let (Some(block), None) = (fitting.next(), fitting.next()) else { return None };
    let made = items.iter().filter(|item| fits(*block, **item)).count();
    (made == 1).then_some(*block)
}

/// Whether an item has all values that a block writes out.
fn fits(block: Node<'_>, item: Node<'_>) -> bool {
    let (Some(block), Some(mut item)) = (block.object(), item.object()) else { return false };
    block.close().into_iter().all(|entry| {
        let written = entry.value.object().and_then(|mut expression| expression.take("constant_value"));
        let written = written.filter(|node| !matches!(node.kind(), Kind::Object | Kind::Null));
        written.is_none_or(|written| item.take(entry.name).is_some_and(|known| plainly(known) == plainly(written)))
    })
}

/// A value as a text that equal values have: the providers order what they keep as sets.
fn plainly(node: Node<'_>) -> String {
    match node.list() {
        Some(items) => {
            let mut items: Vec<String> = items.map(plainly).collect();
            items.sort();
            format!("[{}]", items.join(","))
        }
        None => node.text().map_or_else(|| node.written().to_owned(), ToOwned::to_owned),
    }
}

/// The references of an expression, without those that only say where another one leads to.
fn references(expression: Node<'_>) -> Vec<&str> {
    let list = expression.object().and_then(|mut object| object.take("references")).and_then(Node::list);
    let all: Vec<&str> = list.into_iter().flatten().filter_map(Node::text).collect();
    let longer = |name: &str| {
        let rest = |other: &&str| other.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '[']));
        all.iter().any(rest)
    };
    all.iter().copied().filter(|name| !longer(name)).collect()
}

/// The part of an address before the resource: `module.a["x"].`.
fn module_of(address: &str) -> String {
    let mut rest = address;
    while let Some(after) = rest.strip_prefix("module.") {
        let Some(end) = end_of_step(after) else { break };
        rest = after.get(end + 1..).unwrap_or_default();
    }
    address[..address.len() - rest.len()].to_owned()
}

/// The module that calls another one: `module.a.` for `module.a.module.b.`.
fn caller(module: &str) -> String {
    let inner = module.strip_suffix('.').unwrap_or(module);
    let mut at = 0;
    let mut last = 0;
    while let Some(after) = inner.get(at..).and_then(|rest| rest.strip_prefix("module.")) {
        last = at;
        let Some(end) = end_of_step(after) else { break };
        at += "module.".len() + end + 1;
    }
    inner.get(..last).unwrap_or_default().to_owned()
}

/// Where a name with its instance key ends: at the dot outside of brackets and quotes.
fn end_of_step(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            '.' if !quoted && depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// An address without instance keys.
fn plain(address: &str) -> String {
    let address = address.split(" (deposed ").next().unwrap_or(address);
    plain_prefix(address)
}

fn plain_prefix(address: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0_u32, false, false);
    for c in address.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            c if depth == 0 && !quoted => out.push(c),
            _ => {}
        }
    }
    out
}
