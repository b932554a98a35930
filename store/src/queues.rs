//! Queues: which families of activities the workers of each carry. All workers of one queue carry
//! the same (design, section 2, rule 1).

use crate::{Result, Store, StoreError, db::query};

impl Store {
    /// Registers what the workers of a queue carry. The first one to say decides.
    ///
    /// # Errors
    /// [`StoreError::OtherFamilies`] where the queue is registered with others, or any database
    /// error.
    pub async fn claim_queue(&self, queue: &str, families: &str) -> Result<()> {
        let (registered,): (String,) = query!(
            fetch_one,
            self.writer().await?,
            "INSERT INTO queues (queue, families) VALUES ($1, $2)
             ON CONFLICT (queue) DO UPDATE SET families = queues.families
             RETURNING families",
            queue,
            families,
        )?;
        if registered == families { Ok(()) } else { Err(StoreError::OtherFamilies { registered }) }
    }
}
