use super::questions::{ask, in_states, opening};
use super::{Check, Context, Report, Spans, Undecided, declare_check};
use crate::diff::{FilterPair, Question, Side};
use crate::facts::MissingFact;
use crate::model::{Backend, Configuration, Outcome, Protocol, Server};
use crate::net::{Family, Field, Region, Set, State, parse_address};
use crate::policy::{Networks, Pattern, Policy, Spanned, keys};
use crate::text::{Span, escape};
use std::collections::BTreeMap;

declare_check! { id: "backend-consistency", since: "0.1.0", level: Block, settings: BackendConsistency, alone: Named, sees: Balancers }

keys! {
    struct BackendConsistency {
        /// The configurations of the balancers, or patterns of them. Default: those of `in`.
        balancer: Option<Vec<Pattern>>,
        /// The addresses from which servers see the balancers. Default: what the configuration says, of each backend.
        sources: Option<Networks>,
        /// The filters in front of the servers, or patterns of them: `web/*/input`. `{server}` and `{address}` in it stand
        /// for the name and the address of each server, so that each is held against its own filter.
        filters: Vec<Spanned<String>>,
        /// Whether servers must not be reachable around the balancer either, on the ports that it uses. Default: false.
        only_through: Option<bool>,
    }
}

/// Servers that are asked about together: with the same filters, sources, protocol and port.
type Group = (usize, Family, Set, u128, u16);

impl Check for BackendConsistency {
    fn spans(&self, _: &Policy) -> Spans {
        Spans::Configurations
    }

    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let pairs = cx.change.filters();
        let mut groups: BTreeMap<Group, Vec<(u128, &Server)>> = BTreeMap::new();
        let mut filters: Vec<Vec<&FilterPair<'_>>> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let wanted = |c: &Configuration| match &self.balancer {
            Some(patterns) => patterns.iter().any(|pattern| pattern.covers(&c.name)),
            None => report.scope().touches(&c.name, cx),
        };
        let all = cx.change.head.configurations().iter().filter(|c| !c.backends.is_empty());
        let heads: Vec<&Configuration> = all.map(|c| &**c).filter(|c| wanted(c)).collect();
        if heads.is_empty() {
            let message = "there is no configuration with backends on head";
            report.undecided(
                Undecided::MatchesNothing,
                message,
                "name the balancers' configuration, or remove the entry",
            );
        }
        for head in heads {
            for backend in &head.backends {
                let Some(sources) = self.sources_of(report, backend) else { continue };
                for server in backend.servers.iter().filter(|server| server.enabled != Some(false)) {
                    let Some((family, address)) = address(report, server) else { continue };
                    let ports = ports(report, head, backend, server);
                    for pattern in &self.filters {
                        let sign = |name: &str| name.contains(['*', '?', '[', ']', '{', '}', '/', '!', '\\']);
                        let named = pattern.value.contains("{server}") && sign(&server.name);
                        if named || pattern.value.contains("{address}") && sign(&server.address) {
                            let name = escape(server.name.as_bytes());
                            let message = format!("`{name}` is no name that could stand in a pattern of filters");
                            let finding =
                                report.undecided(Undecided::Unreadable, message, "call the server by a plain name");
                            finding.location = Some((Side::Head, server.origin));
                            continue;
                        }
                        let text =
                            pattern.value.replace("{server}", &server.name).replace("{address}", &server.address);
                        let number = *known.entry(text.clone()).or_insert_with(|| {
                            filters.push(in_front(report, &pairs, &text, pattern.span));
                            filters.len() - 1
                        });
                        let mine = match family {
                            Family::Ipv4 => &sources.0,
                            Family::Ipv6 => &sources.1,
                        };
                        for (protocol, port) in &ports {
                            let group = (number, family, mine.clone(), u128::from(*protocol), *port);
                            groups.entry(group).or_default().push((address, server));
                        }
                    }
                }
            }
        }
        for ((number, family, sources, protocol, port), servers) in groups {
            let addresses = Set::from_ranges(servers.iter().map(|(address, _)| (*address, *address)));
            let to = Region::all(family)
                .with(Field::Destination, &addresses)
                .with(Field::Protocol, &Set::point(protocol))
                .with(Field::DestinationPort, &Set::point(port.into()));
            let through = opening(in_states(to.clone().with(Field::Source, &sources), &[State::New]));
            let around = sources.complement(Field::Source.max(family));
            let around = opening(in_states(to.with(Field::Source, &around), &[State::New]));
            if sources.is_empty() {
                let message = "servers have addresses of a family in which the balancer has none";
                report.undecided(Undecided::MissingFact, message, "name its addresses under `sources`");
                continue;
            }
            for pair in filters.get(number).into_iter().flatten() {
                ask(cx, report, pair, &through, Question::Denied(Side::Head), |certain, flow| {
                    let does = if certain { "does not let" } else { "may not let" };
                    let message = format!("`{}` {does} the balancer reach its servers: {flow}", pair.id);
                    (message, "admit the addresses of the balancer on the ports that it uses, before it uses them")
                });
                if self.only_through == Some(true) {
                    ask(cx, report, pair, &around, Question::Allowed(Side::Head), |certain, flow| {
                        let does = if certain { "lets" } else { "may let" };
                        let message = format!("`{}` {does} packets reach servers around the balancer: {flow}", pair.id);
                        (message, "admit the addresses of the balancer only")
                    });
                }
            }
        }
        Ok(())
    }
}

impl BackendConsistency {
    fn sources_of(&self, report: &mut Report<'_>, backend: &Backend) -> Option<(Set, Set)> {
        if let Some(sources) = &self.sources {
            return Some((sources.addresses(Family::Ipv4).clone(), sources.addresses(Family::Ipv6).clone()));
        }
        if backend.sources.is_none() {
            let name = escape(backend.name.as_bytes());
            let message = format!("from which addresses the balancer asks the servers of `{name}` is not said");
            let finding = report.undecided(Undecided::MissingFact, message, "name them under `sources`");
            finding.location = Some((Side::Head, backend.origin));
        }
        backend.sources.clone()
    }
}

fn address(report: &mut Report<'_>, server: &Server) -> Option<(Family, u128)> {
    let address = parse_address(&server.address);
    if address.is_none() && !server.address.starts_with('/') {
        let name = escape(server.address.as_bytes());
        let message = format!("the address of the server `{name}` is not known, so no filter can be asked about it");
        let help = "write its address, or leave it to another check: names are resolved by nobody here";
        let finding = report.undecided(Undecided::Unreadable, message, help);
        finding.location = Some((Side::Head, server.origin));
    }
    address
}

/// The protocols and ports on which the balancer asks a server: where it serves, and where its health is checked.
fn ports(report: &mut Report<'_>, head: &Configuration, backend: &Backend, server: &Server) -> Vec<(u8, u16)> {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    let leads = |outcome: &Outcome| matches!(outcome, Outcome::Backend(name) if *name == backend.name);
    let users = head.listeners.iter().filter(|l| leads(&l.otherwise) || l.routes.iter().any(|r| leads(&r.outcome)));
    let mut protocols: Vec<u8> =
        users.map(|listener| if listener.protocol == Protocol::Udp { UDP } else { TCP }).collect();
    protocols.sort_unstable();
    protocols.dedup();
    if protocols.is_empty() {
        protocols.push(TCP);
    }
    let mut out = Vec::new();
    match server.port {
        Some(port) => out.extend(protocols.iter().map(|protocol| (*protocol, port))),
        None => {
            let name = escape(server.name.as_bytes());
            let message = format!("the port of the server `{name}` is not known, so no filter can be asked about it");
            let finding = report.undecided(Undecided::Unreadable, message, "write its port");
            finding.location = Some((Side::Head, server.origin));
        }
    }
    if let Some(Some(port)) = server.check {
        out.push((TCP, port));
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// The filters that a pattern names. None is a doubt: nothing would be held against anything.
fn in_front<'p, 'c>(
    report: &mut Report<'_>,
    pairs: &'p [FilterPair<'c>],
    text: &str,
    at: Span,
) -> Vec<&'p FilterPair<'c>> {
    let found = match Pattern::new(text, at) {
        Ok(pattern) => pairs.iter().filter(|pair| pattern.covers(pair.id)).collect(),
        Err(_) => Vec::new(),
    };
    if found.is_empty() {
        let message = format!("`{}` names no filter of either side", escape(text.as_bytes()));
        let help = "name the filters in front of the servers; without them nothing is known";
        report.undecided(Undecided::MatchesNothing, message, help).policy = Some(at);
    }
    found
}
