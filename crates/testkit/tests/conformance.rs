//! The adapters of the kit pass their own suites.

mod group_log {
    use sealroom_testkit::memory::MemoryStore;

    sealroom_testkit::group_log_conformance!(async { MemoryStore::new() });
}

mod group_log_on_threads_with_a_peer {
    use std::sync::Arc;

    use sealroom_testkit::{conformance::group_log::GroupLogFixture, memory::MemoryStore};

    sealroom_testkit::group_log_conformance!(multi_thread, async {
        let store = MemoryStore::new();
        GroupLogFixture::from(store.clone()).with_peer(Arc::new(store))
    });
}

mod groups {
    use sealroom_testkit::memory::MemoryStore;

    sealroom_testkit::groups_conformance!(async { MemoryStore::new() });
}

mod memberships {
    use sealroom_testkit::memory::MemoryStore;

    sealroom_testkit::memberships_conformance!(async { MemoryStore::new() });
}

mod memberships_of_a_host {
    use std::sync::Arc;

    use sealroom_testkit::{conformance::memberships::MembershipsFixture, memory::MemoryStore};

    sealroom_testkit::memberships_conformance!(async {
        MembershipsFixture::new(Arc::new(MemoryStore::new()))
    });
}

mod users {
    use sealroom_testkit::memory::MemoryStore;

    sealroom_testkit::users_conformance!(async { MemoryStore::new() });
}

mod clock {
    use sealroom_testkit::memory::FixedClock;

    sealroom_testkit::clock_conformance!(async { FixedClock::default() });
}

mod token_verifier {
    use std::sync::Arc;

    use sealroom_testkit::{
        conformance::token_verifier::TokenVerifierFixture,
        memory::{FixedClock, MemoryVerifier},
    };

    sealroom_testkit::token_verifier_conformance!(async {
        let clock = FixedClock::default();
        let verifier = MemoryVerifier::new(Arc::new(clock.clone()));
        let registrar = verifier.clone();
        TokenVerifierFixture::new(Arc::new(verifier), clock, move |principal| {
            let token = format!("Token-of-user-{}", principal.user_id);
            registrar.register(token.clone(), principal.clone());
            token
        })
    });
}

mod read_marks {
    use sealroom_testkit::memory::MemoryStore;

    sealroom_testkit::read_marks_conformance!(async { MemoryStore::new() });
}

mod accounts {
    use sealroom_testkit::memory::MemoryStore;

    sealroom_testkit::accounts_conformance!(async { MemoryStore::new() });
}

mod outbox {
    use sealroom_testkit::memory::MemoryStore;

    sealroom_testkit::outbox_conformance!(async { MemoryStore::new() });
}

mod upkeep {
    use sealroom_testkit::memory::MemoryStore;

    sealroom_testkit::upkeep_conformance!(async { MemoryStore::new() });
}

mod credentials {
    use std::sync::Arc;

    use sealroom_testkit::{
        conformance::credentials::CredentialsFixture,
        memory::{FixedClock, MemoryCredentials, MemoryVerifier},
    };

    sealroom_testkit::credentials_conformance!(async {
        let clock = FixedClock::default();
        let verifier = MemoryVerifier::new(Arc::new(clock.clone()));
        let credentials = MemoryCredentials::new(Arc::new(clock.clone()), verifier.clone());
        CredentialsFixture::new(Arc::new(credentials), Arc::new(verifier), clock)
    });
}
