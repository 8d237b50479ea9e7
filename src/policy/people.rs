//! Who may approve, and how many of them it takes.

use super::node::{Node, Spanned};
use super::reader::{Named, Object, Read, Reader, keys};
use crate::text::{Span, beginning};
use schemars::JsonSchema;
use std::collections::{BTreeMap, BTreeSet};

/// How many approvals are needed, and from whom.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ApprovalKeys {
    /// How many different people, at least 1.
    pub count: usize,
    /// Of which people or teams, as `people` and `teams` call them. Default: anyone who may write to the repository.
    pub from: Option<Vec<Spanned<String>>>,
    /// Of how many different teams of `from`; nobody counts for two teams. Without `from`: of all teams.
    pub distinct_teams: Option<usize>,
}

keys! {
    /// A person.
    pub struct PersonKeys {
        /// The account at GitHub.
        github: Option<AccountKeys>,
        /// Public keys whose signatures are this person's.
        keys: Option<Vec<Spanned<String>>>,
    }
}

keys! {
    /// An account: the name may change hands, the number may not.
    pub struct AccountKeys {
        /// Its name.
        login: String,
        /// Its number.
        id: Spanned<u64>,
    }
}

keys! {
    /// A team.
    pub struct TeamKeys {
        /// Its members, as `people` calls them.
        people: Option<Vec<Spanned<String>>>,
        /// The team at GitHub: `organisation/team`.
        github: Option<Spanned<String>>,
    }
}

/// The people, teams and programs that a policy knows.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    people: Vec<(Spanned<String>, PersonKeys)>,
    teams: Vec<(Spanned<String>, TeamKeys)>,
    /// Accounts that are programs.
    pub bots: Vec<String>,
}

impl Roster {
    /// Takes what a policy says of people, and reports what cannot be.
    pub(super) fn new(
        people: Named<PersonKeys>,
        teams: Named<TeamKeys>,
        bots: Vec<String>,
        reader: &mut Reader<'_>,
    ) -> Self {
        let roster = Self { people: people.0, teams: teams.0, bots };
        roster.twins(reader);
        let known: Vec<&str> = roster.people().map(|(name, _)| name.value.as_str()).collect();
        for (name, team) in roster.teams() {
            for person in team.people.iter().flatten().filter(|person| !known.contains(&person.value.as_str())) {
                reader.unknown("person", &person.value, &known, person.span);
            }
            if known.contains(&name.value.as_str()) {
                let message = format!("`{}` is a person and a team", name.value);
                reader.refuse(name.span, message, "give one of them another name: `from` could mean either");
            }
            match &team.github {
                None if team.people.is_none() => {
                    let message = format!("the team `{}` has no members", name.value);
                    reader.refuse(name.span, message, "list its `people`, or name its `github: organisation/team`");
                }
                Some(github) if !is_team(&github.value) => {
                    let message = format!("`{}` is no team at GitHub", github.value);
                    reader.refuse(github.span, message, "write `organisation/team`, as in the team's address");
                }
                Some(_) | None => {}
            }
        }
        roster
    }

    /// Everybody, by name.
    pub fn people(&self) -> impl Iterator<Item = &(Spanned<String>, PersonKeys)> {
        self.people.iter()
    }

    /// Every team, by name.
    pub fn teams(&self) -> impl Iterator<Item = &(Spanned<String>, TeamKeys)> {
        self.teams.iter()
    }

    /// The person of that name.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<&PersonKeys> {
        self.people().find(|(known, _)| known.value == name).map(|(_, person)| person)
    }

    /// The team of that name.
    #[must_use]
    pub fn team(&self, name: &str) -> Option<&TeamKeys> {
        self.teams().find(|(known, _)| known.value == name).map(|(_, team)| team)
    }

    /// The teams whose members a forge has to tell, as `organisation/team`.
    #[must_use]
    pub fn forge_teams(&self) -> BTreeSet<&str> {
        self.teams().filter_map(|(_, team)| team.github.as_ref()).map(|github| github.value.as_str()).collect()
    }

    /// Whether an account of that name is a program. Names of accounts do not depend on case.
    #[must_use]
    pub fn is_bot(&self, login: &str) -> bool {
        self.bots.iter().any(|bot| bot.eq_ignore_ascii_case(login))
    }

    /// One human is one person: nobody has two names, and no account or key two owners.
    fn twins(&self, reader: &mut Reader<'_>) {
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for (name, person) in self.people() {
            let PersonKeys { github, keys } = person;
            let account = github.iter().flat_map(|AccountKeys { login, id }| {
                [(format!("account {}", id.value), id.span), (format!("login {}", login.to_ascii_lowercase()), id.span)]
            });
            let keys = keys.iter().flatten().map(|key| {
                let material: Vec<&str> = key.value.split_ascii_whitespace().take(2).collect();
                (format!("key {}", material.join(" ")), key.span)
            });
            for (what, at) in account.chain(keys) {
                match owners.get(&what) {
                    Some(other) if *other != name.value => {
                        let message = format!("`{}` and `{other}` have the same {}", name.value, beginning(&what, 40));
                        reader.refuse(at, message, "a person stands here once: two names would count as two people");
                    }
                    Some(_) | None => {
                        owners.insert(what, &name.value);
                    }
                }
            }
        }
    }

    /// Reports names that nobody has.
    pub(super) fn know(&self, names: &[Spanned<String>], reader: &mut Reader<'_>) {
        let people = self.people().map(|(name, _)| name.value.as_str());
        let known: Vec<&str> = people.chain(self.teams().map(|(name, _)| name.value.as_str())).collect();
        for who in names.iter().filter(|who| !known.contains(&who.value.as_str())) {
            reader.unknown("person or team", &who.value, &known, who.span);
        }
    }

    /// The people that `from` can mean, as far as the policy says who they are; `None`: there may be any number.
    pub(super) fn reachable(&self, from: &[Spanned<String>]) -> Option<BTreeSet<&str>> {
        let mut out = BTreeSet::new();
        for who in from {
            match (self.team(&who.value), self.people().find(|(name, _)| name.value == who.value)) {
                (Some(TeamKeys { people, github: None }), _) => {
                    out.extend(people.iter().flatten().map(|person| person.value.as_str()));
                }
                (Some(_), _) | (None, None) => return None,
                (None, Some((name, _))) => {
                    out.insert(name.value.as_str());
                }
            }
        }
        Some(out)
    }

    /// The teams among which different ones are counted.
    #[must_use]
    pub fn counted_teams<'r>(&'r self, demand: &'r ApprovalKeys) -> Vec<(&'r str, &'r TeamKeys)> {
        let mut names: Vec<&str> = match &demand.from {
            Some(from) => from.iter().map(|who| who.value.as_str()).collect(),
            None => self.teams().map(|(name, _)| name.value.as_str()).collect(),
        };
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| Some((name, self.team(name)?))).collect()
    }

    /// How many different teams can be approved for at most, by different people.
    fn most_teams(&self, demand: &ApprovalKeys) -> usize {
        let (open, listed): (Vec<_>, Vec<_>) =
            self.counted_teams(demand).into_iter().partition(|(_, team)| team.github.is_some());
        let members: Vec<BTreeSet<&str>> = listed
            .iter()
            .map(|(_, team)| team.people.iter().flatten().map(|person| person.value.as_str()).collect())
            .collect();
        open.len() + most_pairs(&members)
    }
}

/// How many of some groups can be given a member each, nobody being given to two.
pub fn most_pairs<T: Ord + Copy>(groups: &[BTreeSet<T>]) -> usize {
    let mut given: BTreeMap<T, usize> = BTreeMap::new();
    (0..groups.len()).filter(|group| place(*group, groups, &mut given, &mut BTreeSet::new())).count()
}

/// Gives a group a member, where those who have one already may take another (an augmenting path).
fn place<T: Ord + Copy>(
    group: usize,
    groups: &[BTreeSet<T>],
    given: &mut BTreeMap<T, usize>,
    tried: &mut BTreeSet<T>,
) -> bool {
    for member in groups.get(group).into_iter().flatten() {
        if !tried.insert(*member) {
            continue;
        }
        let free = match given.get(member).copied() {
            None => true,
            Some(other) => place(other, groups, given, tried),
        };
        if free {
            given.insert(*member, group);
            return true;
        }
    }
    false
}

fn is_team(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    text.split_once('/').is_some_and(|(organisation, team)| part(organisation) && part(team))
}

impl ApprovalKeys {
    /// A demand, if it can be fulfilled; what is wrong with it is reported.
    pub(crate) fn new(
        count: usize,
        from: Option<Vec<Spanned<String>>>,
        distinct_teams: Option<usize>,
        at: Span,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let demand = Self { count, from, distinct_teams };
        demand.possible(at, reader).then_some(demand)
    }

    /// Reports what nobody could ever fulfil, and what asks for nothing.
    fn possible(&self, at: Span, reader: &mut Reader<'_>) -> bool {
        let before = reader.problems.len();
        let Self { count, from, distinct_teams } = self;
        if *count == 0 {
            reader.refuse(at, "a count of 0 approvals is none", "write at least `count: 1`");
        }
        if *distinct_teams == Some(0) {
            reader.refuse(at, "no team is 0 teams", "remove `distinct_teams`, or write at least 1");
        }
        let names = reader.names;
        let roster = &names.roster;
        if let Some(from) = from {
            roster.know(from, reader);
        }
        if reader.problems.len() > before {
            return false;
        }
        if let Some(people) = from.as_ref().and_then(|from| roster.reachable(from))
            && people.len() < *count
        {
            let message = format!("{count} approvals are asked for, and `from` has {} people", people.len());
            reader.refuse(at, message, "nobody could ever approve: lower `count`, or add people or teams to `from`");
        }
        if let Some(teams) = distinct_teams {
            let most = roster.most_teams(self);
            if most < *teams {
                let message =
                    format!("approvals of {teams} different teams are asked for, and at most {most} could be had");
                let help = "name more teams in `from`, with different people in them; people who stand there themselves \
                            are no team";
                reader.refuse(at, message, help);
            }
        }
        reader.problems.len() == before
    }

    /// `2 of netsec, sre, for 2 different teams`.
    #[must_use]
    pub fn show(&self) -> String {
        let Self { count, from, distinct_teams } = self;
        let count = match (from, count) {
            (Some(from), count) => {
                let from: Vec<&str> = from.iter().map(|who| who.value.as_str()).collect();
                format!("{count} of {}", from.join(", "))
            }
            (None, 1) => "1 approval".to_owned(),
            (None, count) => format!("{count} approvals"),
        };
        match distinct_teams {
            None => count,
            Some(1) => format!("{count}, one for a team"),
            Some(teams) => format!("{count}, for {teams} different teams"),
        }
    }
}

impl Read for ApprovalKeys {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let mut object = Object::open(node, reader)?;
        let count = object.take("count", reader);
        let from = object.take("from", reader);
        let distinct_teams = object.take("distinct_teams", reader);
        object.close(reader);
        Self::new(count?, from?, distinct_teams?, node.span, reader)
    }
}

#[cfg(test)]
mod tests {
    use super::most_pairs;
    use std::collections::BTreeSet;

    #[test]
    fn nobody_is_given_to_two_groups() {
        let groups =
            |lists: &[&[u8]]| -> Vec<BTreeSet<u8>> { lists.iter().map(|l| l.iter().copied().collect()).collect() };
        assert_eq!(most_pairs(&groups(&[&[1], &[1]])), 1);
        assert_eq!(most_pairs(&groups(&[&[1, 2], &[1]])), 2);
        assert_eq!(most_pairs(&groups(&[&[1, 2], &[1, 3], &[1]])), 3);
        assert_eq!(most_pairs::<u8>(&groups(&[&[], &[]])), 0);
    }
}
