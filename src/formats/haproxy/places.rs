//! `bind`: where clients connect (manual, chapter 5.1), and addresses as HAProxy writes them.

use super::lex::{Line, Word, joined};
use super::proxies::{Reader, needed};
use super::{forms, words};
use crate::formats::Disposition;
use crate::formats::balancers::every;
use crate::model::Tls;
use crate::net::{Family, Set, format_address, parse_address};
use crate::text::Span;

type Fault = (Span, String);

/// A place at which clients connect.
#[derive(Debug, Clone)]
pub(super) struct Bind {
    pub(super) address: String,
    pub(super) addresses: Option<(Set, Set)>,
    pub(super) ports: Option<(u16, u16)>,
    /// QUIC, which is UDP.
    pub(super) udp: bool,
    pub(super) tls: Option<Tls>,
    pub(super) accept_proxy: bool,
    pub(super) settings: String,
    pub(super) at: Span,
}

/// An address as it is written, with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// Without a prefix that says nothing; addresses in their shortest form; empty: any.
    pub(super) host: String,
    pub(super) family: Option<Family>,
    pub(super) address: Option<(Family, u128)>,
    pub(super) ports: Ports,
    pub(super) socket: bool,
    pub(super) udp: bool,
}

/// What stands behind the colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ports {
    None,
    /// From the environment.
    Unknown,
    Range(u16, u16),
    /// `+5`, `-5`: beside the client's.
    Offset(String),
}

/// Reads an address of a `bind`, `server` or `source`.
///
/// # Errors
/// Why HAProxy refuses it.
pub(super) fn written(text: &str, unknown: bool) -> Result<Written, String> {
    let mut out =
        Written { host: String::new(), family: None, address: None, ports: Ports::None, socket: false, udp: false };
    let mut rest = text;
    for (prefix, family) in [("ipv4@", Some(Family::Ipv4)), ("ipv6@", Some(Family::Ipv6)), ("ip@", None)] {
        rest = rest.strip_prefix(prefix).map_or(rest, |rest| {
            out.family = family;
            rest
        });
    }
    for (prefix, family, udp) in [
        ("tcp4@", Some(Family::Ipv4), false),
        ("tcp6@", Some(Family::Ipv6), false),
        ("tcp@", None, false),
        ("mptcp4@", Some(Family::Ipv4), false),
        ("mptcp6@", Some(Family::Ipv6), false),
        ("mptcp@", None, false),
        ("udp4@", Some(Family::Ipv4), true),
        ("udp6@", Some(Family::Ipv6), true),
        ("udp@", None, true),
        ("quic4@", Some(Family::Ipv4), true),
        ("quic6@", Some(Family::Ipv6), true),
        ("quic@", None, true),
    ] {
        if let Some(behind) = rest.strip_prefix(prefix) {
            (out.family, out.udp, rest) = (family, udp, behind);
        }
    }
    if rest.starts_with('/')
        || ["unix@", "abns@", "abnsz@", "fd@", "sockpair@", "uxst@", "uxdg@", "rhttp@", "rev@", "stdout", "stderr"]
            .iter()
            .any(|s| rest.starts_with(s))
    {
        let number = rest.strip_prefix("fd@").or_else(|| rest.strip_prefix("sockpair@"));
        if number.is_some_and(|number| !number.contains('$') && number.parse::<u32>().is_err()) {
            return Err(format!("`{rest}` has no number of an open file"));
        }
        out.socket = true;
        out.host = match rest.strip_prefix("unix@").or_else(|| rest.strip_prefix("uxst@")) {
            Some(path) if path.starts_with('/') => path.to_owned(),
            Some(_) | None if rest.starts_with('/') => rest.to_owned(),
            Some(_) | None => format!("@{rest}"),
        };
        return Ok(out);
    }
    // The last colon is before the port, unless the whole is an IPv6 address.
    let (host, port) = match rest.rfind(':') {
        Some(at) if !rest[at..].contains(']') && !inside_braces(rest, at) => (&rest[..at], Some(&rest[at + 1..])),
        Some(_) | None => (rest, None),
    };
    out.ports = match port {
        None | Some("") => Ports::None,
        Some(port) if port.contains("${") || port.contains('$') => Ports::Unknown,
        Some(port) if port.starts_with(['+', '-']) => {
            if port[1..].parse::<u16>().is_err() {
                return Err(format!("invalid port `{port}`"));
            }
            Ports::Offset(port.to_owned())
        }
        Some(port) => {
            let (first, last) = port.split_once('-').unwrap_or((port, port));
            let number = |text: &str| text.parse::<u16>().map_err(|_| format!("invalid port `{text}`"));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(format!("port range `{port}` begins behind its end"));
            }
            Ports::Range(first, last)
        }
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare {
        "" | "*" => {}
        "0.0.0.0" if out.family != Some(Family::Ipv6) => out.family = Some(Family::Ipv4),
        "::" => out.family = Some(Family::Ipv6),
        name => match parse_address(name) {
            Some((family, _)) if out.family.is_some_and(|told| told != family) => {
                return Err(format!("`{text}` is an address of the other family"));
            }
            Some((family, address)) => {
                out.address = Some((family, address));
                out.host = format_address(family, address);
                out.family = Some(family);
            }
            None => out.host = name.to_owned(),
        },
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:%${}[]*".contains(c);
    // What is made of four numbers and more is no name.
    let labels: Vec<&str> = bare.split('.').collect();
    let numbers = labels.iter().all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()));
    let odd = bare.matches('[').count() != bare.matches(']').count() || (labels.len() > 3 && numbers);
    if !unknown && (!out.host.chars().all(plain) || (out.address.is_none() && bare != "0.0.0.0" && odd)) {
        return Err(format!("invalid address `{text}`"));
    }
    Ok(out)
}

/// Whether the place is within `${…}`.
fn inside_braces(text: &str, at: usize) -> bool {
    text[..at].rfind("${").is_some_and(|open| !text[open..at].contains('}'))
}

/// Reads a `bind` line: each address is a place of its own.
pub(super) fn read(line: &Line, reader: &mut Reader<'_>) -> Result<Vec<Bind>, Fault> {
    let addresses = needed(line, 1)?;
    let mut parameters = parameters(line.from(2))?;
    let (certificates, tls_settings, accept_proxy) =
        (std::mem::take(&mut parameters.certificates), parameters.tls.join(" "), parameters.accept_proxy);
    let certain = ["generate-certificates", "strict-sni", "cert"];
    let named = |word: &Word| word.unknown || certain.contains(&word.text.as_str());
    if parameters.ssl && certificates.is_empty() && !line.words.iter().any(named) {
        return Err((line.at, "`ssl` needs `crt`: HAProxy refuses the file".to_owned()));
    }
    let mut out = Vec::new();
    for text in addresses.text.strip_suffix(',').unwrap_or(&addresses.text).split(',') {
        let written = written(text, addresses.unknown)
            .map_err(|why| (addresses.at, format!("{why}: HAProxy refuses the file")))?;
        let Written { host, family, address, ports, socket, udp } = written;
        let (ports, sure) = match ports {
            Ports::Range(0, _) => {
                return Err((
                    addresses.at,
                    format!("`{text}` has no port that is listened on: HAProxy refuses the file"),
                ));
            }
            Ports::Range(first, last) => (Some((first, last)), true),
            Ports::Unknown => (None, false),
            Ports::None if socket || addresses.unknown => (None, true),
            Ports::None | Ports::Offset(_) => {
                return Err((addresses.at, format!("missing port number: `{text}`: HAProxy refuses the file")));
            }
        };
        let (every4, every6) = every();
        let v6 = family == Some(Family::Ipv6);
        let both = host.is_empty() && v6 && parameters.both_families;
        let only6 = v6 && parameters.only_ipv6;
        let (address, addresses_known) = match address {
            Some((Family::Ipv4, point)) => (host, Some((Set::point(point), Set::empty()))),
            Some((Family::Ipv6, point)) => (host, Some((Set::empty(), Set::point(point)))),
            None if socket => (host, None),
            None if !host.is_empty() => (host, None),
            None if both => ("any".to_owned(), Some((every4, every6))),
            None if v6 && !only6 => ("any-ipv6".to_owned(), Some((Set::empty(), every6))),
            None if v6 => ("any-ipv6".to_owned(), Some((Set::empty(), every6))),
            None => ("any-ipv4".to_owned(), Some((every4, Set::empty()))),
        };
        let unknown_port = if sure { String::new() } else { format!("port {text}") };
        let address = if sure { address } else { format!("{address} ({unknown_port})") };
        let tls = parameters.ssl.then(|| Tls { certificates: certificates.clone(), settings: tls_settings.clone() });
        out.push(Bind {
            address,
            addresses: addresses_known,
            ports,
            udp,
            tls,
            accept_proxy,
            settings: parameters.others.join(" "),
            at: line.at,
        });
    }
    for at in parameters.inert {
        reader.claim(at, Disposition::Inert("name"));
    }
    Ok(out)
}

/// Whether HAProxy takes the parameters of the socket through which it is asked for its state.
pub(super) fn socket(words: &[Word]) -> Result<(), Fault> {
    let mut level = words.iter().skip_while(|word| word.text != "level").skip(1);
    if words.iter().any(|word| word.text == "level") {
        match level.next().map(|word| (word.at, word.text.as_str())) {
            Some((_, "user" | "operator" | "admin")) => {}
            Some((at, other)) => return Err((at, format!("`{other}` is no level: HAProxy refuses the file"))),
            None => {}
        }
    }
    parameters(words).map(|_| ())
}

#[derive(Default)]
struct Parameters {
    ssl: bool,
    certificates: Vec<(String, Span)>,
    tls: Vec<String>,
    others: Vec<String>,
    accept_proxy: bool,
    both_families: bool,
    inert: Vec<Span>,
    only_ipv6: bool,
}

/// Whether HAProxy takes parameters of a place at which something is listened for.
pub(super) fn check(words: &[Word]) -> Result<(), Fault> {
    parameters(words).map(|_| ())
}

fn parameters(words: &[Word]) -> Result<Parameters, Fault> {
    let (mut out, mut at) = (Parameters::default(), 0);
    while let Some(word) = words.get(at) {
        let name = word.text.as_str();
        let values = arity(words::BIND, name).or_else(|| arity(words::NEWER_BIND, name));
        let Some(values) = values else {
            return Err((word.at, format!("`bind` is not known to take `{name}`")));
        };
        let given = words.get(at + 1..at + 1 + values).unwrap_or_default();
        if given.len() < values {
            return Err((word.at, format!("`{name}` is followed by nothing: HAProxy refuses the file")));
        }
        forms::check(&format!("bind {name}"), given)?;
        let value = given.first().map_or("", |word| word.text.as_str());
        match name {
            "ssl" => out.ssl = true,
            "crt" | "crt-list" | "default-crt" => {
                out.certificates.push((value.to_owned(), given.first().map_or(word.at, |word| word.at)));
            }
            "accept-proxy" | "accept-netscaler-cip" => {
                out.accept_proxy = true;
                out.others.push(joined(words.get(at..=at + values).unwrap_or_default()));
            }
            "v4v6" => out.both_families = true,
            "v6only" => out.only_ipv6 = true,
            // What it is called for people.
            "name" | "id" | "label" | "guid-prefix" => {
                out.inert.extend(words.get(at..=at + values).unwrap_or_default().iter().map(|w| w.at))
            }
            _ if is_tls(name) => out.tls.push(joined(words.get(at..=at + values).unwrap_or_default())),
            _ => out.others.push(joined(words.get(at..=at + values).unwrap_or_default())),
        }
        let number = ["id", "maxconn", "backlog", "mss", "nice", "shards"];
        if number.contains(&name)
            && name != "shards"
            && value.parse::<i64>().is_err()
            && !given.iter().any(|w| w.unknown)
        {
            return Err((word.at, format!("`{value}` is no number")));
        }
        if name == "verify" && !["none", "optional", "required"].contains(&value) {
            return Err((word.at, format!("`verify` does not know `{value}`: HAProxy refuses the file")));
        }
        at += 1 + values;
    }
    out.others.sort();
    out.tls.sort();
    Ok(out)
}

fn is_tls(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "allow-0rtt",
        "alpn",
        "ca-file",
        "ca-ignore-err",
        "ca-sign-file",
        "ca-sign-pass",
        "ca-verify-file",
        "ciphers",
        "ciphersuites",
        "crl-file",
        "crt-ignore-err",
        "curves",
        "ecdhe",
        "generate-certificates",
        "npn",
        "ocsp-update",
        "prefer-client-ciphers",
        "ssl-max-ver",
        "ssl-min-ver",
        "strict-sni",
        "tls-ticket-keys",
        "verify",
        "sigalgs",
        "client-sigalgs",
        "ktls",
        "ech",
    ];
    NAMES.contains(&name) || name.starts_with("force-") || name.starts_with("no-")
}

/// How many values follow a parameter.
pub(super) fn arity(table: &'static str, name: &str) -> Option<usize> {
    table.split_ascii_whitespace().find_map(|entry| {
        let (known, values) = entry.rsplit_once('/')?;
        (known == name).then(|| values.parse().ok()).flatten()
    })
}
