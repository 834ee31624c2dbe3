//! Calls of ports that may be a host's own code.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use sealroom_domain::ports::StoreError;

/// A call whose panic is a failure like any other: it must not take the pump along.
pub(crate) async fn unwinding<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(result) => result,
        Err(_panic) => Err(StoreError::internal("the adapter panicked")),
    }
}
