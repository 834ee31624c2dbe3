//! What orchestrators ask.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use utoipa::openapi;

use crate::{
    READINESS_FRESH, READINESS_LIMIT, Readiness,
    openapi::{Describe, Routes, Spec, Words},
};

pub(crate) fn routes() -> Routes<Arc<ReadinessGate>> {
    Routes::new("Probes", "")
        .get(
            "/healthz",
            healthz,
            Words {
                id: "isAlive",
                does: "Whether the process serves",
                details: "",
                refuses: &[],
            },
        )
        .get(
            "/readyz",
            readyz,
            Words {
                id: "isReady",
                does: "Whether the server can do its work",
                details: "The store was asked within the last 250 ms, or is asked now.",
                refuses: &[],
            },
        )
}

/// The process serves.
async fn healthz() -> Alive {
    Alive
}

/// The process can do its work.
async fn readyz(State(gate): State<Arc<ReadinessGate>>) -> Ready {
    Ready(gate.is_ready().await)
}

struct Alive;

struct Ready(bool);

impl IntoResponse for Alive {
    fn into_response(self) -> Response {
        "ok\n".into_response()
    }
}

impl IntoResponse for Ready {
    fn into_response(self) -> Response {
        if self.0 {
            "ready\n".into_response()
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
        }
    }
}

impl Describe for Alive {
    fn describe(spec: &mut Spec) {
        spec.answer(StatusCode::OK, text("It does."));
    }
}

impl Describe for Ready {
    fn describe(spec: &mut Spec) {
        spec.answer(StatusCode::OK, text("It can."));
        spec.answer(StatusCode::SERVICE_UNAVAILABLE, text("It cannot."));
    }
}

fn text(description: &str) -> openapi::Response {
    let mut answer = openapi::Response::new(description);
    let schema = openapi::ObjectBuilder::new().schema_type(openapi::schema::Type::String);
    let content = openapi::Content::new(Some(schema));
    answer.content.insert("text/plain".to_owned(), content.into());
    answer
}

/// Keeps the store from being asked more often than an answer lasts, however many ask.
#[derive(Debug)]
pub(crate) struct ReadinessGate {
    readiness: Arc<dyn Readiness>,
    /// Held while the question is open: whoever comes meanwhile waits for the same answer.
    last: Mutex<Option<Answer>>,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    asked_at: Instant,
    ready: bool,
}

impl ReadinessGate {
    pub(crate) fn new(readiness: Arc<dyn Readiness>) -> Self {
        Self {
            readiness,
            last: Mutex::new(None),
        }
    }

    async fn is_ready(&self) -> bool {
        let arrived = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(answer) = *last
            // Fresh when the question came in; how long it then waited for the answer does not make it older.
            && arrived.saturating_duration_since(answer.asked_at) < READINESS_FRESH
        {
            return answer.ready;
        }
        let asked_at = Instant::now();
        let ready = timeout(READINESS_LIMIT, self.readiness.check())
            .await
            .unwrap_or(false);
        *last = Some(Answer { asked_at, ready });
        ready
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicUsize, Ordering},
        time::Duration,
    };

    use async_trait::async_trait;
    use tokio::{join, time::sleep};

    use super::*;

    #[derive(Debug, Default)]
    struct Store {
        takes: Duration,
        down: AtomicBool,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Readiness for Store {
        async fn check(&self) -> bool {
            self.asked.fetch_add(1, Ordering::SeqCst);
            sleep(self.takes).await;
            !self.down.load(Ordering::SeqCst)
        }
    }

    fn gate(takes: Duration) -> (Arc<Store>, ReadinessGate) {
        let store = Arc::new(Store {
            takes,
            ..Store::default()
        });
        (store.clone(), ReadinessGate::new(store))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_used_for_a_quarter_of_a_second() {
        let (store, gate) = gate(Duration::ZERO);
        assert!(gate.is_ready().await);
        store.down.store(true, Ordering::SeqCst);
        sleep(Duration::from_millis(249)).await;
        assert!(gate.is_ready().await);
        assert_eq!(store.asked.load(Ordering::SeqCst), 1);
        sleep(Duration::from_millis(1)).await;
        assert!(!gate.is_ready().await);
        assert_eq!(store.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_meanwhile_share_one_question() {
        let (store, gate) = gate(Duration::from_millis(900));
        let later = async {
            sleep(Duration::from_millis(200)).await;
            gate.is_ready().await
        };
        assert_eq!(join!(gate.is_ready(), gate.is_ready(), later), (true, true, true));
        assert_eq!(store.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_without_an_answer_is_given_up() {
        let (store, gate) = gate(Duration::from_hours(1));
        let began = Instant::now();
        assert!(!gate.is_ready().await);
        assert_eq!(began.elapsed(), READINESS_LIMIT);
        assert_eq!(store.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_goes_away_holds_up_nobody() {
        let (store, gate) = gate(Duration::from_millis(500));
        let impatient = timeout(Duration::from_millis(100), gate.is_ready());
        assert!(impatient.await.is_err());
        assert!(gate.is_ready().await);
        assert_eq!(store.asked.load(Ordering::SeqCst), 2);
    }
}
