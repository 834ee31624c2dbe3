//! The admin calls.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::log::Change;

/// The server answers within 15 s.
const PATIENCE: Duration = Duration::from_secs(20);
const PAGE: u64 = 500;

/// The HTTP interface, with an admin's token.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    http: Client,
    base: String,
    token: String,
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Box<RawValue>>,
    has_more: bool,
}

impl Admin {
    pub(crate) fn new(server: SocketAddr, token: String) -> anyhow::Result<Self> {
        let http = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        Ok(Self {
            http,
            base: format!("http://{server}/api/v1"),
            token,
        })
    }

    /// Creates a group without members.
    pub(crate) async fn create_group(&self, group: u64) -> anyhow::Result<()> {
        let url = format!("{}/groups/{group}", self.base);
        let request = self.http.request(Method::PUT, url).bearer_auth(&self.token);
        let answer = request
            .json(&json!({"name": format!("Group {group}")}))
            .send()
            .await?;
        match answer.status() {
            StatusCode::CREATED | StatusCode::OK => Ok(()),
            status => bail!("group {group} cannot be created: {status}"),
        }
    }

    /// Changes a member; gives the status of the answer.
    pub(crate) async fn change_member(&self, change: Change, group: u64, user: u64) -> anyhow::Result<u16> {
        let method = match change {
            Change::Add => Method::PUT,
            Change::Remove => Method::DELETE,
        };
        let url = format!("{}/groups/{group}/members/{user}", self.base);
        let answer = self
            .http
            .request(method, url)
            .bearer_auth(&self.token)
            .send()
            .await?;
        Ok(answer.status().as_u16())
    }

    /// The whole log of a group.
    pub(crate) async fn log(&self, group: u64) -> anyhow::Result<Vec<Box<RawValue>>> {
        let mut log = Vec::new();
        loop {
            let url = format!(
                "{}/groups/{group}/entries?after_seq={}&limit={PAGE}",
                self.base,
                log.len()
            );
            let answer = self.http.get(url).bearer_auth(&self.token).send().await?;
            let page: Page = answer
                .error_for_status()?
                .json()
                .await
                .with_context(|| format!("the log of group {group} cannot be read"))?;
            let is_empty = page.entries.is_empty();
            log.extend(page.entries);
            if !page.has_more {
                return Ok(log);
            }
            if is_empty {
                bail!("the log of group {group} has more, and an empty page");
            }
        }
    }
}
