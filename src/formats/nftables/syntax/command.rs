use super::super::runs::Run;
use super::{Elements, Expression, Family, Name, Statement};
use crate::text::Span;
use std::borrow::Cow;

/// One thing that a file has done to the ruleset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Command<'t> {
    /// The whole command; for one that comes from a block, its part of the block.
    pub(in crate::formats::nftables) at: Span,
    pub(in crate::formats::nftables) verb: Verb<'t>,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Verb<'t> {
    /// `add`, which nothing says as well.
    Add(Declaration<'t>),
    /// `create`: an error if it is there.
    Create(Declaration<'t>),
    /// `insert rule …`: before a place, or first.
    InsertRule(ChainPath<'t>, Option<Place>, Rule<'t>),
    /// `add rule …`: after a place, or last.
    AddRule(ChainPath<'t>, Option<Place>, Rule<'t>),
    /// Rules that stand one to a line in a block: last.
    AddRun(ChainPath<'t>, Run<'t>),
    /// `replace rule … handle n …`.
    ReplaceRule(ChainPath<'t>, u64, Rule<'t>),
    /// `delete …`, and `destroy …`, which need not find it.
    Delete { found: Found<'t>, must_exist: bool },
    /// `delete element …`, `destroy element …`.
    DeleteElements { set: Path<'t>, elements: Elements<'t>, elements_at: Span, must_exist: bool },
    /// `flush …`.
    Flush(Listed<'t>),
    /// `rename chain … new`.
    RenameChain(ChainPath<'t>, Name<'t>),
    /// `reset …`: counters and quotas begin anew, which decides nothing about packets.
    Reset(Listed<'t>),
    /// `list`, `get`, `monitor`, `describe`, `export`: nothing is done to the ruleset.
    Show,
}

/// Something that is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Declaration<'t> {
    Table(Table<'t>),
    Chain(Chain<'t>),
    Set(Box<Set<'t>>),
    /// `add element t s { … }`, and the elements that a declared set begins with.
    Elements {
        set: Path<'t>,
        elements: Elements<'t>,
        elements_at: Span,
    },
    Flowtable(Flowtable<'t>),
    Object(Object<'t>),
}

/// A name in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Path<'t> {
    /// `ip` where nothing is said.
    pub(in crate::formats::nftables) family: Family,
    pub(in crate::formats::nftables) table: Name<'t>,
    pub(in crate::formats::nftables) name: Name<'t>,
}

impl Path<'_> {
    /// The same written so many bytes further on.
    pub(in crate::formats::nftables) fn moved(&self, by: u32) -> Self {
        let mut moved = self.clone();
        for name in [&mut moved.table, &mut moved.name] {
            name.at = Span { start: name.at.start + by, end: name.at.end + by, ..name.at };
        }
        moved
    }
}

/// A chain in a table.
pub(in crate::formats::nftables) type ChainPath<'t> = Path<'t>;

/// A place among the rules of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Place {
    Handle(u64),
    /// From 0.
    Index(u64),
}

/// A table, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Table<'t> {
    pub(in crate::formats::nftables) family: Family,
    pub(in crate::formats::nftables) name: Name<'t>,
    pub(in crate::formats::nftables) flags: Vec<TableFlag>,
    pub(in crate::formats::nftables) comment: Option<Name<'t>>,
    /// The handle that a listing gives.
    pub(in crate::formats::nftables) handle: Option<u64>,
}

super::keywords! {
    /// What a table may be: asleep, or bound to the program that made it.
    TableFlag { Dormant = "dormant", Owner = "owner", Persist = "persist" }
}

/// A chain, without its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Chain<'t> {
    pub(in crate::formats::nftables) path: ChainPath<'t>,
    pub(in crate::formats::nftables) base: Option<Base<'t>>,
    pub(in crate::formats::nftables) policy: Option<Policy>,
    pub(in crate::formats::nftables) comment: Option<Name<'t>>,
    pub(in crate::formats::nftables) handle: Option<u64>,
}

/// `type filter hook input device eth0 priority filter - 10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Base<'t> {
    pub(in crate::formats::nftables) at: Span,
    /// `filter`, `nat`, `route`, or a word that nft refuses.
    pub(in crate::formats::nftables) kind: Name<'t>,
    /// `input`, `prerouting`, `ingress` …
    pub(in crate::formats::nftables) hook: Name<'t>,
    /// For `ingress` and `egress`.
    pub(in crate::formats::nftables) devices: Vec<Name<'t>>,
    /// Absent in `type filter hook input;`, which nft refuses.
    pub(in crate::formats::nftables) priority: Priority<'t>,
    /// `flags offload`.
    pub(in crate::formats::nftables) offload: bool,
}

/// `filter - 10`, `0`, `dstnat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Priority<'t> {
    pub(in crate::formats::nftables) at: Span,
    /// The name that the number is added to.
    pub(in crate::formats::nftables) name: Option<Cow<'t, [u8]>>,
    pub(in crate::formats::nftables) offset: i64,
}

/// What becomes of a packet at the end of a base chain, and where that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Policy {
    pub(in crate::formats::nftables) accept: bool,
    pub(in crate::formats::nftables) at: Span,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Rule<'t> {
    /// From its first statement to the end of its last (or of its comment).
    pub(in crate::formats::nftables) at: Span,
    pub(in crate::formats::nftables) statements: Vec<Statement<'t>>,
    /// The text of `comment "…"`.
    pub(in crate::formats::nftables) comment: Option<Name<'t>>,
    pub(in crate::formats::nftables) handle: Option<u64>,
}

/// A set or map, without its elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Set<'t> {
    pub(in crate::formats::nftables) at: Span,
    pub(in crate::formats::nftables) path: Path<'t>,
    /// Absent where the declaration lacks it, which nft refuses.
    pub(in crate::formats::nftables) key: Option<SetKey<'t>>,
    /// For maps, what the keys are mapped to.
    pub(in crate::formats::nftables) data: Option<SetData<'t>>,
    /// `map`, whether or not `data` is there.
    pub(in crate::formats::nftables) map: bool,
    pub(in crate::formats::nftables) flags: Vec<SetFlag>,
    /// Milliseconds.
    pub(in crate::formats::nftables) timeout: Option<u64>,
    /// Milliseconds.
    pub(in crate::formats::nftables) gc_interval: Option<u64>,
    pub(in crate::formats::nftables) size: Option<u64>,
    /// `memory` or `performance`.
    pub(in crate::formats::nftables) policy: Option<Name<'t>>,
    pub(in crate::formats::nftables) auto_merge: bool,
    /// It is from JSON, in which nft leaves out that rules add to a set and that it maps to intervals.
    pub(in crate::formats::nftables) listed: bool,
    pub(in crate::formats::nftables) comment: Option<Name<'t>>,
    /// What each element gets: `counter`, `limit …`.
    pub(in crate::formats::nftables) statements: Vec<Statement<'t>>,
    pub(in crate::formats::nftables) handle: Option<u64>,
}

/// What the elements of a set are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum SetKey<'t> {
    /// `type ipv4_addr . inet_service`: the types, in order.
    Types(Vec<Name<'t>>),
    /// `typeof ip saddr . tcp dport`: one expression, maybe a concatenation.
    TypeOf(Expression<'t>),
}

/// What a map maps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum SetData<'t> {
    /// `verdict` is a type as well. The flag: `interval` stands before it.
    Types(Vec<Name<'t>>, bool),
    TypeOf(Expression<'t>, bool),
    /// `counter`, `quota`, `limit` …: objects of that kind.
    Objects(ObjectKind),
}

super::keywords! {
    /// What a set can do.
    SetFlag { Constant = "constant", Interval = "interval", Timeout = "timeout", Dynamic = "dynamic" }
}

/// A flowtable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Flowtable<'t> {
    pub(in crate::formats::nftables) at: Span,
    pub(in crate::formats::nftables) path: Path<'t>,
    pub(in crate::formats::nftables) hook: Option<(Name<'t>, Priority<'t>)>,
    pub(in crate::formats::nftables) devices: Vec<Name<'t>>,
    pub(in crate::formats::nftables) offload: bool,
    pub(in crate::formats::nftables) counter: bool,
    pub(in crate::formats::nftables) handle: Option<u64>,
}

/// A named counter, quota and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Object<'t> {
    pub(in crate::formats::nftables) at: Span,
    pub(in crate::formats::nftables) path: Path<'t>,
    pub(in crate::formats::nftables) data: ObjectData<'t>,
    pub(in crate::formats::nftables) comment: Option<Name<'t>>,
    pub(in crate::formats::nftables) handle: Option<u64>,
}

super::keywords! {
    /// The kinds of objects.
    ObjectKind {
        Counter = "counter", Quota = "quota", Limit = "limit", CtHelper = "ct helper", CtTimeout = "ct timeout",
        CtExpectation = "ct expectation", Secmark = "secmark", Synproxy = "synproxy", Tunnel = "tunnel",
    }
}

/// What an object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum ObjectData<'t> {
    Counter {
        packets: u64,
        bytes: u64,
    },
    /// Absent where the block is empty.
    Quota(Option<super::Quota>),
    /// Absent where the block is empty.
    Limit(Option<super::Limit>),
    /// `type "ftp" protocol tcp; l3proto ip`.
    CtHelper {
        kind: Option<Name<'t>>,
        protocol: Option<Name<'t>>,
        l3proto: Option<Name<'t>>,
    },
    CtTimeout(CtTimeout<'t>),
    CtExpectation(CtExpectation<'t>),
    /// The security context.
    Secmark(Option<Name<'t>>),
    Synproxy(super::Synproxy),
}

/// `protocol tcp; l3proto ip; policy = { established: 100, close: 4s }`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::formats::nftables) struct CtTimeout<'t> {
    pub(in crate::formats::nftables) protocol: Option<Name<'t>>,
    pub(in crate::formats::nftables) l3proto: Option<Name<'t>>,
    /// State and seconds.
    pub(in crate::formats::nftables) policy: Vec<(Name<'t>, u64)>,
}

/// `protocol tcp; dport 9876; timeout 1m; size 12; l3proto ip`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::formats::nftables) struct CtExpectation<'t> {
    pub(in crate::formats::nftables) protocol: Option<Name<'t>>,
    pub(in crate::formats::nftables) l3proto: Option<Name<'t>>,
    pub(in crate::formats::nftables) dport: Option<Expression<'t>>,
    /// Milliseconds.
    pub(in crate::formats::nftables) timeout: Option<u64>,
    pub(in crate::formats::nftables) size: Option<u64>,
}

/// What is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Found<'t> {
    Table(Family, Name<'t>),
    TableHandle(Family, u64),
    Chain(ChainPath<'t>),
    /// `delete chain … { hook ingress … device eth1 … }`: only the devices of it.
    ChainDevices(Chain<'t>),
    ChainHandle(Family, Name<'t>, u64),
    Rule(ChainPath<'t>, Place),
    /// A set or a map.
    Set(Path<'t>),
    SetHandle(Family, Name<'t>, u64),
    Flowtable(Path<'t>),
    FlowtableDevices(Flowtable<'t>),
    FlowtableHandle(Family, Name<'t>, u64),
    Object(ObjectKind, Path<'t>),
    ObjectHandle(ObjectKind, Family, Name<'t>, u64),
}

/// What is flushed or reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Listed<'t> {
    /// All tables, or those of a family.
    Ruleset(Option<Family>),
    Table(Family, Name<'t>),
    Chain(ChainPath<'t>),
    /// A set or a map or a meter.
    Set(Path<'t>),
    /// Anything else; for `reset` only.
    Other,
}

impl ObjectData<'_> {
    pub(in crate::formats::nftables) const fn kind(&self) -> ObjectKind {
        match self {
            Self::Counter { .. } => ObjectKind::Counter,
            Self::Quota(_) => ObjectKind::Quota,
            Self::Limit(_) => ObjectKind::Limit,
            Self::CtHelper { .. } => ObjectKind::CtHelper,
            Self::CtTimeout(_) => ObjectKind::CtTimeout,
            Self::CtExpectation(_) => ObjectKind::CtExpectation,
            Self::Secmark(_) => ObjectKind::Secmark,
            Self::Synproxy(_) => ObjectKind::Synproxy,
        }
    }
}
