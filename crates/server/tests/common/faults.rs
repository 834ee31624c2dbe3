//! A disk that fails and a clock that jumps, for one server under test.
//!
//! A library in C that is loaded in front of libc does what no test can do from outside. Whoever runs the tests has a C
//! compiler: SQLite is built with it.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

/// What the library is told: each a number in the file that it maps.
const SYNC_ERROR: u64 = 0;
const WRITE_ERROR: u64 = 1;
const CLOCK_AHEAD: u64 = 2;
const SYNC_MILLIS: u64 = 3;
const SYNCS: u64 = 4;
const ORDERS: u64 = 5;

/// Errors of system calls as Linux numbers them.
pub(crate) const EIO: i64 = 5;
pub(crate) const ENOSPC: i64 = 28;
pub(crate) const EROFS: i64 = 30;
pub(crate) const EDQUOT: i64 = 122;

/// The faults of one server, and of all of its starts. None at first.
pub(crate) struct Faults {
    directory: TempDir,
    orders: File,
}

impl Faults {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("orders");
        let orders = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .unwrap();
        orders.set_len(ORDERS * 8).unwrap();
        Self { directory, orders }
    }

    /// What makes a server obey: variables of its environment. The faults concern files whose path holds this text.
    pub(crate) fn environment(&self, files: &str) -> [(&'static str, String); 3] {
        let orders = self.directory.path().join("orders");
        [
            ("LD_PRELOAD", text(library())),
            ("FAULTS_ORDERS", text(&orders)),
            ("FAULTS_FILES", files.to_owned()),
        ]
    }

    /// From now on `fsync` and `fdatasync` fail with this error; 0: no more.
    pub(crate) fn fail_syncs(&self, error: i64) {
        self.order(SYNC_ERROR, error);
    }

    /// From now on writing fails with this error; 0: no more.
    pub(crate) fn fail_writes(&self, error: i64) {
        self.order(WRITE_ERROR, error);
    }

    /// Sets the wall clock ahead, or back.
    pub(crate) fn set_clock_ahead(&self, seconds: i64) {
        self.order(CLOCK_AHEAD, seconds);
    }

    /// Makes each `fsync` and `fdatasync` take this long.
    pub(crate) fn slow_syncs(&self, millis: i64) {
        self.order(SYNC_MILLIS, millis);
    }

    /// How many of them there were.
    pub(crate) fn syncs(&self) -> u64 {
        let mut number = [0; 8];
        self.orders.read_exact_at(&mut number, SYNCS * 8).unwrap();
        u64::from_ne_bytes(number)
    }

    fn order(&self, number: u64, value: i64) {
        self.orders
            .write_all_at(&value.to_ne_bytes(), number * 8)
            .unwrap();
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The library, built once for each process of tests: several may build it at once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/faults.c");
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (built, library) = (
            directory.join(format!("faults-{}.so", std::process::id())),
            directory.join("faults.so"),
        );
        let arguments = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"].map(OsStr::new);
        let output = Command::new("cc")
            .args(arguments)
            .args([built.as_os_str(), source.as_os_str()])
            .output()
            .unwrap_or_else(|error| panic!("this test needs a C compiler as `cc`: {error}"));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::rename(&built, &library).unwrap();
        library
    })
}
