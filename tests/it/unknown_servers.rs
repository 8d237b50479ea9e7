//! Two backends of whose servers nothing is known are not the same because as little is known of both.

use portcullis::diff::{self, Change, ChangeKind};
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;

/// What becomes of a configuration if a piece of its text becomes another one.
fn change(format: &str, name: &str, text: &str, (from, to): (&str, &str)) -> ChangeKind {
    assert!(text.contains(from), "{text}");
    let mut sources = SourceMap::default();
    let mut side = |text: String| {
        let file = sources.add(name.as_bytes(), text.into_bytes()).expect("small");
        vec![Input { name: "lb".to_owned(), format: formats::format(format), files: vec![file] }]
    };
    let (base, head) = (side(text.to_owned()), side(text.replacen(from, to, 1)));
    let mut store = Store::default();
    let (base, memo, _) = formats::read(&base, &sources, &mut store, None);
    let (head, _, _) = formats::read(&head, &sources, &mut store, Some(&memo));
    let difference = diff::compare(&Change::new(base, head, store));
    difference.configurations.first().expect("one").change
}

#[track_caller]
fn differs(format: &str, name: &str, text: &str, other: (&str, &str)) {
    assert_eq!(change(format, name, text, other), ChangeKind::Changed, "{} to {}", other.0, other.1);
    assert_eq!(change(format, name, text, (other.0, other.0)), ChangeKind::Unchanged);
}

#[test]
fn services_whose_pods_are_elsewhere_are_not_the_same() {
    let text = |selector: &str| {
        let service = |name: &str| {
            let selector = selector.replace("NAME", name);
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
                 spec: {{{selector}ports: [{{port: 80}}]}}\n---\n"
            )
        };
        format!(
            "{}{}apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: way, namespace: shop}}\nspec:\n  \
             defaultBackend: {{service: {{name: red, port: {{number: 80}}}}}}\n",
            service("red"),
            service("blue")
        )
    };
    let other = ("service: {name: red", "service: {name: blue");
    // Pods that another tree declares, addresses that are written down elsewhere, and Services that are.
    differs("kubernetes", "shop.yaml", &text("selector: {app: NAME}, "), other);
    differs("kubernetes", "shop.yaml", &text(""), other);
    let alone = text("");
    let alone = alone.rsplit("---\n").next().expect("the Ingress");
    differs("kubernetes", "shop.yaml", alone, other);
}

#[test]
fn groups_of_nginx_whose_servers_are_in_files_are_not_the_same() {
    let text = "events {}\nhttp {\n  upstream red { zone red 64k; state /var/lib/nginx/red.conf; }\n  \
                upstream blue { zone blue 64k; state /var/lib/nginx/blue.conf; }\n  \
                server {\n    listen 80;\n    location / { proxy_pass http://red; }\n  }\n}\n";
    differs("nginx", "nginx.conf", text, ("http://red", "http://blue"));
    let looked_up = "events {}\nhttp {\n  resolver 192.0.2.53;\n  upstream red { zone red 64k; server red.example resolve; }\n  \
                     upstream blue { zone blue 64k; server blue.example resolve; }\n  \
                     server {\n    listen 80;\n    location / { proxy_pass http://red; }\n  }\n}\n";
    differs("nginx", "nginx.conf", looked_up, ("http://red", "http://blue"));
    let computed =
        "events {}\nhttp {\n  server {\n    listen 80;\n    location / { proxy_pass http://$arg_red; }\n  }\n}\n";
    differs("nginx", "nginx.conf", computed, ("$arg_red", "$arg_blue"));
}

#[test]
fn a_service_that_selects_other_pods_elsewhere_is_not_the_same() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\n\
                spec: {selector: {app: red}, ports: [{port: 80, targetPort: 8080}]}\n";
    differs("kubernetes", "k.yaml", text, ("app: red", "app: blue"));
    differs("kubernetes", "k.yaml", text, ("8080", "8081"));
    differs("kubernetes", "k.yaml", text, ("8080", "http"));
}

#[test]
fn backends_of_haproxy_whose_servers_are_looked_up_are_not_the_same() {
    let text = |servers: &str| {
        let backend = |name: &str| format!("backend {name}\n  {}\n", servers.replace("NAME", name));
        format!(
            "defaults\n  mode http\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\n\
             frontend way\n  bind :80\n  default_backend red\n{}{}",
            backend("red"),
            backend("blue")
        )
    };
    let other = ("default_backend red", "default_backend blue");
    differs("haproxy", "haproxy.cfg", &text("server-template web 3 NAME.example:80"), other);
    differs("haproxy", "haproxy.cfg", &text("server-template web 100000 NAME.example:80"), other);
    differs("haproxy", "haproxy.cfg", &text("server web \"${NAME}\":80"), other);
    let computed = text("server web 192.0.2.1:80").replace("default_backend red", "use_backend %[path,field(1,/)]");
    differs("haproxy", "haproxy.cfg", &computed, ("field(1,/)", "field(2,/)"));
}

#[test]
fn clusters_of_envoy_that_are_found_at_run_time_are_not_the_same() {
    let text = "static_resources:\n  clusters:\n  - {name: red, type: EDS, eds_cluster_config: {eds_config: {ads: {}}}}\n  \
                - {name: blue, type: EDS, eds_cluster_config: {eds_config: {ads: {}}}}\n  listeners:\n  \
                - name: way\n    address: {socket_address: {address: 0.0.0.0, port_value: 80}}\n    filter_chains:\n    \
                - filters:\n      - name: tcp\n        typed_config:\n          \
                \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n          \
                stat_prefix: way\n          cluster: red\n";
    differs("envoy", "envoy.yaml", text, ("cluster: red", "cluster: blue"));
}

#[test]
fn target_groups_that_stand_elsewhere_are_not_the_same() {
    let text = "variable \"red\" {}\nvariable \"blue\" {}\nresource \"aws_lb\" \"way\" {\n  name = \"way\"\n}\n\
                resource \"aws_lb_listener\" \"way\" {\n  load_balancer_arn = aws_lb.way.arn\n  port = 80\n  \
                protocol = \"HTTP\"\n  default_action {\n    type = \"forward\"\n    target_group_arn = var.red\n  }\n}\n";
    differs("terraform", "main.tf", text, ("= var.red", "= var.blue"));
}
