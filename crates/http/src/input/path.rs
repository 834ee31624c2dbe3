//! Ids in paths.

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::request::Parts,
};
use sealroom_domain::{ErrorCode, GroupId, Refusal, UserId};
use sealroom_wire::values::integer;
use utoipa::openapi::path::ParameterIn;

use super::decimal;
use crate::{
    openapi::{Describe, Spec, parameter},
    problem::Problem,
};

/// The `{group_id}` of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupPath(pub(crate) GroupId);

/// The `{user_id}` of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserPath(pub(crate) UserId);

impl<S: Sync> FromRequestParts<S> for GroupPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(id(parts, "group_id", GroupId::new)?))
    }
}

impl<S: Sync> FromRequestParts<S> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(id(parts, "user_id", UserId::new)?))
    }
}

impl Describe for GroupPath {
    fn describe(spec: &mut Spec) {
        describe(spec, "group_id", "The group.");
    }
}

impl Describe for UserPath {
    fn describe(spec: &mut Spec) {
        describe(spec, "user_id", "The user.");
    }
}

fn describe(spec: &mut Spec, name: &str, description: &str) {
    spec.parameter(parameter(name, ParameterIn::Path, integer(1), description));
    spec.refuses(&[ErrorCode::InvalidData]);
}

fn id<T, E>(
    parts: &Parts,
    name: &'static str,
    check: impl FnOnce(i64) -> Result<T, E>,
) -> Result<T, Refusal> {
    let template = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    template
        .and_then(|template| segment(template, parts.uri.path(), name))
        .and_then(decimal)
        .and_then(|number| check(number).ok())
        .ok_or(Refusal::invalid(name))
}

/// The segment in the place of `{name}`, as it was sent: the router's own parameters are percent-decoded, where `%35`
/// has become `5`. Counted from the end, because an application that nests the routes puts a prefix before them that
/// only the template has.
fn segment<'a>(template: &str, path: &'a str, name: &str) -> Option<&'a str> {
    template
        .rsplit('/')
        .zip(path.rsplit('/'))
        .find(|(placeholder, _)| {
            placeholder
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
                == Some(name)
        })
        .map(|(_, segment)| segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_raw_and_counted_from_the_end() {
        let template = "/chat/groups/{group_id}/members/{user_id}";
        for path in ["/chat/groups/%35/members/6", "/groups/%35/members/6"] {
            assert_eq!(segment(template, path, "group_id"), Some("%35"));
            assert_eq!(segment(template, path, "user_id"), Some("6"));
            assert_eq!(segment(template, path, "members"), None);
        }
    }
}
