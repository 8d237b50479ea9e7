//! The HTML report in a real browser, without a network.

use crate::outputs::hostile;
use crate::tools::{program, said};
use portcullis::cli::INCIDENTS;
use portcullis::report::{OUTPUTS, Style};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Opens a page with those options, and gives what the browser printed.
fn browse(page: &Path, options: &[&str]) -> Option<String> {
    let chromium = program("chromium")?;
    let profile = TempDir::new().expect("a folder");
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(options)
        .arg(format!("file://{}", page.display()))
        .env("HOME", profile.path())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn the_page_of_every_incident_says_in_a_browser_what_the_report_says() {
    let html = OUTPUTS.iter().find(|output| output.name == "html").expect("the output");
    let folder = TempDir::new().expect("a folder");
    for incident in INCIDENTS {
        let page = folder.path().join("page.html");
        fs::write(&page, incident.written(html, Style::PLAIN)).expect("written");
        let Some(dom) = browse(&page, &["--dump-dom"]) else { return };
        let report: serde_json::Value = serde_json::from_str(&incident.replay(Style::PLAIN).json).expect("JSON");
        let entries: usize =
            ["findings", "doubts", "gaps"].iter().map(|key| report[key].as_array().expect("a list").len()).sum();
        assert!(dom.contains("<h1>BLOCKED</h1>"), "{}", incident.name);
        assert_eq!(dom.matches("<article ").count(), entries, "{}", incident.name);
        let changed = |key: &str| -> usize {
            let configurations = report["configurations"].as_array().expect("a list");
            configurations.iter().map(|c| c[key].as_array().expect("a list").len()).sum()
        };
        assert_eq!(dom.matches("<h4>").count(), changed("filters"), "{}", incident.name);
        assert_eq!(dom.contains("<svg class=\"graph\""), changed("balancers") > 0, "{}", incident.name);
    }
}

#[test]
fn g04_nothing_in_the_input_becomes_an_element_of_the_page() {
    let folder = hostile();
    let arguments = ["check", "--old", "old", "--new", "new", "--output", "html=page.html"];
    assert_eq!(crate::cli::portcullis(folder.path(), &[], &arguments).code, 1);
    let Some(dom) = browse(&folder.path().join("page.html"), &["--dump-dom"]) else { return };
    for tag in ["<script", "<img", "<iframe", "<link", "<object", "<base", "<form"] {
        assert!(!dom.contains(tag), "{tag} in\n{dom}");
    }
    assert!(dom.contains("<title>Portcullis: blocked</title>"), "{dom}");
}

/// What is shown differs by more than a few bytes: the picture is drawn, and dark mode is another one.
#[test]
fn the_page_is_drawn_in_light_and_in_dark() {
    let html = OUTPUTS.iter().find(|output| output.name == "html").expect("the output");
    let folder = TempDir::new().expect("a folder");
    let incident = INCIDENTS.first().expect("an incident");
    let page = folder.path().join("page.html");
    fs::write(&page, incident.written(html, Style::PLAIN)).expect("written");
    let picture = |name: &str, scheme: &str| {
        let file = folder.path().join(name);
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        browse(&page, &["--window-size=1000,900", &scheme, &format!("--screenshot={}", file.display())])?;
        Some(fs::read(file).expect("a picture"))
    };
    let (Some(light), Some(dark)) = (picture("light.png", "1"), picture("dark.png", "0")) else { return };
    assert!(light.starts_with(b"\x89PNG") && light.len() > 10_000 && dark.len() > 10_000);
    assert_ne!(light, dark);
}
