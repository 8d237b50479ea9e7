use super::{CHECKS, Declaration};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Value, json};

/// The JSON schema of the policy file, with the settings of every check.
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let entries: Vec<Value> = CHECKS.iter().map(|declaration| entry(declaration, &mut generator).to_value()).collect();
    let ids: Vec<&str> = CHECKS.iter().map(|declaration| declaration.id).collect();
    let check = json_schema!({
        "type": "object",
        "required": ["check"],
        "properties": {"check": {"enum": ids}},
        "oneOf": entries,
    });
    let mut root = crate::policy::schema(&mut generator, check).to_value();
    let definitions = generator.take_definitions(true);
    if let Value::Object(root) = &mut root {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    root
}

/// The schema of an entry of one check: the common keys and its settings.
fn entry(declaration: &Declaration, generator: &mut SchemaGenerator) -> Schema {
    let mut schema = (declaration.schema)(generator);
    let summary = declaration.page.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    let mut properties = crate::policy::common(generator);
    properties.insert("check".to_owned(), json!({"const": declaration.id}));
    if let Some(Value::Object(own)) = schema.get("properties").cloned() {
        properties.extend(own);
    }
    let mut required = vec![json!("check")];
    if let Some(Value::Array(own)) = schema.get("required").cloned() {
        required.extend(own);
    }
    schema.insert("description".to_owned(), json!(summary));
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), Value::Array(required));
    schema
}

/// The settings of a check as rows of a table: key, whether it must be given, what it is.
#[must_use]
pub fn settings(declaration: &Declaration) -> Vec<(String, bool, String)> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schema = (declaration.schema)(&mut generator).to_value();
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    let properties = schema["properties"].as_object();
    let rows = properties.into_iter().flatten().map(|(key, value)| {
        let text = value["description"].as_str().unwrap_or_default().replace('\n', " ");
        (key.clone(), required.contains(&&json!(key)), text)
    });
    rows.collect()
}
