use miette::Diagnostic;
use thiserror::Error;

/// Why a record opens nothing. Each is one step of verification, in their order; exit code 1.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum Refusal {
    /// Somebody offers more than any record is.
    #[error("the record has {bytes} bytes, which is more than any record has")]
    #[diagnostic(code(portcullis::record::too_large), help("get the record again from where it was made"))]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// It is not what `portcullis attest` wrote.
    #[error("this is not a record as `portcullis attest` writes it: {why}")]
    #[diagnostic(
        code(portcullis::record::malformed),
        help(
            "records are one line and must not be formatted again, not even by `jq`; get it again from where it was made"
        )
    )]
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// Nobody that is known has signed it.
    #[error("no key that is known here has signed the record")]
    #[diagnostic(
        code(portcullis::record::unsigned),
        help("it was changed after it was signed, or signed by other keys than the roots of trust name")
    )]
    Unsigned,
    /// It carries something else.
    #[error("the record carries `{found}`, which is not what reviews are")]
    #[diagnostic(code(portcullis::record::payload_type), help("give the record that `portcullis attest` wrote"))]
    PayloadType {
        /// What it says.
        found: String,
    },
    /// What is signed is not a statement as they are written.
    #[error("what is signed is not a statement as `portcullis attest` writes it: {why}")]
    #[diagnostic(
        code(portcullis::record::statement),
        help("find out who signed this; use the same version of portcullis to make and to verify records")
    )]
    Statement {
        /// What is wrong.
        why: String,
    },
    /// It states something else.
    #[error("the record is of the type `{found}`, not `{wanted}`")]
    #[diagnostic(code(portcullis::record::statement_type), help("give the record that `portcullis attest` wrote"))]
    Type {
        /// What it says.
        found: String,
        /// What it has to say.
        wanted: &'static str,
    },
    /// Too few have signed it.
    #[error("the record is signed by {have}; for `{environment}` it takes {needed}")]
    #[diagnostic(
        code(portcullis::record::signers),
        help("let others sign it (`portcullis attest --add-signature`); several keys of one person count once")
    )]
    Signers {
        /// Who has signed it, and as what.
        have: String,
        /// Where it is to be put into force.
        environment: String,
        /// Whose signatures it takes.
        needed: String,
    },
    /// Who made it is not trusted any more.
    #[error("{what} is revoked")]
    #[diagnostic(
        code(portcullis::record::revoked),
        help("have the change approved and signed again by somebody who is trusted")
    )]
    Revoked {
        /// Which key, or whose approval.
        what: String,
    },
    /// It is for somewhere else.
    #[error("the record is for the repository `{found}`, not `{wanted}`")]
    #[diagnostic(code(portcullis::record::repository), help("a review holds for the repository it was made in alone"))]
    Repository {
        /// What it says.
        found: String,
        /// What the roots of trust say.
        wanted: String,
    },
    /// It is for somewhere else.
    #[error("the record is for `{found}`, not `{wanted}`")]
    #[diagnostic(
        code(portcullis::record::target_ref),
        help("what was reviewed for another branch has to be reviewed for this one")
    )]
    TargetRef {
        /// What it says.
        found: String,
        /// What the roots of trust say.
        wanted: String,
    },
    /// It is for somewhere else.
    #[error("the record is for the environment `{found}`, not `{wanted}`")]
    #[diagnostic(
        code(portcullis::record::environment),
        help("what was reviewed for another environment has to be reviewed for this one")
    )]
    Environment {
        /// What it says.
        found: String,
        /// Where it is to be put into force.
        wanted: String,
    },
    /// The bytes are not those that were reviewed.
    #[error("these are not the files that were reviewed: {}", differences.join(", "))]
    #[diagnostic(
        code(portcullis::record::closure),
        help(
            "put the reviewed files into force as they are; whatever changes, adds or renders files has to run before the review"
        )
    )]
    Closure {
        /// What differs, is missing or extra.
        differences: Vec<String>,
    },
    /// It was held against a policy that is not in force any more.
    #[error("the record is by generation {found} of the policy, and here nothing before {minimum} counts")]
    #[diagnostic(code(portcullis::record::epoch), help("have the change judged again by the policy that is in force"))]
    Epoch {
        /// What it says.
        found: u64,
        /// The least that counts.
        minimum: u64,
    },
    /// It, or one after it, has been used.
    #[error("the record has the number {found}, and number {last} has been put into force already")]
    #[diagnostic(
        code(portcullis::record::replayed),
        help("a record is used once; to go back to an earlier state, have that reviewed as a change")
    )]
    Replayed {
        /// Its number.
        found: u64,
        /// The last one.
        last: u64,
    },
    /// It does not hold any more.
    #[error("the record has expired at {at}")]
    #[diagnostic(code(portcullis::record::expired), help("have the change judged, and approved, again"))]
    Expired {
        /// When.
        at: String,
    },
    /// It is from a time that has not come.
    #[error("the record says that it was made at {at}, which has not come yet")]
    #[diagnostic(
        code(portcullis::record::future),
        help("set the clock of this host, or of the one that made the record")
    )]
    Future {
        /// When.
        at: String,
    },
    /// It would hold for longer than it may.
    #[error("the record stands in for a review from {from} to {to}, which is more than 4 hours")]
    #[diagnostic(code(portcullis::record::break_glass), help("break glass for 4 hours at most"))]
    TooLong {
        /// From when.
        from: String,
        /// To when.
        to: String,
    },
    /// It does not say that the change passed.
    #[error("the record says `{found}`, and not that the change passed")]
    #[diagnostic(
        code(portcullis::record::decision),
        help("find out who signed this: no record of it should have been made")
    )]
    NotPassed {
        /// What it says.
        found: String,
    },
    /// An emergency has not been reviewed yet.
    #[error("what was put into force without a review has not been reviewed yet: {}", incidents.join(", "))]
    #[diagnostic(
        code(portcullis::record::debt),
        help(
            "have the state that is in force reviewed, or a newer one that says so: `portcullis attest --settles INCIDENT`"
        )
    )]
    Debt {
        /// The incidents.
        incidents: Vec<String>,
    },
}

/// The roots of trust of this host are not in order. Whoever looks after the host has to correct them; exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum RootsError {
    /// They cannot be read.
    #[error("the roots of trust cannot be used: {why}")]
    #[diagnostic(
        code(portcullis::record::roots),
        help("correct the file that --roots names; `portcullis gate --help` shows one")
    )]
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// They do not hold any more.
    #[error("the roots of trust have expired at {at}")]
    #[diagnostic(
        code(portcullis::record::roots_expired),
        help(
            "look through the keys, have roots with a later date signed, and take them with `portcullis roots accept`, which \
             those that have expired still allow"
        )
    )]
    Expired {
        /// When.
        at: String,
    },
    /// Older ones than those that were used before.
    #[error("the roots of trust have the serial {found}, and {last} has been used here already")]
    #[diagnostic(
        code(portcullis::record::roots_older),
        help("install the newest roots; if older ones are meant, give them a higher serial")
    )]
    Older {
        /// Theirs.
        found: u64,
        /// The highest so far.
        last: u64,
    },
    /// They do not know where this is.
    #[error("{message}")]
    #[diagnostic(code(portcullis::record::no_environment), help("{help}"))]
    NoEnvironment {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
}

/// What was put into force here before is not known. Nothing is, until it is; exit code 3.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum StateError {
    /// There is no state.
    #[error("there is no state `{path}`: what was put into force here last is not known")]
    #[diagnostic(
        code(portcullis::record::no_state),
        help(
            "name the right file with --state; on a host that has never been put through the gate, begin with --new-state"
        )
    )]
    Missing {
        /// Where it was looked for.
        path: String,
    },
    /// There is one where there should be none.
    #[error("there is a state `{path}` already")]
    #[diagnostic(code(portcullis::record::old_state), help("leave --new-state out"))]
    There {
        /// Where.
        path: String,
    },
    /// It cannot be read or written.
    #[error("the state `{path}` cannot be used: {why}")]
    #[diagnostic(
        code(portcullis::record::state),
        help(
            "find out what happened to it; it is written whole or not at all, so somebody else wrote it, or the disk is broken or full"
        )
    )]
    Unusable {
        /// Where.
        path: String,
        /// Why not.
        why: String,
    },
    /// It is of something else.
    #[error("the state `{path}` is of `{found}`, not of `{wanted}`")]
    #[diagnostic(code(portcullis::record::other_state), help("name the state of this environment with --state"))]
    Other {
        /// Where.
        path: String,
        /// What it is of.
        found: String,
        /// What it has to be of.
        wanted: String,
    },
    /// Somebody is at it.
    #[error("another gate is using the state `{path}`")]
    #[diagnostic(
        code(portcullis::record::locked),
        help("wait until it is done: two changes are not put into force at once")
    )]
    Locked {
        /// Where.
        path: String,
    },
}

/// What was seen before is not known. Nothing counts as seen, until it is; exit code 3.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum RemovalsError {
    /// It cannot be read or written.
    #[error("the file `{path}`, in which it is kept what was seen, cannot be used: {why}")]
    #[diagnostic(
        code(portcullis::record::removals),
        help("name a file with --state that can be written, and that nobody else writes")
    )]
    Unusable {
        /// Where.
        path: String,
        /// Why not.
        why: String,
    },
    /// Somebody is at it, and goes on to be.
    #[error("another run is using the file `{path}`, in which it is kept what was seen")]
    #[diagnostic(code(portcullis::record::removals_locked), help("wait until it is done, and run again"))]
    Locked {
        /// Where.
        path: String,
    },
}

/// Roots of trust do not take the place of others. They stay as they are; exit code 1.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum SuccessionError {
    /// The envelope is none, or of something else.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Envelope(Refusal),
    /// The new roots are wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Roots(RootsError),
    /// Nobody is trusted with it.
    #[error("nobody is trusted to replace the roots: they have no `threshold`")]
    #[diagnostic(
        code(portcullis::record::no_threshold),
        help("install roots with a `threshold` and keys of the role `root` by hand, on every host")
    )]
    NoThreshold,
    /// Too few have signed.
    #[error("{have} of {whose} has signed, and {needed} people have to")]
    #[diagnostic(
        code(portcullis::record::roots_signers),
        help("have it signed by more of those with the role `root`: `portcullis roots sign`")
    )]
    Signers {
        /// Of which roots.
        whose: &'static str,
        /// Who has.
        have: String,
        /// How many have to.
        needed: usize,
    },
    /// They are not newer.
    #[error("the new roots have the serial {found}, and the present ones {last}")]
    #[diagnostic(code(portcullis::record::roots_older), help("give them a higher serial and have them signed again"))]
    Older {
        /// Theirs.
        found: u64,
        /// That of the present ones.
        last: u64,
    },
    /// They are of something else.
    #[error("the new roots are of `{found}`, and the present ones of `{wanted}`")]
    #[diagnostic(
        code(portcullis::record::roots_repository),
        help("roots for another repository are installed by hand")
    )]
    Repository {
        /// What they are of.
        found: String,
        /// What they have to be of.
        wanted: String,
    },
}
