//! Marks in everything that a client sends, and where they may be found.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::common::TestServer;

/// What every mark begins with.
pub(super) const CANARY: &str = "canary-";
/// In contents that are stored.
pub(super) const KEPT: &str = "canary-content-kept";
/// In contents that are refused.
pub(super) const REFUSED: &str = "canary-content-refused";
/// In tokens.
pub(super) const TOKEN: &str = "canary-token";
/// In passwords.
pub(super) const PASSWORD: &str = "canary-password";
/// In names of groups and users.
pub(super) const NAME: &str = "canary-name";
/// In what belongs nowhere: paths, queries, keys, events.
pub(super) const JUNK: &str = "canary-junk";

/// How the parts of a JWT begin: `{"alg"`, `{"typ"`, `{"user_id"`.
const JWT: [&str; 3] = ["eyJhbGci", "eyJ0eXAi", "eyJ1c2Vy"];

/// A content that has a mark and every kind of character that something might change.
pub(super) fn content(number: usize) -> String {
    format!("{KEPT}-{number} \"\\/\n\t\u{7f}\u{e9}e\u{301}\u{1f512}\u{202e}\u{ffff} %41 &amp; \\u0041")
}

/// How a text may stand somewhere: as it is, in base64, in hexadecimal digits, and as Rust prints bytes.
pub(super) fn forms(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let hex = hex(bytes);
    let list: Vec<_> = bytes.iter().map(ToString::to_string).collect();
    let mut forms = vec![text.to_owned(), hex.to_uppercase(), hex, list.join(", ")];
    for shift in 0..3 {
        let encoded = STANDARD.encode([&vec![0; shift], bytes].concat());
        // Without the characters that hold bits of the neighbours.
        let (begin, end) = ((shift * 8).div_ceil(6), (shift + bytes.len()) * 8 / 6);
        forms.push(encoded[begin..end].to_owned());
    }
    forms
}

/// In small hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Fails where any of these stands in it, in any form; so do tokens.
pub(super) fn check<S: AsRef<str>>(place: &str, text: &[u8], secrets: impl IntoIterator<Item = S>) {
    // What is no text beside a mark does not change the mark.
    let text = String::from_utf8_lossy(text);
    let marks = secrets.into_iter().flat_map(|secret| forms(secret.as_ref()));
    for mark in marks.chain(JWT.map(ToOwned::to_owned)) {
        if let Some((before, after)) = text.split_once(&mark) {
            let before: String = before.chars().rev().take(300).collect();
            let before: String = before.chars().rev().collect();
            let after: String = after.chars().take(100).collect();
            panic!("{mark} is in {place}: {before}{mark}{after}");
        }
    }
}

/// Where it stands first.
pub(super) fn find(text: &[u8], mark: &str) -> Option<usize> {
    // The first byte decides nearly always, and is looked for quickly.
    let (first, rest) = mark.as_bytes().split_first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| byte == first) {
        from += at + 1;
        if text[from..].starts_with(rest) {
            return Some(from - 1);
        }
    }
    None
}

/// What a server has stored, by the names of its files or tables.
pub(super) async fn stored(server: &TestServer) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for file in fs::read_dir(server.data_dir.path()).unwrap() {
        let path = file.unwrap().path();
        assert!(path.is_file(), "{}", path.display());
        all.push((path.display().to_string(), fs::read(&path).unwrap()));
    }
    let Some(database) = server.database() else {
        assert!(
            all.iter().any(|(name, _)| name.ends_with("sealroom.db")),
            "{all:?}"
        );
        return all;
    };
    let client = database.client().await;
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    for table in client.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        let rows = client
            .query(&format!("SELECT t::text FROM \"{table}\" t"), &[])
            .await
            .unwrap();
        let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        all.push((table, rows.join("\n").into_bytes()));
    }
    assert!(all.len() > 8, "there are more tables than {}", all.len());
    all
}

#[test]
fn every_form_of_a_mark_is_found() {
    for text in [
        "xcanary-token".to_owned(),
        format!("{:?}", b"canary-token"),
        format!("{:?}", b"canary-token".to_vec()),
        STANDARD.encode("canary-token"),
        STANDARD.encode("xcanary-token"),
        STANDARD.encode("xxcanary-tokenx"),
        STANDARD.encode("{\"a\":\"canary-token\"}"),
        "63616e6172792d746f6b656e".to_owned(),
        "63616E6172792D746F6B656E".to_owned(),
    ] {
        let is_found = forms(TOKEN)
            .iter()
            .any(|form| find(text.as_bytes(), form).is_some());
        assert!(is_found, "{text}");
    }
    assert_eq!(find(b"cacanarycanary-", CANARY), Some(8));
    assert_eq!(find(b"canary", CANARY), None);
}
