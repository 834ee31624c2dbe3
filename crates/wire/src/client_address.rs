//! Where a request comes from, also behind proxies.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// The address of the client that sent a request. Whoever accepts connections puts it into the extensions of each
/// request; limits that count by address go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// An IPv4 address behind an IPv6 socket is the IPv4 address (RFC 4291, section 2.5.5.2).
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// What counts as one: with IPv6 the /64 network, which one subscriber has as a whole (RFC 6177).
    pub fn subscriber(self) -> IpAddr {
        match self.0 {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 @ IpAddr::V4(_) => v4,
        }
    }
}

/// Networks of proxies whose `X-Forwarded-For` is believed. None by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// Addresses of a chain that are looked at, from its end: longer chains are nobody's.
const CHAIN_MAX: usize = 32;

impl TrustedProxies {
    /// Networks such as `10.0.0.0/8`, and single addresses, separated by commas; `None` where one is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let network = |one: &str| {
            let one = one.trim();
            one.parse::<IpNet>()
                .or_else(|_| one.parse::<IpAddr>().map(IpNet::from))
                .ok()
        };
        text.split(',').map(network).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether an address is one of a proxy.
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client behind a connection: the last address of the chain that is no proxy's. Each proxy adds the address
    /// that it saw to the end, so what stands before an address that nobody vouches for may be made up. `chain` is what
    /// the `X-Forwarded-For` headers say, in their order.
    pub fn client<'a, I>(&self, peer: IpAddr, chain: I) -> ClientAddress
    where
        I: IntoIterator<Item = &'a [u8]>,
        I::IntoIter: DoubleEndedIterator,
    {
        let mut client = peer;
        let addresses = chain
            .into_iter()
            .rev()
            .flat_map(|header| header.rsplit(|byte| *byte == b','))
            .take(CHAIN_MAX);
        for address in addresses {
            if !self.trust(client) {
                break;
            }
            match address_of(address) {
                Some(address) => client = address,
                // What a proxy wrote is no address: the proxy itself is the best that is known.
                None => break,
            }
        }
        ClientAddress::new(client)
    }

    /// The networks as [`TrustedProxies::parse`] reads them.
    pub fn to_text(&self) -> String {
        let networks: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        networks.join(",")
    }
}

/// An address, perhaps with a port, perhaps in brackets.
fn address_of(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?.trim();
    text.parse()
        .ok()
        .or_else(|| {
            text.parse::<std::net::SocketAddr>()
                .ok()
                .map(|socket| socket.ip())
        })
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &str, peer: &str, chain: &[&str]) -> String {
        let chain: Vec<_> = chain.iter().map(|header| header.as_bytes()).collect();
        let proxies = TrustedProxies::parse(proxies).unwrap();
        proxies.client(peer.parse().unwrap(), chain).to_string()
    }

    #[test]
    fn only_proxies_are_believed() {
        assert_eq!(client("10.0.0.0/8", "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        let none = TrustedProxies::default();
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(
            none.client(peer, [b"203.0.113.9".as_slice()]),
            ClientAddress::new(peer)
        );
    }

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_client() {
        let proxies = "10.0.0.0/8, fd00::/8, 127.0.0.1";
        for (chain, expected) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
            (&["198.51.100.7", "203.0.113.9, 10.1.1.1"], "203.0.113.9"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8::7]:443, fd00::1"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
            (&["unknown"], "10.0.0.1"),
            (&["203.0.113.9, _hidden"], "10.0.0.1"),
            (&["203.0.113.9,"], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(client(proxies, "10.0.0.1", chain), expected, "{chain:?}");
        }
        assert_eq!(
            client(proxies, "::ffff:10.0.0.1", &["203.0.113.9"]),
            "203.0.113.9"
        );
        let endless = vec!["10.0.0.2"; 100_000].join(",");
        assert_eq!(
            client(proxies, "10.0.0.1", &["203.0.113.9", &endless]),
            "10.0.0.2"
        );
    }

    #[test]
    fn one_subscriber_is_one_address() {
        let subscriber = |address: &str| ClientAddress::new(address.parse().unwrap()).subscriber();
        for (a, b) in [
            ("2001:db8::1", "2001:db8::ffff:1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(subscriber(a), subscriber(b));
        }
        for (a, b) in [("2001:db8:0:1::1", "2001:db8:0:2::1"), ("192.0.2.1", "192.0.2.2")] {
            assert_ne!(subscriber(a), subscriber(b));
        }
    }

    #[test]
    fn networks_are_read_and_written() {
        for bad in ["", "10.0.0.0/33", "proxy", "10.0.0.1,,10.0.0.2", "10.0.0"] {
            assert_eq!(TrustedProxies::parse(bad), None, "{bad}");
        }
        let text = "10.0.0.0/8,fd00::/8,127.0.0.1/32";
        assert_eq!(TrustedProxies::parse(text).unwrap().to_text(), text);
    }
}
