//! Where a request comes from: behind proxies, and from which page.

use std::net::{IpAddr, SocketAddr};

use sealroom_wire::{AllowedOrigins, ClientAddress, Origin, TrustedProxies};

use crate::{Verdict, oracle::first_line};

/// The networks of proxies, the peer, and then one `X-Forwarded-For` on each line.
pub fn forwarded_for(data: &[u8]) -> Verdict {
    let (networks, rest) = first_line(data);
    let (peer, rest) = first_line(rest);
    let text = |bytes| str::from_utf8(bytes).ok();
    let Some(proxies) = text(networks).and_then(TrustedProxies::parse) else {
        return Verdict::Refused;
    };
    assert_eq!(TrustedProxies::parse(&proxies.to_text()).as_ref(), Some(&proxies));
    let Some(peer) = text(peer).and_then(|peer| peer.parse::<IpAddr>().ok()) else {
        return Verdict::Refused;
    };
    let headers: Vec<&[u8]> = rest.split(|byte| *byte == b'\n').collect();
    let client = proxies.client(peer, headers.iter().copied());
    if !proxies.trust(peer) {
        assert_eq!(client, ClientAddress::new(peer), "nobody vouches for the chain");
    }
    let chain = headers
        .iter()
        .flat_map(|header| header.split(|byte| *byte == b','))
        .filter_map(|address| address_of(text(address)?.trim()));
    let mut known = chain.chain([peer]).map(ClientAddress::new);
    assert!(known.any(|one| one == client), "{client} was named by nobody");

    let subscriber = client.subscriber();
    assert_eq!(subscriber, subscriber.to_canonical());
    assert_eq!(ClientAddress::new(subscriber).subscriber(), subscriber);
    Verdict::Accepted
}

fn address_of(text: &str) -> Option<IpAddr> {
    let socket = |text: &str| text.parse().ok().map(|socket: SocketAddr| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(|| socket(text)).or_else(bracketed)
}

/// The allowed origins, separated by commas, or nothing for the server's own; the host; and then one `Origin` on each
/// line.
pub fn origin(data: &[u8]) -> Verdict {
    let (list, rest) = first_line(data);
    let (host, rest) = first_line(rest);
    let Ok(list) = str::from_utf8(list) else {
        return Verdict::Refused;
    };
    let allowed = if list.is_empty() {
        AllowedOrigins::SameOrigin
    } else {
        AllowedOrigins::List(list.split(',').map(str::to_owned).collect())
    };
    let origins: Vec<&[u8]> = if rest.is_empty() {
        Vec::new()
    } else {
        rest.split(|byte| *byte == b'\n').collect()
    };
    let host = (!host.is_empty()).then_some(host);
    let origin = allowed.decide(origins.iter().copied(), host);
    let expected = match (&allowed, origins.as_slice()) {
        (_, []) => Origin::NoPage,
        (AllowedOrigins::List(_), [one]) => {
            match list.split(',').find(|allowed| allowed.as_bytes() == *one) {
                Some(listed) => Origin::Listed(listed),
                None => Origin::Refused,
            }
        }
        (AllowedOrigins::SameOrigin, [one]) if is_own(one, host) => Origin::Same,
        _ => Origin::Refused,
    };
    assert_eq!(origin, expected);
    match origin {
        Origin::Refused => Verdict::Refused,
        _ => Verdict::Accepted,
    }
}

/// Whether an origin is `http://HOST` or `https://HOST`, without regard to the case of the host.
fn is_own(origin: &[u8], host: Option<&[u8]>) -> bool {
    let Some(host) = host else { return false };
    [b"http://".as_slice(), b"https://"].iter().any(|scheme| {
        let rest = origin.strip_prefix(*scheme);
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    }) && str::from_utf8(origin).is_ok()
}
