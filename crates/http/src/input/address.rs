//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};
use sealroom_wire::ClientAddress;

use crate::{
    openapi::{Describe, Spec},
    problem::Problem,
};

/// What counts as one address, for limits. Where nobody told it, all requests come from the same one.
#[derive(Debug)]
pub(crate) struct Address(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let told = parts.extensions.get::<ClientAddress>().copied();
        let peer = || {
            let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(ClientAddress::new(peer.ip()))
        };
        let address = told.or_else(peer).map(ClientAddress::subscriber);
        Ok(Self(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// Nothing that a client says.
impl Describe for Address {
    fn describe(_spec: &mut Spec) {}
}
