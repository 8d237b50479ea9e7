//! Words that mean something wherever they stand, and so cannot be names.

/// Whether nft's scanner takes the word for a keyword in every context.
pub(super) fn is_reserved(word: &[u8]) -> bool {
    let Some(first) = word.first() else { return false };
    if !first.is_ascii_lowercase() || word.len() > 12 {
        return false;
    }
    let words = match first {
        b'a' => &["accept", "add", "addr", "ah", "all", "arp", "auto-merge"][..],
        b'b' => &["bridge"],
        b'c' => &["cgroup", "chain", "comment", "comp", "constant", "continue", "counter", "cpu", "create", "ct"],
        b'd' => &[
            "day", "dccp", "define", "delete", "describe", "destroy", "device", "devices", "dnat", "drop", "dst",
            "dup", "dynamic",
        ],
        b'e' => &["ecn", "element", "elements", "esp", "ether", "exists", "expires", "export", "exthdr"],
        b'f' => &["fib", "flags", "flow", "flowtable", "flush", "frag", "fully-random", "fwd"],
        b'g' => &["gc-interval", "get", "goto"],
        b'h' => &["handle", "hbh", "hook", "hour"],
        b'i' => &[
            "ibriport", "ibrname", "icmp", "icmpv6", "igmp", "iif", "iifgroup", "iifname", "iiftype", "import",
            "include", "index", "inet", "insert", "interval", "ip", "ip6", "ipsec",
        ],
        b'j' => &["jhash", "jump"],
        b'l' => &["length", "limit", "list", "ll", "log"],
        b'm' => &["map", "mark", "masquerade", "memory", "meta", "meter", "mh", "missing", "monitor"],
        b'n' => &["netdev", "nftrace", "nh", "notrack", "numgen"],
        b'o' => &["obriport", "obrname", "offload", "oif", "oifgroup", "oifname", "oiftype", "osf"],
        b'p' => {
            &["performance", "persistent", "pkttype", "policy", "port", "position", "prefix", "priority", "protocol"]
        }
        b'q' => &["queue", "quota"],
        b'r' => &[
            "random",
            "redefine",
            "redirect",
            "reject",
            "rename",
            "replace",
            "reset",
            "return",
            "rt",
            "rt0",
            "rt2",
            "rtclassid",
            "rule",
            "ruleset",
        ],
        b's' => &["sctp", "secmark", "set", "size", "skgid", "skuid", "snat", "socket", "srh", "symhash", "synproxy"],
        b't' => &["table", "tcp", "th", "time", "timeout", "to", "tproxy", "type", "typeof"],
        b'u' => &["udp", "udplite", "undefine", "update"],
        b'v' => &["vlan", "vmap"],
        _ => &[],
    };
    words.iter().any(|known| known.as_bytes() == word)
}

/// Whether a word that is reserved can stand as a value: protocols, and words of types.
pub(super) fn is_value(word: &[u8]) -> bool {
    matches!(
        word,
        b"ether"
            | b"ip"
            | b"ip6"
            | b"vlan"
            | b"arp"
            | b"dnat"
            | b"snat"
            | b"ecn"
            | b"reset"
            | b"destroy"
            | b"tcp"
            | b"udp"
            | b"udplite"
            | b"esp"
            | b"ah"
            | b"icmp"
            | b"igmp"
            | b"icmpv6"
            | b"comp"
            | b"dccp"
            | b"sctp"
            | b"redirect"
    )
}
