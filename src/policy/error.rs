use crate::text::Span;
use miette::Diagnostic;
use thiserror::Error;

/// Why a policy is refused. All of these are errors of the policy's author; nothing is judged until they are gone.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum PolicyError {
    /// It is not text, or not YAML.
    #[error("the policy is not readable: {message}")]
    #[diagnostic(code(portcullis::policy::syntax))]
    Syntax {
        /// What the reader says.
        message: String,
        /// Where.
        at: Span,
    },
    /// It is larger than any policy that a person could have reviewed.
    #[error("the policy is larger than {limit} bytes")]
    #[diagnostic(code(portcullis::policy::too_large), help("a policy is written by people; split generated data off"))]
    TooLarge {
        /// The limit.
        limit: usize,
        /// The whole file.
        at: Span,
    },
    /// It has a character that a reviewer does not see, or sees elsewhere.
    #[error("the policy has an invisible character: {name}")]
    #[diagnostic(
        code(portcullis::policy::invisible),
        help("delete it: what a reviewer cannot see must not decide anything")
    )]
    Invisible {
        /// Its code point.
        name: String,
        /// Where.
        at: Span,
    },
    /// It says nothing.
    #[error("the policy is empty")]
    #[diagnostic(
        code(portcullis::policy::empty),
        help("begin with `version: 1`; an empty policy would let everything pass")
    )]
    Empty {
        /// The whole file.
        at: Span,
    },
    /// It is several YAML documents.
    #[error("the policy has a second document")]
    #[diagnostic(code(portcullis::policy::documents), help("a policy is one document: remove the `---`"))]
    Documents {
        /// The second one.
        at: Span,
    },
    /// Anchors, aliases, tags and merge keys: programs read them differently.
    #[error("{what} are not allowed in a policy")]
    #[diagnostic(
        code(portcullis::policy::indirection),
        help("write the value out; programs disagree on what this means")
    )]
    Indirection {
        /// "anchors", "aliases" …
        what: &'static str,
        /// Where.
        at: Span,
    },
    /// A key stands twice in one map.
    #[error("`{key}` stands twice")]
    #[diagnostic(code(portcullis::policy::duplicate_key), help("keep one of them"))]
    DuplicateKey {
        /// The key.
        key: String,
        /// The second one.
        at: Span,
        /// The first one.
        first: Span,
    },
    /// There is no such key here.
    #[error("there is no key `{key}` here")]
    #[diagnostic(code(portcullis::policy::unknown_key))]
    UnknownKey {
        /// The key.
        key: String,
        /// "did you mean", or what there is.
        #[help]
        help: String,
        /// Where.
        at: Span,
    },
    /// Nothing has that name.
    #[error("there is no {kind} `{name}`")]
    #[diagnostic(code(portcullis::policy::unknown_name))]
    UnknownName {
        /// "check", "level", "network" …
        kind: &'static str,
        /// The name.
        name: String,
        /// "did you mean", or what there is.
        #[help]
        help: String,
        /// Where.
        at: Span,
    },
    /// A key that must be there is not.
    #[error("the key `{key}` is missing")]
    #[diagnostic(code(portcullis::policy::missing_key))]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The map in which it is missing.
        at: Span,
    },
    /// The value is of another kind.
    #[error("{wanted} is needed here, not {found}")]
    #[diagnostic(code(portcullis::policy::kind))]
    WrongKind {
        /// "a list", "a number" …
        wanted: &'static str,
        /// What stands there.
        found: String,
        /// Where.
        at: Span,
    },
    /// A word without quotes that YAML 1.1 and 1.2 read differently, or that is no text.
    #[error("`{text}` is {reads}")]
    #[diagnostic(code(portcullis::policy::ambiguous), help("put it in quotes if it is a text"))]
    Ambiguous {
        /// The word.
        text: String,
        /// How it may be read.
        reads: &'static str,
        /// Where.
        at: Span,
    },
    /// Another version of the policy language.
    #[error("policy version {found} is not known to this program")]
    #[diagnostic(
        code(portcullis::policy::version),
        help("this program reads version 1; an older program must not guess what a newer policy means")
    )]
    Version {
        /// What stands there.
        found: String,
        /// Where.
        at: Span,
    },
    /// Definitions that refer to one another in a circle.
    #[error("`{name}` is defined by itself")]
    #[diagnostic(code(portcullis::policy::cycle), help("break the circle: one of its names must be written out"))]
    Cycle {
        /// One of them.
        name: String,
        /// Where.
        at: Span,
    },
    /// The value cannot be.
    #[error("{message}")]
    #[diagnostic(code(portcullis::policy::value))]
    Value {
        /// What is wrong with it.
        message: String,
        /// What to write.
        #[help]
        help: String,
        /// Where.
        at: Span,
    },
    /// It is written for a newer program.
    #[error("the policy needs portcullis {wanted} or newer; this is {have}")]
    #[diagnostic(
        code(portcullis::policy::min_version),
        help("install the newer program: this one cannot know what the policy demands")
    )]
    TooOld {
        /// What it needs.
        wanted: String,
        /// What this program is.
        have: &'static str,
        /// Where.
        at: Span,
    },
}

impl PolicyError {
    /// Where it is.
    #[must_use]
    pub const fn at(&self) -> Span {
        match self {
            Self::Syntax { at, .. }
            | Self::TooLarge { at, .. }
            | Self::Invisible { at, .. }
            | Self::Empty { at }
            | Self::Documents { at }
            | Self::Indirection { at, .. }
            | Self::DuplicateKey { at, .. }
            | Self::UnknownKey { at, .. }
            | Self::UnknownName { at, .. }
            | Self::MissingKey { at, .. }
            | Self::WrongKind { at, .. }
            | Self::Ambiguous { at, .. }
            | Self::Version { at, .. }
            | Self::Cycle { at, .. }
            | Self::Value { at, .. }
            | Self::TooOld { at, .. } => *at,
        }
    }
}
