use miette::Diagnostic;
use thiserror::Error;

/// A wanted path that cannot be read as it stands. Nobody may go on as if it were not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error, Diagnostic)]
pub enum Problem {
    /// The author of the change put a link where a file belongs. What it leads to can change without a trace here.
    #[error("`{path}` is a symbolic link to `{target}`")]
    #[diagnostic(code(portcullis::source::symlink), help("commit the file itself; links are not followed"))]
    Symlink {
        /// The link.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// The content is in another repository.
    #[error("`{path}` is a submodule: its content is not part of this repository")]
    #[diagnostic(
        code(portcullis::source::submodule),
        help(
            "keep the configuration in this repository, or narrow the pattern in the policy so that it does not reach into the submodule"
        )
    )]
    Submodule {
        /// Where it is mounted.
        path: String,
    },
    /// The content is in a store of git-lfs.
    #[error("`{path}` is a git-lfs pointer, not the file")]
    #[diagnostic(
        code(portcullis::source::lfs_pointer),
        help("take the file out of LFS: `git lfs untrack`, then add it again; configuration is small")
    )]
    LfsPointer {
        /// The file.
        path: String,
    },
    /// The name cannot be written in a policy or a report without loss.
    #[error("the name `{path}` is not UTF-8")]
    #[diagnostic(code(portcullis::source::not_utf8), help("rename the file"))]
    NotUtf8 {
        /// The name, escaped.
        path: String,
    },
    /// On Windows the name is a path.
    #[error("the name `{path}` has a backslash, which other systems take for a folder")]
    #[diagnostic(code(portcullis::source::backslash), help("rename the file"))]
    Backslash {
        /// The name.
        path: String,
    },
    /// No system opens it.
    #[error("the path `{path}…` is {bytes} bytes long")]
    #[diagnostic(code(portcullis::source::long_name), help("paths have at most 4096 bytes; rename the file"))]
    LongName {
        /// Its beginning.
        path: String,
        /// Its length.
        bytes: usize,
    },
    /// On some systems one overwrites the other at checkout, after the check.
    #[error("`{path}` and `{twin}` are the same file on some file systems")]
    #[diagnostic(
        code(portcullis::source::twins),
        help("rename one: they differ only in case, Unicode form, or dots and blanks at the end")
    )]
    Twins {
        /// One.
        path: String,
        /// The other.
        twin: String,
    },
    /// No git program makes such an entry.
    #[error("`{path}` is not a path that git would store")]
    #[diagnostic(
        code(portcullis::source::crafted),
        help("somebody wrote this tree by hand; find out who and why (`git fsck`)")
    )]
    Crafted {
        /// The entry.
        path: String,
    },
    /// No git program makes such a tree.
    #[error("`{path}` is there twice")]
    #[diagnostic(
        code(portcullis::source::twice),
        help("somebody wrote this tree by hand; find out who and why (`git fsck`)")
    )]
    Twice {
        /// The path.
        path: String,
    },
    /// One side has a file where the other has a folder.
    #[error("`{path}` is a file on one side and a folder on the other")]
    #[diagnostic(
        code(portcullis::source::file_and_folder),
        help("give the folder another name, or remove the file in a change of its own")
    )]
    FileAndFolder {
        /// The path.
        path: String,
    },
    /// A merge is not finished.
    #[error("`{path}` has a merge conflict")]
    #[diagnostic(code(portcullis::source::unmerged), help("resolve the conflict and `git add` the file"))]
    Unmerged {
        /// The file.
        path: String,
    },
    /// The work tree is a sparse checkout.
    #[error("`{path}` is left out of this sparse checkout")]
    #[diagnostic(
        code(portcullis::source::sparse),
        help("check the file out (`git sparse-checkout add`), or compare commits with --base and --head")
    )]
    Sparse {
        /// The file.
        path: String,
    },
    /// Neither file nor folder.
    #[error("`{path}` is {what}")]
    #[diagnostic(code(portcullis::source::special), help("configuration is read from regular files only"))]
    Special {
        /// The path.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// More than is read.
    #[error("`{path}` has {bytes} bytes; {limit} can be read")]
    #[diagnostic(
        code(portcullis::source::too_large),
        help(
            "a file may have 1 GiB, all files of one side together 2 GiB; split the configuration or narrow the patterns"
        )
    )]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        bytes: u64,
        /// What was left.
        limit: u64,
    },
    /// More than is looked at.
    #[error("more than {limit} files and folders")]
    #[diagnostic(
        code(portcullis::source::too_many),
        help("narrow the patterns in the policy to the folders that hold configuration")
    )]
    TooMany {
        /// How many are.
        limit: usize,
    },
    /// The disk or the object database does not give it.
    #[error("`{path}` cannot be read: {why}")]
    #[diagnostic(
        code(portcullis::source::unreadable),
        help("make it readable, or fetch the objects that are missing, and try again")
    )]
    Unreadable {
        /// The path.
        path: String,
        /// What the system says.
        why: String,
    },
}

/// There are no two sides to compare. The author of a change rarely causes these; whoever calls the program does.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum SourceError {
    /// The caller is in the wrong folder.
    #[error("there is no git repository at `{folder}` or above it")]
    #[diagnostic(
        code(portcullis::source::no_repository),
        help(
            "run it in a git repository; without git, `check` takes two folders (--old and --new), and others one (--path)"
        )
    )]
    NoRepository {
        /// Where was looked.
        folder: String,
    },
    /// The repository is empty.
    #[error("the repository has no commit yet, so nothing is in force to compare with")]
    #[diagnostic(
        code(portcullis::source::no_commit),
        help(
            "commit the configuration as it is in force now, with its portcullis.yaml; changes are judged from then on"
        )
    )]
    NoCommit,
    /// The repository is bare.
    #[error("the repository has no work tree")]
    #[diagnostic(
        code(portcullis::source::no_work_tree),
        help("name commits: `check` takes --base and --head, others --rev; or run it in a clone")
    )]
    NoWorkTree,
    /// The caller names what is not there.
    #[error("there is no revision `{revision}`: {why}")]
    #[diagnostic(
        code(portcullis::source::no_revision),
        help("fetch it (`git fetch origin`), or name another; remote branches are called `origin/main`")
    )]
    NoRevision {
        /// The revision.
        revision: String,
        /// What git says.
        why: String,
    },
    /// The job fetched too little.
    #[error("`{revision}` is not in this shallow clone")]
    #[diagnostic(
        code(portcullis::source::shallow),
        help(
            "set fetch-depth: 0 (GitHub: in the step with actions/checkout), GIT_DEPTH: 0 (GitLab), or run `git fetch --unshallow`"
        )
    )]
    Shallow {
        /// What is missing, or whose history is.
        revision: String,
    },
    /// The author has to bring the change up to date: what will be in force is neither side but their merge, and that
    /// is not certain.
    #[error("`{base}` and `{head}` have diverged, and how they are merged depends on who merges them")]
    #[diagnostic(
        code(portcullis::source::diverged),
        help(
            "merge or rebase first (`git merge {base}`): only the merged result can be judged. To compare the trees as they are, name a path: `portcullis diff {base}:PATH {head}:PATH`"
        )
    )]
    Diverged {
        /// The one.
        base: String,
        /// The other.
        head: String,
    },
    /// The author has to bring the change up to date: both sides changed the same lines.
    #[error("`{head}` cannot be merged into `{base}`: both change {paths}")]
    #[diagnostic(
        code(portcullis::source::conflict),
        help("solve the conflict first (`git merge {base}`): only the merged result can be judged")
    )]
    Conflict {
        /// The one.
        base: String,
        /// The other.
        head: String,
        /// The paths with conflicts.
        paths: String,
    },
    /// The caller compares what has nothing in common.
    #[error("`{base}` and `{head}` have no commit in common")]
    #[diagnostic(
        code(portcullis::source::unrelated),
        help("to compare the trees as they are, name a path: `portcullis diff {base}:PATH {head}:PATH`")
    )]
    Unrelated {
        /// The one.
        base: String,
        /// The other.
        head: String,
    },
    /// What a queue has made holds more than the pull requests that are known, or their commits are not at hand.
    #[error("`{commit}` is not what merging the pull requests gives that are at hand")]
    #[diagnostic(
        code(portcullis::source::queue),
        help("fetch the heads of the pull requests (`git fetch origin '+refs/pull/*/head:refs/remotes/pull/*'`)")
    )]
    Queue {
        /// What is judged.
        commit: String,
    },
    /// Somebody makes git show other objects than there are.
    #[error("the repository replaces objects ({what}), so what git shows is not what is stored")]
    #[diagnostic(
        code(portcullis::source::replaced),
        help("remove the replacements (`git replace -d`, .git/info/grafts), or use a fresh clone")
    )]
    Replaced {
        /// By what.
        what: String,
    },
    /// The machine's administrator has to say that it may be read.
    #[error("the repository at `{folder}` belongs to another user")]
    #[diagnostic(
        code(portcullis::source::owner),
        help("if you trust it: `git config --global --add safe.directory {folder}`")
    )]
    Owner {
        /// Where it is.
        folder: String,
    },
    /// The repository uses what is not read.
    #[error("the index cannot be read: {why}")]
    #[diagnostic(
        code(portcullis::source::index),
        help(
            "if it is a split or sparse index: `git update-index --no-split-index`, `git sparse-checkout reapply --no-sparse-index`; or compare commits with --base and --head"
        )
    )]
    Index {
        /// What git says.
        why: String,
    },
    /// The repository is damaged or of a kind that is not read.
    #[error("the repository cannot be read: {why}")]
    #[diagnostic(
        code(portcullis::source::repository),
        help("try `git fsck`; repositories with SHA-256 ids are not supported")
    )]
    Repository {
        /// What git says.
        why: String,
    },
    /// The caller names what is not there.
    #[error("`{path}` cannot be opened: {why}")]
    #[diagnostic(
        code(portcullis::source::no_path),
        help("give a file or a folder; in git, REVISION:PATH, such as `main:hosts/web1.rules`")
    )]
    NoSuchPath {
        /// The path.
        path: String,
        /// What the system says.
        why: String,
    },
    /// The caller compares what cannot be compared.
    #[error("`{file}` is a file and the other side is a folder")]
    #[diagnostic(code(portcullis::source::unlike), help("compare two files or two folders"))]
    FileAndFolder {
        /// The file.
        file: String,
    },
    /// The job does not say which change it is about.
    #[error("this job does not say what is compared with what: {why}")]
    #[diagnostic(code(portcullis::source::job), help("say it: `portcullis check --base origin/main --head HEAD`"))]
    Job {
        /// What was looked for.
        why: String,
    },
}
