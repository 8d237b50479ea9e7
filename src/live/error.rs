use miette::Diagnostic;
use thiserror::Error;

/// Why it is not known what is in force. Nobody may go on as if nothing were.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum NotRead {
    /// The caller names what there is not.
    #[error("`{text}` is nothing that can be read of a host")]
    #[diagnostic(code(portcullis::live::target))]
    Target {
        /// What was asked for.
        text: String,
        /// What there is.
        #[help]
        help: String,
    },
    /// The host lacks a program.
    #[error("there is no `{tool}` in {folders}")]
    #[diagnostic(code(portcullis::live::no_tool))]
    NoTool {
        /// The program.
        tool: String,
        /// Where it was looked for.
        folders: String,
        /// What to do.
        #[help]
        help: String,
    },
    /// Somebody other than root can replace a program, or has.
    #[error("`{tool}` is not trusted: {why}")]
    #[diagnostic(
        code(portcullis::live::untrusted),
        help("whoever can replace it can make it answer anything; install it anew from the distribution's package")
    )]
    Untrusted {
        /// The program.
        tool: String,
        /// Why.
        why: String,
    },
    /// The caller may not see what is in force.
    #[error("`{tool}` may not read what is in force: {says}")]
    #[diagnostic(
        code(portcullis::live::not_permitted),
        help("run it as root (CAP_NET_ADMIN in the host's own namespaces)")
    )]
    NotPermitted {
        /// The program.
        tool: String,
        /// What it says.
        says: String,
    },
    /// A program failed.
    #[error("`{tool}` failed ({code}): {says}")]
    #[diagnostic(
        code(portcullis::live::failed),
        help("run it by hand as root and see; until it answers nothing is known")
    )]
    Failed {
        /// The program with its arguments.
        tool: String,
        /// How it ended.
        code: String,
        /// What it says.
        says: String,
    },
    /// Nobody is there to be asked.
    #[error("nobody answers at `{path}`: {why}")]
    #[diagnostic(
        code(portcullis::live::no_answer),
        help("HAProxy has to run, with `stats socket PATH mode 600 level admin` in its section `global`")
    )]
    NoAnswer {
        /// The socket.
        path: String,
        /// Why not.
        why: String,
    },
    /// A program does not come to an end.
    #[error("`{tool}` has not answered within {seconds} seconds")]
    #[diagnostic(code(portcullis::live::timed_out), help("run it by hand as root and see what it waits for"))]
    TimedOut {
        /// The program with its arguments.
        tool: String,
        /// How long it had.
        seconds: u64,
    },
    /// A program says more than can be read.
    #[error("`{tool}` answers more than {limit} bytes")]
    #[diagnostic(code(portcullis::live::too_much), help("nothing is known of a ruleset of that size"))]
    TooMuch {
        /// The program with its arguments.
        tool: String,
        /// How much is read.
        limit: u64,
    },
    /// What a program prints does not say all that is in force.
    #[error("`{tool}` cannot show all that is in force: {says}")]
    #[diagnostic(code(portcullis::live::incomplete), help("verify with `--live live:nft`, which shows all tables"))]
    Incomplete {
        /// The program.
        tool: String,
        /// What it says.
        says: String,
    },
    /// The caller runs it where the host's rules are not.
    #[error("this is not the host's network namespace: it is {own}, and that of process 1 is {host}")]
    #[diagnostic(
        code(portcullis::live::other_namespace),
        help(
            "run it on the host itself; if the rules of another namespace are meant, name it: --netns /proc/self/ns/net, or a name that `ip netns` lists"
        )
    )]
    OtherNamespace {
        /// The one of this process.
        own: String,
        /// The one of the host.
        host: String,
    },
    /// It cannot be found out whose rules would be read.
    #[error("it cannot be told whether this is the host's network namespace: {why}")]
    #[diagnostic(
        code(portcullis::live::unknown_namespace),
        help(
            "run it as root on the host itself; in a container or namespace whose own rules are meant, name it: --netns /proc/self/ns/net"
        )
    )]
    UnknownNamespace {
        /// What the system says.
        why: String,
    },
}
