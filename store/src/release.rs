//! Letting go of whatever a booking has, when it ends: one transaction for all of it.

use bellhop_domain::{
    act::{Release, Released},
    service::AtCompletion,
};
use jiff::Timestamp;

use crate::{Result, Store, acts, bookings, claims, confirmations, holds};

impl Store {
    /// Lets go of what a booking holds and of who is claimed for it.
    ///
    /// Of a booking that was served, what is used up stays taken and the confirmation of entry stays
    /// good. Of any other all of it goes back, and late acts find the booking closed: this act's
    /// stored outcome is what they look for. A repeat answers the first outcome.
    ///
    /// # Errors
    /// Any database error.
    pub async fn release_booking(&self, release: &Release, now: Timestamp) -> Result<Released> {
        let (mut tx, id) = (self.begin().await?, &release.booking);
        let booking = bookings::lock(&mut tx, id).await?;
        if let Some(outcome) = acts::outcome(&mut tx, &release.key).await? {
            return Ok(outcome);
        }
        let plan = booking.map(|it| it.plan()).transpose()?;
        let uses_up = plan
            .and_then(|it| it.service.hold)
            .is_some_and(|it| release.served && it.at_completion == AtCompletion::Consume);
        let mut released = Released::default();
        if uses_up {
            released.used = holds::use_up_rest(&mut tx, id, now).await?;
        } else {
            released.quantity = holds::give_back(&mut tx, id, now).await?;
        }
        released.subject = claims::end(&mut tx, id, now).await?;
        if !release.served {
            released.confirmation = confirmations::cancel(&mut tx, id, now).await?;
        }
        acts::finish(tx, &release.key, id, released, now).await
    }
}
