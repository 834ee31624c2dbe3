//! Runs one property.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Past this a property hangs. Far more than any takes, also on a slow disk.
const DEADLINE: Duration = Duration::from_mins(2);

/// Runs a property on a runtime with one thread, as `#[tokio::test]` does.
#[doc(hidden)]
pub fn run_current_thread(property: impl Future<Output = ()>) {
    run(
        &Builder::new_current_thread().enable_all().build().unwrap(),
        property,
    );
}

/// Runs a property on a runtime with two worker threads.
#[doc(hidden)]
pub fn run_multi_thread(property: impl Future<Output = ()>) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    run(&runtime, property);
}

fn run(runtime: &Runtime, property: impl Future<Output = ()>) {
    runtime.block_on(async {
        tokio::time::timeout(DEADLINE, property)
            .await
            .expect("the property hangs");
    });
}
