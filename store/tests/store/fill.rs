//! A database that is filled for reading has as many bookings as asked for, and is read by index.

use bellhop_domain::{
    id::{BookingId, SubjectId},
    status::Status,
};
use bellhop_store::{BookingFilter, DashboardFilter, Store, testing::statements_of};

use crate::fixture::*;

/// Fills a database; answers a booking in it, and whose some of them are.
async fn fill(store: &Store) -> (BookingId, SubjectId) {
    put(store, taxis("one", "com_a", 9_800, 1)).await;
    let booking = Booking::new("1").opened(store).await;
    let reader: SubjectId = "cus_reader".parse().unwrap();
    store.fill(&booking.id, &reader, 60_000).await.unwrap();
    (booking.id, reader)
}

#[tokio::test]
async fn a_filled_database_has_what_was_asked_for() {
    on_both(async |db| {
        let store = &db.store;
        let (_, reader) = fill(store).await;
        let mine = BookingFilter { owner: Some(reader.clone()), ..BookingFilter::default() };
        let page = store.bookings(&mine, None, 100).await.unwrap();
        assert_eq!((page.items.len(), page.next.is_some()), (60, false));
        let third = Store::filled(3_000).parse().unwrap();
        assert_eq!(store.booking(&third).await.unwrap().unwrap().owner, reader);
    })
    .await;
}

#[tokio::test]
async fn no_read_walks_through_all_bookings_or_sorts_them() {
    on_both(async |db| {
        let store = &db.store;
        let (booking, reader) = fill(store).await;
        let everybody = BookingFilter::default();
        let mine = BookingFilter { owner: Some(reader.clone()), ..everybody.clone() };
        let ours = BookingFilter { company: Some("com_a".parse().unwrap()), ..everybody.clone() };
        let ended = BookingFilter { status: Some(Status::Completed), ..mine.clone() };
        let all_lines = DashboardFilter::default();
        let my_lines = DashboardFilter { owner: Some(reader.clone()), ..all_lines.clone() };
        let cursor = store.bookings(&everybody, None, 1).await.unwrap().next.unwrap();
        let run = statements_of(async {
            store.booking(&booking).await.unwrap();
            for filter in [&everybody, &mine, &ours, &ended] {
                store.bookings(filter, None, 20).await.unwrap();
                store.bookings(filter, Some(&cursor), 20).await.unwrap();
            }
            for filter in [&all_lines, &my_lines] {
                store.dashboard(filter, None, 20).await.unwrap();
                store.dashboard(filter, Some(&cursor), 20).await.unwrap();
            }
            store.approvals(None, None, 20).await.unwrap();
            store.bookings_in_trouble(None, None, 20).await.unwrap();
            store.bookings_in_trouble(None, Some(&cursor), 20).await.unwrap();
            store.timeline(&booking).await.unwrap();
            store.messages_of(&booking).await.unwrap();
            store.due_shards(later()).await.unwrap();
            store.outstanding(later()).await.unwrap();
        })
        .await;
        assert!(run.len() >= 15, "{run:?}");
        for sql in run {
            let plan = db.plan(&sql).await.unwrap();
            assert!(!is_costly(&sql, &plan), "{}: {sql}\n{plan:#?}", db.name);
        }
        let walk = "SELECT id FROM bookings WHERE fingerprint = $1";
        assert!(is_costly(walk, &db.plan(walk).await.unwrap()), "it is not told apart");
    })
    .await;
}

/// Whether a plan walks through all bookings, other than along an index that it leaves when it has
/// enough, or sorts them.
fn is_costly(sql: &str, plan: &[String]) -> bool {
    plan.iter().any(|line| {
        let has = |word: &str| line.contains(word);
        let by_index = has("USING INDEX") || has("USING COVERING");
        let walks = has("Seq Scan on bookings") || (has("SCAN bookings") && !by_index);
        walks || (sql.contains("FROM bookings") && (has("TEMP B-TREE") || has("Sort")))
    })
}
