//! Envoy's configuration: real files, damaged ones, and the order in which filter chains, hosts and routes are asked, beside
//! an evaluator that knows nothing of conditions.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use crate::corpus::{Real, real};
use crate::tools::often;
use portcullis::diff::balancers::route;
use portcullis::diff::{self, Change, ChangeKind, Difference};
use portcullis::formats::{self, Disposition, Input};
use portcullis::model::{Literal, Outcome, Snapshot, Store};
use portcullis::net::{Family, Request, Spoken};
use portcullis::text::SourceMap;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

fn read(texts: &[(&str, &[u8])], store: &mut Store, sources: &mut SourceMap) -> Snapshot {
    let add = |(name, text): &(&str, &[u8])| sources.add(name.as_bytes(), text.to_vec()).expect("small");
    let files = texts.iter().map(add).collect();
    let input = Input { name: "edge".into(), format: formats::format("envoy"), files };
    formats::read(&[input], sources, store, None).0
}

/// Every byte is accounted for, and what a file alone says is modelled. Lists of routes, clusters and so on that belong to one
/// configuration are read as one.
#[test]
fn real_configurations_are_read() {
    let Some(found) = real("envoy") else { return };
    let mut groups: BTreeMap<String, Vec<Real>> = BTreeMap::new();
    for file in found {
        let parts = [".listeners.yaml", ".routes.yaml", ".clusters.yaml", ".endpoints.yaml"];
        let name = parts.iter().find_map(|part| file.path.strip_suffix(part)).unwrap_or(&file.path).to_owned();
        groups.entry(name).or_default().push(file);
    }
    let (mut files, mut whole, mut listeners, mut routes, mut backends, mut servers) = (0, 0, 0, 0, 0, 0);
    let (mut notes, mut gaps): (BTreeMap<String, usize>, BTreeMap<String, usize>) = (BTreeMap::new(), BTreeMap::new());
    let mut wrong = Vec::new();
    for group in groups.values() {
        let mut sources = SourceMap::default();
        files += group.len();
        let texts: Vec<(&str, &[u8])> = group.iter().map(|file| (file.path.as_str(), &file.bytes[..])).collect();
        for (name, text) in &texts {
            let format = formats::format("envoy").expect("a format");
            // A list of nothing is of every format.
            if text.trim_ascii() != b"[]" && !format.recognises(name, text) {
                wrong.push(format!("{name} is not recognised"));
            }
        }
        let add = |(name, text): &(&str, &[u8])| sources.add(name.as_bytes(), text.to_vec()).expect("small");
        let inputs = texts.iter().map(add).collect();
        let input = Input { name: "edge".into(), format: formats::format("envoy"), files: inputs };
        let (snapshot, _, noted) = formats::read(&[input], &sources, &mut Store::default(), None);
        whole += if snapshot.gaps().is_empty() { group.len() } else { 0 };
        for configuration in snapshot.configurations() {
            listeners += configuration.listeners.len();
            routes += configuration.listeners.iter().map(|listener| listener.routes.len()).sum::<usize>();
            backends += configuration.backends.len();
            servers += configuration.backends.iter().map(|backend| backend.servers.len()).sum::<usize>();
        }
        for note in noted {
            let what = match note.disposition {
                Disposition::Modelled => continue,
                Disposition::Inert(why) => format!("inert: {why}"),
                Disposition::Opaque(what) => format!("opaque: {what}"),
            };
            *notes.entry(what).or_default() += 1;
        }
        for gap in snapshot.gaps() {
            if gap.reason == "not understood" || gap.reason.contains("a bug") {
                wrong.push(format!("{}: {}", sources.show(gap.origin), gap.reason));
            }
            let reason: String =
                gap.reason.split('`').enumerate().map(|(n, part)| if n % 2 == 0 { part } else { "…" }).collect();
            *gaps.entry(reason).or_default() += 1;
        }
    }
    let mut table = String::new();
    for (title, counts) in [("notes", &notes), ("gaps", &gaps)] {
        writeln!(table, "{title}: {}", counts.values().sum::<usize>()).expect("writing to a String");
        for (what, count) in counts {
            writeln!(table, "  {count:>5} {what}").expect("writing to a String");
        }
    }
    eprintln!(
        "{files} files, {whole} without a gap: {listeners} listeners, {routes} routes, {backends} backends, {servers} \
         servers\n{table}"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(whole * 100 >= files * 75, "{whole} of {files}");
}

/// Files with bytes and lines lost, doubled and swapped are read to the end.
#[test]
fn damaged_configurations_are_read() {
    let Some(found) = real("envoy") else { return };
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 11).expect("64 bits") % n.max(1)
    };
    for Real { path, bytes, .. } in found.iter().filter(|file| file.bytes.len() < 10_000) {
        for round in 0..8 {
            let mut text = bytes.clone();
            let at = below(text.len());
            match round % 4 {
                0 => drop(text.drain(at..(at + below(40)).min(text.len()))),
                1 => text.truncate(at),
                2 => text.insert(at, b"{}[]:-&*!|>'\"%@`\x00\xff\n "[below(20)]),
                _ => {
                    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                    let (one, other) = (below(lines.len()), below(lines.len()));
                    lines.swap(one, other);
                    text = lines.concat();
                }
            }
            read(&[(path, &text)], &mut Store::default(), &mut SourceMap::default());
        }
    }
}

/// A filter chain in the making.
#[derive(Debug, Clone)]
struct Chain {
    port: Option<u16>,
    names: Vec<&'static str>,
    transport: Option<&'static str>,
    sources: Vec<(u32, u8)>,
    hosts: Vec<Host>,
}

#[derive(Debug, Clone)]
struct Host {
    domains: Vec<&'static str>,
    routes: Vec<(Matcher, Option<&'static str>)>,
}

#[derive(Debug, Clone)]
enum Matcher {
    Prefix(&'static str, bool),
    Path(&'static str, bool),
    Separated(&'static str),
    Expression(&'static str),
}

const PORT: u16 = 8443;
const NAMES: &[&str] = &["a.example", "b.a.example", "*.a.example", "*.example", "c.example"];
const DOMAINS: &[&str] = &[
    "a.example",
    "b.a.example",
    "*.a.example",
    "*.example",
    "*-x.example",
    "a.*",
    "a.ex*",
    "b-*",
    "*",
    "A.example:8443",
];
const HOSTS: &[&str] = &[
    "a.example",
    "B.a.example",
    "c.b.a.example",
    ".example",
    "y-x.example",
    "-x.example",
    "a.org",
    "b-",
    "b-q",
    "a.example:8443",
];
const PATHS: &[&str] = &["/", "/a", "/a/", "/A/b", "/a/b", "/ab", "/b/12", "/b/1x"];
const SOURCES: &[u32] = &[0x0a00_0001, 0x0a01_0001, 0x0a01_0201, 0xc000_0201];

fn matcher() -> impl Strategy<Value = Matcher> {
    let path = || prop::sample::select(&["/", "/a", "/a/", "/a/b", "/b/"][..]);
    prop_oneof![
        (path(), any::<bool>()).prop_map(|(path, case)| Matcher::Prefix(path, case)),
        (path(), any::<bool>()).prop_map(|(path, case)| Matcher::Path(path, case)),
        prop::sample::select(&["/a", "/a/b", "/b"][..]).prop_map(Matcher::Separated),
        prop::sample::select(&["/b/[0-9]+", "/a.*", "a", "/(a|ab)"][..]).prop_map(Matcher::Expression),
    ]
}

fn host() -> impl Strategy<Value = Host> {
    let domains = prop::sample::subsequence(DOMAINS, 1..4);
    let method = prop::option::of(prop::sample::select(&["GET", "POST"][..]));
    (domains, prop::collection::vec((matcher(), method), 0..4)).prop_map(|(domains, routes)| Host { domains, routes })
}

fn chain() -> impl Strategy<Value = Chain> {
    (
        prop::option::weighted(0.3, prop::sample::select(&[PORT, 9000][..])),
        prop::sample::subsequence(NAMES, 0..3),
        prop::option::weighted(0.3, prop::sample::select(&["tls", "raw_buffer"][..])),
        prop::sample::subsequence(&[(0x0a00_0000_u32, 8_u8), (0x0a01_0000, 16), (0x0a01_0200, 24)][..], 0..3),
        prop::collection::vec(host(), 1..3),
    )
        .prop_map(|(port, names, transport, sources, hosts)| Chain { port, names, transport, sources, hosts })
}

/// The configuration as YAML. Every route leads to a cluster of its own: `c<chain>-<host>-<route>`.
fn written(chains: &[Chain]) -> String {
    let mut out = format!(
        "static_resources:\n  listeners:\n  - name: l\n    address: {{socket_address: {{address: 192.0.2.1, port_value: \
         {PORT}}}}}\n    filter_chains:\n"
    );
    let mut clusters = Vec::new();
    for (c, chain) in chains.iter().enumerate() {
        let Chain { port, names, transport, sources, hosts } = chain;
        let mut wanted = Vec::new();
        wanted.extend(port.map(|port| format!("destination_port: {port}")));
        wanted.extend(transport.map(|text| format!("transport_protocol: {text}")));
        if !names.is_empty() {
            wanted.push(format!("server_names: {names:?}"));
        }
        if !sources.is_empty() {
            let one = |(address, length): &(u32, u8)| {
                let address = std::net::Ipv4Addr::from(*address);
                format!("{{address_prefix: {address}, prefix_len: {length}}}")
            };
            wanted.push(format!("source_prefix_ranges: [{}]", sources.iter().map(one).collect::<Vec<_>>().join(", ")));
        }
        let mut list = Vec::new();
        for (h, host) in hosts.iter().enumerate() {
            let mut routes = Vec::new();
            for (r, (matcher, method)) in host.routes.iter().enumerate() {
                let case = |text: &str, case: bool| format!("{text}, case_sensitive: {case}");
                let path = match matcher {
                    Matcher::Prefix(path, sensitive) => case(&format!("prefix: {path}"), *sensitive),
                    Matcher::Path(path, sensitive) => case(&format!("path: {path}"), *sensitive),
                    Matcher::Separated(path) => format!("path_separated_prefix: {path}"),
                    Matcher::Expression(regex) => format!("safe_regex: {{regex: {regex:?}}}"),
                };
                let header = method.map_or_else(String::new, |method| {
                    format!(", headers: [{{name: \":method\", exact_match: {method}}}]")
                });
                routes.push(format!("{{match: {{{path}{header}}}, route: {{cluster: c{c}-{h}-{r}}}}}"));
                clusters.push(format!("c{c}-{h}-{r}"));
            }
            list.push(format!("{{name: h{h}, domains: {:?}, routes: [{}]}}", host.domains, routes.join(", ")));
        }
        let _ = write!(
            out,
            "    - filter_chain_match: {{{}}}\n      filters:\n      - name: \
             envoy.filters.network.http_connection_manager\n        typed_config: {{route_config: {{virtual_hosts: \
             [{}]}}}}\n",
            wanted.join(", "),
            list.join(", ")
        );
    }
    out.push_str("  clusters:\n");
    for name in clusters {
        let _ = writeln!(out, "  - {{name: {name}, type: EDS}}");
    }
    out
}

/// What a connection is: its server name (nothing without TLS), whether it begins with TLS, its source.
struct Connection<'a> {
    name: &'a str,
    tls: bool,
    source: u32,
}

/// How specifically a chain asks for what is there: 0 for nothing, `None` for something else.
type Step<'a> = &'a dyn Fn(&Chain) -> Option<usize>;

/// The chain that is left when, step by step, only those stay that ask most specifically for what is there.
fn chosen(chains: &[Chain], connection: &Connection<'_>) -> Option<usize> {
    let mut left: Vec<usize> = (0..chains.len()).collect();
    let steps: [Step<'_>; 4] = [
        &|chain| match chain.port {
            None => Some(0),
            Some(port) => (port == PORT).then_some(1),
        },
        &|chain| {
            if chain.names.is_empty() {
                return Some(0);
            }
            let fits = |name: &&&str| match name.strip_prefix('*') {
                Some(end) => connection.name.ends_with(end) && connection.name.len() > end.len(),
                None => **name == connection.name,
            };
            let specific = |name: &&str| if name.starts_with('*') { name.len() } else { 1000 };
            chain.names.iter().filter(fits).map(specific).max()
        },
        &|chain| match chain.transport {
            None => Some(0),
            Some(kind) => ((kind == "tls") == connection.tls).then_some(1),
        },
        &|chain| {
            if chain.sources.is_empty() {
                return Some(0);
            }
            let fits = |(address, length): &&(u32, u8)| (connection.source ^ address) >> (32 - length) == 0;
            chain.sources.iter().filter(fits).map(|(_, length)| usize::from(*length)).max()
        },
    ];
    for step in steps {
        let best = left.iter().filter_map(|n| step(&chains[*n])).max()?;
        left.retain(|n| step(&chains[*n]) == Some(best));
    }
    left.first().copied()
}

/// What becomes of a request in a chain.
fn answered(number: usize, chain: &Chain, host: &str, path: &str, method: &str) -> String {
    let host = host.to_ascii_lowercase();
    let mut best: Option<((u8, usize), usize)> = None;
    for (h, candidate) in chain.hosts.iter().enumerate() {
        for domain in &candidate.domains {
            let domain = domain.to_ascii_lowercase();
            let rank = if domain == "*" {
                Some((0, 0))
            } else if let Some(end) = domain.strip_prefix('*') {
                (host.ends_with(end) && host.len() > end.len()).then_some((2, domain.len()))
            } else if let Some(start) = domain.strip_suffix('*') {
                (host.starts_with(start) && host.len() > start.len()).then_some((1, domain.len()))
            } else {
                (domain == host).then_some((3, 0))
            };
            if let Some(rank) = rank
                && best.is_none_or(|(other, _)| rank > other)
            {
                best = Some((rank, h));
            }
        }
    }
    let Some((_, h)) = best else { return "404: no virtual host".to_owned() };
    for (r, (matcher, wanted)) in chain.hosts[h].routes.iter().enumerate() {
        let same = |text: &str, case: bool| if case { text.to_owned() } else { text.to_ascii_lowercase() };
        let fits = match matcher {
            Matcher::Prefix(prefix, case) => same(path, *case).starts_with(&same(prefix, *case)),
            Matcher::Path(other, case) => same(path, *case) == same(other, *case),
            Matcher::Separated(prefix) => {
                path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Matcher::Expression(regex) => {
                let whole = regex::Regex::new(regex).expect("an expression");
                whole.find_iter(path).any(|found| found.range() == (0..path.len()))
                    || regex::Regex::new(&format!("^(?:{regex})$")).expect("an expression").is_match(path)
            }
        };
        if fits && wanted.is_none_or(|wanted| wanted == method) {
            return format!("c{number}-{h}-{r}");
        }
    }
    "404: no route".to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(often(160)))]

    /// The chain, the host and the route of every request are those that the evaluator finds.
    #[test]
    fn precedence_is_that_of_the_documentation(chains in prop::collection::vec(chain(), 1..5)) {
        let text = written(&chains);
        let (mut store, mut sources) = (Store::default(), SourceMap::default());
        let snapshot = read(&[("envoy.yaml", text.as_bytes())], &mut store, &mut sources);
        // Domains that stand twice and chains that ask for the same are refused.
        prop_assume!(snapshot.gaps().is_empty());
        let listener = &snapshot.configurations()[0].listeners[0];
        let tls = store.opaque("the client begins with TLS");
        let mut mixed = false;
        for route in &listener.routes {
            route.condition.visit(&mut |_| {}, &mut |opaque| mixed |= opaque == tls);
        }
        for name in ["a.example", "b.a.example", "c.b.a.example", "x.example", "example", ""] {
            for holds in [true, false] {
                if !holds && (!mixed || !name.is_empty()) {
                    continue;
                }
                for source in SOURCES {
                    let connection = Connection { name, tls: holds, source: *source };
                    let met = chosen(&chains, &connection);
                    for (n, host) in HOSTS.iter().enumerate() {
                        for p in ((n + name.len()) % 4..PATHS.len()).step_by(4) {
                            let (path, method) = (PATHS[p], ["GET", "POST", "PUT"][(p + n) % 3]);
                            let request = Request {
                                what: Spoken::Https,
                                method: method.as_bytes().to_vec(),
                                host: host.as_bytes().to_vec(),
                                path: path.as_bytes().to_vec(),
                                server_name: Some(name.as_bytes().to_vec()),
                                source: (Family::Ipv4, (*source).into()),
                                ..Request::default()
                            };
                            let found = route(&store, listener, &request, &[Literal { opaque: tls, holds }]).answer.outcome;
                            let found = match found {
                                Outcome::Backend(name) | Outcome::Refused(name) => name,
                                Outcome::Answered(how) | Outcome::Computed(how) => how,
                            };
                            let expected = met.map_or_else(
                                || "no filter chain fits".to_owned(),
                                |n| answered(n, &chains[n], host, path, method),
                            );
                            prop_assert_eq!(found, expected, "{} {} sni {:?} from {:x}\n{}", method, path, name, source, text);
                        }
                    }
                }
            }
        }
    }
}

/// What becomes of a configuration that is changed.
fn compared(old: &str, new: &str) -> (Difference, Vec<String>) {
    let (mut store, mut sources) = (Store::default(), SourceMap::default());
    let base = read(&[("envoy.yaml", old.as_bytes())], &mut store, &mut sources);
    let head = read(&[("envoy.yaml", new.as_bytes())], &mut store, &mut sources);
    let gaps = head.gaps().iter().map(|gap| gap.reason.clone()).collect();
    (diff::compare(&Change::new(base, head, store)), gaps)
}

const SHOP: &str = r#"
static_resources:
  listeners:
  - name: shop
    address: {socket_address: {address: 203.0.113.7, port_value: 443}}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context: {tls_certificates: [{certificate_chain: {filename: shop.pem}, private_key: {filename: shop.key}}]}
      filters:
      - name: manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: shop
          use_remote_address: true
          route_config:
            virtual_hosts:
            - name: shop
              domains: [shop.example]
              routes:
              - match: {path_separated_prefix: /api}
                route: {cluster: api}
              - match: {prefix: /}
                route: {cluster: web}
          http_filters:
          - name: access
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                action: DENY
                policies:
                  intern: {permissions: [{url_path: {path: {prefix: /intern}}}], principals: [{not_id: {remote_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}}]}
          - name: code
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
              default_source_code: {inline_string: "function envoy_on_request(h) end"}
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: api
    load_assignment: {cluster_name: api, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}}]}]}
  - name: web
    health_checks: [{timeout: 1s, interval: 1s, tcp_health_check: {}}]
    load_assignment: {cluster_name: web, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.2, port_value: 80}}}}]}]}
"#;

#[test]
fn a_change_of_anything_that_decides_is_a_difference() {
    let requests = |difference: &Difference| -> Vec<String> {
        let listeners = difference.configurations.iter().flat_map(|c| &c.balancers.listeners);
        listeners.flat_map(|listener| &listener.requests).map(|delta| delta.witness.to_string()).collect()
    };
    for (from, to, witness) in [
        ("path_separated_prefix: /api", "path_separated_prefix: /apis", Some("/api")),
        ("route: {cluster: web}", "route: {cluster: api}", Some("/")),
        ("domains: [shop.example]", "domains: [shop.example, \"*.shop.example\"]", Some("shop.example/")),
        ("{prefix: /intern}", "{prefix: /internal}", Some("/intern")),
        ("prefix_len: 8", "prefix_len: 9", Some("/intern")),
        ("action: DENY", "action: ALLOW", Some("/")),
        ("function envoy_on_request(h) end", "function envoy_on_request(h) h:respond() end", Some("/")),
        ("route: {cluster: web}", "redirect: {path_redirect: /closed}", Some("/")),
        ("shop.pem", "other.pem", None),
        ("10.0.0.2", "10.0.0.3", None),
        ("tcp_health_check", "http_health_check", None),
        ("port_value: 443", "port_value: 444", None),
    ] {
        assert!(SHOP.contains(from), "{from}");
        let (difference, gaps) = compared(SHOP, &SHOP.replacen(from, to, 1));
        assert_eq!(gaps, Vec::<String>::new(), "{to}");
        assert_eq!(difference.configurations[0].change, ChangeKind::Changed, "{from} -> {to}");
        let found = requests(&difference);
        if let Some(witness) = witness {
            assert!(found.iter().any(|request| request.contains(witness)), "{from} -> {to}: {found:?}");
        }
    }
    let shuffled = SHOP.replace("name: shop\n              domains", "name: other\n              domains");
    assert_ne!(compared(SHOP, &shuffled).0.configurations[0].change, ChangeKind::Changed);
}

#[test]
fn what_is_not_there_or_not_in_the_file_is_a_gap() {
    let gaps = |from: &str, to: &str| compared(SHOP, &SHOP.replacen(from, to, 1)).1;
    assert_eq!(gaps("route: {cluster: web}", "route: {cluster: wed}"), ["Envoy refuses it: there is no cluster `wed`"]);
    assert_eq!(
        gaps("route_config:", "rds: {route_config_name: r}\n          old:"),
        ["the routes `r` are not in the file: they are read at run time", "the field `old` is not known here"]
    );
    assert_eq!(
        gaps("filters.http.lua.v3.Lua", "filters.http.acme.v3.Acme"),
        ["the filter `code` is not known here: what it decides is not known"]
    );
    assert_eq!(
        gaps("domains: [shop.example]", "domains: [shop.example, Shop.example]"),
        ["Envoy refuses it: the domain shop.example stands twice"]
    );
    let dynamic = "dynamic_resources: {cds_config: {ads: {}}}\nstatic_resources:";
    assert_eq!(gaps("static_resources:", dynamic), ["clusters that are read at run time are not in the file"]);
}
