//! A database that is filled for reading has as many bookings as asked for, and reads them by index.

use bellhop_domain::id::SubjectId;
use bellhop_store::{BookingFilter, Store};

use crate::fixture::*;

#[tokio::test]
async fn a_filled_database_has_what_was_asked_for() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        let reader: SubjectId = "cus_reader".parse().unwrap();
        store.fill(&booking.id, &reader, 60_000).await.unwrap();
        let mine = BookingFilter { owner: Some(reader.clone()), ..BookingFilter::default() };
        let page = store.bookings(&mine, None, 100).await.unwrap();
        assert_eq!((page.items.len(), page.next.is_some()), (60, false));
        let third = Store::filled(3).parse().unwrap();
        assert_eq!(store.booking(&third).await.unwrap().unwrap().owner, reader);
    })
    .await;
}
