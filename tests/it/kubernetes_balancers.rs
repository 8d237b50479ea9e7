//! Services, Ingresses and Gateways, from manifests to the verdict on a change.

use crate::cli::{Ran, portcullis};
use tempfile::TempDir;

/// A shop: two Deployments, their Services, and an Ingress with a certificate.
const SHOP: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: nginx
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /up, port: http}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  replicas: 4
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: 9000}]}
---
apiVersion: v1
kind: Secret
metadata: {name: shop-tls, namespace: shop}
type: kubernetes.io/tls
data: {tls.crt: AAAA, tls.key: AAAA}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  ingressClassName: edge
  tls: [{hosts: [shop.example], secretName: shop-tls}]
  rules:
    - host: shop.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: web, port: {number: 80}}}
          - path: /api
            pathType: Prefix
            backend: {service: {name: api, port: {number: 80}}}
"#;

fn check(checks: &str, old: &str, new: &str) -> Ran {
    let folder = TempDir::new().expect("a folder");
    let policy =
        format!("version: 1\nconfigurations:\n  k8s: {{files: [\"*.yaml\"], format: kubernetes}}\nchecks:\n{checks}");
    std::fs::write(folder.path().join("policy.yaml"), policy).expect("written");
    for (side, text) in [("old", old), ("new", new)] {
        std::fs::create_dir(folder.path().join(side)).expect("made");
        std::fs::write(folder.path().join(side).join("shop.yaml"), text).expect("written");
    }
    portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "policy.yaml"])
}

/// What a change of one text of the shop is judged to be.
fn change(check_: &str, from: &str, to: &str) -> Ran {
    assert!(SHOP.contains(from), "{from}");
    check(&format!("  - {{check: {check_}}}\n"), SHOP, &SHOP.replacen(from, to, 1))
}

#[track_caller]
fn blocked(ran: &Ran, with: &str) {
    assert_eq!(ran.code, 1, "{}", ran.out);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&ran.out).contains(with), "{}", ran.out);
}

/// A change as it is made: a path moves to another Service, whose pods answer something else.
#[test]
fn a_path_that_is_moved_to_another_service_reads_well() {
    let ran = change("route-changes", "path: /api\n", "path: /api/v1\n");
    assert_eq!(ran.code, 1, "{}", ran.out);
    let expected = "BLOCKED: 2 findings block, 1 configuration changed

blocked  route-changes
  `Ingress/edge:80` answers requests otherwise than before: host shop.example, path /api
  answered otherwise: 1 kind of request
    host shop.example, path /api
    request GET http://shop.example/api from 203.0.113.9 via ingress/edge:80
    base    goes to backend shop/api:80, shop.yaml:52:13
               52 |           - path: /api
                  |             ^^^^^^^^^^
    head    goes to backend shop/web:80, shop.yaml:49:13
               49 |           - path: /
                  |             ^^^^^^^
";
    let shown: Vec<&str> = ran.out.lines().take(13).collect();
    assert_eq!(shown, expected.lines().collect::<Vec<_>>(), "{}", ran.out);
}

#[test]
fn the_same_in_other_words_is_no_change() {
    let moved = SHOP.replace("path: /api\n", "path: /api/\n").replace("{number: 80}", "{\"number\": 80}");
    let mut parts: Vec<&str> = moved.split("---\n").collect();
    parts.reverse();
    let ran = check("  - {check: route-changes}\n  - {check: listener-changes}\n", SHOP, &parts.join("---\n"));
    assert_eq!((ran.code, ran.out.lines().next()), (0, Some("PASS: no finding, no semantic change")), "{}", ran.out);
}

#[test]
fn pods_that_are_taken_away_are_missed() {
    blocked(
        &change("pool-capacity", "replicas: 3", "replicas: 0"),
        "the backend `shop/web:80` has no server; it needs 1",
    );
    blocked(
        &change("pool-capacity", "replicas: 4", "replicas: 1"),
        "the backend `shop/api:80` loses 75 % of its capacity",
    );
    assert_eq!(change("pool-capacity", "replicas: 4", "replicas: 5").code, 0);
}

#[test]
fn a_selector_that_selects_nothing_is_told() {
    let ran = change("undefined-references", "{selector: {app: web}", "{selector: {app: wep}");
    blocked(&ran, "`k8s` uses the pods `app=wep in namespace shop`, and nothing declares it");
    let ran = change("pool-capacity", "{selector: {app: web}", "{selector: {app: wep}");
    blocked(&ran, "the backend `shop/web:80` has no server");
}

#[test]
fn services_and_ports_that_are_not_there_are_told() {
    let ran = change("undefined-references", "{name: api, port: {number: 80}}", "{name: apis, port: {number: 80}}");
    blocked(&ran, "`k8s` uses the Service `Service/shop/apis`, and nothing declares it");
    assert!(ran.out.contains("did you mean `Service/shop/api`?"), "{}", ran.out);
    let ran = change("undefined-references", "{name: api, port: {number: 80}}", "{name: api, port: {number: 81}}");
    blocked(&ran, "`k8s` uses the port `shop/api:81`, and nothing declares it");
    let ran = change("undefined-references", "targetPort: http}", "targetPort: https}");
    blocked(&ran, "`k8s` uses the port `https`, and nothing declares it");
    let ran = change("route-changes", "{name: api, port: {number: 80}}", "{name: api, port: {number: 81}}");
    blocked(&ran, "`Ingress/edge:443` refuses requests that were served: host shop.example, path");
}

#[test]
fn a_certificate_that_vanishes_is_missed() {
    let ran = change(
        "certificate-references",
        "type: kubernetes.io/tls\ndata: {tls.crt: AAAA, tls.key: AAAA}",
        "data: {a: AAAA}",
    );
    blocked(&ran, "`Ingress/edge:443` names the certificate `shop/shop-tls`, which is not in the inventory");
    assert_eq!(change("certificate-references", "replicas: 3", "replicas: 2").code, 0);
}

#[test]
fn tls_health_checks_and_listeners_that_are_lost_are_told() {
    let ran = change("listener-changes", "  tls: [{hosts: [shop.example], secretName: shop-tls}]\n", "");
    blocked(&ran, "`Ingress/edge:443`");
    let ran = change("health-checks", "          readinessProbe: {httpGet: {path: /up, port: http}}\n", "");
    blocked(&ran, "shop/web:80");
}

/// What clients may send is held against what they may reach, too.
#[test]
fn who_may_use_a_load_balancer_is_a_filter() {
    let service = |ranges: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: db}}\nspec:\n  type: LoadBalancer\n  loadBalancerIP: 203.0.113.7\n  \
             allocateLoadBalancerNodePorts: false\n  {ranges}\n  ports: [{{port: 5432}}]\n"
        )
    };
    let (shut, open) = (service("loadBalancerSourceRanges: [10.0.0.0/8]"), service("selector: {app: db}"));
    let exposed = "  - {check: exposed-ports, from: 203.0.113.0/24, services: [postgres]}\n";
    let ran = check(exposed, &shut, &open);
    blocked(&ran, "forbidden traffic can newly pass `k8s/listeners`");
    assert_eq!(check(exposed, &open, &shut).code, 0);
}

const GATEWAY: &str = r#"apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: example
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  hostnames: [shop.example]
  rules:
    - backendRefs: [{name: web, port: 80, weight: 9}, {name: api, port: 80, weight: 1}]
    - matches: [{path: {value: /api}}]
      backendRefs: [{name: api, port: 80}]
---
"#;

#[test]
fn routes_of_gateways_are_compared() {
    let old = format!("{GATEWAY}{SHOP}");
    let routes = "  - {check: route-changes, listeners: [\"Gateway/*\"]}\n";
    let ran = check(routes, &old, &old.replace("{value: /api}", "{value: /apis}"));
    blocked(&ran, "`Gateway/shop/edge:80` answers requests otherwise than before: host shop.example, path");
    let ran = check(routes, &old, &old.replace("hostnames: [shop.example]", "hostnames: [www.shop.example]"));
    blocked(&ran, "`Gateway/shop/edge:80` refuses requests that were served: host shop.example");
    // Another namespace needs leave to send requests to a Service.
    let ran = check(
        routes,
        &old,
        &old.replace("{name: api, port: 80}]\n---", "{name: api, namespace: other, port: 80}]\n---"),
    );
    blocked(&ran, "refuses requests that were served: host shop.example, path /api");
    let pool = "  - {check: pool-capacity, percent: 50, backends: [\"HTTPRoute*\"]}\n";
    assert_eq!(check(pool, &old, &old.replace("weight: 9", "weight: 1")).code, 0);
    // A door that takes no routes of the namespace.
    let closed = old.replace("protocol: HTTP}", "protocol: HTTP, allowedRoutes: {namespaces: {from: None}}}");
    blocked(&check(routes, &old, &closed), "refuses requests that were served: host shop.example");
}
