//! Who may connect. Owns addresses and networks in the settings; leaves turning others away to `server`.

use std::{net::IpAddr, str::FromStr};

/// The addresses with the same first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

/// A text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address and no network: write 192.168.1.20, 192.168.1.0/24 or fd00::/8")]
pub(crate) struct NoNetwork(String);

/// An address as a number, its bits at the upper end, and how many it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(it) => (u128::from(it.to_bits()) << 96, 32),
        IpAddr::V6(it) => (it.to_bits(), 128),
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let invalid = || NoNetwork(text.to_owned());
        let (address, length) =
            text.trim().split_once('/').map_or((text.trim(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let (_, most) = bits(address);
        let bits = length.map_or(Ok(most), str::parse).map_err(|_| invalid())?;
        if bits <= most { Ok(Self { address, bits }) } else { Err(invalid()) }
    }
}

impl Network {
    fn contains(self, other: IpAddr) -> bool {
        let ((own, length), (other, of)) = (bits(self.address), bits(other));
        // A shift by all 128 bits is none in Rust.
        length == of && (own ^ other).checked_shr(128 - self.bits).unwrap_or(0) == 0
    }
}

/// Everybody who may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowed(Vec<Network>);

impl Allowed {
    /// # Errors
    /// Names the first entry that is no network.
    pub(crate) fn parse(entries: &[String]) -> Result<Self, NoNetwork> {
        entries.iter().map(|it| it.parse()).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a client at `address` may connect.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        // What listens on [::] hears IPv4 as ::ffff:192.168.1.20.
        let address = address.to_canonical();
        if self.0.is_empty() { is_near(address) } else { self.0.iter().any(|it| it.contains(address)) }
    }
}

/// Addresses that no packet from the internet comes from: RFC 1918, 3927, 1122, 4193, 4291.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => it.is_private() || it.is_link_local() || it.is_loopback(),
        IpAddr::V6(it) => it.is_unique_local() || it.is_unicast_link_local() || it.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str]) -> Result<Allowed, NoNetwork> {
        Allowed::parse(&entries.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn who_may_connect() {
        let near = "10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.9 169.254.7.7 127.0.0.1 ::1 fe80::1 fd12::5 \
                    ::ffff:192.168.1.9";
        let far = "8.8.8.8 172.32.0.1 192.169.0.1 100.64.0.1 2001:db8::1 ::ffff:8.8.8.8 0.0.0.0 ::";
        let cases: [(&[&str], &str, &str); 6] = [
            (&[], near, far),
            (&["192.168.1.20"], "192.168.1.20 ::ffff:192.168.1.20", "192.168.1.21 127.0.0.1 ::1"),
            (&["192.168.1.0/25", "fd00::/8"], "192.168.1.127 fd99::1", "192.168.1.128 fe80::1"),
            (&[" 10.0.0.7/8 "], "10.255.0.1", "11.0.0.1"),
            (&["0.0.0.0/0"], "8.8.8.8 127.0.0.1 ::ffff:8.8.8.8", "::1 2001:db8::1"),
            (&["::/0", "1.2.3.4/32"], "2001:db8::1 1.2.3.4", "1.2.3.5"),
        ];
        for (entries, good, bad) in cases {
            let allowed = allowed(entries).unwrap();
            for (addresses, expected) in [(good, true), (bad, false)] {
                for address in addresses.split_whitespace() {
                    assert_eq!(allowed.admits(address.parse().unwrap()), expected, "{entries:?} {address}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_network_is_named() {
        for bad in ["", "home", "192.168.1", "192.168.1.0/33", "fd00::/129", "10.0.0.0/-1", "10.0.0.0/", "*"]
        {
            let refused = allowed(&["10.0.0.1", bad]).unwrap_err();
            assert_eq!(refused, NoNetwork(bad.to_owned()));
        }
    }
}
