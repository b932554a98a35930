//! What can go wrong with the database: a variant per thing that a caller can act on.

use std::{io, path::PathBuf};

use bellhop_domain::id::{BookingId, PoolId, SubjectId};
use sqlx::migrate::MigrateError;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is none.
    #[error(
        "the database address is not understood: write sqlite:///path/to/file.db or \
         postgres://user:password@host/database ({reason})"
    )]
    Address {
        /// What is wrong with it, without the password.
        reason: String,
    },
    /// The folder of the database file cannot be used.
    #[error("the database folder {} cannot be used", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the database file.
    #[error(
        "another bellhop process uses the database {}: stop it, or give each its own file; \
         several processes on one database need PostgreSQL",
        database.display()
    )]
    Locked {
        /// The file.
        database: PathBuf,
    },
    /// The server refuses the user, the password or the database.
    #[error("the database server refuses the login: {reason}")]
    Refused {
        /// In the server's words.
        reason: String,
    },
    /// The tables cannot be brought to this program's version.
    #[error("the database cannot be migrated")]
    Migrate(#[from] MigrateError),
    /// No booking of this id was opened.
    #[error("there is no booking {0}")]
    NoBooking(BookingId),
    /// The plan cannot be priced, or its price is beyond what can be counted.
    #[error(transparent)]
    Unpriced(#[from] bellhop_domain::plan::Unpriced),
    /// A pool keeps its kind and company, and what was withdrawn stays so.
    #[error("pool {0} is of another kind or company, or was withdrawn: use another id")]
    PoolFixed(PoolId),
    /// A pool cannot get smaller than what is in use.
    #[error("the pool has {held} held and {taken} taken: its capacity cannot be less")]
    PoolInUse {
        /// Held for bookings that are not served yet.
        held: u32,
        /// Taken by bookings.
        taken: u32,
    },
    /// A person keeps their kind and company.
    #[error("{0} is of another kind or company: use another id")]
    StaffFixed(SubjectId),
    /// Nothing was begun under this key.
    #[error("there is no attempt {0}")]
    NoAttempt(String),
    /// The key was closed before anything was sent, so that nothing may be sent under it.
    #[error("attempt {0} is closed")]
    AttemptClosed(String),
    /// Other workers registered the queue with other families.
    #[error("the queue's workers carry the families \"{registered}\": all of one queue must agree")]
    OtherFamilies {
        /// What the first of them registered.
        registered: String,
    },
    /// A value cannot be written as JSON: a defect.
    #[error("a value cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The database is away, busy, or answers what it should not.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same call may succeed a little later: the database is away, busy, or two
    /// transactions met. What a repeat then does is as if this call had never been.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) | Self::Migrate(MigrateError::Execute(error)) => {
                is_transient(error)
            }
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let refused = |it: &&dyn sqlx::error::DatabaseError| {
            // PostgreSQL's class 28: invalid authorization; 3D000: no such database.
            it.code().is_some_and(|code| code.starts_with("28") || code == "3D000")
        };
        match error.as_database_error().filter(refused) {
            Some(refused) => Self::Refused { reason: refused.message().to_owned() },
            None => Self::Database(error),
        }
    }
}

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::BeginFailed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            // Two transactions stored the same thing: a repeat finds it.
            error.is_unique_violation() || error.code().is_some_and(|code| is_transient_code(&code))
        }
        _ => false,
    }
}

/// PostgreSQL has five characters, SQLite a number whose lowest byte is the kind.
fn is_transient_code(code: &str) -> bool {
    const POSTGRES: [&str; 5] = [
        "08", // connection lost
        "40", // serialization failure, deadlock
        "53", // out of connections, memory or disk
        "55", // in use, lock not available
        "57", // shut down, starting up
    ];
    const SQLITE: [u32; 4] = [5, 6, 10, 13]; // busy, locked, I/O, full
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => SQLITE.contains(&(number & 0xff)),
        _ => POSTGRES.iter().any(|class| code.starts_with(class)),
    }
}
