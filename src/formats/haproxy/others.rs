//! `global` and the sections beside proxies: objects of the configuration.

use super::ask::predefined;
use super::conditions::{Asked, Question, When};
use super::lex::{Line, joined};
use super::secrets;
use super::sections::{Entry, Kind, Section, shown};
use super::{forms, places, servers, values};
use crate::formats::account::Account;
use crate::formats::{Disposition, Reading};
use crate::model::Object;
use crate::text::{Span, escape};
use std::collections::BTreeSet;

/// Reads a section as one object.
pub(super) fn read(section: &Section, reading: &mut Reading<'_>, account: &mut Account) {
    let head = &section.head;
    account.claim(head.at, Disposition::Modelled);
    let (known, named) = match section.kind {
        Kind::Other(word) => {
            let table = SECTIONS.iter().find(|(name, ..)| *name == word);
            (table.map_or("", |(_, _, known)| known), table.is_some_and(|(_, named, _)| *named))
        }
        Kind::Global => (GLOBAL, false),
        Kind::Defaults | Kind::Frontend | Kind::Backend | Kind::Listen => return,
    };
    let name = section.name().map_or("", |word| word.text.as_str());
    if named && name.is_empty() {
        account.gap(head.at, "a section needs a name: HAProxy refuses the file");
    }
    if let Some(extra) = head.words.get(if named { 2 } else { 1 }) {
        account.gap(extra.at, format!("`{}` is not expected here", extra.text));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    if let Some(name) = section.name().filter(|name| named && !name.unknown && !name.text.chars().all(plain)) {
        account.gap(name.at, format!("`{}` is no name of a section: HAProxy refuses the file", name.text));
    }
    let mut content = Vec::new();
    for Entry { line, guards } in &section.entries {
        match line_of(section.kind, line, known) {
            Ok(Disposition::Modelled) => {
                account.claim(line.at, Disposition::Modelled);
                let text = secrets::shown(line).unwrap_or_else(|| joined(&line.words));
                content.push(if guards.is_empty() { text } else { format!("where {}: {text}", shown(guards)) });
            }
            Ok(other) => account.claim(line.at, other),
            Err((at, why)) => {
                account.gap(at, why);
                account.claim(line.at, Disposition::Modelled);
            }
        }
    }
    if section.kind == Kind::Global && content.is_empty() {
        return;
    }
    let has = |keyword: &str| section.entries.iter().any(|entry| entry.line.text(0) == keyword);
    let lacking = REQUIRED.iter().find(|(kind, keyword)| section.kind == Kind::Other(kind) && !has(keyword));
    if let Some((kind, keyword)) = lacking {
        account.gap(head.at, format!("a section `{kind}` needs `{keyword}`: HAProxy refuses the file"));
    }
    users(section, account);
    twice(section, account);
    if section.kind == Kind::Other("fcgi-app") {
        conditions(section, account);
    }
    let kind = match section.kind {
        Kind::Global => "global",
        Kind::Other(word) => word,
        Kind::Defaults | Kind::Frontend | Kind::Backend | Kind::Listen => return,
    };
    if section.kind == Kind::Global {
        content.sort();
    }
    let address = escape(name.as_bytes());
    let objects = &mut reading.configuration.objects;
    if let Some(same) = objects.iter_mut().find(|object| object.kind == kind && object.address == address) {
        if section.kind == Kind::Global {
            same.content = format!("{}; {}", same.content, content.join("; "));
            return;
        }
        if kind == "userlist" && content.is_empty() {
            return;
        }
        account.gap(head.at, format!("another section `{kind} {name}` is there already"));
        return;
    }
    objects.push(Object::new(kind, address, content.join("; "), head.at));
}

/// What a section does not do without.
const REQUIRED: &[(&str, &str)] = &[("cache", "total-max-size"), ("fcgi-app", "docroot"), ("program", "command")];

/// Says which users and groups of a list name each other and are not there.
fn users(section: &Section, account: &mut Account) {
    if section.kind != Kind::Other("userlist") {
        return;
    }
    let lines = |keyword: &'static str| {
        section.entries.iter().map(|entry| &entry.line).filter(move |line| line.text(0) == keyword)
    };
    for (keyword, before, other) in [("user", "groups", "group"), ("group", "users", "user")] {
        for line in lines(keyword) {
            let named =
                line.words.iter().skip(2).skip_while(|word| word.text != before).nth(1).filter(|word| !word.unknown);
            let Some(word) = named else { continue };
            let missing = word.text.split(',').find(|name| !lines(other).any(|line| line.text(1) == *name));
            if let Some(missing) = missing {
                account.gap(word.at, format!("there is no {other} `{missing}`: HAProxy refuses the file"));
            }
        }
    }
}

/// What the words of a line are parameters of.
#[derive(Clone, Copy)]
enum Like {
    Place,
    Server,
    Table,
}

/// Sections, keywords, and from which word on these are what.
const LIKE: &[(&str, &str, usize, Like)] = &[
    ("log-forward", "bind", 2, Like::Place),
    ("log-forward", "dgram-bind", 2, Like::Place),
    ("peers", "bind", 2, Like::Place),
    ("peers", "default-bind", 1, Like::Place),
    ("peers", "default-server", 1, Like::Server),
    ("peers", "peer", 3, Like::Server),
    ("peers", "server", 3, Like::Server),
    ("peers", "table", 2, Like::Table),
    ("ring", "server", 3, Like::Server),
];

/// Whether HAProxy takes what an application of FastCGI asks.
fn application(line: &Line) -> Result<(), (Span, String)> {
    match line.text(0) {
        "no" => forms::check_both("fcgi-app option", line.from(2))?,
        "log-stderr" => values::log(line.from(1))?,
        _ => {}
    }
    if line.text(0) == "acl" {
        return Question::read(line.from(2), line.at).map(|_| ());
    }
    let at = line.words.iter().position(|word| matches!(word.text.as_str(), "if" | "unless"));
    When::read(line.from(at.unwrap_or(line.words.len()))).map(|_| ())
}

/// Says which ACLs the lines of a section name and do not declare.
fn conditions(section: &Section, account: &mut Account) {
    let declared = |name: &str| {
        let mut lines = section.entries.iter().map(|entry| &entry.line);
        lines.any(|line| line.text(0) == "acl" && line.text(1) == name)
    };
    for line in section.entries.iter().map(|entry| &entry.line).filter(|line| line.text(0) != "acl") {
        let at = line.words.iter().position(|word| matches!(word.text.as_str(), "if" | "unless"));
        // What is no condition is told where it stands.
        let Ok(Some(when)) = When::read(line.from(at.unwrap_or(line.words.len()))) else { continue };
        for term in when.alternatives.iter().flatten() {
            let Asked::Named(word) = &term.asked else { continue };
            if !declared(&word.text) && predefined(&word.text, word.at).is_none() {
                account.gap(word.at, format!("no such ACL: `{}`: HAProxy refuses the file", word.text));
            }
        }
    }
}

/// Says which of its lines give the same name to two of a kind.
fn twice(section: &Section, account: &mut Account) {
    let mut seen = BTreeSet::new();
    for line in section.entries.iter().map(|entry| &entry.line).filter(|line| line.text(0) == "nameserver") {
        if !seen.insert(line.text(1)) {
            account.gap(line.at, format!("another nameserver is called `{}`: HAProxy refuses the file", line.text(1)));
        }
    }
}

fn line_of(kind: Kind, line: &Line, known: &str) -> Result<Disposition, (Span, String)> {
    let first = line.text(if line.text(0) == "no" { 1 } else { 0 });
    let entry = known.split_ascii_whitespace().find_map(|entry| {
        let (name, count) = entry.rsplit_once('/').unwrap_or((entry, ""));
        let fits = name.strip_suffix('*').map_or(name == first, |start| first.starts_with(start));
        fits.then_some(count)
    });
    if line.text(0) == "tune.chksize" {
        return Err((line.at, "`tune.chksize` is not supported any more: HAProxy refuses the file".to_owned()));
    }
    let Some(count) = entry else {
        return Err((line.at, format!("unknown keyword `{first}` in a {} section", kind.word())));
    };
    if line.words.iter().any(|word| word.unknown) {
        return Ok(Disposition::Modelled);
    }
    let numbers: Vec<usize> = count.split('-').filter_map(|n| n.parse().ok()).collect();
    let given = line.words.len() - 1;
    if let [least, most] = numbers.as_slice() {
        if given < *least {
            return Err((line.at, format!("`{first}` is followed by too little")));
        }
        if let Some(extra) = line.words.get(1 + most) {
            return Err((extra.at, format!("`{}` is one word too many", extra.text)));
        }
    }
    if line.text(0) == first {
        forms::check_both(&format!("{} {first}", kind.word()), line.from(1))?;
    }
    let like = LIKE.iter().find(|(section, keyword, ..)| (Kind::Other(section), *keyword) == (kind, first));
    if let Some((_, _, from, like)) = like {
        match like {
            Like::Place => places::check(line.from(*from))?,
            Like::Server => servers::check(line.from(*from))?,
            Like::Table => forms::check("stick-table", line.from(*from))?,
        }
    }
    if kind == Kind::Other("fcgi-app") {
        application(line)?;
    }
    if first == "timeout"
        && let Some(word) = line.words.get(2)
    {
        values::time(word)?;
    }
    let number =
        ["maxconn", "nbthread", "ulimit-n", "maxsslconn", "maxconnrate", "maxsessrate", "maxpipes", "uid", "gid"];
    if kind == Kind::Global && number.contains(&first) {
        let word = line.words.get(1);
        if let Some(word) = word.filter(|word| word.text.parse::<u64>().is_err()) {
            return Err((word.at, format!("`{}` is no number", word.text)));
        }
    }
    if kind == Kind::Global && first == "stats" {
        match line.text(1) {
            "socket" if line.words.len() < 3 => {
                return Err((line.at, "`stats socket` is followed by an address: HAProxy refuses the file".to_owned()));
            }
            "socket" => places::socket(line.from(3))?,
            "timeout" | "maxconn" | "bind-process" => {}
            other => return Err((line.at, format!("unknown stats parameter `{other}`: HAProxy refuses the file"))),
        }
    }
    if first == "log" && line.text(0) == "log" && matches!(kind, Kind::Global | Kind::Other("log-forward" | "peers")) {
        values::log(line.from(1))?;
    }
    Ok(match first {
        "log" | "log-tag" | "log-send-hostname" | "description" | "quiet" | "node" => Disposition::Inert("log"),
        "format" if kind == Kind::Other("ring") => Disposition::Inert("log"),
        _ => Disposition::Modelled,
    })
}

/// Keywords with the fewest and the most words that follow; a star stands for the rest of the name.
const GLOBAL: &str = "51degrees-*/1-64 busy-polling/0-0 ca-base/1-1 chroot/1-1 close-spread-time/1-1 cluster-secret/1-1 \
    cpu-map/2-64 cpu-affinity/1-64 cpu-policy/1-64 cpu-set/1-64 crt-base/1-1 daemon/0-0 default-path/1-2 description/1-64 \
    deviceatlas-*/1-64 dns-accept-family/1-1 expose-deprecated-directives/0-0 expose-experimental-directives/0-0 \
    external-check/0-1 fd-hard-limit/1-1 force-cfg-parser-pause/1-1 gid/1-1 grace/1-1 group/1-1 \
    h1-accept-payload-with-any-method/0-0 h1-case-adjust/2-2 h1-case-adjust-file/1-1 h1-do-not-close-on-insecure-transfer-encoding/0-0 \
    h2-workaround-bogus-websocket-clients/0-0 hard-stop-after/1-1 harden.*/1-2 host/1-64 httpclient.*/1-2 \
    insecure-fork-wanted/0-0 insecure-setuid-wanted/0-0 issuers-chain-path/1-1 key-base/1-1 limited-quic/0-0 localpeer/1-1 \
    log/1-64 log-send-hostname/0-1 log-tag/1-1 lua-load/1-64 lua-load-per-thread/1-64 lua-prepend-path/1-2 master-worker/0-1 \
    max-spread-checks/1-1 maxcompcpuusage/1-1 maxcomprate/1-1 maxconn/1-1 maxconnrate/1-1 maxpipes/1-1 maxsessrate/1-1 \
    maxsslconn/1-1 maxsslrate/1-1 maxzlibmem/1-1 mworker-max-reloads/1-1 nbthread/1-1 no-memory-trimming/0-0 \
    no-quic/0-0 node/1-1 noepoll/0-0 noevports/0-0 nogetaddrinfo/0-0 nokqueue/0-0 nopoll/0-0 noreuseport/0-0 nosplice/0-0 \
    numa-cpu-mapping/0-0 ocsp-update.*/1-2 pidfile/1-1 pp2-never-send-local/0-0 prealloc-fd/0-0 presetenv/2-64 \
    profiling.*/1-1 quick-exit/0-0 quiet/0-0 resetenv/0-64 server-state-base/1-1 server-state-file/1-1 set-dumpable/0-0 \
    set-var/2-2 set-var-fmt/2-2 setcap/1-1 setenv/2-64 shm-stats-file/1-1 spread-checks/1-1 ssl-default-bind-*/1-64 \
    ssl-default-server-*/1-64 ssl-dh-param-file/1-1 ssl-engine/1-3 ssl-load-extra-*/0-64 ssl-mode-async/0-0 \
    ssl-propquery/1-1 ssl-provider/1-1 ssl-provider-path/1-1 ssl-security-level/1-1 ssl-server-verify/1-1 \
    ssl-skip-self-issued-ca/0-0 ssl-passphrase-cmd/1-64 stats/1-64 stats-file/1-1 strict-limits/0-0 thread-group/1-64 \
    thread-groups/1-1 thread-hard-limit/1-1 trace/1-64 \
    tune.bufsize/1-2 tune.chksize/1-2 tune.disable-fast-forward/1-2 tune.disable-zero-copy-forwarding/1-2 \
    tune.fail-alloc/1-2 tune.idletimer/1-2 tune.max-checks-per-thread/1-2 tune.max-rules-at-once/1-2 \
    tune.maxaccept/1-2 tune.maxpollevents/1-2 tune.maxrewrite/1-2 tune.pipesize/1-2 \
    tune.pool-high-fd-ratio/1-2 tune.pool-low-fd-ratio/1-2 tune.recv_enough/1-2 tune.runqueue-depth/1-2 \
    tune.stick-counters/1-2 tune.takeover-other-tg-connections/1-2 tune.applet.*/1-2 tune.buffers.*/1-2 \
    tune.bufsize.*/1-2 tune.cli.*/1-2 tune.comp.*/1-2 tune.debug.*/1-2 tune.defaults.*/1-2 tune.disable.*/1-2 \
    tune.dns.*/1-2 tune.epoll.*/1-2 tune.events.*/1-2 tune.fd.*/1-2 tune.glitches.*/1-2 tune.h1.*/1-2 \
    tune.h2.*/1-2 tune.http.*/1-2 tune.idle-pool.*/1-2 tune.listener.*/1-2 tune.lua.*/1-2 tune.memory.*/1-2 \
    tune.notsent-lowat.*/1-2 tune.pattern.*/1-2 tune.peers.*/1-2 tune.pt.*/1-2 tune.quic.*/1-2 \
    tune.rcvbuf.*/1-2 tune.renice.*/1-2 tune.resolvers.*/1-2 tune.ring.*/1-2 tune.sched.*/1-2 \
    tune.sndbuf.*/1-2 tune.ssl.*/1-2 tune.streams.*/1-2 tune.vars.*/1-2 tune.zlib.*/1-2 uid/1-1 ulimit-n/1-1 unix-bind/1-64 unsetenv/1-64 user/1-1 \
    wurfl-*/1-64 zero-warning/0-0 acme.*/1-64 warn-blocked-traffic-after/1-1 jwt.*/1-64";

/// Sections: whether they have a name, and their keywords.
const SECTIONS: &[(&str, bool, &str)] = &[
    (
        "peers",
        true,
        "bind/1-64 default-bind/0-64 default-server/0-64 disabled/0-0 enabled/0-0 log/1-64 peer/1-64 server/1-64 shards/1-1 \
         table/2-64",
    ),
    (
        "resolvers",
        true,
        "nameserver/2-2 parse-resolv-conf/0-0 hold/2-2 resolve_retries/1-1 timeout/2-2 accepted_payload_size/1-1 \
         resolve-retries/1-1",
    ),
    ("userlist", true, "group/1-3 user/1-64"),
    (
        "cache",
        true,
        "total-max-size/1-1 max-object-size/1-1 max-age/1-1 process-vary/1-1 max-secondary-entries/1-1 early-hints/1-1",
    ),
    ("mailers", true, "mailer/2-2 timeout/2-2"),
    ("program", true, "command/1-64 user/1-1 group/1-1 option/1-1 no/2-2"),
    ("http-errors", true, "errorfile/2-2"),
    ("ring", true, "description/1-64 format/1-1 maxlen/1-1 size/1-1 server/2-64 timeout/2-2 backing-file/1-1"),
    (
        "fcgi-app",
        true,
        "acl/2-64 docroot/1-1 index/1-1 log-stderr/1-64 option/1-3 no/1-3 pass-header/1-64 path-info/1-1 set-param/2-64",
    ),
    ("crt-store", false, "crt-base/1-1 key-base/1-1 load/2-64"),
    ("traces", false, "trace/1-64"),
    ("log-forward", true, "bind/1-64 dgram-bind/1-64 log/1-64 maxconn/1-1 timeout/2-2 backlog/1-1 option/1-64"),
    ("log-profile", true, "log-tag/1-1 on/1-64"),
    (
        "acme",
        true,
        "account-key/1-1 bits/1-1 challenge/1-1 contact/1-1 curves/1-1 directory/1-1 keytype/1-1 map/1-1 provider-name/1-1 acme-vars/1-1 profile/1-1 reuse-key/1-1 dns-delay/1-1",
    ),
    ("healthcheck", true, "type/1-64 http-check/1-64 tcp-check/1-64"),
];
