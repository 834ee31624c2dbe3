//! What removes the cluster also when the process that started it is killed.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

/// Waits for the end of its input, which comes with the end of whoever holds the other end, however that came
/// about. Then it stops the server, if one still runs in the directory `$1`, and removes the directory.
///
/// A process id of a server that crashed may belong to another process by now: on Linux the directory that it
/// works in tells. A stopped server stops its children, by force after 5 s, also when they are paused.
const SCRIPT: &str = r#"
cat > /dev/null
pid=$(sed -n 1p "$1/data/postmaster.pid" 2> /dev/null)
case $pid in *[!0-9]*) pid= ;; esac
if [ -n "$pid" ] && [ -d /proc/self ] && ! [ "/proc/$pid/cwd" -ef "$1/data" ]; then pid=; fi
if [ -n "$pid" ]; then
    kill -s CONT "$pid"
    kill -s QUIT "$pid"
    tries=0
    while kill -0 "$pid" && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -s KILL "$pid"
fi
rm -rf "$1"
"#;

/// Removes a cluster when it is dropped, or when this process ends in any way.
///
/// Not the kernel's signal at the death of the parent: that comes with the end of the thread that started the
/// server, and only on Linux.
#[derive(Debug)]
pub(crate) struct Guard {
    watcher: Child,
}

impl Guard {
    /// Guards the cluster in this directory, in which no server needs to run yet.
    pub(crate) fn start(directory: &Path) -> anyhow::Result<Self> {
        let watcher = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C ends the group of the terminal, and not what cleans up after it.
            .process_group(0)
            .spawn()
            .context("cannot start the shell that removes the cluster")?;
        Ok(Self { watcher })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Waiting closes its input first.
        let _ = self.watcher.wait();
    }
}
