//! Every output on every incident, and on input that is hostile.

use crate::blessed::compare;
use crate::cli::portcullis;
use portcullis::cli::INCIDENTS;
use portcullis::report::{OUTPUTS, Style, github};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The incident in every output.
fn written(incident: &portcullis::cli::Incident, output: &str) -> String {
    let output = OUTPUTS.iter().find(|known| known.name == output).expect("an output");
    incident.written(output, Style::PLAIN)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// How many findings, doubts and gaps a report has.
fn entries(report: &Value) -> usize {
    ["findings", "doubts", "gaps"].iter().map(|key| report[key].as_array().expect("a list").len()).sum()
}

/// The published schema; see the file beside it for where it is from.
fn sarif_schema() -> jsonschema::Validator {
    let text = fs::read_to_string(root().join("tests/it/schemas/sarif-2.1.0.json")).expect("the schema");
    let mut schema = json(&text);
    // As published, the patterns of languages have a bracket too many, which strict readers of expressions refuse.
    // No report of ours says a language.
    for part in ["run", "toolComponent"] {
        let language = schema["definitions"][part]["properties"]["language"].as_object_mut().expect("a property");
        assert!(language.remove("pattern").is_some());
    }
    jsonschema::validator_for(&schema).expect("a schema")
}

fn is_sarif(text: &str) -> Value {
    let log = json(text);
    let schema = sarif_schema();
    let errors: Vec<String> =
        schema.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new());
    log
}

#[test]
fn sarif_of_every_incident_is_as_published_and_leaves_nothing_out() {
    for incident in INCIDENTS {
        let log = is_sarif(&written(incident, "sarif"));
        let results = log["runs"][0]["results"].as_array().expect("results");
        let report = json(&written(incident, "json"));
        assert_eq!(results.len(), entries(&report), "{}", incident.name);
        let prints: BTreeSet<&str> =
            results.iter().filter_map(|r| r["partialFingerprints"]["portcullis/v1"].as_str()).collect();
        assert_eq!(prints.len(), results.len(), "{}", incident.name);
        for result in results {
            let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a place");
            assert!(!uri.starts_with('/') && !uri.split('/').any(|part| part == ".."), "{uri}");
            let (id, index) = (&result["ruleId"], result["ruleIndex"].as_u64().expect("a number"));
            assert_eq!(*id, log["runs"][0]["tool"]["driver"]["rules"][usize::try_from(index).expect("small")]["id"]);
        }
    }
}

#[test]
fn every_output_of_the_first_incident_is_as_it_was_looked_at() {
    let incident = INCIDENTS.iter().find(|incident| incident.name == "blocked-ports").expect("the incident");
    for (output, file) in [
        ("sarif", "blocked.sarif"),
        ("github", "blocked.github.txt"),
        ("markdown", "blocked.md"),
        ("junit", "blocked.junit.xml"),
        ("gitlab", "blocked.gitlab.json"),
        ("html", "blocked.html"),
    ] {
        compare(&root().join("tests/it/reports").join(file), &written(incident, output));
    }
}

#[test]
fn junit_and_html_of_every_incident_are_well_formed() {
    for incident in INCIDENTS {
        let junit = written(incident, "junit");
        let (failures, cases) = (junit.matches("<failure ").count(), junit.matches("<testcase ").count());
        assert!(junit.contains(&format!("tests=\"{cases}\" failures=\"{failures}\"")), "{junit}");
        well_formed(&junit, &[]);
        well_formed(&written(incident, "html"), &["meta", "br", "wbr"]);
    }
}

#[test]
fn annotations_are_within_the_limits_of_the_runner() {
    for incident in INCIDENTS {
        let text = written(incident, "github");
        for kind in ["::error ", "::warning ", "::notice "] {
            let of_kind: Vec<&str> = text.lines().filter(|line| line.starts_with(kind)).collect();
            assert!(of_kind.len() <= github::ANNOTATIONS, "{}", incident.name);
        }
        let report = json(&written(incident, "json"));
        let last = text.lines().last().expect("a line");
        assert!(last.ends_with(&format!(" of {} annotated", entries(&report))), "{last}");
        assert!(text.lines().all(|line| line.starts_with("::") || line.starts_with("portcullis: ")), "{text}");
    }
}

#[test]
fn gitlab_has_every_entry_with_a_place_and_a_fingerprint_of_its_own() {
    for incident in INCIDENTS {
        let issues = json(&written(incident, "gitlab"));
        let issues = issues.as_array().expect("a list");
        assert_eq!(issues.len(), entries(&json(&written(incident, "json"))), "{}", incident.name);
        let mut prints = BTreeSet::new();
        for issue in issues {
            let keys: Vec<&str> = issue.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(keys, ["check_name", "description", "fingerprint", "location", "severity"]);
            assert!(
                ["info", "minor", "major", "critical", "blocker"]
                    .contains(&issue["severity"].as_str().expect("a word"))
            );
            assert!(issue["location"]["lines"]["begin"].as_u64() >= Some(1));
            assert!(prints.insert(issue["fingerprint"].as_str().expect("a digest").to_owned()));
        }
    }
}

#[test]
fn a_comment_fits_and_its_fences_are_closed() {
    for incident in INCIDENTS {
        let text = written(incident, "markdown");
        assert!(text.encode_utf16().count() <= portcullis::report::markdown::COMMENT, "{}", incident.name);
        assert_eq!(text.matches("<details").count(), text.matches("</details>").count(), "{}", incident.name);
        let top = text.split("<details").next().expect("a top");
        assert!(top.lines().filter(|line| !line.is_empty()).count() <= 12, "{top}");
    }
}

/// A change that is hostile in names of files, comments, chains and sets.
pub(crate) fn hostile() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let name =
        "fw/::error::x ##[group]y ]]> `a``b` @team #1 <img src=x onerror=alert(1)> \u{202e}evil\u{1b}]52;c;x\u{7}.nft";
    let (open, shut) = ("accept", "drop");
    for (side, verdict) in [("old", shut), ("new", open)] {
        let path = folder.path().join(side).join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let text = format!(
            "table inet filter {{\n  set evil {{ type ipv4_addr; comment \"::set-output name=x::y ##[error]z ]]> ``` @all <script>alert(1)</script> \u{202e}\u{1b}[2J\"; elements = {{ 192.0.2.1 }}; }}\n  chain input {{\n    type filter hook input priority 0; policy {verdict};\n    ip saddr @evil tcp dport 22 accept comment \"%0A::error::x ]]> </pre></details><!-- portcullis --> `` @org/team https://evil.example ![x](https://evil.example/b.png) \u{1b}]0;t\u{7}\"\n  }}\n}}\n"
        );
        fs::write(path, text).expect("written");
        let policy = "version: 1\nextends: [baseline]\nconfigurations:\n  web: {files: [\"fw/*\"], each: true}\nchecks:\n  - check: default-action\n    name: \"::error::n ##[x ]]> ``` @team <i>\"\n    filters: [\"**/input\"]\n    must_be: deny\n";
        fs::write(folder.path().join(side).join("portcullis.yaml"), policy).expect("written");
    }
    folder
}

#[test]
fn g01_g04_g05_g06_nothing_in_the_input_is_obeyed_by_a_reader_of_any_output() {
    let folder = hostile();
    for output in OUTPUTS {
        let ran = portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--output", output.name]);
        assert_eq!(ran.code, 1, "{}: {}{}", output.name, ran.out, ran.talk);
        let text = &ran.out;
        assert!(text.contains("default-action"), "{}", output.name);
        let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!text.contains(bad), "{}: {text}", output.name);
        assert!(!text.contains("##["), "{}: {text}", output.name);
        let commands: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("::")).collect();
        match output.name {
            "github" => assert!(
                commands.iter().all(|line| ["::error file=", "::warning file=", "::notice file="]
                    .iter()
                    .any(|start| line.starts_with(start))),
                "{commands:?}"
            ),
            _ => assert_eq!(commands, Vec::<&str>::new(), "{}", output.name),
        }
        match output.name {
            "sarif" => {
                is_sarif(text);
            }
            "gitlab" | "json" => {
                json(text);
            }
            "junit" => well_formed(text, &[]),
            "html" => {
                well_formed(text, &["meta", "br", "wbr"]);
                for word in ["<script", "<img", "<i>\"", "http-equiv=\"refresh"] {
                    assert!(!text.contains(word), "{word}");
                }
            }
            "markdown" => {
                let shown = outside_of_code(text);
                for word in ["<img", "<script", "<!--", "](", "@team", "@org", "@all", "#1", "https://", "##["] {
                    assert!(!shown.contains(word), "{word} in\n{shown}");
                }
                assert_eq!(text.matches("\n</details>").count(), text.matches("<details").count() - inside(text));
            }
            "text" | "github" => {}
            other => unreachable!("what is wrong in {other} is not said here"),
        }
    }
}

/// How many of the marks of details stand in code.
fn inside(text: &str) -> usize {
    text.matches("<details").count() - outside_of_code(text).matches("<details").count()
}

/// Markdown without its code spans and blocks, by the rules of CommonMark for backticks.
fn outside_of_code(text: &str) -> String {
    let mut out = String::new();
    let mut fence: Option<usize> = None;
    for line in text.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) => {
                if ticks >= open && line.trim_start_matches('`').trim().is_empty() {
                    fence = None;
                }
            }
            None if ticks >= 3 && !line.trim_start_matches('`').contains('`') => fence = Some(ticks),
            None => out.push_str(&(without_spans(line) + "\n")),
        }
    }
    assert_eq!(fence, None, "a fence that is not closed");
    out
}

fn without_spans(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('`') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if out.ends_with('\\') {
            out.push('`');
            rest = &rest[1..];
            continue;
        }
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let body = &rest[ticks..];
        let mut from = 0;
        let end = loop {
            let Some(found) = body[from..].find('`') else { break None };
            let start = from + found;
            let run = body[start..].len() - body[start..].trim_start_matches('`').len();
            if run == ticks {
                break Some(start + run);
            }
            from = start + run;
        };
        match end {
            Some(end) => rest = &body[end..],
            None => {
                out.push_str(&rest[..ticks]);
                rest = body;
            }
        }
    }
    out + rest
}

/// Demands that tags nest, attributes are quoted, and every `&` begins an entity.
fn well_formed(text: &str, void: &[&str]) {
    let mut open: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let (_, from) = rest.split_at(at);
        if let Some(entity) = from.strip_prefix('&') {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|name| entity.starts_with(name));
            assert!(known, "a bare &: {}", &entity[..entity.len().min(20)]);
            rest = entity;
            continue;
        }
        let end = from.find('>').expect("a tag ends");
        let tag = &from[1..end];
        rest = &from[end + 1..];
        if tag.starts_with('?') || tag.starts_with("!DOCTYPE") {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "before {}", &rest[..rest.len().min(60)]);
            continue;
        }
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        assert!(!name.is_empty() && tag.matches('"').count() % 2 == 0, "<{tag}>");
        if name == "style" {
            let (_, after) = rest.split_once("</style>").expect("a style ends");
            rest = after;
        } else if !tag.ends_with('/') && !void.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn what_has_no_form_for_an_answer_is_refused_before_anything_is_read() {
    let folder = TempDir::new().expect("a folder");
    for output in OUTPUTS {
        let asked =
            |arguments: &[&str]| portcullis(folder.path(), &[], &[arguments, &["--output", output.name]].concat());
        let (difference, walk) =
            (asked(&["diff", "none", "nothing"]), asked(&["trace", "none", "tcp 192.0.2.1 -> 192.0.2.2:22"]));
        let refused = |ran: &crate::cli::Ran| ran.code == 2 && ran.talk.contains(" has no form for ");
        assert_eq!(refused(&difference), output.comparison.is_none(), "{}: {difference:?}", output.name);
        assert_eq!(refused(&walk), output.walk.is_none(), "{}: {walk:?}", output.name);
    }
}

#[test]
fn the_exit_code_is_the_same_in_every_output() {
    let folder = hostile();
    for output in OUTPUTS {
        let file = format!("{}=report", output.name);
        let check = |new: &str| {
            portcullis(folder.path(), &[], &["check", "--old", "old", "--new", new, "--output", &file]).code
        };
        assert_eq!((check("new"), check("old"), check("none")), (1, 0, 3), "{}", output.name);
    }
}

#[test]
fn annotations_and_comments_that_are_cut_say_how_much_is_shown() {
    let folder = TempDir::new().expect("a folder");
    for (side, action) in [("old", "DROP"), ("new", "ACCEPT")] {
        fs::create_dir_all(folder.path().join(side).join("fw")).expect("made");
        for n in 0..150 {
            let text = format!("*filter\n:INPUT {action} [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n");
            fs::write(folder.path().join(format!("{side}/fw/{n}.rules")), text).expect("written");
        }
        let policy = "version: 1\nconfigurations: {fw: {files: [\"fw/*\"], each: true}}\nchecks: [{check: default-action, filters: [\"fw/*/input\"], must_be: deny}]\n";
        fs::write(folder.path().join(side).join("portcullis.yaml"), policy).expect("written");
    }
    let arguments = ["check", "--old", "old", "--new", "new", "--output", "github=g", "--output", "markdown=m"];
    assert_eq!(portcullis(folder.path(), &[], &arguments).code, 1);
    let read = |name| fs::read_to_string(folder.path().join(name)).expect("written");
    let (annotations, comment) = (read("g"), read("m"));
    assert_eq!(annotations.matches("::error ").count(), github::ANNOTATIONS);
    assert!(annotations.contains("::error title=portcullis::9 of 150 shown: "), "{annotations}");
    assert!(annotations.ends_with("; 9 of 150 annotated\n"), "{annotations}");
    assert!(comment.encode_utf16().count() <= portcullis::report::markdown::COMMENT);
    assert!(comment.contains("- 5 of 150 shown here"), "{comment}");
    let cut = comment.lines().find(|line| line.ends_with(" of 300 details shown: the JSON report has all"));
    assert!(cut.is_some(), "{comment}");
}
