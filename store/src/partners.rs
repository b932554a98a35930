//! Partners: which of them is known to be away, so that every process knows what one found out.

use jiff::Timestamp;

use crate::{
    Result, Store,
    column::Instant,
    db::{execute, query},
};

impl Store {
    /// Notes that a partner is away until then, or `None`: that it answers.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_partner_away(&self, partner: &str, until: Option<Timestamp>) -> Result<()> {
        let mut db = self.writer().await?;
        execute!(
            db,
            "INSERT INTO partners (partner, away_until) VALUES ($1, $2)
             ON CONFLICT (partner) DO UPDATE SET away_until = excluded.away_until",
            partner,
            until.map(Instant::from),
        )?;
        Ok(())
    }

    /// Until when a partner was last said to be away, which may have passed; `None` where it was
    /// said to answer, or nothing was said.
    ///
    /// # Errors
    /// Any database error.
    pub async fn partner_away_until(&self, partner: &str) -> Result<Option<Timestamp>> {
        let row: Option<(Option<Instant>,)> = query!(
            fetch_optional,
            self.reader().await?,
            "SELECT away_until FROM partners WHERE partner = $1",
            partner,
        )?;
        Ok(row.and_then(|(until,)| until).map(Instant::timestamp))
    }
}
