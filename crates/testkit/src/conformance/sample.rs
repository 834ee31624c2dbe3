//! Values that the suites use.

use std::sync::Arc;

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, GroupId, GroupName, KeyEpoch, Seq, Timestamp, UserId,
    Username,
};

/// The most bytes of a message's content.
pub(crate) const CONTENT_LIMIT: usize = 65_536;

pub(crate) fn user(number: i64) -> UserId {
    UserId::new(number).unwrap()
}

pub(crate) fn group(number: i64) -> GroupId {
    GroupId::new(number).unwrap()
}

pub(crate) fn seq(number: i64) -> Seq {
    Seq::new(number).unwrap()
}

pub(crate) fn seqs(numbers: impl IntoIterator<Item = i64>) -> Vec<Seq> {
    numbers.into_iter().map(seq).collect()
}

pub(crate) fn epoch(number: i64) -> KeyEpoch {
    KeyEpoch::new(number).unwrap()
}

pub(crate) fn content(text: impl Into<Arc<str>>) -> EncryptedContent {
    EncryptedContent::new(text, CONTENT_LIMIT).unwrap()
}

pub(crate) fn display_name(text: &str) -> DisplayName {
    DisplayName::new(text).unwrap()
}

pub(crate) fn group_name(text: &str) -> GroupName {
    GroupName::new(text).unwrap()
}

pub(crate) fn username(text: &str) -> Username {
    Username::new(text).unwrap()
}

pub(crate) fn client_id(text: &str) -> ClientMessageId {
    ClientMessageId::new(text).unwrap()
}

/// A moment with microseconds, so that lost precision shows.
pub(crate) fn moment(offset_micros: i64) -> Timestamp {
    Timestamp::from_micros(1_705_314_600_123_457 + offset_micros)
}

/// Names that a careless store changes: other scripts, combining marks, what looks like SQL, the longest one.
pub(crate) fn hard_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "Nguyễn Văn A",
        "Nguye\u{302}\u{303}n Va\u{306}n A",
        "O'Brien \"the\" \\ %_? $1 ; -- /* */",
        " leading and trailing ",
        "👩‍👩‍👧‍👦 \u{202e}abc",
        "123",
        "null",
        "\u{feff}x\u{fffe}\u{10ffff}",
    ]
    .map(String::from)
    .into();
    names.push("ỗ".repeat(85));
    names
}
