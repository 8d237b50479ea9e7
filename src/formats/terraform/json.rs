//! The JSON notation of configurations (`*.tf.json`, `*.tfvars.json`) to the same syntax.
//!
//! developer.hashicorp.com, Terraform language, "JSON Configuration Syntax"; github.com/hashicorp/hcl, `json/spec.md`. Which
//! properties are blocks only the schema of a provider says: a property that holds an object, or a list of them, is a block
//! here, unless it is one of the few arguments of resources that are maps. Lists of blocks and of objects mean the same.

use super::declared::labels_of;
use super::parse::{self, File, Piece, Place, Refused};
use super::syntax::{Argument, Block, Body, Expr, Key, Kind};
use crate::formats::data::value::Value;
use crate::formats::data::{Entry, Json, Kind as JsonKind, Node, Object, value_of};
use crate::text::{SourceId, Span};
use std::sync::Arc;

/// Arguments of resources that are maps.
const MAPS: &[&str] = &["tags", "tags_all", "labels", "annotations", "metadata", "triggers"];

/// Reads a file of configuration.
///
/// # Errors
/// It is not JSON, or what stands in it is not as Terraform takes it.
pub(super) fn file(source: SourceId, bytes: &[u8]) -> Result<File, Vec<Refused>> {
    read(source, bytes, |reader, root| {
        let mut body = Body::default();
        for object in reader.objects(root) {
            for entry in object.close() {
                if !reader.is_comment(&entry) {
                    let kind: Arc<str> = entry.name.into();
                    let labels = labels_of(&kind).unwrap_or(0);
                    reader.blocks(&kind, entry.key, &[], labels, entry.value, Role::of_top(&kind), &mut body.blocks);
                }
            }
        }
        body
    })
}

/// Reads a file of values, which are written out.
///
/// # Errors
/// It is not JSON, or no object.
pub(super) fn values(source: SourceId, bytes: &[u8]) -> Result<File, Vec<Refused>> {
    read(source, bytes, |reader, root| {
        let objects = reader.objects(root);
        let entries = objects.into_iter().flat_map(Object::close);
        let arguments = entries.map(|entry| reader.argument(&entry, |reader, node| reader.literal(node))).collect();
        Body { arguments, blocks: Vec::new() }
    })
}

fn read(
    source: SourceId,
    bytes: &[u8],
    body: impl FnOnce(&mut Reader, Node<'_>) -> Body,
) -> Result<File, Vec<Refused>> {
    let mut reader = Reader { source, refused: Vec::new(), comments: Vec::new() };
    let json = match Json::read(bytes) {
        Ok(json) => json,
        Err(refused) => {
            let narrow = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
            let at = Span { source, start: narrow(refused.at.start), end: narrow(refused.at.end) };
            return Err(vec![Refused { at, reason: format!("not JSON: {}", refused.reason) }]);
        }
    };
    let root = json.root();
    let body = body(&mut reader, root);
    let marks = Some(reader.span(root));
    let Reader { source: _, refused, comments } = reader;
    if refused.is_empty() { Ok(File { body, comments, marks }) } else { Err(refused) }
}

/// What the properties of a body are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Of a resource, or a block in one: arguments and blocks.
    Resource,
    /// `lifecycle { … }`
    Lifecycle,
    /// `dynamic "x" { … }`
    Dynamic,
    /// `module "x" { … }`: the arguments are those of the module.
    Module,
    /// `output "x" { … }`
    Output,
    /// `variable "x" { … }`: what it says is not computed.
    Variable,
    /// `moved`, `removed`, `import`
    Addresses,
    /// All that stands in it are values.
    Values,
}

/// What a property is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Property {
    /// A value that is computed.
    Value,
    /// A value that is written out.
    Literal,
    /// Names, written as texts.
    Names,
    /// A type, written as a text.
    Type,
    /// Blocks with so many labels.
    Blocks(usize, Role),
}

impl Role {
    fn of_top(kind: &str) -> Self {
        match kind {
            "resource" | "data" | "ephemeral" | "check" | "action" => Self::Resource,
            "output" => Self::Output,
            "module" => Self::Module,
            "variable" => Self::Variable,
            "moved" | "removed" | "import" => Self::Addresses,
            _ => Self::Values,
        }
    }

    fn property(self, name: &str, value: Node<'_>) -> Property {
        match (self, name) {
            (
                Self::Resource | Self::Module | Self::Output | Self::Addresses,
                "provider" | "providers" | "depends_on",
            ) => Property::Names,
            (Self::Resource | Self::Addresses, "lifecycle") => Property::Blocks(0, Self::Lifecycle),
            (Self::Resource, "dynamic") => Property::Blocks(1, Self::Dynamic),
            (Self::Resource, "provisioner") => Property::Blocks(1, Self::Resource),
            (Self::Resource, name) if MAPS.contains(&name) => Property::Value,
            (Self::Resource, _) if holds_objects(value) => Property::Blocks(0, Self::Resource),
            (Self::Lifecycle, "ignore_changes" | "replace_triggered_by") => Property::Names,
            (Self::Lifecycle | Self::Output, "precondition" | "postcondition") => Property::Blocks(0, Self::Values),
            (Self::Dynamic, "content") => Property::Blocks(0, Self::Resource),
            (Self::Dynamic, "iterator") => Property::Names,
            (Self::Module, "source" | "version") => Property::Literal,
            (Self::Variable, "type") => Property::Type,
            (Self::Variable, "validation") => Property::Blocks(0, Self::Values),
            (Self::Variable, _) => Property::Literal,
            (Self::Addresses, "from" | "to") => Property::Names,
            (
                Self::Resource
                | Self::Lifecycle
                | Self::Dynamic
                | Self::Module
                | Self::Output
                | Self::Addresses
                | Self::Values,
                _,
            ) => Property::Value,
        }
    }
}

/// Whether it is an object, or a list of nothing else.
fn holds_objects(node: Node<'_>) -> bool {
    let is_object = |node: Node<'_>| node.kind() == JsonKind::Object;
    is_object(node) || node.list().is_some_and(|mut list| list.clone().next().is_some() && list.all(is_object))
}

struct Reader {
    source: SourceId,
    refused: Vec<Refused>,
    comments: Vec<Span>,
}

impl Reader {
    fn span(&self, node: Node<'_>) -> Span {
        let (start, end) = node.place();
        Span { source: self.source, start, end }
    }

    fn whole(&self, entry: &Entry<'_>) -> Span {
        Span { end: self.span(entry.value).end, ..self.span(entry.key) }
    }

    fn refuse(&mut self, at: Span, reason: impl Into<String>) {
        self.refused.push(Refused { at, reason: reason.into() });
    }

    /// "A property named `//`, if any, is ignored."
    fn is_comment(&mut self, entry: &Entry<'_>) -> bool {
        if entry.name == "//" {
            self.comments.push(self.whole(entry));
        }
        entry.name == "//"
    }

    /// An object, or a list of them whose properties count together.
    fn objects<'j>(&mut self, node: Node<'j>) -> Vec<Object<'j>> {
        if let Some(object) = node.object() {
            return vec![object];
        }
        let Some(list) = node.list() else {
            if node.kind() != JsonKind::Null {
                let at = self.span(node);
                self.refuse(at, "an object is expected here, or a list of objects");
            }
            return Vec::new();
        };
        list.flat_map(|item| self.objects(item)).collect()
    }

    /// The blocks that a property of that kind says, below as many labels.
    #[expect(clippy::too_many_arguments, reason = "what is known of the blocks so far, level by level")]
    fn blocks(
        &mut self,
        kind: &Arc<str>,
        name: Node<'_>,
        labels: &[(Arc<str>, Span)],
        more: usize,
        node: Node<'_>,
        role: Role,
        out: &mut Vec<Block>,
    ) {
        if more > 0 {
            for object in self.objects(node) {
                for entry in object.close() {
                    let label = (entry.name.into(), self.span(entry.key));
                    let labels = [labels, &[label]].concat();
                    self.blocks(kind, entry.key, &labels, more - 1, entry.value, role, out);
                }
            }
            return;
        }
        let alone = node.kind() == JsonKind::Object;
        for object in self.objects(node) {
            let at = self.span(object.at);
            // Each block is told from others by the place of its kind.
            let (kind_at, start) = match alone {
                true => (self.span(name), self.span(name).start),
                false => (Span { end: at.start + 1, ..at }, at.start),
            };
            let body = self.body(object, role);
            out.push(Block {
                kind: Arc::clone(kind),
                kind_at,
                labels: labels.to_vec(),
                body,
                at: Span { start, ..at },
            });
        }
    }

    fn body(&mut self, object: Object<'_>, role: Role) -> Body {
        let mut body = Body::default();
        for entry in object.close() {
            if self.is_comment(&entry) {
                continue;
            }
            let argument = match role.property(entry.name, entry.value) {
                Property::Value => self.argument(&entry, Self::expr),
                Property::Literal => self.argument(&entry, |reader, node| reader.literal(node)),
                Property::Names => self.argument(&entry, Self::names),
                Property::Type => self.argument(&entry, Self::expression),
                Property::Blocks(labels, role) => {
                    self.blocks(&entry.name.into(), entry.key, &[], labels, entry.value, role, &mut body.blocks);
                    continue;
                }
            };
            body.arguments.push(argument);
        }
        body
    }

    fn argument<'j>(&mut self, entry: &Entry<'j>, value: impl FnOnce(&mut Self, Node<'j>) -> Expr) -> Argument {
        let value = value(self, entry.value);
        Argument { name: entry.name.into(), name_at: self.span(entry.key), value, at: self.whole(entry) }
    }

    /// What is written out.
    fn literal(&self, node: Node<'_>) -> Expr {
        let value = value_of(self.source, node);
        Expr { at: value.at, kind: Kind::Literal(value) }
    }

    /// Texts are templates, and so are keys.
    fn expr(&mut self, node: Node<'_>) -> Expr {
        let at = self.span(node);
        let kind = match node.kind() {
            JsonKind::Null | JsonKind::Truth => return self.literal(node),
            JsonKind::Number => parse::number(node.written(), at),
            JsonKind::Text => self.template(node),
            JsonKind::List => parse::tuple(node.list().into_iter().flatten().map(|item| self.expr(item)).collect(), at),
            JsonKind::Object => {
                let entries = node.object().map(Object::close).unwrap_or_default();
                let items = entries.iter().map(|entry| {
                    let at = self.span(entry.key);
                    let name = Expr { kind: self.template(entry.key), at };
                    let key = match name.literal_text() {
                        Some(text) => Key::Name(text.into(), at),
                        None => Key::Computed(name),
                    };
                    (key, self.expr(entry.value))
                });
                parse::object_of(items.collect(), at)
            }
        };
        Expr { kind, at }
    }

    fn template(&mut self, node: Node<'_>) -> Kind {
        let (at, text) = (self.span(node), node.text().unwrap_or_default());
        if !text.contains("${") && !text.contains("%{") {
            return Kind::Literal(Value::of_text(text, at));
        }
        self.or_refused(parse::template(self.piece(node, text), at), at)
    }

    /// Names that stand for no values, each written as a text.
    fn names(&mut self, node: Node<'_>) -> Expr {
        let at = self.span(node);
        let kind = match node.kind() {
            JsonKind::Null | JsonKind::Truth | JsonKind::Number => return self.literal(node),
            JsonKind::Text => return self.expression(node),
            JsonKind::List => {
                parse::tuple(node.list().into_iter().flatten().map(|item| self.names(item)).collect(), at)
            }
            JsonKind::Object => {
                let entries = node.object().map(Object::close).unwrap_or_default();
                let items = entries
                    .iter()
                    .map(|entry| (Key::Name(entry.name.into(), self.span(entry.key)), self.names(entry.value)));
                parse::object_of(items.collect(), at)
            }
        };
        Expr { kind, at }
    }

    /// A text that says an expression.
    fn expression(&mut self, node: Node<'_>) -> Expr {
        let at = self.span(node);
        let Some(text) = node.text() else { return self.expr(node) };
        match parse::expression(self.piece(node, text)) {
            Ok(expr) => Expr { at, ..expr },
            Err(refused) => Expr { kind: self.or_refused(Err(refused), at), at },
        }
    }

    fn or_refused(&mut self, found: Result<Kind, Vec<Refused>>, at: Span) -> Kind {
        found.unwrap_or_else(|refused| {
            self.refused.extend(refused);
            Kind::Literal(Value::unknown("what terraform refuses", at))
        })
    }

    /// The text that a node says: where each of its bytes stands is known unless some are escaped.
    fn piece<'j>(&self, node: Node<'j>, text: &'j str) -> Piece<'j> {
        let at = self.span(node);
        let plain = node.written().len() == text.len() + 2;
        let place = if plain { Place::From(at.start as usize + 1) } else { Place::Within(at) };
        Piece { source: self.source, text, place }
    }
}

/// The files that a text needs: those of its modules, and those that its functions read.
pub(super) fn texts(bytes: &[u8], visit: &mut dyn FnMut(&str, &str)) {
    // What is no JSON is refused where it is read.
    if let Ok(json) = Json::read(bytes) {
        each_text("", json.root(), visit);
    }
}

fn each_text(name: &str, node: Node<'_>, visit: &mut dyn FnMut(&str, &str)) {
    if let Some(text) = node.text() {
        visit(name, text);
    }
    node.list().into_iter().flatten().for_each(|item| each_text(name, item, visit));
    for entry in node.object().map(Object::close).unwrap_or_default() {
        each_text(entry.name, entry.value, visit);
    }
}
