//! The keywords of proxies: where they may stand, how many words follow, and what they are for (manual, chapter 4).

/// Where a keyword may stand.
pub(super) const D: u8 = 1;
pub(super) const F: u8 = 2;
pub(super) const B: u8 = 4;

/// What a keyword is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// No answer to a client depends on it.
    Inert(&'static str),
    /// A setting: the last one counts.
    Single,
    /// A setting that may be there several times, in order.
    List,
    /// How the health of servers is found out; the last one counts.
    Check,
    /// The same, several lines in order.
    CheckStep,
    /// HAProxy refuses it: it was removed.
    Removed,
}

/// A keyword of one or two words.
pub(super) struct Keyword {
    pub(super) sections: u8,
    pub(super) use_: Use,
    pub(super) least: usize,
    pub(super) most: usize,
}

/// The keyword that a line begins with, and of how many words it is.
pub(super) fn find(first: &str, second: &str) -> Option<(Keyword, usize)> {
    // `rdp-cookie(name)`
    let second = second.split('(').next().filter(|_| first == "persist").unwrap_or(second);
    let two = format!("{first} {second}");
    let known = |name: &str| KEYWORDS.iter().find(|entry| entry.0 == name);
    let (entry, words) = match known(&two) {
        Some(entry) => (entry, 2),
        None => (known(first)?, 1),
    };
    let (_, sections, use_, least, most) = *entry;
    Some((Keyword { sections, use_, least, most }, words))
}

use Use::{Check, CheckStep, Inert, List, Removed, Single};

const LOG: Use = Inert("log");
const ANY: usize = 64;

/// Options that are not taken back by `no`.
pub(super) const NOT_NEGATED: &[&str] = &[
    "external-check",
    "forwardfor",
    "http-restrict-req-hdr-names",
    "httpchk",
    "httplog",
    "httpslog",
    "ldap-check",
    "mysql-check",
    "originalto",
    "pgsql-check",
    "redis-check",
    "smtpchk",
    "spop-check",
    "ssl-hello-chk",
    "tcp-check",
    "tcpka",
    "tcplog",
];

#[rustfmt::skip]
static KEYWORDS: &[(&str, u8, Use, usize, usize)] = &[
    ("backlog", D | F, Single, 1, 1), ("balance", D | B, Single, 0, ANY), ("bind-process", D | F | B, Inert("processes"), 0, ANY),
    ("capture cookie", F, LOG, 3, 3), ("capture request", F, List, 4, 4), ("capture response", F, LOG, 4, 4),
    ("clitcpka-cnt", D | F, Single, 1, 1), ("clitcpka-idle", D | F, Single, 1, 1), ("clitcpka-intvl", D | F, Single, 1, 1),
    ("compression", D | F | B, List, 1, ANY), ("cookie", D | B, Single, 1, ANY), ("declare", F, List, 4, ANY),
    ("description", F | B, Inert("description"), 1, ANY), ("dynamic-cookie-key", D | B, Single, 1, 1), ("email-alert", D | F | B, Inert("mail"), 2, 2),
    ("errorfile", D | F | B, List, 2, 2), ("errorfiles", D | F | B, List, 1, ANY), ("errorloc", D | F | B, List, 2, 2),
    ("errorloc302", D | F | B, List, 2, 2), ("errorloc303", D | F | B, List, 2, 2), ("error-log-format", D | F, LOG, 1, 1),
    ("external-check command", D | B, CheckStep, 1, 1), ("external-check path", D | B, CheckStep, 1, 1),
    ("filter", F | B, List, 1, ANY), ("force-persist", B, List, 1, ANY), ("ignore-persist", B, List, 1, ANY),
    ("fullconn", D | B, Single, 1, 1), ("grace", D | F | B, Inert("stop"), 1, 1), ("guid", F | B, Inert("name"), 1, 1),
    ("hash-type", D | B, Single, 1, 3), ("hash-balance-factor", D | B, Single, 1, 1), ("hash-preserve-affinity", D | B, Single, 1, 1),
    ("http-after-response", D | F | B, List, 1, ANY), ("http-response", D | F | B, List, 1, ANY),
    ("http-check", D | B, CheckStep, 1, ANY), ("http-error", D | F | B, List, 1, ANY), ("http-reuse", D | B, Single, 1, 1),
    ("http-send-name-header", D | B, Single, 1, 1), ("id", F | B, Inert("number"), 1, 1),
    ("load-server-state-from-file", D | B, Single, 1, 1), ("log", D | F | B, LOG, 1, ANY), ("log-format", D | F, LOG, 1, 1),
    ("log-format-sd", D | F, LOG, 1, 1), ("log-tag", D | F | B, LOG, 1, 1), ("log-steps", D | F, LOG, 1, 1),
    ("max-keep-alive-queue", D | B, Single, 1, 1), ("max-session-srv-conns", D | F, Single, 1, 1), ("maxconn", D | F, Single, 1, 1),
    ("persist rdp-cookie", D | B, Single, 0, 0), ("rate-limit sessions", D | F, Single, 1, 1), ("retries", D | B, Single, 1, 1),
    ("retry-on", D | B, Single, 1, ANY), ("server-state-file-name", D | B, Single, 0, 1), ("srvtcpka-cnt", D | B, Single, 1, 1),
    ("srvtcpka-idle", D | B, Single, 1, 1), ("srvtcpka-intvl", D | B, Single, 1, 1), ("stick", B, List, 2, ANY),
    ("stick-table", F | B, Single, 1, ANY), ("tcp-check", D | B, CheckStep, 1, ANY), ("tcp-response", D | B, List, 2, ANY),
    ("timeout client", D | F, Single, 1, 1), ("timeout client-fin", D | F, Single, 1, 1), ("timeout client-hs", D | F, Single, 1, 1),
    ("timeout http-keep-alive", D | F | B, Single, 1, 1), ("timeout http-request", D | F | B, Single, 1, 1),
    ("timeout check", D | B, Single, 1, 1), ("timeout connect", D | B, Single, 1, 1), ("timeout queue", D | B, Single, 1, 1),
    ("timeout server", D | B, Single, 1, 1), ("timeout server-fin", D | B, Single, 1, 1), ("timeout tarpit", D | F | B, Single, 1, 1),
    ("timeout tunnel", D | B, Single, 1, 1), ("unique-id-format", D | F, Single, 1, 1), ("unique-id-header", D | F, Single, 1, 1),
    ("use-fcgi-app", B, Single, 1, 1),
    ("option abortonclose", D | F | B, Single, 0, 0), ("option accept-invalid-http-request", D | F, Single, 0, 0),
    ("option accept-invalid-http-response", D | B, Single, 0, 0), ("option accept-unsafe-violations-in-http-request", D | F, Single, 0, 0),
    ("option accept-unsafe-violations-in-http-response", D | B, Single, 0, 0), ("option allbackups", D | B, Single, 0, 0),
    ("option assume-rfc6587-ntf", D | F, Single, 0, 0), ("option checkcache", D | B, Single, 0, 0), ("option clitcpka", D | F, Single, 0, 0),
    ("option contstats", D | F, Inert("statistics"), 0, 0), ("option disable-h2-upgrade", D | F, Single, 0, 0),
    ("option dont-parse-log", D | F, LOG, 0, 0), ("option dontlog-normal", D | F, LOG, 0, 0), ("option dontlognull", D | F, LOG, 0, 0),
    ("option forwardfor", D | F | B, Single, 0, 5), ("option forwarded", D | F | B, Single, 0, ANY),
    ("option h1-case-adjust-bogus-client", D | F, Single, 0, 0), ("option h1-case-adjust-bogus-server", D | B, Single, 0, 0),
    ("option http-buffer-request", D | F | B, Single, 0, 0), ("option http-drop-request-trailers", D | B, Single, 0, 0),
    ("option http-drop-response-trailers", D | F, Single, 0, 0), ("option http-ignore-probes", D | F, Single, 0, 0),
    ("option http-keep-alive", D | F | B, Single, 0, 0), ("option http-no-delay", D | F | B, Single, 0, 0),
    ("option http-pretend-keepalive", D | B, Single, 0, 0), ("option http-restrict-req-hdr-names", D | F | B, Single, 1, 1),
    ("option http-server-close", D | F | B, Single, 0, 0), ("option http-use-htx", D | F | B, Inert("always so"), 0, 0),
    ("option http-use-proxy-header", D | F, Single, 0, 0), ("option httpchk", D | B, Check, 0, 4), ("option httpclose", D | F | B, Single, 0, 0),
    ("option httplog", D | F | B, LOG, 0, 1), ("option httpslog", D | F | B, LOG, 0, 0), ("option idle-close-on-response", D | F, Single, 0, 0),
    ("option independent-streams", D | F | B, Single, 0, 0), ("option ldap-check", D | B, Check, 0, 0),
    ("option external-check", D | B, Check, 0, 0), ("option log-health-checks", D | B, LOG, 0, 0),
    ("option log-separate-errors", D | F, LOG, 0, 0), ("option logasap", D | F, LOG, 0, 0), ("option mysql-check", D | B, Check, 0, 3),
    ("option nolinger", D | F | B, Single, 0, 0), ("option originalto", D | F | B, Single, 0, 4), ("option persist", D | B, Single, 0, 0),
    ("option pgsql-check", D | B, Check, 2, 2), ("option prefer-last-server", D | B, Single, 0, 0), ("option redispatch", D | B, Single, 0, 1),
    ("option redis-check", D | B, Check, 0, 0), ("option smtpchk", D | B, Check, 0, 2), ("option socket-stats", D | F, Inert("statistics"), 0, 0),
    ("option splice-auto", D | F | B, Inert("how bytes are copied"), 0, 0), ("option splice-request", D | F | B, Inert("how bytes are copied"), 0, 0),
    ("option splice-response", D | F | B, Inert("how bytes are copied"), 0, 0), ("option spop-check", D | B, Check, 0, 0),
    ("option srvtcpka", D | B, Single, 0, 0), ("option ssl-hello-chk", D | B, Check, 0, 0), ("option tcp-check", D | B, Check, 0, 0),
    ("option tcp-smart-accept", D | F, Single, 0, 0), ("option tcp-smart-connect", D | B, Single, 0, 0), ("option tcpka", D | F | B, Single, 0, 0),
    ("option tcplog", D | F | B, LOG, 0, 1), ("option transparent", D | B, Single, 0, 0), ("option use-small-buffers", D | B, Single, 0, ANY),
    ("option http_proxy", D | F | B, Removed, 0, 0), ("option http-tunnel", D | F | B, Removed, 0, 0), ("option forceclose", D | F | B, Removed, 0, 0),
    ("option tcpchk", D | B, Removed, 0, 0),
    ("block", F | B, Removed, 0, ANY), ("reqadd", D | F | B, Removed, 0, ANY), ("reqallow", D | F | B, Removed, 0, ANY),
    ("reqdel", D | F | B, Removed, 0, ANY), ("reqdeny", D | F | B, Removed, 0, ANY), ("reqiallow", D | F | B, Removed, 0, ANY),
    ("reqidel", D | F | B, Removed, 0, ANY), ("reqideny", D | F | B, Removed, 0, ANY), ("reqipass", D | F | B, Removed, 0, ANY),
    ("reqirep", D | F | B, Removed, 0, ANY), ("reqitarpit", D | F | B, Removed, 0, ANY), ("reqpass", D | F | B, Removed, 0, ANY),
    ("reqrep", D | F | B, Removed, 0, ANY), ("reqtarpit", D | F | B, Removed, 0, ANY), ("rspadd", D | F | B, Removed, 0, ANY),
    ("rspdel", D | F | B, Removed, 0, ANY), ("rspdeny", D | F | B, Removed, 0, ANY), ("rspidel", D | F | B, Removed, 0, ANY),
    ("rspideny", D | F | B, Removed, 0, ANY), ("rspirep", D | F | B, Removed, 0, ANY), ("rsprep", D | F | B, Removed, 0, ANY),
    ("clitimeout", D | F, Removed, 0, ANY), ("srvtimeout", D | B, Removed, 0, ANY), ("contimeout", D | B, Removed, 0, ANY),
    ("redispatch", D | B, Removed, 0, ANY), ("transparent", D | B, Removed, 0, ANY), ("appsession", B, Removed, 0, ANY),
];
