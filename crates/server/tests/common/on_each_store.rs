//! One test for each store.

/// Makes two tests of `async fn NAME(store: Store)`: `NAME::sqlite` and `NAME::postgres`. Stands above it as
/// `#[tokio::test]` would: `on_each_store!(NAME)`, or with threads of its own `on_each_store!(NAME, worker_threads = 2)`.
macro_rules! on_each_store {
    ($test:ident $(, worker_threads = $threads:tt)?) => {
        mod $test {
            use $crate::common::Store;

            #[tokio::test $((flavor = "multi_thread", worker_threads = $threads))?]
            async fn sqlite() {
                super::$test(Store::Sqlite).await;
            }

            #[tokio::test $((flavor = "multi_thread", worker_threads = $threads))?]
            async fn postgres() {
                super::$test(Store::Postgres).await;
            }
        }
    };
}
