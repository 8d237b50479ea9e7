use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Says on a terminal what takes long, from the second second on, and wipes it away at the end.
pub(super) struct Progress(Option<(Sender<&'static str>, JoinHandle<()>)>);

impl Progress {
    pub(super) fn new(shown: bool) -> Self {
        Self(shown.then(|| {
            let (sender, stages) = channel();
            let thread = std::thread::spawn(move || {
                let (mut stage, mut seconds) = ("reading", 0);
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

    pub(super) fn stage(&self, stage: &'static str) {
        if let Some((sender, _)) = &self.0 {
            // The thread only ends when the sender does.
            let _ = sender.send(stage);
        }
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
