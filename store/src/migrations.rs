//! The tables' versions. A migration that was released never changes: add another, which old
//! programs can live with (expand, then contract).

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
    postgres::PgPoolOptions,
};

use crate::{
    Result, Store, StoreError,
    db::{On, query},
};

impl Store {
    /// Brings the tables to this program's version. Does nothing where that is done; processes
    /// that race wait for each other.
    ///
    /// # Errors
    /// Any database error, or tables that somebody else changed.
    pub async fn migrate(&self) -> Result<()> {
        let migrator = migrator(&self.0.pools);
        match &self.0.pools {
            On::Sqlite(it) => migrator.run(&it.writer).await?,
            // A connection of its own: the pool's do not wait for long.
            On::Postgres(it) => {
                let own = PgPoolOptions::new().max_connections(1);
                let own = own.connect_lazy_with(it.options.clone());
                let migrated = migrator.run(&own).await;
                own.close().await;
                migrated?;
            }
        }
        Ok(())
    }

    /// Whether the tables have everything that this program needs; they may have more.
    ///
    /// # Errors
    /// Any database error.
    pub async fn is_migrated(&self) -> Result<bool> {
        let mut db = self.reader().await?;
        let applied: Result<Vec<(i64,)>, _> =
            query!(fetch_all, db, "SELECT version FROM _sqlx_migrations WHERE success");
        match applied {
            Ok(applied) => {
                let is_applied = |version| applied.iter().any(|(it,)| *it == version);
                Ok(migrator(&self.0.pools).iter().all(|it| is_applied(it.version)))
            }
            Err(sqlx::Error::Database(error)) if is_missing_table(&*error) => Ok(false),
            Err(error) => Err(StoreError::from(error)),
        }
    }
}

fn migrator<S, P>(pools: &On<S, P>) -> Migrator {
    let append_only = match pools {
        On::Sqlite(_) => include_str!("../migrations/sqlite/0002_append_only.sql"),
        On::Postgres(_) => include_str!("../migrations/postgres/0002_append_only.sql"),
    };
    let tables = include_str!("../migrations/0001_tables.sql");
    let attention = include_str!("../migrations/0003_attention.sql");
    let texts =
        [(1, "tables", tables), (2, "append only", append_only), (3, "attention", attention)];
    let migrations = texts.map(|(version, name, text)| {
        let text = text.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    // A newer program may have been here: its tables are a superset of ours.
    migrator.set_ignore_missing(true);
    migrator
}

fn is_missing_table(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().as_deref() == Some("42P01") || error.message().contains("no such table")
}
