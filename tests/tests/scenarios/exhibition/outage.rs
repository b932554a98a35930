//! exhibition 12: with the part down that confirms entries, bookings are taken; it catches up.

use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
};
use serde_json::{Value, json};

use super::hall::{Hall, issued};
use crate::world::{bellhop, payments};

/// exhibition 12: the booking is confirmed at once, paid or free, and its confirmation of entry comes
/// when the part is back.
#[tokio::test]
async fn exhibition_12_bookings_are_confirmed_while_confirmations_are_away() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 12_000, 20).await?;
    let faults = bellhop.faults();
    let mut ids = vec![];
    for request in [hall.request(2), hall.paid(2, "tok_ok")] {
        let key = new_key();
        let id = booking_id(&key)?;
        faults.put(&id, "dispatch.confirm", Fault::Refuse, 1_000)?;
        let booked = people.kim.post_as("/bookings", &key, request).await?;
        booked.assert_booking(201, "confirmed");
        assert_eq!(booked.body["confirmation"], json!({"number": null, "status": "pending"}));
        ids.push(id);
    }
    assert_eq!(hall.places().await?, (4, 0, 16));
    for id in &ids {
        let waiting = people.kim.booking(id).await?;
        assert_eq!(
            (&waiting["status"], &waiting["confirmation"]["number"]),
            (&json!("confirmed"), &Value::Null)
        );
        faults.lift(id, "dispatch.confirm");
    }
    for id in &ids {
        let booking = issued(&people.kim, id).await?;
        assert_eq!(booking["status"], "confirmed");
        let events = people.kim.events(id).await?;
        let issued = events.iter().filter(|it| *it == "confirmation.issued").count();
        assert_eq!(issued, 1, "{events:?}");
    }
    assert_eq!(payments(&bellhop, &ids[1]).await?.len(), 1);
    assert_eq!(hall.places().await?, (4, 0, 16));
    Ok(())
}
