//! The log, on stderr.

use std::{
    io::{self, IsTerminal},
    panic::PanicHookInfo,
};

use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt as _, ParseError, filter_fn},
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

use crate::settings::LogFormat;

/// Crates that log tokens and packets below `warn`.
const TOO_TALKATIVE: [&str; 2] = ["socketioxide", "engineioxide"];

/// Sends the log of this process to stderr: what `filter` lets through, except that socketioxide and engineioxide,
/// which would log tokens and contents, never say anything below `warn`.
///
/// Panics are logged by their place alone. `filter` is in the syntax of [`EnvFilter`]. `traces` takes spans besides,
/// whatever the filter says. Fails where the filter is wrong, or where the process has a log already.
pub fn init(filter: &str, format: LogFormat, traces: Option<BoxedLayer>) -> Result<(), LogError> {
    let layer = layer(filter, format, io::stderr, is_colourful())?;
    let layers: Vec<BoxedLayer> = [layer].into_iter().chain(traces).collect();
    tracing_subscriber::registry().with(layers).try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What takes log lines, or spans.
pub type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// A panic's place, without its text: that may hold what a client sent.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(location, "a task panicked");
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter is wrong.
    #[error("the log filter is not valid")]
    Filter(#[from] ParseError),
    /// There is one.
    #[error("the process has a log already")]
    Taken(#[from] TryInitError),
}

pub(crate) fn filter(text: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(text)
}

/// Colours are for people: on a terminal, where nobody objects (no-color.org).
fn is_colourful() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn layer<W>(filter_text: &str, format: LogFormat, writer: W, ansi: bool) -> Result<BoxedLayer, ParseError>
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(ansi);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // One filter of both, not one around the other: what either lets through would be made, and then dropped.
    let filter = filter(filter_text)?.and(filter_fn(is_discreet));
    Ok(lines.with_filter(filter).boxed())
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let is_talkative = TOO_TALKATIVE
        .iter()
        .any(|name| metadata.target().starts_with(name));
    !is_talkative || *metadata.level() <= LevelFilter::WARN
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, ansi: bool) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = layer(filter, format, move || writer.clone(), ansi).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::debug!(target: "sealroom_engine", user = 7, "ours");
            tracing::trace!(target: "socketioxide::socket", "token-canary");
            tracing::info!(target: "engineioxide", "token-canary");
            tracing::info!(target: "socketioxide_core::packet", "token-canary");
            tracing::warn!(target: "engineioxide", "their warning");
        });
        String::from_utf8(sink.0.lock().clone()).unwrap()
    }

    #[test]
    fn talkative_crates_are_kept_quiet_whatever_the_filter_says() {
        for filter in ["trace", "debug,socketioxide=trace,engineioxide=trace"] {
            let text = logged(filter, LogFormat::Text, false);
            assert!(!text.contains("canary"), "{text}");
            assert!(text.contains("ours") && text.contains("their warning"), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
        assert!(logged("trace", LogFormat::Text, true).contains('\u{1b}'));
        assert!(!logged("info", LogFormat::Text, false).contains("ours"));
        assert_eq!(logged("off", LogFormat::Text, false), "");
    }

    #[test]
    fn json_is_an_object_on_each_line() {
        let text = logged("trace", LogFormat::Json, true);
        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(
                object["target"].is_string() && object["message"].is_string(),
                "{line}"
            );
        }
    }
}
