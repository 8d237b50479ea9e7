use super::{
    CtDirection, CtKey, ExtensionField, FibFlag, FibResult, Field, IpOptionField, IpsecKey, MetaKey, Name, RtKey,
    SctpField, SocketKey, TcpOptionField,
};
use crate::formats::nftables::long::Long;
use crate::text::Span;
use std::borrow::Cow;
use std::rc::Rc;

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Expression<'t> {
    pub(in crate::formats::nftables) at: Span,
    pub(in crate::formats::nftables) kind: Kind<'t>,
}

/// What can stand on either side of a relation, in a set, or behind `map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Kind<'t> {
    /// A word or number whose meaning follows from the type it is compared with: `ssh`, `22`, `0x1`, `10.0.0.1`,
    /// `established`, `eth*`, `00:11:22:33:44:55`. Numbers of JSON are written in decimal.
    Word(Cow<'t, [u8]>),
    /// The same in quotes, which are not part of it.
    Quoted(Cow<'t, [u8]>),
    /// `$name`, and what it was defined as there. The places inside are those of the definition, so that only the
    /// place of the whole is claimed.
    Variable(Cow<'t, [u8]>, Rc<Expression<'t>>),
    /// `address/length`; the length is a number (or a variable that is one).
    Prefix(Box<Expression<'t>>, Box<Expression<'t>>),
    /// `low-high`.
    Range(Box<Expression<'t>>, Box<Expression<'t>>),
    /// `*` as an element of a set.
    Wildcard,
    /// `a,b,c` without braces: flags.
    List(Vec<Expression<'t>>),
    /// `{ … }`.
    Set(Box<Elements<'t>>),
    /// `@name`.
    SetReference(Name<'t>),
    /// `a . b . c`; at least two.
    Concatenation(Vec<Expression<'t>>),
    /// `a & b` and so on.
    Binary(Binary, Box<Expression<'t>>, Box<Expression<'t>>),
    /// `key map { … }`, `key map @name`.
    Map(Box<Expression<'t>>, Box<Expression<'t>>),
    /// A verdict as the value of an element: `accept`, `jump x`.
    Verdict(Verdict<'t>),
    /// `exists` (true) and `missing` (false).
    Exists(bool),
    Meta(MetaKey),
    /// The direction is there for `ct original saddr`.
    Ct(CtKey, Option<CtDirection>),
    /// A field of a header: `ip saddr`, `tcp dport`, `icmp type`, `ether type`.
    Payload(Field),
    /// `@th,16,16`: base (`ll`, `nh`, `th`, `ih`), offset and length in bits.
    RawPayload {
        base: Cow<'t, [u8]>,
        offset: u32,
        length: u32,
    },
    /// The same of an encapsulated packet: `vxlan ip saddr`, with the header that encapsulates (`vxlan`).
    Inner(&'static str, Box<Expression<'t>>),
    /// A field of an IPv6 extension header: `frag more-fragments`, `rt0 addr[1]` (the index).
    Extension(ExtensionField, Option<u32>),
    /// The header itself, for `exists` and `missing`: `exthdr frag`. The word is `hbh`, `rt`, `frag`, `dst`, `mh`.
    ExtensionHeader(Cow<'t, [u8]>),
    /// `tcp option maxseg size`; without a field the option itself.
    TcpOption {
        option: Cow<'t, [u8]>,
        field: Option<TcpOptionField>,
    },
    /// `tcp option @255,8,8`: kind, offset, length.
    RawTcpOption {
        option: u32,
        offset: u32,
        length: u32,
    },
    /// `ip option rr type`; without a field the option itself.
    IpOption {
        option: Cow<'t, [u8]>,
        field: Option<IpOptionField>,
    },
    /// `sctp chunk data tsn`; without a field the chunk itself.
    SctpChunk {
        chunk: Cow<'t, [u8]>,
        field: Option<SctpField>,
    },
    /// `dccp option 40`.
    DccpOption(u32),
    /// `rt mtu`, `rt ip nexthop` (the family is in the key).
    Rt(RtKey),
    /// `socket transparent`; `socket cgroupv2 level 1` has its level.
    Socket(SocketKey, Option<u32>),
    /// `osf ttl skip version`: whether the version is asked for rather than the name, and the word after `ttl`.
    Osf {
        version: bool,
        ttl: Option<Cow<'t, [u8]>>,
    },
    /// `fib saddr . iif oif`.
    Fib {
        flags: Vec<FibFlag>,
        result: FibResult,
    },
    /// `numgen inc mod 2 offset 1`; random unless incremental.
    Numgen {
        incremental: bool,
        modulus: u64,
        offset: u64,
    },
    /// `jhash ip saddr . tcp dport mod 2 seed 0x1 offset 1`.
    Jhash {
        key: Box<Expression<'t>>,
        modulus: u64,
        seed: Option<u64>,
        offset: u64,
    },
    /// `symhash mod 2 offset 1`.
    Symhash {
        modulus: u64,
        offset: u64,
    },
    /// `ipsec in spnum 1 ip saddr`: whether inbound, the number of the policy, what of it.
    Ipsec {
        inbound: bool,
        number: u32,
        key: IpsecKey,
    },
    /// `xfrm`-like keys and others that are read but of which no more is known: their normalised text.
    Other(Cow<'t, [u8]>),
}

/// An operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Binary {
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

/// What a rule or an element decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Verdict<'t> {
    Accept,
    Drop,
    Continue,
    Return,
    Jump(Jump<'t>),
    Goto(Jump<'t>),
}

/// Where `jump` and `goto` lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Jump<'t> {
    /// A chain of the table.
    Chain(Name<'t>),
    /// `jump { … }`: a chain without a name.
    Block(Vec<super::Rule<'t>>),
}

/// What is between the braces of a set or map.
///
/// Elements that are plain intervals of addresses or numbers and carry nothing else are kept as numbers; in which order the
/// lists were mixed in the text, their offsets say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Elements<'t> {
    /// Those with which it begins, if there are very many addresses.
    pub(in crate::formats::nftables) long: Option<Long<'t>>,
    /// Addresses such as `1.2.3.4`, `1.2.3.0/24`, `1.2.3.4-1.2.3.9`.
    pub(in crate::formats::nftables) ipv4: Vec<Plain<u32>>,
    /// Addresses with colons, likewise. (What is not an address for sure, e.g. `::` with an odd tail, is in `others`.)
    pub(in crate::formats::nftables) ipv6: Vec<Plain<u128>>,
    /// Decimal numbers and ranges of them: `22`, `1024-65535`.
    pub(in crate::formats::nftables) numbers: Vec<Plain<u64>>,
    /// Everything else.
    pub(in crate::formats::nftables) others: Vec<Element<'t>>,
}

/// A plain element: everything from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Plain<N> {
    pub(in crate::formats::nftables) first: N,
    pub(in crate::formats::nftables) last: N,
    /// Its first byte in the source of the list.
    pub(in crate::formats::nftables) at: u32,
    /// How many bytes it is long.
    pub(in crate::formats::nftables) length: u16,
    pub(in crate::formats::nftables) form: Form,
}

/// How a plain element is written, since sets without intervals refuse some forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Form {
    /// `1.2.3.4`.
    Single,
    /// `1.2.3.4/24`, with its length; `first` has no bits beyond it (nft ignores those that are written).
    Prefix(u8),
    /// `low-high`; not in order if `first > last`, which nft refuses.
    Range,
}

/// An element of a set or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Element<'t> {
    pub(in crate::formats::nftables) at: Span,
    pub(in crate::formats::nftables) key: Expression<'t>,
    pub(in crate::formats::nftables) options: Vec<ElementOption<'t>>,
    /// What the key is mapped to.
    pub(in crate::formats::nftables) value: Option<Expression<'t>>,
}

/// What an element carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum ElementOption<'t> {
    /// Milliseconds; `None`: never, or as the set says.
    Timeout(Option<u64>),
    /// Milliseconds that are left.
    Expires(u64),
    Comment(Name<'t>),
    /// `counter`, `limit`, `quota`, `ct count`, `last`.
    Statement(super::Statement<'t>),
}

impl<'t> Elements<'t> {
    /// How many there are.
    pub(in crate::formats::nftables) const fn len(&self) -> usize {
        let long = match &self.long {
            Some(long) => long.len(),
            None => 0,
        };
        long + self.ipv4.len() + self.ipv6.len() + self.numbers.len() + self.others.len()
    }

    /// All plain IPv4 addresses, prefixes and ranges.
    pub(in crate::formats::nftables) fn all_ipv4(&self) -> Cow<'_, [Plain<u32>]> {
        match &self.long {
            Some(long) => long.iter().chain(self.ipv4.iter().copied()).collect(),
            None => Cow::Borrowed(&self.ipv4),
        }
    }
}

impl<'t> Expression<'t> {
    /// The expression itself, or what a variable stands for.
    pub(in crate::formats::nftables) fn resolved(&self) -> &Self {
        let mut found = self;
        while let Kind::Variable(_, value) = &found.kind {
            found = value;
        }
        found
    }
}
