//! Whose approvals count, and whether they are enough. A pure function of what a forge told.

use super::MissingFact;
use super::review::{Account, AccountKind, CoAuthor, Commit, PullRequest, Review, ReviewState, Reviewed, Role};
use crate::policy::{ApprovalKeys, Roster, TeamKeys, most_pairs};
use std::collections::{BTreeMap, BTreeSet};

/// How a demand for approvals fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Whose approvals count, in the order in which they were given; in a merge group each with its pull request.
    pub have: Vec<String>,
    /// Whose opinions do not count.
    pub not_counted: Vec<Uncounted>,
    /// What follows.
    pub verdict: Verdict,
}

/// An opinion that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncounted {
    /// Whose it is.
    pub who: String,
    /// Why it does not count: `opened the pull request`.
    pub why: String,
}

/// Whether a demand for approvals is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody was asked: there is no forge at hand.
    Unasked,
    /// It is.
    Satisfied,
    /// It is not: what is missing, one sentence a pull request.
    Missing(Vec<String>),
    /// Somebody or something stands against the change, whoever approves it: why, one sentence each.
    Blocked(Vec<String>),
    /// It cannot be said.
    Unknown(MissingFact),
}

/// Holds what was said of a change against a demand. Every pull request of a group is approved for itself.
#[must_use]
pub fn judge(demand: &ApprovalKeys, reviewed: &Reviewed, roster: &Roster) -> Tally {
    let alone = |verdict| Tally { have: Vec::new(), not_counted: Vec::new(), verdict };
    let pulls = match reviewed {
        Reviewed::Unasked => return alone(Verdict::Unasked),
        Reviewed::Unknown(fact) => return alone(Verdict::Unknown(fact.clone())),
        Reviewed::Known(pulls) => pulls,
    };
    if pulls.is_empty() {
        return alone(Verdict::Missing(vec![
            "no pull request brings the change, so nobody can have approved it".to_owned(),
        ]));
    }
    let mut tally = alone(Verdict::Satisfied);
    let (mut missing, mut blocked, mut unknown) = (Vec::new(), Vec::new(), None);
    for pull in pulls {
        let case = Case { demand, pull, roster };
        let Tally { have, not_counted, verdict } = case.tally();
        let name = |who: &str| if pulls.len() == 1 { who.to_owned() } else { format!("#{}: {who}", pull.number) };
        tally.have.extend(have.iter().map(|who| name(who)));
        tally.not_counted.extend(not_counted.into_iter().map(|one| Uncounted { who: name(&one.who), ..one }));
        match verdict {
            Verdict::Satisfied => {}
            Verdict::Missing(what) => missing.extend(what.iter().map(|what| name(what))),
            Verdict::Blocked(what) => blocked.extend(what.iter().map(|what| name(what))),
            Verdict::Unknown(fact) => unknown = unknown.or(Some(fact)),
            Verdict::Unasked => missing.push(name("nobody was asked")),
        }
    }
    tally.verdict = match unknown {
        _ if !blocked.is_empty() => Verdict::Blocked(blocked),
        Some(fact) => Verdict::Unknown(fact),
        None if missing.is_empty() => Verdict::Satisfied,
        None => Verdict::Missing(missing),
    };
    tally
}

/// One demand and one pull request.
#[derive(Clone, Copy)]
struct Case<'c> {
    demand: &'c ApprovalKeys,
    pull: &'c PullRequest,
    roster: &'c Roster,
}

/// Whether an approval counts.
enum Standing {
    Counts,
    /// It may, depending on this.
    Maybe(MissingFact),
    No(String),
}

impl Case<'_> {
    fn tally(&self) -> Tally {
        let PullRequest { head, commits, number, .. } = self.pull;
        let mut blocked = unattributed(commits);
        // What would make the answer unknown if nothing stands against the change.
        let mut doubts: Vec<MissingFact> = self.strangers();
        if !commits.iter().any(|commit| commit.id == *head) {
            doubts.push(MissingFact {
                what: format!("who made the commits of pull request #{number}"),
                help: format!("the commit that it proposes, {}, is not among them: run again", short(head)),
            });
        }
        let (mut have, mut not_counted) = (Vec::new(), Vec::new());
        let (mut certain, mut possible, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for (account, review) in opinions(&self.pull.reviews) {
            let who = account.map_or_else(|| "a deleted account".to_owned(), |account| account.login.clone());
            let no = |why: &str| Uncounted { who: who.clone(), why: why.to_owned() };
            match review.state {
                ReviewState::Commented | ReviewState::Pending => {}
                ReviewState::Dismissed => {
                    not_counted.push(no("the review was dismissed; an earlier one does not count again"))
                }
                ReviewState::ChangesRequested => match self.weighs(account) {
                    Ok(true) => blocked.push(format!("{who} asks for changes, and has not reviewed again")),
                    Ok(false) => not_counted.push(no("asks for changes, and may not write to the repository")),
                    Err(fact) => doubts.push(fact),
                },
                ReviewState::Approved => match (self.standing(account, review), account) {
                    (Standing::Counts, Some(account)) => {
                        have.push(who);
                        certain.push(account.id);
                        possible.push(account.id);
                    }
                    (Standing::Maybe(fact), Some(account)) => {
                        not_counted.push(no(&format!("it cannot be said whether it counts: {fact}")));
                        possible.push(account.id);
                        missing.push(fact);
                    }
                    (Standing::No(why), _) => not_counted.push(no(&why)),
                    (Standing::Counts | Standing::Maybe(_), None) => not_counted.push(no("the account is deleted")),
                },
            }
        }
        let (people, teams) = self.lacks(&certain, Certainty::Certain);
        let verdict = if !blocked.is_empty() {
            Verdict::Blocked(blocked)
        } else if let Some(fact) = doubts.into_iter().next() {
            Verdict::Unknown(fact)
        } else if (people, teams) == (0, 0) {
            Verdict::Satisfied
        } else {
            let unknown = self.lacks(&possible, Certainty::Possible) == (0, 0);
            match missing.into_iter().chain(self.team_doubts()).next().filter(|_| unknown) {
                Some(fact) => Verdict::Unknown(fact),
                None => Verdict::Missing(vec![lacking(people, teams)]),
            }
        };
        Tally { have, not_counted, verdict }
    }

    /// Whether an approval counts.
    fn standing(&self, account: Option<&Account>, review: &Review) -> Standing {
        let PullRequest { base_ref, head, draft, same_result, .. } = self.pull;
        let Some(account) = account else { return Standing::No("the account is deleted".to_owned()) };
        let no = |why: String| Standing::No(why);
        match account.kind {
            AccountKind::User => {}
            AccountKind::Bot => return no("is a program".to_owned()),
            AccountKind::Other => return no("is not the account of a person".to_owned()),
        }
        if self.roster.is_bot(&account.login) {
            return no("is one of `bots`".to_owned());
        }
        if let Some(why) = self.banned(account.id) {
            return no(why);
        }
        if *draft {
            return no("the pull request is still a draft".to_owned());
        }
        match &review.commit {
            None => return no("what was approved is not known any more".to_owned()),
            Some(commit) if commit != head && !same_result.contains(commit) => {
                return no(format!("approved {}, and what would be merged is something else now", short(commit)));
            }
            Some(_) => {}
        }
        match &review.base_ref {
            None => return no("it is not known into which branch the approved change was to be merged".to_owned()),
            Some(branch) if branch != base_ref => {
                return no(format!("approved a merge into `{branch}`, and not into `{base_ref}`"));
            }
            Some(_) => {}
        }
        let role = self.role(account);
        if let Ok(role) = &role
            && *role < Role::Write
        {
            return no(format!("may not write to the repository ({})", role_name(*role)));
        }
        let inside = self.inside(account.id);
        if let (Ok(false), Some(from)) = (&inside, &self.demand.from) {
            let from: Vec<&str> = from.iter().map(|who| who.value.as_str()).collect();
            return no(format!("is not one of {}", from.join(", ")));
        }
        let pusher = self.pull.last_pusher.as_ref();
        match (role.err(), inside.err(), pusher.err()) {
            (Some(fact), _, _) | (None, Some(fact), _) => Standing::Maybe(fact),
            (None, None, Some(fact)) => Standing::Maybe(fact.clone()),
            (None, None, None) => Standing::Counts,
        }
    }

    /// Whether a request for changes holds the change up: of anybody who may write, or who could approve. Nobody can
    /// answer for a deleted account, so its request has to be dismissed by somebody.
    fn weighs(&self, account: Option<&Account>) -> Result<bool, MissingFact> {
        let Some(account) = account else { return Ok(true) };
        let named = self.demand.from.is_some();
        match (self.role(account), self.inside(account.id)) {
            (Ok(role), _) if role >= Role::Write => Ok(true),
            (_, Ok(true)) if named => Ok(true),
            (Err(fact), _) => Err(fact),
            (Ok(_), Err(fact)) if named => Err(fact),
            (Ok(_), _) => Ok(false),
        }
    }

    /// Why nothing that this account says can count: it had a hand in what is proposed.
    fn banned(&self, id: u64) -> Option<String> {
        let PullRequest { author, last_pusher, commits, .. } = self.pull;
        let is = |account: &Option<Account>| account.as_ref().is_some_and(|account| account.id == id);
        if author.id == id {
            return Some("opened the pull request".to_owned());
        }
        for Commit { id: commit, author, committer, co_authors } in commits {
            let hand = if is(author) {
                "is the author of"
            } else if co_authors.iter().any(|co| is(&co.account)) {
                "is a co-author of"
            } else if is(committer) {
                "committed"
            } else {
                continue;
            };
            return Some(format!("{hand} {}, which is part of the change", short(commit)));
        }
        let pushed = last_pusher.as_ref().is_ok_and(|pusher| pusher.id == id);
        pushed.then(|| "pushed what is proposed now".to_owned())
    }

    fn role(&self, account: &Account) -> Result<Role, MissingFact> {
        let unknown = || MissingFact {
            what: format!("what `{}` may do in the repository", account.login),
            help: "run again with a token that may read the collaborators of the repository".to_owned(),
        };
        self.pull.roles.get(&account.id).cloned().unwrap_or_else(|| Err(unknown()))
    }

    /// Whether an account is of those whom the demand names; all are if it names nobody.
    fn inside(&self, id: u64) -> Result<bool, MissingFact> {
        let Some(from) = &self.demand.from else { return Ok(true) };
        let mut doubt = None;
        for who in from {
            let inside = match (self.roster.team(&who.value), self.roster.person(&who.value)) {
                (Some(team), _) => self.member(team, id),
                (None, Some(_)) => Ok(self.is_person(&who.value, id)),
                (None, None) => Ok(false),
            };
            match inside {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(fact) => doubt = doubt.or(Some(fact)),
            }
        }
        doubt.map_or(Ok(false), Err)
    }

    fn is_person(&self, name: &str, id: u64) -> bool {
        self.roster.person(name).and_then(|person| person.github.as_ref()).is_some_and(|github| github.id.value == id)
    }

    fn member(&self, TeamKeys { people, github }: &TeamKeys, id: u64) -> Result<bool, MissingFact> {
        if people.iter().flatten().any(|person| self.is_person(&person.value, id)) {
            return Ok(true);
        }
        let Some(team) = github else { return Ok(false) };
        match self.pull.teams.get(&team.value) {
            Some(members) => members.as_ref().map(|members| members.contains(&id)).map_err(Clone::clone),
            None => Err(MissingFact {
                what: format!("who is in the team `{}`", team.value),
                help: "run again with a token that may read the teams of the organisation".to_owned(),
            }),
        }
    }

    /// Accounts that have the name of a person of the policy and are somebody else.
    fn strangers(&self) -> Vec<MissingFact> {
        let PullRequest { number, author, last_pusher, commits, reviews, .. } = self.pull;
        let of_commits = commits.iter().flat_map(|Commit { id: _, author, committer, co_authors }| {
            author.iter().chain(committer).chain(co_authors.iter().flat_map(|co| &co.account))
        });
        let accounts = [author].into_iter().chain(last_pusher).chain(of_commits);
        let mut seen = BTreeSet::new();
        let mut out = Vec::new();
        for account in accounts.chain(reviews.iter().flat_map(|review| &review.by)) {
            let namesake = self.roster.people().find_map(|(name, person)| {
                let github = person.github.as_ref()?;
                let same = github.login.eq_ignore_ascii_case(&account.login) && github.id.value != account.id;
                same.then_some((name, github.id.value))
            });
            if let Some((name, id)) = namesake
                && seen.insert(account.id)
            {
                out.push(MissingFact {
                    what: format!("who the account `{}` of pull request #{number} is", account.login),
                    help: format!(
                        "`people` says of {} that it is number {id}, and it is {} now: the name has changed hands, or the \
                         number is mistyped; correct the policy",
                        name.value, account.id
                    ),
                });
            }
        }
        out
    }

    /// How many people and how many teams are missing.
    fn lacks(&self, approvers: &[u64], certainty: Certainty) -> (usize, usize) {
        let ApprovalKeys { count, from: _, distinct_teams } = self.demand;
        let people = count.saturating_sub(approvers.len());
        let Some(wanted) = distinct_teams else { return (people, 0) };
        let counted = self.roster.counted_teams(self.demand);
        let members = |(_, team): &(&str, &TeamKeys)| -> BTreeSet<u64> {
            let inside = |id: &&u64| match (self.member(team, **id), certainty) {
                (Ok(inside), _) => inside,
                (Err(_), Certainty::Certain) => false,
                (Err(_), Certainty::Possible) => true,
            };
            approvers.iter().filter(inside).copied().collect()
        };
        let groups: Vec<BTreeSet<u64>> = counted.iter().map(members).collect();
        (people, wanted.saturating_sub(most_pairs(&groups)))
    }

    /// Why it is not known who is in the teams that are counted.
    fn team_doubts(&self) -> Option<MissingFact> {
        self.demand.distinct_teams?;
        let counted = self.roster.counted_teams(self.demand);
        counted.into_iter().find_map(|(_, team)| self.member(team, u64::MAX).err())
    }
}

/// What is taken of what is not known.
#[derive(Clone, Copy)]
enum Certainty {
    /// That it is not so.
    Certain,
    /// That it is so.
    Possible,
}

/// What everybody thinks now: of each account the last review that is an opinion or took one back. Deleted accounts cannot be
/// told apart, so each of their reviews stands.
fn opinions(reviews: &[Review]) -> Vec<(Option<&Account>, &Review)> {
    let mut last: BTreeMap<u64, usize> = BTreeMap::new();
    for (n, Review { by, state, .. }) in reviews.iter().enumerate() {
        let opinion = match state {
            ReviewState::Approved | ReviewState::ChangesRequested | ReviewState::Dismissed => true,
            ReviewState::Commented | ReviewState::Pending => false,
        };
        if let Some(account) = by.as_ref().filter(|_| opinion) {
            last.insert(account.id, n);
        }
    }
    let counts = |(n, review): &(usize, &Review)| match &review.by {
        Some(account) => last.get(&account.id) == Some(n),
        None => true,
    };
    reviews.iter().enumerate().filter(counts).map(|(_, review)| (review.by.as_ref(), review)).collect()
}

/// The commits of which it is not known whose they are: nobody can say then whether he who approves had a hand in them.
fn unattributed(commits: &[Commit]) -> Vec<String> {
    let mut out = Vec::new();
    for Commit { id, author, committer, co_authors } in commits {
        let id = short(id);
        let what = "have it made again with an address that is known to the forge";
        if author.is_none() {
            out.push(format!("the author of commit {id} belongs to no account: {what}"));
        }
        if committer.is_none() {
            out.push(format!("the committer of commit {id} belongs to no account: {what}"));
        }
        for CoAuthor { name, account } in co_authors {
            if account.is_none() {
                out.push(format!("`{name}`, a co-author of commit {id}, belongs to no account: {what}"));
            }
        }
    }
    out
}

fn lacking(people: usize, teams: usize) -> String {
    let people = match people {
        0 => String::new(),
        1 => "1 approval is missing".to_owned(),
        n => format!("{n} approvals are missing"),
    };
    let teams = match teams {
        0 => String::new(),
        1 => "nobody of 1 more team has approved".to_owned(),
        n => format!("nobody of {n} more teams has approved"),
    };
    match (people.as_str(), teams.as_str()) {
        (people, "") => people.to_owned(),
        ("", teams) => teams.to_owned(),
        (people, teams) => format!("{people}, and {teams}"),
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::None => "no role",
        Role::Read => "role read",
        Role::Triage => "role triage",
        Role::Write => "role write",
        Role::Maintain => "role maintain",
        Role::Admin => "role admin",
    }
}

/// The beginning of a commit's id, as people write it.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
