//! Services by name, and as literals.

use crate::net::{Set, protocol_number};

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// A protocol and its ports from first to last.
type Term = (u8, u16, u16);

/// Names that every policy may use (IANA's ports, and those that the programs listen on by default).
pub const WELL_KNOWN: &[(&str, &[Term])] = &[
    ("amqp", &[(TCP, 5671, 5672)]),
    ("bgp", &[(TCP, 179, 179)]),
    ("cassandra", &[(TCP, 9042, 9042)]),
    ("dhcp", &[(UDP, 67, 68)]),
    ("dns", &[(TCP, 53, 53), (UDP, 53, 53)]),
    ("docker", &[(TCP, 2375, 2376)]),
    ("elasticsearch", &[(TCP, 9200, 9200), (TCP, 9300, 9300)]),
    ("etcd", &[(TCP, 2379, 2380)]),
    ("ftp", &[(TCP, 20, 21)]),
    ("http", &[(TCP, 80, 80)]),
    ("https", &[(TCP, 443, 443), (UDP, 443, 443)]),
    ("imap", &[(TCP, 143, 143), (TCP, 993, 993)]),
    ("ipmi", &[(UDP, 623, 623)]),
    ("kafka", &[(TCP, 9092, 9092)]),
    ("kerberos", &[(TCP, 88, 88), (UDP, 88, 88)]),
    ("kubelet", &[(TCP, 10250, 10250)]),
    ("kubernetes-api", &[(TCP, 6443, 6443)]),
    ("ldap", &[(TCP, 389, 389), (TCP, 636, 636)]),
    ("memcached", &[(TCP, 11211, 11211), (UDP, 11211, 11211)]),
    ("mongodb", &[(TCP, 27017, 27019)]),
    ("mssql", &[(TCP, 1433, 1433)]),
    ("mysql", &[(TCP, 3306, 3306)]),
    ("nfs", &[(TCP, 2049, 2049), (UDP, 2049, 2049)]),
    ("ntp", &[(UDP, 123, 123)]),
    ("oracle", &[(TCP, 1521, 1521)]),
    ("ping", &[(ICMP, 0x0800, 0x08ff), (ICMPV6, 0x8000, 0x80ff)]),
    ("pop3", &[(TCP, 110, 110), (TCP, 995, 995)]),
    ("postgres", &[(TCP, 5432, 5432)]),
    ("rdp", &[(TCP, 3389, 3389), (UDP, 3389, 3389)]),
    ("redis", &[(TCP, 6379, 6379)]),
    ("rpcbind", &[(TCP, 111, 111), (UDP, 111, 111)]),
    ("rsync", &[(TCP, 873, 873)]),
    ("smb", &[(TCP, 139, 139), (TCP, 445, 445)]),
    ("smtp", &[(TCP, 25, 25), (TCP, 465, 465), (TCP, 587, 587)]),
    ("snmp", &[(UDP, 161, 162)]),
    ("ssh", &[(TCP, 22, 22)]),
    ("syslog", &[(TCP, 514, 514), (UDP, 514, 514)]),
    ("telnet", &[(TCP, 23, 23)]),
    ("tftp", &[(UDP, 69, 69)]),
    ("vnc", &[(TCP, 5900, 5999)]),
    ("vxlan", &[(UDP, 4789, 4789)]),
    ("winrm", &[(TCP, 5985, 5986)]),
    ("wireguard", &[(UDP, 51820, 51820)]),
    ("zookeeper", &[(TCP, 2181, 2181)]),
];

/// The service of that well-known name.
pub(super) fn well_known(name: &str) -> Option<&'static [Term]> {
    WELL_KNOWN.iter().find(|(known, _)| *known == name).map(|(_, terms)| *terms)
}

/// Reads `tcp/443`, `tcp/8000-8099`, `udp`, `icmp`, `icmp/8`, `icmp/3/4`, `protocol/47`, `gre`.
/// `Ok(None)`: it is no literal.
///
/// # Errors
/// A sentence, when it begins as a literal and does not end as one.
pub(super) fn literal(text: &str) -> Result<Option<(u8, Set)>, String> {
    let (name, ports) = text.split_once('/').map_or((text, None), |(name, ports)| (name, Some(ports)));
    let (protocol, ports) = if name == "protocol" {
        let (number, ports) = match ports {
            Some(rest) => rest.split_once('/').map_or((rest, None), |(number, ports)| (number, Some(ports))),
            None => return Err("`protocol` needs its number: `protocol/47`".to_owned()),
        };
        (decimal(number, u8::MAX.into()).ok_or_else(|| format!("`{number}` is no protocol number"))?, ports)
    } else {
        let Some(protocol) = number_of(name) else {
            return if ports.is_some() { Err(format!("`{name}` is no protocol")) } else { Ok(None) };
        };
        (protocol.into(), ports)
    };
    let protocol = u8::try_from(protocol).expect("checked above");
    let all = Set::range(0, u16::MAX.into());
    let Some(ports) = ports else { return Ok(Some((protocol, all))) };
    let set = match protocol {
        ICMP | ICMPV6 => icmp(ports),
        6 | 17 | 33 | 132 | 136 => range(ports),
        _ => return Err(format!("protocol {protocol} has no ports")),
    };
    set.map(|set| Some((protocol, set))).ok_or_else(|| format!("`{ports}` is no port or range of ports of `{name}`"))
}

/// The protocols that a policy may name whatever else is known.
fn number_of(name: &str) -> Option<u8> {
    Some(match name {
        "icmp" => ICMP,
        "tcp" => TCP,
        "udp" => UDP,
        "icmpv6" => ICMPV6,
        "dccp" => 33,
        "sctp" => 132,
        "udplite" => 136,
        name => return protocol_number(name),
    })
}

fn range(text: &str) -> Option<Set> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (decimal(first, 65535)?, decimal(last, 65535)?);
    (first <= last).then(|| Set::range(first.into(), last.into()))
}

/// `8` or `3/4`: a type, or a type and a code.
fn icmp(text: &str) -> Option<Set> {
    match text.split_once('/') {
        None => decimal(text, 255).map(|kind| Set::range((kind << 8).into(), (kind << 8 | 255).into())),
        Some((kind, code)) => Some(Set::point((decimal(kind, 255)? << 8 | decimal(code, 255)?).into())),
    }
}

/// Digits without a leading zero, at most `max`.
fn decimal(text: &str, max: u32) -> Option<u32> {
    let fine = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !fine {
        return None;
    }
    let number = text.parse().ok()?;
    (number <= max).then_some(number)
}
