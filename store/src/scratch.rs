//! A PostgreSQL database to throw away, beside another one: for benches and tests.

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, postgres::PgConnectOptions,
};
use uuid::Uuid;

use crate::{Result, connect::server_options};

/// An empty database of one's own.
#[derive(Debug)]
pub struct Scratch {
    beside: PgConnectOptions,
    name: String,
}

impl Scratch {
    /// Makes one on the server of `url`, as the user of `url`, who must be allowed to.
    ///
    /// # Errors
    /// An address that is none of PostgreSQL's, or any database error.
    pub async fn create(url: &str) -> Result<Self> {
        let beside = server_options(url)?;
        let scratch = Self { beside, name: format!("bellhop_{}", Uuid::now_v7().simple()) };
        scratch.run("CREATE DATABASE", "TEMPLATE template0").await?;
        Ok(scratch)
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.beside.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// Throws it away, whoever is still connected.
    ///
    /// # Errors
    /// Any database error.
    pub async fn remove(self) -> Result<()> {
        self.run("DROP DATABASE", "WITH (FORCE)").await
    }

    async fn run(&self, verb: &str, how: &str) -> Result<()> {
        let mut server = self.beside.connect().await?;
        server.execute(AssertSqlSafe(format!("{verb} {} {how}", self.name))).await?;
        server.close().await?;
        Ok(())
    }
}
