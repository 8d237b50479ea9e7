//! The connection by which somebody is logged in.

use crate::live::process::Status;

/// Programs of which each connection has a process: of OpenSSH before and since 9.8, and of Dropbear.
const SERVERS: [&str; 3] = ["sshd", "sshd-session", "dropbear"];

/// The connection from which this process was started: the nearest server among those that it was started by, with the moment at
/// which that was started itself. Sessions that share a connection (`ControlMaster`) share the process. `None`: no server is
/// among them, as at a console, or below a terminal multiplexer.
pub fn connection() -> Option<String> {
    let mut pid = std::process::id();
    while pid > 0 {
        let Status { name, parent, started } = Status::read(pid).ok()?;
        if SERVERS.contains(&name.as_str()) {
            return Some(format!("{name} {pid} {started}"));
        }
        pid = parent;
    }
    None
}
