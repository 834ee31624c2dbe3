//! The rows that there are, and what becomes of each.

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// Played on both stores by the function of this name.
    Played(&'static str),
    /// Not played here, and why.
    NotPlayed(&'static str),
}

/// The sections and how many rows each has, numbered from 1.
const SECTIONS: [(&str, usize); 9] = [
    ("HS", 25),
    ("PL", 15),
    ("PR", 22),
    ("AZ", 17),
    ("RS", 16),
    ("ST", 19),
    ("PV", 7),
    ("CO", 4),
    ("TL", 6),
];

/// Makes the rows of a section: `"ID" => function` for one that is played, with the settings of its server behind
/// `with` where it needs any, and `"ID": "reason"` for one that is not. A function is `async fn(&mut Target)`; two
/// tests come of it, `function::sqlite` and `function::postgres`.
macro_rules! rows {
    (
        played { $($id:literal => $row:ident $(with $settings:expr)?,)* }
        not_played { $($other:literal: $reason:literal,)* }
    ) => {
        pub(crate) const ROWS: &[(&str, $crate::table::Row)] = &[
            $(($id, $crate::table::Row::Played(stringify!($row))),)*
            $(($other, $crate::table::Row::NotPlayed($reason)),)*
        ];
        $(
            mod $row {
                use $crate::{common::Store, target::play};

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    play(Store::Sqlite, rows!(@settings $($settings)?), async |target| super::$row(target).await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    play(Store::Postgres, rows!(@settings $($settings)?), async |target| super::$row(target).await).await;
                }
            }
        )*
    };
    (@settings) => { &[] };
    (@settings $settings:expr) => { &$settings };
}

#[test]
fn every_row_is_there_once() {
    let rows = [crate::handshake::ROWS, crate::payload::ROWS].concat();
    let mut expected: Vec<String> = SECTIONS
        .iter()
        .flat_map(|(section, rows)| (1..=*rows).map(move |number| format!("{section}-{number}")))
        .collect();
    let mut found: Vec<String> = rows.iter().map(|(id, _)| (*id).to_owned()).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    for (id, row) in rows {
        match row {
            Row::Played(function) => {
                let begin = format!("{}_", id.to_lowercase().replace('-', "_"));
                assert!(function.starts_with(&begin), "{id} is played by {function}");
            }
            Row::NotPlayed(reason) => assert!(reason.len() > 20, "{id}: {reason}"),
        }
    }
}
