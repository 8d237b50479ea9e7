//! The search against requests that are walked one by one.

use super::search::compare;
use super::{Party, route};
use crate::model::{
    Condition, Configuration, Listener, Literal, Outcome, Paths, Protocol, Route, Store, Subject, Test,
};
use crate::net::{Family, Pattern, Request, Set, Spoken};
use crate::text::{SourceId, SourceMap, Span};
use proptest::prelude::*;

/// A condition in the making.
#[derive(Debug, Clone)]
enum Asked {
    Host(&'static str),
    PathPrefix(&'static str),
    PathEnd(&'static str),
    Expression(&'static str),
    Method(&'static str),
    Source(u32, u32),
    Opaque(u8),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

const HOSTS: &[&str] = &["a.example", "b.example", "c.b.example"];
const PATHS: &[&str] = &["/", "/a", "/a/b", "/a/b.php", "/b", "/b/a.php", "/ab"];
const METHODS: &[&str] = &["GET", "POST"];
const SOURCES: &[u32] = &[1, 5, 9, 200];

fn asked() -> impl Strategy<Value = Asked> {
    let leaf = prop_oneof![
        prop::sample::select(HOSTS).prop_map(Asked::Host),
        prop::sample::select(PATHS).prop_map(Asked::PathPrefix),
        prop::sample::select(&[".php", "b", "/a"][..]).prop_map(Asked::PathEnd),
        prop::sample::select(&["^/a(/|$)", r"\.php$", "b.a", "//", r"/\.\.?/", r"[^a-z0-9./_-]"][..])
            .prop_map(Asked::Expression),
        prop::sample::select(METHODS).prop_map(Asked::Method),
        (0_u32..10, 0_u32..10).prop_map(|(from, more)| Asked::Source(from, from + more)),
        (0_u8..2).prop_map(Asked::Opaque),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Asked::Not(Box::new(one))),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Asked::All),
            prop::collection::vec(inner, 1..3).prop_map(Asked::Any),
        ]
    })
}

fn condition(asked: &Asked, store: &mut Store) -> Condition {
    let text = |subject, pattern| Test::Text(subject, vec![pattern]);
    let test = match asked {
        Asked::Host(host) => text(Subject::Host, Pattern::exact(*host)),
        Asked::PathPrefix(path) => text(Subject::Path, Pattern::prefix(*path)),
        Asked::PathEnd(end) => text(Subject::Path, Pattern::suffix(*end)),
        Asked::Expression(regex) => text(Subject::Path, Pattern::regex(regex).expect("regular")),
        Asked::Method(method) => text(Subject::Method, Pattern::exact(*method)),
        Asked::Source(from, to) => Test::Source { ipv4: Set::range((*from).into(), (*to).into()), ipv6: Set::empty() },
        Asked::Opaque(number) => return Condition::Opaque(store.opaque(&format!("opaque {number}"))),
        Asked::Not(inner) => return condition(inner, store).negated(),
        Asked::All(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| condition(part, store)).collect();
            return Condition::all(parts);
        }
        Asked::Any(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| condition(part, store)).collect();
            return Condition::any(parts);
        }
    };
    Condition::Test(store.test(test))
}

fn listener(routes: &[(Asked, u8)], paths: Paths, source: SourceId, store: &mut Store) -> Listener {
    let at = |n: usize| {
        let n = u32::try_from(n).expect("small");
        Span { source, start: n, end: n + 1 }
    };
    let outcome = |n: u8| if n == 0 { Outcome::Refused("403".to_owned()) } else { Outcome::Backend(n.to_string()) };
    let routes = routes.iter().enumerate();
    let routes: Vec<Route> = routes
        .map(|(n, (asked, to))| Route { condition: condition(asked, store), outcome: outcome(*to), origin: at(n) })
        .collect();
    Listener {
        name: "www".to_owned(),
        protocol: Protocol::Http,
        endpoints: Vec::new(),
        paths,
        routes,
        otherwise: Outcome::Backend("1".to_owned()),
        otherwise_at: None,
        settings: String::new(),
        owner: None,
        origin: at(0),
    }
}

fn requests() -> Vec<Request> {
    let mut out = Vec::new();
    for host in HOSTS.iter().chain(&["d.example"]) {
        for path in PATHS.iter().chain(&["/c", "/a/b/c", "//a/../b", "/a%2Fb.php", "/a/..//b", "/..", "/%3Fb.php"]) {
            for method in METHODS {
                for source in SOURCES {
                    out.push(Request {
                        host: host.as_bytes().to_vec(),
                        path: path.as_bytes().to_vec(),
                        method: method.as_bytes().to_vec(),
                        source: (Family::Ipv4, (*source).into()),
                        ..Request::default()
                    });
                }
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every request that both sides decide differently is of a difference that names the two lines, and what is called
    /// a difference is one.
    #[test]
    fn the_search_finds_what_walking_finds(
        old in prop::collection::vec((asked(), 0_u8..3), 0..5),
        new in prop::collection::vec((asked(), 0_u8..3), 0..5),
        decoded in any::<bool>(),
    ) {
        let mut sources = SourceMap::default();
        let source = sources.add(b"x", vec![b'x'; 9]).expect("small");
        let mut store = Store::default();
        let how = if decoded { Paths::Nginx { merged: Condition::Always } } else { Paths::AsSent };
        let (old, new) =
            (listener(&old, how.clone(), source, &mut store), listener(&new, how, source, &mut store));
        let truths: Vec<_> = (0..2).map(|n| store.opaque(&format!("opaque {n}"))).collect();
        let nothing = Configuration::default();
        let (base, head) = (
            Party { configuration: &nothing, listener: &old },
            Party { configuration: &nothing, listener: &new },
        );
        let (deltas, complete) = compare(&store, base, head, Spoken::Http, None, &Family::ALL);
        prop_assert!(complete);
        for delta in &deltas {
            let was = route(&store, &old, &delta.witness, &delta.conditions).answer;
            let now = route(&store, &new, &delta.witness, &delta.conditions).answer;
            prop_assert_eq!((&was, &now), (&delta.base, &delta.head));
            prop_assert_ne!(&was.outcome, &now.outcome);
        }
        for request in requests() {
            for mask in 0..4_u8 {
                let assumed: Vec<Literal> = (0..).zip(&truths)
                    .map(|(n, opaque)| Literal { opaque: *opaque, holds: mask >> n & 1 == 1 })
                    .collect();
                let was = route(&store, &old, &request, &assumed).answer;
                let now = route(&store, &new, &request, &assumed).answer;
                let found = deltas.iter().any(|delta| (&delta.base, &delta.head) == (&was, &now));
                prop_assert!(was.outcome == now.outcome || found, "{} is not found", request);
            }
        }
    }
}
