//! Functions of IP addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::value::Value;

use super::{Argument::Text, Context, Function, Kind, answer, scalar, text_of};

pub(super) const FUNCTIONS: &[Function] = &[
    scalar("isValidIp", &[Text], 1, 1, Kind::Boolean, |it, context| answer(address(it, context).is_some())),
    scalar("isValidIpV4", &[Text], 1, 1, Kind::Boolean, |it, context| {
        answer(address(it, context).is_some_and(|it| it.is_ipv4()))
    }),
    scalar("isValidIpV6", &[Text], 1, 1, Kind::Boolean, |it, context| {
        answer(address(it, context).is_some_and(|it| it.is_ipv6()))
    }),
    scalar("isIpInSubnet", &[Text, Text], 2, 2, Kind::Boolean, |it, context| answer(is_within(it, context, |_| true))),
    scalar("isIpv4InSubnet", &[Text, Text], 2, 2, Kind::Boolean, |it, context| {
        answer(is_within(it, context, IpAddr::is_ipv4))
    }),
    scalar("isIpv6InSubnet", &[Text, Text], 2, 2, Kind::Boolean, |it, context| {
        answer(is_within(it, context, IpAddr::is_ipv6))
    }),
    scalar("ipv4ToNumber", &[Text], 1, 1, Kind::Number, |it, context| match address(it, context) {
        Some(IpAddr::V4(address)) => Value::of_number(f64::from(u32::from(address))),
        _ => Value::Null,
    }),
    scalar("isPrivateIP", &[Text], 1, 1, Kind::Boolean, |it, context| {
        answer(address(it, context).is_some_and(|it| is_private(&it)))
    }),
    scalar("isPublicIP", &[Text], 1, 1, Kind::Boolean, |it, context| {
        answer(address(it, context).is_some_and(|it| !is_private(&it) && !is_reserved(&it)))
    }),
    scalar("isReservedIP", &[Text], 1, 1, Kind::Boolean, |it, context| {
        answer(address(it, context).is_some_and(|it| is_reserved(&it)))
    }),
];

fn address(arguments: &[Value], context: &Context) -> Option<IpAddr> {
    text_of(arguments, 0, context)?.parse().ok()
}

/// RFC 1918, and for IPv6 the unique local addresses of RFC 4193.
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

/// What the registries of special addresses keep from the public, private ones aside.
fn is_reserved(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let within = |network: [u8; 4], bits| contains_v4(Ipv4Addr::from(network), bits, *address);
            address.is_loopback()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_documentation()
                || within([0, 0, 0, 0], 8)
                || within([100, 64, 0, 0], 10)
                || within([192, 0, 0, 0], 24)
                || within([192, 88, 99, 0], 24)
                || within([198, 18, 0, 0], 15)
                || within([240, 0, 0, 0], 4)
        }
        IpAddr::V6(address) => {
            let documentation = contains_v6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, *address);
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unicast_link_local()
                || documentation
        }
    }
}

/// Whether the address lies in the network `address/bits`, and is of the wanted family.
fn is_within(arguments: &[Value], context: &Context, wanted: fn(&IpAddr) -> bool) -> bool {
    let (Some(address), Some(network)) = (address(arguments, context), text_of(arguments, 1, context)) else {
        return false;
    };
    wanted(&address) && in_network(address, &network)
}

/// Whether a network in the form `address/bits` contains an address; false where either is none.
pub fn in_network(address: IpAddr, network: &str) -> bool {
    let Some((base, bits)) = network.split_once('/') else {
        return false;
    };
    if bits.is_empty() || !bits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    match (base.parse(), bits.parse::<u32>(), address) {
        (Ok(IpAddr::V4(base)), Ok(bits @ 0..=32), IpAddr::V4(address)) => contains_v4(base, bits, address),
        (Ok(IpAddr::V6(base)), Ok(bits @ 0..=128), IpAddr::V6(address)) => contains_v6(base, bits, address),
        _ => false,
    }
}

fn contains_v4(base: Ipv4Addr, bits: u32, address: Ipv4Addr) -> bool {
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(base) & mask == u32::from(address) & mask
}

fn contains_v6(base: Ipv6Addr, bits: u32, address: Ipv6Addr) -> bool {
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    u128::from(base) & mask == u128::from(address) & mask
}
