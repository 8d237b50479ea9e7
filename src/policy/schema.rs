//! The JSON schema of the policy file, without the settings of the checks.

use super::age::Age;
use super::feed::FeedKeys;
use super::file::{ConfigurationKeys, Level, PlanKeys, ReportKeys};
use super::foreign::ForeignKeys;
use super::freeze::FreezeKeys;
use super::moment::{Civil, Day, Zone};
use super::node::Spanned;
use super::pattern::Pattern;
use super::people::{ApprovalKeys, PersonKeys, TeamKeys};
use super::reader::Named;
use super::terms::{Exceptions, Flow, Networks, Services};
use super::waiver::WaiverKeys;
use super::wildcard::Wildcard;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("map of {}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let values = generator.subschema_for::<T>();
        json_schema!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_.-]*$"},
            "additionalProperties": values,
        })
    }
}

/// A schema of a value that is one text or a list of texts.
macro_rules! one_or_many {
    ($type:ty, $name:literal, $doc:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": $doc,
                    "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}],
                })
            }
        }
    };
}

impl JsonSchema for Networks {
    fn schema_name() -> Cow<'static, str> {
        "networks".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let feed = generator.subschema_for::<FeedKeys>();
        json_schema!({
            "description":
                "`any`, a prefix, an address, a range of addresses, a name of `networks`, a feed, or a list of them",
            "anyOf": [
                {"type": "string"},
                feed,
                {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "string"}, feed]}},
            ],
        })
    }
}

one_or_many!(
    Services,
    "services",
    "`any`, `tcp/443`, `tcp/8000-8099`, `udp`, `icmp/8`, a well-known name such as `ssh`, a name of `services`, or a list of them"
);

one_or_many!(
    Exceptions,
    "exceptions",
    "Networks, as source, or flows: `tcp 198.51.100.0/24 -> 10.0.0.5:22`; one or a list"
);

impl JsonSchema for Flow {
    fn schema_name() -> Cow<'static, str> {
        "flow".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "packets: `tcp office -> 10.0.0.0/8:22`", "type": "string"})
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "pattern".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A name or a pattern, anchored at both ends: `*` and `?` between two slashes, `**` across them",
            "type": "string",
            "minLength": 1,
        })
    }
}

impl JsonSchema for Age {
    fn schema_name() -> Cow<'static, str> {
        "age".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "A length of time: `90m`, `24h`, `7d`", "type": "string", "pattern": "^[0-9]+[smhd]$"})
    }
}

impl JsonSchema for Day {
    fn schema_name() -> Cow<'static, str> {
        "day".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "A day: `2026-12-20`", "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
    }
}

impl JsonSchema for Civil {
    fn schema_name() -> Cow<'static, str> {
        "time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A day and a time on the clocks of a zone: `2026-12-20T00:00`",
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$",
        })
    }
}

impl JsonSchema for Zone {
    fn schema_name() -> Cow<'static, str> {
        "zone".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "A time zone of the IANA database: `Europe/Paris`", "type": "string", "minLength": 1})
    }
}

impl JsonSchema for Wildcard {
    fn schema_name() -> Cow<'static, str> {
        "wildcard".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "A text in which `*` stands for anything", "type": "string", "minLength": 1})
    }
}

/// The schema of a policy file whose entries of `checks` are `check`.
#[must_use]
pub fn schema(generator: &mut SchemaGenerator, check: Schema) -> Schema {
    let freeze = generator.subschema_for::<FreezeKeys>();
    let pattern = generator.subschema_for::<Pattern>();
    let presets: Vec<&str> = super::PRESETS.iter().map(|(name, _)| *name).collect();
    json_schema!({
        "title": "Portcullis policy",
        "description": "portcullis.yaml: what a change of firewall or load-balancer configuration may do",
        "type": "object",
        "additionalProperties": false,
        "required": ["version", "configurations"],
        "properties": {
            "version": {"description": "The version of this language", "const": 1},
            "extends": {
                "description": "Presets whose checks are run besides those of this file; nothing takes a check away",
                "type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": presets},
            },
            "configurations": generator.subschema_for::<Named<ConfigurationKeys>>(),
            "networks": generator.subschema_for::<Named<Networks>>(),
            "services": generator.subschema_for::<Named<Services>>(),
            "checks": {"description": "What is demanded", "type": "array", "minItems": 1, "items": check},
            "people": generator.subschema_for::<Named<PersonKeys>>(),
            "teams": generator.subschema_for::<Named<TeamKeys>>(),
            "bots": {
                "description":
                    "Accounts that are programs: limits for automation hold for their changes, and they never approve",
                "type": "array", "minItems": 1, "items": {"type": "string"},
            },
            "approvals": generator.subschema_for::<ApprovalKeys>(),
            "policy_owners": {
                "description": "People and teams of whom one has to approve every change of the policy",
                "type": "array", "minItems": 1, "items": {"type": "string"},
            },
            "environments": {
                "description": "Names of environments, each with configurations or patterns of them",
                "type": "object", "minProperties": 1,
                "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_.-]*$"},
                "additionalProperties": {"type": "array", "minItems": 1, "items": pattern},
            },
            "min_version": {
                "description": "The oldest version of the program that may judge by this policy",
                "type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$",
            },
            "waivers": {
                "description": "Findings that somebody answers for, for a time",
                "type": "array", "minItems": 1, "items": generator.subschema_for::<WaiverKeys>(),
            },
            "max_waiver_days": {
                "description": "For how many days a waiver may be given; default: 90",
                "type": "integer", "minimum": 1,
            },
            "plan": generator.subschema_for::<PlanKeys>(),
            "report": generator.subschema_for::<ReportKeys>(),
            "epoch": {
                "description": "Which generation of the policy it is: a number that only ever grows. Hosts refuse reviews by an earlier one than their last. Default: 0",
                "type": "integer", "minimum": 0,
            },
            "foreign_tables": {
                "description": "Tables on hosts that other programs own: `verify --policy` does not take them for a difference",
                "type": "array", "minItems": 1, "items": generator.subschema_for::<ForeignKeys>(),
            },
            "freeze": {
                "description": "Whether nothing may change for now; a text says why; or the times in which nothing may",
                "anyOf": [
                    {"type": "boolean"},
                    {"type": "string", "minLength": 1},
                    {"type": "array", "minItems": 1, "items": freeze},
                ],
            },
        },
    })
}

/// The keys that every check has, as properties.
#[must_use]
pub fn common(generator: &mut SchemaGenerator) -> serde_json::Map<String, serde_json::Value> {
    let level = generator.subschema_for::<Level>();
    let pattern = generator.subschema_for::<Pattern>();
    let approvals = generator.subschema_for::<ApprovalKeys>();
    let value = serde_json::json!({
        "name": {"description": "The name of this instance, in findings", "type": "string", "minLength": 1},
        "level": level,
        "in": {
            "description": "Configurations, filters or patterns of them: `edge`, `edge/input`, `hosts/*`; default: all",
            "type": "array", "minItems": 1, "items": pattern,
        },
        "approvals": approvals,
    });
    match value {
        serde_json::Value::Object(map) => map,
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_) => serde_json::Map::new(),
    }
}
