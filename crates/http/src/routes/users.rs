//! `/users`: what the host application says of its users. Admin scope only.

use std::sync::Arc;

use axum::extract::State;
use sealroom_domain::{DisplayName, Refusal, Username};
use sealroom_wire::fields;
use serde::Serialize;

use super::{Answer, json};
use crate::{
    api::Api,
    caller::Caller,
    input::{body::JsonBody, path::UserPath},
};

#[derive(Serialize)]
struct UserBody<'a> {
    user_id: i64,
    display_name: &'a str,
    /// Where the request had it: otherwise the present one stays, and the use case does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
}

pub(crate) async fn put(
    caller: Caller,
    UserPath(user_id): UserPath,
    State(api): State<Arc<Api>>,
    body: JsonBody,
) -> Answer {
    let [name, username] = body.object(["display_name", "username"])?;
    let name = fields::required("display_name", fields::text("display_name", name)?)?;
    let name = DisplayName::new(&*name).map_err(|_rules| Refusal::invalid("display_name"))?;
    let username = fields::text("username", username)?
        .map(|username| Username::new(&*username))
        .transpose()
        .map_err(|_rules| Refusal::invalid("username"))?;
    api.chat
        .put_user(caller.actor(), user_id, name.clone(), username.clone())
        .await?;
    Ok(json(UserBody {
        user_id: user_id.get(),
        display_name: name.as_str(),
        username: username.as_ref().map(Username::as_str),
    }))
}
