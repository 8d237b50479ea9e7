use crate::decision::{Consequence, FindingReport, Outcome, Report};
use serde::Serialize;

/// How many findings a message lists.
const MOST: usize = 20;

/// What is sent: one JSON object. Chats that know Slack's messages show its `text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The version of this shape: 1.
    pub version: u32,
    /// What was done: `check`, `attest`, `break-glass`, `gate`.
    pub event: String,
    /// What came of it: `blocked`, `needs-approval`, `undecided`, `policy-error`, `refused`, `pass`.
    pub outcome: String,
    /// In which environment, where there is one.
    pub environment: Option<String>,
    /// The commit that is in force, where there is one.
    pub base: Option<String>,
    /// The commit that is proposed, where there is one.
    pub head: Option<String>,
    /// All of it in words, a line each.
    pub text: String,
    /// The findings that stand against a pass, the gravest first; at most 20.
    pub findings: Vec<Told>,
    /// How many there are.
    pub findings_total: usize,
}

/// A finding as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The check.
    pub check: String,
    /// The name of its instance.
    pub name: Option<String>,
    /// `blocked` or `needs-approval`.
    pub outcome: Consequence,
    /// What is wrong.
    pub message: String,
    /// The configuration it is about.
    pub configuration: Option<String>,
    /// The packets it is about.
    pub flow: Option<String>,
    /// Stays the same as long as the finding does.
    pub fingerprint: String,
}

impl Message {
    /// What a report has to tell; `None`: nothing stands against the change.
    #[must_use]
    pub fn of(event: &str, report: &Report) -> Option<Self> {
        let outcome = match report.decision {
            Outcome::Pass => return None,
            Outcome::NeedsApproval => "needs-approval",
            Outcome::Blocked => "blocked",
            Outcome::Undecided => "undecided",
            Outcome::PolicyError => "policy-error",
        };
        let grave: Vec<&FindingReport> =
            report.findings.iter().filter(|finding| finding.outcome >= Consequence::NeedsApproval).collect();
        let mut lines = vec![format!("portcullis {event}: {outcome}")];
        let name =
            |f: &FindingReport| f.name.clone().map_or_else(|| f.check.clone(), |name| format!("{} ({name})", f.check));
        lines.extend(grave.iter().take(MOST).map(|finding| format!("- {}: {}", name(finding), finding.message)));
        if let Some(more) = grave.len().checked_sub(MOST).filter(|more| *more > 0) {
            lines.push(format!("- and {more} more"));
        }
        lines.extend(report.doubts.iter().take(MOST).map(|doubt| format!("- {}", doubt.message)));
        Some(Self {
            version: 1,
            event: event.to_owned(),
            outcome: outcome.to_owned(),
            environment: None,
            base: report.base.revision.clone(),
            head: report.head.revision.clone(),
            text: lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n"),
            findings: grave.iter().take(MOST).map(|finding| told(finding)).collect(),
            findings_total: grave.len(),
        })
    }

    /// Something else that people have to know, in one sentence.
    #[must_use]
    pub fn sentence(event: &str, outcome: &str, environment: Option<&str>, sentence: &str) -> Self {
        let place = environment.map(|environment| format!(" in {environment}")).unwrap_or_default();
        Self {
            version: 1,
            event: event.to_owned(),
            outcome: outcome.to_owned(),
            environment: environment.map(ToOwned::to_owned),
            base: None,
            head: None,
            text: plain(&format!("portcullis {event}{place}: {outcome}: {sentence}")),
            findings: Vec::new(),
            findings_total: 0,
        }
    }
}

fn told(finding: &FindingReport) -> Told {
    Told {
        check: finding.check.clone(),
        name: finding.name.clone(),
        outcome: finding.outcome,
        message: finding.message.clone(),
        configuration: finding.configuration.clone(),
        flow: finding.flow.clone(),
        fingerprint: finding.fingerprint.clone(),
    }
}

/// A line in which nothing calls people, links or formats (Slack: "Escaping text"), and nothing is invisible.
fn plain(line: &str) -> String {
    crate::text::escape(line.as_bytes())
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "@\u{2060}")
}
