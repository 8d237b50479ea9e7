//! Packets that flow all the time, to see whether there is a moment without rules, or with none that let them pass.

use crate::world::{run, tool};
use std::io::{Read as _, Write as _};
use std::net::UdpSocket;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where packets are sent to.
const HERE: &str = "10.9.0.1";
/// A port that every ruleset lets in, and one that none does.
const PORTS: [u16; 2] = [7000, 7001];

/// How fast they flow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// To both ports, slowly enough that each is received that passes.
    Steady,
    /// As many as can be sent, to the port that nothing lets in.
    Flood,
}

/// A sender in a namespace of its own, and what comes of what it sends.
pub(crate) struct Stream {
    sender: Child,
    received: [Arc<AtomicU64>; 2],
    stop: Arc<AtomicBool>,
    receivers: Vec<JoinHandle<()>>,
}

/// What came of it.
pub(crate) struct Flowed {
    pub(crate) sent: u64,
    /// Of those that have to pass.
    pub(crate) lost: u64,
    /// Of those that must not.
    pub(crate) leaked: u64,
}

impl Stream {
    pub(crate) fn start(pace: Pace) -> Result<Self, String> {
        let me = std::env::current_exe().map_err(|why| why.to_string())?;
        let mut sender = tool("unshare")
            .args(["--net", "--"])
            .arg(me)
            .arg(if pace == Pace::Steady { "--stream" } else { "--flood" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| why.to_string())?;
        let mut byte = [0];
        let ready = sender.stdout.as_mut().ok_or("no output")?.read_exact(&mut byte);
        ready.map_err(|why| why.to_string())?;
        let there = format!("--net=/proc/{}/ns/net", sender.id());
        let peer = sender.id().to_string();
        run("ip", &["link", "add", "h0", "type", "veth", "peer", "name", "p0", "netns", &peer], "")?;
        run("ip", &["addr", "add", "10.9.0.1/24", "dev", "h0"], "")?;
        run("ip", &["link", "set", "h0", "up"], "")?;
        run("nsenter", &[&there, "ip", "addr", "add", "10.9.0.2/24", "dev", "p0"], "")?;
        run("nsenter", &[&there, "ip", "link", "set", "p0", "up"], "")?;
        let stop = Arc::new(AtomicBool::new(false));
        let received = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))];
        let mut receivers = Vec::new();
        for (port, count) in PORTS.into_iter().zip(&received) {
            let socket = UdpSocket::bind((HERE, port)).map_err(|why| why.to_string())?;
            socket.set_read_timeout(Some(Duration::from_millis(100))).map_err(|why| why.to_string())?;
            let (count, stop) = (Arc::clone(count), Arc::clone(&stop));
            receivers.push(std::thread::spawn(move || {
                let mut packet = [0; 64];
                while !stop.load(Ordering::Relaxed) {
                    if socket.recv(&mut packet).is_ok() {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }));
        }
        sender.stdin.as_mut().ok_or("no input")?.write_all(&[1]).map_err(|why| why.to_string())?;
        Ok(Self { sender, received, stop, receivers })
    }

    pub(crate) fn end(mut self) -> Result<Flowed, String> {
        drop(self.sender.stdin.take());
        let mut said = String::new();
        let read = self.sender.stdout.as_mut().ok_or("no output")?.read_to_string(&mut said);
        read.map_err(|why| why.to_string())?;
        std::thread::sleep(Duration::from_millis(300));
        self.stop.store(true, Ordering::Relaxed);
        for receiver in self.receivers {
            receiver.join().map_err(|_| "a receiver panicked")?;
        }
        self.sender.wait().map_err(|why| why.to_string())?;
        let sent: u64 = said.trim().parse().map_err(|why| format!("{said}: {why}"))?;
        let [passed, leaked] = self.received.map(|count| count.load(Ordering::Relaxed));
        Ok(Flowed { sent, lost: sent.saturating_sub(passed), leaked })
    }
}

/// What the sender does: it sends until its input ends, and says how often.
pub(crate) fn send(pace: Pace) -> Result<(), String> {
    let text = |why: std::io::Error| why.to_string();
    std::io::stdout().write_all(&[1]).and_then(|()| std::io::stdout().flush()).map_err(text)?;
    std::io::stdin().read_exact(&mut [0]).map_err(text)?;
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    std::thread::spawn(move || {
        // Whatever it reads, it is the end.
        drop(std::io::stdin().read(&mut [0]));
        end.store(true, Ordering::Relaxed);
    });
    let socket = UdpSocket::bind(("10.9.0.2", 0)).map_err(text)?;
    let mut sent: u64 = 0;
    while !ended.load(Ordering::Relaxed) {
        let ports = if pace == Pace::Steady { &PORTS[..] } else { &PORTS[1..] };
        for port in ports {
            socket.send_to(b"x", (HERE, *port)).map_err(text)?;
        }
        sent += 1;
        if pace == Pace::Steady {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    std::io::stdout().write_all(format!("{sent}\n").as_bytes()).map_err(text)
}
