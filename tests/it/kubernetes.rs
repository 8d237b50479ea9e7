//! Manifests of Kubernetes, from their text to the verdict on a change.

use crate::cli::{Ran, portcullis};
use std::path::Path;
use tempfile::TempDir;

/// Databases that nobody outside of the cluster may reach.
const EXPOSED: &str = "version: 1
configurations:
  k8s: {files: [\"**/*.yaml\"], format: kubernetes}
checks:
  - {check: exposed-ports, from: any, services: [postgres], except: [\"10.0.0.0/8\", \"100.64.0.0/10\", \"172.16.0.0/12\",
     \"192.168.0.0/16\", \"fc00::/7\"]}
";

const REFERENCES: &str = "version: 1
configurations: {k8s: {files: [\"**/*.yaml\"], format: kubernetes}}
checks: [{check: undefined-references}]
";

const DATABASE: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
        - name: postgres
          ports: [{name: postgres, containerPort: 5432}]
";

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: nginx}]
";

/// A policy for the database with that rule list, which begins on the same line.
fn policy(ingress: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: db, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: db}}}}
  ingress: {ingress}
"
    )
}

const SHUT: &str = "[{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]";

fn tree(parts: &[&str]) -> String {
    parts.join("---\n")
}

/// Judges a change of one file.
fn check(policy: &str, old: &str, new: &str) -> Ran {
    check_files(policy, &[("k8s.yaml", old)], &[("k8s.yaml", new)])
}

fn check_files(policy: &str, old: &[(&str, &str)], new: &[(&str, &str)]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    let write = |path: &Path, text: &str| {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write(&folder.path().join("policy.yaml"), policy);
    for (side, files) in [("old", old), ("new", new)] {
        for (name, text) in files {
            write(&folder.path().join(side).join(name), text);
        }
    }
    portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "policy.yaml"])
}

#[test]
fn pods_are_open_once_no_policy_selects_them() {
    let old = tree(&[WEB, DATABASE, &policy(SHUT)]);
    let ran = check(EXPOSED, &old, &tree(&[WEB, DATABASE]));
    assert_eq!(ran.code, 1, "{}", ran.out);
    let expected = "BLOCKED: 2 findings block, 1 configuration changed

blocked  exposed-ports
  forbidden traffic can newly pass `k8s/shop/db/ingress`: tcp 0.0.0.0/0 except
  10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16 -> any:5432
  packet  tcp 192.0.2.1:1024 -> 192.0.2.2:5432 new
  base    denies it, k8s.yaml:21:1  ingress (table shop/db)
             21 | apiVersion: networking.k8s.io/v1
  head    allows it, k8s.yaml:10:1  ingress (table shop/db)
             10 | apiVersion: apps/v1
";
    let shown: Vec<&str> = ran.out.lines().take(10).collect();
    assert_eq!(shown, expected.lines().collect::<Vec<_>>(), "{}", ran.out);
}

#[test]
fn pods_that_nobody_declares_are_open_without_their_policy_too() {
    let ran = check(EXPOSED, &policy(SHUT), WEB);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("`k8s/shop/(app=db)/ingress`"), "{}", ran.out);
}

#[test]
fn pods_that_nobody_protects_are_open_when_they_appear_and_shut_when_they_go() {
    assert_eq!(check(EXPOSED, WEB, &tree(&[WEB, DATABASE])).code, 1);
    assert_eq!(check(EXPOSED, &tree(&[WEB, DATABASE]), WEB).code, 0);
}

/// What is open, by the way in which it is written.
#[test]
fn what_is_open_is_found_however_it_is_written() {
    let old = tree(&[WEB, DATABASE, &policy(SHUT)]);
    for open in [
        "[{}]",
        "[null]",
        "[{from: []}]",
        "[{from: null, ports: null}]",
        "[{ports: [{port: 5432}]}]",
        "[{ports: [{port: postgres}]}]",
        "[{ports: [{port: 5000, endPort: 6000}]}]",
        "[{ports: [{protocol: TCP}]}]",
        "[{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]",
        "[{from: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}]",
        "[{from: [{ipBlock: {cidr: 128.0.0.0/1}}]}]",
        "[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]",
        "[{from: [{ipBlock: {cidr: \"::/1\"}}]}]",
        "[{from: [{ipBlock: {cidr: \"::/0\"}}], ports: [{port: 5432}]}]",
        "[{from: [{podSelector: {}}]}, {from: [{ipBlock: {cidr: 203.0.113.7/32}}]}]",
    ] {
        let ran = check(EXPOSED, &old, &tree(&[WEB, DATABASE, &policy(open)]));
        assert_eq!(ran.code, 1, "{open}: {}", ran.out);
        assert!(ran.out.contains("`k8s/shop/db/ingress`"), "{open}: {}", ran.out);
    }
}

#[test]
fn what_is_let_in_from_pods_is_not_let_in_from_outside() {
    let old = tree(&[WEB, DATABASE, &policy(SHUT)]);
    for shut in [
        SHUT,
        "[]",
        "[{from: [{podSelector: {}}]}]",
        "[{from: [{namespaceSelector: {}}]}]",
        "[{from: [{namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: x}}}]}]",
        "[{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]",
        "[{ports: [{port: 5433}]}]",
        "[{ports: [{port: 5432, protocol: UDP}]}]",
    ] {
        let ran = check(EXPOSED, &old, &tree(&[WEB, DATABASE, &policy(shut)]));
        assert_eq!(ran.code, 0, "{shut}: {}", ran.out);
    }
}

#[test]
fn what_the_api_server_refuses_is_undecided() {
    let old = tree(&[WEB, DATABASE, &policy(SHUT)]);
    for refused in [
        "[{from: [{}]}]",
        "[{from: [{podSelector: null}]}]",
        "[{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]",
        "[{from: [{ipBlock: {cidr: 10.0.0.1}}]}]",
        "[{from: [{ipBlock: {cidr: 10.0.0.0/08}}]}]",
        "[{from: [{ipBlock: {cidr: 010.0.0.0/8}}]}]",
        "[{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]}]",
        "[{from: [{podSelector: {matchLabels: {app: 5}}}]}]",
        "[{from: [{podSelector: {matchLabels: {app: yes}}}]}]",
        "[{from: [{podSelector: {matchExpressions: [{key: app, operator: in, values: [a]}]}}]}]",
        "[{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: []}]}}]}]",
        "[{form: [{podSelector: {}}]}]",
        "[{ports: [{port: 0}]}]",
        "[{ports: [{port: 65536}]}]",
        "[{ports: [{port: \"5432\"}]}]",
        "[{ports: [{port: 6000, endPort: 5000}]}]",
        "[{ports: [{port: 5432, protocol: tcp}]}]",
        "{from: []}",
    ] {
        let ran = check(EXPOSED, &old, &tree(&[WEB, DATABASE, &policy(refused)]));
        assert!([1, 3].contains(&ran.code) && ran.out.contains("on head"), "{refused}: {}", ran.out);
    }
}

#[test]
fn the_same_in_other_words_is_no_change() {
    let old = tree(&[
        WEB,
        DATABASE,
        &policy("[{from: [{podSelector: {matchLabels: {app: web}}}, {ipBlock: {cidr: 10.0.0.0/8}}]}]"),
    ]);
    let same = policy(
        "
    - from:
        - ipBlock: &low {cidr: 10.0.0.0/9}
        - ipBlock: {cidr: 10.128.0.0/9}
    - from:
        - podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}
        - ipBlock: {<<: *low}",
    );
    let files = [("policies/db.yaml", same.as_str()), ("pods/db.yaml", DATABASE), ("pods/web.yaml", WEB)];
    let ran = check_files(EXPOSED, &[("k8s.yaml", &old)], &files);
    assert_eq!((ran.code, ran.out.lines().next()), (0, Some("PASS: no finding, no semantic change")), "{}", ran.out);
    let as_json = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "db", "namespace": "shop"},
         "spec": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [
          {"podSelector": {"matchLabels": {"app": "web"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}}]}"#;
    let ran =
        check_files(EXPOSED, &[("k8s.yaml", &old)], &[("a.yaml", as_json), ("b.yaml", DATABASE), ("c.yaml", WEB)]);
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn what_stays_open_must_be_closed_by_a_policy() {
    let wanted = EXPOSED.split("checks:").next().expect("a part").to_owned()
        + "checks:\n  - {check: default-action, filters: [\"k8s/shop/*/ingress\"], must_be: deny}\n";
    let old = tree(&[WEB, DATABASE, &policy(SHUT)]);
    let ran = check(&wanted, &old, &tree(&[WEB, DATABASE]));
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("default-action"), "{}", ran.out);
}

#[test]
fn policies_are_counted_named_and_protected() {
    let with = |checks: &str| EXPOSED.split("checks:").next().expect("a part").to_owned() + "checks:\n" + checks;
    let old = tree(&[WEB, DATABASE, &policy(SHUT)]);
    let new = tree(&[WEB, DATABASE]);
    let limit = with("  - {check: deletion-limit, count: 0, kinds: [NetworkPolicy]}\n");
    let ran = check(&limit, &old, &new);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("removes 1 of 1 objects of the kind `NetworkPolicy`"), "{}", ran.out);
    assert_eq!(check(&limit, &old, &old).code, 0);
    let protected = with("  - {check: protected-rules, objects: [\"k8s/NetworkPolicy/shop/db\"]}\n");
    let ran = check(&protected, &old, &new);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("protected-rules"), "{}", ran.out);
    assert_eq!(check(&protected, &old, &old).code, 0);
}

#[test]
fn the_name_of_a_port_that_no_container_has_is_told() {
    let wanted =
        EXPOSED.split("checks:").next().expect("a part").to_owned() + "checks:\n  - {check: undefined-references}\n";
    let named = |name: &str| tree(&[WEB, DATABASE, &policy(&format!("[{{ports: [{{port: {name}}}]}}]"))]);
    let old = tree(&[WEB, DATABASE, &policy(SHUT)]);
    assert_eq!(check(&wanted, &old, &named("postgres")).code, 0);
    let ran = check(&wanted, &old, &named("postgre"));
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("`k8s` uses the port `postgre`, and nothing declares it"), "{}", ran.out);
    // Of pods that nobody declares, the ports are not known.
    assert_eq!(check(&wanted, &policy(SHUT), &policy("[{ports: [{port: postgre}]}]")).code, 0);
}

#[test]
fn sources_of_manifests_are_refused_with_what_to_do() {
    let chart = policy("[]").replace("name: db", "name: {{ .Values.name }}");
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [db.yaml]\n";
    for (source, hint) in [(chart.as_str(), "helm template"), (kustomization, "kustomize build")] {
        let ran = check(EXPOSED, &policy("[]"), source);
        assert!(ran.code == 3 || ran.code == 1, "{}", ran.out);
        assert!(ran.out.contains(hint), "{}", ran.out);
        assert_eq!(check(EXPOSED, source, source).code, 3);
    }
}

#[test]
fn policies_of_other_makers_are_undecided_and_routes_of_others_are_told() {
    let cilium =
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a}\nspec: {endpointSelector: {}}\n";
    let calico = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: a}\nspec: {order: 1}\n";
    for other in [cilium, calico] {
        let ran = check(EXPOSED, WEB, &tree(&[WEB, other]));
        assert_eq!(ran.code, 3, "{}", ran.out);
    }
    let route = |host: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: db}}\nspec: {{hosts: [{host}]}}\n"
        )
    };
    let ran = check(EXPOSED, &tree(&[WEB, &route("a")]), &tree(&[WEB, &route("b")]));
    let words: Vec<&str> = ran.out.split_whitespace().collect();
    assert!(words.join(" ").contains("which requests reach which pods is not computed"), "{}", ran.out);
}

/// One rule of a policy stands in the filters of all the workloads that the policy is for.
#[test]
fn a_rule_of_a_policy_counts_once_however_many_workloads_it_is_for() {
    let limit = EXPOSED.split("checks:").next().expect("a part").to_owned()
        + "checks:\n  - {check: deletion-limit, count: 1, kinds: [rule]}\n";
    let workloads: String =
        ["a", "b", "c"].iter().map(|name| DATABASE.replace("name: db,", &format!("name: {name},")) + "---\n").collect();
    let with = |rules: &str| format!("{workloads}{}", policy(rules));
    let web = "{from: [{podSelector: {matchLabels: {app: web}}}]}";
    let lan = "{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}";
    assert_eq!(check(&limit, &with(&format!("[{web}, {lan}]")), &with(&format!("[{lan}]"))).code, 0);
    let ran = check(&limit, &with(&format!("[{web}, {lan}]")), &with("[]"));
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("removes 2 of 2 objects of the kind `rule`"), "{}", ran.out);
}

#[test]
fn admin_policies_come_first_and_the_baseline_last() {
    let admin = |action: &str| {
        format!(
            "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {{name: first}}\nspec:\n  priority: 5\n  \
             subject: {{namespaces: {{}}}}\n  ingress: [{{action: {action}, from: [{{namespaces: {{}}}}]}}]\n"
        )
    };
    let policy = policy("[]");
    let critical = EXPOSED.split("checks:").next().expect("a part").to_owned()
        + "checks:\n  - {check: exposed-ports, from: 10.0.0.0/8, services: [postgres]}\n";
    let old = tree(&[DATABASE, &policy, &admin("Deny")]);
    assert_eq!(check(&critical, &old, &tree(&[DATABASE, &policy, &admin("Pass")])).code, 0, "the policy denies it");
    assert_eq!(check(&critical, &old, &tree(&[DATABASE, &policy, &admin("Allow")])).code, 1);
    let baseline = "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: default}\nspec:\n  \
                    subject: {namespaces: {}}\n  ingress: [{action: Deny, from: [{namespaces: {}}]}]\n";
    let shut = tree(&[DATABASE, &admin("Pass"), baseline]);
    assert_eq!(check(&critical, &shut, &tree(&[DATABASE, &admin("Pass")])).code, 1, "nothing denies it");
}

#[test]
fn what_is_secret_is_never_printed() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {all: aHVudGVyMg}}\ndata: {password: aHVudGVyMg}\nstringData:\n  \
                  other: hunter2\n";
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("a.yaml"), tree(&[secret, WEB])).expect("written");
    let ran = portcullis(folder.path(), &[], &["parse", "a.yaml"]);
    assert!(ran.out.contains("inert (not about packets)"), "{}", ran.out);
    assert!(!ran.out.contains("hunter2") && !ran.out.contains("aHVudGVyMg"), "{}", ran.out);
}

/// Policies that could all be for the same pods multiply one another, but not without end.
#[test]
fn many_policies_of_which_nobody_knows_the_pods_are_read_in_time() {
    let one =
        |n: usize| policy("[{}]").replace("name: db", &format!("name: p{n}")).replace("app: db", &format!("l{n}: x"));
    let policies: Vec<String> = (0..300).map(one).collect();
    let policies: Vec<&str> = policies.iter().map(String::as_str).collect();
    let ran = check(EXPOSED, &tree(&policies), &tree(&policies));
    assert_eq!(ran.code, 0, "{}", ran.out);
}

/// A policy for pods with that selector, which lets pods with the other one in.
fn between(pods: &str, peers: &str, port: u16) -> String {
    policy(&format!("[{{from: [{{podSelector: {peers}}}], ports: [{{port: {port}}}]}}]"))
        .replace("{matchLabels: {app: db}}", pods)
}

const DB: &str = "{matchLabels: {app: db}}";
const LABELLED: &str = "{matchLabels: {app: web, tier: front}}";

#[test]
fn a_selector_that_selects_more_is_a_change_also_where_the_tree_has_no_more() {
    let front = WEB.replace("{app: web}", "{app: web, tier: front}");
    let old = tree(&[&front, DATABASE, &between(DB, LABELLED, 5432)]);
    for peers in [
        "{matchLabels: {app: web}}",
        "{matchExpressions: [{key: app, operator: Exists}]}",
        "{matchExpressions: [{key: app, operator: In, values: [web, api]}, {key: tier, operator: In, values: [front]}]}",
        "{matchExpressions: [{key: app, operator: NotIn, values: [db]}]}",
    ] {
        let new = tree(&[&front, DATABASE, &between(DB, peers, 5432)]);
        let ran = check(REFERENCES, &old, &new);
        assert!(ran.out.contains("k8s/shop/db/ingress") && ran.out.contains("source has"), "{peers}: {}", ran.out);
    }
    let again = LABELLED.replace("app: web, tier: front", "tier: front, app: web");
    let ran = check(REFERENCES, &old, &tree(&[&front, DATABASE, &between(DB, &again, 5432)]));
    assert_eq!(ran.out.lines().next(), Some("PASS: no finding, no semantic change"), "{}", ran.out);
}

#[test]
fn a_policy_that_is_for_fewer_pods_opens_those_that_the_tree_does_not_have() {
    let replica = DATABASE.replace("{app: db}", "{app: db, role: main}");
    let old = tree(&[WEB, &replica, &between(DB, LABELLED, 5432)]);
    let narrow = "{matchLabels: {app: db, role: main}}";
    let ran = check(EXPOSED, &old, &tree(&[WEB, &replica, &between(narrow, LABELLED, 5432)]));
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("may newly be able to pass `k8s/shop/(app=db)/ingress`"), "{}", ran.out);
    let several = "{matchExpressions: [{key: app, operator: In, values: [db, cache]}]}";
    let wide = tree(&[WEB, DATABASE, &between(several, LABELLED, 5432)]);
    let ran = check(EXPOSED, &wide, &tree(&[WEB, DATABASE, &between(DB, LABELLED, 5432)]));
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("forbidden traffic can newly pass `k8s/shop/(app=cache)/ingress`"), "{}", ran.out);
}

#[test]
fn services_that_two_selectors_of_the_same_pods_exchange_are_a_change() {
    let front = WEB.replace("{app: web}", "{app: web, tier: front}");
    let two = |first: u16, second: u16| {
        let rule =
            |labels, port| format!("{{from: [{{podSelector: {{matchLabels: {labels}}}}}], ports: [{{port: {port}}}]}}");
        let rules = [rule("{app: web}", first), rule("{tier: front}", second)].join(", ");
        tree(&[&front, DATABASE, &policy(&format!("[{rules}]"))])
    };
    let ran = check(REFERENCES, &two(80, 81), &two(81, 80));
    assert!(ran.out.contains("tcp 10.0.0.0/8") && ran.out.contains("source has tier=front"), "{}", ran.out);
}

#[test]
fn pods_that_come_to_stand_in_the_tree_are_what_their_policy_had_made_of_them() {
    let (without, with) = (policy(SHUT), tree(&[DATABASE, &policy(SHUT)]));
    for (old, new) in [(&without, &with), (&with, &without)] {
        let ran = check(EXPOSED, old, new);
        assert!(ran.out.contains("shop/db") && !ran.out.contains("(app=db)"), "{}", ran.out);
    }
}

#[test]
fn what_policies_select_must_be_in_a_namespace_that_has_pods() {
    let missing = |tree: &str| {
        let ran = check(REFERENCES, "# nothing\n", tree);
        let uses = |line: &str| Some(line.trim().strip_prefix("`k8s` uses the ")?.to_owned());
        (ran.code, ran.out.lines().filter_map(uses).collect::<Vec<_>>())
    };
    let nothing = Vec::<String>::new();
    assert_eq!(missing(&tree(&[WEB, DATABASE, &policy(SHUT)])), (0, nothing.clone()));
    // Where the pods of a namespace are elsewhere, nobody knows.
    assert_eq!(missing(&policy(SHUT)), (0, nothing.clone()));
    let found = |what: &str| (1, vec![format!("{what}, and nothing declares it")]);
    assert_eq!(missing(&tree(&[WEB, &policy(SHUT)])), found("pods `app=db in namespace shop`"));
    assert_eq!(missing(&tree(&[DATABASE, &policy(SHUT)])), found("pods `app=web in namespace shop`"));
    let named = "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, podSelector: {matchLabels: {app: wbe}}}]}]";
    assert_eq!(missing(&tree(&[WEB, DATABASE, &policy(named)])), found("pods `app=wbe in namespace shop`"));
    let elsewhere = named.replace("name: shop", "name: monitoring");
    assert_eq!(missing(&tree(&[WEB, DATABASE, &policy(&elsewhere)])), (0, nothing));
    let space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let typo = policy("[]").replace("shop", "shpo");
    assert_eq!(missing(&tree(&[space, WEB, &typo])), found("Namespace `Namespace/shpo`"));
}
