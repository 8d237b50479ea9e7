//! How many hosts there are behind balancers in Terraform: where their number changes, the servers do.

use crate::cli::{Ran, portcullis};
use tempfile::TempDir;

const POLICY: &str = "version: 1
configurations:
  lb: {files: [\"*.tf\"], format: terraform}
checks:
  - {check: unreadable}
  - {check: undefined-references}
  - {check: pool-capacity, minimum: 1, percent: 50}
";

fn check(old: &str, new: &str) -> Ran {
    let folder = TempDir::new().expect("a folder");
    for (path, text) in [("policy.yaml", POLICY), ("old/main.tf", old), ("new/main.tf", new)] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "policy.yaml"])
}

const WEB: &str = "variable \"size\" {}\n\
    resource \"aws_lb_target_group\" \"web\" {\n  port = 80\n  protocol = \"HTTP\"\n  vpc_id = \"vpc-1\"\n}\n";

/// A group of hosts behind it, with these arguments.
fn group(arguments: &str) -> String {
    format!(
        "{WEB}resource \"aws_autoscaling_group\" \"web\" {{\n  name = \"web\"\n  \
         target_group_arns = [aws_lb_target_group.web.arn]\n  {arguments}\n}}\n"
    )
}

/// A group that is put behind it by another resource.
fn attached(number: u32, attachment: &str) -> String {
    format!(
        "{WEB}resource \"aws_autoscaling_group\" \"web\" {{\n  name = \"web\"\n  min_size = 2\n  max_size = 2\n}}\n\
         resource \"{attachment}\n  count = {number}\n  autoscaling_group_name = aws_autoscaling_group.web.name\n}}\n"
    )
}

/// A service of ECS behind it.
fn service(arguments: &str) -> String {
    format!(
        "{WEB}resource \"aws_ecs_service\" \"web\" {{\n  name = \"web\"\n  cluster = \"main\"\n  {arguments}\n  \
         load_balancer {{\n    target_group_arn = aws_lb_target_group.web.arn\n    container_name = \"web\"\n    \
         container_port = 80\n  }}\n}}\n"
    )
}

const IGNORED: &str = "lifecycle {\n    ignore_changes = [desired_count]\n  }";

fn scaled(least: u32, most: u32) -> String {
    format!(
        "{}resource \"aws_appautoscaling_target\" \"web\" {{\n  service_namespace = \"ecs\"\n  \
         resource_id = \"service/main/${{aws_ecs_service.web.name}}\"\n  min_capacity = {least}\n  \
         max_capacity = {most}\n}}\n",
        service(IGNORED)
    )
}

fn google(size: &str) -> String {
    format!(
        "variable \"size\" {{}}\nresource \"google_compute_backend_service\" \"web\" {{\n  backend {{\n    \
         group = google_compute_instance_group_manager.web.instance_group\n  }}\n}}\n\
         resource \"google_compute_instance_group_manager\" \"web\" {{\n  name = \"web\"\n  {size}\n}}\n"
    )
}

fn azure(size: &str) -> String {
    format!(
        "variable \"size\" {{}}\nresource \"azurerm_lb_backend_address_pool\" \"web\" {{\n  \
         loadbalancer_id = \"lb-1\"\n  name = \"web\"\n}}\n\
         resource \"azurerm_lb_rule\" \"web\" {{\n  loadbalancer_id = \"lb-1\"\n  name = \"web\"\n  \
         protocol = \"Tcp\"\n  frontend_port = 443\n  backend_port = 443\n  \
         frontend_ip_configuration_name = \"public\"\n  \
         backend_address_pool_ids = [azurerm_lb_backend_address_pool.web.id]\n}}\n\
         resource \"azurerm_linux_virtual_machine_scale_set\" \"web\" {{\n  name = \"web\"\n  {size}\n  \
         network_interface {{\n    ip_configuration {{\n      \
         load_balancer_backend_address_pool_ids = [azurerm_lb_backend_address_pool.web.id]\n    }}\n  }}\n}}\n"
    )
}

#[test]
fn servers_that_go_with_their_number_are_told_and_found() {
    const NONE: &str = "has no server; it needs 1";
    const LOST: &str = "loses 100 % of its capacity";
    const DOUBT: &str = "has 0 servers in service for certain, 1 at best; it needs 1";
    let sizes = |least: u32, most: u32| group(&format!("min_size = {least}\n  max_size = {most}"));
    let attachment = "aws_autoscaling_attachment\" \"web\" {\n  lb_target_group_arn = aws_lb_target_group.web.arn";
    let traffic = "aws_autoscaling_traffic_source_attachment\" \"web\" {\n  traffic_source {\n    \
                   identifier = aws_lb_target_group.web.arn\n    type = \"elbv2\"\n  }";
    let cases: [(String, String, &[&str]); 16] = [
        (sizes(1, 2), sizes(0, 0), &[NONE, LOST]),
        (sizes(1, 2), sizes(0, 2), &[DOUBT, LOST]),
        (sizes(1, 2), group("min_size = var.size\n  max_size = 2"), &[DOUBT, LOST]),
        (
            group("min_size = 1\n  max_size = 4\n  desired_capacity = 4"),
            group("min_size = 1\n  max_size = 4\n  desired_capacity = 1"),
            &["loses 75 % of its capacity"],
        ),
        // More than there may be at most are taken away.
        (
            group("min_size = 1\n  max_size = 4\n  desired_capacity = 4"),
            group("min_size = 1\n  max_size = 1\n  desired_capacity = 4"),
            &["loses 75 % of its capacity"],
        ),
        (sizes(2, 2), group("min_size = 2\n  max_size = 2\n  suspended_processes = [\"Launch\"]"), &[DOUBT, LOST]),
        (attached(1, attachment), attached(0, attachment), &[NONE, LOST]),
        (attached(1, traffic), attached(0, traffic), &[NONE, LOST]),
        (service("desired_count = 2"), service("desired_count = 0"), &[NONE, LOST]),
        (service("desired_count = 2"), service(""), &[NONE, LOST]),
        (service("desired_count = 2"), service("desired_count = var.size"), &[DOUBT, LOST]),
        (service("desired_count = 2"), service(IGNORED), &[LOST]),
        (scaled(2, 4), scaled(0, 4), &[DOUBT, LOST]),
        (scaled(2, 4), scaled(0, 0), &[NONE, LOST]),
        (google("target_size = 2"), google("target_size = 0"), &[NONE, LOST]),
        (azure("instances = 2"), azure("instances = 0"), &[NONE, LOST]),
    ];
    for (old, new, found) in &cases {
        let ran = check(old, new);
        assert_eq!(ran.code, 1, "{new}\n{}{}", ran.out, ran.talk);
        for found in *found {
            assert!(ran.out.contains(found), "{found}:\n{new}\n{}", ran.out);
        }
        let ran = check(old, old);
        assert_eq!(ran.code, 0, "{old}\n{}{}", ran.out, ran.talk);
        assert!(ran.out.contains("no semantic change"), "{old}\n{}", ran.out);
    }
}

#[test]
fn what_else_decides_whether_hosts_are_there_is_told() {
    let both = "min_size = 2\n  max_size = 2";
    let units = |weight: u32| {
        group(&format!(
            "{both}\n  mixed_instances_policy {{\n    launch_template {{\n      override {{\n        \
             weighted_capacity = \"{weight}\"\n      }}\n    }}\n  }}"
        ))
    };
    let night = |size: u32| {
        format!(
            "{}resource \"aws_autoscaling_schedule\" \"night\" {{\n  \
             autoscaling_group_name = aws_autoscaling_group.web.name\n  desired_capacity = {size}\n  \
             recurrence = \"0 22 * * *\"\n}}\n",
            group(both)
        )
    };
    for (old, new) in [
        (group(both), group(both).replace("vpc-1", "vpc-2")),
        (group(both), group("min_size = 2\n  max_size = 3")),
        (group(both), group(&format!("{both}\n  suspended_processes = [\"AZRebalance\"]"))),
        (units(1), units(2)),
        (night(2), night(0)),
        (
            service("desired_count = 2"),
            service("desired_count = 2").replace("container_port = 80", "container_port = 81"),
        ),
        (scaled(2, 4), scaled(2, 5)),
        (service(&format!("scheduling_strategy = \"DAEMON\"\n  {IGNORED}")), service(IGNORED)),
    ] {
        let ran = check(&old, &new);
        assert!(ran.out.contains("backend aws_lb_target_group.web  changed"), "{new}\n{}{}", ran.out, ran.talk);
    }
}

/// What a resource says of a number whose changes are ignored is what was there once.
#[test]
fn a_number_that_is_not_managed_is_not_compared() {
    let ignored = |size: u32| {
        group(&format!(
            "min_size = 1\n  max_size = 4\n  desired_capacity = {size}\n  lifecycle {{\n    \
             ignore_changes = [desired_capacity]\n  }}"
        ))
    };
    for (old, new) in [
        (ignored(4), ignored(1)),
        (service(&format!("desired_count = 2\n  {IGNORED}")), service(&format!("desired_count = 0\n  {IGNORED}"))),
        (service(&format!("desired_count = 2\n  {IGNORED}")), service(IGNORED)),
    ] {
        let ran = check(&old, &new);
        assert!(ran.code == 0 && ran.out.contains("no semantic change"), "{new}\n{}{}", ran.out, ran.talk);
    }
}

/// Where nothing here leads to what hosts are put behind, they are told all the same.
#[test]
fn hosts_behind_balancers_of_others_are_told() {
    let group = |size: u32| {
        format!(
            "resource \"aws_autoscaling_group\" \"web\" {{\n  min_size = {size}\n  max_size = {size}\n  \
             target_group_arns = [\"arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/web/1\"]\n}}\n"
        )
    };
    let ran = check(&group(2), &group(0));
    assert!(ran.code == 1 && ran.out.contains("loses 100 % of"), "{}{}", ran.out, ran.talk);
}
