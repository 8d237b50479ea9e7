//! `apply` on hosts of all kinds, and from a commit to a host as the README says it: scripts that end well only where
//! all is as it should be.

use crate::tally::Tally;
use crate::world::tool;
use std::path::Path;
use tempfile::TempDir;

/// What every script begins with: `ends CODE COMMAND…`, and `apply TARGET PROPOSED…`.
const BEGIN: &str = r#"
ip link set lo up
ends() {
    want=$1; shift
    got=0; "$@" || got=$?
    [ "$got" = "$want" ] || { echo "$* ended with $got and not with $want"; exit 99; }
}
apply() {
    portcullis apply --policy policy.yaml --tree tree --netns /proc/self/ns/net --root root --no-unit --journal journal "$@"
}
mkdir -p tree root/etc/iptables
cat > policy.yaml <<'END'
version: 1
configurations:
  host: {files: ["*"]}
checks:
  - {check: default-action, filters: ["host/input"], must_be: deny}
END
rules() { printf 'table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy %s;\n\t\ttcp dport %s accept\n\t}\n}\n' "$1" "$2"; }
save() { printf '*filter\n:INPUT %s [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport %s -j ACCEPT\nCOMMIT\n' "$1" "$2"; }
"#;

/// A table of another program.
const DOCKER: &str = "table ip docker {\n\tchain forward {\n\t\ttype filter hook forward priority -5; policy accept;\n\t\tudp dport 53 drop\n\t}\n}\n";

/// Ends the processes that watch.
const WATCHERS: &str = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2> /dev/null | grep -q \"dead-man.*$PWD/journal\" && \
    kill -9 ${p#/proc/}; done || true; sleep 0.2";

/// A real HAProxy: put into force by a reload, refused by its own test, by a reload that does nothing and by a probe; and held
/// against what was proposed through its socket.
const RELOAD: &str = r#"
which haproxy > /dev/null || { echo 'SKIPPED: there is no haproxy'; exit 0; }
here=$PWD
balancer() { printf "global
  stats socket $here/admin.sock mode 600 level admin
defaults
  mode http
  timeout client 1s
  timeout connect 1s
  timeout server 1s
listen lb
  bind 127.0.0.1:8080
  server a %s:80
" $1; }
sed -i 's/.*default-action.*/  - {check: pool-capacity, minimum: 1}/' policy.yaml
balancer 192.0.2.1 > live.cfg
second=$(date +%s); while [ "$(date +%s)" = "$second" ]; do sleep 0.05; done
haproxy -W -f $here/live.cfg 2> log & master=$!
running() { portcullis verify --expected $1 --live live:haproxy:$here/admin.sock; }
# What it does some time after it is asked for.
serves() {
    tries=0
    until running $1 > said 2>&1; do
        tries=$((tries + 1)); [ $tries -lt 100 ] || { cat said; exit 98; }
        sleep 0.1
    done
}
balancer 192.0.2.1 > first.cfg; balancer 192.0.2.2 > second.cfg; balancer 192.0.2.3 > third.cfg
serves first.cfg
# The process reads the file once it is a second old.
reload="cp \$PORTCULLIS_FILE $here/live.cfg; second=\$(date +%s); while [ \$(date +%s) = \$second ]; do sleep 0.05; done; kill -USR2 $master"
lb() { apply --proposed haproxy.cfg --read "cat $here/live.cfg" --test "haproxy -c -q -f \$PORTCULLIS_FILE" "$@"; }
cp second.cfg tree/haproxy.cfg
# A reload is done some time after it is asked for.
ask="$(command -v portcullis) verify --expected $here/tree/haproxy.cfg --live live:haproxy:$here/admin.sock"
probe="n=0; until $ask; do n=\$((n + 1)); [ \$n -lt 40 ] || exit 1; sleep 0.1; done"
ends 0 lb --write "$reload" --probe "$probe"
serves second.cfg
ends 0 running tree/haproxy.cfg
cp third.cfg tree/haproxy.cfg
ends 4 lb --write "$reload" --probe false
serves second.cfg
ends 4 running tree/haproxy.cfg
# Whoever answers success and reloads nothing is found by the probe that asks the process.
ends 4 lb --write "cp \$PORTCULLIS_FILE $here/live.cfg" --rollback "$reload" --probe "$probe"
serves second.cfg
ends 4 running tree/haproxy.cfg
echo '  no such keyword' >> tree/haproxy.cfg
ends 3 lb --write "$reload"
serves second.cfg
kill $master
"#;

/// Runs them.
pub(crate) fn proof(tally: &mut Tally) -> Result<(), String> {
    let docker = format!("printf '{}' | nft -f -\n", DOCKER.replace('\n', "\\n").replace('\t', "\\t"));
    let both = "save DROP 22 | iptables-restore\nsave DROP 22 | ip6tables-restore\n\
        iptables -t nat -A POSTROUTING -j MASQUERADE\nsave DROP 443 > tree/rules.v4\nsave DROP 443 > tree/rules.v6\n";
    let iptables = "apply --live live:iptables --proposed rules.v4 --proposed rules.v6";
    let fake = "cp -a /usr/sbin sbin\nrm sbin/ip6tables-restore\ncat > sbin/ip6tables-restore <<END\n#!/bin/sh\n\
        case \"\\$(readlink /proc/self/ns/net) \\$*\" in \"$(readlink /proc/self/ns/net) \"*forth*) exit 1 ;; esac\n\
        exec /usr/sbin/ip6tables-nft-restore \"\\$@\"\nEND\nchmod 755 sbin/ip6tables-restore\nmount --bind sbin /usr/sbin\n";
    let scripts = [
        (
            "a host without a rule gets some",
            "rules drop 22 > tree/web.nft\nends 0 apply --live live:nft --proposed web.nft\n\
             nft list ruleset | grep -q 'dport 22'"
                .to_owned(),
        ),
        (
            "a host without a rule has none again where the probe fails",
            "rules drop 22 > tree/web.nft\nends 4 apply --live live:nft --proposed web.nft --probe false\n\
             [ -z \"$(nft list ruleset)\" ]\n[ ! -e root/etc/nftables.conf ]"
                .to_owned(),
        ),
        (
            "what the policy is against is not put into force",
            "rules drop 22 | nft -f -\nrules accept 22 > tree/web.nft\nends 1 apply --live live:nft --proposed web.nft\n\
             nft list ruleset | grep -q 'policy drop'"
                .to_owned(),
        ),
        (
            "what loads nothing at boot is not put into force",
            "rules drop 22 > tree/web.nft\nends 3 portcullis apply --policy policy.yaml --tree tree --netns /proc/self/ns/net \
             --root root --journal journal --live live:nft --proposed web.nft\n[ -z \"$(nft list ruleset)\" ]"
                .to_owned(),
        ),
        (
            "what another program has is left alone",
            format!(
                "{docker}rules drop 22 | nft -f -\nrules drop 443 > tree/web.nft\n\
                 ends 3 apply --live live:nft --proposed web.nft --owned 'inet filter'\nnft list ruleset | grep -q 'dport 22'\n\
                 ends 4 apply --live live:nft --proposed web.nft --foreign-first 'ip docker' --probe false\n\
                 nft list ruleset | grep -q 'dport 22'\nnft list ruleset | grep -q 'dport 53'\n\
                 ends 0 apply --live live:nft --proposed web.nft --owned 'inet filter' --foreign-first 'ip docker'\n\
                 nft list ruleset | grep -q 'dport 443'\nnft list ruleset | grep -q 'dport 53'\n\
                 if grep docker root/etc/nftables.conf; then exit 1; fi"
            ),
        ),
        (
            "what packets put into sets meanwhile is nobody else who writes",
            "set='set seen { type inet_service; size 60000; flags dynamic,timeout; timeout 1m; }'\n\
             more() { rules drop $1 | sed \"s/chain input {/$set\\n&/; s/tcp dport/iif lo udp dport 9 add @seen { udp sport } accept\\n&/\"; }\n\
             more 22 | nft -f -\nmore 443 > tree/web.nft\n\
             bash -c 'while :; do echo x > /dev/udp/127.0.0.1/9; done' 2> /dev/null & packets=$!\n\
             ends 0 apply --live live:nft --proposed web.nft\n\
             nft list set inet filter seen | grep -q elements\nnft list ruleset | grep -q 'dport 443'\n\
             ends 4 apply --live live:nft --proposed web.nft --probe false\nkill $packets"
                .to_owned(),
        ),
        (
            "a journal that does not say whom to tell is ended all the same, and that is told",
            format!(
                "rules drop 22 | nft -f -\nrules drop 443 > tree/web.nft\n\
                 damage() {{ while ! grep -q waiting journal/journal.json 2> /dev/null; do sleep 0.05; done\n\
                 sed 's/\"note\": \".*\"/\"note\": \"damaged\"/' journal/journal.json > j && mv j journal/journal.json; }}\n\
                 told() {{ grep -q 'the journal does not say whom to tell' $1; }}\n\
                 begin() {{ rm -rf journal; (exec portcullis apply --policy policy.yaml --tree tree --netns /proc/self/ns/net --root root \
                 --no-unit --journal journal --live live:nft --proposed web.nft --confirm $1) 2> began & a=$!; damage; }}\n\
                 end() {{ kill -9 $a; wait $a || true; {WATCHERS}; }}\n\
                 begin 100s; end; ends 4 portcullis recover --journal journal 2> said\ntold said\n\
                 nft list ruleset | grep -q 'dport 22'\n\
                 begin 100s; end; ends 0 portcullis confirm --journal journal 2> said\ntold said\n\
                 nft list ruleset | grep -q 'dport 443'\n\
                 rules drop 80 > tree/web.nft\nbegin 15s; end\n\
                 ends 4 portcullis dead-man --journal journal --id $(sed -n 's/.*\"id\": \"\\(.*\\)\",/\\1/p' journal/journal.json) \
                 --seconds 0 2> said > out\ntold said\nnft list ruleset | grep -q 'dport 443'\n\
                 rules drop 81 > tree/web.nft\nbegin 100s; end\necho damaged > journal/journal.json\n\
                 ends 3 portcullis recover --journal journal\nends 3 apply --live live:nft --proposed web.nft"
            ),
        ),
        (
            "a reload of HAProxy is one change, and what it refuses or does not do is taken back",
            RELOAD.to_owned(),
        ),
        (
            "what nobody declared goes, and that is part of what is judged",
            format!(
                "{docker}rules drop 443 > tree/web.nft\nends 0 apply --live live:nft --proposed web.nft\n\
                 if nft list ruleset | grep docker; then exit 1; fi"
            ),
        ),
        (
            "both families of iptables change together, and a table that goes is emptied",
            format!(
                "{both}ends 0 {iptables}\niptables-save | grep -q 'dport 443'\nip6tables-save | grep -q 'dport 443'\n\
                 if iptables-save | grep MASQUERADE; then exit 1; fi\ngrep -q 'dport 443' root/etc/iptables/rules.v4\n\
                 grep -q 'dport 443' root/etc/iptables/rules.v6\n\
                 ends 0 portcullis verify --expected tree/rules.v4 --expected tree/rules.v6 --live live:iptables --netns /proc/self/ns/net"
            ),
        ),
        (
            "tables of nftables beside those of iptables are declared and stay, or nothing is changed",
            format!(
                "{both}{docker}ends 3 {iptables}\niptables-save | grep -q 'dport 22'\n\
                 ends 0 {iptables} --foreign-first 'ip docker'\niptables-save | grep -q 'dport 443'\n\
                 nft list ruleset | grep -q 'dport 53'"
            ),
        ),
        (
            "one family of iptables alone is not put into force",
            format!("{both}rm tree/rules.v6\nends 2 apply --live live:iptables --proposed rules.v4\niptables-save | grep -q 'dport 22'"),
        ),
        (
            "the family that was loaded goes back where the other one is not",
            format!(
                "{both}{fake}ends 4 {iptables}\niptables-save | grep -q 'dport 22'\nip6tables-save | grep -q 'dport 22'\n\
                 iptables-save | grep -q MASQUERADE\n[ -z \"$(ls root/etc/iptables)\" ]"
            ),
        ),
        (
            "a script that ends silently where grep finds nothing does not pass for success",
            "balancer() { printf 'defaults\\n  mode http\\n  timeout client 1s\\n  timeout connect 1s\\n  timeout server 1s\\nlisten lb\\n  bind :80\\n  server a %s:80\\n' $1; }\n\
             balancer 192.0.2.1 > live.cfg\nbalancer 192.0.2.2 > tree/haproxy.cfg\nhere=$PWD\n\
             sed -i 's/.*default-action.*/  - {check: pool-capacity, minimum: 1}/' policy.yaml\n\
             cat > agent <<'END'\n#!/bin/bash\nset -euo pipefail\nold=$(grep old-allowlist live.cfg)\ncp \"$PORTCULLIS_FILE\" live.cfg\nEND\n\
             ends 4 apply --proposed haproxy.cfg --read \"cat $here/live.cfg\" --write \"cd $here; bash agent; echo '{\\\"status\\\": \\\"success\\\"}'\"\n\
             grep -q 192.0.2.1 live.cfg\n\
             ends 3 apply --proposed haproxy.cfg --read \"cat $here/live.cfg\" --write 'true' --test 'exit 7'\n\
             ends 0 apply --proposed haproxy.cfg --read \"cat $here/live.cfg\" --write \"cp \\$PORTCULLIS_FILE $here/live.cfg\"\n\
             grep -q 192.0.2.2 live.cfg"
                .to_owned(),
        ),
    ];
    for (what, script) in scripts {
        let folder = TempDir::new().map_err(|why| why.to_string())?;
        run(what, &[], &format!("{BEGIN}{script}\n"), folder.path(), tally)?;
        tally.add("apply/hosts of other kinds", 1);
    }
    page(tally)
}

/// The README, followed to the letter.
fn page(tally: &mut Tally) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).map_err(|why| format!("{path}: {why}"));
    let readme = read("README.md")?;
    let part = |from: &str, to: &str| {
        readme.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map(|(part, _)| part.to_owned())
    };
    let page = part("## From pull request to host\n", "\n## ").ok_or("the README has no such page")?;
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    let [keys, attest, apply, verify] = blocks.as_slice() else { return Err("the page has other steps".to_owned()) };
    let unit = read("examples/systemd/portcullis-verify.service")?;
    let start =
        unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/")).ok_or("the unit starts nothing")?;
    if start != verify.trim() {
        return Err(format!("the unit runs `{start}`, and the README says `{verify}`"));
    }
    let policy = part("```yaml\n", "```").ok_or("the README has no policy")?;
    let later = apply.replace(" --new-state", "");
    let script = format!(
        r#"
set -eu
ip link set lo up
ends() {{
    want=$1; shift
    got=0; "$@" || got=$?
    [ "$got" = "$want" ] || {{ echo "$* ended with $got and not with $want"; exit 99; }}
}}
cp -a /etc etc
mount --bind etc /etc
mount -t tmpfs none /srv
mount -t tmpfs none /var/lib
mkdir -p /etc/systemd/system/sysinit.target.wants
ln -sf /lib/systemd/system/nftables.service /etc/systemd/system/sysinit.target.wants/nftables.service
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
rules() {{
    printf 'table inet filter {{\n\tchain input {{\n\t\ttype filter hook input priority filter; policy drop;\n\t\tct state established,related accept\n\t\tip saddr 198.51.100.0/24 tcp dport 22 accept\n\t\tip6 saddr 2001:db8:1::/48 tcp dport 22 accept\n\t\ttcp dport %s accept\n\t}}\n}}\n' "$1"
}}
mkdir -p /srv/network/hosts
cd /srv/network
git init -q -b main .
cat > portcullis.yaml <<'END'
{policy}END
rules 80 > hosts/web1.nft
git add . && git commit -q -m 'as it was'
rules 443 > hosts/web1.nft
git commit -q -a -m 'a change'
cd /srv
{keys}
cd /srv/network
{attest}
{apply}
{verify}
nft list ruleset | grep -q 'dport 443'
grep -q 'dport 443' /etc/nftables.conf
# Somebody changes a rule by hand.
nft add rule inet filter input tcp dport 9999 accept
ends 4 {start}
# The next change.
rules 8443 > hosts/web1.nft
git commit -q -a -m 'the next change'
{attest}
{later}
{verify}
nft list ruleset | grep -q 'dport 8443'
# The record was used, and a tree that differs is no tree that was reviewed.
first() {{ {first}; }}
ends 1 first
rules 9443 > hosts/web1.nft
git commit -q -a -m 'one more'
{attest}
rules 9444 > hosts/web1.nft
ends 1 first
ends 3 {start}
nft list ruleset | grep -q 'dport 8443'
"#,
        first = later.lines().next().unwrap_or_default(),
    );
    let folder = TempDir::new().map_err(|why| why.to_string())?;
    let namespaces = ["--pid", "--fork", "--mount-proc"];
    run("the README, followed to the letter", &namespaces, &script, folder.path(), tally)?;
    tally.add("apply/ways from a commit to a host", 1);
    Ok(())
}

/// Runs a script in namespaces of its own.
fn run(what: &str, more: &[&str], script: &str, folder: &Path, tally: &mut Tally) -> Result<(), String> {
    let me = Path::new(env!("CARGO_BIN_EXE_portcullis")).parent().ok_or("the program is nowhere")?;
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", me.display());
    let git = std::env::var("PATH").unwrap_or_default();
    let output = tool("unshare")
        .args(["--net", "--mount", "--propagation", "private"])
        .args(more)
        .args(["--", "sh", "-euc", script])
        .env("PATH", format!("{path}:{git}"))
        .current_dir(folder)
        .output()
        .map_err(|why| why.to_string())?;
    let right = output.status.success();
    tally.add(if right { "passed" } else { "failed" }, 1);
    if !right {
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        println!("FAILED: apply, {what}: {}\n{said}", output.status);
    }
    Ok(())
}
