//! Payment methods: what customers have stored to pay with. A token of the payment provider, never
//! a card number (home-cleaning 1).

use bellhop_domain::{
    id::{MethodId, SubjectId},
    plan::Means,
};
use jiff::Timestamp;

use crate::{
    Cursor, Page, Result, Store,
    bookings::{self, Locked},
    column::{Instant, Word},
    db::{Tx, build, execute, query},
    page::page_by,
};

/// A stored method.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    /// Its id.
    pub id: MethodId,
    /// Whose.
    pub owner: SubjectId,
    /// What people call it: `credit`.
    pub kind: String,
    /// The provider's token, for paying and nothing else; empty once it is detached.
    pub token: String,
    /// What it was registered by, hashed: another request under the same id is refused.
    pub fingerprint: String,
    /// Whether its owner pays with it unless they say otherwise.
    pub is_default: bool,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// When its owner removed it.
    pub detached_at: Option<Timestamp>,
}

/// A method that is to be stored.
#[derive(Clone)]
pub struct NewMethod {
    /// Its id.
    pub id: MethodId,
    /// Whose.
    pub owner: SubjectId,
    /// What people call it.
    pub kind: String,
    /// The provider's token.
    pub token: String,
    /// What it is registered by, hashed.
    pub fingerprint: String,
}

/// What is to change of a method.
#[derive(Clone, Default)]
pub struct MethodChange {
    /// What people call it from now on.
    pub kind: Option<String>,
    /// The provider's token from now on.
    pub token: Option<String>,
    /// Whether it becomes the default, instead of the one that is.
    pub becomes_default: bool,
}

macro_rules! columns {
    () => {
        "id, owner, kind, token, fingerprint, is_default, created_at, changed_at, detached_at"
    };
}

impl Store {
    /// Stores a method; the first of its owner is the default. Answers it, and whether it is new: one
    /// that is there under the same id stays as it is.
    ///
    /// # Errors
    /// Any database error.
    pub async fn add_payment_method(
        &self,
        new: &NewMethod,
        now: Timestamp,
    ) -> Result<(PaymentMethod, bool)> {
        let add = async || {
            let mut tx = self.begin().await?;
            let is_new = insert(&mut tx, new, now).await?;
            let sql = concat!("SELECT ", columns!(), " FROM payment_methods WHERE id = $1");
            let row: Row = query!(fetch_one, tx, sql, new.id.as_str())?;
            tx.commit().await?;
            Ok((PaymentMethod::from(row), is_new))
        };
        match add().await {
            // Two first ones at once, each to be the default: this one looks again.
            Err(error) if crate::StoreError::is_transient(&error) => add().await,
            added => added,
        }
    }

    /// A method of a customer, detached or not.
    ///
    /// # Errors
    /// Any database error.
    pub async fn payment_method(
        &self,
        owner: &SubjectId,
        id: &MethodId,
    ) -> Result<Option<PaymentMethod>> {
        let sql =
            concat!("SELECT ", columns!(), " FROM payment_methods WHERE id = $1 AND owner = $2");
        let mut db = self.reader().await?;
        let row: Option<Row> = query!(fetch_optional, db, sql, id.as_str(), owner.as_str())?;
        Ok(row.map(PaymentMethod::from))
    }

    /// The methods that a customer can pay with, oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn payment_methods(
        &self,
        owner: &SubjectId,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<PaymentMethod>> {
        let mut db = self.reader().await?;
        let rows: Vec<Row> = build!(db, |sql| {
            sql.push(concat!("SELECT ", columns!(), " FROM payment_methods WHERE owner = "));
            sql.push_bind(owner.as_str()).push(" AND detached_at IS NULL");
            page_by!(sql, ("created_at", "id"), oldest, cursor, limit);
        })?;
        let page = Page::of(rows, limit, |it| Cursor::new(it.created_at.timestamp(), &it.id.0));
        Ok(page.map(PaymentMethod::from))
    }

    /// Changes a method; bookings that were made before pay as they were made. Answers it, or `None`
    /// where the customer has no such method, or no longer.
    ///
    /// # Errors
    /// Any database error.
    pub async fn change_payment_method(
        &self,
        owner: &SubjectId,
        id: &MethodId,
        change: &MethodChange,
        now: Timestamp,
    ) -> Result<Option<PaymentMethod>> {
        let mut tx = self.begin().await?;
        if change.becomes_default {
            let sql = "UPDATE payment_methods SET is_default = FALSE
                       WHERE owner = $1 AND id <> $2 AND is_default AND detached_at IS NULL";
            execute!(tx, sql, owner.as_str(), id.as_str())?;
        }
        let row: Option<Row> = query!(
            fetch_optional,
            tx,
            concat!(
                "UPDATE payment_methods
                 SET kind = COALESCE($1, kind), token = COALESCE($2, token),
                     is_default = is_default OR $3, changed_at = $4
                 WHERE id = $5 AND owner = $6 AND detached_at IS NULL RETURNING ",
                columns!()
            ),
            &change.kind,
            &change.token,
            change.becomes_default,
            Instant::from(now),
            id.as_str(),
            owner.as_str(),
        )?;
        // Without a commit the default is what it was.
        let Some(row) = row else { return Ok(None) };
        tx.commit().await?;
        Ok(Some(row.into()))
    }

    /// Removes a method, and its token with it: its owner's oldest one is the default then. Answers
    /// whether there is such a method, also one that was removed before.
    ///
    /// # Errors
    /// Any database error.
    pub async fn detach_payment_method(
        &self,
        owner: &SubjectId,
        id: &MethodId,
        now: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let detached = execute!(
            tx,
            "UPDATE payment_methods
             SET detached_at = $1, changed_at = $1, token = '', is_default = FALSE
             WHERE id = $2 AND owner = $3 AND detached_at IS NULL",
            Instant::from(now),
            id.as_str(),
            owner.as_str(),
        )?;
        if detached == 0 {
            drop(tx);
            return Ok(self.payment_method(owner, id).await?.is_some());
        }
        execute!(
            tx,
            "UPDATE payment_methods SET is_default = TRUE
             WHERE id = (SELECT id FROM payment_methods
                         WHERE owner = $1 AND detached_at IS NULL ORDER BY created_at, id LIMIT 1)
               AND NOT EXISTS (SELECT 1 FROM payment_methods
                               WHERE owner = $1 AND detached_at IS NULL AND is_default)",
            owner.as_str(),
        )?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Stores what has paid for a booking, under an id that is derived from the booking, unless the
/// booking was cancelled meanwhile. A repeat changes nothing.
pub(crate) async fn store(
    tx: &mut Tx,
    booking: &Locked,
    means: &Means,
    now: Timestamp,
) -> Result<()> {
    if booking.view.status.is_undone() {
        return Ok(());
    }
    let owner = booking.plan()?.request.customer.id;
    let id = MethodId::from_key(&owner, booking.id.as_str());
    let (kind, token) = (means.kind.clone().unwrap_or_default(), means.token.clone());
    let fingerprint = booking.id.to_string();
    let new = NewMethod { id, owner, kind, token, fingerprint };
    insert(tx, &new, now).await?;
    bookings::set_method(tx, &booking.id, &new.id).await
}

/// Inserts a method; answers whether there was none.
async fn insert(tx: &mut Tx, new: &NewMethod, now: Timestamp) -> Result<bool> {
    let inserted = execute!(
        tx,
        "INSERT INTO payment_methods (id, owner, kind, token, fingerprint, is_default, created_at,
                                      changed_at)
         VALUES ($1, $2, $3, $4, $5,
                 NOT EXISTS (SELECT 1 FROM payment_methods
                             WHERE owner = $2 AND detached_at IS NULL AND is_default),
                 $6, $6)
         ON CONFLICT (id) DO NOTHING",
        new.id.as_str(),
        new.owner.as_str(),
        &new.kind,
        &new.token,
        &new.fingerprint,
        Instant::from(now),
    )?;
    Ok(inserted == 1)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Word<MethodId>,
    owner: Word<SubjectId>,
    kind: String,
    token: String,
    fingerprint: String,
    is_default: bool,
    created_at: Instant,
    changed_at: Instant,
    detached_at: Option<Instant>,
}

impl From<Row> for PaymentMethod {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            owner: row.owner.0,
            kind: row.kind,
            token: row.token,
            fingerprint: row.fingerprint,
            is_default: row.is_default,
            created_at: row.created_at.timestamp(),
            changed_at: row.changed_at.timestamp(),
            detached_at: row.detached_at.map(Instant::timestamp),
        }
    }
}
