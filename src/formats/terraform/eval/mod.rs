//! What expressions are worth. Whatever is not written down is unknown under its name, and what is computed from it is
//! unknown under the name of the computation; a mistake in the configuration is a [`Failure`].

mod budget;
mod operators;
mod paths;
mod repeat;
mod show;
mod templates;

pub(super) use budget::{ITEM, MOST};
pub(super) use operators::equal;
pub(super) use paths::address_of_key;
pub(super) use repeat::{Item, items_of};
pub(super) use show::{more, show, show_all, unknown_of};
pub(super) use templates::LONGEST_TEXT;

use super::declared::joined;
use super::functions;
use super::syntax::{Call, Expr, Key, Kind, Start, Step};
use super::types;
use super::world::{Module, Text, World};
use crate::formats::data::value::{Entry, Object, Value, What};
use crate::text::{Span, escape};
use std::sync::Arc;

/// How deep evaluations may stand in one another.
const DEEPEST: u32 = 2000;

/// Terraform refuses the configuration: where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    told: Box<(Span, String)>,
    /// Whether it is only not computed here, and no mistake.
    is_limit: bool,
}

impl Failure {
    pub(super) fn new(at: Span, reason: impl Into<String>) -> Self {
        Self { told: Box::new((at, reason.into())), is_limit: false }
    }

    /// It is more than is computed here; Terraform may well do it.
    pub(super) fn limit(at: Span, reason: impl Into<String>) -> Self {
        Self { is_limit: true, ..Self::new(at, reason) }
    }

    pub(super) const fn at(&self) -> Span {
        self.told.0
    }

    pub(super) fn reason(&self) -> &str {
        &self.told.1
    }
}

/// A value, or why there is none.
pub(super) type Evaluated = Result<Value, Failure>;

/// The names that stand for values at one place: those that a `for` gives, `each`, `count` and the like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) names: &'s [(&'s str, Value)],
    pub(super) outer: Option<&'s Self>,
}

impl<'s> Scope<'s> {
    /// No names.
    pub(super) const NONE: Self = Self { names: &[], outer: None };

    pub(super) fn find(&self, name: &str) -> Option<&Value> {
        let found = self.names.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value).or_else(|| self.outer?.find(name))
    }

    /// Further names inside of these.
    const fn with<'i>(&'i self, names: &'i [(&'i str, Value)]) -> Scope<'i>
    where
        's: 'i,
    {
        Scope { names, outer: Some(self) }
    }
}

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Context<'c, 'm> {
    pub(super) world: &'c World<'m>,
    pub(super) module: &'c Module<'m>,
    pub(super) scope: &'c Scope<'c>,
}

impl<'c, 'm> Context<'c, 'm> {
    /// The same with further names.
    fn with<'i>(&'i self, scope: &'i Scope<'i>) -> Context<'i, 'm>
    where
        'c: 'i,
    {
        Context { world: self.world, module: self.module, scope }
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// Terraform refuses it.
    pub(super) fn eval(&self, expr: &'m Expr) -> Evaluated {
        if let Kind::Literal(value) = &expr.kind {
            return Ok(value.clone());
        }
        let depth = &self.world.depth;
        if depth.get() > DEEPEST {
            return Err(Failure::limit(expr.at, "values are computed from one another too deeply to be followed"));
        }
        self.world.charge(expr.at, budget::STEP)?;
        depth.set(depth.get() + 1);
        let found = self.eval_kind(expr);
        depth.set(depth.get() - 1);
        found
    }

    fn eval_kind(&self, expr: &'m Expr) -> Evaluated {
        let at = expr.at;
        match &expr.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Tuple(items) => {
                let items = items.iter().map(|item| self.eval(item)).collect::<Result<Vec<_>, _>>()?;
                self.made(Value::of_list(items, at))
            }
            Kind::Object(items) => self.made(self.object(items, at)?),
            Kind::Template(parts) => self.made(self.template(parts, at)?),
            Kind::Path(start, steps) => match &**start {
                Start::Name(name) => self.path(name, steps, at),
                Start::Expr(start) => self.steps(self.eval(start)?, steps, at),
            },
            Kind::Conditional(parts) => self.conditional(parts, at),
            Kind::Call(call) => self.made(self.call(call, at)?),
            Kind::Not(of) => operators::not(&self.eval(of)?, at),
            Kind::Minus(of) => operators::minus(&self.eval(of)?, at),
            Kind::Binary(operator, sides) => self.binary(*operator, sides, at),
            Kind::For(of) => self.made(self.repeated(of, at)?),
        }
    }

    /// Object constructors: the last one of equal keys counts, and a key is a text (Terraform language: types and values).
    fn object(&self, items: &'m [(Key, Expr)], at: Span) -> Evaluated {
        let (mut object, mut hidden) = (Object::default(), false);
        for (key, value) in items {
            let value = self.eval(value)?;
            let name: Arc<str> = match key {
                Key::Name(name, _) => Arc::clone(name),
                Key::Computed(expr) => {
                    let name = self.eval(expr)?;
                    hidden |= name.sensitive;
                    match (name.as_text(), name.name_of_unknown()) {
                        (Some(text), _) => text,
                        (None, Some(_)) => {
                            let name = format!("{} = {}", show(&name), show(&value));
                            object.more.push(more(&name, value));
                            continue;
                        }
                        (None, None) => return Err(Failure::new(expr.at, "the key of an object has to be a text")),
                    }
                }
            };
            object.put(Entry { name, at: key.at(), value });
        }
        Ok(Value::new(What::Object(Arc::new(object)), at).hidden(hidden))
    }

    fn conditional(&self, [condition, then, otherwise]: &'m [Expr; 3], at: Span) -> Evaluated {
        let condition = self.eval(condition)?;
        let Some(truth) = condition.as_truth() else {
            if condition.name_of_unknown().is_none() {
                return Err(Failure::new(condition.at, "a condition has to be true or false"));
            }
            // Terraform computes both sides then, but a mistake in one that is never taken is none of it.
            return match (self.eval(then), self.eval(otherwise)) {
                (Ok(then), Ok(otherwise)) => self.made(operators::either(&condition, &then, &otherwise, at)),
                (_, Err(failure)) | (Err(failure), _) if failure.is_limit => Err(failure),
                (Ok(one), Err(failure)) => {
                    let name = format!("{} ? {} : {}", show(&condition), show(&one), failure.reason());
                    Ok(unknown_of(&name, &[&condition, &one], at))
                }
                (Err(failure), Ok(one)) => {
                    let name = format!("{} ? {} : {}", show(&condition), failure.reason(), show(&one));
                    Ok(unknown_of(&name, &[&condition, &one], at))
                }
                (Err(failure), Err(_)) => Err(failure),
            };
        };
        let (taken, other) = if truth { (then, otherwise) } else { (otherwise, then) };
        let value = self.eval(taken)?;
        // Both sides have one type: a number beside a text is a text.
        let beside_text = matches!(&other.kind, Kind::Literal(Value { what: What::Text(_), .. }));
        let value = match value.as_text() {
            Some(text) if beside_text => Value { what: What::Text(text), ..value },
            Some(_) | None => value,
        };
        // A list beside a set is a set. A mistake in what is not taken is none.
        let value = match value.list() {
            Some(list) if !list.is_set && !matches!(other.kind, Kind::Literal(_)) => match self.eval(other) {
                Ok(other) if other.list().is_some_and(|other| other.is_set) => {
                    Value { what: types::set_of(list.items.clone(), list.more.clone()), ..value }
                }
                Ok(_) | Err(_) => value,
            },
            Some(_) | None => value,
        };
        Ok(value.hidden(condition.sensitive))
    }

    fn call(&self, call: &'m Call, at: Span) -> Evaluated {
        let Call { name, arguments, spread } = call;
        match &**name {
            // What fails in these is no mistake (functions: `try`, `can`).
            "try" => return self.first_of(arguments, at),
            "can" => {
                let [argument] = &arguments[..] else { return Err(Failure::new(at, "`can` takes one argument")) };
                return Ok(match self.eval(argument) {
                    Ok(value) if value.is_known() || self.is_sure(argument) => Value::new(What::Truth(true), at),
                    Ok(value) => unknown_of(&format!("can({})", show(&value)), &[&value], at),
                    Err(failure) if failure.is_limit => return Err(failure),
                    Err(_) => Value::new(What::Truth(false), at),
                });
            }
            _ => {}
        }
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.eval(argument)?);
        }
        if *spread && let Some(last) = values.pop() {
            match &last.what {
                What::List(list) if list.more.is_empty() => values.extend(list.items.iter().cloned()),
                What::Unknown(_) | What::List(_) => {
                    values.push(last);
                    let shown: Vec<String> = values.iter().map(show).collect();
                    let used: Vec<&Value> = values.iter().collect();
                    return Ok(unknown_of(&format!("{name}({}...)", shown.join(", ")), &used, at));
                }
                What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Object(_) => {
                    return Err(Failure::new(last.at, "only a list can be spread to arguments"));
                }
            }
        }
        match name.strip_prefix("core::").unwrap_or(name) {
            "templatefile" => self.template_file(&values, at),
            _ => functions::call(self, name, &values, at),
        }
    }

    /// `try`: the first argument that can be computed. Where it is not known whether one can, what comes behind it counts too.
    fn first_of(&self, arguments: &'m [Expr], at: Span) -> Evaluated {
        let Some((first, rest)) = arguments.split_first() else {
            return Err(Failure::new(at, "no argument of `try` can be computed"));
        };
        let value = match self.eval(first) {
            Ok(value) => value,
            Err(failure) if rest.is_empty() || failure.is_limit => return Err(failure),
            Err(_) => return self.first_of(rest, at),
        };
        if rest.is_empty() || value.is_known() || self.is_sure(first) {
            return Ok(value);
        }
        let sure = unknown_of(&format!("can({})", show(&value)), &[&value], at);
        match self.first_of(rest, at) {
            Ok(otherwise) => Ok(operators::either(&sure, &value, &otherwise, at)),
            Err(failure) if failure.is_limit => Err(failure),
            Err(_) => Ok(value),
        }
    }

    /// Whether an expression that has a value has one whatever that turns out to be: what is asked for is declared.
    fn is_sure(&self, expr: &'m Expr) -> bool {
        if let Kind::Tuple(items) = &expr.kind {
            return items.iter().all(|item| self.is_sure(item));
        }
        let Kind::Path(start, steps) = &expr.kind else { return matches!(expr.kind, Kind::Literal(_)) };
        let Start::Name(name) = &**start else { return false };
        if self.scope.find(name).is_some() {
            return steps.is_empty();
        }
        let declared = self.module.declared;
        let (block, behind) = match (&**name, &steps[..]) {
            ("var" | "local" | "path", [Step::Attribute(_)]) => return true,
            ("data", [Step::Attribute(kind), Step::Attribute(name), behind @ ..]) => {
                (declared.data.get(&(&**kind, &**name)), behind)
            }
            ("module", [Step::Attribute(name), behind @ ..]) => (declared.modules.get(&**name), behind),
            (kind, [Step::Attribute(name), behind @ ..]) => (declared.resources.get(&(kind, &**name)), behind),
            _ => return false,
        };
        let Some(block) = block else { return false };
        let there = || {
            let found = self.module.expansion(self.world, block);
            found.is_ok_and(|found| found.copies.iter().all(|copy| copy.existence.is_none()))
        };
        match behind {
            [Step::Attribute(_)] => there(),
            [Step::Index(index), Step::Attribute(_)] => {
                matches!(index.kind, Kind::Literal(_)) && &**name != "data" && there()
            }
            _ => false,
        }
    }

    /// A function reads a file that is not at hand: it may be another one on the other side.
    pub(super) fn missing(&self, name: &str, path: Option<&Value>, at: Span) {
        let path = path.map(show).unwrap_or_default();
        let path = escape(path.as_bytes());
        let reason = match name {
            "fileset" => format!("`fileset`: which files there are is not among what is compared: {path}"),
            _ => format!("`{name}`: its file is not among what is compared: {path}"),
        };
        self.world.refuse(&Failure::new(at, reason));
    }

    /// A text of the side: the path is from the folder of the root module.
    pub(super) fn file(&self, path: &str) -> Option<&'m Text<'m>> {
        let inside = !path.starts_with('/') && !path.starts_with('~');
        let path = inside.then(|| joined(self.module.root, path)).flatten()?;
        self.world.file(&path)
    }
}
