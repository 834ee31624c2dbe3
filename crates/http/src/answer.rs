//! What handlers answer with where all is well. Each type says its status, headers and schema.

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{LINK, LOCATION},
    },
    response::{IntoResponse, Response},
};
use sealroom_domain::GroupId;
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        self,
        path::ParameterIn,
        schema::{ObjectBuilder, Type},
    },
};

use crate::{
    conditional,
    openapi::{API, Describe, Spec, header, json_content, parameter},
    problem::{Problem, internal},
};

/// What a handler gives back.
pub(crate) type Answer<T> = Result<T, Problem>;

/// 200 with an object.
#[derive(Debug)]
pub(crate) struct Shown<T>(pub(crate) T);

/// 200 with an object that a client may keep and ask for again with its `ETag`.
#[derive(Debug)]
pub(crate) struct Kept<T>(pub(crate) T);

/// The same of a page, with links to the pages beside it.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) body: T,
    pub(crate) links: Option<HeaderValue>,
}

/// 201 with the group that was created, and its place.
#[derive(Debug)]
pub(crate) struct Created<T> {
    pub(crate) group_id: GroupId,
    pub(crate) body: T,
}

/// 201 for a group that was created, 200 for one that was there.
#[derive(Debug)]
pub(crate) enum Put<T> {
    Created(Created<T>),
    Changed(Shown<T>),
}

/// 201 with what was made.
#[derive(Debug)]
pub(crate) struct Made<T>(pub(crate) T);

/// 201 for what is new, 200 for what was there from an earlier request.
#[derive(Debug)]
pub(crate) enum New<T> {
    Now(T),
    Before(T),
}

/// 204.
#[derive(Debug)]
pub(crate) struct Done;

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl<T: ToSchema> Describe for Shown<T> {
    fn describe(spec: &mut Spec) {
        let answer = json::<T>(spec, "The present state.");
        spec.answer(StatusCode::OK, answer);
    }
}

impl<T: Serialize> IntoResponse for Kept<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(json) => conditional::kept("application/json", json),
            // A map of texts and numbers can always be written.
            Err(_) => internal().into_response(),
        }
    }
}

impl<T: ToSchema> Describe for Kept<T> {
    fn describe(spec: &mut Spec) {
        let answer = kept(json::<T>(spec, "The present state."));
        spec.answer(StatusCode::OK, answer);
        if_none_match(spec);
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let mut response = Kept(self.body).into_response();
        if let Some(links) = self.links {
            response.headers_mut().insert(LINK, links);
        }
        response
    }
}

impl<T: ToSchema> Describe for Page<T> {
    fn describe(spec: &mut Spec) {
        let links = "`rel=\"next\"`: the page of newer entries, `rel=\"prev\"`: that of older ones, each where there are \
                     any. Both keep `limit`.";
        let mut answer = kept(json::<T>(spec, "A page, in the order of `seq`."));
        answer.headers.insert(LINK_NAME.to_owned(), header(links).into());
        spec.answer(StatusCode::OK, answer);
        if_none_match(spec);
    }
}

const LINK_NAME: &str = "Link";

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let location = [(LOCATION, format!("{API}/groups/{}", self.group_id))];
        (StatusCode::CREATED, location, Json(self.body)).into_response()
    }
}

impl<T: ToSchema> Describe for Created<T> {
    fn describe(spec: &mut Spec) {
        let mut answer = json::<T>(spec, "It was created.");
        let location = header("The path of what was created.");
        answer.headers.insert("Location".to_owned(), location.into());
        spec.answer(StatusCode::CREATED, answer);
    }
}

impl<T: Serialize> IntoResponse for Put<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Created(created) => created.into_response(),
            Self::Changed(shown) => shown.into_response(),
        }
    }
}

impl<T: ToSchema> Describe for Put<T> {
    fn describe(spec: &mut Spec) {
        Shown::<T>::describe(spec);
        Created::<T>::describe(spec);
    }
}

impl<T: Serialize> IntoResponse for Made<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: ToSchema> Describe for Made<T> {
    fn describe(spec: &mut Spec) {
        let answer = json::<T>(spec, "It is new.");
        spec.answer(StatusCode::CREATED, answer);
    }
}

impl<T: Serialize> IntoResponse for New<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Now(body) => Made(body).into_response(),
            Self::Before(body) => Shown(body).into_response(),
        }
    }
}

impl<T: ToSchema> Describe for New<T> {
    fn describe(spec: &mut Spec) {
        Made::<T>::describe(spec);
        let answer = json::<T>(spec, "It was there from an earlier request.");
        spec.answer(StatusCode::OK, answer);
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Describe for Done {
    fn describe(spec: &mut Spec) {
        spec.answer(StatusCode::NO_CONTENT, openapi::Response::new("It is done."));
    }
}

fn json<T: ToSchema>(spec: &mut Spec, description: &str) -> openapi::Response {
    let mut answer = openapi::Response::new(description);
    let content = json_content(spec.body::<T>());
    answer
        .content
        .insert("application/json".to_owned(), content.into());
    answer
}

fn kept(mut answer: openapi::Response) -> openapi::Response {
    let etag = header("Names what was answered, for `If-None-Match`.");
    answer.headers.insert("ETag".to_owned(), etag.into());
    answer
}

/// The header that asks whether anything has changed, and the answer where nothing has.
fn if_none_match(spec: &mut Spec) {
    spec.parameter(parameter(
        "If-None-Match",
        ParameterIn::Header,
        ObjectBuilder::new().schema_type(Type::String),
        "ETags of earlier answers: 304 where one of them is still right.",
    ));
    let answer = kept(openapi::Response::new("Nothing has changed."));
    spec.answer(StatusCode::NOT_MODIFIED, answer);
}
