//! A GitHub that remembers: accounts, teams, roles, pull requests, pushes, reviews, a queue and settings; and what it
//! answers. Every body is held against the published description.

use super::schemas::{self, object};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const REPOSITORY: &str = "acme/net";
const REPOSITORY_ID: u64 = 77;
const PER_PAGE: usize = 100;

#[derive(Debug, Clone)]
pub(crate) struct World {
    /// Login and kind by number.
    pub(crate) users: BTreeMap<u64, (String, &'static str)>,
    /// `permission` and `role_name` by number; others may do nothing.
    pub(crate) roles: BTreeMap<u64, (&'static str, &'static str)>,
    /// Members and the state of their membership.
    pub(crate) teams: BTreeMap<String, BTreeMap<u64, &'static str>>,
    pub(crate) branches: BTreeMap<String, String>,
    pub(crate) pulls: BTreeMap<u64, Pull>,
    /// The accounts of author and committer, by commit; and the pull requests that it belongs to.
    pub(crate) commits: BTreeMap<String, Makers>,
    /// Branch, commit and account of every push, the oldest first.
    pub(crate) pushes: Vec<(String, String, Option<u64>)>,
    pub(crate) settings: Settings,
    clock: u64,
}

/// The numbers of author and committer, and of the pull requests that a commit belongs to.
pub(crate) type Makers = (Option<u64>, Option<u64>, Vec<u64>);

#[derive(Debug, Clone)]
pub(crate) struct Pull {
    pub(crate) author: u64,
    pub(crate) branch: String,
    pub(crate) head: String,
    pub(crate) base_ref: String,
    pub(crate) draft: bool,
    pub(crate) state: &'static str,
    pub(crate) merge: Option<String>,
    pub(crate) commits: Vec<String>,
    pub(crate) reviews: Vec<Review>,
    /// What happened, and when.
    pub(crate) events: Vec<(&'static str, u64)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Review {
    pub(crate) id: u64,
    pub(crate) by: Option<u64>,
    pub(crate) state: &'static str,
    pub(crate) commit: Option<String>,
    pub(crate) at: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) rules: Vec<Value>,
    pub(crate) rulesets: BTreeMap<u64, Value>,
    /// `None`: the branch is not protected in the classic way.
    pub(crate) protection: Option<Value>,
    pub(crate) environments: Vec<Value>,
    pub(crate) actions_may_approve: bool,
    pub(crate) codeowners_errors: Vec<Value>,
    /// Calls that answer 403 to this token.
    pub(crate) forbidden: Vec<&'static str>,
}

/// What is answered: status, whether another page follows, body, and the published name of the call.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) call: &'static str,
    pub(crate) status: u16,
    pub(crate) next: bool,
    pub(crate) body: Value,
    /// The part of the body that is not made up.
    pub(crate) said: Value,
}

pub(crate) const ANN: u64 = 1001;
pub(crate) const BOB: u64 = 1002;
pub(crate) const CY: u64 = 1003;
pub(crate) const READER: u64 = 1004;
pub(crate) const BOT: u64 = 1005;

impl World {
    /// Ann, Bob and Cy may write, one may read, one is a program.
    pub(crate) fn new() -> Self {
        let users = [(ANN, "ann", "User"), (BOB, "bob", "User"), (CY, "cy", "User"), (READER, "reader", "User")];
        let users = users.into_iter().chain([(BOT, "helpful[bot]", "Bot")]);
        let write = [ANN, BOB, CY, BOT].map(|id| (id, ("write", "write")));
        Self {
            users: users.map(|(id, login, kind)| (id, (login.to_owned(), kind))).collect(),
            roles: write.into_iter().chain([(READER, ("read", "read"))]).collect(),
            teams: BTreeMap::new(),
            branches: BTreeMap::new(),
            pulls: BTreeMap::new(),
            commits: BTreeMap::new(),
            pushes: Vec::new(),
            settings: Settings {
                rules: Vec::new(),
                rulesets: BTreeMap::new(),
                protection: None,
                environments: Vec::new(),
                actions_may_approve: false,
                codeowners_errors: Vec::new(),
                forbidden: Vec::new(),
            },
            clock: 0,
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Somebody opens a pull request into `main`.
    pub(crate) fn open(&mut self, number: u64, author: u64, branch: &str, commits: &[&str]) {
        let pull = Pull {
            author,
            branch: branch.to_owned(),
            head: String::new(),
            base_ref: "main".to_owned(),
            draft: false,
            state: "open",
            merge: None,
            commits: Vec::new(),
            reviews: Vec::new(),
            events: Vec::new(),
        };
        self.pulls.insert(number, pull);
        self.push(number, author, author, commits);
    }

    /// Somebody pushes commits of somebody to the branch of a pull request.
    pub(crate) fn push(&mut self, number: u64, pusher: u64, author: u64, commits: &[&str]) {
        let at = self.tick();
        for commit in commits {
            self.commits.insert((*commit).to_owned(), (Some(author), Some(author), vec![number]));
        }
        let pull = self.pulls.get_mut(&number).expect("a pull request");
        pull.commits.extend(commits.iter().map(|commit| (*commit).to_owned()));
        pull.head = (*commits.last().expect("a commit")).to_owned();
        pull.events.push(("committed", at));
        self.pushes.push((pull.branch.clone(), pull.head.clone(), Some(pusher)));
    }

    /// Somebody reviews what is proposed now.
    pub(crate) fn review(&mut self, number: u64, by: u64, state: &'static str) -> u64 {
        let at = self.tick();
        let pull = self.pulls.get_mut(&number).expect("a pull request");
        let commit = Some(pull.head.clone());
        pull.reviews.push(Review { id: review_id(at), by: Some(by), state, commit, at });
        pull.events.push(("reviewed", at));
        review_id(at)
    }

    /// Somebody takes back what somebody said.
    pub(crate) fn dismiss(&mut self, number: u64, review: u64) {
        let at = self.tick();
        let pull = self.pulls.get_mut(&number).expect("a pull request");
        pull.reviews.iter_mut().filter(|found| found.id == review).for_each(|found| found.state = "DISMISSED");
        pull.events.push(("review_dismissed", at));
    }

    /// A pull request is to be merged into another branch.
    pub(crate) fn retarget(&mut self, number: u64, branch: &str) {
        let at = self.tick();
        let pull = self.pulls.get_mut(&number).expect("a pull request");
        pull.base_ref = branch.to_owned();
        pull.events.push(("base_ref_changed", at));
    }

    fn user(&self, id: u64) -> Value {
        let (login, kind) = &self.users[&id];
        json!({"id": id, "login": login, "type": kind})
    }

    fn by_login(&self, login: &str) -> Option<u64> {
        self.users.iter().find(|(_, (known, _))| known.eq_ignore_ascii_case(login)).map(|(id, _)| *id)
    }

    /// Answers a GET, the path without what every path begins with.
    pub(crate) fn answer(&self, path: &str, page: usize) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<String> = path.split('/').skip(1).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let answer = match parts.as_slice() {
            ["user", id] => self.account(id),
            ["orgs", org, "teams", slug] => self.team(org, slug),
            ["orgs", org, "teams", slug, "memberships", login] => self.membership(org, slug, login),
            ["repos", owner, name, rest @ ..] if format!("{owner}/{name}") == REPOSITORY => {
                self.of_repository(rest, query, page)
            }
            _ => None,
        };
        let answer = answer.unwrap_or_else(|| Answer {
            call: "",
            status: 404,
            next: false,
            body: json!({"message": "Not Found", "status": "404"}),
            said: json!({}),
        });
        if self.settings.forbidden.contains(&answer.call) {
            return Answer { status: 403, next: false, body: json!({"message": "Resource not accessible"}), ..answer };
        }
        if answer.status == 200 {
            schemas::check(answer.call, &answer.body);
        }
        answer
    }

    fn account(&self, id: &str) -> Option<Answer> {
        let id = id.parse().ok().filter(|id| self.users.contains_key(id))?;
        Some(one("/user/{account_id}", "public-user", &self.user(id)))
    }

    fn team(&self, org: &str, slug: &str) -> Option<Answer> {
        self.teams.get(&format!("{org}/{slug}"))?;
        Some(one("/orgs/{org}/teams/{team_slug}", "team-full", &json!({"slug": slug})))
    }

    fn membership(&self, org: &str, slug: &str, login: &str) -> Option<Answer> {
        let state = self.teams.get(&format!("{org}/{slug}"))?.get(&self.by_login(login)?)?;
        Some(one("/orgs/{org}/teams/{team_slug}/memberships/{username}", "team-membership", &json!({"state": state})))
    }

    fn of_repository(&self, rest: &[&str], query: &str, page: usize) -> Option<Answer> {
        const R: &str = "full-repository";
        let answer = match rest {
            [] => one("/repos/{owner}/{repo}", R, &json!({"full_name": REPOSITORY, "default_branch": "main"})),
            ["git", "ref", "heads", branch @ ..] => {
                let branch = branch.join("/");
                let said =
                    json!({"ref": format!("refs/heads/{branch}"), "object": {"sha": self.branches.get(&branch)?}});
                one("/repos/{owner}/{repo}/git/ref/{ref}", "git-ref", &said)
            }
            ["pulls", number] => self.pull(number.parse().ok()?)?,
            ["pulls", number, "commits"] => {
                let commits = self.pulls.get(&number.parse().ok()?)?.commits.iter();
                let said = commits.map(|commit| self.commit(commit)).collect();
                list("/repos/{owner}/{repo}/pulls/{pull_number}/commits", "commit", said, page)
            }
            ["pulls", number, "reviews"] => self.reviews(number.parse().ok()?, page)?,
            ["issues", number, "timeline"] => self.timeline(number.parse().ok()?, page)?,
            ["commits", sha] => {
                self.commits.get(*sha)?;
                one("/repos/{owner}/{repo}/commits/{ref}", "commit", &self.commit(sha))
            }
            ["commits", sha, "pulls"] => {
                let numbers = self.commits.get(*sha).map(|(_, _, pulls)| pulls.clone()).unwrap_or_default();
                let said = |number: u64| {
                    let pull = &self.pulls[&number];
                    json!({"number": number, "state": pull.state, "base": {"ref": pull.base_ref}})
                };
                let said = numbers.into_iter().map(said).collect();
                list("/repos/{owner}/{repo}/commits/{commit_sha}/pulls", "pull-request-simple", said, page)
            }
            ["activity"] => self.activity(query),
            ["collaborators", login, "permission"] => {
                let id = self.by_login(login)?;
                let (permission, role) = self.roles.get(&id).unwrap_or(&("none", "none"));
                let said = json!({"permission": permission, "role_name": role, "user": self.collaborator(id)});
                let call = "/repos/{owner}/{repo}/collaborators/{username}/permission";
                one(call, "repository-collaborator-permission", &said)
            }
            ["rules", "branches", _] => {
                let rules = &self.settings.rules;
                bare("/repos/{owner}/{repo}/rules/branches/{branch}", json!(rules))
            }
            ["rulesets", id] => {
                let said = self.settings.rulesets.get(&id.parse().ok()?)?;
                one("/repos/{owner}/{repo}/rulesets/{ruleset_id}", "repository-ruleset", said)
            }
            ["branches", _] => {
                let said = json!({"protected": self.settings.protection.is_some()});
                one("/repos/{owner}/{repo}/branches/{branch}", "branch-with-protection", &said)
            }
            ["branches", _, "protection"] => {
                let said = self.settings.protection.as_ref()?;
                bare("/repos/{owner}/{repo}/branches/{branch}/protection", said.clone())
            }
            ["environments"] => {
                let all: Vec<Value> =
                    self.settings.environments.iter().map(|said| object("environment", said)).collect();
                bare("/repos/{owner}/{repo}/environments", json!({"total_count": all.len(), "environments": all}))
            }
            ["actions", "permissions", "workflow"] => {
                let said = json!({"can_approve_pull_request_reviews": self.settings.actions_may_approve});
                let name = "actions-get-default-workflow-permissions";
                one("/repos/{owner}/{repo}/actions/permissions/workflow", name, &said)
            }
            ["codeowners", "errors"] => {
                let errors = &self.settings.codeowners_errors;
                bare("/repos/{owner}/{repo}/codeowners/errors", json!({"errors": errors}))
            }
            _ => return None,
        };
        Some(answer)
    }

    fn collaborator(&self, id: u64) -> Value {
        object("nullable-collaborator", &self.user(id))
    }

    fn commit(&self, sha: &str) -> Value {
        let (author, committer, _) = &self.commits[sha];
        let user = |id: &Option<u64>| id.map_or(Value::Null, |id| object("simple-user", &self.user(id)));
        json!({"sha": sha, "author": user(author), "committer": user(committer)})
    }

    fn pull(&self, number: u64) -> Option<Answer> {
        let pull = self.pulls.get(&number)?;
        let repository = json!({"id": REPOSITORY_ID, "full_name": REPOSITORY});
        let said = json!({
            "number": number, "state": pull.state, "draft": pull.draft, "user": self.user(pull.author),
            "merge_commit_sha": pull.merge,
            "head": {"sha": pull.head, "ref": pull.branch, "repo": repository},
            "base": {"sha": self.branches.get("main"), "ref": pull.base_ref, "repo": repository},
        });
        Some(one("/repos/{owner}/{repo}/pulls/{pull_number}", "pull-request", &said))
    }

    fn reviews(&self, number: u64, page: usize) -> Option<Answer> {
        let review = |Review { id, by, state, commit, at }: &Review| {
            json!({
                "id": id, "user": by.map_or(Value::Null, |by| object("nullable-simple-user", &self.user(by))),
                "state": state, "commit_id": commit, "submitted_at": instant(*at),
                "pull_request_url": format!("https://api.github.com/repos/{REPOSITORY}/pulls/{number}"),
            })
        };
        let said = self.pulls.get(&number)?.reviews.iter().map(review).collect();
        Some(list("/repos/{owner}/{repo}/pulls/{pull_number}/reviews", "pull-request-review", said, page))
    }

    fn timeline(&self, number: u64, page: usize) -> Option<Answer> {
        let event = |(name, at): &(&str, u64)| {
            let id = if *name == "reviewed" { review_id(*at) } else { *at };
            json!({"event": name, "id": id, "created_at": instant(*at)})
        };
        let said = self.pulls.get(&number)?.events.iter().map(event).collect();
        Some(list("/repos/{owner}/{repo}/issues/{issue_number}/timeline", "state-change-issue-event", said, page))
    }

    fn activity(&self, query: &str) -> Answer {
        let wanted = query.split('&').find_map(|pair| pair.strip_prefix("ref=")).map(decoded).unwrap_or_default();
        let pushes = self.pushes.iter().enumerate().rev();
        let of_branch = pushes.filter(|(_, (branch, _, _))| format!("refs/heads/{branch}") == wanted);
        let said = |(n, (_, after, actor)): (usize, &(String, String, Option<u64>))| {
            let actor = actor.map_or(Value::Null, |id| object("nullable-simple-user", &self.user(id)));
            json!({"id": n, "ref": wanted, "after": after, "activity_type": "push", "actor": actor})
        };
        let newest = of_branch.take(1).map(said).collect();
        list("/repos/{owner}/{repo}/activity", "activity", newest, 1)
    }
}

fn one(call: &'static str, name: &str, said: &Value) -> Answer {
    Answer { call, status: 200, next: false, body: object(name, said), said: said.clone() }
}

fn bare(call: &'static str, body: Value) -> Answer {
    Answer { call, status: 200, next: false, said: body.clone(), body }
}

fn list(call: &'static str, name: &str, said: Vec<Value>, page: usize) -> Answer {
    let next = said.len() > page * PER_PAGE;
    let said: Vec<Value> = said.into_iter().skip((page - 1) * PER_PAGE).take(PER_PAGE).collect();
    let body = said.iter().map(|said| object(name, said)).collect();
    Answer { call, status: 200, next, body, said: Value::Array(said) }
}

/// The number of the review that is given then.
const fn review_id(at: u64) -> u64 {
    9000 + at
}

/// The instant of that number of events.
fn instant(at: u64) -> String {
    format!("2026-11-20T{:02}:{:02}:{:02}Z", at / 3600, at / 60 % 60, at % 60)
}

fn decoded(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let hex = others.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &others[2..];
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}
