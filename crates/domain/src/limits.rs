//! The bounds that rules depend on.

use crate::Rate;

/// Bounds on what one client may ask for. The defaults are those of the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes of a message's content. 65 536.
    pub content_bytes: usize,
    /// The most entries of one page. 500.
    pub page_entries: usize,
    /// The most bytes of one page, as [`crate::Entry::weight`] counts them. 512 KiB.
    pub page_bytes: usize,
    /// The most sends of one socket that have no answer yet; `None`: no limit but the writer's queue. 64.
    pub unacked_sends: Option<usize>,
    /// The most groups that one socket has joined. 500.
    pub groups_per_socket: Option<usize>,
    /// The most sockets of one user on this server. 20.
    pub sockets_per_user: Option<usize>,
    /// The most groups of one user, where the store keeps the memberships. 1 000.
    pub groups_per_user: Option<usize>,
    /// The most members of one group, where the store keeps the memberships. 10 000.
    pub members_per_group: Option<usize>,
    /// How often one user may send, over all of its sockets of this server and HTTP. 50 a second, 200 at once.
    pub sends_per_user: Option<Rate>,
    /// How often one socket may ask for anything else. 50 a second, 200 at once.
    pub events_per_socket: Option<Rate>,
}

impl Limits {
    /// Entries of a page where the request names no number.
    pub const DEFAULT_PAGE: usize = 100;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            content_bytes: 65_536,
            page_entries: 500,
            page_bytes: 512 * 1024,
            unacked_sends: Some(64),
            groups_per_socket: Some(500),
            sockets_per_user: Some(20),
            groups_per_user: Some(1000),
            members_per_group: Some(10_000),
            sends_per_user: Rate::new(50, 200),
            events_per_socket: Rate::new(50, 200),
        }
    }
}
