//! What is told, logged and stored; pages of other origins; proxies.

mod accounts;
mod canary;
mod encryption;
mod everywhere;
mod origins;
mod outside;
mod proxies;
mod refusals;
mod routes;
mod sockets;
mod timing;

use encryption::tl_4_who_speaks_tls_wrong;
use everywhere::{
    pv_1_marks_are_in_no_log, pv_2_refusals_say_constant_texts,
    pv_4_contents_are_stored_byte_for_byte_and_secrets_are_not,
};
use origins::{
    co_1_other_pages_are_refused_before_the_upgrade, co_2_browsers_are_told_an_exact_origin_or_nothing,
    co_3_no_origin_stands_for_all, co_4_cookies_open_nothing,
};
use outside::{
    pv_5_metrics_and_probes_tell_nobody, pv_7_a_crash_leaves_no_memory_behind,
    tl_5_every_answer_has_its_headers,
};
use proxies::{
    tl_1_nobody_is_believed, tl_2_the_last_address_that_is_no_proxy_counts, tl_6_upgrades_that_are_left,
};
use timing::pv_3_nobody_learns_from_the_time_who_is_there;

const LOUD: [(&str, &str); 3] = [
    ("SEALROOM_LOG", "trace"),
    ("SEALROOM_METRICS_LISTEN", "127.0.0.1:0"),
    ("SEALROOM_LIMIT_GROUPS_PER_SOCKET", "3"),
];
const METRICS: [(&str, &str); 1] = [("SEALROOM_METRICS_LISTEN", "127.0.0.1:0")];
const NOISY_ENVIRONMENT: [(&str, &str); 1] = [("RUST_BACKTRACE", "full")];

rows! {
    played {
        "PV-1" => pv_1_marks_are_in_no_log with super::LOUD,
        "PV-2" => pv_2_refusals_say_constant_texts with super::LOUD,
        "PV-3" => pv_3_nobody_learns_from_the_time_who_is_there,
        "PV-4" => pv_4_contents_are_stored_byte_for_byte_and_secrets_are_not with super::LOUD,
        "PV-5" => pv_5_metrics_and_probes_tell_nobody with super::METRICS,
        "PV-7" => pv_7_a_crash_leaves_no_memory_behind with super::NOISY_ENVIRONMENT,
        "CO-1" => co_1_other_pages_are_refused_before_the_upgrade,
        "CO-2" => co_2_browsers_are_told_an_exact_origin_or_nothing,
        "CO-3" => co_3_no_origin_stands_for_all,
        "CO-4" => co_4_cookies_open_nothing,
        "TL-1" => tl_1_nobody_is_believed,
        "TL-2" => tl_2_the_last_address_that_is_no_proxy_counts,
        "TL-4" => tl_4_who_speaks_tls_wrong,
        "TL-5" => tl_5_every_answer_has_its_headers,
        "TL-6" => tl_6_upgrades_that_are_left,
    }
    not_played {
        "PV-6": "What types print shows inside the program alone. Held by the unit tests: auth secret::tests and \
                 tests/jwt (secrets, keys, minter, verifier), domain content::tests and secrets::tests, hooks \
                 secret::tests, outbound http::tests, persistence postgres::options, server settings::sources::tests, \
                 http input::{fields,body}::tests::values_are_not_printed, engine tests/accounts.rs \
                 neither_passwords_nor_tokens_are_printed, realtime events::requests::tests and \
                 registry::tests::session_ids_are_not_printed.",
        "TL-3": "There is no setting that requires TLS: the server speaks it where a certificate is set, or a proxy in \
                 front of it does; a header of the proxy decides nothing (TL-1).",
    }
}
