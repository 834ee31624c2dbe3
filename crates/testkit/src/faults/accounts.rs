//! The wrappers around the ports of the built-in accounts.

use async_trait::async_trait;
use sealroom_domain::{
    LoginId, PasswordHash, Timestamp, TokenDigest, UserId, Username,
    ports::{
        AccessGrant, Account, Accounts, Credentials, CredentialsError, NewAccount, NewRefreshToken,
        Refreshed, StoreError,
    },
};

use super::{Call, Faulty, InjectedFault};

#[async_trait]
impl Accounts for Faulty<dyn Accounts> {
    async fn register(&self, account: NewAccount) -> Result<Option<UserId>, StoreError> {
        self.store(Call::Register, self.inner.register(account)).await
    }

    async fn account(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        self.store(Call::Account, self.inner.account(username)).await
    }

    async fn open_login(&self, user_id: UserId, token: NewRefreshToken) -> Result<LoginId, StoreError> {
        self.store(Call::OpenLogin, self.inner.open_login(user_id, token))
            .await
    }

    async fn refresh(
        &self,
        token: &TokenDigest,
        next: NewRefreshToken,
        now: Timestamp,
    ) -> Result<Refreshed, StoreError> {
        self.store(Call::Refresh, self.inner.refresh(token, next, now))
            .await
    }

    async fn close_login(&self, login_id: LoginId, at: Timestamp) -> Result<(), StoreError> {
        self.store(Call::CloseLogin, self.inner.close_login(login_id, at))
            .await
    }

    async fn is_open(&self, login_id: LoginId) -> Result<bool, StoreError> {
        self.store(Call::IsOpen, self.inner.is_open(login_id)).await
    }
}

/// Faults of credentials are [`CredentialsError::Failed`]; what a token is known by is a calculation that cannot fail.
#[async_trait]
impl Credentials for Faulty<dyn Credentials> {
    async fn hash_password(&self, password: &str) -> Result<PasswordHash, CredentialsError> {
        self.faults
            .run(Call::HashPassword, self.inner.hash_password(password), failed)
            .await
    }

    async fn check_password(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, CredentialsError> {
        self.faults
            .run(
                Call::CheckPassword,
                self.inner.check_password(password, hash),
                failed,
            )
            .await
    }

    fn access_token(&self, grant: &AccessGrant) -> Result<String, CredentialsError> {
        let port = || self.inner.access_token(grant);
        self.faults.run_at_once(Call::AccessToken, port, failed)
    }

    fn refresh_token(&self) -> Result<(String, TokenDigest), CredentialsError> {
        let port = || self.inner.refresh_token();
        self.faults.run_at_once(Call::RefreshToken, port, failed)
    }

    fn digest(&self, refresh_token: &str) -> TokenDigest {
        self.inner.digest(refresh_token)
    }
}

fn failed(fault: InjectedFault) -> CredentialsError {
    CredentialsError::Failed { source: fault.into() }
}
