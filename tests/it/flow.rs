//! The notation of flows: what is printed is read back as the same.

use portcullis::net::{
    Family, Field, Interface, Naming, NoNames, Packet, Region, Set, State, parse_flow, parse_packet,
    show_either_family, show_packet, show_region,
};
use proptest::prelude::*;

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

/// Values near the edges of a field and near one another.
fn value(field: Field, family: Family) -> BoxedStrategy<u128> {
    let max = field.max(family);
    let near = |centre: u128| (0u128..5).prop_map(move |n| centre.saturating_sub(2).saturating_add(n).min(max));
    let name = |name: &str| Interface::named(name.as_bytes()).expect("short").0;
    match field {
        Field::Input | Field::Output => prop_oneof![
            Just(0),
            near(name("eth0")),
            Just(name("eth")),
            Just(name("lo")),
            Just(name("a,b*\\c")),
            Just(name("not")),
            Just(name("fifteen-letters")),
            any::<u128>(),
        ]
        .boxed(),
        Field::Source | Field::Destination => prop_oneof![near(0), near(max), near(0x0a00_0000), 0..=max].boxed(),
        Field::DestinationPort => prop_oneof![near(0), near(max), near(8 << 8), near(9 << 8), 0..=max].boxed(),
        Field::Protocol => prop_oneof![Just(1), Just(58), Just(6), Just(17), 0..=max].boxed(),
        Field::SourcePort | Field::State | Field::TcpFlags | Field::LaterFragment => (0..=max).boxed(),
    }
}

fn set(field: Field, family: Family) -> BoxedStrategy<Set> {
    let max = field.max(family);
    let interval = (value(field, family), value(field, family), any::<bool>())
        .prop_map(|(a, b, point)| if point { (a, a) } else { (a.min(b), a.max(b)) });
    let prefixes = proptest::sample::select([&b"eth"[..], b"w", b"fifteen-letters", b"*"].to_vec());
    let sets = proptest::collection::vec(interval, 1..6).prop_map(Set::from_ranges);
    let sets = match field {
        Field::Input | Field::Output => (sets, proptest::collection::vec(prefixes, 0..3), any::<bool>())
            .prop_map(|(set, prefixes, minus)| {
                prefixes.iter().fold(set, |set, prefix| {
                    let more = Interface::with_prefix(prefix).expect("short");
                    if minus { more.difference(&set) } else { more.union(&set) }
                })
            })
            .boxed(),
        Field::TcpFlags => (sets, any::<u8>(), any::<u8>())
            .prop_map(|(set, mask, value)| {
                let masked: Set = (0..=u8::MAX).filter(|v| v & mask == value & mask).map(u128::from).collect();
                if value & 1 == 0 { masked } else { set.union(&masked) }
            })
            .boxed(),
        Field::Source
        | Field::Destination
        | Field::Protocol
        | Field::SourcePort
        | Field::DestinationPort
        | Field::State
        | Field::LaterFragment => sets.boxed(),
    };
    (sets, any::<bool>()).prop_map(move |(set, negate)| if negate { set.complement(max) } else { set }).boxed()
}

fn region() -> impl Strategy<Value = Region> {
    family()
        .prop_flat_map(|family| {
            let fields = Field::ALL.map(|field| proptest::option::of(set(field, family)));
            (Just(family), fields)
        })
        .prop_map(|(family, sets)| {
            Field::ALL.into_iter().zip(sets).fold(Region::all(family), |region, (field, set)| match set {
                Some(set) => region.with(field, &set),
                None => region,
            })
        })
        .prop_filter("a region without a packet is no flow", |region| !region.is_empty())
}

fn packet() -> impl Strategy<Value = Packet> {
    family().prop_flat_map(|family| (Just(family), Field::ALL.map(|field| value(field, family)))).prop_map(
        |(family, values)| {
            Field::ALL.into_iter().zip(values).fold(Packet::new(family), |packet, (field, v)| packet.with(field, v))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_region_is_read_back_as_itself(region in region()) {
        let text = show_region(&region, &NoNames);
        prop_assert_eq!(parse_flow(&text, &NoNames), Ok(vec![region]), "{}", text);
    }

    #[test]
    fn a_packet_is_read_back_as_itself(packet in packet()) {
        let text = show_packet(&packet);
        let typed = parse_packet(&text, &NoNames);
        prop_assert_eq!(typed.map(|typed| typed.packet()), Ok(packet), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(tcp|any|icmp)( (any|\\[|\\(|except|not|10.0.0.0/8|:22|::/0|->|in|flags|type|[ -~é]{1,4})){1,9}") {
        if let Err(error) = parse_flow(&text, &NoNames) {
            prop_assert!(text.get(error.at.clone()).is_some(), "{:?}", error);
        }
    }
}

/// Each is printed exactly as it is read.
#[test]
fn flows_read_like_this() {
    for text in [
        "tcp 10.0.0.0/8 -> 10.1.0.0/16:22,8000-8099",
        "tcp,udp 0.0.0.0/0 -> any:53",
        "any ::/0 -> any",
        "tcp 10.0.0.0/8,192.168.0.1:1024-65535 -> 10.0.0.1-10.0.0.6:22 new",
        "tcp 0.0.0.0/0 except 10.0.0.0/8 -> any",
        "tcp (0.0.0.0/0 except 10.0.0.0/8,172.16.0.0/12):1-1023 -> any:22",
        "tcp any -> 10.0.0.0/24 except 10.0.0.7,10.0.0.9",
        "tcp [2001:db8::/32,fd00::1]:5 -> [2001:db8::1]:22",
        "udp (2001:db8::/32 except 2001:db8::1,2001:db8::3):5 -> any",
        "any except tcp,udp any -> 10.0.0.1",
        "ospf,protocol-200 10.0.0.1 -> 10.0.0.2",
        "icmp 10.0.0.1 -> any type 3/0-5,8-11,13/0 new,related",
        "any 0.0.0.0/0 -> any in eth0,wan* out not lo",
        "any 0.0.0.0/0 -> any in eth* except eth0,eth1",
        "any 0.0.0.0/0 -> any in none,a\\x2cb,\\x6eot",
        "tcp 0.0.0.0/0 -> any:22 new,established in eth0 flags syn/fin,syn,rst,ack",
        "tcp 0.0.0.0/0 -> any flags not syn/fin,syn,rst,ack",
        "tcp 0.0.0.0/0 -> any flags syn,ack",
        "tcp 0.0.0.0/0 -> any flags none/syn,ack no-later-fragment",
        "udp 0.0.0.0/0 -> any later-fragment",
    ] {
        let regions = parse_flow(text, &NoNames).expect(text);
        let shown: Vec<_> = regions.iter().map(|region| show_region(region, &NoNames)).collect();
        assert_eq!(shown, [text]);
    }
}

#[test]
fn a_flow_that_names_no_address_is_of_both_families() {
    let regions = parse_flow("tcp any -> any:22", &NoNames).expect("a flow");
    let shown: Vec<_> = regions.iter().map(|region| show_region(region, &NoNames)).collect();
    assert_eq!(shown, ["tcp 0.0.0.0/0 -> any:22", "tcp ::/0 -> any:22"]);
    assert_eq!(show_either_family(&regions[0], &NoNames), "tcp any -> any:22");
    assert_eq!(parse_flow("tcp any -> any except 10.0.0.0/8", &NoNames).expect("a flow").len(), 2);
}

struct Names;

impl Naming for Names {
    fn network(&self, family: Family, set: &Set) -> Option<&str> {
        (self.addresses("office", family).as_ref() == Some(set)).then_some("office")
    }
    fn service(&self, protocol: u8, ports: &Set) -> Option<&str> {
        (self.ports("internal-api", protocol).as_ref() == Some(ports)).then_some("internal-api")
    }
    fn addresses(&self, name: &str, family: Family) -> Option<Set> {
        (name == "office").then(|| match family {
            Family::Ipv4 => Set::range(0x0a00_0000, 0x0aff_ffff),
            Family::Ipv6 => Set::empty(),
        })
    }
    fn ports(&self, name: &str, protocol: u8) -> Option<Set> {
        (name == "internal-api" && protocol == 6).then(|| Set::from_ranges([(8443, 8443), (9090, 9099)]))
    }
}

#[test]
fn names_stand_where_they_fit_exactly() {
    let same = |text: &str| {
        let regions = parse_flow(text, &Names).map_err(|e| e.message)?;
        Ok::<_, String>(regions.iter().map(|region| show_region(region, &Names)).collect::<Vec<_>>().join("; "))
    };
    let exact = "tcp office -> any:internal-api new";
    assert_eq!(same(exact).as_deref(), Ok(exact));
    assert_eq!(same("tcp 10.0.0.0/8 -> any:8443,9090-9099 new").as_deref(), Ok(exact));
    assert_eq!(same("tcp 10.0.0.0/9 -> office:ssh").as_deref(), Ok("tcp 10.0.0.0/9 -> office:22"));
    assert_eq!(same("udp any -> any:internal-api"), Err("`internal-api` is not a port".to_owned()));
}

#[test]
fn what_is_wrong_is_shown_where_it_stands() {
    let error = |text: &str| {
        let error = parse_flow(text, &NoNames).expect_err(text);
        format!("{}^{} {}", " ".repeat(error.at.start), "~".repeat(error.at.len().saturating_sub(1)), error.message)
    };
    let cases = [
        ("", "^ a protocol is missing"),
        ("tcp 10.0.0.1", "            ^ `->` and a destination is missing"),
        ("10.0.0.1 -> 10.0.0.2:22", "^~~~~~~~ `10.0.0.1` is not a protocol"),
        ("tcp -> 10.0.0.2", "    ^~ a source address is missing"),
        (
            "tcp any -> 10.0.0.300:22",
            "           ^~~~~~~~~~ `10.0.0.300` is not an address, a prefix, a range or the name of a network",
        ),
        ("tcp any -> any:22-20", "               ^~~~~ `22-20` is not a port"),
        ("tcp any -> any:22,70000", "                  ^~~~~ `70000` is not a port"),
        ("any any -> any:ssh", "               ^~~ `ssh` is a port of some protocols only"),
        ("icmp any -> any:8", "                ^ ICMP has no ports"),
        ("icmp any -> any type 8/0/1", "                     ^~~~~ `8/0/1` is not an ICMP type"),
        ("tcp any -> any type 8", "               ^~~~ only ICMP has types"),
        ("tcp 10.0.0.1 -> ::1", "^~~~~~~~~~~~~~~~~~~ source and destination are not of the same family"),
        ("tcp any -> any nwe", "               ^~~ `nwe` is not a condition"),
        ("tcp any -> any new established", "                   ^~~~~~~~~~~ `established` is said twice"),
        (
            "tcp any -> any in sixteen-letters!",
            "                  ^~~~~~~~~~~~~~~~ `sixteen-letters!` is not an interface",
        ),
        (
            "tcp any -> any flags syn/ack",
            "                     ^~~~~~~ `syn/ack` asks for flags that it does not look at",
        ),
        ("tcp any -> any new if -m recent", "                   ^~ a flow is a set of packets and has no condition"),
        ("tcp any -> [::1:22", "           ^~~~~~~ `]` is missing"),
    ];
    for (text, expected) in cases {
        let actual = error(text);
        assert_eq!(actual, expected, "\n{text}\n{actual}");
    }
}

#[test]
fn a_typed_packet_may_leave_things_out() {
    let read =
        |text: &str| parse_packet(text, &NoNames).map(|typed| show_packet(&typed.packet())).map_err(|e| e.message);
    let same = |text: &str| assert_eq!(read(text).as_deref(), Ok(text));
    same("tcp 10.0.0.1:40000 -> 10.0.0.2:22 new");
    same("tcp [2001:db8::1]:40000 -> [2001:db8::2]:22 established in eth0 flags fin,ack");
    same("ospf 10.0.0.1 -> 10.0.0.2 untracked in eth0 out eth1");
    same("icmp 10.0.0.1 -> 10.0.0.2 type 0/0 established");
    same("udp 10.0.0.1:0 -> 10.0.0.2:0 new later-fragment");
    assert_eq!(read("tcp 10.0.0.1 -> 10.0.0.2:ssh").as_deref(), Ok("tcp 10.0.0.1:40000 -> 10.0.0.2:22 new"));
    assert_eq!(read("icmp 10.0.0.1 -> 10.0.0.2").as_deref(), Ok("icmp 10.0.0.1 -> 10.0.0.2 type 8/0 new"));
    assert_eq!(read("ipv6-icmp ::1 -> ::2").as_deref(), Ok("ipv6-icmp ::1 -> ::2 type 128/0 new"));
    assert_eq!(read("tcp 10.0.0.1 -> 10.0.0.2"), Err("the destination port is missing".to_owned()));
    assert_eq!(read("tcp 10.0.0.0/8 -> 10.0.0.2:22"), Err("a packet has one source address".to_owned()));
    assert_eq!(read("any 10.0.0.1 -> 10.0.0.2"), Err("a packet has one protocol".to_owned()));
    let flags = parse_packet("tcp 10.0.0.1 -> 10.0.0.2:22", &NoNames).expect("a packet").packet().get(Field::TcpFlags);
    assert_eq!(flags, 2);
}

#[test]
fn interfaces_that_were_not_given_are_taken_from_the_filter() {
    let some = Field::Input.all(Family::Ipv4).difference(&Set::point(0));
    let forward = Region::all(Family::Ipv4).with(Field::Input, &some).with(Field::Output, &some);
    let typed = parse_packet("tcp 10.0.0.1 -> 10.0.0.2:22 in lan0", &NoNames).expect("a packet");
    let shown = typed.within(&[Region::all(Family::Ipv6), forward.clone()]).map(|packet| show_packet(&packet));
    assert_eq!(shown.as_deref(), Some("tcp 10.0.0.1:40000 -> 10.0.0.2:22 new in lan0 out eth0"));
    let typed = parse_packet("tcp 10.0.0.1 -> 10.0.0.2:22", &NoNames).expect("a packet");
    let shown = typed.within(std::slice::from_ref(&forward)).map(|packet| show_packet(&packet));
    assert_eq!(shown.as_deref(), Some("tcp 10.0.0.1:40000 -> 10.0.0.2:22 new in eth0 out eth1"));
    let untracked = forward.with(Field::State, &Set::point(State::Untracked.value()));
    let typed = parse_packet("tcp 10.0.0.1 -> 10.0.0.2:22 new", &NoNames).expect("a packet");
    assert_eq!(typed.within(&[untracked]), None);
}
