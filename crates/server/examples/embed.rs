//! An application of its own, with teams of its own, that gets an encrypted chat for each team from Sealroom.
//!
//! The application keeps its teams, decides who belongs to which, and serves its own routes. Sealroom keeps the
//! messages: it brings Socket.IO under `/socket.io` and its routes under `/api/v1`, and asks the application for each
//! membership. [`serve`] puts the two together; everything above it is the application's.
//!
//! `cargo run --example embed` serves on a free port and prints what to connect with.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::{self, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::{delete, get},
};
use sealroom_auth::{
    ClaimRules, Grant, JwtVerifier, KeySet, Minter, MinterOptions, Secret, SigningKey, VerificationKey,
    VerifierOptions,
};
use sealroom_domain::{
    GroupId, GroupName, RemovalReason, Role, UserId,
    ports::{Member, Memberships, StoreError, TokenVerifier},
};
use sealroom_engine::{Actor, Chat, ChatOptions, MembershipKeeper, Ports};
use sealroom_http::HttpOptions;
use sealroom_persistence::{SqliteOptions, SqliteStore};
use sealroom_realtime::{Realtime, RealtimeOptions};
use sealroom_server::{
    clock::SystemClock,
    listen::{Connections, ListenOptions, serve_connections},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// The application's data: a table in memory here, its own database in earnest.
#[derive(Debug, Default)]
pub(crate) struct Teams(RwLock<BTreeMap<GroupId, Team>>);

#[derive(Debug)]
struct Team {
    name: String,
    members: BTreeMap<UserId, Role>,
}

impl Team {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            members: BTreeMap::new(),
        }
    }
}

impl Teams {
    /// Adds a team.
    pub(crate) fn add(&self, id: GroupId, name: &str, members: &[(UserId, Role)]) {
        let mut team = Team::new(name);
        team.members.extend(members.iter().copied());
        self.write().insert(id, team);
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<GroupId, Team>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<GroupId, Team>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn role(&self, team: GroupId, user: UserId) -> Option<Role> {
        self.read().get(&team)?.members.get(&user).copied()
    }
}

/// What Sealroom asks of the application.
#[async_trait]
impl Memberships for Teams {
    async fn roles(&self, pairs: &[(GroupId, UserId)]) -> Result<Vec<Option<Role>>, StoreError> {
        Ok(pairs.iter().map(|(team, user)| self.role(*team, *user)).collect())
    }

    async fn groups_of(&self, user: UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        let teams = self.read();
        let own = teams
            .iter()
            .filter_map(|(id, team)| Some((*id, *team.members.get(&user)?)));
        Ok(own.collect())
    }

    async fn members_of(&self, team: GroupId) -> Result<Vec<Member>, StoreError> {
        let teams = self.read();
        let members = teams.get(&team).into_iter().flat_map(|team| &team.members);
        Ok(members
            .map(|(user_id, role)| Member {
                user_id: *user_id,
                role: *role,
            })
            .collect())
    }

    async fn set(&self, team: GroupId, user: UserId, role: Role) -> Result<(), StoreError> {
        let mut teams = self.write();
        // A group that a client made with `POST /api/v1/groups` is a team too.
        let team = teams
            .entry(team)
            .or_insert_with(|| Team::new(&format!("team {team}")));
        team.members.insert(user, role);
        Ok(())
    }

    async fn remove(&self, team: GroupId, user: UserId) -> Result<bool, StoreError> {
        let mut teams = self.write();
        Ok(teams
            .get_mut(&team)
            .is_some_and(|team| team.members.remove(&user).is_some()))
    }
}

/// What the application's routes work on.
#[derive(Clone)]
struct App {
    teams: Arc<Teams>,
    chat: Arc<Chat>,
    verifier: Arc<dyn TokenVerifier>,
}

impl App {
    /// Who asks. The application may have sessions of its own; this one takes the tokens of the chat here too.
    async fn caller(&self, headers: &HeaderMap) -> Result<UserId, StatusCode> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let principal = self.verifier.verify(token.ok_or(StatusCode::UNAUTHORIZED)?).await;
        principal
            .map(|principal| principal.user_id)
            .map_err(|_refused| StatusCode::UNAUTHORIZED)
    }
}

/// `GET /teams`: the teams of the caller, from the application's own data.
async fn own_teams(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let caller = app.caller(&headers).await?;
    let teams = app.teams.read();
    let own = teams
        .iter()
        .filter(|(_, team)| team.members.contains_key(&caller));
    let own = own.map(|(id, team)| json!({"id": id.get(), "name": team.name}));
    Ok(Json(own.collect()))
}

/// `DELETE /teams/{team}/members/{user}`: an owner removes a member. May be repeated, and is until it answers 204.
async fn remove_member(
    State(app): State<App>,
    extract::Path((team, user)): extract::Path<(i64, i64)>,
    headers: HeaderMap,
) -> Result<StatusCode, StatusCode> {
    let caller = app.caller(&headers).await?;
    let team = GroupId::new(team).map_err(|_range| StatusCode::NOT_FOUND)?;
    let user = UserId::new(user).map_err(|_range| StatusCode::NOT_FOUND)?;
    if app.teams.role(team, caller) != Some(Role::Owner) {
        return Err(StatusCode::FORBIDDEN);
    }
    // The own table first: a join or send that begins from here on is refused.
    if let Some(team) = app.teams.write().get_mut(&team) {
        team.members.remove(&user);
    }
    // Then Sealroom, which tells the group and evicts the member's sockets: nothing later reaches them. Nothing is
    // awaited in between, so a caller that goes away leaves no half of it.
    let told = app
        .chat
        .member_removed(caller, team, user, RemovalReason::Removed)
        .await;
    told.map(|()| StatusCode::NO_CONTENT)
        .map_err(|_refusal| StatusCode::SERVICE_UNAVAILABLE)
}

/// Serves the application with its chat until `shutdown` is cancelled. `data_dir` must exist; it holds the messages.
pub(crate) async fn serve(
    listener: TcpListener,
    data_dir: &Path,
    secret: &Secret,
    teams: Arc<Teams>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let clock = Arc::new(SystemClock);
    let verifier: Arc<dyn TokenVerifier> = Arc::new(JwtVerifier::new(VerifierOptions {
        keys: KeySet::single(VerificationKey::hs256(secret)).into(),
        claims: ClaimRules::default(),
        clock: clock.clone(),
    })?);
    let store = SqliteStore::open(SqliteOptions::new(data_dir.join("chat.db"))).await?;
    let ports = Ports {
        memberships: teams.clone(),
        ..Ports::on(&store, clock)
    };
    let membership_keeper = MembershipKeeper::Host;
    let chat = Chat::start(
        ports,
        ChatOptions {
            membership_keeper,
            ..ChatOptions::default()
        },
    );
    let realtime = Realtime::start(chat.clone(), verifier.clone(), RealtimeOptions::default());
    tell_teams(&chat, &teams).await?;

    let app = App {
        teams,
        chat: chat.clone(),
        verifier: verifier.clone(),
    };
    let router = Router::new()
        .route("/teams", get(own_teams))
        .route("/teams/{team}/members/{user}", delete(remove_member))
        .with_state(app)
        .merge(sealroom_http::api(chat.clone(), verifier, HttpOptions::default()))
        .layer(realtime.layer());
    let connections = Connections::default();
    let options = ListenOptions {
        connections: connections.clone(),
        ..ListenOptions::default()
    };
    // The loop goes on during the drain: clients that poll fetch their last answers over new requests.
    let stop_accepting = CancellationToken::new();
    let accepting = serve_connections(listener, router, options, stop_accepting.clone());
    let draining = async {
        shutdown.cancelled().await;
        realtime.announce_drain();
        // Past the time what is left is answered by nobody; clients send it again.
        let _ = timeout(Duration::from_secs(5), chat.drain()).await;
        realtime.close().await;
        stop_accepting.cancel();
    };
    tokio::join!(accepting, draining);
    if !connections
        .wait_idle(Instant::now() + Duration::from_secs(3))
        .await
    {
        connections.kill_all();
    }
    Ok(store.close().await?)
}

/// Sealroom keeps a log for each team: it must know their ids. May be repeated, which renames.
async fn tell_teams(chat: &Chat, teams: &Teams) -> anyhow::Result<()> {
    let application = Actor {
        user_id: UserId::new(1)?,
        admin: true,
    };
    let known: Vec<_> = teams
        .read()
        .iter()
        .map(|(id, team)| (*id, team.name.clone()))
        .collect();
    for (id, name) in known {
        chat.put_group(application, id, GroupName::new(name)?).await?;
    }
    Ok(())
}

/// Team 1 with Alice and Bob, and a token for each.
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (team, alice, bob) = (GroupId::new(1)?, UserId::new(1)?, UserId::new(2)?);
    let teams = Arc::new(Teams::default());
    teams.add(team, "friends", &[(alice, Role::Owner), (bob, Role::Member)]);
    let secret = Secret::generate()?;
    let minter = Minter::new(MinterOptions {
        key: SigningKey::hs256(&secret),
        claims: ClaimRules::default(),
        clock: Arc::new(SystemClock),
    })?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    for user in [alice, bob] {
        let token = minter.mint(&Grant::new(user, Duration::from_hours(1)))?;
        writeln!(io::stdout(), "user {user}: {token}")?;
    }
    let data_dir = std::env::temp_dir().join(format!("sealroom-embed-{}", std::process::id()));
    std::fs::create_dir_all(&data_dir)?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let served = serve(listener, &data_dir, &secret, teams, shutdown);
    tokio::pin!(served);
    tokio::select! {
        ended = &mut served => return ended,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    stop.cancel();
    served.await
}
