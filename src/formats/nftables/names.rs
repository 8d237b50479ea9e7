//! The words that nft knows for the values of its types (`nft describe`), and back.

use super::syntax::Family;

/// Words and values, in nft's order: where two words stand for one value, the first is shown.
pub(super) type Words = &'static [(&'static str, u32)];

/// The value of a word.
pub(super) fn value(words: Words, word: &[u8]) -> Option<u32> {
    words.iter().find(|(known, _)| known.as_bytes() == word).map(|(_, value)| *value)
}

/// The word for a value.
pub(super) fn word(words: Words, value: u128) -> Option<&'static str> {
    words.iter().find(|(_, known)| u128::from(*known) == value).map(|(word, _)| *word)
}

pub(super) static ICMP_TYPES: Words = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("info-request", 15),
    ("info-reply", 16),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];

pub(super) static ICMP_CODES: Words = &[
    ("net-unreachable", 0),
    ("host-unreachable", 1),
    ("prot-unreachable", 2),
    ("port-unreachable", 3),
    ("frag-needed", 4),
    ("net-prohibited", 9),
    ("host-prohibited", 10),
    ("admin-prohibited", 13),
];

pub(super) static ICMPV6_TYPES: Words = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("mld-listener-reduction", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("router-renumbering", 138),
    ("ind-neighbor-solicit", 141),
    ("ind-neighbor-advert", 142),
    ("mld2-listener-report", 143),
];

pub(super) static ICMPV6_CODES: Words = &[
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];

/// The codes that stand for one of each family in `reject with icmpx`.
pub(super) static ICMPX_CODES: Words =
    &[("port-unreachable", 1), ("admin-prohibited", 3), ("no-route", 0), ("host-unreachable", 2)];

pub(super) static IGMP_TYPES: Words = &[
    ("membership-query", 17),
    ("membership-report-v1", 18),
    ("membership-report-v2", 22),
    ("membership-report-v3", 34),
    ("leave-group", 23),
];

pub(super) static CT_STATES: Words =
    &[("invalid", 1), ("new", 8), ("established", 2), ("related", 4), ("untracked", 64)];

pub(super) static CT_STATUS: Words =
    &[("expected", 1), ("seen-reply", 2), ("assured", 4), ("confirmed", 8), ("snat", 16), ("dnat", 32), ("dying", 512)];

pub(super) static CT_DIRECTIONS: Words = &[("original", 0), ("reply", 1)];

pub(super) static CT_EVENTS: Words = &[
    ("new", 1),
    ("related", 2),
    ("destroy", 4),
    ("reply", 8),
    ("assured", 16),
    ("protoinfo", 32),
    ("helper", 64),
    ("mark", 128),
    ("seqadj", 256),
    ("secmark", 512),
    ("label", 1024),
];

/// `ecn` is nft's word for the flag that others call `ece`.
pub(super) static TCP_FLAGS: Words = &[
    ("fin", 0x01),
    ("syn", 0x02),
    ("rst", 0x04),
    ("psh", 0x08),
    ("ack", 0x10),
    ("urg", 0x20),
    ("ecn", 0x40),
    ("cwr", 0x80),
];

#[rustfmt::skip]
pub(super) static DSCP: Words = &[
    ("cs0", 0x00), ("cs1", 0x08), ("cs2", 0x10), ("cs3", 0x18), ("cs4", 0x20), ("cs5", 0x28), ("cs6", 0x30),
    ("cs7", 0x38), ("df", 0x00), ("be", 0x00), ("lephb", 0x01), ("af11", 0x0a), ("af12", 0x0c), ("af13", 0x0e),
    ("af21", 0x12), ("af22", 0x14), ("af23", 0x16), ("af31", 0x1a), ("af32", 0x1c), ("af33", 0x1e), ("af41", 0x22),
    ("af42", 0x24), ("af43", 0x26), ("va", 0x2c), ("ef", 0x2e),
];

pub(super) static ECN: Words = &[("not-ect", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)];

pub(super) static PACKET_TYPES: Words =
    &[("host", 0), ("unicast", 0), ("broadcast", 1), ("multicast", 2), ("other", 3)];

pub(super) static FAMILIES: Words = &[("ipv4", 2), ("ipv6", 10)];

pub(super) static ETHER_TYPES: Words =
    &[("ip", 0x0800), ("arp", 0x0806), ("ip6", 0x86dd), ("vlan", 0x8100), ("8021q", 0x8100), ("8021ad", 0x88a8)];

pub(super) static LINK_TYPES: Words = &[
    ("ether", 0x0001),
    ("ppp", 0x0200),
    ("ipip", 0x0300),
    ("ipip6", 0x0301),
    ("loopback", 0x0304),
    ("sit", 0x0308),
    ("ipgre", 0x030a),
];

pub(super) static ARP_OPERATIONS: Words =
    &[("request", 1), ("reply", 2), ("rrequest", 3), ("rreply", 4), ("inrequest", 8), ("inreply", 9), ("nak", 10)];

pub(super) static DCCP_TYPES: Words = &[
    ("request", 0),
    ("response", 1),
    ("data", 2),
    ("ack", 3),
    ("dataack", 4),
    ("closereq", 5),
    ("close", 6),
    ("reset", 7),
    ("sync", 8),
    ("syncack", 9),
];

#[rustfmt::skip]
pub(super) static MOBILITY_TYPES: Words = &[
    ("binding-refresh-request", 0), ("home-test-init", 1), ("careof-test-init", 2), ("home-test", 3),
    ("careof-test", 4), ("binding-update", 5), ("binding-acknowledgement", 6), ("binding-error", 7),
    ("fast-binding-update", 8), ("fast-binding-acknowledgement", 9), ("fast-binding-advertisement", 10),
    ("experimental-mobility-header", 11), ("home-agent-switch-message", 12),
];

/// `RTN_…` of rtnetlink(7).
#[rustfmt::skip]
pub(super) static ADDRESS_TYPES: Words = &[
    ("unspec", 0), ("unicast", 1), ("local", 2), ("broadcast", 3), ("anycast", 4), ("multicast", 5), ("blackhole", 6),
    ("unreachable", 7), ("prohibit", 8), ("throw", 9), ("nat", 10), ("xresolve", 11),
];

pub(super) static BOOLEANS: Words = &[("exists", 1), ("missing", 0)];

#[rustfmt::skip]
pub(super) static DAYS: Words = &[
    ("Sunday", 0), ("Monday", 1), ("Tuesday", 2), ("Wednesday", 3), ("Thursday", 4), ("Friday", 5), ("Saturday", 6),
];

/// The number of a named priority; `None`: the name is unknown, or not known at that hook (nft(8), ADDRESS FAMILIES;
/// `dstnat` at `output` and `srcnat` at `input` since 1.0.9).
pub(super) fn priority(family: Family, hook: &[u8], name: &[u8]) -> Option<i32> {
    let at = |hooks: &[&[u8]], number| hooks.contains(&hook).then_some(number);
    match (family, name) {
        (Family::Ip | Family::Ip6 | Family::Inet, b"raw") => Some(-300),
        (Family::Ip | Family::Ip6 | Family::Inet, b"mangle") => Some(-150),
        (Family::Ip | Family::Ip6 | Family::Inet, b"dstnat") => at(&[b"prerouting", b"output"], -100),
        (Family::Ip | Family::Ip6 | Family::Inet | Family::Arp | Family::Netdev, b"filter") => Some(0),
        (Family::Ip | Family::Ip6 | Family::Inet, b"security") => Some(50),
        (Family::Ip | Family::Ip6 | Family::Inet, b"srcnat") => at(&[b"postrouting", b"input"], 100),
        (Family::Bridge, b"dstnat") => at(&[b"prerouting"], -300),
        (Family::Bridge, b"filter") => Some(-200),
        (Family::Bridge, b"out") => at(&[b"output"], 100),
        (Family::Bridge, b"srcnat") => at(&[b"postrouting"], 300),
        (_, _) => None,
    }
}
