//! How many hosts there are behind balancers in Terraform: where their number changes, the servers do.

use crate::cli::{Ran, portcullis};
use crate::folder::folder;

const POLICY: &str = "version: 1
configurations:
  lb: {files: [\"*.tf\"], format: terraform}
checks:
  - {check: unreadable}
  - {check: undefined-references}
  - {check: pool-capacity, minimum: 1, percent: 50}
";

fn check(old: &str, new: &str) -> Ran {
    let folder = folder(&[("policy.yaml", POLICY), ("old/main.tf", old), ("new/main.tf", new)]);
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

fn exoscale(size: u32) -> String {
    format!(
        "resource \"exoscale_nlb_service\" \"web\" {{\n  nlb_id = \"nlb-1\"\n  name = \"web\"\n  \
         instance_pool_id = exoscale_instance_pool.web.id\n  port = 443\n  target_port = 8443\n}}\n\
         resource \"exoscale_instance_pool\" \"web\" {{\n  name = \"web\"\n  size = {size}\n}}\n"
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

/// A scale set as it was once.
fn old_azure(size: u32) -> String {
    let text = azure(&format!("sku {{\n    capacity = {size}\n  }}"));
    text.replace("azurerm_linux_virtual", "azurerm_virtual").replace("network_interface {", "network_profile {")
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
    let cases: [(String, String, &[&str]); 18] = [
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
        (old_azure(2), old_azure(0), &[NONE, LOST]),
        (exoscale(2), exoscale(0), &[NONE, LOST]),
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

/// What is not followed to the servers that it makes is told.
#[test]
fn endpoints_that_are_not_computed_are_told() {
    for (kind, argument, from, to) in [
        ("google_compute_network_endpoint", "ip_address", "10.0.0.1", "10.0.0.2"),
        ("google_compute_network_endpoint_group", "default_port", "80", "81"),
        ("google_compute_instance_group_membership", "instance", "a", "b"),
        ("aws_globalaccelerator_endpoint_group", "traffic_dial_percentage", "100", "0"),
        ("aws_ec2_instance_state", "state", "running", "stopped"),
        ("aws_vpclattice_target_group_attachment", "target_group_identifier", "a", "b"),
    ] {
        let side = |value: &str| format!("resource \"{kind}\" \"web\" {{\n  {argument} = \"{value}\"\n}}\n");
        let ran = check(&side(from), &side(to));
        let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = flat.contains("what a load balancer does with requests is not computed");
        assert!(ran.code == 3 && told, "{kind}\n{}{}", ran.out, ran.talk);
    }
}

/// Services in Terraform are not computed: neither is how many pods they have. What else is said of those does not matter.
#[test]
fn replicas_in_terraform_are_told() {
    let deployment = |replicas: u32, image: &str| {
        format!(
            "resource \"kubernetes_deployment_v1\" \"web\" {{\n  spec {{\n    replicas = {replicas}\n    template {{\n      \
             spec {{\n        container {{\n          image = \"{image}\"\n        }}\n      }}\n    }}\n  }}\n}}\n"
        )
    };
    let ran = check(&deployment(2, "a"), &deployment(0, "a"));
    assert!(ran.code == 3 && ran.out.contains("not computed"), "{}{}", ran.out, ran.talk);
    let ran = check(&deployment(2, "a"), &deployment(2, "b"));
    assert!(ran.code == 0 && ran.out.contains("no semantic change"), "{}{}", ran.out, ran.talk);
}

/// Balancers in templates of CloudFormation are not computed: neither is what they lead to.
#[test]
fn sizes_in_templates_are_told() {
    let group = |size: u32| {
        format!(
            "AWSTemplateFormatVersion: \"2010-09-09\"\nResources:\n  G:\n    Type: AWS::AutoScaling::AutoScalingGroup\n    \
             Properties: {{MinSize: {size}, MaxSize: {size}, TargetGroupARNs: [arn:web]}}\n"
        )
    };
    let service = |size: u32| {
        format!(
            "AWSTemplateFormatVersion: \"2010-09-09\"\nResources:\n  S:\n    Type: AWS::ECS::Service\n    \
             Properties: {{DesiredCount: {size}, LoadBalancers: [{{TargetGroupArn: arn:web}}]}}\n"
        )
    };
    for (old, new) in [(group(2), group(0)), (service(2), service(0))] {
        let policy = POLICY.replace("*.tf", "*.yaml").replace("format: terraform", "format: cloudformation");
        let folder = folder(&[("policy.yaml", &policy), ("old/a.yaml", &old), ("new/a.yaml", &new)]);
        let arguments = ["check", "--old", "old", "--new", "new", "--policy", "policy.yaml"];
        let ran = portcullis(folder.path(), &[], &arguments);
        assert!(ran.code == 3 && ran.out.contains("is not computed"), "{new}\n{}{}", ran.out, ran.talk);
    }
}

#[test]
fn a_plan_tells_the_number_of_both_sides() {
    let group = |least: u32, most: u32, wanted: u32| {
        format!(
            "{{\"name\": \"web\", \"id\": \"web\", \"min_size\": {least}, \"max_size\": {most}, \
             \"desired_capacity\": {wanted}, \"target_group_arns\": [\"arn:tg/web\"]}}"
        )
    };
    let change = |address: &str, actions: &str, before: &str, after: &str| {
        let (kind, name) = address.split_once('.').expect("an address");
        format!(
            "{{\"address\": \"{address}\", \"mode\": \"managed\", \"type\": \"{kind}\", \"name\": \"{name}\", \"change\": \
             {{\"actions\": [\"{actions}\"], \"before\": {before}, \"after\": {after}, \"after_unknown\": {{}}, \
             \"before_sensitive\": {{}}, \"after_sensitive\": {{}}}}}}"
        )
    };
    let target =
        "{\"arn\": \"arn:tg/web\", \"id\": \"arn:tg/web\", \"name\": \"web\", \"port\": 80, \"protocol\": \"HTTP\"}";
    // The provider leaves what nobody wrote as it was: there are never more than the most.
    for (after, found) in [(group(0, 0, 1), "has no server; it needs 1"), (group(1, 2, 1), "no semantic change")] {
        let changes = [
            change("aws_lb_target_group.web", "no-op", target, target),
            change("aws_autoscaling_group.web", "update", &group(1, 2, 1), &after),
        ];
        let plan = format!(
            "{{\"format_version\": \"1.2\", \"terraform_version\": \"1.9.0\", \"resource_changes\": [{}]}}",
            changes.join(", ")
        );
        let folder = folder(&[("plan.json", &plan), ("policy.yaml", POLICY)]);
        let ran = portcullis(folder.path(), &[], &["check", "--plan", "plan.json", "--policy", "policy.yaml"]);
        assert!(ran.out.contains(found), "{found}:\n{}{}", ran.out, ran.talk);
    }
}

/// A scaler of another module or namespace is not that of a service.
#[test]
fn scalers_of_others_scale_nothing() {
    let by = |id: &str| {
        format!(
            "{}resource \"aws_appautoscaling_target\" \"other\" {{\n  service_namespace = \"dynamodb\"\n  \
             resource_id = \"{id}\"\n  min_capacity = 2\n  max_capacity = 5\n}}\n",
            service("")
        )
    };
    let used = by("service/main/web");
    for other in ["table/web", "service/edge/web", "service/main/webs"] {
        let ran = check(&used, &by(other));
        assert!(ran.code == 1 && ran.out.contains("has no server"), "{other}\n{}{}", ran.out, ran.talk);
    }
}

/// Where capacity is counted in units, and where hosts that are made are not let in, how many are asked for is told all the same.
#[test]
fn sizes_that_are_no_number_of_servers_are_told() {
    let weighted = |size: u32, weight: &str| {
        group(&format!(
            "min_size = {size}\n  max_size = {size}\n  mixed_instances_policy {{\n    launch_template {{\n      override {{\n        \
             weighted_capacity = {weight}\n      }}\n    }}\n  }}"
        ))
    };
    let ran = check(&weighted(12, "\"2\""), &weighted(2, "\"2\""));
    assert!(ran.code == 1 && ran.out.contains("loses 84 % of its capacity"), "{}{}", ran.out, ran.talk);
    let halted =
        |size: u32| group(&format!("min_size = {size}\n  max_size = {size}\n  suspended_processes = [\"Launch\"]"));
    for (old, new) in [(weighted(12, "var.size"), weighted(2, "var.size")), (halted(12), halted(2))] {
        let ran = check(&old, &new);
        assert!(ran.out.contains("backend aws_lb_target_group.web  changed"), "{new}\n{}{}", ran.out, ran.talk);
    }
}

/// A few lines put each of many groups behind each of many balancers: that is bounded, and said.
#[test]
fn hosts_of_all_groups_are_bounded() {
    let targets: Vec<String> = (0..500).map(|n| format!("\"arn:targetgroup/{n}\"")).collect();
    let many = format!(
        "resource \"aws_autoscaling_group\" \"web\" {{\n  min_size = 1000\n  max_size = 4000000000\n  \
         target_group_arns = [{}]\n}}\n",
        targets.join(", ")
    );
    let ran = check(&many, &many);
    assert!(ran.code == 3 && ran.out.contains("are not counted"), "{}{}", ran.out, ran.talk);
}

/// What puts hosts behind balancers in ways that are not followed is told when their number changes.
#[test]
fn fleets_that_are_not_followed_are_told() {
    let target = "target_group_arns = [aws_lb_target_group.web.arn]";
    let block = |name: &str, inner: &str| format!("{name} {{\n    {inner}\n  }}");
    for (kind, behind, size) in [
        ("aws_spot_fleet_request", target.to_owned(), "target_capacity = "),
        ("aws_ecs_task_set", block("load_balancer", "target_group_arn = aws_lb_target_group.web.arn"), "scale = "),
        ("oci_core_instance_pool", block("load_balancers", "backend_set_name = \"web\""), "size = "),
        ("yandex_compute_instance_group", block("load_balancer", "target_group_name = \"web\""), "scale_policy = "),
        ("alicloud_ess_scaling_group", "loadbalancer_ids = [\"web\"]".to_owned(), "max_size = "),
    ] {
        let side = |behind: &str, number: u32| {
            format!("{WEB}resource \"{kind}\" \"web\" {{\n  {behind}\n  {size}{number}\n}}\n")
        };
        let ran = check(&side(&behind, 2), &side(&behind, 0));
        let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("what a load balancer does with requests is not computed"), "{kind}\n{}", ran.out);
        // Those that stand behind nothing are nobody's.
        let ran = check(&side("", 2), &side("", 0));
        assert!(ran.out.contains("no semantic change"), "{kind}\n{}{}", ran.out, ran.talk);
    }
}

/// Target pools of Google, gateways of Azure and nodes of Kubernetes have hosts of groups as well.
#[test]
fn hosts_behind_what_is_not_computed_are_counted() {
    let pool = |size: u32| {
        format!(
            "resource \"google_compute_target_pool\" \"web\" {{\n  name = \"web\"\n}}\n\
             resource \"google_compute_instance_group_manager\" \"web\" {{\n  target_size = {size}\n  \
             target_pools = [google_compute_target_pool.web.self_link]\n}}\n"
        )
    };
    let gateway = |size: u32| {
        let text = azure(&format!("instances = {size}"));
        text.replace(
            "      load_balancer_backend_address_pool_ids = [azurerm_lb_backend_address_pool.web.id]",
            "      application_gateway_backend_address_pool_ids = [\"/gateway/web\"]",
        )
    };
    let nodes = |size: u32| {
        format!(
            "{WEB}resource \"aws_eks_node_group\" \"web\" {{\n  scaling_config {{\n    desired_size = {size}\n    \
             min_size = 0\n    max_size = 4\n  }}\n}}\n\
             resource \"aws_autoscaling_attachment\" \"web\" {{\n  \
             autoscaling_group_name = aws_eks_node_group.web.resources[0].autoscaling_groups[0].name\n  \
             lb_target_group_arn = aws_lb_target_group.web.arn\n}}\n"
        )
    };
    for (old, new) in [(pool(2), pool(0)), (gateway(2), gateway(0)), (nodes(2), nodes(0))] {
        let ran = check(&old, &new);
        assert!(ran.code == 1 && ran.out.contains("loses 100 % of"), "{new}\n{}{}", ran.out, ran.talk);
    }
}

/// What a plan says of a group that nobody wrote is what was so before: not where an attachment goes, or what is written says
/// otherwise.
#[test]
fn what_a_plan_only_remembers_attaches_nothing() {
    const TARGET: &str = "{\"arn\": \"arn:tg/web\", \"id\": \"arn:tg/web\", \"name\": \"web\", \"port\": 80}";
    const ATTACHMENT: &str =
        "{\"id\": \"x\", \"autoscaling_group_name\": \"web\", \"lb_target_group_arn\": \"arn:tg/web\", \"elb\": \"\"}";
    let group = |targets: &str| {
        format!(
            "{{\"name\": \"web\", \"id\": \"web\", \"min_size\": 2, \"max_size\": 2, \"target_group_arns\": [{targets}], \
             \"load_balancers\": [], \"traffic_source\": [{{\"identifier\": \"arn:tg/web\", \"type\": \"elbv2\"}}]}}"
        )
    };
    let change = |kind: &str, action: &str, before: &str, after: &str| {
        format!(
            "{{\"address\": \"{kind}.web\", \"mode\": \"managed\", \"type\": \"{kind}\", \"name\": \"web\", \"change\": \
             {{\"actions\": [\"{action}\"], \"before\": {before}, \"after\": {after}, \"after_unknown\": {{}}, \
             \"before_sensitive\": {{}}, \"after_sensitive\": {{}}}}}}"
        )
    };
    let web = group("\"arn:tg/web\"");
    let kept = change("aws_autoscaling_group", "no-op", &web, &web);
    let moved = change("aws_autoscaling_group", "update", &web, &group("\"arn:tg/other\""));
    let ended = change("aws_autoscaling_attachment", "delete", ATTACHMENT, "null");
    let stays = change("aws_autoscaling_attachment", "no-op", ATTACHMENT, ATTACHMENT);
    let forgotten = change("aws_autoscaling_attachment", "forget", ATTACHMENT, "null");
    let written = "{\"target_group_arns\": {}}";
    for (changes, configuration, found) in [
        ([&kept, &ended], "{}", "has no server; it needs 1"),
        ([&kept, &stays], "{}", "no semantic change"),
        ([&kept, &forgotten], "{}", "no semantic change"),
        ([&moved, &stays], written, "backend arn:tg/other  added"),
        ([&moved, &ended], written, "has no server; it needs 1"),
    ] {
        let plan = format!(
            "{{\"format_version\": \"1.2\", \"terraform_version\": \"1.9.0\", \"resource_changes\": [{}, {}, {}], \
             \"configuration\": {{\"root_module\": {{\"resources\": [{{\"address\": \"aws_autoscaling_group.web\", \
             \"expressions\": {configuration}}}]}}}}}}",
            change("aws_lb_target_group", "no-op", TARGET, TARGET),
            changes[0],
            changes[1]
        );
        let folder = folder(&[("plan.json", &plan), ("policy.yaml", POLICY)]);
        let ran = portcullis(folder.path(), &[], &["check", "--plan", "plan.json", "--policy", "policy.yaml"]);
        assert!(ran.out.contains(found), "{found}: {changes:?}\n{}{}", ran.out, ran.talk);
    }
}
