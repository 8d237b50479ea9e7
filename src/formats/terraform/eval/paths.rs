//! Names and what is behind them (Terraform language: references to named values).
//!
//! An argument of a resource that its configuration sets may be read through a reference: a provider has to plan what
//! is configured. What is not configured, or null, is computed by the provider, and unknown under its address.

use super::show::{more, show, show_all, unknown_of};
use super::{Context, Evaluated, Failure, ITEM, Scope};
use crate::formats::data::value::{List, Value, What};
use crate::formats::terraform::marks;
use crate::formats::terraform::syntax::{Block, Step};
use crate::formats::terraform::world::{Copy, Module, Repetition};
use crate::text::Span;
use std::sync::Arc;

/// A key in an address: `["a"]`, `[0]`.
pub(in super::super) fn address_of_key(key: &Value) -> Arc<str> {
    match (key.text(), key.as_text()) {
        (Some(text), _) => format!("[{}]", quoted(text)).into(),
        (None, Some(number)) => format!("[{number}]").into(),
        (None, None) => format!("[{}]", show(key)).into(),
    }
}

/// A text as Terraform writes it in an address.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out.replace("${", "$${").replace("%{", "%%{")
}

/// What a block declares that has instances with attributes.
#[derive(Clone, Copy)]
enum Thing<'m> {
    Resource(&'m Block),
    Module(&'m Block),
}

impl<'m> Thing<'m> {
    const fn block(self) -> &'m Block {
        match self {
            Self::Resource(block) | Self::Module(block) => block,
        }
    }
}

impl<'m> Context<'_, 'm> {
    /// A name with what is behind it.
    pub(super) fn path(&self, name: &str, steps: &'m [Step], at: Span) -> Evaluated {
        if let Some(value) = self.scope.find(name) {
            return self.steps(value.clone(), steps, at);
        }
        let Some((first, rest)) = steps.split_first() else {
            return Err(Failure::new(at, format!("`{name}` is no value: a reference has at least one more part")));
        };
        let Step::Attribute(second) = first else {
            return Err(Failure::new(at, format!("`{name}` is followed by a name in references")));
        };
        let undeclared = |name: &str| Value::unknown(&format!("{}{name}", self.module.address), at);
        match name {
            "var" => match self.module.variable(self.world, second, at) {
                Some(value) => self.steps(value?, rest, at),
                None => self.steps(undeclared(&format!("var.{second}")), rest, at),
            },
            "local" => match self.module.local(self.world, second) {
                Some(value) => self.steps(value?, rest, at),
                None => self.steps(undeclared(&format!("local.{second}")), rest, at),
            },
            "module" => match self.module.declared.modules.get(&**second) {
                Some(block) => self.thing(Thing::Module(block), &format!("module.{second}"), rest, at),
                None => self.steps(undeclared(&format!("module.{second}")), rest, at),
            },
            "path" => {
                let folder = match &**second {
                    "module" => self.module.declared.path_from(self.module.root),
                    "root" => ".".to_owned(),
                    _ => return self.steps(Value::unknown(&format!("path.{second}"), at), rest, at),
                };
                self.steps(Value::of_text(&folder, at), rest, at)
            }
            "terraform" | "self" | "each" | "count" => {
                self.steps(Value::unknown(&format!("{name}.{second}"), at), rest, at)
            }
            "data" | "ephemeral" => {
                let Some((Step::Attribute(third), rest)) = rest.split_first() else {
                    return Err(Failure::new(at, format!("`{name}.{second}` is followed by a name in references")));
                };
                let address = format!("{}{name}.{second}.{third}", self.module.address);
                if let Some(block) = self.module.declared.data.get(&(&**second, &**third)) {
                    self.world.asks(&address, self.module, block);
                    if let Some((Step::Attribute(wanted), rest)) = rest.split_first()
                        && &**wanted == "content"
                        && let Some(text) = self.content_of(second, block)
                    {
                        return self.steps(Value { at, ..text? }, rest, at);
                    }
                }
                match rest.split_first() {
                    // Which of its instances is no part of what one finds.
                    Some((Step::Index(index), rest)) => {
                        let index = self.eval(index)?;
                        let name = format!("{address}{}", address_of_key(&index));
                        self.steps(unknown_of(&name, &[&index], at), rest, at)
                    }
                    Some(_) | None => self.steps(Value::unknown(&address, at), rest, at),
                }
            }
            "resource" => {
                let Some((Step::Attribute(third), rest)) = rest.split_first() else {
                    return Err(Failure::new(at, "`resource` is followed by a type and a name in references"));
                };
                self.resource(second, third, rest, at)
            }
            kind => self.resource(kind, second, rest, at),
        }
    }

    /// What a data source reads that reads a file; `None`: it is not at hand.
    fn content_of(&self, kind: &str, block: &'m Block) -> Option<Evaluated> {
        let hidden = kind == "local_sensitive_file";
        if !(hidden || kind == "local_file")
            || ["count", "for_each"].iter().any(|name| block.body.argument(name).is_some())
        {
            return None;
        }
        let outside = Context { scope: &Scope::NONE, ..*self };
        let path = match outside.eval(&block.body.argument("filename")?.value) {
            Ok(path) => path,
            Err(failure) => return Some(Err(failure)),
        };
        let text = self.file(&path.as_text()?)?;
        Some(Ok(Value::of_text(text.text, path.at).hidden(hidden || path.sensitive)))
    }

    fn resource(&self, kind: &str, name: &str, steps: &'m [Step], at: Span) -> Evaluated {
        let address = format!("{kind}.{name}");
        match self.module.declared.resources.get(&(kind, name)) {
            Some(block) => self.thing(Thing::Resource(block), &address, steps, at),
            None => self.steps(Value::unknown(&format!("{}{address}", self.module.address), at), steps, at),
        }
    }

    fn thing(&self, thing: Thing<'m>, address: &str, steps: &'m [Step], at: Span) -> Evaluated {
        let expansion = self.module.expansion(self.world, thing.block())?;
        let repeats = match expansion.kind {
            Repetition::Single => {
                let Some(copy) = expansion.copies.first() else {
                    return Err(Failure::new(at, format!("`{address}` is not there")));
                };
                return match steps.split_first() {
                    Some((Step::FullSplat | Step::AttributeSplat, _)) => {
                        let (each, rest) = splat(steps);
                        let value = self.instance(thing, copy, address, each, at)?;
                        self.steps(Value::of_list(vec![value], at), rest, at)
                    }
                    _ => self.instance(thing, copy, address, steps, at),
                };
            }
            Repetition::Count => "count",
            Repetition::ForEach => "for_each",
        };
        match steps.split_first() {
            Some((Step::Index(index), rest)) => {
                let index = self.eval(index)?;
                if !index.is_known() {
                    return self.some_of(thing, &expansion.copies, address, &index, rest, at);
                }
                let key = match (expansion.kind, index.as_integer(), index.as_text()) {
                    (Repetition::Count, Some(number), _) => address_of_key(&Value::of_number(number, index.at)),
                    (Repetition::ForEach, _, Some(text)) => address_of_key(&Value::of_text(&text, index.at)),
                    _ => return Err(Failure::new(index.at, "a key that is none")),
                };
                if let Some(copy) = expansion.copies.iter().find(|copy| copy.key == key) {
                    return self.instance(thing, copy, address, rest, at);
                }
                if expansion.copies.iter().all(|copy| copy.existence.is_none()) {
                    return Err(Failure::new(index.at, format!("`{address}{key}` is not there")));
                }
                let copy = match expansion.kind {
                    Repetition::Count => Copy::counted(index, None),
                    Repetition::Single | Repetition::ForEach => {
                        let value = Value::unknown(&format!("value of {address}{key}"), at);
                        Copy::keyed(index, value, None)
                    }
                };
                self.instance(thing, &copy, address, rest, at)
            }
            Some((Step::FullSplat | Step::AttributeSplat, _)) if expansion.kind == Repetition::Count => {
                let (each, rest) = splat(steps);
                let list = self.all(thing, &expansion.copies, address, each, at)?;
                self.steps(Value::new(What::List(Arc::new(list)), at), rest, at)
            }
            Some((Step::Attribute(_), _)) => {
                Err(Failure::new(at, format!("`{address}` has `{repeats}`: which instance is meant has to be said")))
            }
            None | Some(_) => {
                let list = self.all(thing, &expansion.copies, address, &[], at)?;
                if expansion.kind == Repetition::Count {
                    return self.steps(Value::new(What::List(Arc::new(list)), at), steps, at);
                }
                let mut object = crate::formats::data::value::Object { entries: Vec::new(), more: list.more };
                let sure = expansion.copies.iter().filter(|copy| copy.existence.is_none());
                for (copy, value) in sure.zip(list.items) {
                    let each = copy.names.first().and_then(|(_, each)| each.object());
                    let key = each.and_then(|each| each.get("key")).and_then(Value::as_text);
                    match key {
                        Some(name) => object.put(crate::formats::data::value::Entry { name, at, value }),
                        None => object.more.push(more(&format!("{address}{}", copy.key), value)),
                    }
                }
                self.steps(Value::new(What::Object(Arc::new(object)), at), steps, at)
            }
        }
    }

    /// What is behind one of several instances, of which it is not known which.
    fn some_of(
        &self,
        thing: Thing<'m>,
        copies: &[Copy],
        address: &str,
        index: &Value,
        steps: &'m [Step],
        at: Span,
    ) -> Evaluated {
        let key: Arc<str> = format!("[{}]", show(index)).into();
        let name = match thing {
            Thing::Resource(block) => self.world.address(self.module, block, &key),
            Thing::Module(_) => format!("{}{address}{key}", self.module.address),
        };
        // It is another one where one of those is.
        let mut all = String::new();
        for copy in copies {
            let value = match (thing, steps.first()) {
                (Thing::Resource(_), Some(Step::Attribute(name))) if marks::is_identity(address, name) => break,
                (Thing::Resource(block), _) => self.module.mark(self.world, block, copy).to_string(),
                (Thing::Module(_), _) => {
                    let value = self.instance(thing, copy, address, steps, at);
                    value.map_or_else(|failure| failure.reason().to_owned(), |value| show_all(&value))
                }
            };
            all.push_str(&value);
        }
        let mark = if all.is_empty() { String::new() } else { marks::mark_of(&all) };
        match steps.split_first() {
            Some((Step::Attribute(attribute), rest)) => {
                let name = format!("{name}.{attribute}{mark}");
                self.steps(unknown_of(&name, &[index], at), rest, at)
            }
            Some(_) | None => self.steps(unknown_of(&format!("{name}{mark}"), &[index], at), steps, at),
        }
    }

    /// What all instances are.
    fn all(
        &self,
        thing: Thing<'m>,
        copies: &[Copy],
        address: &str,
        steps: &'m [Step],
        at: Span,
    ) -> Result<List, Failure> {
        let mut list = List::default();
        for copy in copies {
            let value = self.instance(thing, copy, address, steps, at)?;
            match &copy.existence {
                None => list.items.push(value),
                // The address says how many there are as well as `count` does.
                Some(existence) => list.more.push(match value.name_of_unknown() {
                    Some(name) => more(name, value.clone()),
                    None => more(&format!("{} if {existence}", show(&value)), value),
                }),
            }
        }
        Ok(list)
    }

    /// What is behind one instance.
    fn instance(&self, thing: Thing<'m>, copy: &Copy, address: &str, steps: &'m [Step], at: Span) -> Evaluated {
        let address = match thing {
            Thing::Resource(block) => self.world.address(self.module, block, &copy.key),
            Thing::Module(_) => format!("{}{address}{}", self.module.address, copy.key),
        };
        let attribute = match steps.split_first() {
            Some((Step::Attribute(name), rest)) => Some((&**name, rest)),
            Some((Step::Index(index), rest)) => index.literal_text().map(|name| (name, rest)),
            Some((Step::AttributeSplat | Step::FullSplat, _)) | None => None,
        };
        match thing {
            Thing::Resource(block) => {
                let Some((name, rest)) = attribute else {
                    let value = self.module.whole(self.world, block, copy, &address)?;
                    return self.steps(value, steps, at);
                };
                let kind = block.labels.first().map_or("", |(kind, _)| kind);
                let said = Module::argument_behind(kind, name);
                let value = self.module.argument_of(self.world, block, copy, said).transpose()?;
                match value.filter(|value| !value.is_null()) {
                    Some(value) => self.steps(value, rest, at),
                    None => {
                        let name = if marks::is_identity(&address, name) {
                            format!("{address}.{name}")
                        } else {
                            marks::name_of(&address, name, &self.module.mark(self.world, block, copy))
                        };
                        self.steps(Value::unknown(&name, at), rest, at)
                    }
                }
            }
            Thing::Module(block) => {
                let Ok(child) = self.module.child(self.world, block, copy) else {
                    // It is refused where all modules are gone through.
                    return self.steps(Value::unknown(&address, at), steps, at);
                };
                let Some((name, rest)) = attribute else {
                    let mut entries = Vec::new();
                    for (name, output) in &child.declared.outputs {
                        if let Some(value) = child.output(self.world, name) {
                            let name = (*name).into();
                            entries.push(crate::formats::data::value::Entry {
                                name,
                                at: output.kind_at,
                                value: value?,
                            });
                        }
                    }
                    return self.steps(Value::of_entries(entries, at), steps, at);
                };
                match child.output(self.world, name) {
                    Some(value) => self.steps(value?, rest, at),
                    None => Err(Failure::new(at, format!("the module `{address}` has no output `{name}`"))),
                }
            }
        }
    }

    /// What is behind a value.
    pub(super) fn steps(&self, value: Value, steps: &'m [Step], at: Span) -> Evaluated {
        let mut value = value;
        let mut steps = steps;
        while let Some((step, rest)) = steps.split_first() {
            let hidden = value.sensitive;
            value = match step {
                Step::Attribute(name) => attribute(&value, name, at)?.computed_from([&value]),
                Step::Index(index) => {
                    let index = self.eval(index)?;
                    indexed(&value, &index, at)?.hidden(index.sensitive)
                }
                Step::AttributeSplat | Step::FullSplat => {
                    let (each, behind) = splat(steps);
                    let list = match &value.what {
                        What::Null => List::default(),
                        What::List(list) => {
                            let mut out = List::default();
                            for item in &list.items {
                                self.world.charge(at, ITEM)?;
                                out.items.push(self.steps(item.clone(), each, at)?);
                            }
                            for further in &list.more {
                                let like = self.steps(further.like.clone(), each, at)?;
                                out.more.push(more(&format!("{} for {}", show(&like), further.name.0), like));
                            }
                            out
                        }
                        What::Unknown(unknown) => {
                            let item = Value::unknown(&format!("{}[*]", unknown.0), at);
                            let like = self.steps(item, each, at)?;
                            List { items: Vec::new(), more: vec![more(&show(&like), like)], is_set: false }
                        }
                        What::Truth(_) | What::Number(_) | What::Text(_) | What::Object(_) => {
                            let item = self.steps(value.clone(), each, at)?;
                            List { items: vec![item], more: Vec::new(), is_set: false }
                        }
                    };
                    value = Value::new(What::List(Arc::new(list)), at).hidden(hidden).computed_from([&value]);
                    steps = behind;
                    continue;
                }
            }
            .hidden(hidden);
            steps = rest;
        }
        Ok(value)
    }
}

/// The steps that a splat does with each item, and those behind.
fn splat(steps: &[Step]) -> (&[Step], &[Step]) {
    let Some((first, rest)) = steps.split_first() else { return (&[], &[]) };
    match first {
        Step::AttributeSplat => {
            let of_each = rest.iter().take_while(|step| matches!(step, Step::Attribute(_))).count();
            rest.split_at(of_each)
        }
        Step::FullSplat | Step::Attribute(_) | Step::Index(_) => {
            // Another splat works on the result of this one's items.
            (rest, &[])
        }
    }
}

fn attribute(value: &Value, name: &str, at: Span) -> Evaluated {
    match &value.what {
        What::Object(object) => match (object.get(name), &object.more[..]) {
            (Some(value), _) => Ok(value.clone()),
            (None, []) => Err(Failure::new(at, format!("there is no `{name}` in it"))),
            (None, [one]) => Ok(Value::unknown(&marks::name_of(&one.name.0, name, marks::within(&one.like)), at)),
            (None, _) => Ok(unknown_of(&format!("{}.{name}", show(value)), &[value], at)),
        },
        What::Unknown(unknown) => Ok(Value::unknown(&format!("{}.{name}", unknown.0), at)),
        What::Null => Err(Failure::new(at, format!("`{name}` of nothing: the value is null"))),
        What::List(_) | What::Truth(_) | What::Number(_) | What::Text(_) => {
            Err(Failure::new(at, format!("there is no `{name}` in it: it has no attributes")))
        }
    }
}

/// `value[index]`
fn indexed(value: &Value, index: &Value, at: Span) -> Evaluated {
    let found = within(value, index, at)?;
    let is_object = matches!(value.what, What::Object(_));
    if is_object || value.name_of_unknown().is_some() && index.as_integer().is_none() {
        return Ok(found.computed_from([value]));
    }
    Ok(found.taken_from(value, &[index], &address_of_key(index), at))
}

fn within(value: &Value, index: &Value, at: Span) -> Evaluated {
    let unknown = || unknown_of(&format!("{}{}", show(value), address_of_key(index)), &[value, index], at);
    match (&value.what, &index.what) {
        (What::Unknown(_), _) | (What::List(_), What::Unknown(_)) => Ok(unknown()),
        (What::Object(_), What::Unknown(_)) => Ok(unknown()),
        (What::List(list), _) => {
            if list.is_set {
                return Err(Failure::new(at, "a set has no order, so that nothing in it has a number"));
            }
            let Some(number) = index.as_integer() else {
                return Err(Failure::new(index.at, "what stands in a list is asked for by a whole number"));
            };
            match usize::try_from(number).ok().and_then(|n| list.items.get(n)) {
                _ if !list.more.is_empty() && number >= 0 => Ok(unknown()),
                Some(item) => Ok(item.clone()),
                None => {
                    Err(Failure::new(at, format!("there is no number {number}: the list has {}", list.items.len())))
                }
            }
        }
        (What::Object(_), _) => match index.as_text() {
            Some(name) => attribute(value, &name, at),
            None => Err(Failure::new(index.at, "what stands in an object is asked for by a text")),
        },
        (What::Null | What::Truth(_) | What::Number(_) | What::Text(_), _) => {
            Err(Failure::new(at, "only lists and objects hold values that can be asked for"))
        }
    }
}
