//! Which objects and requests a rule about approvals is about.

use super::balancers::Kind;
use super::effects::Other;
use crate::policy::{self, Node, Pattern, Read, Reader, keys};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// All objects or none, or those that patterns name by their kind or address.
#[derive(Debug, Clone)]
pub(super) enum Things {
    All(bool),
    Some(Vec<Pattern>),
}

impl Read for Things {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            policy::Kind::List(_) => Vec::read(node, reader).map(Self::Some),
            policy::Kind::Scalar { .. } | policy::Kind::Map(_) => bool::read(node, reader).map(Self::All),
        }
    }
}

impl JsonSchema for Things {
    fn schema_name() -> Cow<'static, str> {
        "objects".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let pattern = generator.subschema_for::<Pattern>();
        json_schema!({
            "description": "`true`: all; or kinds and addresses of them: `set`, `edge/inet filter/*`",
            "anyOf": [{"type": "boolean"}, {"type": "array", "minItems": 1, "items": pattern}],
        })
    }
}

impl Things {
    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self, Self::All(false))
    }

    pub(super) fn covers(&self, other: &Other) -> bool {
        match self {
            Self::All(all) => *all,
            Self::Some(patterns) => named(patterns, other),
        }
    }
}

keys! {
    struct RequestsKeys {
        /// Only requests that are newly `refused`, newly `served`, or `moved`, and nothing else of listeners and backends.
        effects: Option<Vec<Kind>>,
        /// Only of these listeners and backends, by their names on either side: `www`, `lb/public-*`.
        of: Option<Vec<Pattern>>,
    }
}

/// All requests or none, or some of them.
#[derive(Debug, Clone)]
pub(super) enum Requests {
    All(bool),
    Some { effects: Option<Vec<Kind>>, of: Option<Vec<Pattern>> },
}

impl Read for Requests {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            policy::Kind::Map(_) => {
                let RequestsKeys { effects, of } = RequestsKeys::read(node, reader)?;
                Some(Self::Some { effects, of })
            }
            policy::Kind::Scalar { .. } | policy::Kind::List(_) => bool::read(node, reader).map(Self::All),
        }
    }
}

impl JsonSchema for Requests {
    fn schema_name() -> Cow<'static, str> {
        "requests".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let keys = generator.subschema_for::<RequestsKeys>();
        json_schema!({
            "description": "`true`: all; or `{effects: [served], of: [www]}`",
            "anyOf": [{"type": "boolean"}, keys],
        })
    }
}

impl Requests {
    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self, Self::All(false))
    }

    pub(super) fn covers(&self, other: &Other) -> bool {
        match self {
            Self::All(all) => *all,
            Self::Some { effects, of } => {
                let effect =
                    effects.as_ref().is_none_or(|effects| other.clients.is_some_and(|it| effects.contains(&it)));
                effect && of.as_ref().is_none_or(|patterns| named(patterns, other))
            }
        }
    }
}

fn named(patterns: &[Pattern], other: &Other) -> bool {
    patterns.iter().any(|pattern| other.names.iter().any(|name| pattern.covers(name)))
}
