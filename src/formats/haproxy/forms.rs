//! What the values of keywords, parameters and rules have to be (manual, chapters 3 to 5): HAProxy refuses a file with others.

use super::conditions::{is_balanced, is_network};
use super::lex::Word;
use super::places::{Ports, arity, written};
use super::samples::{Moment, Sample, in_format, variable_name};
use super::{values, words};
use crate::net::parse_address;
use crate::text::Span;

type Fault = (Span, String);

/// What a value has to be.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// From the one to the other.
    Number(i64, i64),
    /// A number, perhaps hexadecimal.
    Mark,
    /// A number of bytes or entries: `100k`.
    Size,
    Time,
    /// One of these.
    Word(&'static str),
    /// Some of these, with commas between them and perhaps arguments in parentheses.
    Words(&'static str),
    /// Statuses and ranges of them, with commas between them.
    Statuses,
    Sample,
    /// A text with samples in it.
    Text,
    Regex,
    Variable,
    /// Bytes as pairs of digits.
    Hex,
    /// What a table counts, with periods and numbers in parentheses.
    Stored,
    /// Any that is not empty.
    Name,
    /// It does not stand there.
    Nothing,
    /// An address with a port.
    Place,
    /// An address, perhaps with a port.
    Host,
    /// An address, perhaps with a mask.
    Network,
    /// A variable of the whole process.
    Kept,
    /// What processes know before there are requests.
    Early,
    /// Threads, perhaps of a group: `1/2-4`.
    Threads,
    /// Ways to an address, and addresses, with commas between them.
    Initial,
    /// A parameter of such a table.
    Parameter(&'static str, &'static str),
    /// Any of these.
    Either(&'static [Form]),
}

use Form::{Either, Mark, Network, Number, Parameter, Place, Regex, Size, Statuses, Text, Time};

const ANY_NUMBER: Form = Number(0, i32::MAX as i64);
const ABOVE_0: Form = Number(1, i32::MAX as i64);
const MODES: Form = Form::Word("user operator admin");
const VERSIONS: Form = Form::Word("SSLv3 TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3");
const PROTOCOLS: Form = Form::Word("h1 h2 fcgi none quic spop");
const STORED: &str = "server_id server_key gpt gpt0 gpc gpc0 gpc1 gpc_rate gpc0_rate gpc1_rate conn_cnt conn_cur conn_rate sess_cnt \
    sess_rate http_req_cnt http_req_rate http_err_cnt http_err_rate http_fail_cnt http_fail_rate bytes_in_cnt bytes_in_rate \
    bytes_out_cnt bytes_out_rate glitch_cnt glitch_rate";
const CHECKED: &str =
    "comment/1 min-recv/1 ok-status/1 error-status/1 tout-status/1 on-success/1 on-error/1 status-code/1";

/// Keyword, which of its values, and what that has to be.
#[rustfmt::skip]
const FORMS: &[(&str, usize, Form)] = &[
    ("bind id", 0, ABOVE_0), ("bind level", 0, MODES), ("bind nice", 0, Number(-1024, 1024)), ("bind proto", 0, Form::Word("h1 h2 none quic")),
    ("bind ssl-max-ver", 0, VERSIONS), ("bind ssl-min-ver", 0, VERSIONS), ("bind tcp-ut", 0, Time),
    ("bind accept-netscaler-cip", 0, ABOVE_0), ("bind expose-fd", 0, Form::Word("listeners")), ("bind maxconn", 0, ANY_NUMBER),
    ("bind process", 0, Form::Threads), ("bind severity-output", 0, Form::Word("none number string")),
    ("bind shards", 0, Either(&[Number(1, 4096), Form::Word("by-thread by-group")])), ("bind thread", 0, Form::Threads),
    ("server error-limit", 0, ABOVE_0), ("server fall", 0, ABOVE_0), ("server rise", 0, ABOVE_0),
    ("server init-addr", 0, Form::Initial),
    ("server log-proto", 0, Form::Word("legacy octet-count")), ("server observe", 0, Form::Word("none layer4 layer7")),
    ("server on-error", 0, Form::Word("fastinter fail-check sudden-death mark-down")),
    ("server on-marked-down", 0, Form::Word("shutdown-sessions")), ("server on-marked-up", 0, Form::Word("shutdown-backup-sessions")),
    ("server proto", 0, PROTOCOLS), ("server resolve-opts", 0, Form::Words("allow-dup-ip ignore-weight prevent-dup-ip")),
    ("server resolve-prefer", 0, Form::Word("ipv4 ipv6")), ("server sni", 0, Form::Sample), ("server socks4", 0, Place),
    ("server ssl-max-ver", 0, VERSIONS), ("server ssl-min-ver", 0, VERSIONS), ("server ws", 0, Form::Word("auto h1 h2")),
    ("compression algo-req", 0, Form::Word("identity gzip deflate raw-deflate")),
    ("compression algo-res", 0, Form::Word("identity gzip deflate raw-deflate")),
    ("compression direction", 0, Form::Word("request response both")),
    ("cookie maxidle", 0, Time), ("cookie maxlife", 0, Time), ("declare", 0, Form::Word("capture")), ("dispatch", 0, Place),
    ("declare", 1, Form::Word("request response")), ("declare", 2, Form::Word("len")), ("declare", 3, ABOVE_0),
    ("error-log-format", 0, Text), ("log-format", 0, Text), ("log-format-sd", 0, Text), ("unique-id-format", 0, Text),
    ("hash-type", 1, Form::Word("sdbm djb2 wt6 crc32 none")), ("hash-type", 2, Form::Word("avalanche")), ("id", 0, ABOVE_0),
    ("capture cookie", 1, Form::Word("len")), ("capture request", 0, Form::Word("header")), ("capture request", 2, Form::Word("len")),
    ("capture response", 0, Form::Word("header")), ("capture response", 2, Form::Word("len")),
    ("check error-status", 0, Form::Word("L4CON L6RSP L7RSP L7STS")), ("check ok-status", 0, Form::Word("L4OK L6OK L7OK L7OKC")),
    ("check tout-status", 0, Form::Word("L4TOUT L6TOUT L7TOUT")), ("check on-success", 0, Text), ("check on-error", 0, Text),
    ("check status-code", 0, Form::Sample), ("force-persist", 0, Form::Word("if unless")), ("ignore-persist", 0, Form::Word("if unless")),
    ("hash-balance-factor", 0, Either(&[Number(0, 0), Number(101, i32::MAX as i64)])),
    ("http-check connect proto", 0, PROTOCOLS), ("tcp-check connect proto", 0, PROTOCOLS),
    ("http-check disable-on-404", 0, Form::Nothing), ("http-check send-state", 0, Form::Nothing),
    ("http-check expect string-lf", 0, Text), ("tcp-check expect string-lf", 0, Text), ("tcp-check expect binary", 0, Form::Hex),
    ("http-check send body-lf", 0, Text), ("http-check send uri-lf", 0, Text), ("http-check set-var", 0, Form::Sample),
    ("http-check set-var-fmt", 0, Text), ("tcp-check set-var", 0, Form::Sample), ("tcp-check set-var-fmt", 0, Text),
    ("tcp-check send-binary", 0, Form::Hex), ("tcp-check send-binary-lf", 0, Text), ("tcp-check send-lf", 0, Text),
    ("option mysql-check", 2, Form::Word("post-41 pre-41")), ("option pgsql-check", 0, Form::Word("user")),
    ("server check-proto", 0, PROTOCOLS), ("use-server", 0, Text),
    ("server proxy-v2-options", 0, Form::Words("ssl cert-cn ssl-cipher cert-sig cert-key crc32c authority unique-id")),
    ("email-alert", 0, Form::Word("from level mailers myhostname to")),
    ("email-alert level", 0, Form::Word("emerg alert crit err warning notice info debug")),
    ("option forwardfor except", 0, Network), ("option originalto except", 0, Network), ("option httplog", 0, Form::Word("clf")),
    ("option http-restrict-req-hdr-names", 0, Form::Word("delete preserve reject")), ("option tcplog", 0, Form::Word("clf")),
    ("http-error errorfiles", 0, Form::Name), ("http-error hdr", 1, Text), ("http-error lf-string", 0, Text),
    ("http-error status", 0, Form::Word(STATUSES)),
    ("tcp-check connect port", 0, Either(&[ANY_NUMBER, Form::Sample])), ("http-check connect port", 0, Either(&[ANY_NUMBER, Form::Sample])),
    ("option mysql-check", 0, Form::Word("user")),
    ("stick match", 0, Form::Sample), ("stick on", 0, Form::Sample), ("stick store-request", 0, Form::Sample),
    ("stick store-response", 0, Form::Sample), ("stick-table expire", 0, Time), ("stick-table len", 0, ABOVE_0),
    ("stick-table size", 0, Size), ("stick-table srvkey", 0, Form::Word("name addr")),
    ("stick-table store", 0, Form::Stored), ("stick-table type", 0, Form::Word("ip ipv6 integer string binary")),
    ("stats http-request", 0, Form::Word("allow auth deny tarpit")), ("stats refresh", 0, Time),
    ("http-check expect status", 0, Statuses), ("http-check expect rstatus", 0, Regex), ("http-check expect rstring", 0, Regex),
    ("tcp-check expect rstring", 0, Regex), ("tcp-check expect rbinary", 0, Regex),
    ("regex", 0, Regex), ("rule del-header", 2, Form::Word("str beg end sub reg")), ("rule replace-header", 1, Regex), ("rule replace-path", 0, Regex),
    ("rule replace-pathq", 0, Regex), ("rule replace-uri", 0, Regex), ("rule replace-value", 1, Regex),
    ("rule capture len", 0, ABOVE_0), ("rule capture id", 0, Number(0, i32::MAX as i64)),
    ("rule normalize-uri", 0, Form::Word("fragment-encode fragment-strip path-merge-slashes path-strip-dot path-strip-dotdot \
        percent-decode-unreserved percent-to-uppercase query-sort-by-name")),
    ("rule sc-set-gpt", 0, Either(&[ANY_NUMBER, Form::Sample])), ("rule sc-set-gpt0", 0, Either(&[ANY_NUMBER, Form::Sample])),
    ("rule sc-add-gpc", 0, Either(&[ANY_NUMBER, Form::Sample])),
    ("rule set-mark", 0, Either(&[Mark, Form::Sample])), ("rule set-tos", 0, Either(&[Mark, Form::Sample])),
    ("rule set-priority-class", 0, Form::Sample), ("rule set-priority-offset", 0, Form::Sample), ("rule set-status", 0, Number(100, 999)),
    ("rule set-timeout", 0, Form::Word("client server tunnel connect queue tarpit")),
    ("rule set-timeout", 1, Either(&[Time, Form::Sample])), ("rule wait-for-body time", 0, Time),
    ("rule wait-for-body at-least", 0, Either(&[Mark, Size])),
    ("cache total-max-size", 0, Number(1, 4095)), ("cache max-age", 0, ABOVE_0), ("cache process-vary", 0, Form::Word("on off 0 1")),
    ("cache max-object-size", 0, ANY_NUMBER), ("cache max-secondary-entries", 0, ABOVE_0),
    ("fcgi-app option", 0, Form::Word("get-values keep-conn max-reqs mpxs-conns")), ("fcgi-app option max-reqs", 0, ABOVE_0),
    ("fcgi-app option get-values", 0, Form::Nothing), ("fcgi-app option keep-conn", 0, Form::Nothing),
    ("fcgi-app option mpxs-conns", 0, Form::Nothing), ("fcgi-app path-info", 0, Regex),
    ("http-errors errorfile", 0, Form::Word(STATUSES)),
    ("log-forward bind", 0, Form::Host), ("log-forward dgram-bind", 0, Form::Host), ("log-forward timeout", 0, Form::Word("client")),
    ("mailers mailer", 1, Place), ("mailers timeout", 0, Form::Word("mail")),
    ("peers bind", 0, Place), ("peers peer", 1, Form::Host), ("peers server", 1, Form::Host), ("program option", 0, Form::Word("start-on-reload")),
    ("resolvers accepted_payload_size", 0, Number(12, 65535)), ("resolvers timeout", 0, Form::Word("resolve retry")),
    ("ring format", 0, Form::Word("iso local raw rfc3164 rfc5424 short priority timed")), ("ring maxlen", 0, Size), ("ring size", 0, Size),
    ("ring timeout", 0, Form::Word("connect server")), ("userlist group", 1, Form::Word("users")),
    ("resolvers hold", 0, Form::Word("nx timeout valid obsolete other refused")), ("resolvers hold", 1, Time),
    ("resolvers nameserver", 1, Place),
    ("global default-path", 0, Form::Word("current config parent origin")), ("global external-check", 0, Form::Word("preserve-env")),
    ("global grace", 0, Time), ("global hard-stop-after", 0, Time), ("global nbthread", 0, Number(1, 4096)),
    ("global set-var", 0, Form::Kept), ("global set-var", 1, Form::Early), ("global set-var-fmt", 0, Form::Kept),
    ("global set-var-fmt", 1, Text), ("global spread-checks", 0, Number(0, 50)), ("global stats timeout", 0, Time),
    ("global ssl-default-bind-options", 0, Parameter(words::BIND, words::NEWER_BIND)),
    ("global ssl-default-server-options", 0, Parameter(words::SERVER, words::NEWER_SERVER)),
    ("global ssl-server-verify", 0, Form::Word("none required")), ("global tune.bufsize", 0, Size),
    ("global tune.http.maxhdr", 0, Number(1, 32767)), ("global tune.maxrewrite", 0, Number(0, i32::MAX as i64)),
];

/// Keywords behind which options follow: how many values come before them, and the options with the values of each.
#[rustfmt::skip]
const OPTIONS: &[(&str, usize, &str)] = &[
    ("cookie", 1, "rewrite/0 insert/0 prefix/0 indirect/0 nocache/0 postonly/0 preserve/0 httponly/0 secure/0 dynamic/0 domain/1 \
        maxidle/1 maxlife/1 attr/1"),
    ("compression algo", 0, "identity/0 gzip/0 deflate/0 raw-deflate/0"),
    ("filter compression", 0, ""),
    ("filter trace", 0, "name/1 random-parsing/0 random-forwarding/0 max-fwd/1 hexdump/0 quiet/0"),
    ("http-check connect", 0, "default/0 port/1 addr/1 send-proxy/0 via-socks4/0 ssl/0 sni/1 alpn/1 linger/0 proto/1 comment/1"),
    ("http-error", 0, "status/1 content-type/1 errorfile/1 errorfiles/1 default-errorfiles/0 file/1 lf-file/1 string/1 lf-string/1 hdr/2"),
    ("tcp-check send", 1, "comment/1"),
    ("tcp-check send-binary", 1, "comment/1"),
    ("tcp-check send-binary-lf", 1, "comment/1"),
    ("tcp-check send-lf", 1, "comment/1"),
    ("tcp-check connect", 0, "default/0 port/1 addr/1 send-proxy/0 via-socks4/0 ssl/0 sni/1 alpn/1 linger/0 proto/1 comment/1"),
    ("http-check send", 0, "comment/1 meth/1 uri/1 uri-lf/1 ver/1 hdr/2 body/1 body-lf/1"),
    ("option forwardfor", 0, "except/1 header/1 if-none/0"),
    ("option originalto", 0, "except/1 header/1"),
    ("rule capture", 1, "len/1 id/1"),
    ("rule wait-for-body", 0, "time/1 at-least/1"),
    ("http-response capture", 1, "id/1"),
    ("http-after-response capture", 1, "id/1"),
    ("tcp-request capture", 1, "len/1"),
    ("userlist user", 1, "password/1 insecure-password/1 groups/1"),
    ("stick-table", 0, "type/1 len/1 size/1 expire/1 store/1 peers/1 nopurge/0 srvkey/1 write-to/1 recv-only/0 brates-factor/1"),
];

/// Keywords that are followed by one of these words at least.
const NEEDED: &[(&str, &str)] = &[
    ("stick-table", "type"),
    ("stick-table", "size"),
    ("filter spoe", "config"),
    ("http-error", "status"),
    ("rule wait-for-body", "time"),
];

/// Keywords behind which something follows.
const FOLLOWED: &[&str] = &[
    "compression algo",
    "compression type",
    "filter cache",
    "filter fcgi-app",
    "filter spoe",
    "fcgi-app option max-reqs",
    "http-check expect",
    "tcp-check expect",
    "http-check comment",
    "http-check set-var",
    "http-check set-var-fmt",
    "option mysql-check user",
    "tcp-check comment",
    "tcp-check send",
    "tcp-check send-binary",
    "tcp-check send-binary-lf",
    "tcp-check send-lf",
    "tcp-check set-var",
    "tcp-check set-var-fmt",
];

/// Keywords whose values are read however they are written, or HAProxy warns and goes on.
const LENIENT: &[&str] =
    &["cache max-age", "cache process-vary", "ring timeout", "stats http-request", "userlist user"];

/// Keywords with numbers that HAProxy measures, but takes for 0 where there is none.
const MEASURED: &[&str] = &["bind maxconn", "bind nice", "global spread-checks", "hash-balance-factor"];

const STATUSES: &str = "200 400 401 403 404 405 407 408 410 413 414 422 425 429 431 500 501 502 503 504";

/// Actions with arguments in parentheses: how many at least, and what each has to be; the last form is that of all others.
const CALLS: &[(&str, usize, &[Form])] = &[
    ("do-resolve", 2, &[Form::Name, Form::Name, Form::Word("ipv4 ipv6")]),
    ("sc-add-gpc", 2, &[ANY_NUMBER]),
    ("sc-inc-gpc", 2, &[ANY_NUMBER]),
    ("sc-inc-gpc0", 0, &[ANY_NUMBER]),
    ("sc-inc-gpc1", 0, &[ANY_NUMBER]),
    ("sc-set-gpt", 2, &[ANY_NUMBER]),
    ("sc-set-gpt0", 0, &[ANY_NUMBER]),
    ("set-var", 1, &[Form::Variable, Form::Word(CONDITIONS)]),
    ("set-var-fmt", 1, &[Form::Variable, Form::Word(CONDITIONS)]),
    ("unset-var", 1, &[Form::Variable]),
];

/// When a variable is set.
pub(super) const CONDITIONS: &str = "ifexists ifnotexists ifempty ifnotempty ifset ifnotset ifgt iflt";

/// Words that may not stand together.
const ONE_OF: &[(&str, &[&str])] = &[
    ("cookie", &["rewrite", "insert", "prefix"]),
    ("cookie", &["rewrite", "indirect"]),
    ("rule capture", &["len", "id"]),
];

/// What is expected of an answer to a check: keyword and patterns.
const EXPECTED: &[(&str, &str)] = &[
    ("http-check expect", "string rstring string-lf status rstatus hdr fhdr"),
    ("tcp-check expect", "string rstring string-lf binary rbinary binary-lf"),
];

fn refused<T>(at: Span, why: impl std::fmt::Display) -> Result<T, Fault> {
    Err((at, format!("{why}: HAProxy refuses the file")))
}

/// Whether HAProxy takes the values of a keyword.
pub(super) fn check(key: &str, values: &[Word]) -> Result<(), Fault> {
    if values.iter().any(|word| word.unknown) {
        return Ok(());
    }
    for (_, place, form) in FORMS.iter().filter(|(known, ..)| *known == key) {
        if let Some(word) = values.get(*place)
            && !form.fits(&word.text)
        {
            let why = format!("`{}` is nothing that stands behind `{key}`", word.text);
            let no_number = MEASURED.contains(&key) && word.text.parse::<i64>().is_err();
            return if no_number || LENIENT.contains(&key) { Err((word.at, why)) } else { refused(word.at, why) };
        }
    }
    let has = |name: &str| values.iter().find(|word| word.text == name);
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return Ok(()) };
    if let Some((_, missing)) = NEEDED.iter().find(|(known, needed)| *known == key && has(needed).is_none()) {
        return refused(first.at, format!("`{key}` needs `{missing}`"));
    }
    for (_, names) in ONE_OF.iter().filter(|(known, _)| *known == key) {
        let mut those = names.iter().filter_map(|name| values.iter().skip(1).find(|word| word.text == *name));
        if let (Some(_), Some(second)) = (those.next(), those.next()) {
            return refused(second.at, format!("`{}` does not stand beside another way", second.text));
        }
    }
    if let Some((_, patterns)) = EXPECTED.iter().find(|(known, _)| *known == key) {
        return expected(key, values, patterns);
    }
    let Some((_, before, options)) = OPTIONS.iter().find(|(known, ..)| *known == key) else { return Ok(()) };
    let mut rest = values.get(*before..).unwrap_or_default();
    while let Some((option, behind)) = rest.split_first() {
        let Some(count) = arity(options, &option.text) else {
            return refused(option.at, format!("`{key}` does not know `{}`", option.text));
        };
        let Some(given) = behind.get(..count) else {
            let why = format!("`{}` is followed by nothing", option.text);
            return if LENIENT.contains(&key) { Err((last.at, why)) } else { refused(last.at, why) };
        };
        check(&format!("{key} {}", option.text), given)?;
        rest = &behind[count..];
    }
    Ok(())
}

/// The same for a keyword whose first value is one of its own.
pub(super) fn check_both(key: &str, values: &[Word]) -> Result<(), Fault> {
    check(key, values)?;
    let Some((second, rest)) = values.split_first() else { return Ok(()) };
    let is_check = matches!(key, "http-check" | "tcp-check");
    if is_check {
        check_call(second)?;
    }
    let name = second.text.split('(').next().filter(|_| is_check).unwrap_or(&second.text);
    let both = format!("{key} {name}");
    if rest.is_empty() && FOLLOWED.contains(&both.as_str()) {
        return refused(second.at, format!("`{both}` is followed by too little"));
    }
    check(&both, rest)
}

/// Whether HAProxy takes what stands in parentheses behind the name of an action.
pub(super) fn check_call(word: &Word) -> Result<(), Fault> {
    let (name, inner) = word.text.split_once('(').unwrap_or((&word.text, ""));
    let Some((_, least, forms)) = CALLS.iter().find(|(known, ..)| *known == name).filter(|_| !word.unknown) else {
        return Ok(());
    };
    let arguments: Vec<&str> = match inner.strip_suffix(')') {
        Some("") => Vec::new(),
        Some(inner) => inner.split(',').map(str::trim).collect(),
        None if word.text.contains('(') => return refused(word.at, "a parenthesis is not closed"),
        None => Vec::new(),
    };
    if arguments.len() < *least {
        return refused(word.at, format!("`{name}` takes {least} of arguments in parentheses"));
    }
    let each = forms.iter().chain(std::iter::repeat_with(|| forms.last().unwrap_or(&Form::Name)));
    let wrong = arguments.iter().zip(each).find(|(text, form)| !text.is_empty() && !form.fits(text));
    wrong.map_or(Ok(()), |(text, _)| refused(word.at, format!("`{text}` is nothing that `{name}` takes")))
}

/// Options, perhaps `!`, and a pattern.
fn expected(key: &str, values: &[Word], patterns: &str) -> Result<(), Fault> {
    let mut rest = values;
    while let Some((word, behind)) = rest.split_first() {
        let bare = word.text.trim_start_matches('!');
        if let Some(count) = arity(CHECKED, &word.text) {
            check(&format!("check {}", word.text), behind.get(..count).unwrap_or_default())?;
            rest = behind.get(count..).unwrap_or_default();
        } else if bare.is_empty() {
            rest = behind;
        } else if bare == "custom" {
            return Err((word.at, "`custom` is no pattern of the manual".to_owned()));
        } else if !patterns.split_ascii_whitespace().any(|known| known == bare) {
            return refused(word.at, format!("`{key}` does not know `{}`", word.text));
        } else if behind.is_empty() {
            return refused(word.at, format!("`{}` is followed by nothing", word.text));
        } else {
            return check(&format!("{key} {bare}"), behind);
        }
    }
    values.last().map_or(Ok(()), |last| refused(last.at, format!("`{key}` needs a pattern")))
}

impl Form {
    fn fits(self, text: &str) -> bool {
        let is_one = |known: &str, text: &str| known.split_ascii_whitespace().any(|known| known == text);
        let number = |text: &str| text.parse::<i64>().ok();
        match self {
            Self::Number(least, most) => number(text).is_some_and(|number| (least..=most).contains(&number)),
            Self::Mark => match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                Some(digits) => u32::from_str_radix(digits, 16).is_ok(),
                None => text.parse::<u32>().is_ok(),
            },
            Self::Size => {
                number(text.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']).unwrap_or(text)).is_some_and(|n| n > 0)
            }
            Self::Time => values::milliseconds(text).is_some(),
            Self::Word(known) => is_one(known, text),
            Self::Words(known) => without_arguments(text).split(',').all(|word| is_one(known, word.trim())),
            Self::Statuses => text.split(',').all(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                number(first).zip(number(last)).is_some_and(|(first, last)| first <= last)
            }),
            Self::Sample => Sample::whole(text).is_ok(),
            Self::Text => in_format(text).is_ok(),
            Self::Regex => is_balanced(text),
            Self::Variable => variable_name(text).is_ok(),
            Self::Hex => text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()),
            Self::Stored => stored(text),
            Self::Kept => text.starts_with("proc.") && variable_name(text).is_ok(),
            Self::Early => Sample::whole(text).is_ok_and(|sample| !sample.is_absent(Moment::Start)),
            Self::Network => is_network(text),
            Self::Name => !text.is_empty(),
            Self::Nothing => false,
            Self::Threads => {
                let plain = |c: char| c.is_ascii_digit() || "-/".contains(c);
                let bare = text.rsplit('/').next().unwrap_or_default();
                matches!(bare, "all" | "odd" | "even")
                    || (!text.is_empty() && text.split(',').all(|part| part.chars().all(plain)))
            }
            Self::Place => written(text, false).is_ok_and(|written| written.socket || written.ports != Ports::None),
            Self::Host => written(text, false).is_ok(),
            Self::Initial => {
                text.split(',').all(|word| is_one("last libc none", word) || parse_address(word).is_some())
            }
            Self::Parameter(known, newer) => arity(known, text).or_else(|| arity(newer, text)).is_some(),
            Self::Either(forms) => forms.iter().any(|form| form.fits(text)),
        }
    }
}

/// `gpc0_rate(1m),gpt(2)`: rates have a period, and arrays a number.
fn stored(text: &str) -> bool {
    let array = |number: &str| number.parse::<u32>().is_ok_and(|number| (1..=100).contains(&number));
    let period = |period: &str| values::milliseconds(period.trim()).is_some();
    let mut rest = text;
    loop {
        let end = rest.find([',', '(']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let (inner, behind) = match behind.strip_prefix('(').map(|behind| behind.split_once(')')) {
            Some(Some((inner, behind))) => (Some(inner), behind),
            Some(None) => return false,
            None => (None, behind),
        };
        let fits = match (name.trim(), inner) {
            ("gpc_rate", Some(inner)) => inner.split_once(',').is_some_and(|(n, time)| array(n.trim()) && period(time)),
            ("gpc" | "gpt", Some(inner)) => array(inner.trim()),
            ("gpc" | "gpt", None) => false,
            (name, inner) if name.ends_with("_rate") => inner.is_some_and(period),
            (_, inner) => inner.is_none(),
        };
        if !fits || !STORED.split_ascii_whitespace().any(|known| known == name.trim()) {
            return false;
        }
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None => return behind.is_empty(),
        }
    }
}

/// `gpc0_rate(1m),gpt(2)` as `gpc0_rate,gpt`.
fn without_arguments(text: &str) -> String {
    let mut depth = 0_usize;
    let mut outside = |c: char| {
        depth += usize::from(c == '(');
        let outside = depth == 0;
        depth -= usize::from(c == ')' && depth > 0);
        outside
    };
    text.chars().filter(|c| outside(*c)).collect()
}
