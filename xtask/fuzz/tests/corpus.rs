//! Every committed input, on the stable toolchain: it takes no fuzzer to see that what was a defect is none any more.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use xtask_fuzz::{TARGETS, Target, Verdict};

/// An input takes microseconds, or a few milliseconds without optimisation. What takes this long hangs.
const MOST: Duration = Duration::from_secs(10);
/// Seeds are for people to read, and for every clone to hold.
const MOST_BYTES: u64 = 9 * 1024;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// What went wrong with an input.
fn replay(target: Target, input: Vec<u8>, panics: &Mutex<Vec<String>>) -> Result<Verdict, String> {
    panics.lock().unwrap().clear();
    let (done, waiting) = channel();
    let thread = thread::spawn(move || {
        // Nobody waits where it took too long.
        let _ = done.send((target.run)(&input));
    });
    let verdict = match waiting.recv_timeout(MOST) {
        Err(RecvTimeoutError::Timeout) => return Err(format!("more than {MOST:?}")),
        other => other.ok(),
    };
    // It has panicked, or is at its end.
    let _ = thread.join();
    // Also of tasks, whose panics their runtime catches.
    let panic = panics.lock().unwrap().first().cloned();
    match (panic, verdict) {
        (None, Some(verdict)) => Ok(verdict),
        (panic, _) => Err(panic.unwrap_or_default()),
    }
}

#[test]
fn every_committed_input_keeps_the_promises() {
    let panics = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&panics);
    std::panic::set_hook(Box::new(move |panic| {
        seen.lock().unwrap().push(panic.to_string());
    }));
    let mut failures = Vec::new();
    for target in TARGETS {
        let folder = folder().join(target.name);
        let mut verdicts = Vec::new();
        for name in names(&folder) {
            let input = fs::read(folder.join(&name)).unwrap();
            match replay(*target, input, &panics) {
                Ok(verdict) => verdicts.push(verdict),
                Err(failure) => failures.push(format!("{}/{name}: {failure}", target.name)),
            }
        }
        // A target that takes nothing, or everything, sees nothing.
        for verdict in [Verdict::Accepted, Verdict::Refused] {
            if !verdicts.contains(&verdict) {
                failures.push(format!("{}: no input is {verdict:?}", target.name));
            }
        }
    }
    drop(std::panic::take_hook());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_target_has_inputs_and_every_folder_a_target() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "two targets have one name");
    assert_eq!(names(&folder()), targets);
    for target in &targets {
        let folder = folder().join(target);
        let inputs = names(&folder);
        assert!(inputs.len() >= 10, "{target} has {} inputs", inputs.len());
        for input in inputs {
            let bytes = fs::metadata(folder.join(&input)).unwrap().len();
            assert!(bytes <= MOST_BYTES, "{target}/{input} has {bytes} bytes");
        }
    }
}

#[test]
fn every_target_has_a_program() {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("driver");
    let manifest = fs::read_to_string(driver.join("Cargo.toml")).unwrap();
    let mut programs = BTreeSet::new();
    for target in TARGETS {
        let name = target.name;
        let program = fs::read_to_string(driver.join(format!("bins/{name}.rs"))).unwrap();
        assert!(
            program.contains(&format!("xtask_fuzz::targets::{name}(data);")),
            "{program}"
        );
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"bins/{name}.rs\"\n")));
        programs.insert(format!("{name}.rs"));
    }
    assert_eq!(names(&driver.join("bins")), programs);
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}
