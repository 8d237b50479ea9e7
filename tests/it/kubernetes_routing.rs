//! Which Service gets a request, by the rules of Ingresses and of routes of the Gateway API: ours against the specifications,
//! written down naively once more.

use crate::tools::often;
use portcullis::diff::balancers::route;
use portcullis::formats::{self, Input};
use portcullis::model::{Listener, Literal, Outcome, Snapshot, Store};
use portcullis::net::Request;
use portcullis::text::SourceMap;
use proptest::prelude::*;
use std::cmp::Reverse;

fn read(text: &str) -> (Snapshot, Store) {
    let mut sources = SourceMap::default();
    let file = sources.add(b"k.yaml", text.as_bytes().to_vec()).expect("small");
    let mut store = Store::default();
    let input = Input { name: "k".into(), format: formats::format("kubernetes"), files: vec![file] };
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut store, None);
    assert!(snapshot.gaps().is_empty(), "{:?} in\n{text}", snapshot.gaps());
    (snapshot, store)
}

fn listener<'s>(snapshot: &'s Snapshot, name: &str) -> &'s Listener {
    let mut all = snapshot.configurations().iter().flat_map(|configuration| &configuration.listeners);
    all.find(|listener| listener.name == name).expect("it is there")
}

/// Where a request goes, if these conditions hold and no others: the name of the Service, or nothing.
fn ours(store: &mut Store, listener: &Listener, host: &str, path: &str, method: &str, holds: &[String]) -> String {
    let assumed: Vec<Literal> = holds.iter().map(|text| Literal { opaque: store.opaque(text), holds: true }).collect();
    let (host, path, method) = (host.into(), path.into(), method.into());
    let request = Request { host, path, method, ..Request::default() };
    match route(store, listener, &request, &assumed).answer.outcome {
        Outcome::Backend(name) => name.trim_start_matches("shop/").trim_end_matches(":80").to_owned(),
        Outcome::Refused(_) => String::new(),
        other @ (Outcome::Answered(_) | Outcome::Computed(_)) => format!("{other:?}"),
    }
}

const PATHS: &[&str] = &["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"];
const ASKED: &[&str] = &["/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/abc", "/a/bc", "/a/b/c", "/A", "/x"];
const NAMES: &[&str] = &["a.example", "x.a.example", "y.x.a.example", "b.example", "example", "X.A.EXAMPLE:8080"];

/// Elements of a path, of which a prefix has the first ones.
fn elements(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

fn name_of(host: &str) -> String {
    host.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

/// The paths of a host, each with whether it is exact; the Service is called by its number.
type Rules = Vec<(Option<&'static str>, &'static str, bool)>;

fn rules() -> impl Strategy<Value = Rules> {
    let hosts = vec![None, Some("a.example"), Some("*.a.example"), Some("x.a.example"), Some("*.example")];
    let rule = (prop::sample::select(hosts), prop::sample::select(PATHS), any::<bool>());
    prop::collection::vec(rule, 1..9).prop_map(|mut rules| {
        let key = |(host, path, exact): &(Option<&'static str>, &'static str, bool)| {
            (*host, if *exact { *path } else { path.trim_end_matches('/') }, *exact)
        };
        let mut seen = Vec::new();
        rules.retain(|rule| {
            !seen.contains(&key(rule)) && {
                seen.push(key(rule));
                true
            }
        });
        rules
    })
}

/// The Service that the specification of Ingresses names; whether the rules of less special hosts are asked, too, is up to the
/// controller.
fn by_ingress(rules: &Rules, host: &str, path: &str, goes_on: bool) -> String {
    let host = name_of(host);
    let kinds: [fn(&str, Option<&str>) -> bool; 3] = [
        |host, of| of == Some(host),
        |host, of| {
            let rest = host.split_once('.').map(|(_, rest)| rest);
            of.is_some_and(|of| of.strip_prefix("*.").is_some() && of.strip_prefix("*.") == rest)
        },
        |_, of| of.is_none(),
    ];
    for kind in kinds {
        let of_host: Vec<_> = rules.iter().enumerate().filter(|(_, (of, ..))| kind(&host, *of)).collect();
        let matching = of_host
            .iter()
            .filter(|(_, (_, of, exact))| if *exact { *of == path } else { elements(path).starts_with(&elements(of)) });
        let best = matching.max_by_key(|(_, (_, of, exact))| {
            let of = if *exact { of } else { of.trim_end_matches('/') };
            (of.len(), *exact)
        });
        match best {
            Some((number, _)) => return format!("s{number}"),
            None if !of_host.is_empty() && !goes_on => return String::new(),
            None => {}
        }
    }
    String::new()
}

fn ingress(rules: &Rules, class: &str) -> String {
    let rule = |(number, (host, path, exact)): (usize, &(Option<&str>, &str, bool))| {
        let host = host.map_or_else(String::new, |host| format!("host: \"{host}\", "));
        let kind = if *exact { "Exact" } else { "Prefix" };
        format!(
            "    - {{{host}http: {{paths: [{{path: {path}, pathType: {kind}, backend: {{service: {{name: s{number}, port: {{number: 80}}}}}}}}]}}}}\n"
        )
    };
    let rules: String = rules.iter().enumerate().map(rule).collect();
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i, namespace: shop}}\nspec:\n  ingressClassName: {class}\n  rules:\n{rules}"
    )
}

/// A match of a route: the path and whether it is exact, the method, whether there are conditions on two headers and on two
/// parameters.
#[derive(Debug, Clone)]
struct Match {
    path: &'static str,
    exact: bool,
    method: Option<&'static str>,
    headers: [bool; 2],
    queries: [bool; 2],
}

#[derive(Debug, Clone)]
struct Gateway {
    /// The hosts of its listeners, all of which are different.
    doors: Vec<Option<&'static str>>,
    /// Routes with their hosts and rules.
    routes: Vec<(Vec<&'static str>, Vec<Vec<Match>>)>,
}

const HOSTS: &[&str] = &["a.example", "*.a.example", "x.a.example", "*.example", "b.example"];

fn gateways() -> impl Strategy<Value = Gateway> {
    let some_host = || prop::option::of(prop::sample::select(HOSTS));
    let doors = prop::collection::btree_set(some_host(), 1..4).prop_map(|set| set.into_iter().collect());
    let of = (
        prop::sample::select(PATHS),
        any::<bool>(),
        prop::option::of(prop::sample::select(vec!["GET", "POST"])),
        any::<[bool; 2]>(),
        any::<[bool; 2]>(),
    );
    let of = of.prop_map(|(path, exact, method, headers, queries)| Match { path, exact, method, headers, queries });
    let rules = prop::collection::vec(prop::collection::vec(of, 1..3), 1..4);
    let hosts =
        prop::collection::btree_set(prop::sample::select(HOSTS), 0..3).prop_map(|set| set.into_iter().collect());
    (doors, prop::collection::vec((hosts, rules), 1..4)).prop_map(|(doors, routes)| Gateway { doors, routes })
}

fn manifests(gateway: &Gateway) -> String {
    let mut out = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: shop}\nspec:\n  gatewayClassName: c\n  listeners:\n".to_owned();
    for (number, host) in gateway.doors.iter().enumerate() {
        let host = host.map_or_else(String::new, |host| format!(", hostname: \"{host}\""));
        out += &format!("    - {{name: d{number}, port: 80, protocol: HTTP{host}}}\n");
    }
    for (number, (hosts, rules)) in gateway.routes.iter().enumerate() {
        let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
        out += &format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r{number}, namespace: shop}}\nspec:\n  parentRefs: [{{name: g}}]\n  hostnames: [{}]\n  rules:\n",
            hosts.join(", ")
        );
        for (rule, matches) in rules.iter().enumerate() {
            let one = |of: &Match| {
                let kind = if of.exact { "Exact" } else { "PathPrefix" };
                let method = of.method.map_or_else(String::new, |method| format!(", method: {method}"));
                let named = |names: [&str; 2], wanted: [bool; 2]| -> String {
                    let some = names.iter().zip(wanted).filter(|(_, wanted)| *wanted);
                    some.map(|(name, _)| format!("{{name: {name}, value: \"1\"}}")).collect::<Vec<_>>().join(", ")
                };
                let (headers, queries) = (named(["h", "k"], of.headers), named(["q", "r"], of.queries));
                format!(
                    "{{path: {{type: {kind}, value: {}}}{method}, headers: [{headers}], queryParams: [{queries}]}}",
                    of.path
                )
            };
            let matches: Vec<String> = matches.iter().map(one).collect();
            out += &format!(
                "    - matches: [{}]\n      backendRefs: [{{name: s{number}-{rule}, port: 80}}]\n",
                matches.join(", ")
            );
        }
    }
    out
}

/// "A match for `*.example.com` would match both `test.example.com`, and `foo.test.example.com`, but not `example.com`."
fn fits(host: &str, of: &str) -> bool {
    of.strip_prefix('*').map_or(host == of, |suffix| host.ends_with(suffix))
}

/// The Service that the Gateway API names.
fn by_gateway(
    gateway: &Gateway,
    host: &str,
    path: &str,
    method: &str,
    headers: [bool; 2],
    queries: [bool; 2],
) -> String {
    let host = name_of(host);
    let special = |of: Option<&str>| {
        let length = of.map_or(0, str::len);
        (if of.is_some_and(|of| !of.starts_with('*')) { length } else { 0 }, length)
    };
    let doors = gateway.doors.iter().copied().filter(|door| door.is_none_or(|door| fits(&host, door)));
    let Some(_) = doors.max_by_key(|door| special(*door)) else { return String::new() };
    let mut best: Option<(_, String)> = None;
    for (number, (hosts, rules)) in gateway.routes.iter().enumerate() {
        let mut of_route: Vec<Option<&str>> = hosts.iter().map(|of| Some(*of)).collect();
        if of_route.is_empty() {
            of_route.push(None);
        }
        // What is for a host of the route and for the listener is for both of them.
        for of_host in of_route.into_iter().filter(|of| of.is_none_or(|of| fits(&host, of))) {
            for (rule, matches) in rules.iter().enumerate() {
                for of in matches {
                    let fits_path =
                        if of.exact { of.path == path } else { elements(path).starts_with(&elements(of.path)) };
                    let all = |wanted: [bool; 2], given: [bool; 2]| wanted.iter().zip(given).all(|(w, g)| !w || g);
                    let fits_method = of.method.is_none_or(|wanted| wanted == method);
                    if !fits_path || !fits_method || !all(of.headers, headers) || !all(of.queries, queries) {
                        continue;
                    }
                    let count = |list: [bool; 2]| list.iter().filter(|wanted| **wanted).count();
                    let rank = (
                        special(of_host),
                        of.exact,
                        of.path.len(),
                        of.method.is_some(),
                        (count(of.headers), count(of.queries)),
                        Reverse(number),
                        Reverse(rule),
                    );
                    if best.as_ref().is_none_or(|(other, _)| *other < rank) {
                        best = Some((rank, format!("s{number}-{rule}")));
                    }
                }
            }
        }
    }
    best.map_or_else(String::new, |(_, name)| name)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: often(600), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ingresses_lead_where_their_specification_says(rules in rules()) {
        for class in ["nginx", "other"] {
            let (snapshot, mut store) = read(&ingress(&rules, class));
            let listener = listener(&snapshot, &format!("Ingress/{class}:80"));
            let stays = format!("the ingress controller of class {class} looks no further once a host has rules");
            for host in NAMES {
                for path in ASKED {
                    for goes_on in [false, true] {
                        if class == "nginx" && goes_on {
                            continue;
                        }
                        let holds = if goes_on { Vec::new() } else { vec![stays.clone()] };
                        let ours = ours(&mut store, listener, host, path, "GET", &holds);
                        let wanted = by_ingress(&rules, host, path, goes_on);
                        prop_assert_eq!(ours, wanted, "{} {} ({}, {})", host, path, class, goes_on);
                    }
                }
            }
        }
    }

    /// Of two routes that are alike the first one by name is taken for the older one.
    #[test]
    fn routes_of_gateways_lead_where_their_specification_says(gateway in gateways()) {
        let (snapshot, mut store) = read(&manifests(&gateway));
        let listener = listener(&snapshot, "Gateway/shop/g:80");
        let older = (0..gateway.routes.len())
            .map(|number| format!("HTTPRoute shop/r{number} is older than the others with matches like its own"));
        let older: Vec<String> = older.collect();
        let of = |bits: u32, low: u32| [bits & low != 0, bits & (low << 1) != 0];
        for (number, host) in NAMES.iter().enumerate() {
            for path in ASKED {
                for bits in 0..16_u32 {
                    let method = if (bits as usize + number).is_multiple_of(2) { "GET" } else { "POST" };
                    let (headers, queries) = (of(bits, 1), of(bits, 4));
                    let mut holds = older.clone();
                    let texts = ["header h is \"1\"", "header k is \"1\"", "query parameter q is \"1\"", "query parameter r is \"1\""];
                    let given = headers.into_iter().chain(queries);
                    holds.extend(texts.iter().zip(given).filter(|(_, given)| *given).map(|(text, _)| (*text).to_owned()));
                    let ours = ours(&mut store, listener, host, path, method, &holds);
                    let wanted = by_gateway(&gateway, host, path, method, headers, queries);
                    prop_assert_eq!(ours, wanted, "{} {} {} {:?} {:?}", method, host, path, headers, queries);
                }
            }
        }
    }
}

/// The tables of the documentation: "Path types", "Hostname wildcards".
#[test]
fn the_examples_of_the_documentation_come_out() {
    let table = [
        ("Prefix", "/", "/a/b", true),
        ("Exact", "/foo", "/foo", true),
        ("Exact", "/foo", "/bar", false),
        ("Exact", "/foo", "/foo/", false),
        ("Exact", "/foo/", "/foo", false),
        ("Prefix", "/foo", "/foo", true),
        ("Prefix", "/foo", "/foo/", true),
        ("Prefix", "/foo/", "/foo", true),
        ("Prefix", "/foo/", "/foo/", true),
        ("Prefix", "/aaa/bb", "/aaa/bbb", false),
        ("Prefix", "/aaa/bbb", "/aaa/bbb", true),
        ("Prefix", "/aaa/bbb/", "/aaa/bbb", true),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/", true),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/ccc", true),
        ("Prefix", "/aaa/bbb", "/aaa/bbbxyz", false),
    ];
    for (kind, path, asked, wanted) in table {
        let rules = vec![(Some("*.foo.com"), path, kind == "Exact")];
        let (snapshot, mut store) = read(&ingress(&rules, "nginx"));
        let listener = listener(&snapshot, "Ingress/nginx:80");
        let ours = |store: &mut Store, host: &str| ours(store, listener, host, asked, "GET", &[]) == "s0";
        assert_eq!(ours(&mut store, "bar.foo.com"), wanted, "{kind} {path} {asked}");
        assert!(!ours(&mut store, "baz.bar.foo.com") && !ours(&mut store, "foo.com"), "{kind} {path} {asked}");
    }
}
