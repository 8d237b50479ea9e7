//! GitHub as it answers, as it should not answer, and what is made of it.

mod approved;
mod commits;
mod doctor;
mod matrix;
mod schemas;
mod server;
mod whole;
mod world;

pub(crate) use server::{Fault, Server};
pub(crate) use world::{ANN, BOB, BOT, CY, READER, REPOSITORY, World};

use portcullis::facts::Reviewed;
use portcullis::facts::github::{Api, Limits, Made, Objects, Question, Subject, Token, review};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What must never be seen again.
pub(crate) const TOKEN: &str = "ghp_canary0123456789";

/// The id of a commit.
pub(crate) fn sha(digit: char) -> String {
    digit.to_string().repeat(40)
}

/// Objects of a history that is a line: `b` is the tip of `main`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// The commits of the change with their co-authors, the oldest first.
    pub(crate) commits: Vec<(String, Vec<String>)>,
    pub(crate) same_result: BTreeSet<String>,
}

impl Objects for Line {
    fn commits(&self, base: &str, head: &str) -> Result<Vec<Made>, String> {
        if base != sha('b') {
            return Err(format!("{base} is not at hand"));
        }
        let end = self.commits.iter().position(|(id, _)| id == head).ok_or_else(|| format!("{head} is not at hand"))?;
        let made = |(id, co_authors): &(String, Vec<String>)| Made {
            id: id.clone(),
            parents: Vec::new(),
            author: String::new(),
            committer: String::new(),
            co_authors: co_authors.clone(),
            numbers: Vec::new(),
        };
        Ok(self.commits[..=end].iter().map(made).collect())
    }

    fn is_result(&self, _: &str, head: &str, judged: &str, forge: bool) -> Result<bool, String> {
        Ok(head == judged || forge)
    }

    fn same_result(&self, _: &str, _: &str, others: &BTreeSet<String>) -> BTreeSet<String> {
        others & &self.same_result
    }

    fn queued(&self, _: &str, _: &str, heads: &BTreeMap<u64, String>) -> Result<BTreeSet<u64>, String> {
        Ok(heads.keys().copied().collect())
    }
}

/// So short that a test of what hangs is short.
pub(crate) const SHORT: Limits = Limits {
    connect: Duration::from_millis(500),
    read: Duration::from_millis(100),
    run: Duration::from_millis(2_000),
    backoff: Duration::from_millis(1),
    attempts: 2,
    requests: 60,
    pages: 5,
    bytes: 1 << 20,
};

pub(crate) fn question(server: &Server, head: &str, limits: Limits) -> Question {
    Question {
        api: Api::parse(&server.url()).expect("an address"),
        token: Some(Token::new(TOKEN).expect("a token")),
        limits,
        repository: REPOSITORY.to_owned(),
        subject: Subject::PullRequest(7),
        teams: BTreeSet::from(["acme/sec".to_owned()]),
        base: sha('b'),
        head: head.to_owned(),
    }
}

/// A pull request of Ann with one commit, and what else is done.
pub(crate) fn world(more: impl FnOnce(&mut World)) -> (World, Line) {
    let mut world = World::new();
    world.branches.insert("main".to_owned(), sha('b'));
    world.open(7, ANN, "feature", &[&sha('1')]);
    more(&mut world);
    let line = Line {
        commits: world.pulls[&7].commits.iter().map(|id| (id.clone(), Vec::new())).collect(),
        same_result: BTreeSet::new(),
    };
    (world, line)
}
