//! Routes and what is said of them, put down once for both.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use sealroom_domain::ErrorCode;
use utoipa::openapi::{HttpMethod, PathItem, Paths};

use super::spec::{Described, Schemas, Spec};

/// Where the API begins.
pub(crate) const API: &str = "/api/v1";

/// One function for each method that a route may have.
macro_rules! adds {
    ($($function:ident: $method:ident, $filter:ident);+) => {
        $(pub(crate) fn $function<M, A, H>(self, path: &str, handler: H, words: Words) -> Self
        where
            H: Handler<M, S> + Described<A>,
            M: 'static,
        {
            self.add(HttpMethod::$method, MethodFilter::$filter, path, handler, words)
        })+
    };
}

/// What no signature tells of a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// Unique, in camelCase: generated clients name their methods after it.
    pub(crate) id: &'static str,
    /// What it does, in a line without a full stop.
    pub(crate) does: &'static str,
    /// What else one should know, in Markdown; may be empty.
    pub(crate) details: &'static str,
    /// The codes that its use case refuses with. Those that its arguments refuse with are known: what [`crate::caller`]
    /// and the readers in [`crate::input`] say, and `internal`.
    pub(crate) refuses: &'static [ErrorCode],
}

/// Routes, and the part of the document that describes them.
pub(crate) struct Routes<S = ()> {
    tag: &'static str,
    prefix: &'static str,
    router: Router<S>,
    said: Said,
}

/// What is said of routes.
#[derive(Default)]
pub(crate) struct Said {
    pub(super) paths: Paths,
    pub(super) schemas: Schemas,
}

impl Said {
    /// What is said of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.paths.merge(other.paths);
        self.schemas.extend(other.schemas);
        self
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes yet; those to come are under `prefix`, and under `tag` in the document.
    pub(crate) fn new(tag: &'static str, prefix: &'static str) -> Self {
        Self {
            tag,
            prefix,
            router: Router::new(),
            said: Said::default(),
        }
    }

    adds!(get: Get, GET; post: Post, POST; put: Put, PUT; patch: Patch, PATCH; delete: Delete, DELETE);

    /// All routes of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.said = self.said.merge(other.said);
        self
    }

    /// What serves them.
    pub(crate) fn into_router(self) -> Router<S> {
        self.router
    }

    /// What is said of them.
    pub(crate) fn into_said(self) -> Said {
        self.said
    }

    fn add<M, A, H>(
        mut self,
        method: HttpMethod,
        filter: MethodFilter,
        path: &str,
        handler: H,
        words: Words,
    ) -> Self
    where
        H: Handler<M, S> + Described<A>,
        M: 'static,
    {
        let path = format!("{}{path}", self.prefix);
        let mut spec = Spec::default();
        handler.describe(&mut spec);
        spec.refuses(words.refuses);
        // Any handler may have a defect.
        spec.refuses(&[ErrorCode::Internal]);
        let operation = spec.operation();
        operation.tags = Some(vec![self.tag.to_owned()]);
        operation.operation_id = Some(words.id.to_owned());
        operation.summary = Some(words.does.to_owned());
        operation.description = (!words.details.is_empty()).then(|| words.details.to_owned());
        let (operation, schemas) = spec.finish();
        self.said.schemas.extend(schemas);
        let item = PathItem::new(method, operation);
        match self.said.paths.paths.get_mut(&path) {
            Some(present) => present.merge_operations(item),
            None => {
                self.said.paths.paths.insert(path.clone(), item);
            }
        }
        let route: MethodRouter<S> = on(filter, handler);
        self.router = self.router.route(&path, route);
        self
    }
}
