//! Whether hosts are what they should be: the answer of `verify`.

use super::Cause;
use super::report::{
    Answer, AnswerReport, ChangeKind, Comparison, ConfigurationReport, DoubtReport, GapReport, Location, ObjectReport,
    ObjectsReport, Origin, VERSION, WitnessReport,
};
use schemars::JsonSchema;
use serde::Serialize;

/// What was found of one host or of several.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Verification {
    /// The version of this shape: 1. Fields are only ever added to it.
    pub version: u32,
    /// What holds of all of them: the first of differs, not-verified, equal that holds of one.
    pub outcome: Sameness,
    /// Each host, in the order of the inventory.
    pub hosts: Vec<HostReport>,
}

/// Whether something is what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sameness {
    /// It is, proved for every packet. Exit code 0.
    Equal,
    /// It is not known. Exit code 3.
    NotVerified,
    /// It is not. Exit code 4.
    Differs,
}

/// What was found of one host.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HostReport {
    /// Its name.
    pub host: String,
    /// Whether it is what it should be.
    pub outcome: Sameness,
    /// Why, one sentence without a full stop.
    pub message: String,
    /// What to do; empty where there is nothing to do.
    pub help: String,
    /// Where that was read which is expected.
    pub expected: Origin,
    /// Where that was read which is in force.
    pub live: Origin,
    /// How many rules are expected; null where that is not known.
    pub expected_rules: Option<usize>,
    /// How many are in force, without those of tables that belong to others; null where that is not known.
    pub live_rules: Option<usize>,
    /// What differs: what is expected as base, what is in force as head; null where nothing could be compared.
    pub comparison: Option<Comparison>,
    /// What the tables of others do that may be there.
    pub foreign: Vec<ForeignReport>,
}

/// What tables of others do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ForeignReport {
    /// Their names.
    pub tables: Vec<String>,
    /// Whether they may decide before those that are expected.
    pub may_decide_first: bool,
    /// Whether some do.
    pub decides_first: bool,
    /// What they write and the others read, such as a condition on marks.
    pub writes: Vec<String>,
    /// Whether part of them is not understood.
    pub unread: bool,
    /// What they do: what is in force without them as base, with them as head.
    pub comparison: Comparison,
}

/// What was compared of a host.
#[derive(Debug, Clone)]
pub struct Held {
    /// What is expected, and what is in force.
    pub comparison: Comparison,
    /// How many rules are expected.
    pub expected_rules: usize,
    /// How many are in force.
    pub live_rules: usize,
    /// Whether nothing at all decides packets there.
    pub nothing: bool,
    /// What the listing only names and is kept elsewhere.
    pub elsewhere: Vec<&'static str>,
    /// What of it cannot be seen, in sentences.
    pub unseen: Vec<String>,
    /// The sets of which elements are not compared: packets have put them there.
    pub runtime: Vec<String>,
    /// What the tables of others do.
    pub foreign: Vec<ForeignReport>,
}

impl Verification {
    /// What is said of all hosts. None at all is nothing that was verified.
    #[must_use]
    pub fn new(hosts: Vec<HostReport>) -> Self {
        let outcome = hosts.iter().map(|host| host.outcome).max().unwrap_or(Sameness::NotVerified);
        Self { version: VERSION, outcome, hosts }
    }

    /// 0 equal, 3 not verified, 4 differs.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.outcome {
            Sameness::Equal => 0,
            Sameness::NotVerified => 3,
            Sameness::Differs => 4,
        }
    }
}

impl HostReport {
    /// What is said of a host of which both sides were read.
    #[must_use]
    pub fn of(host: String, held: Held) -> Self {
        let Held { comparison, expected_rules, live_rules, nothing, elsewhere, unseen, runtime, foreign } = held;
        let differs = !comparison.configurations.iter().all(same);
        // An object that differs is a difference whether or not its effect is computed.
        let open = |doubt: &DoubtReport| doubt.cause != Cause::NotComputed;
        let unread = !comparison.gaps.is_empty() || comparison.doubts.iter().any(open);
        let theirs = |what: fn(&ForeignReport) -> bool| {
            let reports = foreign.iter().filter(|report| !report.may_decide_first && what(report));
            reports.flat_map(|report| report.tables.iter().cloned()).collect::<Vec<_>>().join(", ")
        };
        let (first, unknown) = (theirs(|report| report.decides_first), theirs(|report| report.unread));
        let writes = foreign.iter().filter(|report| !report.may_decide_first).flat_map(|report| &report.writes);
        let writes = writes.map(|what| format!("`{what}`")).collect::<Vec<_>>().join(", ");
        let rules = if expected_rules == 1 { "1 rule is" } else { &format!("{expected_rules} rules are") };
        let (outcome, message, help) = if unread {
            let help = "have somebody look at what is not understood: until then nobody knows what is in force";
            (Sameness::NotVerified, "what was read is not all understood".to_owned(), help)
        } else if differs && nothing && expected_rules > 0 {
            let message = format!("no rule at all is in force; {rules} expected");
            (
                Sameness::Differs,
                message,
                "load the rules; if the tool that did it said that it went well, do not believe it again",
            )
        } else if differs {
            let help = "load what is expected again, or have what is in force reviewed; tables that belong to other programs \
                        are declared with --foreign";
            (Sameness::Differs, "what is in force is not what is expected".to_owned(), help)
        } else if !first.is_empty() {
            let help = "if it is meant to, declare it with --foreign-first";
            (Sameness::Differs, format!("tables of others decide before those that are expected: {first}"), help)
        } else if !writes.is_empty() {
            let writers = theirs(|report| !report.writes.is_empty());
            let help = "if it may decide by that what those rules decide, declare it with --foreign-first";
            (
                Sameness::Differs,
                format!("tables of others write what rules that are expected read: {writers}: {writes}"),
                help,
            )
        } else if !elsewhere.is_empty() {
            let message =
                format!("the listing only names conditions that are kept elsewhere: {}", elsewhere.join(", "));
            let help = "of `xt` only `--live live:iptables` shows all; what sets of ipset hold is not read yet: compare `ipset save`";
            (Sameness::NotVerified, message, help)
        } else if !unseen.is_empty() {
            let help = "what can be seen is what is expected; of the rest nobody knows until it can be seen";
            (Sameness::NotVerified, unseen.join("; "), help)
        } else if !unknown.is_empty() {
            let help = "if it may do whatever it does, declare it with --foreign-first";
            (Sameness::NotVerified, format!("what tables of others do is not all understood: {unknown}"), help)
        } else if !runtime.is_empty() {
            let equal = "what is in force is what is expected, proved for every packet whatever packets put into sets";
            let message = format!("{equal}: the elements of {} are not compared", runtime.join(", "));
            (Sameness::Equal, message, "")
        } else {
            (Sameness::Equal, "what is in force is what is expected, proved for every packet".to_owned(), "")
        };
        let (expected, live) = (comparison.base.clone(), comparison.head.clone());
        Self {
            host,
            outcome,
            message,
            help: help.to_owned(),
            expected,
            live,
            expected_rules: Some(expected_rules),
            live_rules: Some(live_rules),
            comparison: Some(comparison),
            foreign,
        }
    }

    /// The first thing that keeps it from being what it should be, with a packet or a place, in a sentence part.
    #[must_use]
    pub fn first(&self) -> Option<String> {
        let comparison = self.comparison.as_ref()?;
        let place = |path: &str, line: u32| format!("{path}:{line}");
        let at = |location: &Location| place(&location.path, location.line);
        if let Some(GapReport { location, reason, .. }) = comparison.gaps.first() {
            return Some(format!("{}: {reason}", at(location)));
        }
        let differing: Vec<&ConfigurationReport> = comparison.configurations.iter().filter(|one| !same(one)).collect();
        let witnesses = differing
            .iter()
            .flat_map(|configuration| &configuration.filters)
            .flat_map(|filter| filter.newly_allowed_witness.iter().chain(&filter.newly_denied_witness));
        if let Some(WitnessReport { packet, assumed, base, head }) = witnesses.into_iter().next() {
            let answer = |answer: &AnswerReport| {
                let verb = if answer.answer == Answer::Allow { "allowed" } else { "denied" };
                match (&answer.path, answer.line) {
                    (Some(path), Some(line)) => format!("{verb} by {}", place(path, line)),
                    _ => format!("{verb} by nothing"),
                }
            };
            let base =
                base.as_ref().map_or_else(String::new, |base| format!("is expected to be {}, and ", answer(base)));
            let packet = [&[packet.clone()][..], assumed].concat().join(" ");
            return Some(format!("{packet} {base}is {}", answer(head)));
        }
        let objects = differing.iter().flat_map(|configuration| {
            let ObjectsReport { added, removed, modified } = &configuration.objects;
            let of =
                |what, list: &'_ [ObjectReport]| list.iter().map(move |one| (what, one.clone())).collect::<Vec<_>>();
            [of("not expected", added), of("missing", removed), of("another one than is expected", modified)].concat()
        });
        objects.into_iter().next().map(|(what, object)| {
            let ObjectReport { kind, address, base, head, .. } = object;
            let places: Vec<String> = base.iter().chain(&head).map(at).collect();
            format!("{kind} `{address}` is {what} ({})", places.join(", "))
        })
    }

    /// What is said of a host of which something could not be read.
    #[must_use]
    pub fn not_verified(host: String, message: String, help: String, expected: Origin, live: Origin) -> Self {
        Self::told(Sameness::NotVerified, host, message, help, expected, live)
    }

    /// What is said of what loads the rules at boot, in time.
    #[must_use]
    pub fn loaded(host: String, message: String, expected: Origin, live: Origin) -> Self {
        Self::told(Sameness::Equal, host, message, String::new(), expected, live)
    }

    /// The same where nothing does.
    #[must_use]
    pub fn not_loaded(host: String, message: String, help: String, expected: Origin, live: Origin) -> Self {
        Self::told(Sameness::Differs, host, message, help, expected, live)
    }

    fn told(outcome: Sameness, host: String, message: String, help: String, expected: Origin, live: Origin) -> Self {
        let (expected_rules, live_rules, comparison, foreign) = (None, None, None, Vec::new());
        Self { host, outcome, message, help, expected, live, expected_rules, live_rules, comparison, foreign }
    }
}

fn same(configuration: &ConfigurationReport) -> bool {
    matches!(configuration.change, ChangeKind::Unchanged | ChangeKind::Equivalent)
}
