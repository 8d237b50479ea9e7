//! The host under test: a network namespace with interfaces that lead to a second one, from which packets come.
//!
//! Each interface is one end of a veth pair; the other end is in the senders' namespace. None asks for neighbours,
//! and routes do not look at addresses, so that any address is forwarded. The class byte of a packet (TOS,
//! traffic class), at which no modelled rule looks, chooses the way: class `4 * (n + 1)` leaves by interface
//! `n`, the class after the last is delivered to the host itself.

use crate::observe::{self, Sightings, Watching};
use crate::probe::{Probe, Way};
use portcullis::net::Family;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// How many interfaces a world has besides `lo`.
pub(crate) const INTERFACES: usize = 6;

/// Names that interfaces are given.
pub(crate) const NAMES: [&str; 16] = [
    "eth0", "eth1", "eth10", "eth1.110", "br-lan", "wan", "wan6", "tun0", "tun1", "wg0", "ppp0", "lan", "vif1.0",
    "docker0", "e", "enp3s0f1",
];

/// Stands for the host itself where an output interface is expected.
const HOST: usize = INTERFACES;

/// Which implementation loads the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Nft,
    Legacy,
}

/// The tables with their base chains.
pub(crate) const TABLES: [(&str, &[&str]); 5] = [
    ("raw", &["PREROUTING", "OUTPUT"]),
    ("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]),
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
    ("security", &["INPUT", "FORWARD", "OUTPUT"]),
    ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
];

pub(crate) struct World {
    pub(crate) names: Vec<String>,
    /// By the interface they send by, the last to the host itself: the route of a packet that is made here is
    /// chosen by the class of its socket.
    own: Vec<Sockets>,
    sender: Child,
    to_sender: Option<ChildStdin>,
    /// Tables of the legacy backend that may hold rules.
    legacy: BTreeSet<(Family, String)>,
    from_sender: ChildStdout,
    /// Interfaces that are there only to be named.
    bridges: Vec<String>,
}

impl World {
    /// Builds it in the present network namespace, which must be a fresh one.
    pub(crate) fn new() -> Result<Self, String> {
        let me = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut sender = tool("unshare")
            .args(["--net", "--"])
            .arg(me)
            .arg("--send")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let to_sender = sender.stdin.take();
        let mut from_sender = sender.stdout.take().ok_or("the sender has no output")?;
        await_byte(&mut from_sender)?;
        let names: Vec<_> = (0..INTERFACES).map(|n| format!("k{n}")).collect();
        let own = (0..=INTERFACES).map(|n| Sockets::open(None, class_of(n))).collect::<Result<_, _>>()?;
        let mut world =
            Self { names, own, sender, to_sender, legacy: BTreeSet::new(), from_sender, bridges: Vec::new() };
        world.build()?;
        Ok(world)
    }

    fn build(&mut self) -> Result<(), String> {
        for key in ["ip_forward", "conf/all/accept_local", "conf/default/accept_local"] {
            set_kernel(&format!("ipv4/{key}"), "1")?;
        }
        for key in ["conf/all/rp_filter", "conf/default/rp_filter", "conf/all/send_redirects"] {
            set_kernel(&format!("ipv4/{key}"), "0")?;
        }
        set_kernel("ipv6/conf/all/forwarding", "1")?;
        set_kernel("ipv6/conf/default/addr_gen_mode", "1")?;
        let peer = self.sender.id();
        let mut script = "link set lo up\naddr add 198.18.255.1/32 dev lo\n".to_owned();
        script += "-6 addr add 2001:db8:ffff:ff::1/128 dev lo nodad\n";
        for (n, name) in self.names.iter().enumerate() {
            // Both ends have one hardware address: without neighbours a packet is sent to one's own.
            let mac = format!("02:00:00:00:00:{n:02x}");
            script += &format!(
                "link add {name} address {mac} type veth peer name {name} address {mac} netns {peer}\n\
                 link set {name} arp off\n"
            );
        }
        for n in 0..=self.names.len() {
            let (class, table) = (4 * (n + 1), 100 + n);
            script += &format!("rule add pref {table} tos {class:#04x} lookup {table}\n");
            script += &format!("-6 rule add pref {table} tos {class:#04x} lookup {table}\n");
        }
        // The table of local addresses would be asked first and knows 127.0.0.0/8.
        script += "rule add pref 1000 lookup local\nrule del pref 0\n";
        script += "-6 rule add pref 1000 lookup local\n-6 rule del pref 0\n";
        let local = 100 + self.names.len();
        script += &format!("route add local default dev lo table {local}\n");
        script += &format!("-6 route add local default dev lo table {local}\n");
        ip(&script)?;
        self.tell(&[0])?;
        self.raise()
    }

    /// Gives the interfaces other names.
    pub(crate) fn rename(&mut self, names: &[String]) -> Result<(), String> {
        if self.names == names {
            return Ok(());
        }
        let mut script = String::new();
        for (n, name) in self.names.iter().enumerate() {
            script += &format!("link set {name} down\nlink set {name} name tmp{n}\n");
        }
        for (n, name) in names.iter().enumerate() {
            script += &format!("link set tmp{n} name {name}\n");
        }
        ip(&script)?;
        self.names = names.to_vec();
        self.raise()
    }

    /// Makes an interface by which no packet comes.
    pub(crate) fn add_bridge(&mut self, name: &str) -> Result<(), String> {
        if !self.bridges.iter().any(|bridge| bridge == name) {
            ip(&format!("link add name {name} type bridge\n"))?;
            self.bridges.push(name.to_owned());
        }
        Ok(())
    }

    pub(crate) fn remove_bridges(&mut self) -> Result<(), String> {
        let script: String = self.bridges.drain(..).map(|name| format!("link del dev {name}\n")).collect();
        if script.is_empty() { Ok(()) } else { ip(&script) }
    }

    fn raise(&self) -> Result<(), String> {
        let mut script = String::new();
        for (n, name) in self.names.iter().enumerate() {
            let table = 100 + n;
            // Masquerading and redirecting need an address to give.
            script += &format!(
                "link set {name} up\n\
                 addr replace 198.18.{n}.1/32 dev {name}\n\
                 -6 addr replace 2001:db8:ffff:{n}::1/128 dev {name} nodad\n\
                 route replace default dev {name} table {table}\n\
                 -6 route replace default dev {name} table {table}\n"
            );
        }
        ip(&script)
    }

    /// Removes every rule of either backend and begins to watch.
    pub(crate) fn reset(&mut self, family: Family, tracking: bool) -> Result<(), String> {
        self.clear_legacy()?;
        let script = observe::script(family, tracking, Watching::Iptables);
        run("nft", &["-f", "-"], &format!("flush ruleset\n{script}")).map(drop)
    }

    /// Watches both families beside the nftables rules that are loaded already.
    pub(crate) fn watch(&mut self, tracking: bool) -> Result<(), String> {
        let [ipv4, ipv6] = Family::ALL.map(|family| observe::script(family, tracking, Watching::Nftables));
        run("nft", &["-f", "-"], &format!("{ipv4}{ipv6}")).map(drop)
    }

    /// Loads nftables rules; the error is what `nft` says.
    pub(crate) fn load(&mut self, rules: &str) -> Result<(), String> {
        run("nft", &["-f", "-"], rules).map(drop)
    }

    /// Loads rules as `iptables-restore` does; the error is what it says.
    pub(crate) fn restore(&mut self, family: Family, backend: Backend, rules: &str) -> Result<(), String> {
        if backend == Backend::Legacy {
            // Even what is refused may be loaded in part.
            self.legacy
                .extend(rules.lines().filter_map(|line| Some((family, line.strip_prefix('*')?.trim().to_owned()))));
        }
        run(restore_command(family, backend), &["-w"], rules).map(drop)
    }

    /// Whether `iptables-restore --test` takes the rules. The kernel itself is not asked, which would refuse
    /// some that this takes.
    pub(crate) fn is_plausible(family: Family, rules: &str) -> bool {
        run(restore_command(family, Backend::Legacy), &["--test"], rules).is_ok()
    }

    /// Removes every rule of either backend.
    pub(crate) fn clear(&mut self) -> Result<(), String> {
        self.clear_legacy()?;
        run("nft", &["flush", "ruleset"], "").map(drop)
    }

    fn clear_legacy(&mut self) -> Result<(), String> {
        for (family, table) in std::mem::take(&mut self.legacy) {
            let Some((_, chains)) = TABLES.iter().find(|(name, _)| *name == table) else { continue };
            let policies: String = chains.iter().map(|chain| format!(":{chain} ACCEPT\n")).collect();
            let empty = format!("*{table}\n{policies}COMMIT\n");
            run(restore_command(family, Backend::Legacy), &["-w"], &empty)?;
        }
        Ok(())
    }

    /// Sends the packets in order; the first has the id `first`.
    pub(crate) fn send(&mut self, probes: &[Probe], first: u16) -> Result<(), String> {
        let mut frames = Vec::new();
        for (probe, id) in probes.iter().zip(first..) {
            match probe.way {
                Way::Forward { input, output } => frame(&mut frames, input, probe, id, output),
                Way::Input { input } => frame(&mut frames, input, probe, id, HOST),
                Way::Output { output } => self.send_own(&mut frames, probe, id, output)?,
                Way::Loop => self.send_own(&mut frames, probe, id, HOST)?,
            }
        }
        self.flush(&mut frames)?;
        // Receiving goes on for a moment after sending returns.
        std::thread::sleep(Duration::from_millis(3));
        Ok(())
    }

    /// Whether `nft` would load the rules; they are not loaded.
    pub(crate) fn would_load(&mut self, rules: &str) -> Result<(), String> {
        run("nft", &["-c", "-f", "-"], rules).map(drop)
    }

    /// The rules that are loaded, as text or as JSON.
    pub(crate) fn listing(&self, json: bool) -> Result<String, String> {
        run("nft", if json { &["-j", "list", "ruleset"] } else { &["list", "ruleset"] }, "")
    }

    /// Where the packets of those families came since they are watched.
    pub(crate) fn sightings(&self, families: &[Family]) -> Result<Sightings, String> {
        let mut out = Sightings::default();
        for family in families {
            out.take(&run("nft", &["-j", "list", "table", observe::table(*family), observe::NAME], "")?)?;
        }
        Ok(out)
    }

    /// Sends a packet from here, after those that were to be sent before it.
    fn send_own(&mut self, frames: &mut Vec<u8>, probe: &Probe, id: u16, output: usize) -> Result<(), String> {
        self.flush(frames)?;
        let sockets = self.own.get(output).ok_or("no such interface")?;
        sockets.send(probe.family, probe.destination, &probe.bytes(id, class_of(output)));
        Ok(())
    }

    fn flush(&mut self, frames: &mut Vec<u8>) -> Result<(), String> {
        if frames.is_empty() {
            return Ok(());
        }
        let sent = std::mem::take(frames);
        self.tell(&sent)
    }

    /// Hands frames to the sender and waits until they are sent.
    fn tell(&mut self, frames: &[u8]) -> Result<(), String> {
        let to = self.to_sender.as_mut().ok_or("the sender has no input")?;
        let length = u32::try_from(frames.len()).map_err(|error| error.to_string())?;
        let written = to.write_all(&length.to_be_bytes()).and_then(|()| to.write_all(frames)).and_then(|()| to.flush());
        written.map_err(|error| format!("the sender: {error}"))?;
        await_byte(&mut self.from_sender)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Its end of input ends the sender.
        self.to_sender = None;
        if let Err(error) = self.sender.wait() {
            eprintln!("the sender: {error}");
        }
    }
}

const fn restore_command(family: Family, backend: Backend) -> &'static str {
    match (family, backend) {
        (Family::Ipv4, Backend::Nft) => "iptables-nft-restore",
        (Family::Ipv6, Backend::Nft) => "ip6tables-nft-restore",
        (Family::Ipv4, Backend::Legacy) => "iptables-legacy-restore",
        (Family::Ipv6, Backend::Legacy) => "ip6tables-legacy-restore",
    }
}

fn class_of(output: usize) -> u8 {
    u8::try_from(4 * (output + 1)).expect("there are few interfaces")
}

fn frame(frames: &mut Vec<u8>, interface: usize, probe: &Probe, id: u16, output: usize) {
    let bytes = probe.bytes(id, class_of(output));
    let narrow = |n: usize| u16::try_from(n).expect("probes are short, interfaces few").to_be_bytes();
    frames.extend(narrow(interface));
    frames.extend(narrow(bytes.len()));
    frames.extend(bytes);
}

/// Raw sockets of both families that take whole packets.
struct Sockets {
    ipv4: Socket,
    ipv6: Socket,
}

impl Sockets {
    fn open(device: Option<&str>, class: u8) -> Result<Self, String> {
        let open = |domain| -> std::io::Result<Socket> {
            let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(255)))?;
            if domain == Domain::IPV4 {
                socket.set_header_included_v4(true)?;
                socket.set_broadcast(true)?;
                socket.set_tos_v4(class.into())?;
            } else {
                socket.set_header_included_v6(true)?;
                socket.set_tclass_v6(class.into())?;
            }
            socket.bind_device(device.map(str::as_bytes))?;
            Ok(socket)
        };
        let ipv4 = open(Domain::IPV4).map_err(|error| format!("raw socket: {error}"))?;
        let ipv6 = open(Domain::IPV6).map_err(|error| format!("raw socket: {error}"))?;
        Ok(Self { ipv4, ipv6 })
    }

    /// Sends a packet. One that the kernel does not want to send is simply not seen later.
    fn send(&self, family: Family, destination: u128, bytes: &[u8]) {
        let (socket, address): (_, SockAddr) = match family {
            Family::Ipv4 => {
                let address = Ipv4Addr::from(u32::try_from(destination).unwrap_or(u32::MAX));
                (&self.ipv4, SocketAddr::from((address, 0)).into())
            }
            Family::Ipv6 => (&self.ipv6, SocketAddr::from((Ipv6Addr::from(destination), 0)).into()),
        };
        drop(socket.send_to(bytes, &address));
    }
}

/// The other end: reads frames from standard input and sends each by its interface, until the input ends.
pub(crate) fn send_frames() -> Result<(), String> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut done = || output.write_all(&[1]).and_then(|()| output.flush()).map_err(|error| error.to_string());
    done()?;
    let mut sockets = Vec::new();
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let size = usize::try_from(u32::from_be_bytes(length)).map_err(|error| error.to_string())?;
        let mut frames = vec![0; size];
        input.read_exact(&mut frames).map_err(|error| error.to_string())?;
        if frames == [0] {
            sockets = raise_peers()?;
        } else {
            send_each(&sockets, &frames)?;
        }
        done()?;
    }
    Ok(())
}

fn raise_peers() -> Result<Vec<Sockets>, String> {
    set_kernel("ipv6/conf/all/forwarding", "0")?;
    let mut script = "link set lo up\nrule add pref 1000 lookup local\nrule del pref 0\n\
        -6 rule add pref 1000 lookup local\n-6 rule del pref 0\n"
        .to_owned();
    let mut sockets = Vec::new();
    for n in 0..INTERFACES {
        let (name, metric) = (format!("k{n}"), n + 1);
        set_kernel(&format!("ipv6/conf/{name}/addr_gen_mode"), "1")?;
        script += &format!(
            "link set {name} arp off up\n\
             route add default dev {name} metric {metric}\n\
             -6 route add default dev {name} metric {metric}\n\
             -6 route add multicast ff00::/8 dev {name} table main metric {metric}\n"
        );
    }
    ip(&script)?;
    for n in 0..INTERFACES {
        sockets.push(Sockets::open(Some(&format!("k{n}")), 0)?);
    }
    Ok(sockets)
}

fn send_each(sockets: &[Sockets], mut frames: &[u8]) -> Result<(), String> {
    let mut sent = 0;
    while let Some((head, rest)) = frames.split_first_chunk::<4>() {
        let [a, b, c, d] = *head;
        let (interface, length) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let (packet, rest) = rest.split_at_checked(length.into()).ok_or("a frame is cut off")?;
        frames = rest;
        let sockets = sockets.get(usize::from(interface)).ok_or("no such interface")?;
        let (family, destination) = match packet {
            [0x45, ..] => (Family::Ipv4, packet.get(16..20)),
            _ => (Family::Ipv6, packet.get(24..40)),
        };
        let destination =
            destination.ok_or("a packet is cut off")?.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte));
        sockets.send(family, destination, packet);
        sent += 1;
        if sent % 200 == 0 {
            // The receiving queue holds 1000 packets.
            std::thread::sleep(Duration::from_micros(300));
        }
    }
    Ok(())
}

fn await_byte(from: &mut ChildStdout) -> Result<(), String> {
    from.read_exact(&mut [0]).map_err(|error| format!("the sender: {error}"))
}

/// Runs the lines as `ip` commands, then those that begin with `-6` as `ip -6` commands.
fn ip(script: &str) -> Result<(), String> {
    let (ipv6, rest): (Vec<_>, Vec<_>) = script.lines().partition(|line| line.starts_with("-6 "));
    run("ip", &["-batch", "-"], &rest.join("\n"))?;
    run("ip", &["-6", "-batch", "-"], &ipv6.join("\n").replace("-6 ", "")).map(drop)
}

fn set_kernel(key: &str, value: &str) -> Result<(), String> {
    let path = Path::new("/proc/sys/net").join(key);
    std::fs::write(&path, value).map_err(|error| format!("{}: {error}", path.display()))
}

/// A command, also one of those that only root has in its path. It knows nothing else of where the tests run: not whether
/// they are a job.
pub(crate) fn tool(command: &str) -> Command {
    let mut tool = Command::new(command);
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    tool.env_clear().env("PATH", path);
    tool
}

/// Runs a command with that input; its output, or what it says when it fails.
pub(crate) fn run(command: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = tool(command)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{command}: {error}"))?;
    let mut stdin = child.stdin.take().ok_or("no input")?;
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(|error| format!("{command}: {error}"))?;
    // A command that ends early leaves its input unread; its exit code says the rest.
    drop(writer.join());
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{command}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}
