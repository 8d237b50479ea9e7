use super::search::{self, Party};
use super::{RequestDelta, spoken};
use crate::diff::change::Both;
use crate::model::{Configuration, Endpoint, Listener, Protocol, Store, Tls};
use crate::net::{Family, parse_address};
use crate::text::Span;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of the clients of some endpoints.
#[derive(Debug, Clone)]
pub struct ListenerChange {
    /// The name of the listener on base.
    pub base: Option<(String, Span)>,
    /// The name of the listener on head.
    pub head: Option<(String, Span)>,
    /// What is spoken, on head if it is there.
    pub protocol: Protocol,
    /// Whether it is another protocol than on base.
    pub protocol_changed: bool,
    /// The endpoints, as they read: `203.0.113.7:443`.
    pub endpoints: Vec<String>,
    /// What becomes of TLS.
    pub tls: TlsChange,
    /// Certificates that only base has, and those that only head has.
    pub certificates: (Vec<String>, Vec<String>),
    /// Whether its other settings differ.
    pub settings_changed: bool,
    /// Whether it is another's, or nobody's.
    pub owner_changed: bool,
    /// Requests that it decides in another way.
    pub requests: Vec<RequestDelta>,
    /// Whether `requests` are all of them.
    pub complete: bool,
}

/// What becomes of TLS at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsChange {
    /// Nothing.
    Same,
    /// It is not spoken any more.
    Lost,
    /// It is spoken now.
    Gained,
    /// Its settings differ.
    Changed,
}

/// The listeners that differ, endpoint by endpoint.
pub(super) fn compare(
    store: &Store,
    base: Option<&Configuration>,
    head: Option<&Configuration>,
) -> Vec<ListenerChange> {
    let (old, new) = (Sockets::of(base), Sockets::of(head));
    let mut groups: BTreeMap<Key, Vec<Reached>> = BTreeMap::new();
    let mut order: Vec<Key> = Vec::new();
    let places: BTreeSet<(bool, &str)> = old.0.keys().chain(new.0.keys()).map(|(udp, place)| (*udp, *place)).collect();
    for place in places {
        for ports in cut(&old, &new, place) {
            let pair = (old.find(place, ports.0), new.find(place, ports.0));
            let key: Key = (pair.0.map(Socket::key), pair.1.map(Socket::key));
            if key == (None, None) {
                continue;
            }
            let group = groups.entry(key).or_default();
            if group.is_empty() {
                order.push(key);
            }
            group.push((place.1.to_owned(), ports));
        }
    }
    let mut compared = BTreeMap::new();
    let mut out: Vec<ListenerChange> = Vec::new();
    for key in order {
        let Some(endpoints) = groups.remove(&key) else { continue };
        let (a, b) = (key.0.and_then(|key| at(base, key)), key.1.and_then(|key| at(head, key)));
        let change = one(store, (base, head), (a, b), &endpoints, &mut compared);
        if change.is_something() {
            out.push(change);
        }
    }
    out
}

/// A listener and one of its endpoints, by number; on base and on head.
type Key = Both<(usize, usize)>;

/// An address and its ports.
type Reached = (String, (u16, u16));

fn at(configuration: Option<&Configuration>, (listener, endpoint): (usize, usize)) -> Option<(&Listener, &Endpoint)> {
    let listener = configuration?.listeners.get(listener)?;
    Some((listener, listener.endpoints.get(endpoint)?))
}

impl ListenerChange {
    fn is_something(&self) -> bool {
        self.base.is_none()
            || self.head.is_none()
            || self.protocol_changed
            || self.tls != TlsChange::Same
            || self.certificates != (Vec::new(), Vec::new())
            || self.settings_changed
            || self.owner_changed
            || !self.requests.is_empty()
            || !self.complete
    }
}

type Compared = BTreeMap<(String, String, &'static [Family]), (Vec<RequestDelta>, bool)>;

/// Of which families clients are that come to one of these places.
///
/// A socket for all IPv6 addresses may take IPv4 clients too, unless the system or the program has it otherwise.
pub(super) fn families(endpoints: &[&Endpoint]) -> &'static [Family] {
    let only = |known: Option<&str>, family: Family| {
        let own =
            |address: &str| Some(address) == known || parse_address(address).is_some_and(|(its, _)| its == family);
        !endpoints.is_empty() && endpoints.iter().all(|end| own(&end.address))
    };
    match (only(Some("any-ipv4"), Family::Ipv4), only(None, Family::Ipv6)) {
        (true, _) => &[Family::Ipv4],
        (_, true) => &[Family::Ipv6],
        (_, _) => &Family::ALL,
    }
}

fn one(
    store: &Store,
    configurations: Both<&Configuration>,
    sockets: Both<(&Listener, &Endpoint)>,
    endpoints: &[Reached],
    compared: &mut Compared,
) -> ListenerChange {
    let (base, head) = sockets;
    let protocol = head.or(base).map_or(Protocol::Tcp, |(listener, _)| listener.protocol);
    let named = |socket: Option<(&Listener, &Endpoint)>| socket.map(|(l, e)| (l.name.clone(), e.origin));
    let certificates = |tls: &Option<Tls>| -> BTreeSet<String> {
        tls.iter().flat_map(|tls| &tls.certificates).map(|(name, _)| name.clone()).collect()
    };
    let mut change = ListenerChange {
        base: named(base),
        head: named(head),
        protocol,
        protocol_changed: false,
        endpoints: endpoints.iter().map(|(address, ports)| show_endpoint(address, *ports)).collect(),
        tls: TlsChange::Same,
        certificates: (Vec::new(), Vec::new()),
        settings_changed: false,
        owner_changed: false,
        requests: Vec::new(),
        complete: true,
    };
    let (Some((old, old_end)), Some((new, new_end))) = (base, head) else { return change };
    change.protocol_changed = old.protocol != new.protocol;
    change.settings_changed = old.settings != new.settings;
    change.owner_changed = old.owner != new.owner;
    change.tls = match (&old_end.tls, &new_end.tls) {
        (None, None) => TlsChange::Same,
        (Some(_), None) => TlsChange::Lost,
        (None, Some(_)) => TlsChange::Gained,
        (Some(old), Some(new)) if old.settings == new.settings => TlsChange::Same,
        (Some(_), Some(_)) => TlsChange::Changed,
    };
    let (mine, its) = (certificates(&old_end.tls), certificates(&new_end.tls));
    change.certificates = (mine.difference(&its).cloned().collect(), its.difference(&mine).cloned().collect());
    if let (Some(base), Some(head)) = configurations {
        let (was, now) = (Party { configuration: base, listener: old }, Party { configuration: head, listener: new });
        let families = families(&[old_end, new_end]);
        let key = (old.name.clone(), new.name.clone(), families);
        let via = endpoints.first().filter(|_| new_end.ports.is_some()).map(|(address, ports)| {
            let address = if address.starts_with("any") { String::new() } else { address.clone() };
            (address, ports.0)
        });
        let spoken = spoken(new.protocol, new_end.tls.is_some());
        let (requests, complete) =
            compared.entry(key).or_insert_with(|| search::compare(store, was, now, spoken, via, families)).clone();
        (change.requests, change.complete) = (requests, complete);
    }
    change
}

fn show_endpoint(address: &str, (first, last): (u16, u16)) -> String {
    let address = match address {
        // As the programs write them that listen on all addresses of one family.
        "any-ipv4" => "*".to_owned(),
        "any-ipv6" => "[::]".to_owned(),
        address if address.contains(':') => format!("[{address}]"),
        address => address.to_owned(),
    };
    match (first, last) {
        (0, 0) => address,
        (first, last) if first == last => format!("{address}:{first}"),
        (first, last) => format!("{address}:{first}-{last}"),
    }
}

/// The sockets of one side, by protocol (whether UDP) and address.
struct Sockets<'c>(BTreeMap<(bool, &'c str), Vec<Socket>>);

#[derive(Debug, Clone, Copy)]
struct Socket {
    ports: (u16, u16),
    listener: usize,
    endpoint: usize,
}

impl Socket {
    const fn key(self) -> (usize, usize) {
        (self.listener, self.endpoint)
    }
}

impl<'c> Sockets<'c> {
    fn of(configuration: Option<&'c Configuration>) -> Self {
        let mut out = Self(BTreeMap::new());
        for (number, listener) in configuration.iter().flat_map(|c| &c.listeners).enumerate() {
            for (endpoint, at) in listener.endpoints.iter().enumerate() {
                let place = (listener.protocol == Protocol::Udp, at.address.as_str());
                let ports = at.ports.unwrap_or((0, 0));
                out.0.entry(place).or_default().push(Socket { ports, listener: number, endpoint });
            }
        }
        out
    }

    /// The socket that a client meets there: that of the address itself, or else one of all addresses.
    fn find(&self, (udp, address): (bool, &str), port: u16) -> Option<Socket> {
        let family = if address.contains(':') { "any-ipv6" } else { "any-ipv4" };
        let own = [address, family, "any"];
        let wanted = if address.starts_with("any") || address.starts_with('/') { &own[..1] } else { &own[..] };
        let mut known = wanted.iter().filter_map(|address| self.0.get(&(udp, *address))).flatten();
        known.find(|socket| socket.ports.0 <= port && port <= socket.ports.1).copied()
    }
}

/// The ports of an address in pieces that each side treats alike.
fn cut(old: &Sockets<'_>, new: &Sockets<'_>, place: (bool, &str)) -> Vec<(u16, u16)> {
    let mut starts = BTreeSet::new();
    for sockets in [old, new] {
        for socket in sockets.0.get(&place).into_iter().flatten() {
            starts.insert(u32::from(socket.ports.0));
            starts.insert(u32::from(socket.ports.1) + 1);
        }
    }
    let starts: Vec<u32> = starts.into_iter().collect();
    let piece = |pair: &[u32]| Some((u16::try_from(*pair.first()?).ok()?, u16::try_from(pair.get(1)? - 1).ok()?));
    starts.windows(2).filter_map(piece).collect()
}
