//! Names that IANA and the kernel's tools give to numbers.

/// The number of a protocol name (`/etc/protocols`, IANA): `tcp`, `udp`, `icmp`, `ipv6-icmp`, …
#[must_use]
pub fn protocol_number(_name: &str) -> Option<u8> {
    None
}

/// The usual name of a protocol number.
#[must_use]
pub fn protocol_name(_number: u8) -> Option<&'static str> {
    None
}

/// The port of a service name, where it is registered for that protocol.
#[must_use]
pub fn service_port(_name: &str, _protocol: u8) -> Option<u16> {
    None
}

/// The ICMP (protocol 1) or ICMPv6 (58) type, and the code if the name fixes one.
#[must_use]
pub fn icmp_type(_protocol: u8, _name: &str) -> Option<(u8, Option<u8>)> {
    None
}
