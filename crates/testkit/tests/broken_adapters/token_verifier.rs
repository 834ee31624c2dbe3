//! Verifiers that believe too much or too little.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use sealroom_domain::{
    Principal, Timestamp, UserId,
    ports::{Clock, TokenError, TokenVerifier},
};
use sealroom_testkit::{
    conformance::token_verifier::{self, TokenVerifierFixture},
    memory::{FixedClock, MemoryVerifier},
};
use tokio::task::yield_now;

use super::caught;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    NeverExpires,
    ExpiryHasLeeway,
    ExpiresTooEarly,
    RemembersExpiry,
    ExpiredIsInvalid,
    InvalidIsUnavailable,
    ErrorsShowTheToken,
    NameIsLost,
    ScopeIsOneWord,
    ScopeIsGuessed,
    IssuedNow,
    LastPrincipalIsKept,
    UsedTokensAreSpent,
    TokensAreTrimmed,
    CaseIsIgnored,
    EndIsIgnored,
    PrefixIsEnough,
    SharedBuffer,
}

struct Broken {
    inner: MemoryVerifier,
    clock: FixedClock,
    defect: Defect,
    tokens: Arc<Mutex<Vec<String>>>,
    seen: Mutex<HashMap<String, Principal>>,
    expired: Mutex<Vec<String>>,
    buffer: Mutex<String>,
}

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Broken")
    }
}

fn broken(defect: Defect) -> TokenVerifierFixture {
    let clock = FixedClock::default();
    let inner = MemoryVerifier::new(Arc::new(clock.clone()));
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let (registrar, minted) = (inner.clone(), Arc::clone(&tokens));
    let verifier = Broken {
        inner,
        clock: clock.clone(),
        defect,
        tokens,
        seen: Mutex::default(),
        expired: Mutex::default(),
        buffer: Mutex::default(),
    };
    TokenVerifierFixture::new(Arc::new(verifier), clock, move |principal| {
        let token = format!("header.Token-of-user-{}.signature", principal.user_id);
        registrar.register(token.clone(), principal.clone());
        minted.lock().unwrap().push(token.clone());
        token
    })
}

mod without_a_defect {
    use super::{Defect, broken};

    sealroom_testkit::token_verifier_conformance!(async { broken(Defect::None) });
}

caught! {
    the_name_is_lost: token_verifier::a_good_token_speaks_for_its_principal, broken(Defect::NameIsLost);
    a_missing_issue_time_is_now: token_verifier::a_token_without_optional_claims_is_good,
        broken(Defect::IssuedNow);
    a_missing_scope_is_admin: token_verifier::a_token_without_optional_claims_is_good,
        broken(Defect::ScopeIsGuessed);
    the_scope_is_one_word: token_verifier::the_scope_decides_about_admins, broken(Defect::ScopeIsOneWord);
    everybody_is_the_last_one: token_verifier::tokens_of_several_users_are_told_apart,
        broken(Defect::LastPrincipalIsKept);
    a_token_is_good_once: token_verifier::a_token_is_good_more_than_once, broken(Defect::UsedTokensAreSpent);
    tokens_never_expire: token_verifier::a_token_expires_at_its_very_second, broken(Defect::NeverExpires);
    expiry_has_a_leeway: token_verifier::a_token_expires_at_its_very_second, broken(Defect::ExpiryHasLeeway);
    tokens_expire_a_second_early: token_verifier::a_token_expires_at_its_very_second,
        broken(Defect::ExpiresTooEarly);
    an_expired_token_is_called_invalid: token_verifier::a_token_expires_at_its_very_second,
        broken(Defect::ExpiredIsInvalid);
    an_expired_token_is_remembered: token_verifier::time_alone_decides_about_expiry,
        broken(Defect::RemembersExpiry);
    an_invalid_token_is_a_passing_problem: token_verifier::texts_that_are_no_tokens_are_invalid,
        broken(Defect::InvalidIsUnavailable);
    white_space_is_trimmed: token_verifier::texts_that_are_no_tokens_are_invalid,
        broken(Defect::TokensAreTrimmed);
    case_is_ignored: token_verifier::texts_that_are_no_tokens_are_invalid, broken(Defect::CaseIsIgnored);
    the_signature_is_not_checked: token_verifier::a_changed_token_is_invalid, broken(Defect::EndIsIgnored);
    the_signature_may_be_cut: token_verifier::a_cut_token_is_invalid, broken(Defect::PrefixIsEnough);
    errors_show_the_token: token_verifier::errors_do_not_show_the_token, broken(Defect::ErrorsShowTheToken);
    callers_share_a_buffer: token_verifier::many_verify_at_once, broken(Defect::SharedBuffer);
}

impl Broken {
    /// The token that a sloppy comparison takes this one for.
    fn taken_for(&self, token: &str) -> String {
        let tokens = self.tokens.lock().unwrap();
        let same = |known: &&String| match self.defect {
            Defect::TokensAreTrimmed => known.as_str() == token.trim(),
            Defect::CaseIsIgnored => known.eq_ignore_ascii_case(token),
            Defect::EndIsIgnored => {
                known.rsplit_once('.').map(|parts| parts.0) == token.rsplit_once('.').map(|parts| parts.0)
            }
            Defect::PrefixIsEnough => token.len() > 20 && known.starts_with(token),
            _ => false,
        };
        tokens.iter().find(same).cloned().unwrap_or_else(|| token.into())
    }

    fn change(&self, token: &str, mut principal: Principal) -> Result<Principal, TokenError> {
        let mut seen = self.seen.lock().unwrap();
        match self.defect {
            Defect::NameIsLost => principal.name = None,
            Defect::IssuedNow => principal.issued_at = Some(self.clock.now()),
            Defect::ScopeIsGuessed => {
                principal.scope.get_or_insert("admin".into());
            }
            Defect::ScopeIsOneWord => {
                principal.scope = principal
                    .scope
                    .map(|scope| scope.split(' ').next().unwrap().into());
            }
            Defect::LastPrincipalIsKept => {
                return Ok(seen.entry(String::new()).or_insert(principal).clone());
            }
            Defect::UsedTokensAreSpent if seen.insert(token.into(), principal.clone()).is_some() => {
                return Err(TokenError::Invalid);
            }
            Defect::ExpiresTooEarly => {
                let early = Timestamp::from_micros(principal.expires_at.as_micros() - 1_000_000);
                if self.clock.now() >= early {
                    return Err(TokenError::Expired);
                }
            }
            Defect::NeverExpires | Defect::ExpiryHasLeeway => {
                seen.insert(token.into(), principal.clone());
            }
            _ => {}
        }
        Ok(principal)
    }

    fn fail(&self, token: &str, error: TokenError) -> Result<Principal, TokenError> {
        match (self.defect, error) {
            (Defect::ErrorsShowTheToken, _) => Err(TokenError::Unavailable {
                source: format!("cannot parse {token}").into(),
            }),
            (Defect::InvalidIsUnavailable, TokenError::Invalid) => Err(TokenError::Unavailable {
                source: "no such key".into(),
            }),
            (Defect::ExpiredIsInvalid, TokenError::Expired) => Err(TokenError::Invalid),
            (Defect::RemembersExpiry, TokenError::Expired) => {
                self.expired.lock().unwrap().push(token.into());
                Err(TokenError::Expired)
            }
            (Defect::NeverExpires, TokenError::Expired) => Ok(self.seen.lock().unwrap()[token].clone()),
            (Defect::ExpiryHasLeeway, TokenError::Expired) => {
                let principal = self.seen.lock().unwrap()[token].clone();
                let late = principal.expires_at.plus(Duration::from_secs(5));
                if self.clock.now() < late {
                    Ok(principal)
                } else {
                    Err(TokenError::Expired)
                }
            }
            (_, error) => Err(error),
        }
    }
}

#[async_trait]
impl TokenVerifier for Broken {
    async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        if self
            .expired
            .lock()
            .unwrap()
            .iter()
            .any(|expired| expired == token)
        {
            return Err(TokenError::Expired);
        }
        let mut token = self.taken_for(token);
        if self.defect == Defect::SharedBuffer {
            self.buffer.lock().unwrap().clone_from(&token);
            yield_now().await;
            token.clone_from(&self.buffer.lock().unwrap());
        }
        match self.inner.verify(&token).await {
            Ok(principal) => self.change(&token, principal),
            Err(error) => self.fail(&token, error),
        }
    }
}

#[tokio::test]
async fn a_verifier_that_shows_its_tokens_is_caught() {
    #[derive(Debug)]
    struct Showing {
        #[expect(dead_code, reason = "what is wrong is that it is shown")]
        token: String,
        user_id: UserId,
        expires_at: Mutex<Timestamp>,
        clock: FixedClock,
    }

    #[async_trait]
    impl TokenVerifier for Showing {
        async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
            let expires_at = *self.expires_at.lock().unwrap();
            match token {
                "the-only-token" if self.clock.now() >= expires_at => Err(TokenError::Expired),
                "the-only-token" => Ok(Principal {
                    user_id: self.user_id,
                    name: None,
                    scope: None,
                    login_id: None,
                    issued_at: None,
                    expires_at,
                }),
                _ => Err(TokenError::Invalid),
            }
        }
    }

    let clock = FixedClock::default();
    let verifier = Showing {
        token: "the-only-token".into(),
        user_id: UserId::new(1).unwrap(),
        expires_at: Mutex::new(clock.now().plus(Duration::from_mins(1))),
        clock: clock.clone(),
    };
    let fixture = TokenVerifierFixture::new(Arc::new(verifier), clock, |_| "the-only-token".into());
    super::assert_caught(token_verifier::errors_do_not_show_the_token(fixture)).await;
}
