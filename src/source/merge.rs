//! What two revisions that have diverged give once merged. Nothing is written, and no merge driver is run.

use super::error::SourceError;
use super::git::{damaged, stage};
use crate::text::escape;
use git2::{AttrCheckFlags, Commit, Index, MergeOptions, Repository};
use std::collections::BTreeMap;
use std::path::Path;

/// Whether two revisions have diverged, as commits: neither contains the other. Trees have no history.
pub(super) fn diverged<'r>(
    repository: &'r Repository,
    base: &str,
    head: &str,
) -> Result<Option<(Commit<'r>, Commit<'r>)>, SourceError> {
    let commit = |revision: &str| repository.revparse_single(revision).and_then(|object| object.peel_to_commit());
    let (Ok(a), Ok(b)) = (commit(base), commit(head)) else { return Ok(None) };
    let contains =
        |a: &Commit<'_>, b: &Commit<'_>| repository.graph_descendant_of(a.id(), b.id()).map_err(|why| damaged(&why));
    if a.id() == b.id() || contains(&b, &a)? || contains(&a, &b)? { Ok(None) } else { Ok(Some((a, b))) }
}

/// The merge of two commits, if every way of merging gives it.
pub(super) fn merge(
    repository: &Repository,
    (base, base_name): (&Commit<'_>, &str),
    (head, head_name): (&Commit<'_>, &str),
) -> Result<Index, SourceError> {
    let names = || (base_name.to_owned(), head_name.to_owned());
    if repository.is_shallow() {
        return Err(SourceError::Shallow { revision: format!("the history between {base_name} and {head_name}") });
    }
    if repository.merge_base(base.id(), head.id()).is_err() {
        let (base, head) = names();
        return Err(SourceError::Unrelated { base, head });
    }
    // Merged files are new objects: they stay in memory.
    let objects = repository.odb().map_err(|why| damaged(&why))?;
    objects.add_new_mempack_backend(1_000).map_err(|why| damaged(&why))?;
    let merge = |renames: bool| {
        let mut options = MergeOptions::new();
        options.find_renames(renames);
        repository.merge_commits(base, head, Some(&options)).map_err(|why| damaged(&why))
    };
    let (result, other) = (merge(true)?, merge(false)?);
    let conflicts = conflicts(&result);
    if !conflicts.is_empty() {
        let (base, head) = names();
        return Err(SourceError::Conflict { base, head, paths: conflicts.join(", ") });
    }
    if entries(&result) != entries(&other) || driven(repository, &result, base, head)? {
        let (base, head) = names();
        return Err(SourceError::Diverged { base, head });
    }
    Ok(result)
}

fn conflicts(index: &Index) -> Vec<String> {
    let mut paths: Vec<_> = index.iter().filter(|entry| stage(entry) != 0).map(|entry| escape(&entry.path)).collect();
    paths.dedup();
    paths
}

fn entries(index: &Index) -> BTreeMap<Vec<u8>, (git2::Oid, u32, u16)> {
    index.iter().map(|entry| (entry.path.clone(), (entry.id, entry.mode, stage(&entry)))).collect()
}

/// Whether an attribute says how a file that both sides changed is merged: another program may do it otherwise.
fn driven(repository: &Repository, result: &Index, base: &Commit<'_>, head: &Commit<'_>) -> Result<bool, SourceError> {
    let trees = [base, head].map(|commit| commit.tree().map_err(|why| damaged(&why)));
    let [base, head] = trees;
    let (base, head) = (base?, head?);
    for entry in result.iter() {
        let Ok(path) = std::str::from_utf8(&entry.path) else { continue };
        let path = Path::new(path);
        let same = |tree: &git2::Tree<'_>| tree.get_path(path).is_ok_and(|there| there.id() == entry.id);
        if same(&base) || same(&head) {
            continue;
        }
        let flags = AttrCheckFlags::FILE_THEN_INDEX;
        let driver = repository.get_attr_bytes(path, "merge", flags).map_err(|why| damaged(&why))?;
        if driver.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
