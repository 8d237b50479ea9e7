//! What git can hold and a reviewer does not see: each case ends in the true bytes or in a sentence, never in a
//! file that is not there. The numbers are those of the list of threats.

use crate::repo::{Item, Repo};
use git2::{ObjectType, Oid};
use portcullis::source::{Claims, File, Files, Place, Problem, Sides, SourceError};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub(crate) const FILE: &str = "100644";
const LINK: &str = "120000";
pub(crate) const SUBMODULE: &str = "160000";

/// Wants `fw/*.rules`.
struct Rules;

impl Claims for Rules {
    fn file(&self, path: &[u8]) -> bool {
        let name = path.strip_prefix(b"fw/").and_then(|name| name.strip_suffix(b".rules"));
        name.is_some_and(|name| !name.contains(&b'/'))
    }
    fn below(&self, folder: &[u8]) -> bool {
        folder == b"fw"
    }
}

fn file(path: &[u8], bytes: &[u8]) -> File {
    File { path: path.to_vec(), name: path.to_vec(), bytes: bytes.to_vec(), executable: false }
}

fn files(base: Vec<File>, head: Vec<File>) -> Result<Files, Vec<String>> {
    Ok(Files { base, head })
}

fn read(sides: &Sides) -> Result<Files, Vec<String>> {
    sides.files(&Rules).map_err(|problems| problems.iter().map(Problem::to_string).collect())
}

fn problem(sentence: &str) -> Result<Files, Vec<String>> {
    Err(vec![sentence.to_owned()])
}

fn between(base: &[Item<'_>], head: &[Item<'_>]) -> Result<Files, Vec<String>> {
    read(&Repo::new().between(base, head))
}

pub(crate) const OLD: Item<'static> = (b"fw/web.rules", FILE, b"old");

#[test]
fn a01_a_rename_is_a_deletion_and_an_addition() {
    let head: Item<'_> = (b"legacy/web.txt", FILE, b"old");
    assert_eq!(between(&[OLD], &[head]), files(vec![file(b"fw/web.rules", b"old")], vec![]));
    let head: Item<'_> = (b"fw/www.rules", FILE, b"old");
    let expected = files(vec![file(b"fw/web.rules", b"old")], vec![file(b"fw/www.rules", b"old")]);
    assert_eq!(between(&[OLD], &[head]), expected);
}

#[test]
fn a02_a_file_that_becomes_a_link_is_a_problem_wherever_it_leads() {
    for target in ["../data/blob.bin", "/etc/passwd", "web.rules", "nowhere", "other.rules"] {
        let head: [Item<'_>; 2] = [(b"fw/web.rules", LINK, target.as_bytes()), (b"fw/other.rules", FILE, b"x")];
        assert_eq!(between(&[OLD], &head), problem(&format!("`fw/web.rules` is a symbolic link to `{target}`")));
    }
}

#[test]
fn a03_a_folder_that_becomes_a_link_is_a_problem() {
    let head: [Item<'_>; 2] = [(b"fw", LINK, b"other"), (b"other/web.rules", FILE, b"new")];
    assert_eq!(between(&[OLD], &head), problem("`fw` is a symbolic link to `other`"));
}

#[test]
fn a03_a_link_to_a_file_hides_nothing_and_one_to_a_folder_might() {
    struct Anywhere;
    impl Claims for Anywhere {
        fn file(&self, path: &[u8]) -> bool {
            path.ends_with(b".rules")
        }
        fn below(&self, _: &[u8]) -> bool {
            true
        }
    }
    let links = |target: &'static str| -> [Item<'static>; 3] {
        [OLD, (b"notes/a.md", FILE, b""), (b"notes/b.md", LINK, target.as_bytes())]
    };
    for (target, fine) in
        [("a.md", true), ("../notes/a.md", true), ("../fw", false), ("/etc/passwd", false), ("x", false)]
    {
        let repo = Repo::new();
        let sides = repo.between(&[OLD], &links(target));
        assert_eq!(sides.files(&Anywhere).is_ok(), fine, "{target}");
    }
    let repo = Repo::new();
    repo.commit(&[], &links("a.md"));
    repo.checkout();
    for sides in [Sides::work_tree(&repo.place(), "HEAD"), Sides::staged(&repo.place())] {
        let found = sides.expect("two sides").files(&Anywhere);
        assert!(found.is_ok(), "{found:?}");
    }
}

#[test]
fn a04_a_submodule_is_a_problem_on_a_wanted_path_and_in_the_place_of_its_folder() {
    let sentence =
        |path: &str| problem(&format!("`{path}` is a submodule: its content is not part of this repository"));
    assert_eq!(between(&[OLD], &[(b"fw", SUBMODULE, b"")]), sentence("fw"));
    assert_eq!(between(&[OLD], &[(b"fw/web.rules", SUBMODULE, b"")]), sentence("fw/web.rules"));
    let elsewhere: [Item<'_>; 2] = [OLD, (b"vendor", SUBMODULE, b"")];
    assert!(between(&[OLD], &elsewhere).is_ok());
}

#[test]
fn a05_a07_attributes_change_nothing_of_what_is_read() {
    let attributes: Item<'_> =
        (b".gitattributes", FILE, b"*.rules -diff export-ignore working-tree-encoding=UTF-16LE-BOM eol=crlf ident\n");
    let new: Item<'_> = (b"fw/web.rules", FILE, b"$Id$\nnew\n");
    let expected = files(vec![file(b"fw/web.rules", b"old")], vec![file(b"fw/web.rules", b"$Id$\nnew\n")]);
    assert_eq!(between(&[OLD], &[attributes, new]), expected);
}

#[test]
fn a06_a_git_lfs_pointer_is_a_problem() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let sentence = "`fw/web.rules` is a git-lfs pointer, not the file";
    assert_eq!(between(&[OLD], &[(b"fw/web.rules", FILE, pointer)]), problem(sentence));
}

#[test]
fn a08_bytes_are_read_as_they_are() {
    let odd = b"\xef\xbb\xbf*filter\r\nCOMMIT\r\0";
    let expected = files(vec![file(b"fw/web.rules", b"old")], vec![file(b"fw/web.rules", odd)]);
    assert_eq!(between(&[OLD], &[(b"fw/web.rules", FILE, odd)]), expected);
}

#[test]
fn a09_a_name_that_is_not_utf8_is_a_problem() {
    let head: [Item<'_>; 2] = [OLD, (b"fw/\xff\xfe.rules", FILE, b"new")];
    assert_eq!(between(&[OLD], &head), problem("the name `fw/\\xff\\xfe.rules` is not UTF-8"));
}

#[test]
fn a10_any_other_name_is_read() {
    for path in [&b"fw/a\nb.rules"[..], b"fw/\"q\".rules", b"fw/--help.rules", b"fw/ a.rules", "fw/é.rules".as_bytes()]
    {
        let expected = files(vec![file(b"fw/web.rules", b"old")], vec![file(path, b"new")]);
        assert_eq!(between(&[OLD], &[(path, FILE, b"new")]), expected);
    }
}

#[test]
fn a11_names_that_some_file_systems_do_not_tell_apart_are_a_problem() {
    let pairs = [
        ("fw/web.rules", "fw/WEB.rules"),
        ("fw/caf\u{e9}.rules", "fw/cafe\u{301}.rules"),
        ("fw/web.rules", "fw/web.rules."),
        ("fw/web.rules", "fw/web.rules "),
        ("fw/stra\u{df}e.rules", "fw/STRASSE.rules"),
    ];
    for (one, other) in pairs {
        let head: [Item<'_>; 2] = [(one.as_bytes(), FILE, b"1"), (other.as_bytes(), FILE, b"2")];
        let found = between(&[], &head).expect_err(one);
        let both = format!("`{one}` and `{other}` are the same file on some file systems");
        let turned = format!("`{other}` and `{one}` are the same file on some file systems");
        assert!(found == [both.clone()] || found == [turned], "{found:?}, not {both}");
    }
    let folders: [Item<'_>; 2] = [(b"fw/web.rules", FILE, b"1"), (b"FW/web.rules", FILE, b"2")];
    assert_eq!(between(&[], &folders), problem("`fw` and `FW` are the same file on some file systems"));
}

#[test]
fn a12_a_change_made_in_a_merge_commit_is_seen() {
    let repo = Repo::new();
    let base = repo.commit(&[], &[OLD]);
    let (left, right) = (repo.commit(&[base], &[OLD]), repo.commit(&[base], &[OLD]));
    let octopus = repo.commit(&[left, right, base], &[(b"fw/web.rules", FILE, b"evil")]);
    let sides = Sides::revisions(&repo.place(), &base.to_string(), &octopus.to_string()).expect("two sides");
    assert_eq!(read(&sides), files(vec![file(b"fw/web.rules", b"old")], vec![file(b"fw/web.rules", b"evil")]));
}

#[test]
fn a14_sides_that_have_diverged_are_judged_as_their_merge() {
    let repo = Repo::new();
    let base = repo.commit(&[], &[OLD]);
    let ours = repo.commit(&[base], &[OLD, (b"fw/a.rules", FILE, b"a")]);
    let theirs = repo.commit(&[base], &[OLD, (b"fw/b.rules", FILE, b"b")]);
    let sides = Sides::revisions(&repo.place(), &ours.to_string(), &theirs.to_string()).expect("two sides");
    let (a, b, old) = (file(b"fw/a.rules", b"a"), file(b"fw/b.rules", b"b"), file(b"fw/web.rules", b"old"));
    assert_eq!(read(&sides), files(vec![a.clone(), old.clone()], vec![a, b, old]));
    assert_eq!((sides.head.kind(), sides.head.revision()), ("merge", Some(theirs.to_string().as_str())));
}

#[test]
fn a14_files_that_both_sides_changed_are_merged_in_memory() {
    let web = |text: &'static [u8]| -> [Item<'static>; 1] { [(b"fw/web.rules", FILE, text)] };
    let repo = Repo::new();
    let base = repo.commit(&[], &web(b"1\n2\n3\n4\n5\n6\n7\n"));
    let ours = repo.commit(&[base], &web(b"one\n2\n3\n4\n5\n6\n7\n"));
    let theirs = repo.commit(&[base], &web(b"1\n2\n3\n4\n5\n6\nseven\n"));
    let objects = || walk(&repo.git.path().join("objects"));
    let before = objects();
    let sides = Sides::revisions(&repo.place(), &ours.to_string(), &theirs.to_string()).expect("two sides");
    let merged = file(b"fw/web.rules", b"one\n2\n3\n4\n5\n6\nseven\n");
    assert_eq!(read(&sides).expect("files").head, vec![merged]);
    assert_eq!(objects(), before);

    fs::create_dir_all(repo.git.path().join("info")).expect("a folder");
    fs::write(repo.git.path().join("info/attributes"), "*.rules merge=union\n").expect("a file");
    let (base, head) = (ours.to_string(), theirs.to_string());
    let found = Sides::revisions(&repo.place(), &base, &head).err();
    assert_eq!(found, Some(SourceError::Diverged { base, head }));
}

#[test]
fn a14_what_cannot_be_merged_is_not_judged() {
    let repo = Repo::new();
    let base = repo.commit(&[], &[OLD]);
    let ours = repo.commit(&[base], &[(b"fw/web.rules", FILE, b"a")]);
    let theirs = repo.commit(&[base], &[(b"fw/web.rules", FILE, b"b")]);
    let other = repo.commit(&[], &[(b"fw/web.rules", FILE, b"b")]);
    let revisions = |head: Oid| Sides::revisions(&repo.place(), &ours.to_string(), &head.to_string()).err();
    let (base, head) = (ours.to_string(), theirs.to_string());
    let paths = "fw/web.rules".to_owned();
    assert_eq!(revisions(theirs), Some(SourceError::Conflict { base: base.clone(), head, paths }));
    assert_eq!(revisions(other), Some(SourceError::Unrelated { base, head: other.to_string() }));
}

#[test]
fn a14_a_file_that_one_side_renames_and_the_other_changes_is_left_to_a_person() {
    let text: &[u8] = b"a long line that is the same\nanother one\nand a third\nand a fourth\n";
    let changed: &[u8] = b"a long line that is the same\nanother one\nand a third\nand a fifth\n";
    let repo = Repo::new();
    let base = repo.commit(&[], &[(b"fw/web.rules", FILE, text)]);
    let ours = repo.commit(&[base], &[(b"fw/www.rules", FILE, text)]);
    let theirs = repo.commit(&[base], &[(b"fw/web.rules", FILE, changed)]);
    let (base, head) = (ours.to_string(), theirs.to_string());
    let found = Sides::revisions(&repo.place(), &base, &head).err();
    assert_eq!(found, Some(SourceError::Diverged { base, head }));
}

/// Every file below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut all: Vec<_> = entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect();
    all.sort();
    all
}

/// Turns the repository into a shallow clone that ends at a commit.
fn cut(repo: &Repo, at: Oid) {
    fs::write(repo.git.path().join("shallow"), format!("{at}\n")).expect("a file");
}

#[test]
fn a15_a_shallow_clone_without_the_base_says_what_to_set() {
    let repo = Repo::new();
    let base = repo.commit(&[], &[OLD]);
    let head = repo.commit(&[base], &[OLD]);
    let tip = repo.commit(&[head], &[OLD]);
    cut(&repo, tip);
    let missing = "0123456789012345678901234567890123456789".to_owned();
    let found = Sides::revisions(&repo.place(), &missing, "HEAD").err();
    assert_eq!(found, Some(SourceError::Shallow { revision: missing }));
    let found = Sides::revisions(&repo.place(), &base.to_string(), "HEAD").err();
    assert!(matches!(&found, Some(SourceError::Shallow { .. })), "{found:?}");
    let help = miette::Diagnostic::help(&found.expect("an error")).expect("help").to_string();
    assert!(help.starts_with("set fetch-depth: 0"), "{help}");
}

#[test]
fn a16_several_merge_bases_do_not_matter() {
    let repo = Repo::new();
    let root = repo.commit(&[], &[OLD]);
    let (left, right) = (repo.commit(&[root], &[OLD]), repo.commit_tree(repo.tree(&[OLD, OLD]), &[root]));
    let ours = repo.commit(&[left, right], &[OLD]);
    let result = repo.commit(&[ours, right], &[(b"fw/web.rules", FILE, b"new")]);
    let sides = Sides::revisions(&repo.place(), &ours.to_string(), &result.to_string()).expect("two sides");
    assert_eq!(read(&sides), files(vec![file(b"fw/web.rules", b"old")], vec![file(b"fw/web.rules", b"new")]));
}

#[test]
fn a17_replaced_objects_and_grafts_are_refused() {
    let repo = Repo::new();
    let id = repo.commit(&[], &[OLD]);
    repo.git.reference(&format!("refs/replace/{id}"), id, true, "").expect("a reference");
    let found = Sides::staged(&repo.place()).err();
    assert_eq!(found, Some(SourceError::Replaced { what: format!("refs/replace/{id}") }));
    let repo = Repo::new();
    repo.commit(&[], &[OLD]);
    fs::write(repo.git.path().join("info/grafts"), "").expect("a file");
    assert_eq!(Sides::staged(&repo.place()).err(), Some(SourceError::Replaced { what: "info/grafts".to_owned() }));
}

#[test]
fn a18_edits_that_status_hides_and_untracked_files_are_seen() {
    let repo = Repo::new();
    repo.commit(&[], &[OLD, (b"fw/gone.rules", FILE, b"gone"), (b"notes", FILE, b"")]);
    repo.checkout();
    let mut index = repo.git.index().expect("an index");
    for path in ["fw/web.rules", "fw/gone.rules"] {
        let mut entry = index.get_path(Path::new(path), 0).expect("an entry");
        entry.flags |= 0x8000; // assume unchanged
        entry.flags_extended |= git2::IndexEntryExtendedFlag::SKIP_WORKTREE.bits();
        index.add(&entry).expect("an entry");
    }
    index.write().expect("written");
    repo.write("fw/web.rules", "edited");
    repo.write("fw/new.rules", "new");
    repo.write(".gitignore", "new.rules");
    let sides = Sides::work_tree(&repo.place(), "HEAD").expect("two sides");
    let base = vec![file(b"fw/gone.rules", b"gone"), file(b"fw/web.rules", b"old")];
    let head = [file(b"fw/gone.rules", b"gone"), file(b"fw/new.rules", b"new"), file(b"fw/web.rules", b"edited")];
    assert_eq!(read(&sides), files(base, head.to_vec()));
    fs::remove_file(repo.folder.path().join("fw/gone.rules")).expect("removed");
    assert_eq!(read(&sides), problem("`fw/gone.rules` is left out of this sparse checkout"));
}

#[test]
fn a18_staged_is_the_index_and_nothing_else() {
    let repo = Repo::new();
    repo.commit(&[], &[OLD]);
    repo.checkout();
    repo.write("fw/web.rules", "staged");
    let mut index = repo.git.index().expect("an index");
    index.add_path(Path::new("fw/web.rules")).expect("added");
    index.write().expect("written");
    repo.write("fw/web.rules", "later");
    repo.write("fw/untracked.rules", "untracked");
    let sides = Sides::staged(&repo.place()).expect("two sides");
    assert_eq!(read(&sides), files(vec![file(b"fw/web.rules", b"old")], vec![file(b"fw/web.rules", b"staged")]));
}

#[test]
fn a18_a_hook_s_own_index_is_the_one_that_counts() {
    let repo = Repo::new();
    repo.commit(&[], &[OLD]);
    repo.checkout();
    repo.git.index().and_then(|mut index| index.write()).expect("an index");
    let other = repo.git.path().join("next-index");
    fs::copy(repo.git.path().join("index"), &other).expect("a copy");
    let mut index = git2::Index::open(&other).expect("an index");
    index.remove_path(Path::new("fw/web.rules")).expect("removed");
    index.write().expect("written");
    let sides = Sides::staged(&Place { index_file: Some(other), ..repo.place() }).expect("two sides");
    assert_eq!(read(&sides), files(vec![file(b"fw/web.rules", b"old")], vec![]));
}

#[test]
fn a19_nothing_that_the_repository_configures_is_run() {
    let repo = Repo::new();
    repo.commit(&[], &[OLD, (b".gitattributes", FILE, b"*.rules diff=x filter=x\n")]);
    repo.checkout();
    let marker = repo.folder.path().join("marker");
    let command = format!("touch {}", marker.display());
    let mut config = repo.git.config().expect("a configuration");
    for key in ["diff.x.textconv", "filter.x.smudge", "filter.x.clean", "core.fsmonitor", "core.sshCommand"] {
        config.set_str(key, &command).expect("set");
    }
    repo.write("fw/web.rules", "edited");
    for sides in [Sides::work_tree(&repo.place(), "HEAD"), Sides::staged(&repo.place())] {
        read(&sides.expect("two sides")).expect("files");
    }
    assert!(!marker.exists());
}

#[test]
fn a20_entries_that_git_would_not_make_are_a_problem() {
    let repo = Repo::new();
    let odb = repo.git.odb().expect("objects");
    let blob = odb.write(ObjectType::Blob, b"evil").expect("a blob");
    for name in ["..", ".git", ".GIT", "fw/web.rules"] {
        let raw = [b"100644 ", name.as_bytes(), b"\0", blob.as_bytes()].concat();
        let tree = odb.write(ObjectType::Tree, &raw).expect("a tree");
        let id = repo.commit_tree(tree, &[]).to_string();
        let sides = Sides::revisions(&repo.place(), &id, &id).expect("two sides");
        assert_eq!(read(&sides), problem(&format!("`{name}` is not a path that git would store")));
    }
    let sentence = "the name `fw/a\\b.rules` has a backslash, which other systems take for a folder";
    assert_eq!(between(&[], &[(b"fw/a\\b.rules", FILE, b"")]), problem(sentence));
    let long = [b"fw/", &[b'a'; 5000][..], b".rules"].concat();
    assert_eq!(between(&[], &[(&long, FILE, b"")]).map_err(|found| found.len()), Err(1));
}

#[test]
fn a24_h09_the_size_of_a_blob_is_looked_up_before_it_is_read() {
    // The header of a loose object claims 3 GiB; there is nothing behind it.
    let folder = TempDir::new().expect("a folder");
    let big = folder.path().join("big.rules");
    fs::File::create(&big).and_then(|file| file.set_len((1 << 30) + 1)).expect("a sparse file");
    let sides = Sides::paths(&big, &big).expect("two sides");
    struct All;
    impl Claims for All {
        fn file(&self, _: &[u8]) -> bool {
            true
        }
        fn below(&self, _: &[u8]) -> bool {
            true
        }
    }
    let found = sides.files(&All).expect_err("a problem");
    let sentences: Vec<String> = found.iter().map(Problem::to_string).collect();
    assert_eq!(sentences, ["`big.rules` has 1073741825 bytes; 1073741824 can be read"]);
}

#[test]
fn a24_h09_a_tree_of_trees_that_never_ends_is_a_problem() {
    struct All;
    impl Claims for All {
        fn file(&self, path: &[u8]) -> bool {
            path.ends_with(b".rules")
        }
        fn below(&self, _: &[u8]) -> bool {
            true
        }
    }
    let repo = Repo::new();
    let odb = repo.git.odb().expect("objects");
    let mut id = repo.tree(&[(b"f", FILE, b"")]);
    for _ in 0..9 {
        let entries = (b'a'..=b'j').flat_map(|name| [b"40000 ", &[name, 0][..], id.as_bytes()].concat());
        id = odb.write(ObjectType::Tree, &entries.collect::<Vec<u8>>()).expect("a tree");
    }
    let commit = repo.commit_tree(id, &[]).to_string();
    let sides = Sides::revisions(&repo.place(), &commit, &commit).expect("two sides");
    let found: Vec<String> = sides.files(&All).expect_err("a problem").iter().map(Problem::to_string).collect();
    assert_eq!(found, ["more than 1000000 files and folders"]);
}

#[test]
fn a25_an_entry_that_is_there_twice_is_a_problem() {
    let head: [Item<'_>; 2] = [(b"fw/web.rules", FILE, b"1"), (b"fw/web.rules", FILE, b"2")];
    assert_eq!(between(&[OLD], &head), problem("`fw/web.rules` is there twice"));
}

#[test]
fn a26_a_change_that_only_deletes_is_a_change() {
    assert_eq!(between(&[OLD], &[]), files(vec![file(b"fw/web.rules", b"old")], vec![]));
    let repo = Repo::new();
    repo.commit(&[], &[OLD]);
    repo.checkout();
    fs::remove_file(repo.folder.path().join("fw/web.rules")).expect("removed");
    let sides = Sides::work_tree(&repo.place(), "HEAD").expect("two sides");
    assert_eq!(read(&sides), files(vec![file(b"fw/web.rules", b"old")], vec![]));
}

#[test]
fn a27_a_file_on_one_side_and_a_folder_on_the_other_is_a_problem() {
    let head: Item<'_> = (b"fw/web.rules/a.rules", FILE, b"new");
    assert_eq!(between(&[OLD], &[head]), problem("`fw/web.rules` is a file on one side and a folder on the other"));
    assert_eq!(between(&[head], &[OLD]), problem("`fw/web.rules` is a file on one side and a folder on the other"));
}

#[cfg(unix)]
#[test]
fn links_and_pipes_in_the_work_tree_are_problems() {
    let repo = Repo::new();
    repo.commit(&[], &[OLD]);
    repo.checkout();
    let path = repo.folder.path().join("fw/web.rules");
    fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink("/etc/passwd", &path).expect("a link");
    let sides = Sides::work_tree(&repo.place(), "HEAD").expect("two sides");
    assert_eq!(read(&sides), problem("`fw/web.rules` is a symbolic link to `/etc/passwd`"));
    fs::remove_dir_all(repo.folder.path().join("fw")).expect("removed");
    std::os::unix::fs::symlink("/etc", repo.folder.path().join("fw")).expect("a link");
    assert_eq!(read(&sides), problem("`fw` is a symbolic link to `/etc`"));
}

#[test]
fn a_merge_conflict_is_a_problem() {
    let repo = Repo::new();
    let id = repo.commit(&[], &[OLD]);
    repo.checkout();
    let (ours, theirs) = (
        repo.commit_tree(repo.tree(&[(b"fw/web.rules", FILE, b"ours")]), &[id]),
        repo.commit_tree(repo.tree(&[(b"fw/web.rules", FILE, b"theirs")]), &[id]),
    );
    let (ours, theirs) = (repo.git.find_commit(ours), repo.git.find_commit(theirs));
    let (ours, theirs) = (ours.expect("ours"), theirs.expect("theirs"));
    let merged = repo.git.merge_commits(&ours, &theirs, None).expect("a merge");
    let mut index = repo.git.index().expect("an index");
    index.clear().expect("cleared");
    for entry in merged.iter().collect::<Vec<_>>() {
        index.add(&entry).expect("added");
    }
    index.write().expect("written");
    let sentence = problem("`fw/web.rules` has a merge conflict");
    assert_eq!(read(&Sides::work_tree(&repo.place(), "HEAD").expect("two sides")), sentence);
    assert_eq!(read(&Sides::staged(&repo.place()).expect("two sides")), sentence);
}

#[test]
fn a_split_index_is_an_error_and_not_an_empty_one() {
    let repo = Repo::new();
    repo.commit(&[], &[OLD]);
    repo.checkout();
    repo.git.index().and_then(|mut index| index.write()).expect("an index");
    let path = repo.git.path().join("index");
    let mut bytes = fs::read(&path).expect("an index");
    bytes.truncate(bytes.len() - 20);
    bytes.extend(b"link\0\0\0\x14");
    bytes.extend([7; 20]);
    bytes.extend(sha1(&bytes));
    fs::write(&path, bytes).expect("written");
    let found = Sides::staged(&repo.place()).err();
    assert!(matches!(found, Some(SourceError::Index { .. })), "{found:?}");
}

/// git's own hash of a text is of a header and the text; the index wants the plain one, which no dependency has.
fn sha1(text: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut padded = [text, b"\x80"].concat();
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((text.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks(64) {
        let mut w: Vec<u32> = block.chunks(4).map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]])).collect();
        for i in 16..80 {
            w.push((w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16]).rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in w.iter().enumerate() {
            let (f, k) = match i / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc_u32),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, value) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(value);
        }
    }
    let mut out = [0; 20];
    for (to, word) in out.chunks_mut(4).zip(state) {
        to.copy_from_slice(&word.to_be_bytes());
    }
    out
}

#[test]
fn without_a_repository_or_a_commit_there_is_nothing_to_compare_with() {
    let folder = TempDir::new().expect("a folder");
    let place = Place { folder: folder.path().to_owned(), index_file: None };
    assert!(matches!(Sides::work_tree(&place, "HEAD").err(), Some(SourceError::NoRepository { .. })));
    assert_eq!(Sides::work_tree(&Repo::new().place(), "HEAD").err(), Some(SourceError::NoCommit));
}

#[test]
fn a_revision_and_a_path_name_a_file_or_a_folder() {
    let repo = Repo::new();
    repo.commit(&[], &[OLD]);
    repo.checkout();
    repo.write("fw/web.rules", "new");
    let place = repo.place();
    struct All;
    impl Claims for All {
        fn file(&self, _: &[u8]) -> bool {
            true
        }
        fn below(&self, _: &[u8]) -> bool {
            true
        }
    }
    let sides = Sides::named(&place, "main:fw/web.rules", "fw/web.rules").expect("two files");
    let named = |name: &[u8], bytes: &[u8]| File { name: name.to_vec(), ..file(b"web.rules", bytes) };
    let expected =
        Files { base: vec![named(b"main:fw/web.rules", b"old")], head: vec![named(b"fw/web.rules", b"new")] };
    assert_eq!(sides.files(&All), Ok(expected));
    let sides = Sides::named(&place, "main:fw", "fw").expect("two folders");
    let expected = Files { base: vec![file(b"web.rules", b"old")], head: vec![file(b"web.rules", b"new")] };
    assert_eq!(sides.files(&All), Ok(expected));
    assert!(matches!(Sides::named(&place, "main:fw", "fw/web.rules").err(), Some(SourceError::FileAndFolder { .. })));
    assert!(matches!(Sides::named(&place, "main:no", "fw").err(), Some(SourceError::NoSuchPath { .. })));
    assert!(matches!(Sides::named(&place, "no:fw", "fw").err(), Some(SourceError::NoRevision { .. })));
}
