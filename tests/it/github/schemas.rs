//! What GitHub publishes of its answers (`schemas.json`, written by `schemas.py`).

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

static PUBLISHED: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("schemas.json")).expect("JSON"));

/// Fails unless a body is what is published for a call, such as `/repos/{owner}/{repo}`.
pub(crate) fn check(call: &'static str, body: &Value) {
    static VALIDATORS: LazyLock<Mutex<HashMap<&'static str, Validator>>> = LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().expect("no test fails while it holds it");
    let validator = validators.entry(call).or_insert_with(|| {
        let schema = PUBLISHED["answers"].get(call).expect("a call that schemas.py names");
        let schema = json!({"allOf": [schema], "$defs": PUBLISHED["$defs"]});
        jsonschema::validator_for(&schema).expect("a schema")
    });
    let errors: Vec<String> =
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    drop(validators);
    assert!(errors.is_empty(), "{call}: {errors:#?}");
}

/// The smallest object of a published name that is right, with what is said of it.
pub(crate) fn object(name: &str, said: &Value) -> Value {
    let mut object = sample(&json!({ "$ref": format!("#/$defs/{name}") }), false);
    lay_over(&mut object, said);
    object
}

fn lay_over(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// The smallest value that a schema allows; null only where it may be.
fn sample(schema: &Value, null: bool) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").expect("a name");
        return sample(&PUBLISHED["$defs"][name], null);
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.first().cloned().expect("a word");
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut all = Value::Object(Map::new());
        for part in parts {
            lay_over(&mut all, &sample(part, null));
        }
        return all;
    }
    if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        return choices.first().map(|choice| sample(choice, null)).expect("a choice");
    }
    let kind = match schema["type"].as_array() {
        Some(_) if null => "null",
        Some(kinds) => kinds[0].as_str().expect("a type"),
        None => schema["type"].as_str().unwrap_or("object"),
    };
    match kind {
        "null" => Value::Null,
        "string" => json!("x".repeat(usize::try_from(schema["minLength"].as_u64().unwrap_or(1)).expect("short"))),
        "integer" | "number" => json!(1),
        "boolean" => json!(false),
        "array" => json!([]),
        _ => {
            let required = schema["required"].as_array().into_iter().flatten();
            let field = |name: &Value| {
                let name = name.as_str().expect("a name");
                (name.to_owned(), sample(&schema["properties"][name], true))
            };
            Value::Object(required.map(field).collect())
        }
    }
}

/// Where a body has what may be null: pointers into it (RFC 6901).
pub(crate) fn nullable(call: &str, body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(&PUBLISHED["answers"][call], body, String::new(), &mut found);
    found.sort();
    found.dedup();
    found
}

fn walk(schema: &Value, body: &Value, at: String, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").expect("a name");
        if name.starts_with("nullable-") && !body.is_null() {
            found.push(at.clone());
        }
        return walk(&PUBLISHED["$defs"][name], body, at, found);
    }
    let has_null = |schema: &Value| schema["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
    if has_null(schema) && !body.is_null() {
        found.push(at.clone());
    }
    for part in ["allOf", "anyOf", "oneOf"].iter().flat_map(|key| schema[*key].as_array().into_iter().flatten()) {
        if part["type"] == json!("null") && !body.is_null() {
            found.push(at.clone());
        }
        walk(part, body, at.clone(), found);
    }
    match body {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = schema["properties"].get(name) {
                    walk(schema, value, format!("{at}/{name}"), found);
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                walk(&schema["items"], item, format!("{at}/{n}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
