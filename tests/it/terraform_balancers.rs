//! Load balancers in Terraform: what configurations and plans of the same root come to, and changes that hide.

use crate::cli::{Ran, portcullis};
use crate::folder::folder;
use portcullis::formats::{self, Input, describe};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/terraform")
}

/// The folders of balancers that are there as a configuration and as a plan of it.
fn pairs() -> Vec<(PathBuf, PathBuf)> {
    let mut found: Vec<(PathBuf, PathBuf)> = std::fs::read_dir(fixtures())
        .expect("the fixtures")
        .map(|entry| entry.expect("a folder").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("_balancers")))
        .filter(|path| path.join("input.tf").is_file())
        .map(|path| {
            let plan = format!("plan_{}", path.file_name().expect("a name").to_string_lossy());
            (path.join("input.tf"), fixtures().join(plan).join("input.json"))
        })
        .collect();
    found.sort();
    found
}

/// What a text comes to: the listeners, backends and objects in their words, without places; and the gaps.
fn model(name: &str, text: Vec<u8>) -> (Vec<String>, Vec<String>) {
    let mut sources = SourceMap::default();
    let files = vec![sources.add(name.as_bytes(), text).expect("small")];
    let input = Input { name: "lb".into(), format: formats::format("terraform"), files };
    let mut store = Store::default();
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut store, None);
    let page = describe(&snapshot, &[], &sources, &store);
    let place = regex::Regex::new(r"input\.(tf|json):[0-9]+").expect("a pattern");
    let mut lines: Vec<String> = page.lines().map(|line| place.replace_all(line, "").into_owned()).collect();
    lines.sort();
    (lines, snapshot.gaps().iter().map(|gap| gap.reason.clone()).collect())
}

#[test]
fn a_configuration_and_its_plan_are_the_same_balancers() {
    let pairs = pairs();
    assert_eq!(pairs.len(), 6);
    for (configuration, plan) in pairs {
        let (mine, gaps) = model("input.tf", std::fs::read(&configuration).expect("a file"));
        let (its, others) = model("input.json", std::fs::read(&plan).expect("a file"));
        assert_eq!(mine, its, "{}", configuration.display());
        assert_eq!((gaps, others), (Vec::new(), Vec::new()), "{}", configuration.display());
        assert!(mine.iter().any(|line| line.starts_with("listener ")), "{}", configuration.display());
    }
}

/// A plan that Terraform 1.11.4 has made with version 5.100.0 of the provider: in its sets the order is another one, blocks that
/// nobody wrote are empty lists, and what the provider fills in is not known.
#[test]
fn a_real_plan_leads_to_the_servers_of_its_configuration() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans/aws_balancers");
    let read = |name: &str, as_: &str| {
        let (lines, gaps) = model(as_, std::fs::read(folder.join(name)).expect("a file"));
        assert_eq!(gaps, Vec::<String>::new(), "{name}");
        let told = ["listener ", "backend ", "server "];
        lines.into_iter().filter(|line| told.iter().any(|word| line.trim().starts_with(word))).collect::<Vec<_>>()
    };
    let (mine, its) = (read("main.tf", "input.tf"), read("plan.json", "input.json"));
    assert!(mine.iter().any(|line| line.contains("weight 90")), "{mine:#?}");
    assert_eq!(mine, its);
}

/// Whatever is missing, of another kind or not known in a configuration or plan, it is read, and told where it is not right.
#[test]
fn damaged_balancers_are_read() {
    let values = regex::Regex::new(r#"(?m)= (.+)$|: ("[^"]*"|[0-9]+|true|false)(,?)$"#).expect("a pattern");
    let others = ["null", "[]", "{}", "-1", "70000", "\"\"", "\"*\"", "[null]", "[[1]]"];
    let mut number = 0;
    for (configuration, plan) in pairs() {
        for path in [configuration, plan] {
            let name = if path.extension().is_some_and(|end| end == "tf") { "input.tf" } else { "input.json" };
            let text = std::fs::read_to_string(&path).expect("a file");
            for found in values.captures_iter(&text) {
                let value = found.get(1).or(found.get(2)).expect("one of both");
                let unknown = if name == "input.tf" { "var.nothing" } else { "{\"a\": [1]}" };
                number += 1;
                // One of each is tried at a value, another one at the next.
                for other in [others[number % others.len()], unknown] {
                    let mut damaged = text.clone();
                    damaged.replace_range(value.range(), other);
                    let (lines, _) = model(name, damaged.into());
                    assert!(!lines.is_empty());
                }
            }
            for (at, _) in text.trim_end().match_indices('\n').step_by(3) {
                let (_, gaps) = model(name, text[..at].into());
                assert!(name == "input.tf" || !gaps.is_empty(), "{} cut off at {at}", path.display());
            }
        }
    }
}

const POLICY: &str = "version: 1
configurations:
  lb: {files: [\"*.tf\"], format: terraform}
checks:
  - {check: unreadable}
  - {check: undefined-references}
  - {check: pool-capacity, percent: 20}
  - {check: listener-changes}
  - {check: route-changes}
  - {check: health-checks}
";

/// What becomes of a change of a fixture.
fn change(fixture: &str, from: &str, to: &str) -> Ran {
    let old = std::fs::read_to_string(fixtures().join(fixture).join("input.tf")).expect("a file");
    assert_eq!(old.matches(from).count(), 1, "`{from}` in {fixture}");
    check(&old, &old.replace(from, to))
}

fn check(old: &str, new: &str) -> Ran {
    let folder = folder(&[("policy.yaml", POLICY), ("old/main.tf", old), ("new/main.tf", new)]);
    portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "policy.yaml"])
}

#[test]
fn what_hides_in_balancers_is_found() {
    let attachment = "resource \"aws_lb_target_group_attachment\" \"web1\" {\n  target_group_arn = aws_lb_target_group.web.arn\n  \
                      target_id        = \"i-0001\"\n}\n";
    let rule = "  certificate_arn   = aws_acm_certificate.shop.arn\n";
    let cases = [
        ("aws_balancers", "weight = 90", "weight = 0", "pool-capacity"),
        ("aws_balancers", attachment, "", "the backend `aws_lb_target_group.web` has no server"),
        ("aws_balancers", rule, "", "loses the certificate aws_acm_certificate.shop"),
        (
            "aws_balancers",
            "    type             = \"forward\"\n    target_group_arn = aws_lb_target_group.web.arn",
            "    type             = \"forward\"\n    target_group_arn = aws_lb_target_group.new.arn",
            "route-changes",
        ),
        (
            "aws_balancers",
            "internal           = true",
            "internal           = false",
            "any more: `aws_lb_listener.https` is gone",
        ),
        ("aws_balancers", "/admin/*", "/ADMIN/*", "route-changes"),
        ("aws_balancers", "\"/v?/*\"", "\"/v*/*\"", "route-changes"),
        ("aws_balancers", "[\"192.0.2.0/24\"]", "[\"192.0.2.0/25\"]", "route-changes"),
        ("aws_balancers", "path    = \"/up\"", "enabled = false", "loses its health check"),
        (
            "aws_balancers",
            "protocol          = \"HTTPS\"",
            "protocol          = \"HTTP\"",
            "does not speak TLS any more",
        ),
        ("aws_balancers", "weight = 90", "weight = var.share", "pool-capacity"),
        ("aws_classic_balancers", "instances       = [\"i-0001\"]", "instances       = []", "pool-capacity"),
        (
            "aws_classic_balancers",
            "lb_protocol        = \"https\"",
            "lb_protocol        = \"http\"",
            "does not speak TLS",
        ),
        ("scaleway_balancers", "[\"10.0.1.1\", \"10.0.1.2\"]", "[]", "has no server"),
        (
            "scaleway_balancers",
            "  certificate_ids = [scaleway_lb_certificate.web.id]\n",
            "",
            "does not speak TLS any more",
        ),
        ("scaleway_balancers", "[\"192.0.2.0/24\"]", "[\"0.0.0.0/0\"]", "route-changes"),
        ("scaleway_balancers", "inbound_port  = 80\n", "inbound_port  = 81\n", "nothing listens at scaleway_lb.web:80"),
        (
            "azure_balancers",
            "  probe_id                       = azurerm_lb_probe.web.id\n",
            "",
            "loses its health check",
        ),
        (
            "azure_balancers",
            "  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.web.id]\n",
            "",
            "the backend `azurerm_lb_rule.web` is gone with all its servers",
        ),
        ("google_balancers", "capacity_scaler = 0.5", "capacity_scaler = 0", "has nothing but backup servers"),
        ("google_balancers", "[google_compute_health_check.up.id]", "[]", "loses its health check"),
        ("google_balancers", "hosts        = [\"beta.example\"]", "hosts        = [\"*\"]", "route-changes"),
        ("google_balancers", "port_range            = \"443\"", "port_range            = \"80\"", "nothing listens at"),
        (
            "exoscale_balancers",
            "protocol         = \"udp\"",
            "protocol         = \"tcp\"",
            "nothing listens at exoscale_nlb.web:53",
        ),
    ];
    let mut missed = Vec::new();
    for (fixture, from, to, said) in cases {
        let ran = change(fixture, from, to);
        // Lines are broken in the report.
        let words: Vec<&str> = ran.out.split_whitespace().collect();
        if ran.code != 1 || !words.join(" ").contains(said) {
            missed.push(format!("{fixture}: `{from}` -> `{to}` without `{said}`, {}:\n{}", ran.code, ran.out));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}

/// Changes that do nothing to requests: what is written in another order, or said that is so anyway.
#[test]
fn what_does_nothing_to_requests_passes() {
    let cases = [
        // The two rules are for different requests.
        ("aws_balancers", "priority     = 10", "priority     = 30"),
        ("aws_balancers", "[\"api.shop.example\", \"*.api.example\"]", "[\"*.API.example\", \"api.shop.example\"]"),
        ("aws_balancers", "  port     = 8080\n", "  port     = 8080\n  slow_start = 0\n"),
        (
            "scaleway_balancers",
            "forward_port     = 9000",
            "forward_port     = 9000\n  forward_port_algorithm = \"roundrobin\"",
        ),
        ("google_balancers", "[\"/v1/*\", \"/v1/status\"]", "[\"/v1/status\", \"/v1/*\"]"),
        ("azure_balancers", "resource_group_name = \"web\"", "resource_group_name = \"webs\""),
    ];
    for (fixture, from, to) in cases {
        let ran = change(fixture, from, to);
        assert_eq!(ran.code, 0, "{fixture}: `{from}` -> `{to}`:\n{}", ran.out);
    }
}

/// A listener with two rules for the same requests, and their priorities.
fn listener(first: &str, second: &str) -> String {
    let rule = |name: &str, priority: &str, condition: &str| {
        format!(
            "resource \"aws_lb_listener_rule\" \"{name}\" {{\n  listener_arn = aws_lb_listener.a.arn\n  {priority}\n  condition \
             {{\n    {condition}\n  }}\n  action {{\n    type             = \"forward\"\n    target_group_arn = \
             \"arn:{name}\"\n  }}\n}}\n"
        )
    };
    let field = "field  = \"path-pattern\"\n    values = [\"/bc\"]";
    format!(
        "resource \"aws_lb_listener\" \"a\" {{\n  load_balancer_arn = \"arn:lb\"\n  port              = 80\n  default_action \
         {{\n    type             = \"forward\"\n    target_group_arn = \"arn:a\"\n  }}\n}}\n{}{}",
        rule("b", first, "path_pattern {\n      values = [\"/b*\"]\n    }"),
        rule("c", second, field),
    )
}

#[test]
fn the_priorities_of_rules_for_the_same_requests_count() {
    let ran = check(&listener("priority = 9", "priority = 5"), &listener("priority = 5", "priority = 9"));
    assert!(ran.code == 1 && ran.out.contains("route-changes") && ran.out.contains("/bc"), "{}", ran.out);
}

#[test]
fn rules_without_a_priority_may_come_anywhere() {
    let (lines, gaps) = model("input.tf", listener("priority = 5", "").into());
    let routes: Vec<&str> = lines.iter().filter(|line| line.contains("  if ")).map(|line| line.trim()).collect();
    assert_eq!(gaps, Vec::<String>::new());
    assert_eq!(
        routes,
        [
            "backend arn:b  if path /b*",
            "backend arn:c  if `aws_lb_listener_rule.c is asked before the others` and path /bc",
            "backend arn:c  if path /bc",
        ]
    );
}

#[test]
fn members_that_are_found_at_run_time_leave_a_group_open() {
    let (lines, _) = model(
        "input.tf",
        br#"variable "servers" { type = list(string) }
resource "scaleway_lb_backend" "a" {
  lb_id            = "lb-1"
  forward_protocol = "tcp"
  forward_port     = 80
  server_ips       = var.servers
}
resource "scaleway_lb_backend" "b" {
  lb_id            = "lb-1"
  forward_protocol = "tcp"
  forward_port     = 80
  server_ips       = [scaleway_instance_server.b.private_ip]
}
"#
        .to_vec(),
    );
    let told: Vec<&str> = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| line.contains("server ") || line.contains("servers:"))
        .collect();
    assert_eq!(
        told,
        [
            "server scaleway_instance_server.b.private_ip at scaleway_instance_server.b.private_ip port 80, checked",
            "more servers: `server_ips` has one of var.servers",
        ]
    );
}
