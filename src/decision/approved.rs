//! Findings that ask for approvals, and whether those are there.

use super::Cause;
use super::build::Builder;
use super::report::{Approvals, Consequence, DoubtReport, NotCounted};
use crate::checks::Finding;
use crate::facts::{Facts, Reviewed, Tally, Uncounted, Verdict, judge};
use crate::policy::{ApprovalKeys, Policy, Roster};

/// What is asked for where nobody says it.
const ONE: ApprovalKeys = ApprovalKeys { count: 1, from: None, distinct_teams: None };

impl Builder<'_> {
    /// What becomes of a finding that asks for approvals.
    pub(super) fn approvals(&mut self, finding: &Finding) -> (Consequence, Approvals) {
        let nobody = (Roster::default(), Reviewed::Unasked);
        let (roster, reviewed, default) = match self.judging {
            Some((policy, facts)) => {
                let Facts { authors: _, hearsay: _, reviewed, now: _, pretended: _, seen: _ } = facts;
                let policy: &Policy = policy;
                (policy.roster(), reviewed, policy.approvals.as_ref().unwrap_or(&ONE))
            }
            None => (&nobody.0, &nobody.1, &ONE),
        };
        let demands = if finding.approvals.is_empty() { std::slice::from_ref(default) } else { &finding.approvals };
        let mut out = Approvals::default();
        let mut consequence = Consequence::Approved;
        for demand in demands {
            out.needed.push(demand.show());
            let Tally { have, not_counted, verdict } = judge(demand, reviewed, roster);
            for who in have.into_iter().filter(|who| !out.have.contains(who)).collect::<Vec<_>>() {
                out.have.push(who);
            }
            for Uncounted { who, why } in not_counted {
                let one = NotCounted { who, why };
                if !out.not_counted.contains(&one) {
                    out.not_counted.push(one);
                }
            }
            let (weight, missing) = match verdict {
                Verdict::Satisfied => (Consequence::Approved, Vec::new()),
                Verdict::Unasked => (Consequence::NeedsApproval, vec![UNASKED.to_owned()]),
                Verdict::Missing(missing) => (Consequence::NeedsApproval, missing),
                Verdict::Blocked(why) => (Consequence::Blocked, why),
                Verdict::Unknown(fact) => {
                    self.unknown(finding.check, fact.to_string(), fact.help);
                    (Consequence::NeedsApproval, Vec::new())
                }
            };
            consequence = consequence.max(weight);
            for sentence in missing {
                if !out.missing.contains(&sentence) {
                    out.missing.push(sentence);
                }
            }
        }
        (consequence, out)
    }

    /// What is not known of the approvals is told once.
    fn unknown(&mut self, check: &str, what: String, help: String) {
        let message = format!("whether it is approved cannot be said: {what}");
        if self.doubts.iter().all(|(_, doubt)| doubt.message != message) {
            let doubt = DoubtReport {
                cause: Cause::MissingFact,
                check: Some(check.to_owned()),
                message,
                help,
                location: None,
                policy_location: None,
            };
            self.doubts.push((self.order.clone(), doubt));
        }
    }
}

const UNASKED: &str = "nobody was asked: no pull request is at hand";
