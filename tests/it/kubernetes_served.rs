//! ConfigMaps of ingress controllers: what they change is told, and what they may change of requests is judged. And what decides
//! whether there are pods.

use crate::cli::{Ran, portcullis};
use crate::folder::folder;

const POLICY: &str = "version: 1
configurations:
  lb: {files: [\"*.yaml\"], format: kubernetes}
checks:
  - {check: unreadable}
  - {check: route-changes}
  - {check: listener-changes}
  - {check: pool-capacity, minimum: 1, percent: 50}
";

const INGRESS: &str = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  ingressClassName: nginx
  tls: [{hosts: [shop.example], secretName: shop}]
  rules:
  - host: shop.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
";

const SHOP: &str = "apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {}}}
";

/// A ConfigMap of that metadata.
fn map(meta: &str, data: &str) -> String {
    format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{{meta}}}\ndata: {data}\n")
}

const CONTROLLER: &str = "name: ingress-nginx-controller, namespace: ingress-nginx";
const LABELLED: &str = "name: a, namespace: b, labels: {app.kubernetes.io/part-of: ingress-nginx}";

fn check(old: &str, new: &str) -> Ran {
    let folder = folder(&[("policy.yaml", POLICY), ("old/all.yaml", old), ("new/all.yaml", new)]);
    portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "policy.yaml"])
}

/// What becomes of a ConfigMap that changes beside an Ingress.
fn change(meta: &str, from: &str, to: &str) -> Ran {
    let side = |data: &str| format!("{INGRESS}---\n{SHOP}{}", map(meta, data));
    let same = check(&side(from), &side(from));
    assert!(same.out.contains("no semantic change"), "{from}\n{}{}", same.out, same.talk);
    check(&side(from), &side(to))
}

#[test]
fn what_a_config_map_changes_of_requests_is_judged() {
    const READ: &str = "reads ConfigMap/ingress-nginx/ingress-nginx-controller";
    for (from, to, found) in [
        ("{}", "{ssl-redirect: \"false\"}", "possibly answers requests otherwise"),
        ("{ssl-redirect: \"false\"}", "{force-ssl-redirect: \"true\"}", "possibly answers requests otherwise"),
        ("{}", "{whitelist-source-range: 10.0.0.0/8}", "possibly refuses requests that were served"),
        ("{whitelist-source-range: 10.0.0.0/8}", "{}", "newly served, possibly"),
        ("{whitelist-source-range: 10.0.0.0/8}", "{whitelist-source-range: 10.0.0.0/7}", "newly served, possibly"),
        ("{}", "{denylist-source-range: 10.0.0.0/8}", "possibly refuses requests that were served"),
        ("{}", "{global-auth-url: \"https://login.example/\"}", "possibly refuses requests that were served"),
    ] {
        let ran = change(CONTROLLER, from, to);
        let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(found), "{found}: {to}\n{}{}", ran.out, ran.talk);
        assert!(flat.contains(READ), "{to}\n{}{}", ran.out, ran.talk);
    }
}

#[test]
fn what_else_a_config_map_says_is_told() {
    let usual = "name: nginx-configuration, namespace: kube-system";
    for (meta, from, to, both) in [
        (CONTROLLER, "{proxy-body-size: 1m}", "{proxy-body-size: 8m}", ["1m", "8m"]),
        (usual, "{use-forwarded-headers: \"true\"}", "{use-forwarded-headers: \"false\"}", ["true", "false"]),
        (CONTROLLER, "{block-cidrs: 10.0.0.0/8}", "{block-cidrs: 10.0.0.0/9}", ["10.0.0.0/8", "10.0.0.0/9"]),
        // Of one that is known by its labels, or stands beside another one, nothing is taken to be so.
        (LABELLED, "{ssl-redirect: \"true\"}", "{ssl-redirect: \"false\"}", ["true", "false"]),
    ] {
        let ran = change(meta, from, to);
        let found = ran.out.contains("other settings differ") && both.iter().all(|text| ran.out.contains(text));
        assert!(found, "{to}\n{}{}", ran.out, ran.talk);
    }
    let two = |data: &str| format!("{INGRESS}---\n{SHOP}{}{}", map(CONTROLLER, data), map(usual, "{}"));
    let ran = check(&two("{}"), &two("{ssl-redirect: \"false\"}"));
    assert!(ran.out.contains("other settings differ") && !ran.out.contains("possibly"), "{}{}", ran.out, ran.talk);
    let headers = |value: &str| {
        let named = map(CONTROLLER, "{proxy-set-headers: edge/sent}");
        format!("{INGRESS}---\n{SHOP}{named}{}", map("name: sent, namespace: edge", &format!("{{X-Team: {value}}}")))
    };
    let ran = check(&headers("shop"), &headers("desk"));
    assert!(ran.out.contains("other settings differ"), "{}{}", ran.out, ran.talk);
}

#[test]
fn what_a_config_map_does_beyond_the_model_is_a_gap_or_not_answered() {
    for key in ["http-snippet", "location-snippet", "server-snippet", "enable-modsecurity"] {
        let ran = change(CONTROLLER, "{}", &format!("{{{key}: \"true\"}}"));
        assert!(ran.code == 3 && ran.out.contains("is not modelled"), "{key}\n{}{}", ran.out, ran.talk);
    }
    // The Ingresses stand elsewhere.
    let alone = |data: &str| format!("{SHOP}{}", map(CONTROLLER, data));
    let ran = check(&alone("{}"), &alone("{ssl-redirect: \"false\"}"));
    assert!(ran.code == 3 && ran.out.contains("is not computed"), "{}{}", ran.out, ran.talk);
    // Others are nobody's.
    let other = "name: app, namespace: shop";
    let ran = change(other, "{}", "{ssl-redirect: \"false\"}");
    assert!(ran.code == 0 && ran.out.contains("no semantic change"), "{}{}", ran.out, ran.talk);
}

#[test]
fn ports_of_config_maps_are_listeners() {
    let tcp = "name: tcp-services, namespace: ingress-nginx";
    let ran = change(tcp, "{\"9000\": \"shop/web:80\"}", "{}");
    assert!(ran.code == 1 && ran.out.contains("tcp-services:9000"), "{}{}", ran.out, ran.talk);
    let ran = change(tcp, "{\"9000\": \"shop/web:80\"}", "{\"9000\": \"shop/api:80\"}");
    assert!(ran.code != 0 && ran.out.contains("shop/api:80"), "{}{}", ran.out, ran.talk);
    let ran = change(tcp, "{\"9000\": \"shop/web:80\"}", "{\"9000\": \"shop/web:80:PROXY\"}");
    assert!(ran.out.contains("the PROXY protocol from clients is new"), "{}{}", ran.out, ran.talk);
    let udp = "name: udp-services, namespace: x";
    let ran = change(udp, "{\"53\": \"dns/dns:53\"}", "{}");
    assert!(ran.code == 1 && ran.out.contains("udp-services:53/udp"), "{}{}", ran.out, ran.talk);
    let ran = change(tcp, "{}", "{\"port\": \"shop/web:80\"}");
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.talk);
}

/// "The HPA stops adjusting the target": so many as nobody asks for.
#[test]
fn an_autoscaler_makes_no_pods_of_none() {
    let scaler = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: shop}\n\
                  spec: {minReplicas: 2, maxReplicas: 4, scaleTargetRef: {kind: Deployment, name: web}}\n";
    let old = format!("{SHOP}{scaler}");
    let ran = check(&old, &old.replace("replicas: 2", "replicas: 0"));
    assert!(ran.code == 1 && ran.out.contains("`shop/web:80` has no server"), "{}{}", ran.out, ran.talk);
}

#[test]
fn what_decides_whether_there_are_pods_is_told() {
    let service = SHOP.split("---\n").next().expect("the Service");
    let workload = |kind: &str, api: &str, spec: &str, pods: &str| {
        format!(
            "{service}---\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: web, namespace: shop}}\n\
             spec: {{{spec}template: {{metadata: {{labels: {{app: web}}}}, spec: {{{pods}}}}}}}\n"
        )
    };
    let job = |spec: &str| workload("Job", "batch/v1", spec, "");
    let machine = |how: &str| workload("VirtualMachine", "kubevirt.io/v1", how, "");
    for (old, new) in [
        (job(""), job("suspend: true, ")),
        (job("parallelism: 2, "), job("parallelism: 0, ")),
        (machine("running: true, "), machine("running: false, ")),
        (machine("runStrategy: Always, "), machine("runStrategy: Halted, ")),
    ] {
        let ran = check(&old, &new);
        assert!(ran.code == 1 && ran.out.contains("`shop/web:80` has no server"), "{new}\n{}{}", ran.out, ran.talk);
    }
    let everywhere = |pods: &str| workload("DaemonSet", "apps/v1", "", pods);
    let set = |pods: &str| workload("StatefulSet", "apps/v1", "", pods);
    let owned = |pods: &str| {
        set(pods).replace(
            "name: web, namespace: shop}\nspec: {template",
            "name: web, namespace: shop, ownerReferences: [{kind: Deployment, name: x}]}\nspec: {template",
        )
    };
    for (old, new) in [
        (everywhere(""), everywhere("nodeSelector: {none: \"true\"}")),
        (set(""), set("readinessGates: [{conditionType: shop.example/open}]")),
        (set("tolerations: [{key: edge}]"), set("")),
        (set(""), set("nodeName: none")),
        (set(""), set("schedulingGates: [{name: shop.example/wait}]")),
        (set(""), set("runtimeClassName: none")),
        // Something that made the workload does not hide where its pods run.
        (owned(""), owned("nodeSelector: {none: \"true\"}")),
    ] {
        let ran = check(&old, &new);
        assert!(ran.out.contains("other settings differ"), "{new}\n{}{}", ran.out, ran.talk);
    }
}

/// An Ingress of a class of which nothing is known may be served by the controller that reads the ConfigMap.
#[test]
fn what_a_config_map_changes_of_a_class_that_is_not_known_is_judged() {
    let unnamed = INGRESS.replace("  ingressClassName: nginx\n", "");
    let internal = INGRESS.replace("ingressClassName: nginx", "ingressClassName: internal");
    for ingress in [&unnamed, &internal] {
        let side = |data: &str| format!("{ingress}---\n{SHOP}{}", map(CONTROLLER, data));
        let ran = check(&side("{}"), &side("{whitelist-source-range: 10.0.0.0/8}"));
        let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = ran.code == 1 && flat.contains("possibly refuses requests that were served");
        assert!(found, "{ingress}\n{}{}", ran.out, ran.talk);
    }
}

/// What a Pod says of its maker is its name; a name that cannot be one is a gap.
#[test]
fn owners_are_called_by_words() {
    let pod = |owner: &str| {
        format!(
            "{}---\napiVersion: v1\nkind: Pod\nmetadata: {{name: web-1, namespace: shop, labels: {{app: web}}, \
             ownerReferences: [{{kind: ReplicaSet, name: {owner}}}]}}\nspec: {{}}\n",
            SHOP.split("---\n").next().expect("the Service")
        )
    };
    let ran = check(&pod("web"), &pod("web"));
    assert!(ran.code == 0 && ran.out.contains("no semantic change"), "{}{}", ran.out, ran.talk);
    let ran = check(&pod("web"), &pod("neverheardof web"));
    assert!(ran.code != 0 && ran.out.contains("names and namespaces are words"), "{}{}", ran.out, ran.talk);
}

/// A few lines put each of many workloads behind each of many Services: that is bounded, and said.
#[test]
fn pods_of_all_workloads_are_bounded() {
    let mut many = String::new();
    for n in 0..15 {
        many += &SHOP.replace("name: web", &format!("name: web{n}")).replace("replicas: 2", "replicas: 1000");
        many += "---\n";
    }
    let ran = check(&many, &many);
    assert!(ran.code != 0 && ran.out.contains("are not counted"), "{}{}", ran.out, ran.talk);
}
