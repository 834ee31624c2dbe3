//! The claims of a token (RFC 7519, section 4).

use std::time::Duration;

use sealroom_domain::{DisplayName, IdError, LoginId, Principal, Timestamp, UserId};

use crate::{
    json::{Object, Value, WrongType},
    numeric_date,
};

/// How far ahead of this clock `nbf` and `iat` may be: 5 s. `exp` has none.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// Claims with a meaning of their own, which cannot name the user as well.
const RESERVED: [&str; 13] = [
    "aud",
    "exp",
    "iat",
    "iss",
    "jti",
    "login_id",
    "name",
    "nbf",
    "scope",
    "token_type",
    "token_use",
    "typ",
    "type",
];

/// What a token must say, beyond what every token must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRules {
    /// The only accepted `iss`; `None` accepts any and none. `None`.
    pub issuer: Option<String>,
    /// What must be among `aud`; `None` accepts any and none. `None`.
    pub audience: Option<String>,
    /// The claim that holds the user's id, a JSON integer. `user_id`.
    pub user_claim: String,
}

impl Default for ClaimRules {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            user_claim: "user_id".to_owned(),
        }
    }
}

/// A rule that no token could keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimRulesError {
    /// The issuer is empty or holds control characters.
    #[error("the issuer is empty or holds control characters")]
    Issuer,
    /// The audience is empty or holds control characters.
    #[error("the audience is empty or holds control characters")]
    Audience,
    /// The user claim is empty, holds control characters or has another meaning already.
    #[error("the user claim is empty, holds control characters or is a claim with another meaning")]
    UserClaim,
}

impl ClaimRules {
    pub(crate) fn check(&self) -> Result<(), ClaimRulesError> {
        let usable = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
        if !self.issuer.as_deref().is_none_or(usable) {
            return Err(ClaimRulesError::Issuer);
        }
        if !self.audience.as_deref().is_none_or(usable) {
            return Err(ClaimRulesError::Audience);
        }
        if !usable(&self.user_claim) || RESERVED.contains(&self.user_claim.as_str()) {
            return Err(ClaimRulesError::UserClaim);
        }
        Ok(())
    }

    /// Reads decoded claims at the moment `now`. All rules but expiry: that is the caller's, and comes last.
    pub(crate) fn read(&self, bytes: &[u8], now: Timestamp) -> Result<Principal, WrongClaims> {
        let claims = Object::parse(bytes).ok_or(WrongClaims)?;
        refuse_other_kinds(&claims)?;
        self.check_issuer(&claims)?;
        self.check_audience(&claims)?;
        // With `sub` as the user claim an integer stands in its place.
        if self.user_claim != "sub" {
            claims.text("sub")?;
        }
        claims.text("jti")?;

        let latest = now.plus(LEEWAY);
        let issued_at = past(claims.get("iat"), latest)?;
        past(claims.get("nbf"), latest)?;
        Ok(Principal {
            user_id: claims
                .get(&self.user_claim)
                .and_then(|value| id(value, UserId::new))
                .ok_or(WrongClaims)?,
            name: name(&claims)?,
            scope: claims.text("scope")?,
            // A claim of our own: with another issuer it may mean anything.
            login_id: claims.get("login_id").and_then(|value| id(value, LoginId::new)),
            issued_at,
            expires_at: claims
                .get("exp")
                .and_then(|exp| numeric_date::parse(exp.raw()))
                .ok_or(WrongClaims)?,
        })
    }

    fn check_issuer(&self, claims: &Object<'_>) -> Result<(), WrongClaims> {
        let issuer = claims.text("iss")?;
        match &self.issuer {
            Some(ours) if issuer.as_ref() != Some(ours) => Err(WrongClaims),
            _ => Ok(()),
        }
    }

    fn check_audience(&self, claims: &Object<'_>) -> Result<(), WrongClaims> {
        let audience = match claims.get("aud") {
            Some(aud) => aud.texts().ok_or(WrongClaims)?,
            None => Vec::new(),
        };
        match &self.audience {
            Some(ours) if !audience.contains(ours) => Err(WrongClaims),
            _ => Ok(()),
        }
    }
}

/// The claims break a rule. It does not say which: nobody outside may learn it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrongClaims;

impl From<WrongType> for WrongClaims {
    fn from(WrongType: WrongType) -> Self {
        Self
    }
}

/// Refuses tokens made for another use (RFC 8725, section 3.11). Issuers have no common claim for it: `token_use`
/// says what a token is for; the others have further meanings and count only where they say that this is not an
/// access token.
fn refuse_other_kinds(claims: &Object<'_>) -> Result<(), WrongClaims> {
    if claims.text("token_use")?.is_some_and(|kind| kind != "access") {
        return Err(WrongClaims);
    }
    let other = ["token_type", "type", "typ"].into_iter().any(|claim| {
        claims
            .get(claim)
            .and_then(Value::text)
            .is_some_and(|kind| is_other_kind(&kind))
    });
    if other { Err(WrongClaims) } else { Ok(()) }
}

fn is_other_kind(kind: &str) -> bool {
    matches!(
        kind.to_ascii_lowercase().as_str(),
        "refresh" | "refresh_token" | "id" | "id_token" | "offline" | "logout"
    )
}

/// A time that may be absent, but not of another type or later than `latest`.
fn past(value: Option<Value<'_>>, latest: Timestamp) -> Result<Option<Timestamp>, WrongClaims> {
    value
        .map(|value| {
            numeric_date::parse(value.raw())
                .filter(|time| *time <= latest)
                .ok_or(WrongClaims)
        })
        .transpose()
}

/// Only digits are an id: a fraction, an exponent or quotes make it something else.
fn id<T>(value: Value<'_>, new: impl FnOnce(i64) -> Result<T, IdError>) -> Option<T> {
    value.raw().parse::<i64>().ok().and_then(|id| new(id).ok())
}

/// Issuers write no name as `null` or as an empty text.
fn name(claims: &Object<'_>) -> Result<Option<DisplayName>, WrongClaims> {
    let Some(value) = claims.get("name").filter(|name| !name.is_null()) else {
        return Ok(None);
    };
    let name = value.text().ok_or(WrongClaims)?;
    if name.trim().is_empty() {
        return Ok(None);
    }
    DisplayName::new(name).map(Some).or(Err(WrongClaims))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_no_token_could_keep_are_refused() {
        let rules = ClaimRules::default;
        assert_eq!(rules().check(), Ok(()));
        for bad in ["", "a\0", "a\n"] {
            let text = || Some(bad.to_owned());
            let with_issuer = ClaimRules {
                issuer: text(),
                ..rules()
            };
            assert_eq!(with_issuer.check(), Err(ClaimRulesError::Issuer));
            let with_audience = ClaimRules {
                audience: text(),
                ..rules()
            };
            assert_eq!(with_audience.check(), Err(ClaimRulesError::Audience));
        }
        for (claim, outcome) in [
            ("sub", Ok(())),
            ("https://example.com/uid", Ok(())),
            ("", Err(ClaimRulesError::UserClaim)),
            ("exp", Err(ClaimRulesError::UserClaim)),
            ("scope", Err(ClaimRulesError::UserClaim)),
            ("login_id", Err(ClaimRulesError::UserClaim)),
        ] {
            let with_claim = ClaimRules {
                user_claim: claim.to_owned(),
                ..rules()
            };
            assert_eq!(with_claim.check(), outcome, "{claim}");
        }
    }
}
