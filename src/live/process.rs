//! What the kernel tells of a process.

/// A process, as `/proc/PID/stat` says it (proc_pid_stat(5)).
pub(super) struct Status {
    /// The name of its program; of a long one the beginning.
    pub(super) name: String,
    pub(super) parent: u32,
    /// When it was started, in clock ticks since the system was.
    pub(super) started: i64,
}

impl Status {
    /// The process of that number.
    ///
    /// # Errors
    /// There is none, or it is not said as it has to be; in a sentence.
    pub(super) fn read(pid: u32) -> Result<Self, String> {
        let path = format!("/proc/{pid}/stat");
        let stat = std::fs::read(&path).map_err(|why| format!("{path}: {why}"))?;
        Self::parse(&String::from_utf8_lossy(&stat)).ok_or(path)
    }

    fn parse(stat: &str) -> Option<Self> {
        // A name may hold anything, brackets among the rest.
        let (head, rest) = stat.rsplit_once(") ")?;
        let (_, name) = head.split_once('(')?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let (parent, started) = (fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?);
        Some(Self { name: name.to_owned(), parent, started })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_its_fields_whatever_its_name_is() {
        let own = Status::read(std::process::id()).expect("this process");
        assert!(own.parent > 0 && own.started > 0 && !own.name.is_empty());
        let odd =
            Status::parse("7 (a) b (c)) S 3 7 7 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 99 0 0").expect("a process");
        assert_eq!((odd.name.as_str(), odd.parent, odd.started), ("a) b (c)", 3, 99));
        assert!(Status::parse("7 (a) S 3").is_none() && Status::read(0).is_err());
    }
}
