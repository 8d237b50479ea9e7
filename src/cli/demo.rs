use super::judge::{self, Judged, Outside, PolicyPath};
use super::output::Streams;
use super::progress::Progress;
use super::verify;
use crate::decision::{HostReport, Origin, Outcome, Report, Sameness, Verification};
use crate::live::{Expected, NotRead, Ruleset, Scope, Scratch, Target};
use crate::report::{self, Output, Style};
use crate::source::{File, Side, Sides};
use crate::text::SourceMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A real incident as a change, with the policy that was missing.
pub struct Incident {
    /// The name of its folder in `tests/incidents`.
    pub name: &'static str,
    /// What it is called: the same incident may be replayed in several notations.
    pub incident: &'static str,
    /// The notation.
    pub notation: &'static str,
    /// What happened, in some sentences.
    pub story: &'static str,
    /// What was in force: path and text.
    pub base: &'static [(&'static str, &'static str)],
    /// What was proposed.
    pub head: &'static [(&'static str, &'static str)],
    /// Who made the change.
    pub authors: &'static [&'static str],
    /// The checks that must stop it.
    pub stopped_by: &'static [&'static str],
}

macro_rules! embedded {
    ($incident:literal, $side:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../tests/incidents/", $incident, "/", $side, "/", $path)))),*]
    };
}

macro_rules! incident {
    ($name:literal, of: $incident:literal, in: $notation:literal, by: $authors:expr, stopped_by: $checks:expr, files: $($path:literal),* $(,)?) => {
        Incident {
            name: $name,
            incident: $incident,
            notation: $notation,
            story: include_str!(concat!("../../tests/incidents/", $name, "/story.md")),
            base: embedded!($name, "base": $($path),*),
            head: embedded!($name, "head": $($path),*),
            authors: $authors,
            stopped_by: $checks,
        }
    };
}

/// Every incident, as files that the program carries with it.
pub static INCIDENTS: &[Incident] = &[
    incident! {
        "blocked-ports", of: "blocked-ports", in: "iptables-save", by: &["Jo Doe"], stopped_by: &["critical-ports"],
        files: "portcullis.yaml", "edge/gateway.rules",
    },
    incident! {
        "scaleway", of: "scaleway", in: "an inventory", by: &["api"], stopped_by: &["deletion-limit"],
        files: "portcullis.yaml", "fleet.json",
    },
    incident! {
        "scaleway-terraform", of: "scaleway", in: "Terraform", by: &["api"], stopped_by: &["deletion-limit"],
        files: "portcullis.yaml", "fleet/main.tf", "fleet/fleet.json",
    },
    incident! {
        "scaleway-restore", of: "scaleway", in: "an inventory and iptables-save", by: &["restore"],
        stopped_by: &["backend-consistency", "certificate-references"],
        files: "portcullis.yaml", "fleet.json", "servers.rules",
    },
    incident! {
        "exoscale", of: "exoscale", in: "iptables-save", by: &["discovery-sync"],
        stopped_by: &["critical-ports", "deletion-limit", "empty-input", "protected-rules"],
        files: "portcullis.yaml", "nodes/node-a.rules", "nodes/node-b.rules",
    },
    incident! {
        "exoscale-nft", of: "exoscale", in: "nftables", by: &["discovery-sync"],
        stopped_by: &["critical-ports", "empty-input", "protected-rules"],
        files: "portcullis.yaml", "nodes/node-a.nft", "nodes/node-b.nft",
    },
    incident! {
        "exoscale-terraform", of: "exoscale", in: "Terraform", by: &["discovery-sync"],
        stopped_by: &["critical-ports", "deletion-limit", "protected-rules"],
        files: "portcullis.yaml", "nodes/main.tf", "nodes/discovery.json",
    },
    incident! {
        "exoscale-kubernetes", of: "exoscale", in: "Kubernetes", by: &["discovery-sync"], stopped_by: &["exposed-ports"],
        files: "portcullis.yaml", "cluster/store.yaml", "cluster/peers.yaml",
    },
    incident! {
        "cloud-gov", of: "cloud-gov", in: "Cloud Foundry JSON", by: &["Jo Doe"], stopped_by: &["required-coverage"],
        files: "portcullis.yaml", "feeds/ip-ranges.json", "asg/trusted-local-networks-egress.json",
    },
    incident! {
        "cloud-gov-terraform", of: "cloud-gov", in: "Terraform", by: &["feed-update"], stopped_by: &["required-coverage"],
        files: "portcullis.yaml", "feeds/ip-ranges.json", "provision/stack.tf", "provision/outputs.tf", "deploy/asg.tf",
    },
];

/// A real incident that no change shows: what was reviewed was right, and never in force.
pub struct Drift {
    /// The name of its folder in `tests/incidents`.
    pub name: &'static str,
    /// What it is called.
    pub incident: &'static str,
    /// The notation.
    pub notation: &'static str,
    /// What happened, in some sentences.
    pub story: &'static str,
    /// What the agent says of its work.
    pub answer: &'static str,
    /// What is expected: name and text.
    pub expected: (&'static str, &'static str),
    /// What was in force then, as the host showed it.
    pub live: (&'static str, &'static str),
    /// What the agent does, as a script of `sh` for a host that has `nft`, and what is expected there.
    pub agent: &'static str,
    /// The same as `expected`, for `nft`.
    pub expected_there: (&'static str, &'static str),
}

macro_rules! recorded {
    ($incident:literal, $path:literal) => {
        ($path, include_str!(concat!("../../tests/incidents/", $incident, "/", $path)))
    };
}

/// Every incident that no change shows.
pub static DRIFTS: &[Drift] = &[Drift {
    name: "wayscloud",
    incident: "wayscloud",
    notation: "iptables-save",
    story: include_str!("../../tests/incidents/wayscloud/story.md"),
    answer: include_str!("../../tests/incidents/wayscloud/agent/answer.json"),
    expected: recorded!("wayscloud", "expected/redis.rules"),
    live: recorded!("wayscloud", "live/redis.dump"),
    agent: include_str!("../../tests/incidents/wayscloud/agent/agent-nft.sh"),
    expected_there: recorded!("wayscloud", "expected/redis.nft"),
}];

impl Drift {
    /// What `verify` says of it, as text and as JSON, and whether it says that this is not what is expected.
    #[must_use]
    pub fn replay(&self, style: Style) -> Replay {
        let ruleset = Ruleset { files: vec![file(self.live)], ..Ruleset::default() };
        let live = Origin { source: "files".to_owned(), revision: Some(self.live.0.to_owned()) };
        let (replay, outcome) = self.held(self.expected, &ruleset, live, style);
        Replay { stopped: outcome == Sameness::Differs, ..replay }
    }

    /// The same, live in a network namespace of its own, that is gone afterwards: what the agent answers there, what `verify`
    /// says then, and what it says once the rules are really loaded.
    ///
    /// # Errors
    /// There can be none: that takes root, `unshare` and `nft`.
    pub fn replay_live(&self, style: Style) -> Result<(String, Replay, Replay), NotRead> {
        let scratch = Scratch::new()?;
        let look = || -> Result<(Replay, Sameness), NotRead> {
            let target = Target::Nftables;
            let live = Origin { source: "live".to_owned(), revision: Some(target.name().to_owned()) };
            Ok(self.held(self.expected_there, &scratch.host().read(target)?, live, style))
        };
        let answer = scratch.run(self.agent)?;
        let (before, differs) = look()?;
        let (_, expected) = self.expected_there;
        scratch.run(&format!("nft -f - <<'END'\nflush ruleset\n{expected}\nEND\n"))?;
        let (after, same) = look()?;
        let stopped = differs == Sameness::Differs && same == Sameness::Equal && answer == self.answer;
        Ok((answer, Replay { stopped, ..before }, Replay { stopped, ..after }))
    }

    fn held(&self, expected: (&str, &str), ruleset: &Ruleset, live: Origin, style: Style) -> (Replay, Sameness) {
        let mut sources = SourceMap::default();
        let origin = Origin { source: "files".to_owned(), revision: Some(expected.0.to_owned()) };
        let host = self.name.to_owned();
        let files = judge::add(&mut sources, file(expected)).map(|id| vec![id]);
        let held = files.and_then(|files| {
            let wanted = Expected { files, format: None };
            verify::hold(self.name, &wanted, origin.clone(), ruleset, live.clone(), &Scope::default(), &mut sources)
        });
        let report = match held {
            Ok(held) => HostReport::of(host, held),
            Err(doubts) => verify::not_verified(host, &doubts, origin, live),
        };
        let verification = Verification::new(vec![report]);
        let replay = Replay {
            text: report::text::render_verification(&verification, &sources, style),
            json: report::json::render_verification(&verification),
            stopped: false,
        };
        (replay, verification.outcome)
    }

    /// What happened, and what is said to it: live where that is possible, otherwise a recorded run; and whether it is stopped.
    fn told(&self, style: Style) -> (String, bool) {
        let live = self.replay_live(style);
        let (answer, how) = match &live {
            Ok((answer, ..)) => {
                (answer.as_str(), "live in a network namespace of its own, which is gone afterwards".to_owned())
            }
            Err(why) => (self.answer, format!("a recorded run (nothing is touched here: {why})")),
        };
        let mut out = format!("What the agent answers, {how}: {}\n\n", answer.trim());
        let (replay, after) = match live {
            Ok((_, before, after)) => (before, Some(after)),
            Err(_) => (self.replay(style), None),
        };
        writeln!(out, "What `portcullis verify` says to it:\n\n{}", replay.text.trim_end())
            .expect("writing to a String");
        if let Some(after) = after {
            let text = after.text.trim_end();
            writeln!(out, "\nAnd once the rules are really loaded there:\n\n{text}").expect("writing to a String");
        }
        (out, replay.stopped)
    }
}

fn file((name, text): (&str, &str)) -> File {
    File { path: name.into(), name: name.into(), bytes: text.into(), executable: false }
}

impl Incident {
    /// What its author would have seen, as text and as JSON, and whether it was stopped, by the checks that must.
    #[must_use]
    pub fn replay(&self, style: Style) -> Replay {
        let Judged { decision, sources, subject: _, visibility: _ } = self.judged();
        let report = decision.report();
        Replay {
            text: report::text::render(report, &sources, style),
            json: report::json::render(report),
            stopped: report.decision == Outcome::Blocked && blocking(report).is_superset(&self.wanted()),
        }
    }

    /// What its author would have seen in that output.
    #[must_use]
    pub fn written(&self, output: &Output, style: Style) -> String {
        let Judged { decision, sources, subject: _, visibility: _ } = self.judged();
        (output.report)(decision.report(), &sources, style)
    }

    fn judged(&self) -> Judged {
        let side = |files: &[(&str, &str)]| Side::given(files.iter().copied().map(file).collect());
        let authors = Some(self.authors.iter().map(|author| (*author).to_owned()).collect());
        let sides = Sides { base: side(self.base), head: side(self.head), authors };
        let path = PolicyPath::InBase(super::check::POLICY.to_owned());
        let outside = Outside { now: crate::facts::now(), ..Outside::default() };
        judge::judge(&sides, &path, None, &outside, &Progress::new(false))
    }

    fn wanted(&self) -> BTreeSet<&str> {
        self.stopped_by.iter().copied().collect()
    }
}

/// What came of the replay of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The report as text.
    pub text: String,
    /// The report as JSON.
    pub json: String,
    /// Whether it was blocked, and by every check that must.
    pub stopped: bool,
}

fn blocking(report: &Report) -> BTreeSet<&str> {
    let blocked = report.findings.iter().filter(|finding| finding.outcome == crate::decision::Consequence::Blocked);
    blocked.map(|finding| finding.check.as_str()).collect()
}

pub(super) fn run(streams: &mut Streams<'_>) -> u8 {
    let (mut out, mut stopped) = (String::new(), 0);
    let (bold, end) = if streams.style.colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let changes = INCIDENTS.iter().map(|incident| incident.incident);
    let names: BTreeSet<&str> = changes.chain(DRIFTS.iter().map(|drift| drift.incident)).collect();
    let (mut number, mut last) = (0, "");
    for incident in INCIDENTS {
        let replay = incident.replay(streams.style);
        let line = "─".repeat(streams.style.width.min(100));
        if incident.incident != last {
            (number, last) = (number + 1, incident.incident);
        }
        let Incident { incident: name, notation, .. } = incident;
        writeln!(out, "{line}\n{bold}Incident {number}: {name}, as {notation}{end}\n").expect("writing to a String");
        writeln!(out, "{}\nWhat `portcullis check` says to it:\n", incident.story).expect("writing to a String");
        writeln!(out, "{}", replay.text.trim_end()).expect("writing to a String");
        let word = if replay.stopped { "stopped" } else { "NOT STOPPED as it must be" };
        writeln!(out, "\n{bold}{}: {word}{end}\n", incident.name).expect("writing to a String");
        stopped += usize::from(replay.stopped);
    }
    for drift in DRIFTS {
        let (told, is_stopped) = drift.told(streams.style);
        let line = "─".repeat(streams.style.width.min(100));
        number += 1;
        let Drift { name, incident, notation, story, .. } = drift;
        writeln!(out, "{line}\n{bold}Incident {number}: {incident}, as {notation}{end}\n\n{story}\n{told}")
            .expect("writing to a String");
        let word = if is_stopped { "stopped" } else { "NOT STOPPED as it must be" };
        writeln!(out, "{bold}{name}: {word}{end}\n").expect("writing to a String");
        stopped += usize::from(is_stopped);
    }
    let all = INCIDENTS.len() + DRIFTS.len();
    writeln!(out, "{stopped} of {all} replays of {} incidents stopped.", names.len()).expect("writing to a String");
    streams.data(&out, u8::from(stopped != all))
}
