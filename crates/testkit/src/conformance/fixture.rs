//! What the fixtures of the suites share.

use std::{any::Any, fmt, sync::Arc};

use futures_util::future::BoxFuture;

/// Something that a fixture does when a suite asks for it, such as making a group known to a host's tables.
pub struct Hook<A>(Arc<dyn Fn(A) -> BoxFuture<'static, ()> + Send + Sync>);

impl<A> Hook<A> {
    /// Wraps an async closure.
    pub fn new<F>(hook: impl Fn(A) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |argument| Box::pin(hook(argument))))
    }

    pub(crate) async fn call(&self, argument: A) {
        (self.0)(argument).await;
    }
}

impl<A> Clone for Hook<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A> fmt::Debug for Hook<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// What must outlive a property: a temporary directory, a container.
#[derive(Default)]
pub(crate) struct KeepAlive(Vec<Box<dyn Any + Send + Sync>>);

impl KeepAlive {
    pub(crate) fn push(&mut self, guard: impl Any + Send + Sync) {
        self.0.push(Box::new(guard));
    }
}

impl fmt::Debug for KeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeepAlive({})", self.0.len())
    }
}
