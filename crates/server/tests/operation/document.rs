//! The pages of the documentation.

use std::{fs, path::Path};

/// The top of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the tables with this first column, without code marks.
pub(crate) fn table(document: &str, header: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let mut rows = Vec::new();
    let mut lines = text.lines();
    while lines
        .by_ref()
        .any(|line| line.starts_with(&format!("| {header} |")))
    {
        let found = lines.by_ref().skip(1).take_while(|line| line.starts_with('|'));
        rows.extend(found.map(|row| {
            let cells = row.trim_matches('|').split(" |");
            cells
                .map(|cell| cell.replace('`', "").trim().to_owned())
                .collect::<Vec<_>>()
        }));
    }
    assert!(!rows.is_empty(), "{document} has no table of {header}");
    rows
}

/// The only code block of a language.
pub(crate) fn block(document: &str, language: &str) -> String {
    let text = read(document);
    let blocks: Vec<_> = text.split(&format!("```{language}\n")).skip(1).collect();
    assert_eq!(blocks.len(), 1, "{document}: blocks of {language}");
    blocks[0].split("```").next().unwrap().to_owned()
}
