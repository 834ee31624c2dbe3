//! The layers as a table: what each crate may depend on (docs/ARCHITECTURE.md says why).
//!
//! A name may end in `*` (`diesel*` is every crate whose name begins with `diesel`) and may name a feature
//! (`tokio/net`). The third-party rules hold for normal and build dependencies; tests may use what they like.

/// What one crate of the workspace may depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) package: &'static str,
    /// The crates of the workspace that it may depend on.
    pub(crate) arrows: &'static [&'static str],
    /// The crates of the workspace that its tests may use besides.
    pub(crate) test_arrows: &'static [&'static str],
    pub(crate) third_party: ThirdParty,
}

/// Which crates of others one crate may use.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ThirdParty {
    /// These, and of them not these features.
    Only(&'static [&'static str], &'static [Names]),
    /// All but these.
    AllBut(&'static [Names]),
}

type Names = &'static [&'static str];

const TRANSPORT: Names = &[
    "axum*",
    "engineioxide*",
    "http",
    "http-body*",
    "hyper*",
    "socket2",
    "socketioxide*",
    "tokio-tungstenite",
    "tower*",
    "tungstenite",
];
/// HTTP towards others: for `auth` an issuer's keys, for `hooks` the webhooks.
const HTTP_CLIENT: Names = &["reqwest*"];
const DATABASE: Names = &[
    "bb8*",
    "deadpool*",
    "diesel*",
    "libsqlite3-sys",
    "r2d2*",
    "rusqlite",
    "sqlx*",
    "tokio-postgres*",
];
const BUS: Names = &["fred", "redis*"];
const TOKENS: Names = &["jsonwebtoken*"];
const WIRE_FORMAT: Names = &["ciborium", "jiff", "rmp*", "serde*", "time"];
/// What only a program needs: a command line, an allocator, a log's output, errors that nobody branches on.
const PROGRAM: Names = &[
    "anyhow",
    "clap*",
    "color-eyre",
    "config",
    "dotenv*",
    "eyre",
    "figment",
    "metrics-*",
    "mimalloc",
    "opentelemetry*",
    "tracing-opentelemetry",
    "tracing-subscriber",
];
const RUNTIME: Names = &["async-std", "smol", "tokio*"];
/// The parts of the runtime that reach outside the process.
const TOKIO_SOCKETS: Names = &["tokio/full", "tokio/net"];
const TOKIO_FILES: Names = &["tokio/full", "tokio/fs", "tokio/process"];

const TESTKIT: Names = &["sealroom-testkit"];
const TESTKIT_AND_POSTGRES: Names = &["sealroom-testkit", "xtask-postgres"];

pub(crate) const RULES: &[Rule] = &[
    Rule {
        package: "sealroom-domain",
        arrows: &[],
        test_arrows: TESTKIT,
        third_party: ThirdParty::Only(&["async-trait", "thiserror"], &[]),
    },
    Rule {
        package: "sealroom-wire",
        arrows: &["sealroom-domain"],
        test_arrows: TESTKIT,
        third_party: ThirdParty::AllBut(&[TRANSPORT, HTTP_CLIENT, DATABASE, BUS, TOKENS, PROGRAM, RUNTIME]),
    },
    Rule {
        package: "sealroom-outbound",
        arrows: &[],
        test_arrows: &[],
        third_party: ThirdParty::Only(&["reqwest", "rustls", "rustls-native-certs", "thiserror"], &[]),
    },
    Rule {
        package: "sealroom-engine",
        arrows: &["sealroom-domain"],
        test_arrows: TESTKIT,
        third_party: ThirdParty::Only(
            &[
                "async-trait",
                "futures-util",
                "governor",
                "metrics",
                "parking_lot",
                "thiserror",
                "tokio",
                "tokio-util",
                "tracing",
            ],
            &[TOKIO_SOCKETS, TOKIO_FILES],
        ),
    },
    Rule {
        package: "sealroom-auth",
        arrows: &["sealroom-domain", "sealroom-outbound"],
        test_arrows: TESTKIT,
        third_party: ThirdParty::AllBut(&[TRANSPORT, DATABASE, BUS, PROGRAM, TOKIO_SOCKETS, TOKIO_FILES]),
    },
    Rule {
        package: "sealroom-persistence",
        arrows: &["sealroom-domain", "sealroom-outbound"],
        test_arrows: TESTKIT_AND_POSTGRES,
        third_party: ThirdParty::AllBut(&[TRANSPORT, HTTP_CLIENT, BUS, TOKENS, WIRE_FORMAT, PROGRAM]),
    },
    Rule {
        package: "sealroom-hooks",
        arrows: &["sealroom-domain", "sealroom-outbound", "sealroom-wire"],
        test_arrows: TESTKIT,
        third_party: ThirdParty::AllBut(&[
            TRANSPORT,
            DATABASE,
            BUS,
            TOKENS,
            PROGRAM,
            TOKIO_SOCKETS,
            TOKIO_FILES,
        ]),
    },
    Rule {
        package: "sealroom-realtime",
        arrows: &["sealroom-domain", "sealroom-engine", "sealroom-wire"],
        test_arrows: TESTKIT,
        third_party: ThirdParty::AllBut(&[DATABASE, BUS, TOKENS, PROGRAM, TOKIO_FILES]),
    },
    Rule {
        package: "sealroom-http",
        arrows: &["sealroom-domain", "sealroom-engine", "sealroom-wire"],
        test_arrows: TESTKIT,
        third_party: ThirdParty::AllBut(&[
            &["engineioxide*", "socketioxide*"],
            DATABASE,
            BUS,
            TOKENS,
            PROGRAM,
            TOKIO_FILES,
        ]),
    },
    Rule {
        package: "sealroom-server",
        arrows: &[
            "sealroom-auth",
            "sealroom-domain",
            "sealroom-engine",
            "sealroom-hooks",
            "sealroom-http",
            "sealroom-persistence",
            "sealroom-realtime",
            "sealroom-wire",
        ],
        test_arrows: TESTKIT_AND_POSTGRES,
        // It wires the adapters together and does not do their work.
        third_party: ThirdParty::AllBut(&[DATABASE, BUS, TOKENS]),
    },
    Rule {
        package: "sealroom-testkit",
        arrows: &["sealroom-domain"],
        test_arrows: &[],
        third_party: ThirdParty::AllBut(&[
            &["axum*", "engineioxide*", "socketioxide*"],
            DATABASE,
            BUS,
            TOKENS,
            PROGRAM,
        ]),
    },
    Rule {
        package: "xtask",
        arrows: &["xtask-postgres"],
        test_arrows: &[],
        third_party: ThirdParty::AllBut(&[TRANSPORT, HTTP_CLIENT, DATABASE, BUS, TOKENS, RUNTIME]),
    },
    Rule {
        package: "xtask-fuzz",
        // What it feeds, and the ports in memory behind it.
        arrows: &[
            "sealroom-auth",
            "sealroom-domain",
            "sealroom-engine",
            "sealroom-hooks",
            "sealroom-http",
            "sealroom-realtime",
            "sealroom-server",
            "sealroom-testkit",
            "sealroom-wire",
        ],
        test_arrows: &[],
        third_party: ThirdParty::AllBut(&[HTTP_CLIENT, DATABASE, BUS, TOKENS, PROGRAM]),
    },
    Rule {
        package: "xtask-bench",
        arrows: &["xtask-load", "xtask-postgres"],
        test_arrows: &[],
        // The server is a program to it, like its peers.
        third_party: ThirdParty::AllBut(&[TRANSPORT, HTTP_CLIENT, DATABASE, BUS, TOKENS]),
    },
    Rule {
        package: "xtask-micro",
        arrows: &[
            "sealroom-domain",
            "sealroom-engine",
            "sealroom-persistence",
            "sealroom-testkit",
            "sealroom-wire",
        ],
        test_arrows: &[],
        third_party: ThirdParty::AllBut(&[TRANSPORT, HTTP_CLIENT, DATABASE, BUS, TOKENS]),
    },
    Rule {
        package: "xtask-load",
        // What tokens are made with.
        arrows: &["sealroom-auth", "sealroom-domain"],
        test_arrows: &[],
        // Its own framing, because a library's costs more than what it loads.
        third_party: ThirdParty::AllBut(&[TRANSPORT, DATABASE, BUS, TOKENS]),
    },
    Rule {
        package: "xtask-peers",
        // What others would build with these libraries: nothing of Sealroom's is in it.
        arrows: &[],
        test_arrows: &[],
        third_party: ThirdParty::AllBut(&[&["sealroom*"], DATABASE, BUS]),
    },
    Rule {
        package: "xtask-postgres",
        arrows: &[],
        test_arrows: &[],
        third_party: ThirdParty::Only(&["anyhow", "tokio", "tokio-postgres"], &[]),
    },
    Rule {
        package: "xtask-siege",
        arrows: &[
            "sealroom-auth",
            "sealroom-testkit",
            "xtask-load",
            "xtask-postgres",
        ],
        test_arrows: &[],
        third_party: ThirdParty::AllBut(&[TRANSPORT, HTTP_CLIENT, DATABASE, BUS]),
    },
    Rule {
        package: "xtask-torture",
        arrows: &["xtask-postgres"],
        test_arrows: &[],
        // An outside oracle: it shares no code with the server, so that it cannot share its mistakes.
        third_party: ThirdParty::AllBut(&[&["sealroom*"]]),
    },
];
