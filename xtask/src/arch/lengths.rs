//! A source file fits one head: a warning past 400 lines, a violation past 500.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

const WARN_AT: usize = 400;
const STOP_AT: usize = 500;

/// A source file, named from the workspace's root, and its lines.
#[derive(Debug)]
pub(crate) struct SourceFile {
    path: PathBuf,
    lines: usize,
}

/// Every Rust file under the `src` of the members' directories, in the order of their names.
pub(crate) fn measure(root: &Path, members: &[&Path]) -> anyhow::Result<Vec<SourceFile>> {
    let mut folders: Vec<PathBuf> = members.iter().map(|member| member.join("src")).collect();
    folders.retain(|folder| folder.is_dir());
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text =
                    fs::read_to_string(&entry).with_context(|| format!("cannot read {}", entry.display()))?;
                files.push(SourceFile {
                    path: entry.strip_prefix(root).unwrap_or(&entry).to_path_buf(),
                    lines: text.lines().count(),
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("cannot list {}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        paths.push(entry.with_context(context)?.path());
    }
    Ok(paths)
}

/// The files that are getting long.
pub(crate) fn warnings(files: &[SourceFile]) -> Vec<String> {
    over(files, |lines| lines > WARN_AT && lines <= STOP_AT, WARN_AT)
}

/// The files that are too long.
pub(crate) fn violations(files: &[SourceFile]) -> Vec<String> {
    over(files, |lines| lines > STOP_AT, STOP_AT)
}

fn over(files: &[SourceFile], too_long: impl Fn(usize) -> bool, limit: usize) -> Vec<String> {
    files
        .iter()
        .filter(|file| too_long(file.lines))
        .map(|file| {
            format!(
                "{} has {} lines, more than {limit}",
                file.path.display(),
                file.lines
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::{SourceFile, measure, violations, warnings};

    #[test]
    fn the_sources_of_every_member_are_measured_once() {
        let root = std::env::temp_dir().join(format!("xtask-lengths-{}", std::process::id()));
        let members = [root.join("tool"), root.join("tool/inner"), root.join("bare")];
        for (path, text) in [
            ("tool/src/deep/a.rs", "1\n2\n"),
            ("tool/inner/src/b.rs", "1\n"),
            ("tool/inner/src/b.txt", ""),
            ("tool/tests/c.rs", ""),
            ("bare/Cargo.toml", ""),
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files = measure(&root, &members.each_ref().map(PathBuf::as_path)).unwrap();
        fs::remove_dir_all(&root).unwrap();
        let found: Vec<_> = files
            .iter()
            .map(|file| (file.path.to_str().unwrap(), file.lines))
            .collect();
        assert_eq!(found, [("tool/inner/src/b.rs", 1), ("tool/src/deep/a.rs", 2)]);
    }

    #[test]
    fn a_long_file_is_warned_of_and_a_longer_one_is_a_violation() {
        let file = |lines| SourceFile {
            path: "crates/x/src/lib.rs".into(),
            lines,
        };
        let files = [file(400), file(401), file(500), file(501)];
        assert_eq!(
            warnings(&files),
            [
                "crates/x/src/lib.rs has 401 lines, more than 400",
                "crates/x/src/lib.rs has 500 lines, more than 400"
            ]
        );
        assert_eq!(
            violations(&files),
            ["crates/x/src/lib.rs has 501 lines, more than 500"]
        );
    }
}
