use super::{Family, Packet, Region, Set};

/// Names of the user for sets, used where one fits exactly.
pub trait Naming {
    /// The name of a set of addresses.
    fn network(&self, family: Family, set: &Set) -> Option<&str>;
    /// The name of a set of ports of one protocol.
    fn service(&self, protocol: u8, ports: &Set) -> Option<&str>;
}

/// No names: every set is written out.
#[derive(Debug, Clone, Copy)]
pub struct NoNames;

impl Naming for NoNames {
    fn network(&self, _: Family, _: &Set) -> Option<&str> {
        None
    }
    fn service(&self, _: u8, _: &Set) -> Option<&str> {
        None
    }
}

/// A text that is not a flow or a packet. Its writer's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FlowError {
    /// What is wrong.
    pub message: String,
}

/// A packet in the notation of flows.
#[must_use]
pub fn show_packet(packet: &Packet) -> String {
    format!("{packet:?}")
}

/// A region in the notation of flows.
#[must_use]
pub fn show_region(region: &Region, _names: &dyn Naming) -> String {
    format!("{region:?}")
}
