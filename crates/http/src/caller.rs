//! Who asks.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use sealroom_domain::{ErrorCode, Principal, Refusal, ports::Profile};
use sealroom_engine::Actor;

use crate::{
    api::Api,
    openapi::{Describe, Spec},
    problem::Problem,
};

/// Who the verified token of a request speaks for. Nothing else in this crate makes an [`Actor`].
#[derive(Debug)]
pub(crate) struct Caller {
    principal: Principal,
    profile: Profile,
    actor: Actor,
}

impl Caller {
    /// With which rights the use cases are asked.
    pub(crate) const fn actor(&self) -> Actor {
        self.actor
    }

    /// What the token says.
    pub(crate) const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What is known of the user.
    pub(crate) const fn profile(&self) -> &Profile {
        &self.profile
    }

    async fn verify(headers: &HeaderMap, api: &Api) -> Result<Self, Refusal> {
        let token = bearer_token(headers)?;
        let verified = api.verifier.verify(token).await;
        let principal = verified.map_err(|error| api.unverified(&error))?;
        let profile = api.chat.me(&principal).await?;
        Ok(Self {
            actor: Actor::from(&principal),
            principal,
            profile,
        })
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        Ok(Self::verify(&parts.headers, api).await?)
    }
}

/// A caller of a route that can do without one: its token is verified where it is asked for.
pub(crate) struct MaybeCaller(HeaderMap);

impl MaybeCaller {
    pub(crate) async fn verify(&self, api: &Api) -> Result<Caller, Refusal> {
        Caller::verify(&self.0, api).await
    }
}

impl FromRequestParts<Arc<Api>> for MaybeCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Arc<Api>) -> Result<Self, Problem> {
        Ok(Self(parts.headers.clone()))
    }
}

impl Describe for MaybeCaller {
    fn describe(spec: &mut Spec) {
        Caller::describe(spec);
        spec.may_have_token();
    }
}

impl Describe for Caller {
    fn describe(spec: &mut Spec) {
        spec.needs_token();
        spec.refuses(&[
            ErrorCode::TokenMissing,
            ErrorCode::TokenInvalid,
            ErrorCode::TokenExpired,
            ErrorCode::TokenRevoked,
            ErrorCode::Unavailable,
            ErrorCode::ShuttingDown,
        ]);
    }
}

/// The token in the `Authorization` header (RFC 6750, section 2.1), and nowhere else.
///
/// No such header, another scheme, or a scheme without credentials is `token_missing`. Several such headers are
/// `token_invalid`: it is not for us to guess which one a proxy in front has looked at.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(ErrorCode::TokenMissing.into());
    };
    if values.next().is_some() {
        return Err(ErrorCode::TokenInvalid.into());
    }
    // Tokens are ASCII, like every scheme.
    let credentials = value.to_str().map_err(|_not_ascii| ErrorCode::TokenInvalid)?;
    let (scheme, token) = credentials.split_once(' ').unwrap_or((credentials, ""));
    let token = token.trim_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(ErrorCode::TokenMissing.into());
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&'static [u8]]) -> Result<String, ErrorCode> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        bearer_token(&headers)
            .map(str::to_owned)
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn the_scheme_is_read_without_case_and_the_token_as_it_is() {
        for value in [
            b"Bearer a.B-c_d".as_slice(),
            b"bearer a.B-c_d",
            b"BEARER   a.B-c_d",
        ] {
            assert_eq!(read(&[value]).as_deref(), Ok("a.B-c_d"));
        }
        assert_eq!(read(&[b"Bearer a b"]).as_deref(), Ok("a b"));
    }

    #[test]
    fn no_token_is_missing_and_an_unclear_one_is_invalid() {
        assert_eq!(read(&[]), Err(ErrorCode::TokenMissing));
        for missing in [
            b"".as_slice(),
            b"Bearer",
            b"Bearer ",
            b"Basic dTpw",
            b"Bearera.b.c",
        ] {
            assert_eq!(read(&[missing]), Err(ErrorCode::TokenMissing), "{missing:?}");
        }
        for invalid in [
            [b"Bearer a".as_slice(), b"Bearer a"].as_slice(),
            &[b"Basic dTpw", b"Bearer a"],
            &[b"Bearer \xff"],
        ] {
            assert_eq!(read(invalid), Err(ErrorCode::TokenInvalid), "{invalid:?}");
        }
    }
}
