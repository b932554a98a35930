//! Opening, locking, migrating, closing.

use bellhop_store::{
    Store, StoreError,
    testing::{TestDb, TestPostgres},
};

use crate::fixture::*;

async fn refused(url: &str) -> StoreError {
    let error = Store::open(url).await.map(|_| ()).unwrap_err();
    assert!(!error.to_string().is_empty());
    error
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_with_an_example() {
    for url in [
        "",
        "bellhop.db",
        "mysql://localhost/bellhop",
        "sqlite::memory:",
        "sqlite://",
        "postgres://[/",
    ] {
        let error = refused(url).await;
        assert!(matches!(error, StoreError::Address { .. }), "{url}: {error:?}");
        assert!(error.to_string().contains("sqlite:///"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_folder_is_created_and_one_that_cannot_be_is_named() {
    let db = TestDb::sqlite().await;
    let url = db.url.replace("bellhop.db", "new/and/deep/bellhop.db");
    let store = Store::open(&url).await.unwrap();
    assert!(!store.is_migrated().await.unwrap());
    store.migrate().await.unwrap();
    assert!(store.is_migrated().await.unwrap());
    assert!(!store.is_postgres());
    let error = refused("sqlite:///dev/null/bellhop.db").await;
    assert!(matches!(error, StoreError::Folder { .. }) && error.to_string().contains("/dev/null"));
}

#[tokio::test]
async fn a_second_process_on_the_same_file_is_told_so() {
    let db = TestDb::sqlite().await;
    let error = refused(&db.url).await;
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("PostgreSQL"), "it says what to do: {error}");
    db.store.close().await;
    let again = Store::open(&db.url).await.unwrap();
    assert!(again.is_migrated().await.unwrap(), "what was there is there");
}

#[tokio::test]
async fn a_server_that_refuses_the_login_or_is_away_is_told_apart() {
    let server = TestPostgres::shared();
    let db = TestDb::postgres().await;
    db.execute("CREATE ROLE stranger LOGIN PASSWORD 'right'").await.unwrap();
    let stranger = |password| server.url(&format!("stranger:{password}"), "postgres");
    let store = Store::open(&stranger("right")).await.unwrap();
    assert_eq!(format!("{store:?}"), "Store(postgres)", "the password is not told");
    let error = refused(&stranger("wrong")).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("wrong"), "the password is not told");
    let error = refused(&server.url("postgres", "no_such_database")).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    let error = refused("postgres://postgres@127.0.0.1:1/bellhop").await;
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_store_answers_until_it_is_closed() {
    on_both(async |db| {
        db.store.ping().await.unwrap();
        db.store.migrate().await.unwrap();
        assert!(db.store.is_migrated().await.unwrap());
        assert_eq!(db.store.is_postgres(), db.name == "postgres");
        let feed = db.store.feed();
        db.store.close().await;
        db.store.close().await;
        drop(feed);
        assert!(db.store.ping().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let db = TestDb::sqlite().await;
    put(&db.store, taxis("one", "com_a", 9_800, 1)).await;
    let booking = Booking::new("1").confirmed(&db.store).await;
    let row = db.store.booking(&booking.id).await.unwrap();
    db.store.close().await;
    let again = Store::open(&db.url).await.unwrap();
    assert_eq!(again.booking(&booking.id).await.unwrap(), row);
    assert_eq!(again.invariants(later()).await.unwrap(), []);
}

#[tokio::test]
async fn a_call_that_is_given_up_halfway_leaves_nothing_behind() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1_000)).await;
        for number in 0..60_u64 {
            let booking = Booking::new(&number.to_string());
            let patience = std::time::Duration::from_micros(number * 60);
            _ = tokio::time::timeout(patience, store.open_booking(&booking.open(), at(1))).await;
            // The next one is not in the way of what was given up.
            store.open_booking(&booking.open(), at(2)).await.unwrap();
        }
        assert_eq!(used(store, "one").await, (60, 0));
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}
