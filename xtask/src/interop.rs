//! The packages of the programs that play against the server in its tests.

use cargo_metadata::Metadata;

use crate::{
    packages::{self, Scripts},
    tools,
};

/// The Node client, from the workspace's root.
const NODE: &str = "crates/server/tests/interop/node";
/// What Python runs: who it is for, its requirements, and its virtual environment in the target directory, where the
/// tests of `server` look for it.
const PYTHON: [(&str, &str, &str); 2] = [
    (
        "the Python client",
        "crates/server/tests/interop/python/requirements.txt",
        "interop-venv",
    ),
    (
        "schemathesis",
        "crates/server/tests/schemathesis/requirements.txt",
        "schemathesis-venv",
    ),
];

/// Installs the packages where they are missing or not those of the lock files.
pub(crate) fn install(metadata: &Metadata) -> anyhow::Result<()> {
    let root = metadata.workspace_root.as_std_path();
    tools::need_node_and_python()?;
    packages::install_node("the Node client", &root.join(NODE), Scripts::Skip)?;
    for (whose, requirements, venv) in PYTHON {
        let venv = metadata.target_directory.as_std_path().join(venv);
        packages::install_python(whose, &venv, &root.join(requirements))?;
    }
    Ok(())
}
