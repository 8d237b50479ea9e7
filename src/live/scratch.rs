//! A network namespace of its own, with nothing in force: what files would do at boot is seen there, and nowhere else.

use super::error::NotRead;
use super::host::{Host, Target};
use super::tool::{self, Around};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

/// How long a namespace may take to be made.
const LIMIT: Duration = Duration::from_secs(10);

/// A namespace; it is gone when this is.
pub struct Scratch {
    child: Child,
    host: Host,
}

impl Scratch {
    /// A new one.
    ///
    /// # Errors
    /// It may not be made, or what makes it is not there.
    pub fn new() -> Result<Self, NotRead> {
        let unshare = tool::find("unshare", "install util-linux")?;
        let sleep = tool::find("sleep", "it is part of every system")?;
        // It ends by itself, should this process be killed before it can end it.
        let mut child = tool::spawn(&unshare, &["--net", "--", &sleep.display().to_string(), "300"])?;
        let place = PathBuf::from(format!("/proc/{}/ns/net", child.id()));
        let until = Instant::now() + LIMIT;
        loop {
            if let Ok(host) = Host::here(Some(&place))
                && host.is_elsewhere()
            {
                return Ok(Self { child, host });
            }
            let ended = child.try_wait().is_ok_and(|status| status.is_some());
            if ended || Instant::now() > until {
                // It may have ended meanwhile.
                drop(child.kill());
                drop(child.wait());
                let says = "no network namespace can be made".to_owned();
                return Err(NotRead::NotPermitted { tool: "unshare --net".to_owned(), says });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// One that has the interfaces of a host as well, as far as texts name them: a rule for one that is not there does
    /// not load.
    ///
    /// # Errors
    /// As for [`Scratch::new`], or the interfaces cannot be listed or made.
    pub fn like(host: &Host, texts: &[&[u8]]) -> Result<Self, NotRead> {
        let scratch = Self::new()?;
        let named = |name: &str| texts.iter().any(|text| memchr::memmem::find(text, name.as_bytes()).is_some());
        for (name, number) in host.interfaces()? {
            if name != "lo" && named(&name) {
                let number = number.to_string();
                // It only has to have a name and a number; kernels lack some kinds.
                let link = |kind| ["link", "add", "name", &name, "index", &number, "type", kind];
                let add = |kind| scratch.host.change("ip", &link(kind), Around::default());
                let mut added = add("dummy");
                for kind in ["bridge", "veth"] {
                    added = added.or_else(|_| add(kind));
                }
                added?;
            }
        }
        Ok(scratch)
    }

    /// Where it can be looked at.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Runs a script of `sh` there; what it prints.
    ///
    /// # Errors
    /// It fails.
    pub fn run(&self, script: &str) -> Result<String, NotRead> {
        let printed = self.host.answer("sh", &["-c", script], "it is part of every system")?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// Loads the files that a target keeps below `root`, as its unit does at boot.
    ///
    /// # Errors
    /// They do not load.
    pub fn load(&self, target: Target, root: &Path) -> Result<(), NotRead> {
        for (program, arguments, file) in target.kept() {
            let path = root.join(file);
            if path.symlink_metadata().is_err() {
                continue;
            }
            let path = path.display().to_string();
            self.host.change(program, &[arguments, &[path.as_str()][..]].concat(), Around::default())?;
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It ends by itself otherwise.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
