//! Names that IANA and the kernel's tools give to numbers.

/// The number of a protocol name (`/etc/protocols`, IANA): `tcp`, `udp`, `icmp`, `ipv6-icmp`, … in lower case.
#[must_use]
pub fn protocol_number(name: &str) -> Option<u8> {
    // Nearly all rules are about one of these.
    match name {
        "tcp" => return Some(6),
        "udp" => return Some(17),
        "icmp" => return Some(1),
        _ => {}
    }
    let found = PROTOCOLS.binary_search_by_key(&name, |(known, _)| *known).ok()?;
    PROTOCOLS.get(found).map(|(_, number)| *number)
}

/// The usual name of a protocol number.
#[must_use]
pub fn protocol_name(number: u8) -> Option<&'static str> {
    let found = PROTOCOL_NAMES.binary_search_by_key(&number, |(known, _)| *known).ok()?;
    PROTOCOL_NAMES.get(found).map(|(_, name)| *name)
}

/// The port of a service name, where it is registered for that protocol.
#[must_use]
pub fn service_port(name: &str, protocol: u8) -> Option<u16> {
    let bit = match protocol {
        6 => TCP,
        17 => UDP,
        33 => DCCP,
        132 => SCTP,
        _ => return None,
    };
    let first = SERVICES.partition_point(|(known, _, _)| *known < name);
    let named = SERVICES.iter().skip(first).take_while(|(known, _, _)| *known == name);
    named.filter(|(_, _, protocols)| protocols & bit != 0).map(|(_, port, _)| *port).next()
}

/// The ICMP (protocol 1) or ICMPv6 (58) type, and the code if the name fixes one. A name may be cut short
/// where only one begins so, in upper or lower case (iptables-extensions(8)).
#[must_use]
pub fn icmp_type(protocol: u8, name: &str) -> Option<(u8, Option<u8>)> {
    let names = match protocol {
        1 => ICMP_TYPES,
        58 => ICMPV6_TYPES,
        _ => return None,
    };
    let name = name.to_ascii_lowercase();
    let mut begun = names.iter().filter(|(known, _, _)| !name.is_empty() && known.starts_with(&name));
    let (_, kind, code) = match names.iter().find(|(known, _, _)| *known == name) {
        Some(exact) => exact,
        None => begun.next().filter(|_| begun.next().is_none())?,
    };
    Some((*kind, *code))
}

const TCP: u8 = 1;
const UDP: u8 = 2;
const SCTP: u8 = 4;
const DCCP: u8 = 8;

/// Sorted by name.
#[rustfmt::skip]
static PROTOCOLS: &[(&str, u8)] = &[
    ("ah", 51), ("ax.25", 93), ("cphb", 73), ("dccp", 33), ("ddp", 37), ("egp", 8), ("eigrp", 88), ("encap", 98),
    ("esp", 50), ("etherip", 97), ("ethernet", 143), ("fc", 133), ("ggp", 3), ("gre", 47), ("hip", 139),
    ("hmp", 20), ("hopopt", 0), ("icmp", 1), ("icmpv6", 58), ("idpr-cmtp", 38), ("idrp", 45), ("igmp", 2),
    ("igp", 9), ("ip", 0), ("ip-encap", 4), ("ipcomp", 108), ("ipencap", 4), ("ipip", 94), ("ipsec-ah", 51),
    ("ipsec-esp", 50), ("ipv6", 41), ("ipv6-frag", 44), ("ipv6-icmp", 58), ("ipv6-mh", 135), ("ipv6-nonxt", 59),
    ("ipv6-opts", 60), ("ipv6-route", 43), ("isis", 124), ("iso-tp4", 29), ("l2tp", 115), ("manet", 138),
    ("mh", 135), ("mobility-header", 135), ("mpls-in-ip", 137), ("ospf", 89), ("ospfigp", 89), ("pim", 103),
    ("pup", 12), ("rdp", 27), ("rohc", 142), ("rspf", 73), ("rsvp", 46), ("sctp", 132), ("shim6", 140),
    ("skip", 57), ("st", 5), ("tcp", 6), ("udp", 17), ("udplite", 136), ("vmtp", 81), ("vrrp", 112), ("wesp", 141),
    ("xns-idp", 22), ("xtp", 36),
];

/// Sorted by number.
#[rustfmt::skip]
static PROTOCOL_NAMES: &[(u8, &str)] = &[
    (0, "ip"), (1, "icmp"), (2, "igmp"), (3, "ggp"), (4, "ipencap"), (5, "st"), (6, "tcp"), (8, "egp"), (9, "igp"),
    (12, "pup"), (17, "udp"), (20, "hmp"), (22, "xns-idp"), (27, "rdp"), (29, "iso-tp4"), (33, "dccp"), (36, "xtp"),
    (37, "ddp"), (38, "idpr-cmtp"), (41, "ipv6"), (43, "ipv6-route"), (44, "ipv6-frag"), (45, "idrp"), (46, "rsvp"),
    (47, "gre"), (50, "esp"), (51, "ah"), (57, "skip"), (58, "ipv6-icmp"), (59, "ipv6-nonxt"), (60, "ipv6-opts"),
    (73, "rspf"), (81, "vmtp"), (88, "eigrp"), (89, "ospf"), (93, "ax.25"), (94, "ipip"), (97, "etherip"),
    (98, "encap"), (103, "pim"), (108, "ipcomp"), (112, "vrrp"), (115, "l2tp"), (124, "isis"), (132, "sctp"),
    (133, "fc"), (135, "mobility-header"), (136, "udplite"), (137, "mpls-in-ip"), (138, "manet"), (139, "hip"),
    (140, "shim6"), (141, "wesp"), (142, "rohc"), (143, "ethernet"),
];

/// Sorted by name in lower case: the type, and the code where the name means one only.
#[rustfmt::skip]
static ICMP_TYPES: &[(&str, u8, Option<u8>)] = &[
    ("address-mask-reply", 18, None), ("address-mask-request", 17, None), ("communication-prohibited", 3, Some(13)),
    ("destination-unreachable", 3, None), ("echo-reply", 0, None), ("echo-request", 8, None),
    ("fragmentation-needed", 3, Some(4)), ("host-precedence-violation", 3, Some(14)),
    ("host-prohibited", 3, Some(10)), ("host-redirect", 5, Some(1)), ("host-unknown", 3, Some(7)),
    ("host-unreachable", 3, Some(1)), ("ip-header-bad", 12, Some(0)), ("network-prohibited", 3, Some(9)),
    ("network-redirect", 5, Some(0)), ("network-unknown", 3, Some(6)), ("network-unreachable", 3, Some(0)),
    ("parameter-problem", 12, None), ("ping", 8, None), ("pong", 0, None), ("port-unreachable", 3, Some(3)),
    ("precedence-cutoff", 3, Some(15)), ("protocol-unreachable", 3, Some(2)), ("redirect", 5, None),
    ("required-option-missing", 12, Some(1)), ("router-advertisement", 9, None), ("router-solicitation", 10, None),
    ("source-quench", 4, None), ("source-route-failed", 3, Some(5)), ("time-exceeded", 11, None),
    ("timestamp-reply", 14, None), ("timestamp-request", 13, None), ("tos-host-redirect", 5, Some(3)),
    ("tos-host-unreachable", 3, Some(12)), ("tos-network-redirect", 5, Some(2)),
    ("tos-network-unreachable", 3, Some(11)), ("ttl-exceeded", 11, None),
    ("ttl-zero-during-reassembly", 11, Some(1)), ("ttl-zero-during-transit", 11, Some(0)),
];

/// As [`ICMP_TYPES`].
#[rustfmt::skip]
static ICMPV6_TYPES: &[(&str, u8, Option<u8>)] = &[
    ("address-unreachable", 1, Some(3)), ("bad-header", 4, Some(0)), ("beyond-scope", 1, Some(2)),
    ("communication-prohibited", 1, Some(1)), ("destination-unreachable", 1, None), ("echo-reply", 129, None),
    ("echo-request", 128, None), ("failed-policy", 1, Some(5)), ("neighbor-advertisement", 136, None),
    ("neighbor-solicitation", 135, None), ("neighbour-advertisement", 136, None),
    ("neighbour-solicitation", 135, None), ("no-route", 1, Some(0)), ("packet-too-big", 2, None),
    ("parameter-problem", 4, None), ("ping", 128, None), ("port-unreachable", 1, Some(4)), ("redirect", 137, None),
    ("reject-route", 1, Some(6)), ("router-advertisement", 134, None), ("router-solicitation", 133, None),
    ("time-exceeded", 3, None), ("ttl-exceeded", 3, None), ("ttl-zero-during-reassembly", 3, Some(1)),
    ("ttl-zero-during-transit", 3, Some(0)), ("unknown-header-type", 4, Some(1)), ("unknown-option", 4, Some(2)),
];

/// Services as Debian lists them, aliases included, sorted by name; the same name may have another port in
/// another protocol.
#[rustfmt::skip]
static SERVICES: &[(&str, u16, u8)] = &[
    ("Clearcase", 371, UDP), ("acr-nema", 104, TCP), ("afpovertcp", 548, TCP), ("afs3-bos", 7007, UDP),
    ("afs3-callback", 7001, UDP), ("afs3-fileserver", 7000, UDP), ("afs3-kaserver", 7004, UDP),
    ("afs3-prserver", 7002, UDP), ("afs3-rmtsys", 7009, UDP), ("afs3-update", 7008, UDP),
    ("afs3-vlserver", 7003, UDP), ("afs3-volser", 7005, UDP), ("amanda", 10080, TCP), ("amandaidx", 10082, TCP),
    ("amidxtape", 10083, TCP), ("amqp", 5672, TCP|SCTP), ("amqps", 5671, TCP), ("asf-rmcp", 623, UDP),
    ("asp", 27374, TCP|UDP), ("auth", 113, TCP), ("authentication", 113, TCP), ("babel", 6696, UDP),
    ("bacula-dir", 9101, TCP), ("bacula-fd", 9102, TCP), ("bacula-sd", 9103, TCP), ("bbs", 7000, TCP),
    ("bgp", 179, TCP), ("bgpd", 2605, TCP), ("biff", 512, UDP), ("binkp", 24554, TCP), ("bootpc", 68, UDP),
    ("bootps", 67, UDP), ("canna", 5680, TCP), ("cfengine", 5308, TCP), ("chargen", 19, TCP|UDP),
    ("cisco-sccp", 2000, TCP), ("clc-build-daemon", 8990, TCP), ("clearcase", 371, UDP), ("cmd", 514, TCP),
    ("cmip-agent", 164, TCP|UDP), ("cmip-man", 163, TCP|UDP), ("codaauth2", 370, TCP|UDP),
    ("codasrv", 2432, TCP|UDP), ("codasrv-se", 2433, TCP|UDP), ("comsat", 512, UDP), ("csync2", 30865, TCP),
    ("cvspserver", 2401, TCP), ("daap", 3689, TCP), ("datametrics", 1645, TCP|UDP), ("daytime", 13, TCP|UDP),
    ("db-lsp", 17500, TCP), ("dcap", 22125, TCP), ("dhcpv6-client", 546, UDP), ("dhcpv6-server", 547, UDP),
    ("dicom", 104, TCP), ("dict", 2628, TCP), ("dircproxy", 57000, TCP), ("discard", 9, TCP|UDP),
    ("distcc", 3632, TCP), ("domain", 53, TCP|UDP), ("domain-s", 853, TCP|UDP), ("echo", 7, TCP|UDP),
    ("epmap", 135, TCP), ("epmd", 4369, TCP), ("exec", 512, TCP), ("f5-globalsite", 2792, TCP),
    ("f5-iquery", 4353, TCP), ("fax", 4557, TCP), ("fido", 60179, TCP), ("finger", 79, TCP),
    ("font-service", 7100, TCP), ("freeciv", 5556, TCP), ("fsp", 21, UDP), ("fspd", 21, UDP), ("ftp", 21, TCP),
    ("ftp-data", 20, TCP), ("ftps", 990, TCP), ("ftps-data", 989, TCP), ("gdomap", 538, TCP|UDP),
    ("gds-db", 3050, TCP), ("gds_db", 3050, TCP), ("git", 9418, TCP), ("gnunet", 2086, TCP|UDP),
    ("gnutella-rtr", 6347, TCP|UDP), ("gnutella-svc", 6346, TCP|UDP), ("gopher", 70, TCP), ("gpsd", 2947, TCP),
    ("gris", 2135, TCP), ("groupwise", 1677, TCP), ("gsidcap", 22128, TCP), ("gsiftp", 2811, TCP),
    ("gsigatekeeper", 2119, TCP), ("hkp", 11371, TCP), ("hprop", 754, TCP), ("http", 80, TCP),
    ("http-alt", 8080, TCP), ("https", 443, TCP|UDP), ("hylafax", 4559, TCP), ("iax", 4569, UDP),
    ("icp", 3130, UDP), ("icpv2", 3130, UDP), ("ident", 113, TCP), ("imap", 143, TCP), ("imap2", 143, TCP),
    ("imaps", 993, TCP), ("ingreslock", 1524, TCP), ("ipp", 631, TCP), ("iprop", 2121, TCP),
    ("ipsec-nat-t", 4500, UDP), ("ipx", 213, UDP), ("ircd", 6667, TCP), ("ircs-u", 6697, TCP), ("isakmp", 500, UDP),
    ("iscsi-target", 3260, TCP), ("isisd", 2608, TCP), ("isns", 3205, TCP|UDP), ("iso-tsap", 102, TCP),
    ("jabber-client", 5222, TCP), ("jabber-server", 5269, TCP), ("kamanda", 10081, TCP), ("kdc", 750, TCP|UDP),
    ("kerberos", 88, TCP|UDP), ("kerberos-adm", 749, TCP), ("kerberos-iv", 750, TCP|UDP),
    ("kerberos-master", 751, TCP|UDP), ("kerberos-sec", 88, TCP|UDP), ("kerberos4", 750, TCP|UDP),
    ("kerberos5", 88, TCP|UDP), ("kerberos_master", 751, UDP), ("kermit", 1649, TCP), ("klogin", 543, TCP),
    ("kpasswd", 464, TCP|UDP), ("krb-prop", 754, TCP), ("krb5", 88, TCP|UDP), ("krb5_prop", 754, TCP),
    ("krb_prop", 754, TCP), ("krcmd", 544, TCP), ("kshell", 544, TCP), ("l2f", 1701, UDP), ("l2tp", 1701, UDP),
    ("ldap", 389, TCP|UDP), ("ldaps", 636, TCP|UDP), ("ldp", 646, TCP|UDP), ("loc-srv", 135, TCP),
    ("login", 513, TCP), ("lotusnote", 1352, TCP), ("lotusnotes", 1352, TCP), ("lrrd", 4949, TCP),
    ("mail", 25, TCP), ("mailq", 174, TCP), ("mdns", 5353, UDP), ("microsoft-ds", 445, TCP), ("moira-db", 775, TCP),
    ("moira-update", 777, TCP), ("moira-ureg", 779, UDP), ("moira_db", 775, TCP), ("moira_update", 777, TCP),
    ("moira_ureg", 779, UDP), ("mon", 2583, TCP|UDP), ("ms-sql-m", 1434, UDP), ("ms-sql-s", 1433, TCP),
    ("ms-wbt-server", 3389, TCP), ("mtn", 4691, TCP), ("munin", 4949, TCP), ("mysql", 3306, TCP),
    ("mysql-proxy", 6446, TCP), ("nbd", 10809, TCP), ("netbios-dgm", 138, UDP), ("netbios-ns", 137, UDP),
    ("netbios-ssn", 139, TCP), ("netstat", 15, TCP), ("nfs", 2049, TCP|UDP), ("nicname", 43, TCP),
    ("nntp", 119, TCP), ("nntps", 563, TCP), ("nqs", 607, TCP), ("nrpe", 5666, TCP), ("nsca", 5667, TCP),
    ("ntalk", 518, UDP), ("ntp", 123, UDP), ("ntske", 4460, TCP), ("null", 9, TCP|UDP), ("nut", 3493, TCP|UDP),
    ("old-radacct", 1646, TCP|UDP), ("old-radius", 1645, TCP|UDP), ("omniorb", 8088, TCP),
    ("openvpn", 1194, TCP|UDP), ("ospf6d", 2606, TCP), ("ospfapi", 2607, TCP), ("ospfd", 2604, TCP),
    ("passwd-server", 752, UDP), ("passwd_server", 752, UDP), ("pawserv", 345, TCP), ("pop-3", 110, TCP),
    ("pop3", 110, TCP), ("pop3s", 995, TCP), ("poppassd", 106, TCP), ("portmapper", 111, TCP|UDP),
    ("postgres", 5432, TCP), ("postgresql", 5432, TCP), ("predict", 1210, UDP), ("printer", 515, TCP),
    ("proofd", 1093, TCP), ("ptp-event", 319, UDP), ("ptp-general", 320, UDP), ("puppet", 8140, TCP),
    ("qmqp", 628, TCP), ("qmtp", 209, TCP), ("qotd", 17, TCP), ("quote", 17, TCP), ("radacct", 1813, TCP|UDP),
    ("radius", 1812, TCP|UDP), ("radius-acct", 1813, TCP|UDP), ("radmin-port", 4899, TCP), ("readnews", 119, TCP),
    ("redis", 6379, TCP), ("remctl", 4373, TCP), ("ripd", 2602, TCP), ("ripngd", 2603, TCP),
    ("rmiregistry", 1099, TCP), ("rmtcfg", 1236, TCP), ("rootd", 1094, TCP), ("route", 520, UDP),
    ("routed", 520, UDP), ("router", 520, UDP), ("rpc2portmap", 369, TCP|UDP), ("rplay", 5555, UDP),
    ("rptp", 5556, TCP), ("rsync", 873, TCP), ("rtcm-sc104", 2101, TCP|UDP), ("rtsp", 554, TCP|UDP),
    ("sa-msg-port", 1646, TCP|UDP), ("saft", 487, TCP), ("sane", 6566, TCP), ("sane-port", 6566, TCP),
    ("saned", 6566, TCP), ("sge-execd", 6445, TCP), ("sge-qmaster", 6444, TCP), ("sge_execd", 6445, TCP),
    ("sge_qmaster", 6444, TCP), ("sgi-cad", 17004, TCP), ("sgi-cmsd", 17001, UDP), ("sgi-crsd", 17002, UDP),
    ("sgi-gcd", 17003, UDP), ("shell", 514, TCP), ("sieve", 4190, TCP), ("silc", 706, TCP), ("sink", 9, TCP|UDP),
    ("sip", 5060, TCP|UDP), ("sip-tls", 5061, TCP|UDP), ("skkserv", 1178, TCP), ("smtp", 25, TCP),
    ("smtps", 465, TCP), ("smux", 199, TCP), ("snmp", 161, TCP|UDP), ("snmp-trap", 162, TCP|UDP),
    ("snmptrap", 162, TCP|UDP), ("snntp", 563, TCP), ("snpp", 444, TCP), ("socks", 1080, TCP),
    ("source", 19, TCP|UDP), ("spamd", 783, TCP), ("spooler", 515, TCP), ("ssh", 22, TCP), ("ssmtp", 465, TCP),
    ("submission", 587, TCP), ("submissions", 465, TCP), ("subversion", 3690, TCP), ("sunrpc", 111, TCP|UDP),
    ("supfiledbg", 1127, TCP), ("supfilesrv", 871, TCP), ("suucp", 4031, TCP), ("svn", 3690, TCP),
    ("svrloc", 427, TCP|UDP), ("syslog", 514, TCP|UDP), ("syslog-tls", 6514, TCP), ("sysrqd", 4094, TCP),
    ("systat", 11, TCP), ("tacacs", 49, TCP|UDP), ("talk", 517, UDP), ("tap", 113, TCP), ("tcpmux", 1, TCP),
    ("telnet", 23, TCP), ("telnets", 992, TCP), ("tfido", 60177, TCP), ("tftp", 69, UDP), ("time", 37, TCP|UDP),
    ("timserver", 37, TCP|UDP), ("tinc", 655, TCP|UDP), ("tproxy", 8081, TCP), ("tsap", 102, TCP),
    ("ttytst", 19, TCP|UDP), ("untp", 119, TCP), ("urd", 465, TCP), ("users", 11, TCP), ("uucp", 540, TCP),
    ("uucpd", 540, TCP), ("venus", 2430, TCP|UDP), ("venus-se", 2431, TCP|UDP), ("wais", 210, TCP),
    ("webcache", 8080, TCP), ("webmin", 10000, TCP), ("who", 513, UDP), ("whod", 513, UDP), ("whois", 43, TCP),
    ("wnn6", 22273, TCP), ("www", 80, TCP), ("x11", 6000, TCP), ("x11-0", 6000, TCP), ("x11-1", 6001, TCP),
    ("x11-2", 6002, TCP), ("x11-3", 6003, TCP), ("x11-4", 6004, TCP), ("x11-5", 6005, TCP), ("x11-6", 6006, TCP),
    ("x11-7", 6007, TCP), ("xdmcp", 177, UDP), ("xfs", 7100, TCP), ("xinetd", 9098, TCP), ("xmms2", 9667, TCP),
    ("xmpp-client", 5222, TCP), ("xmpp-server", 5269, TCP), ("xtel", 1313, TCP), ("xtelw", 1314, TCP),
    ("z3950", 210, TCP), ("zabbix-agent", 10050, TCP), ("zabbix-trapper", 10051, TCP), ("zebra", 2601, TCP),
    ("zebrasrv", 2600, TCP), ("zephyr-clt", 2103, UDP), ("zephyr-hm", 2104, UDP), ("zephyr-srv", 2102, UDP),
    ("zope", 9673, TCP), ("zope-ftp", 8021, TCP), ("zserv", 346, TCP),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(PROTOCOLS.is_sorted_by_key(|(name, _)| *name));
        assert!(PROTOCOL_NAMES.is_sorted_by_key(|(number, _)| *number));
        assert!(SERVICES.is_sorted_by_key(|(name, port, _)| (*name, *port)));
        assert!(ICMP_TYPES.is_sorted_by_key(|(name, _, _)| *name));
        assert!(ICMPV6_TYPES.is_sorted_by_key(|(name, _, _)| *name));
    }

    #[test]
    fn names_are_numbers() {
        assert_eq!(protocol_number("ipv6-icmp"), Some(58));
        assert_eq!(protocol_number("no-such"), None);
        assert_eq!(protocol_name(6), Some("tcp"));
        assert_eq!(service_port("ssh", 6), Some(22));
        assert_eq!(service_port("www", 6), Some(80));
        assert_eq!(service_port("tftp", 17), Some(69));
        assert_eq!(service_port("tftp", 6), None);
        assert_eq!(icmp_type(1, "ping"), Some((8, None)));
        assert_eq!(icmp_type(1, "port-unreachable"), Some((3, Some(3))));
        assert_eq!(icmp_type(58, "neighbour-solicitation"), Some((135, None)));
        assert_eq!(icmp_type(1, "source-q"), Some((4, None)));
        assert_eq!(icmp_type(1, "tos"), None);
    }
}
