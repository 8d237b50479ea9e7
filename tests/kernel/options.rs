//! The command line, and how the work is shared among processes.

use crate::corpus;
use crate::lines;
use crate::nft;
use crate::stream::Pace;

/// What can be asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Random rulesets.
    Generated,
    /// Real rulesets.
    Corpus,
    /// Damaged rulesets.
    Acceptance,
    /// Single lines, and what becomes of them in a listing.
    Lines,
    /// Random rulesets of nftables.
    NftGenerated,
    /// Real rulesets of nftables, their listings, and damaged ones that load.
    NftCorpus,
    /// Damaged rulesets of nftables.
    NftAcceptance,
    /// The rules of nftables' own tests.
    NftLines,
    /// What `verify` sees of a kernel.
    Verify,
    /// What `apply` leaves behind.
    Apply,
}

impl Part {
    const ALL: [Self; 10] = [
        // What takes longest comes first.
        Self::Apply,
        Self::Generated,
        Self::Corpus,
        Self::Acceptance,
        Self::Lines,
        Self::NftGenerated,
        Self::NftCorpus,
        Self::NftAcceptance,
        Self::NftLines,
        Self::Verify,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Corpus => "corpus",
            Self::Acceptance => "acceptance",
            Self::Lines => "lines",
            Self::NftGenerated => "nft-generated",
            Self::NftCorpus => "nft-corpus",
            Self::NftAcceptance => "nft-acceptance",
            Self::NftLines => "nft-lines",
            Self::Verify => "verify",
            Self::Apply => "apply",
        }
    }

    /// The folder of real files that it needs, if it needs one.
    pub(crate) const fn needs(self) -> Option<&'static str> {
        match self {
            Self::Corpus => Some("iptables-save"),
            Self::NftCorpus => Some("nftables"),
            Self::NftLines => Some("nftables-t"),
            Self::Generated
            | Self::Acceptance
            | Self::Lines
            | Self::NftGenerated
            | Self::NftAcceptance
            | Self::Verify
            | Self::Apply => None,
        }
    }

    /// The format it is about.
    pub(crate) const fn format(self) -> &'static str {
        match self {
            Self::Generated | Self::Corpus | Self::Acceptance | Self::Lines => "iptables-save",
            Self::NftGenerated
            | Self::NftCorpus
            | Self::NftAcceptance
            | Self::NftLines
            | Self::Verify
            | Self::Apply => "nftables",
        }
    }
}

/// What this process is.
pub(crate) enum Role {
    /// The one that was started.
    Whole(Options),
    /// A share of the work, in a namespace of its own.
    Inside(Share),
    /// The other end of the interfaces.
    Send,
    /// It sends packets all the time, at that pace.
    Stream(Pace),
    /// `--list`, which test runners ask for.
    List,
}

pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) parts: Vec<Part>,
    runs: Option<u64>,
    long: bool,
}

/// The runs of one part from `first` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) part: Part,
    pub(crate) seed: u64,
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// How many runs all shares have together.
    pub(crate) shares: u64,
    pub(crate) long: bool,
}

/// Reads the arguments; those of the usual test harness that make no difference here are taken too.
pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Role, String> {
    let mut arguments = arguments.peekable();
    if arguments.peek().is_some_and(|first| first == "--send") {
        return Ok(Role::Send);
    }
    if arguments.peek().is_some_and(|first| first == "--stream") {
        return Ok(Role::Stream(Pace::Steady));
    }
    if arguments.peek().is_some_and(|first| first == "--flood") {
        return Ok(Role::Stream(Pace::Flood));
    }
    if arguments.next_if(|first| first == "--inside").is_some() {
        return read_share(arguments).map(Role::Inside);
    }
    let (mut seed, mut runs, mut long, mut filters) = (None, None, false, Vec::new());
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().ok_or_else(|| format!("{argument} needs a number"))?;
            value.parse::<u64>().map_err(|error| format!("{argument} {value}: {error}"))
        };
        match argument.as_str() {
            "--seed" => seed = Some(number()?),
            "--runs" => runs = Some(number()?),
            "--long" => long = true,
            "--list" => return Ok(Role::List),
            "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--exact" | "--show-output" => {}
            "--test-threads" | "--format" | "--color" | "--skip" => drop(arguments.next()),
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            _ => filters.push(argument),
        }
    }
    let wanted = |part: &Part| filters.is_empty() || filters.iter().any(|filter| part.name() == filter.as_str());
    let parts = Part::ALL.into_iter().filter(wanted).collect();
    let seed = seed.map_or_else(|| if long { now() } else { Ok(SEED) }, Ok)?;
    Ok(Role::Whole(Options { seed, parts, runs, long }))
}

/// Among how many shares the places are divided at which `apply` is killed.
const APPLY: u64 = 4;

/// The seed of a run that names none: a change is judged by what it does, not by the day. `--long` takes another
/// each time.
const SEED: u64 = 1_000;

fn now() -> Result<u64, String> {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(|error| error.to_string())?;
    // Seeds of runs count up from it.
    Ok(time.as_secs() * 1000)
}

fn read_share(mut arguments: impl Iterator<Item = String>) -> Result<Share, String> {
    let mut next = || arguments.next().ok_or("--inside: too few arguments");
    let (name, seed, first, count, shares, long) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let part = Part::ALL.into_iter().find(|part| part.name() == name).ok_or("--inside: no such part")?;
    let number = |text: String| text.parse().map_err(|error| format!("--inside {text}: {error}"));
    Ok(Share {
        part,
        seed: number(seed)?,
        first: number(first)?,
        count: number(count)?,
        shares: number(shares)?,
        long: long == "long",
    })
}

impl Share {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { part, seed, first, count, shares, long } = self;
        let long = if *long { "long" } else { "short" };
        ["--inside", part.name(), &seed.to_string(), &first.to_string(), &count.to_string(), &shares.to_string(), long]
            .map(str::to_owned)
            .to_vec()
    }
}

impl Options {
    /// The work of a part in shares small enough that connections do not pile up.
    pub(crate) fn shares(&self, part: Part) -> Result<Vec<Share>, String> {
        let (size, total) = match part {
            Part::Generated => (48, self.runs.unwrap_or(if self.long { 5_000 } else { 96 })),
            Part::Corpus => {
                let files = u64::try_from(corpus::files()?.len()).map_err(|error| error.to_string())?;
                (32, self.runs.map_or(files, |runs| runs.min(files)))
            }
            Part::Lines => (100, lines::count()?),
            Part::NftGenerated => (36, self.runs.unwrap_or(if self.long { 5_000 } else { 108 })),
            Part::NftCorpus => {
                let files = u64::try_from(nft::corpus::files("nftables")?.len()).map_err(|error| error.to_string())?;
                (32, self.runs.map_or(files, |runs| runs.min(files)))
            }
            Part::NftAcceptance => (250, self.runs.unwrap_or(if self.long { 50_000 } else { 375 })),
            Part::NftLines => (16, u64::try_from(nft::sheets()?).map_err(|error| error.to_string())?),
            Part::Apply => (1, self.runs.unwrap_or(APPLY)),
            Part::Verify => (1, self.runs.unwrap_or(if self.long { 40 } else { 2 })),
            Part::Acceptance => (1_000, self.runs.unwrap_or(if self.long { 50_000 } else { 600 })),
        };
        let share = |first: u64| Share {
            part,
            seed: self.seed,
            first,
            count: size.min(total - first),
            shares: total,
            long: self.long,
        };
        let step = usize::try_from(size).map_err(|error| error.to_string())?;
        Ok((0..total).step_by(step).map(share).collect())
    }
}
