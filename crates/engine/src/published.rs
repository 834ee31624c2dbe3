//! What is on its way to many subscribers.

use std::{any::Any, fmt, sync::OnceLock};

use sealroom_domain::{Entry, EntryBody, RemovalReason, UserId};

/// A value together with its encoding, which a transport makes once for all of its sockets.
pub struct Shared<T> {
    value: T,
    encoding: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// An entry of the log.
pub type Published = Shared<Entry>;

impl<T> Shared<T> {
    /// A value that nobody has encoded yet.
    pub fn new(value: T) -> Self {
        Self {
            value,
            encoding: OnceLock::new(),
        }
    }

    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The encoding, made by the first caller; `None` where another transport has made one of another type.
    pub fn encoding<U: Send + Sync + 'static>(&self, encode: impl FnOnce(&T) -> U) -> Option<&U> {
        self.encoding
            .get_or_init(|| Box::new(encode(&self.value)))
            .downcast_ref()
    }
}

impl Published {
    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.value
    }

    /// Who is removed by this entry, if it is a removal.
    pub(crate) fn removal(&self) -> Option<(UserId, RemovalReason)> {
        match self.value.body {
            EntryBody::MemberRemoved { user_id, reason, .. } => Some((user_id, reason)),
            _ => None,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
