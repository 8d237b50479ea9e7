use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Says on a terminal what takes long, from the second second on, and wipes it away at the end.
pub(super) struct Progress(Option<(Sender<String>, JoinHandle<()>)>);

impl Progress {
    pub(super) fn new(shown: bool) -> Self {
        Self(shown.then(|| {
            let (sender, stages) = channel();
            let thread = std::thread::spawn(move || {
                let (mut stage, mut seconds) = ("reading".to_owned(), 0);
                let mut stderr = std::io::stderr();
                loop {
                    match stages.recv_timeout(Duration::from_secs(1)) {
                        Ok(next) => stage = next,
                        Err(RecvTimeoutError::Timeout) => {
                            seconds += 1;
                            drop(write!(stderr, "\r\x1b[2K{stage} … {seconds} s").and_then(|()| stderr.flush()));
                        }
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                }
                if seconds > 0 {
                    drop(write!(stderr, "\r\x1b[2K").and_then(|()| stderr.flush()));
                }
            });
            (sender, thread)
        }))
    }

    pub(super) fn stage(&self, stage: &str) {
        if let Some((sender, _)) = &self.0 {
            // The thread only ends when the sender does.
            let _ = sender.send(stage.to_owned());
        }
    }

    /// A stage of which it is known how far it has come.
    pub(super) fn step(&self, stage: &str, done: usize, all: usize) {
        const WIDTH: usize = 20;
        let full = (done * WIDTH).checked_div(all).unwrap_or(WIDTH).min(WIDTH);
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH - full));
        self.stage(&format!("{stage} [{bar}] {done} of {all}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            drop(thread.join());
        }
    }
}
