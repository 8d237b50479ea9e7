//! What the listing of nftables does not say, and `verify` must not take it for.

use crate::tally::Tally;
use crate::verify::{HERE, expect, sh, verify, write};
use tempfile::TempDir;

/// Rules that are listed in the words of others are not verified.
pub(crate) fn proof(tally: &mut Tally) -> Result<(), String> {
    let folder = TempDir::new().map_err(|why| why.to_string())?;
    let table = |rules: &str| {
        format!(
            "table inet t {{\n set s {{ type ipv4_addr; flags interval; elements = {{ 10.0.0.0/8 }}; }}\n map m {{ type inet_service : \
             verdict; elements = {{ 22 : accept, 80 : jump x }}; }}\n quota q {{ over 5 mbytes }}\n chain x {{ }}\n chain c {{\n type filter \
             hook input priority 0; policy drop;\n{rules}\n }}\n}}\n"
        )
    };
    let ordinary = "iif lo accept\nct state vmap { established : accept, invalid : drop }\ntcp dport { 22, 80 } ip saddr @s counter accept \
        comment \"x\"\ntcp dport vmap @m\nip saddr . tcp dport { 10.0.0.1 . 22, 10.0.0.2 . 80 } limit rate 3/second accept\n\
        quota name \"q\" drop\nip saddr 10.0.0.0/24 jump {\n tcp dport 5 drop\n tcp dport 6 drop\n }\nip6 saddr ::1 icmpv6 type \
        echo-request log prefix \"a b\" accept\nct status dnat tcp flags & (syn|ack) == syn reject with tcp reset\n";
    for (live, expected, code) in [
        (ordinary, ordinary, 0),
        ("tcp flags {syn} accept", "tcp flags syn accept", 0),
        ("tcp flags {syn} accept", "tcp flags == syn accept", 4),
        ("ct state == new|established accept", "ct state new,established accept", 4),
        ("ct state == new|established accept", "ct state == new|established accept", 0),
        ("meta l4proto icmp icmp type 8 accept", "icmp type 8 accept", 4),
        (
            "meta l4proto icmp icmp type 8 drop\nicmp type 8 accept",
            "meta l4proto icmp icmp type 8 drop\nicmp type 8 accept",
            0,
        ),
        ("meta l4proto icmpv6 icmpv6 type 128 accept", "icmpv6 type 128 accept", 4),
        ("meta l4proto icmpv6 icmpv6 type 128 drop", "meta l4proto icmpv6 icmpv6 type 128 drop", 0),
        ("ether type ip ip daddr 127.0.0.1 accept", "ip daddr 127.0.0.1 accept", 4),
        ("ether type ip ip daddr 127.0.0.1 accept", "ether type ip ip daddr 127.0.0.1 accept", 0),
        (
            "iiftype ether ether type ip udp dport 9 ip daddr 127.0.0.1 accept",
            "udp dport 9 ip daddr 127.0.0.1 accept",
            4,
        ),
        ("ct label == 1,5 accept", "ct label 1,5 accept", 3),
        ("ct status ! dnat accept", "ct status != dnat accept", 4),
        ("meta mark vmap { 2 : accept, 1 : drop }", "meta mark vmap { 2 : accept, 1 : drop }", 0),
    ] {
        write(folder.path(), "live.nft", &table(live))?;
        write(folder.path(), "expected.nft", &table(expected))?;
        sh(folder.path(), "nft flush ruleset\nnft -f live.nft")?;
        let arguments = [&["--expected", "expected.nft", "--live", "live:nft"][..], &HERE].concat();
        expect(&format!("a rule that is listed as {live} is"), verify(folder.path(), &arguments), code, tally);
    }
    sh(folder.path(), "nft flush ruleset")
}
