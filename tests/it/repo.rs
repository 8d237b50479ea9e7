//! A repository that a test makes with git2, object by object.

use crate::git::SUBMODULE;
use git2::{ObjectType, Oid, Repository};
use portcullis::source::{Place, Sides};
use std::collections::BTreeMap;
use std::fs;
use tempfile::TempDir;

/// Something to put into a tree: path, mode, content (of a submodule: nothing).
pub(crate) type Item<'a> = (&'a [u8], &'a str, &'a [u8]);

/// A repository of a test.
pub(crate) struct Repo {
    pub(crate) folder: TempDir,
    pub(crate) git: Repository,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut options = git2::RepositoryInitOptions::new();
        let git = Repository::init_opts(folder.path(), options.initial_head("main")).expect("a repository");
        git.config().and_then(|mut config| config.set_bool("core.autocrlf", false)).expect("a setting");
        Self { folder, git }
    }

    /// One whose only commit, checked out, has those files.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let repo = Self::new();
        let items: Vec<Item<'_>> =
            files.iter().map(|(path, text)| (path.as_bytes(), "100644", text.as_bytes())).collect();
        repo.commit(&[], &items);
        repo.checkout();
        repo
    }

    pub(crate) fn place(&self) -> Place {
        Place { folder: self.folder.path().to_owned(), index_file: None }
    }

    /// Writes trees byte by byte, so that they can be what no git program would make.
    pub(crate) fn tree(&self, items: &[Item<'_>]) -> Oid {
        let odb = self.git.odb().expect("objects");
        let mut folders: BTreeMap<&[u8], Vec<Item<'_>>> = BTreeMap::new();
        let mut raw: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut entry = |name: &[u8], mode: &str, id: Oid| {
            let sorted = if mode == "40000" { [name, b"/"].concat() } else { name.to_vec() };
            raw.push((sorted, [mode.as_bytes(), b" ", name, b"\0", id.as_bytes()].concat()));
        };
        for (path, mode, bytes) in items {
            match path.iter().position(|byte| *byte == b'/') {
                Some(slash) => folders.entry(&path[..slash]).or_default().push((&path[slash + 1..], mode, bytes)),
                None if *mode == SUBMODULE => entry(path, mode, Oid::from_bytes(&[7; 20]).expect("20 bytes")),
                None => entry(path, mode, odb.write(ObjectType::Blob, bytes).expect("a blob")),
            }
        }
        for (name, items) in folders {
            entry(name, "40000", self.tree(&items));
        }
        raw.sort();
        let bytes: Vec<u8> = raw.into_iter().flat_map(|(_, entry)| entry).collect();
        odb.write(ObjectType::Tree, &bytes).expect("a tree")
    }

    pub(crate) fn commit_tree(&self, tree: Oid, parents: &[Oid]) -> Oid {
        let odb = self.git.odb().expect("objects");
        odb.write(ObjectType::Commit, commit_text("a", tree, parents).as_bytes()).expect("a commit")
    }

    /// A commit of somebody; `main` points to it.
    pub(crate) fn commit_by(&self, who: &str, tree: Oid, parents: &[Oid]) -> Oid {
        let odb = self.git.odb().expect("objects");
        let id = odb.write(ObjectType::Commit, commit_text(who, tree, parents).as_bytes()).expect("a commit");
        self.git.reference("refs/heads/main", id, true, "").expect("a branch");
        id
    }

    /// A commit with those files, on top of `parents`; `main` points to it.
    pub(crate) fn commit(&self, parents: &[Oid], items: &[Item<'_>]) -> Oid {
        let id = self.commit_tree(self.tree(items), parents);
        self.git.reference("refs/heads/main", id, true, "").expect("a branch");
        id
    }

    /// Puts the files of `HEAD` into index and work tree.
    pub(crate) fn checkout(&self) {
        let mut how = git2::build::CheckoutBuilder::new();
        self.git.checkout_head(Some(how.force())).expect("a checkout");
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn between(&self, base: &[Item<'_>], head: &[Item<'_>]) -> Sides {
        let first = self.commit(&[], base);
        let second = self.commit(&[first], head);
        Sides::revisions(&self.place(), &first.to_string(), &second.to_string()).expect("two sides")
    }
}

fn commit_text(who: &str, tree: Oid, parents: &[Oid]) -> String {
    let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
    let who = format!("{who} <a@example.org> 1700000000 +0000");
    format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\nmessage\n")
}
