//! Packets, requests and sets of them: the fields a filter can look at, exact sets of their values, and the
//! notation in which people write flows. Knows nothing of spans, rules or vendors.

mod address;
mod classes;
mod decimal;
mod field;
mod flow;
mod interface;
mod names;
mod packet;
mod path;
mod pattern;
mod ranges;
mod region;
mod request;
mod set;

pub use address::{blocks, format_address, format_addresses, parse_address, parse_addresses};
pub use classes::{Class, Texts, classes};
pub use decimal::{leading_ipv4, leading_port};
pub use field::{Family, Field, State, TCP_FLAGS};
pub use flow::{
    FlowError, Naming, NoNames, TypedPacket, parse_flow, parse_packet, show_addresses, show_conditions,
    show_either_family, show_packet, show_region, show_source,
};
pub use interface::Interface;
pub use names::{icmp_type, protocol_name, protocol_number, service_port};
pub use packet::Packet;
pub use path::{EnvoyPaths, EscapedSlashes, PathRefused, encoded_path, envoy_path, nginx_path};
pub use pattern::Pattern;
pub use ranges::{Ranges, RangesIter};
pub use region::Region;
pub use request::{Request, RequestError, Spoken, looks_like_request, parse_request};
pub use set::{Set, in_one_only};
