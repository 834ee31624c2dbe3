//! The server as a whole, from its settings to its end.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use sealroom_domain::ports::TokenVerifier;
use sealroom_engine::{AccountOptions, AccountParts, AccountService, Chat, ChatOptions, Ports};
use sealroom_hooks::Hooks;
use sealroom_http::{HttpOptions, HttpParts, Readiness};
use sealroom_persistence::OpenError;
use sealroom_realtime::{AllowedOrigins, Realtime, RealtimeOptions};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::{
    data_dir::{DataDir, DataDirError},
    listen::{Connections, ListenOptions, ServerTls, TlsError, serve_connections},
    metrics,
    settings::{SettingError, Settings},
    store::Store,
    tokens::{self, TokenSetupError},
    webhooks::{self, WebhookError},
};

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Its settings do not fit together.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Its data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Its database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Its tokens cannot be verified.
    #[error(transparent)]
    Tokens(#[from] TokenSetupError),
    /// Webhooks cannot be sent.
    #[error(transparent)]
    Webhooks(#[from] WebhookError),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It ran, and its disk failed.
    #[error(transparent)]
    Disk(#[from] DiskFailed),
}

/// The disk of the database failed. What was acknowledged is there; what is on the disk of what was not is known after
/// another start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the disk of the database failed; look at it, and start again")]
pub struct DiskFailed;

/// How long what was begun may take to be answered at shutdown.
const FINISH: Duration = Duration::from_secs(5);
/// How long answers may take to leave before the transports go.
const LAST_PACKETS: Duration = Duration::from_millis(300);
/// How long connections may take to end by themselves.
const HANG_UP: Duration = Duration::from_secs(3);
/// How long the store may take to write everything back.
const WRITE_BACK: Duration = Duration::from_secs(3);
/// How long blocking work of the runtime may go on after the server has ended.
pub(crate) const LAST_WORK: Duration = Duration::from_secs(1);
/// The steps of a shutdown end within 15 s, also where each of them takes all of its time.
const _: () = {
    let draining = FINISH.as_millis() + LAST_PACKETS.as_millis() + Realtime::RECONNECT_WITHIN.as_millis();
    assert!(
        Hooks::CLOSE_WITHIN.as_millis() <= draining,
        "the webhooks end meanwhile"
    );
    let steps = draining + HANG_UP.as_millis() + WRITE_BACK.as_millis() + LAST_WORK.as_millis();
    assert!(steps < 14_500, "half a second is for what lies between");
};

/// Live events of other servers on the same database follow within 2 s; this leaves half a second for reading them.
const LOOK_FOR_OTHERS: Duration = Duration::from_millis(1500);

/// How long the store may take to tell that it works.
const PING: Duration = Duration::from_millis(900);

/// Runs a server on `listener` until `shutdown` is cancelled. Returns within 15 s after that.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    Server::open(settings).await?.serve(listener, shutdown).await?;
    Ok(())
}

/// A server that is ready to serve: it holds its data directory, and its database is up to date.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    store: Store,
    chat: Arc<Chat>,
    realtime: Arc<Realtime>,
    hooks: Option<Hooks>,
    tls: Option<ServerTls>,
    router: Router,
    /// Those of the clients.
    connections: Connections,
    /// Held until the end.
    _data_dir: DataDir,
}

impl Server {
    /// Takes the data directory, migrates the database and puts the parts together.
    pub async fn open(settings: Settings) -> Result<Self, RunError> {
        settings.validate()?;
        let tls = settings.tls_files().map(ServerTls::read).transpose()?;
        let data_dir = DataDir::open(&settings.data_dir)?;
        let verifier: Arc<dyn TokenVerifier> = Arc::new(tokens::verifier(&settings)?);
        let store = Store::open(&settings.database(), settings.webhook_url.is_some()).await?;
        let ports = Ports {
            accounts: settings.accounts.then(|| store.accounts()),
            ..store.ports()
        };
        let chat = Chat::start(ports, chat_options(&settings, &store));
        let hooks = webhooks::start(&settings, &store, store.ports(), &chat)?;
        let accounts = accounts(&settings, &store, &chat)?;
        let realtime = Realtime::start(chat.clone(), verifier.clone(), realtime_options(&settings));
        let realtime = Arc::new(realtime);
        let router = sealroom_http::router(HttpParts {
            chat: chat.clone(),
            verifier,
            accounts,
            readiness: Arc::new(ServerReadiness {
                store: store.clone(),
                chat: chat.clone(),
                realtime: realtime.clone(),
            }),
            options: http_options(&settings),
        });
        let router = router
            .layer(realtime.layer())
            .layer(transport_security(tls.is_some()))
            .layer(middleware::from_fn(one_host));
        // Only now: a start that fails says one line.
        settings.log_notices();
        Ok(Self {
            settings,
            store,
            chat,
            realtime,
            hooks,
            tls,
            router,
            connections: Connections::default(),
            _data_dir: data_dir,
        })
    }

    /// What sets the metrics that are a level, for [`crate::metrics::Recorder`].
    pub(crate) fn observe_metrics(&self) -> impl Fn() + Send + Sync + 'static {
        metrics::describe();
        let (chat, realtime) = (Arc::downgrade(&self.chat), Arc::downgrade(&self.realtime));
        let (connections, data_dir) = (self.connections.clone(), self.settings.data_dir.clone());
        move || {
            metrics::observe_connections(
                connections.count(),
                connections.refused(),
                connections.sent_bytes(),
            );
            metrics::observe_data_dir(&data_dir);
            metrics::observe_tasks();
            if let Some(chat) = chat.upgrade() {
                chat.observe_metrics();
                metrics::observe_draining(chat.is_draining());
            }
            if let Some(realtime) = realtime.upgrade() {
                realtime.observe_metrics();
            }
        }
    }

    /// Serves until `shutdown` is cancelled; then refuses new sessions, answers what was begun, tells the clients and
    /// closes their transports, so that they come back by themselves, and stops accepting. It does the same by itself
    /// where the disk of the database fails.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), DiskFailed> {
        let shutdown = shutdown.child_token();
        let connections = self.connections.clone();
        let options = ListenOptions {
            tls: self.tls.clone(),
            connections: connections.clone(),
            ..self.settings.listen_options()
        };
        // Not `shutdown` itself: until the drain is over, health checks and polling clients are still answered.
        let stop_accepting = CancellationToken::new();
        let accepting = serve_connections(listener, self.router, options, stop_accepting.clone());
        let draining = async {
            shutdown.cancelled().await;
            drain(&self.realtime, &self.chat).await;
            stop_accepting.cancel();
        };
        // At once: what it has not told by then stays in the outbox, for the next start.
        let telling = async {
            shutdown.cancelled().await;
            if let Some(hooks) = &self.hooks {
                hooks.close().await;
            }
        };
        let watching_disk = async {
            let failed = shutdown.run_until_cancelled(self.store.disk_failed()).await;
            if failed.is_some() {
                tracing::error!(
                    "the disk of the database failed: nothing is written any more, and the server stops"
                );
                shutdown.cancel();
            }
            failed
        };
        let following = async {
            if let Some(tls) = &self.tls {
                shutdown.run_until_cancelled(tls.follow()).await;
            }
        };
        let ((), (), (), (), disk_failed) =
            tokio::join!(accepting, draining, telling, following, watching_disk);

        if !connections.wait_idle(Instant::now() + HANG_UP).await {
            let killed = connections.kill_all();
            tracing::warn!(killed, "connections did not end by themselves");
        }
        match timeout(WRITE_BACK, self.store.close()).await {
            Ok(Ok(())) => tracing::info!("stopped"),
            Ok(Err(error)) => tracing::warn!(cause = %error, "the database was not closed cleanly"),
            Err(_elapsed) => tracing::warn!("the database did not close in time"),
        }
        disk_failed.map_or(Ok(()), |()| Err(DiskFailed))
    }
}

/// Ends the sockets: each is told, gets the answers that it waits for, and is closed.
async fn drain(realtime: &Realtime, chat: &Chat) {
    tracing::info!(sockets = realtime.sockets(), "draining");
    realtime.announce_drain();
    if timeout(FINISH, chat.drain()).await.is_err() {
        tracing::warn!("some requests had no answer in time");
    }
    sleep(LAST_PACKETS).await;
    realtime.close().await;
}

/// The built-in accounts, where they are on.
fn accounts(
    settings: &Settings,
    store: &Store,
    chat: &Arc<Chat>,
) -> Result<Option<Arc<AccountService>>, TokenSetupError> {
    if !settings.accounts {
        return Ok(None);
    }
    let parts = AccountParts {
        chat: chat.clone(),
        accounts: store.accounts(),
        credentials: Arc::new(tokens::credentials(settings)?),
    };
    Ok(Some(Arc::new(AccountService::new(
        parts,
        AccountOptions::default(),
    ))))
}

/// Browsers that once spoke TLS to the server itself go on to do so (RFC 6797). What a proxy in front says is its own
/// affair.
fn transport_security(has_tls: bool) -> SetResponseHeaderLayer<Option<HeaderValue>> {
    let year = HeaderValue::from_static("max-age=31536000");
    SetResponseHeaderLayer::overriding(header::STRICT_TRANSPORT_SECURITY, has_tls.then_some(year))
}

/// Two `Host` headers are refused (RFC 9112, section 3.2): a proxy in front may go by the other one than the check of
/// origins does. The HTTP library lets them through; the answer is like its own to a malformed head.
async fn one_host(request: Request, next: Next) -> Response {
    if request.headers().get_all(header::HOST).iter().nth(1).is_some() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    next.run(request).await
}

fn chat_options(settings: &Settings, store: &Store) -> ChatOptions {
    ChatOptions {
        lanes: store.lanes(),
        looks_for_others: store.is_shared().then_some(LOOK_FOR_OTHERS),
        limits: settings.limits.clone(),
        provision_users: settings.provision_users,
        retention: settings.retention,
        ..ChatOptions::default()
    }
}

fn allowed_origins(settings: &Settings) -> AllowedOrigins {
    if settings.allowed_origins.is_empty() {
        AllowedOrigins::SameOrigin
    } else {
        AllowedOrigins::List(settings.allowed_origins.clone())
    }
}

fn http_options(settings: &Settings) -> HttpOptions {
    HttpOptions {
        allowed_origins: allowed_origins(settings),
        ..HttpOptions::default()
    }
}

fn realtime_options(settings: &Settings) -> RealtimeOptions {
    RealtimeOptions {
        frame_bytes: settings.limit_frame_bytes,
        handshakes_per_address: settings.limit_handshakes_per_address,
        outbound_bytes: settings.limit_outbound_bytes.unwrap_or(usize::MAX),
        write_stall: settings.limit_write_stall.unwrap_or(Duration::MAX),
        allowed_origins: allowed_origins(settings),
        ..RealtimeOptions::default()
    }
}

/// Ready while the server does not drain, nothing of it was ended by a defect, and the database can do its work.
#[derive(Debug)]
struct ServerReadiness {
    store: Store,
    chat: Arc<Chat>,
    realtime: Arc<Realtime>,
}

#[async_trait]
impl Readiness for ServerReadiness {
    async fn check(&self) -> bool {
        if self.chat.is_draining() || !self.chat.is_whole() || !self.realtime.is_whole() {
            return false;
        }
        // A database whose disk is full answers and locks as ever. So after an append that failed it has to write, and
        // is ready again as soon as it can, whether or not a client sends something.
        let answer = if self.chat.last_append_failed() {
            self.store.try_write(PING).await
        } else {
            self.store.ping(PING).await
        };
        answer.is_ok()
    }
}
