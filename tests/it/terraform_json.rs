//! The JSON notation of Terraform configurations: what a file says in HCL it says in JSON.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]
#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else an expression is, its text says it in JSON, too")]

use crate::cli::portcullis;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block, Body, Structure};
use portcullis::formats::{self, Input, describe};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use proptest::prelude::*;
use regex::Regex;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What a file becomes, without the places, and the rules of each chain in the order of their texts.
fn model(name: &str, text: &str) -> Vec<String> {
    let mut sources = SourceMap::default();
    let file = sources.add(name.as_bytes(), text.into()).expect("small");
    let input = Input { name: "aws".into(), format: formats::format("terraform"), files: vec![file] };
    let mut store = Store::default();
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut store, None);
    let page = describe(&snapshot, &[], &sources, &store);
    let places = Regex::new(r"main\.tf(\.json)?:[0-9]+").expect("a pattern");
    let mut parts = Vec::new();
    for part in page.split("\n\n").filter(|part| !part.starts_with("not in the model") && !part.starts_with("gaps")) {
        let mut lines: Vec<String> = part.lines().map(|line| places.replace_all(line, "").trim().to_owned()).collect();
        lines.sort();
        // A name that is used twice in a text with escapes is used there once: where exactly is not told.
        lines.dedup_by(|a, b| a == b && a.contains("uses the "));
        parts.push(lines.join("\n"));
    }
    let mut gaps: Vec<String> = snapshot.gaps().iter().map(|gap| format!("gap: {}", gap.reason)).collect();
    gaps.sort();
    gaps.dedup();
    parts.sort();
    parts.dedup_by(|a, b| a == b && a.contains("uses the "));
    parts.into_iter().chain(gaps).collect()
}

/// A text in HCL as JSON. `None`: it is not HCL, or says what JSON cannot say in another way.
fn twin(text: &str) -> Option<String> {
    let body = hcl_edit::parser::parse_body(text.trim_start_matches('\u{feff}')).ok()?;
    let mut all = Vec::new();
    for structure in &body {
        let Structure::Block(block) = structure else { return None };
        let mut value = body_of(&block.body, block.ident.as_str(), true)?;
        for label in block.labels.iter().rev() {
            value = json!({ label.as_str(): value });
        }
        all.push(json!({ block.ident.as_str(): value }));
    }
    Some(Value::Array(all).to_string())
}

fn body_of(body: &Body, kind: &str, top: bool) -> Option<Value> {
    let mut out = Map::new();
    for structure in body {
        let (name, value) = match structure {
            Structure::Attribute(attribute) => {
                let name = attribute.key.as_str();
                (name, attribute_of(kind, top, name, &attribute.value)?)
            }
            Structure::Block(block) => {
                let name = block.ident.as_str();
                let list = out.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut()?.push(labelled(block)?);
                continue;
            }
        };
        out.insert(name.to_owned(), value);
    }
    Some(Value::Object(out))
}

fn labelled(block: &Block) -> Option<Value> {
    let mut value = body_of(&block.body, block.ident.as_str(), false)?;
    for label in block.labels.iter().rev() {
        value = json!({ label.as_str(): value });
    }
    Some(value)
}

fn attribute_of(kind: &str, top: bool, name: &str, value: &Expression) -> Option<Value> {
    match (kind, name) {
        ("variable", "type") | ("dynamic", "iterator") => named(value),
        ("variable", _) if top => literal(value, false),
        ("module", "source" | "version") => literal(value, false),
        ("moved" | "removed" | "import", "from" | "to") => named(value),
        (_, "provider" | "providers" | "depends_on" | "ignore_changes" | "replace_triggered_by") => named(value),
        // An object would be a block.
        ("locals" | "module" | "output" | "provider" | "terraform", _) => Some(expression(value)),
        (_, "tags" | "labels") => Some(expression(value)),
        _ if matches!(value, Expression::Object(_)) => Some(json!(format!("${{{value}}}"))),
        _ => Some(expression(value)),
    }
}

/// Names as texts; in quotes they stood once.
fn named(value: &Expression) -> Option<Value> {
    Some(match value {
        Expression::Array(items) => Value::Array(items.iter().map(named).collect::<Option<_>>()?),
        Expression::Object(items) => {
            let entry = |(key, value): (&ObjectKey, &hcl_edit::expr::ObjectValue)| match key {
                ObjectKey::Ident(name) => Some((name.as_str().to_owned(), named(value.expr())?)),
                ObjectKey::Expression(_) => None,
            };
            Value::Object(items.iter().map(entry).collect::<Option<_>>()?)
        }
        Expression::String(text) => json!(text.as_str()),
        other => json!(other.to_string().trim()),
    })
}

/// A value that is written out; `templates`: where texts are templates.
fn literal(value: &Expression, templates: bool) -> Option<Value> {
    Some(match value {
        Expression::Null(_) => Value::Null,
        Expression::Bool(truth) => json!(*truth.value()),
        Expression::Number(number) => serde_json::from_str(number.as_repr()?.trim()).ok()?,
        Expression::String(text) if templates => json!(text.replace("${", "$${").replace("%{", "%%{")),
        Expression::String(text) => json!(text.as_str()),
        Expression::Array(items) => {
            Value::Array(items.iter().map(|item| literal(item, templates)).collect::<Option<_>>()?)
        }
        Expression::Object(items) => {
            let mut out = Map::new();
            for (key, value) in items {
                let name = match key {
                    ObjectKey::Ident(name) => name.as_str().to_owned(),
                    ObjectKey::Expression(Expression::String(name)) => name.to_string(),
                    ObjectKey::Expression(_) => return None,
                };
                if out.insert(name, literal(value.expr(), templates)?).is_some() {
                    return None;
                }
            }
            Value::Object(out)
        }
        _ => return None,
    })
}

fn expression(value: &Expression) -> Value {
    if let Some(found) = literal(value, true) {
        return found;
    }
    match value {
        Expression::Array(items) => Value::Array(items.iter().map(expression).collect()),
        // A comment ends with its line.
        other => json!(format!("${{{}\n}}", other.to_string().trim())),
    }
}

#[test]
fn real_files_say_in_json_what_they_say_in_hcl() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/terraform");
    if !root.is_dir() {
        eprintln!("skipped: {} is not there", root.display());
        return;
    }
    let (mut same, mut without, mut wrong) = (0, 0, Vec::new());
    for path in files(&root) {
        let text = String::from_utf8(std::fs::read(&path).expect("a file")).expect("HCL is UTF-8");
        let Some(twin) = twin(&text) else {
            without += 1;
            continue;
        };
        let (hcl, json) = (model("main.tf", &text), model("main.tf.json", &twin));
        if hcl == json {
            same += 1;
        } else {
            let only = |these: &[String], others: &[String]| {
                let lines = |parts: &[String]| {
                    parts.iter().flat_map(|part| part.lines()).map(ToOwned::to_owned).collect::<Vec<String>>()
                };
                let mut left = lines(these);
                for line in lines(others) {
                    if let Some(n) = left.iter().position(|known| *known == line) {
                        left.remove(n);
                    }
                }
                left.join("\n")
            };
            wrong.push(format!("{}\n-- HCL\n{}\n-- JSON\n{}", path.display(), only(&hcl, &json), only(&json, &hcl)));
        }
    }
    eprintln!("{same} files say in JSON what they say in HCL; {without} cannot be written in JSON");
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(same > 600, "only {same} files were compared");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = entries.collect();
    paths.sort();
    let below = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false if path.extension().is_some_and(|end| end == "tf") => vec![path],
        false => Vec::new(),
    };
    paths.into_iter().flat_map(below).collect()
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("22".to_owned()),
        Just("var.port".to_owned()),
        Just("local.port + 1".to_owned()),
        Just("var.unset".to_owned()),
        Just("aws_vpc.main.port".to_owned()),
        (0_u16..=65535).prop_map(|port| port.to_string()),
        (0_u16..=65535).prop_map(|port| format!("\"{port}\"")),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(var.yes ? {a} : {b})")),
            inner.clone().prop_map(|a| format!("tonumber({a})")),
            inner.prop_map(|a| format!("max([1, {a}]...)")),
        ]
    })
}

fn source() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[\"0.0.0.0/0\"]".to_owned()),
        Just("[var.from, \"192.0.2.0/24\"]".to_owned()),
        Just("[\"10.${var.octet}.0.0/16\"]".to_owned()),
        Just("[for n in [1, 2] : \"10.${n}.0.0/16\" if n > 1]".to_owned()),
        Just("[cidrsubnet(\"10.0.0.0/8\", 8, 3)]".to_owned()),
        Just("[aws_vpc.main.cidr_block]".to_owned()),
        Just("[\"%{ if var.yes }10.0.0.0/8%{ else }10.0.0.0/9%{ endif }\"]".to_owned()),
    ]
}

fn block() -> impl Strategy<Value = String> {
    let fields = (value(), value(), source(), prop_oneof![Just("tcp"), Just("udp"), Just("-1")]);
    (fields, 0..3_u8).prop_map(|((from, to, source, protocol), kind)| {
        let body = format!("from_port = {from}\nto_port = {to}\nprotocol = \"{protocol}\"\ncidr_blocks = {source}\n");
        match kind {
            0 => format!("ingress {{\n{body}}}\n"),
            1 => format!("dynamic \"ingress\" {{\nfor_each = var.ports\ncontent {{\n{body}}}\n}}\n"),
            _ => {
                let body = body.replacen("from_port = ", "from_port = port.value + 0 * ", 1);
                format!("dynamic \"ingress\" {{\nfor_each = [1, 2]\niterator = port\ncontent {{\n{body}}}\n}}\n")
            }
        }
    })
}

fn configuration() -> impl Strategy<Value = String> {
    let group = (
        proptest::collection::vec(block(), 0..4),
        prop_oneof![
            Just(""),
            Just("count = 2\n"),
            Just("for_each = toset([\"a\", \"b\"])\n"),
            Just("count = var.unset\n")
        ],
        any::<bool>(),
    );
    proptest::collection::vec(group, 1..4).prop_map(|groups| {
        let mut text = r#"
variable "port" { default = 443 }
variable "ports" {
  type    = list(object({ port = optional(number, 5) }))
  default = [{ port = 80 }, {}]
}
variable "from" { default = "198.51.100.0/24" }
variable "octet" { default = 7 }
variable "yes" { default = true }
variable "unset" {}
locals { port = var.port + 1 }
resource "aws_vpc" "main" { cidr_block = "10.9.0.0/16" }
"#
        .to_owned();
        for (n, (blocks, repeats, ignores)) in groups.iter().enumerate() {
            let blocks = blocks.concat();
            let lifecycle = if *ignores { "lifecycle {\nignore_changes = [ingress]\n}\n" } else { "" };
            text.push_str(&format!(
                "resource \"aws_security_group\" \"g{n}\" {{\nname = \"g{n}\"\n{repeats}{blocks}{lifecycle}\
                 depends_on = [aws_vpc.main]\ntags = {{ Owner = \"a$${{b}}\" }}\n}}\n"
            ));
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_configuration_says_in_json_what_it_says_in_hcl(text in configuration()) {
        let twin = twin(&text).expect("it can be written in JSON");
        prop_assert_eq!(model("main.tf", &text), model("main.tf.json", &twin), "{}", twin);
    }
}

const GROUP: &str = r#"{
  "//": "This file is made by a program.",
  "variable": {"from": {"type": "list(string)", "default": ["10.0.0.0/8"]}},
  "resource": {
    "aws_security_group": {
      "web": {
        "name": "w\u0065b-${var.from[0]}",
        "ingress": {"protocol": "tcp", "from_port": 443, "to_port": "443", "cidr_blocks": "${var.from}"},
        "dynamic": {"egress": {"for_each": [1], "content": {"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}}}
      }
    }
  }
}"#;

#[test]
fn one_block_is_an_object_and_a_comment_says_nothing() {
    assert_eq!(
        model("main.tf.json", GROUP),
        [
            "accept  any 0.0.0.0/0 -> any\nchain aws_security_group.web/egress ()",
            "accept  tcp 10.0.0.0/8 -> any:443\nchain aws_security_group.web/ingress ()",
            "aws_security_group aws_security_group.web, 2 elements: name = \"web-10.0.0.0/8\"\nobjects",
            "configuration aws (terraform)",
            "filter aws/aws_security_group.web/egress, without it deny\n\
             packets  any 0.0.0.0/0 -> any new in none out none no-later-fragment\n\
             packets  any ::/0 -> any new in none out none no-later-fragment\n\
             stage    aws_security_group.web/egress for IPv4 and IPv6, otherwise deny",
            "filter aws/aws_security_group.web/ingress, without it deny\n\
             packets  any 0.0.0.0/0 -> any new in none out none no-later-fragment\n\
             packets  any ::/0 -> any new in none out none no-later-fragment\n\
             stage    aws_security_group.web/ingress for IPv4 and IPv6, otherwise deny",
        ]
    );
}

#[test]
fn what_terraform_refuses_in_json_is_a_gap() {
    let gaps = |text: &str| {
        let found = model("main.tf.json", text).into_iter().filter(|line| line.starts_with("gap: "));
        found.collect::<Vec<_>>()
    };
    assert_eq!(gaps("{\"resource\": "), ["gap: not JSON: the text ends too early: a value is expected"]);
    assert_eq!(gaps(r#"{"resource": 5}"#), ["gap: an object is expected here, or a list of objects"]);
    assert_eq!(gaps(r#"{"resorce": {}}"#), ["gap: there are no blocks `resorce` in Terraform files"]);
    let group = r#"{"resource": {"aws_security_group": {"a": {"name": "${var.x"}}}}"#;
    assert!(gaps(group)[0].starts_with("gap: not HCL: "), "{:?}", gaps(group));
    assert_eq!(
        gaps(r#"{"resource": {"aws_security_group": {"a": {"name": "${var.x}"}}}}"#),
        ["gap: `var.x` is not declared: terraform refuses it"]
    );
    assert_eq!(gaps(r#"{"resource": {"aws_security_group": {"a": {}, "a": {}}}}"#).len(), 1);
}

const POLICY: &str = "version: 1\nconfigurations:\n  aws: {files: [\"stack/*.tf*\"], format: terraform}\n\
    checks:\n  - {check: exposed-ports, from: any, services: [tcp/22]}\n  - {check: deletion-limit, count: 0}\n";

/// What the gate says of a change of files.
fn checked(base: &[(&str, &str)], head: &[(&str, &str)]) -> (u8, String) {
    checked_of("stack/*.tf*", base, head)
}

/// The same where the policy names those of a pattern.
fn checked_of(pattern: &str, base: &[(&str, &str)], head: &[(&str, &str)]) -> (u8, String) {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("portcullis.yaml"), POLICY.replace("stack/*.tf*", pattern)).expect("written");
    for (side, files) in [("old", base), ("new", head)] {
        crate::folder::write(&folder.path().join(side).join("stack"), files);
    }
    let ran = portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "portcullis.yaml"]);
    (ran.code, ran.out)
}

const HCL: &str = r#"
variable "from" {
  type    = list(string)
  default = ["10.0.0.0/8"]
}
resource "aws_security_group" "web" {
  name = "web-${var.from[0]}"
  ingress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = var.from
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"#;

#[test]
fn a_file_that_is_written_anew_in_json_changes_nothing() {
    let (code, said) = checked(&[("main.tf", HCL)], &[("main.tf.json", GROUP)]);
    assert_eq!(code, 0, "{said}");
    let open = GROUP.replace("443, \"to_port\": \"443\"", "22, \"to_port\": 443").replace("10.0.0.0/8", "0.0.0.0/0");
    let (code, said) = checked(&[("main.tf", HCL)], &[("main.tf.json", &open)]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("stack/main.tf.json:8"), "the line in the JSON is told: {said}");
}

#[test]
fn values_and_overrides_in_json_count_in_their_order() {
    let group = r#"
variable "port" {}
resource "aws_security_group" "web" {
  ingress {
    protocol    = "tcp"
    from_port   = var.port
    to_port     = var.port
    cidr_blocks = ["10.0.0.0/8"]
  }
}
"#;
    let with = |values: &[(&str, &str)]| {
        let files: Vec<(&str, &str)> = [("main.tf", group)].into_iter().chain(values.iter().copied()).collect();
        checked(&[("main.tf", &group.replace("var.port", "22"))], &files).0
    };
    assert_eq!(with(&[("terraform.tfvars", "port = 23"), ("terraform.tfvars.json", r#"{"port": 22}"#)]), 0);
    assert_eq!(with(&[("a.auto.tfvars", "port = 22"), ("terraform.tfvars.json", r#"{"port": 23}"#)]), 0);
    assert_eq!(with(&[("a.auto.tfvars", "port = 23"), ("b.auto.tfvars.json", r#"{"port": 22}"#)]), 0);
    assert_eq!(with(&[("terraform.tfvars", "port = 23")]), 1);
    let more = r#"{"resource": {"aws_security_group": {"web": {"ingress": []}}}}"#;
    assert_eq!(with(&[("terraform.tfvars", "port = 22"), ("override.tf.json", more)]), 1);
}

const OPEN: &str = r#"{"resource": {"aws_security_group_rule": {"ssh": {"type": "ingress", "protocol": "tcp", "from_port": 22,
    "to_port": 22, "cidr_blocks": ["0.0.0.0/0"], "security_group_id": "${aws_security_group.web.id}"}}}}"#;

#[test]
fn all_files_of_a_folder_count_whichever_of_them_are_named() {
    let base = [("main.tf", HCL)];
    let with = |name, text| checked_of("stack/*.tf", &base, &[("main.tf", HCL), (name, text)]);
    let (code, said) = with("more.tf.json", OPEN);
    assert!(code == 1 && said.contains("stack/more.tf.json:1"), "{said}");
    let wider = r#"{"variable": {"from": {"default": ["0.0.0.0/0"]}}}"#;
    assert!(with("override.tf.json", wider).1.contains("0.0.0.0/0 except 10.0.0.0/8"));
    assert!(with("x_override.tf.json", wider).1.contains("0.0.0.0/0 except 10.0.0.0/8"));
    // A program that reads only some of the files makes something else of them.
    let (code, said) = with("more.tofu", "locals {}\n");
    assert!(code == 3 && said.contains("OpenTofu reads this file and Terraform does not"), "{said}");
    assert_eq!(with("x_override.tofu.json", wider).0, 3);
    // Where there is no other there is only one program.
    let (base, wide) = ([("main.tofu", HCL)], HCL.replace("10.0.0.0/8", "0.0.0.0/0").replace("443", "22"));
    let (code, said) = checked_of("stack/m*.tofu", &base, &[("main.tofu", HCL), ("x_override.tofu", &wide)]);
    assert!(code == 1 && said.contains("stack/x_override.tofu:8"), "{said}");
}

#[test]
fn a_module_is_all_files_of_its_folder() {
    let module = |open: &[(&str, &str)]| {
        let call = ("stack/main.tf", "module \"m\" {\n  source = \"../modules/m\"\n}\n");
        let files: Vec<(&str, &str)> =
            [call, ("modules/m/main.tf", HCL)].into_iter().chain(open.iter().copied()).collect();
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("portcullis.yaml"), POLICY.replace("*.tf*", "*.tf")).expect("written");
        crate::folder::write(&folder.path().join("old"), &[call, ("modules/m/main.tf", HCL)]);
        crate::folder::write(&folder.path().join("new"), &files);
        let ran =
            portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "portcullis.yaml"]);
        (ran.code, ran.out)
    };
    let (code, said) = module(&[("modules/m/more.tf.json", OPEN)]);
    assert!(code == 1 && said.contains("modules/m/more.tf.json:1"), "{said}");
    assert_eq!(module(&[("modules/m/more.tofu", "locals {}\n")]).0, 3);
    // Values are those of the root.
    assert_eq!(module(&[("modules/m/terraform.tfvars", "from = [\"0.0.0.0/0\"]\n")]).0, 0);
}

#[test]
fn hidden_files_are_no_part_of_a_module() {
    let narrow = r#"{"resource": {"aws_security_group": {"web": {"ingress": []}}}}"#;
    let hidden = [("main.tf", HCL), (".x_override.tf.json", narrow), (".more.tf.json", OPEN)];
    let (code, said) = checked(&[("main.tf", HCL)], &hidden);
    assert!(code == 0 && said.contains("no semantic change"), "{said}");
}
