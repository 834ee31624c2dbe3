//! An entry on its way to many subscribers.

use std::{any::Any, fmt, sync::OnceLock};

use sealroom_domain::{Entry, EntryBody, RemovalReason, UserId};

/// An entry of the log together with its encoding, which a transport makes once for all of its sockets.
pub struct Published {
    entry: Entry,
    encoding: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Published {
    /// An entry that nobody has encoded yet.
    pub fn new(entry: Entry) -> Self {
        Self {
            entry,
            encoding: OnceLock::new(),
        }
    }

    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Who is removed by this entry, if it is a removal.
    pub(crate) fn removal(&self) -> Option<(UserId, RemovalReason)> {
        match self.entry.body {
            EntryBody::MemberRemoved { user_id, reason, .. } => Some((user_id, reason)),
            _ => None,
        }
    }

    /// The encoding, made by the first caller; `None` where another transport has made one of another type.
    pub fn encoding<T: Send + Sync + 'static>(&self, encode: impl FnOnce(&Entry) -> T) -> Option<&T> {
        self.encoding
            .get_or_init(|| Box::new(encode(&self.entry)))
            .downcast_ref()
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry.fmt(f)
    }
}
