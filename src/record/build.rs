use super::statement::{Artifact, BreakGlass, DifferenceDigest, Feed, PolicyText, Review, ReviewedFile, Tool, digest};
use crate::decision::{Consequence, Origin, Outcome, Report};
use crate::facts::show_instant;

/// What is known of a review besides the report.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The repository, as the roots of trust call it.
    pub repository: String,
    /// The branch that the change was reviewed for.
    pub target_ref: String,
    /// Where it may be put into force.
    pub environment: String,
    /// The tree that was judged.
    pub merge_tree: Option<String>,
    /// The policy that it was held against.
    pub policy: PolicyText,
    /// What the closure is of.
    pub artifact: Artifact,
    /// The files of the closure.
    pub files: Vec<ReviewedFile>,
    /// The emergency, if it stands in for a review.
    pub break_glass: Option<BreakGlass>,
    /// The emergencies whose changes were reviewed with it.
    pub settles: Vec<String>,
    /// Its number.
    pub sequence: u64,
    /// When it was judged, in seconds since 1970.
    pub now: u64,
    /// For how many seconds it holds.
    pub expires: u64,
    /// The head of the audit log.
    pub audit_head: Option<String>,
}

impl Review {
    /// What a report says, as far as it is kept. `json` is the report as it is printed.
    ///
    /// `None`: the change did not pass, and this does not stand in for a review. Nothing else makes a record.
    #[must_use]
    pub fn of(report: &Report, json: &str, circumstances: Circumstances) -> Option<Self> {
        if report.decision != Outcome::Pass && circumstances.break_glass.is_none() {
            return None;
        }
        let Circumstances {
            repository,
            target_ref,
            environment,
            merge_tree,
            policy,
            artifact,
            files,
            break_glass,
            settles,
            sequence,
            now,
            expires,
            audit_head,
        } = circumstances;
        let used = |finding: &crate::decision::FindingReport| match finding.outcome {
            Consequence::Waived => finding.waiver.clone(),
            Consequence::Warned | Consequence::Approved | Consequence::NeedsApproval | Consequence::Blocked => None,
        };
        Some(Self {
            repository,
            target_ref,
            environment,
            base_commit: commit(&report.base),
            head_commit: commit(&report.head),
            merge_tree,
            policy,
            tool: Tool { name: "portcullis".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            decision: word(report.decision).to_owned(),
            report_sha256: digest(json.as_bytes()),
            difference: difference(report),
            waivers: sorted(report.findings.iter().filter_map(used)),
            approvals: sorted(report.findings.iter().flat_map(|finding| finding.approvals.have.clone())),
            feeds: feeds(report),
            artifact,
            files,
            break_glass,
            settles: sorted(settles.into_iter()),
            sequence,
            time_verified: show_instant(now),
            not_after: show_instant(now.saturating_add(expires)),
            audit_head,
        })
    }
}

/// A decision as reports write it.
#[must_use]
pub const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::NeedsApproval => "needs-approval",
        Outcome::Blocked => "blocked",
        Outcome::Undecided => "undecided",
        Outcome::PolicyError => "policy-error",
    }
}

fn commit(origin: &Origin) -> Option<String> {
    origin.revision.clone().filter(|_| matches!(origin.source.as_str(), "git" | "merge"))
}

fn sorted(texts: impl Iterator<Item = String>) -> Vec<String> {
    let all: std::collections::BTreeSet<String> = texts.collect();
    all.into_iter().collect()
}

fn difference(report: &Report) -> DifferenceDigest {
    let json = serde_json::to_vec(&report.configurations).expect("texts and numbers have a JSON form");
    let objects = |count: fn(&crate::decision::ObjectsReport) -> usize| {
        wide(report.configurations.iter().map(|configuration| count(&configuration.objects)).sum())
    };
    DifferenceDigest {
        sha256: digest(&json),
        newly_allowed: wide(report.stats.newly_allowed),
        newly_denied: wide(report.stats.newly_denied),
        added: objects(|objects| objects.added.len()),
        removed: objects(|objects| objects.removed.len()),
        modified: objects(|objects| objects.modified.len()),
    }
}

fn feeds(report: &Report) -> Vec<Feed> {
    let all = report.policy.iter().flat_map(|policy| &policy.feeds);
    let feed = |feed: &crate::decision::FeedOrigin| {
        let head = feed.head.clone()?;
        Some(Feed { path: feed.path.clone(), sha256: head.sha256, made: head.made })
    };
    all.filter_map(feed).collect()
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).expect("numbers have at most 64 bits")
}
