//! `token`: mints a token.

use std::sync::Arc;

use sealroom_auth::{Grant, Minter, MinterOptions, SigningKey};
use sealroom_domain::{DisplayName, UserId};

use super::{Failure, command::TokenArguments, print};
use crate::{
    clock::SystemClock,
    secret::secret,
    settings::{SettingError, Settings, duration},
};

/// Prints the token and nothing else.
pub(super) fn token(settings: &Settings, arguments: &TokenArguments) -> Result<(), Failure> {
    let grant = grant(arguments)?;
    let minter = Minter::new(MinterOptions {
        key: SigningKey::hs256(&secret(settings)?),
        claims: settings.claims.clone(),
        clock: Arc::new(SystemClock),
    })?;
    let token = minter.mint(&grant)?;
    print(&format!("{token}\n"))?;
    settings.log_notices();
    Ok(())
}

fn grant(arguments: &TokenArguments) -> Result<Grant, SettingError> {
    let is_number = arguments.user_id.bytes().all(|byte| byte.is_ascii_digit());
    let user_id = arguments
        .user_id
        .parse()
        .ok()
        .filter(|_| is_number)
        .and_then(|number| UserId::new(number).ok())
        .ok_or_else(|| {
            let problem = format!("{:?} is not a number from 1 to 2^53-1", arguments.user_id);
            SettingError::new("--user-id", problem)
        })?;
    let name = match &arguments.name {
        Some(text) => Some(
            DisplayName::new(text.as_str())
                .map_err(|error| SettingError::new("--name", error.to_string()))?,
        ),
        None => None,
    };
    let ttl = duration(&arguments.ttl).map_err(|problem| SettingError::new("--ttl", problem))?;
    Ok(Grant {
        name,
        scope: arguments.scope.clone(),
        ..Grant::new(user_id, ttl)
    })
}
