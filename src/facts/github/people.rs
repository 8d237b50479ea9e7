//! Accounts, what they may do, and which teams they are in.

use super::client::{Client, part, parts};
use super::fault::Fault;
use super::shapes::{Activity, Membership, MembershipState, Permission, PermissionWord, Team, Tip, User};
use super::{Made, shapes};
use crate::facts::{Account, CoAuthor, Commit, MissingFact, Role};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What was found out of accounts. Within one run nobody is asked for twice.
pub(super) struct People<'c> {
    client: &'c Client,
    repository: &'c str,
    roles: RefCell<BTreeMap<u64, Result<Role, MissingFact>>>,
    teams: RefCell<BTreeMap<String, Result<(), MissingFact>>>,
    members: RefCell<BTreeMap<(String, u64), Result<bool, MissingFact>>>,
    users: RefCell<BTreeMap<u64, Option<Account>>>,
}

/// The accounts of a commit's author and committer.
pub(super) type Makers = (Option<Account>, Option<Account>);

impl<'c> People<'c> {
    pub(super) fn new(client: &'c Client, repository: &'c str) -> Self {
        let (roles, teams) = (RefCell::default(), RefCell::default());
        Self { client, repository, roles, teams, members: RefCell::default(), users: RefCell::default() }
    }

    /// What an account may do in the repository.
    pub(super) async fn role(&self, account: &Account) -> Result<Role, MissingFact> {
        if let Some(known) = self.roles.borrow().get(&account.id) {
            return known.clone();
        }
        let path = format!("/repos/{}/collaborators/{}/permission", parts(self.repository), part(&account.login));
        let role = self.client.one(&path).await.and_then(|permission| role(&permission, account));
        let what = || format!("what {} may do in {}", account.login, self.repository);
        let role = role.map_err(|fault| fault.missing(&what(), &self.client.token));
        self.roles.borrow_mut().insert(account.id, role.clone());
        role
    }

    /// Which of those accounts are active members of a team, `organisation/team`.
    pub(super) async fn members(&self, team: &str, of: &BTreeSet<Account>) -> Result<BTreeSet<u64>, MissingFact> {
        let mut members = BTreeSet::new();
        for account in of {
            if self.is_member(team, account).await? {
                members.insert(account.id);
            }
        }
        Ok(members)
    }

    async fn is_member(&self, team: &str, account: &Account) -> Result<bool, MissingFact> {
        self.team(team).await?;
        let key = (team.to_owned(), account.id);
        if let Some(known) = self.members.borrow().get(&key) {
            return known.clone();
        }
        let path = format!("{}/memberships/{}", team_path(team), part(&account.login));
        // The team is there and may be seen, so that it has no such member is a fact. That it may not be known is none.
        let member = self.client.found::<Membership>(&path).await;
        let member = member.map(|found| found.is_some_and(|found| found.state == MembershipState::Active));
        let what = || format!("whether {} is in the team {team}", account.login);
        let member = member.map_err(|fault| fault.missing(&what(), &self.client.token));
        self.members.borrow_mut().insert(key, member.clone());
        member
    }

    /// Whether a team is there and may be seen.
    async fn team(&self, team: &str) -> Result<(), MissingFact> {
        if let Some(known) = self.teams.borrow().get(team) {
            return known.clone();
        }
        let slug = team.split_once('/').map_or(team, |(_, slug)| slug);
        let found = match self.client.found::<Team>(&team_path(team)).await {
            Ok(Some(found)) if found.slug.eq_ignore_ascii_case(slug) => Ok(()),
            Ok(Some(_)) => Err(Fault::Form("it is of another team".to_owned())),
            Ok(None) | Err(Fault::Status(403)) => {
                Err(Fault::Withheld("there is no such team, or the token may not see it".to_owned()))
            }
            Err(fault) => Err(fault),
        };
        let found = found.map_err(|fault| fault.missing(&format!("who is in the team {team}"), &self.client.token));
        self.teams.borrow_mut().insert(team.to_owned(), found.clone());
        found
    }

    /// Who pushed what a branch shows now.
    pub(super) async fn last_pusher(&self, head: &Tip) -> Result<Account, MissingFact> {
        let pusher = self.pusher(head).await;
        pusher.map_err(|fault| fault.missing(&format!("who pushed `{}` last", head.branch), &self.client.token))
    }

    async fn pusher(&self, head: &Tip) -> Result<Account, Fault> {
        let withheld = |why: &str| Fault::Withheld(why.to_owned());
        let repository = head.repo.as_ref().ok_or_else(|| withheld("the repository that it is in is deleted"))?;
        let name = format!("refs/heads/{}", head.branch);
        let path = format!("/repos/{}/activity?ref={}&per_page=1", parts(&repository.full_name), part(&name));
        // The newest comes first, and the others do not matter.
        let items: Vec<Activity> = self.client.one(&path).await?;
        let Activity { reference, after, actor, .. } =
            items.into_iter().next().ok_or_else(|| withheld("nothing is known of the branch"))?;
        if reference != name || after != head.sha {
            return Err(withheld("what was pushed last is not what is proposed now"));
        }
        actor.map(Account::from).ok_or_else(|| withheld("the account is deleted"))
    }

    /// Adds to a commit whose work it is.
    pub(super) async fn commit(
        &self,
        made: Made,
        makers: &Makers,
        addresses: &BTreeMap<String, Account>,
    ) -> Result<Commit, Fault> {
        let Made { id, parents: _, author: _, committer: _, co_authors: names, numbers: _ } = made;
        let mut co_authors = Vec::with_capacity(names.len());
        for name in names {
            let account = match address(&name).map(|address| address.to_ascii_lowercase()) {
                None => None,
                Some(address) => match self.number_of(&address) {
                    Some(id) => self.user(id).await?,
                    None => addresses.get(&address).cloned(),
                },
            };
            co_authors.push(CoAuthor { name, account });
        }
        let (author, committer) = makers.clone();
        Ok(Commit { id, author, committer, co_authors })
    }

    /// The number in an address that stands for an account: `1001+ann@users.noreply.github.com`.
    fn number_of(&self, address: &str) -> Option<u64> {
        let (account, domain) = address.rsplit_once('@')?;
        let (number, _) = account.split_once('+')?;
        if domain == self.client.api.noreply() { number.parse().ok() } else { None }
    }

    async fn user(&self, id: u64) -> Result<Option<Account>, Fault> {
        if let Some(known) = self.users.borrow().get(&id) {
            return Ok(known.clone());
        }
        let user: Option<User> = self.client.found(&format!("/user/{id}")).await?;
        if user.as_ref().is_some_and(|user| user.id != id) {
            return Err(Fault::Form("it is of another account".to_owned()));
        }
        let account = user.map(Account::from);
        self.users.borrow_mut().insert(id, account.clone());
        Ok(account)
    }
}

/// The address in `Ann <ann@example.org>`.
fn address(name: &str) -> Option<&str> {
    let (_, rest) = name.rsplit_once('<')?;
    rest.split_once('>').map(|(address, _)| address.trim())
}

fn team_path(team: &str) -> String {
    let (organisation, slug) = team.split_once('/').unwrap_or(("", team));
    format!("/orgs/{}/teams/{}", part(organisation), part(slug))
}

fn role(answer: &Permission, account: &Account) -> Result<Role, Fault> {
    let shapes::Permission { permission, role_name, user } = answer;
    let user = user.as_ref().ok_or_else(|| Fault::Form("it names no account".to_owned()))?;
    if user.id != account.id {
        return Err(Fault::Form(format!("the name {} belongs to another account now", account.login)));
    }
    let (role, includes) = match role_name.as_str() {
        "read" => (Role::Read, PermissionWord::Read),
        "triage" => (Role::Triage, PermissionWord::Read),
        "write" => (Role::Write, PermissionWord::Write),
        "maintain" => (Role::Maintain, PermissionWord::Write),
        "admin" => (Role::Admin, PermissionWord::Admin),
        // Nothing, or a role that the organisation has made: it includes one of these.
        _ => {
            let role = match permission {
                PermissionWord::None => Role::None,
                PermissionWord::Read => Role::Read,
                PermissionWord::Write => Role::Write,
                PermissionWord::Admin => Role::Admin,
            };
            (role, *permission)
        }
    };
    if includes == *permission { Ok(role) } else { Err(Fault::Form("the role and the permission differ".to_owned())) }
}
