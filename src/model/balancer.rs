use super::paths::Paths;
use super::rule::OpaqueId;
use crate::net::{Family, Pattern, Request, Set, Texts};
use crate::text::Span;
use std::fmt;
use std::sync::Arc;

/// The name of the table, the chain and the filter of the packets that listeners take.
pub const LISTENERS: &str = "listeners";

/// A condition that requests are asked, in the [`super::Store`]. Equal conditions are equal numbers, on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TestId(pub(super) u32);

/// What a test looks at in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The host that it asks for, as the header says it: with its port, if one is there.
    Host,
    /// The name of that host, without port and last dot.
    HostName,
    /// The path, without what follows a question mark.
    Path,
    /// What follows the question mark.
    Query,
    /// The method.
    Method,
    /// The server name of the TLS handshake.
    ServerName,
    /// The address that it comes from.
    Source,
}

impl Subject {
    /// All of them, in the order in which requests read.
    pub const ALL: [Self; 7] =
        [Self::Method, Self::ServerName, Self::Host, Self::HostName, Self::Path, Self::Query, Self::Source];

    /// Which texts it can be.
    #[must_use]
    pub const fn texts(self) -> Texts {
        match self {
            Self::Host | Self::HostName | Self::ServerName => Texts::Hosts,
            Self::Path => Texts::Paths,
            Self::Method => Texts::Methods,
            Self::Query | Self::Source => Texts::Any,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host | Self::HostName => "host",
            Self::Path => "path",
            Self::Query => "query",
            Self::Method => "method",
            Self::ServerName => "server name",
            Self::Source => "source",
        })
    }
}

/// One question to a request; its answer is yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// One of the patterns matches that part of it (not [`Subject::Source`]).
    Text(Subject, Vec<Pattern>),
    /// It comes from one of these addresses.
    Source {
        /// IPv4.
        ipv4: Set,
        /// IPv6.
        ipv6: Set,
    },
}

impl Test {
    /// What it looks at.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        match self {
            Self::Text(subject, _) => *subject,
            Self::Source { .. } => Subject::Source,
        }
    }

    /// Whether the test holds of an address.
    #[must_use]
    pub fn holds_of_source(&self, family: Family, address: u128) -> bool {
        match (self, family) {
            (Self::Source { ipv4, ipv6: _ }, Family::Ipv4) => ipv4.contains(address),
            (Self::Source { ipv4: _, ipv6 }, Family::Ipv6) => ipv6.contains(address),
            (Self::Text(..), _) => false,
        }
    }

    /// Whether the test holds of a request.
    #[must_use]
    pub fn holds_of(&self, request: &Request) -> bool {
        match self.subject() {
            Subject::Host => self.holds_of_text(&request.host),
            Subject::HostName => self.holds_of_text(request.host_name()),
            Subject::Path => self.holds_of_text(&request.path),
            Subject::Query => self.holds_of_text(&request.query),
            Subject::Method => self.holds_of_text(&request.method),
            Subject::ServerName => self.holds_of_text(request.server_name.as_ref().unwrap_or(&request.host)),
            Subject::Source => self.holds_of_source(request.source.0, request.source.1),
        }
    }

    /// Whether the test holds of a text.
    #[must_use]
    pub fn holds_of_text(&self, text: &[u8]) -> bool {
        match self {
            Self::Text(_, patterns) => patterns.iter().any(|pattern| pattern.matches(text)),
            Self::Source { .. } => false,
        }
    }
}

/// What a request has to be for a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Any request.
    Always,
    /// None.
    Never,
    /// One of which a test holds.
    Test(TestId),
    /// One for which something holds whose truth is not in the file.
    Opaque(OpaqueId),
    /// One for which this does not hold.
    Not(Arc<Self>),
    /// One for which all of these hold.
    All(Arc<[Self]>),
    /// One for which one of these holds.
    Any(Arc<[Self]>),
}

impl Condition {
    /// All of these.
    #[must_use]
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut out = Vec::new();
        for part in parts {
            match part {
                Self::Always => {}
                Self::Never => return Self::Never,
                Self::All(inner) => out.extend(inner.iter().cloned()),
                Self::Test(_) | Self::Opaque(_) | Self::Not(_) | Self::Any(_) => out.push(part),
            }
        }
        match out.len() {
            0 => Self::Always,
            1 => out.swap_remove(0),
            _ => Self::All(out.into()),
        }
    }

    /// One of these.
    #[must_use]
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut out = Vec::new();
        for part in parts {
            match part {
                Self::Never => {}
                Self::Always => return Self::Always,
                Self::Any(inner) => out.extend(inner.iter().cloned()),
                Self::Test(_) | Self::Opaque(_) | Self::Not(_) | Self::All(_) => out.push(part),
            }
        }
        match out.len() {
            0 => Self::Never,
            1 => out.swap_remove(0),
            _ => Self::Any(out.into()),
        }
    }

    /// Not this.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Not(inner) => (*inner).clone(),
            Self::Test(_) | Self::Opaque(_) | Self::All(_) | Self::Any(_) => Self::Not(Arc::new(self)),
        }
    }

    /// What is left of it once the truths of some tests and opaque conditions are known (`None`: not known).
    #[must_use]
    pub fn given(&self, test: &dyn Fn(TestId) -> Option<bool>, opaque: &dyn Fn(OpaqueId) -> Option<bool>) -> Self {
        let truth = |known: Option<bool>| match known {
            Some(true) => Self::Always,
            Some(false) => Self::Never,
            None => self.clone(),
        };
        match self {
            Self::Always | Self::Never => self.clone(),
            Self::Test(id) => truth(test(*id)),
            Self::Opaque(id) => truth(opaque(*id)),
            Self::Not(inner) => inner.given(test, opaque).negated(),
            Self::All(parts) => Self::all(parts.iter().map(|part| part.given(test, opaque))),
            Self::Any(parts) => Self::any(parts.iter().map(|part| part.given(test, opaque))),
        }
    }

    /// Calls `test` and `opaque` for each that it asks, in order, repeated ones too.
    pub fn visit(&self, test: &mut dyn FnMut(TestId), opaque: &mut dyn FnMut(OpaqueId)) {
        match self {
            Self::Always | Self::Never => {}
            Self::Test(id) => test(*id),
            Self::Opaque(id) => opaque(*id),
            Self::Not(inner) => inner.visit(test, opaque),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(test, opaque)),
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A server of that backend answers it.
    Backend(String),
    /// It is refused, and how: `403`, `reset`.
    Refused(String),
    /// The balancer answers it: `redirect to https://…`, `200`.
    Answered(String),
    /// Which backend answers it is not in the file; how that is written.
    Computed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backend(name) => write!(f, "goes to backend {name}"),
            Self::Refused(how) => write!(f, "is refused ({how})"),
            Self::Answered(how) => write!(f, "is answered ({how})"),
            Self::Computed(how) => write!(f, "goes to a backend that is computed ({how})"),
        }
    }
}

/// One line that decides what becomes of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Which requests it decides.
    pub condition: Condition,
    /// What becomes of them.
    pub outcome: Outcome,
    /// Where it stands.
    pub origin: Span,
}

/// What a balancer speaks with its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP: each request is decided.
    Http,
    /// TCP: each connection is decided.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// What clients see of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tls {
    /// The certificates it has, as they are named (paths, ids, host names of a store), in order, and where.
    pub certificates: Vec<(String, Span)>,
    /// What is left of its settings, normalised: versions, verification of clients …
    pub settings: String,
}

/// Where a listener is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address, as it reads once normalised: `203.0.113.7`, `2001:db8::1`, `any` (both families), `any-ipv4`,
    /// `any-ipv6`, the path of a socket, a name that is not known to be an address.
    pub address: String,
    /// The addresses, for filters; `None`: they are not known.
    pub addresses: Option<(Set, Set)>,
    /// The ports, first and last; `None`: it has none (a socket), or they are not known.
    pub ports: Option<(u16, u16)>,
    /// TLS, if it is spoken.
    pub tls: Option<Tls>,
    /// Where it stands.
    pub origin: Span,
}

/// A point at which clients meet a balancer, and how it decides about their requests.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its name in the configuration: that of the frontend, of the load balancer and its listener.
    pub name: String,
    /// What is spoken.
    pub protocol: Protocol,
    /// Where it is reached.
    pub endpoints: Vec<Endpoint>,
    /// How paths are read.
    pub paths: Paths,
    /// The decisions, in order: the first whose condition holds is final.
    pub routes: Vec<Route>,
    /// What becomes of a request that none decides.
    pub otherwise: Outcome,
    /// Where that is said, if it is said.
    pub otherwise_at: Option<Span>,
    /// Everything else it says that can matter to clients, normalised; equal exactly when nothing of it changed.
    pub settings: String,
    /// Whose it is, where it says so.
    pub owner: Option<String>,
    /// Where it stands.
    pub origin: Span,
}

/// Servers of which one answers a request.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Its name in the configuration.
    pub name: String,
    /// Its servers, in order.
    pub servers: Vec<Server>,
    /// Set when there can be more servers than are listed, and why: they are found at run time.
    pub open: Option<String>,
    /// How the servers' health is found out, normalised; `None`: it is not.
    pub health_check: Option<String>,
    /// The addresses, IPv4 and IPv6, from which servers see the balancer; `None`: it is not said.
    pub sources: Option<(Set, Set)>,
    /// Everything else that it says, normalised: algorithm, time-outs …
    pub settings: String,
    /// Whose it is, where it says so.
    pub owner: Option<String>,
    /// Where it stands.
    pub origin: Span,
}

/// One server of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, or how it is written.
    pub name: String,
    /// Its address as it reads: an address, a host name, the id of an instance, the path of a socket.
    pub address: String,
    /// The port that it serves on; `None`: none, the client's, or not known.
    pub port: Option<u16>,
    /// Its weight; 0: it gets no new requests; `None`: it is not known.
    pub weight: Option<u32>,
    /// Whether it takes part at all; `None`: it is not known.
    pub enabled: Option<bool>,
    /// Whether it is asked only when the others are down.
    pub backup: bool,
    /// Whether its health is found out, and on which port (`None` within: that it serves on).
    pub check: Option<Option<u16>>,
    /// Everything else that it says, normalised.
    pub settings: String,
    /// Where it stands.
    pub origin: Span,
}

impl Server {
    /// One that takes part with the usual weight, and says nothing more.
    #[must_use]
    pub const fn new(name: String, address: String, port: Option<u16>, origin: Span) -> Self {
        Self {
            name,
            address,
            port,
            weight: Some(1),
            enabled: Some(true),
            backup: false,
            check: None,
            settings: String::new(),
            origin,
        }
    }

    /// Whether it answers requests in ordinary times; `None`: it is not known.
    #[must_use]
    pub fn serves(&self) -> Option<bool> {
        if self.backup || self.enabled == Some(false) || self.weight == Some(0) {
            return Some(false);
        }
        (self.enabled? && self.weight? > 0).then_some(true)
    }

    /// Everything but its name and its place.
    #[must_use]
    pub fn content(&self) -> impl PartialEq + Ord + fmt::Debug + use<'_> {
        let Self { name: _, address, port, weight, enabled, backup, check, settings, origin: _ } = self;
        (address, port, weight, enabled, backup, check, settings)
    }
}

impl Backend {
    /// Whether both send requests to the same servers in the same way, whatever those are called and in which order they
    /// stand. Of servers that are not listed only the name of the backend tells which they are.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let Self { name, servers, open, health_check, sources, settings, owner: _, origin: _ } = self;
        let sorted = |servers: &'_ [Server]| -> Vec<usize> {
            let mut order: Vec<usize> = (0..servers.len()).collect();
            order.sort_by(|a, b| servers[*a].content().cmp(&servers[*b].content()));
            order
        };
        open == &other.open
            && (open.is_none() || name == &other.name)
            && health_check == &other.health_check
            && sources == &other.sources
            && settings == &other.settings
            && servers.len() == other.servers.len()
            && sorted(servers)
                .into_iter()
                .zip(sorted(&other.servers))
                .all(|(mine, its)| servers[mine].content() == other.servers[its].content())
    }
}
