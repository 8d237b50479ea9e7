//! What commits say of a change: which belong to it, whose they are, and what merging them gives. Nothing is written.

use super::error::SourceError;
use super::git::{damaged, stage};
use super::{Place, git, merge};
use git2::{Commit, Index, Oid, Repository, Sort};
use std::collections::{BTreeMap, BTreeSet};

/// The commits of a repository.
pub struct History {
    repository: Repository,
}

/// A commit, as far as it tells who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitText {
    /// Its full id.
    pub id: String,
    /// The full ids of its parents.
    pub parents: Vec<String>,
    /// The address of its author. Bytes that are not UTF-8 are replaced.
    pub author: String,
    /// The address of its committer.
    pub committer: String,
    /// What it says.
    pub message: String,
}

/// The files of a tree: id and mode by path.
type Files = BTreeMap<Vec<u8>, (Oid, u32)>;

impl History {
    /// The history of the repository around `place`.
    ///
    /// # Errors
    /// There is none, it cannot be trusted, or part of it was not fetched.
    pub fn open(place: &Place) -> Result<Self, SourceError> {
        let repository = git::open(&place.folder)?;
        if repository.is_shallow() {
            return Err(SourceError::Shallow { revision: "the history of the change".to_owned() });
        }
        Ok(Self { repository })
    }

    /// Every commit that is in `head` and not in `base`, whatever parent it is reached by.
    ///
    /// # Errors
    /// One is not there.
    pub fn commits(&self, base: &str, head: &str) -> Result<Vec<CommitText>, SourceError> {
        let broken = |why: git2::Error| damaged(&why);
        let (base, head) = (self.commit(base)?.id(), self.commit(head)?.id());
        let mut walk = self.repository.revwalk().map_err(broken)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE).map_err(broken)?;
        walk.push(head).and_then(|()| walk.hide(base)).map_err(broken)?;
        let mut commits = Vec::new();
        for id in walk {
            commits.push(text(&self.repository.find_commit(id.map_err(broken)?).map_err(broken)?));
        }
        Ok(commits)
    }

    /// The last commits that a branch came to by one step each, the newest first: of a merge only the first parent counts,
    /// and the first commit of all is no step.
    ///
    /// # Errors
    /// There is no such revision, or the history is damaged.
    pub fn steps(&self, revision: &str, most: usize) -> Result<Vec<CommitText>, SourceError> {
        let (_, head) = git::tree(&self.repository, revision)?;
        let mut steps = Vec::new();
        let mut at = self.commit(&head.to_string())?;
        while steps.len() < most && at.parent_count() > 0 {
            steps.push(text(&at));
            at = at.parent(0).map_err(|why| damaged(&why))?;
        }
        Ok(steps)
    }

    /// Whether `judged` is `head`, or what merging `head` into `base` gives. Of a merge that somebody else vouches for,
    /// `trusted`, the parents are enough.
    ///
    /// # Errors
    /// One is not there, or there is more than one way of merging them.
    pub fn is_result(&self, base: &str, head: &str, judged: &str, trusted: bool) -> Result<bool, SourceError> {
        let (base, head, judged) = (self.commit(base)?, self.commit(head)?, self.commit(judged)?);
        if judged.id() == head.id() {
            return Ok(true);
        }
        let parents: Vec<Oid> = judged.parent_ids().collect();
        if parents != [base.id(), head.id()] {
            return Ok(false);
        }
        Ok(trusted || self.tree(&judged)? == self.merged(&base, &head)?)
    }

    /// Which of some commits `judged` is made of on top of `base`: merged one after another, each once, they give it.
    ///
    /// # Errors
    /// They do not, one is not there, or there is more than one way of merging them.
    pub fn queued(
        &self,
        base: &str,
        judged: &str,
        heads: &BTreeMap<u64, String>,
    ) -> Result<BTreeSet<u64>, SourceError> {
        let (base, judged) = (self.commit(base)?, self.commit(judged)?);
        let mut chain = vec![judged.clone()];
        while let Some(last) = chain.last()
            && last.id() != base.id()
        {
            let parent = last.parent(0).map_err(|_| SourceError::Queue { commit: judged.id().to_string() })?;
            chain.push(parent);
        }
        chain.reverse();
        let mut commits = BTreeMap::new();
        for (number, head) in heads {
            // A pull request that is only suggested need not be at hand; one that is needed will be missed.
            if let Ok(head) = self.commit(head) {
                commits.insert(*number, head);
            }
        }
        let mut chain = chain.into_iter();
        let mut at = chain.next().unwrap_or(base);
        let (mut used, mut open) = (BTreeSet::new(), false);
        let mut results = self.results(&at, &commits, &used);
        for commit in chain {
            let tree = self.tree(&commit)?;
            let found: BTreeSet<u64> =
                results.iter().filter(|(_, result)| **result == tree).map(|(number, _)| *number).collect();
            // Of a rebased pull request only the last commit gives its result.
            open = found.is_empty();
            if !open {
                used.extend(found);
                at = commit;
                results = self.results(&at, &commits, &used);
            }
        }
        if open { Err(SourceError::Queue { commit: judged.id().to_string() }) } else { Ok(used) }
    }

    /// What merging each of the commits that are left gives; those that cannot be merged give nothing.
    fn results(
        &self,
        onto: &Commit<'_>,
        heads: &BTreeMap<u64, Commit<'_>>,
        used: &BTreeSet<u64>,
    ) -> BTreeMap<u64, Files> {
        let left = heads.iter().filter(|(number, _)| !used.contains(number));
        left.filter_map(|(number, head)| Some((*number, self.merged(onto, head).ok()?))).collect()
    }

    fn commit(&self, id: &str) -> Result<Commit<'_>, SourceError> {
        let found = Oid::from_str(id).and_then(|id| self.repository.find_commit(id));
        found.map_err(|why| SourceError::NoRevision { revision: id.to_owned(), why: why.message().to_owned() })
    }

    fn merged(&self, base: &Commit<'_>, head: &Commit<'_>) -> Result<Files, SourceError> {
        let contains = |a: &Commit<'_>, b: &Commit<'_>| {
            self.repository.graph_descendant_of(a.id(), b.id()).map_err(|why| damaged(&why))
        };
        if base.id() == head.id() || contains(base, head)? {
            return self.tree(base);
        }
        if contains(head, base)? {
            return self.tree(head);
        }
        let names = [base, head].map(|commit| commit.id().to_string());
        let [base_name, head_name] = &names;
        Ok(files(&merge::merge(&self.repository, (base, base_name), (head, head_name))?))
    }

    fn tree(&self, commit: &Commit<'_>) -> Result<Files, SourceError> {
        let mut index = Index::new().map_err(|why| damaged(&why))?;
        commit.tree().and_then(|tree| index.read_tree(&tree)).map_err(|why| damaged(&why))?;
        Ok(files(&index))
    }
}

impl CommitText {
    /// The values of its `Co-authored-by` lines, wherever they stand.
    #[must_use]
    pub fn co_authors(&self) -> Vec<String> {
        let value = |line: &str| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case("co-authored-by").then(|| value.trim().to_owned())
        };
        self.message.lines().filter_map(value).collect()
    }

    /// The numbers that its first line names: `Close the port (#12)`.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        let first = self.message.lines().next().unwrap_or_default();
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        first.split('#').skip(1).filter_map(|after| digits(after).parse().ok()).collect()
    }
}

fn text(commit: &Commit<'_>) -> CommitText {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    CommitText {
        id: commit.id().to_string(),
        parents: commit.parent_ids().map(|id| id.to_string()).collect(),
        author: lossy(commit.author().email_bytes()),
        committer: lossy(commit.committer().email_bytes()),
        message: lossy(commit.message_raw_bytes()),
    }
}

fn files(index: &Index) -> Files {
    debug_assert!(index.iter().all(|entry| stage(&entry) == 0), "merges with conflicts are errors");
    index.iter().map(|entry| (entry.path, (entry.id, entry.mode))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(message: &str) -> CommitText {
        let empty = String::new;
        CommitText {
            id: empty(),
            parents: Vec::new(),
            author: empty(),
            committer: empty(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn co_authors_are_found_wherever_they_are_named() {
        let text =
            "Open it (#12)\n\nco-Authored-By: Ann <ann@example.org>\n\nmore\nCo-authored-by:Bo <b@example.org>\n";
        assert_eq!(commit(text).co_authors(), ["Ann <ann@example.org>", "Bo <b@example.org>"]);
        assert_eq!(commit(text).numbers(), [12]);
        assert_eq!(commit("Merge pull request #7 from x/y-#8a\n\n#9").numbers(), [7, 8]);
        assert_eq!(commit("").numbers(), Vec::<u64>::new());
    }
}
