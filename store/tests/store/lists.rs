//! Lists and small tables: pages, filters, pools, quotes, partners, queues.

use bellhop_domain::{
    event::{Event, NewEvent},
    id::QuoteId,
    policy::Terms,
    status::Status,
};
use bellhop_store::{BookingFilter, CancellationQuote, Cursor, Store, StoreError};

use crate::fixture::*;

/// The names of the bookings that fit, read page by page.
async fn listed(store: &Store, filter: &BookingFilter, limit: u32) -> Vec<String> {
    let (mut names, mut cursor) = (vec![], None::<Cursor>);
    loop {
        // A cursor survives its way through a URL.
        let given = cursor.map(|it| it.to_string().parse().unwrap());
        let page = store.bookings(filter, given.as_ref(), limit).await.unwrap();
        assert!(page.items.len() <= usize::try_from(limit).unwrap());
        names.extend(page.items.iter().map(|it| it.id.as_str().replace("bk_", "")));
        cursor = page.next;
        if cursor.is_none() {
            return names;
        }
    }
}

#[tokio::test]
async fn bookings_are_listed_newest_first_and_each_once() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 100)).await;
        for (name, second) in [("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 3)] {
            store.open_booking(&Booking::new(name).open(), at(second)).await.unwrap();
        }
        let all = BookingFilter::default();
        for limit in [1, 2, 5, 9] {
            let names = listed(store, &all, limit).await;
            assert_eq!(names, ["e", "d", "c", "b", "a"], "{limit} a page");
        }
        // What is added meanwhile does not move the pages that follow.
        let page = store.bookings(&all, None, 2).await.unwrap();
        store.open_booking(&Booking::new("f").open(), at(9)).await.unwrap();
        let next = store.bookings(&all, page.next.as_ref(), 1).await.unwrap();
        assert_eq!(next.items[0].id.as_str(), "bk_c");
    })
    .await;
}

#[tokio::test]
async fn bookings_are_found_by_everything_that_is_named() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        put(store, taxis("T_2", "com_b", 9_900, 100)).await;
        Booking::new("a").confirmed(store).await;
        Booking::with("b", |plan| plan.request.customer.id = "cus_lee".parse().unwrap())
            .confirmed(store)
            .await;
        store.open_booking(&Booking::new("c").open(), at(100)).await.unwrap();

        let fits = async |change: fn(&mut BookingFilter)| {
            let mut filter = BookingFilter::default();
            change(&mut filter);
            listed(store, &filter, 9).await
        };
        assert_eq!(fits(|it| it.owner = "cus_lee".parse().ok()).await, ["b"]);
        assert_eq!(fits(|it| it.company = "com_b".parse().ok()).await, ["c", "b"]);
        assert_eq!(fits(|it| it.status = Some(Status::Confirmed)).await, ["b", "a"]);
        assert_eq!(fits(|it| it.service = Some("coffee".to_owned())).await, [] as [&str; 0]);
        assert_eq!(fits(|it| it.from = Some(at(100))).await, ["c"]);
        assert_eq!(fits(|it| it.to = Some(at(100))).await, ["b", "a"]);
        assert_eq!(fits(|it| it.q = Some("bk_a".to_owned())).await, ["a"]);
        assert_eq!(fits(|it| it.q = Some("taxi ONE".to_owned())).await, ["a"]);
        assert_eq!(fits(|it| it.q = Some("t_2".to_owned())).await, ["b"], "_ is itself");
        assert_eq!(fits(|it| it.q = Some("%".to_owned())).await, [] as [&str; 0], "% is itself");
        assert_eq!(fits(|it| it.q = Some("'; --".to_owned())).await, [] as [&str; 0]);
        let both = |it: &mut BookingFilter| {
            it.owner = "cus_kim".parse().ok();
            it.company = "com_b".parse().ok();
        };
        assert_eq!(fits(both).await, ["c"]);
    })
    .await;
}

#[tokio::test]
async fn those_who_wait_for_a_manager_are_listed_oldest_first() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 2)).await;
        put(store, taxis("two", "com_b", 9_900, 9)).await;
        for (name, second) in [("a", 3), ("b", 2), ("c", 1)] {
            let booking = Booking::new(name);
            store.open_booking(&booking.open(), at(second)).await.unwrap();
            store.firm_hold(&booking.firm(), at(10)).await.unwrap();
        }
        Booking::new("d").approved(store).await;
        Booking::new("e").opened(store).await;
        let first = store.approvals(None, None, 2).await.unwrap();
        let names = |page: &bellhop_store::Page<bellhop_store::BookingRow>| {
            page.items.iter().map(|it| it.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(&first), ["bk_c", "bk_b"]);
        let second = store.approvals(None, first.next.as_ref(), 2).await.unwrap();
        assert_eq!((names(&second), second.next), (vec!["bk_a".to_owned()], None));
        let of_b = store.approvals("com_b".parse().ok().as_ref(), None, 9).await.unwrap();
        assert_eq!(names(&of_b), ["bk_c"]);
    })
    .await;
}

#[tokio::test]
async fn those_that_somebody_should_look_at_are_listed_by_how_long_until_they_are_well() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 2)).await;
        put(store, taxis("two", "com_b", 9_900, 9)).await;
        let raised = NewEvent::new(Event::AttentionRaised { cause: "payments".to_owned() }, 1);
        let cleared = NewEvent::new(Event::AttentionCleared, 1);
        for (name, second) in [("a", 30), ("b", 20), ("c", 10), ("d", 5)] {
            let booking = Booking::new(name).opened(store).await;
            let append = booking.append(std::slice::from_ref(&raised));
            store.append_events(&append, at(second)).await.unwrap();
            if name == "d" {
                let append = booking.append(std::slice::from_ref(&cleared));
                store.append_events(&append, at(40)).await.unwrap();
            }
        }
        Booking::new("e").opened(store).await;
        let listed = async |company: Option<&str>| {
            let (mut names, mut cursor) = (vec![], None);
            let company = company.map(|it| it.parse().unwrap());
            loop {
                let page = store.bookings_in_trouble(company.as_ref(), cursor.as_ref(), 2).await;
                let page = page.unwrap();
                names.extend(page.items.iter().map(|it| it.id.to_string()));
                cursor = page.next;
                if cursor.is_none() {
                    return names;
                }
            }
        };
        assert_eq!(listed(None).await, ["bk_c", "bk_b", "bk_a"]);
        assert_eq!(listed(Some("com_a")).await, ["bk_b", "bk_a"]);
        assert_eq!(listed(Some("com_z")).await, [] as [&str; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_pool_changes_but_never_below_what_is_in_use() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 3)).await;
        Booking::new("a").opened(store).await;
        Booking::new("b").confirmed(store).await;
        let row = pool(store, "one").await;
        assert_eq!((row.held, row.taken, row.free()), (1, 1, 1));

        let less = store.put_pool(&taxis("one", "com_a", 1, 1), at(9)).await.unwrap_err();
        assert!(matches!(less, StoreError::PoolInUse { held: 1, taken: 1 }), "{less}");
        let other = store.put_pool(&taxis("one", "com_z", 1, 9), at(9)).await.unwrap_err();
        assert!(matches!(other, StoreError::PoolFixed(_)), "{other}");
        assert_eq!(pool(store, "one").await, row, "it stays as it was");
        let changed = taxis("one", "com_a", 7_000, 2);
        store.put_pool(&changed, at(9)).await.unwrap();
        let now = pool(store, "one").await;
        assert_eq!((now.pool, now.held, now.taken, now.created_at), (changed, 1, 1, at(0)));
        assert_eq!(store.pool(&"none".parse().unwrap()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_stock_is_what_is_there_besides_what_is_taken() {
    on_both(async |db| {
        let store = &db.store;
        store.put_stock(&taxis("one", "com_a", 9_800, 3), at(0)).await.unwrap();
        Booking::new("a").opened(store).await;
        Booking::new("b").confirmed(store).await;
        let stock = async || {
            let row = pool(store, "one").await;
            (row.pool.capacity, row.held, row.taken)
        };
        for count in [5, 5, 1] {
            store.put_stock(&taxis("one", "com_a", 9_800, count), at(9)).await.unwrap();
            assert_eq!(stock().await, (count + 1, 1, 1), "{count}, and one that is taken");
        }
        let less = store.put_stock(&taxis("one", "com_a", 1, 0), at(9)).await.unwrap_err();
        assert!(matches!(less, StoreError::PoolInUse { held: 1, taken: 1 }), "{less}");
        assert_eq!(stock().await, (2, 1, 1), "it stays as it was");
    })
    .await;
}

#[tokio::test]
async fn pools_are_listed_by_kind_and_company() {
    on_both(async |db| {
        let store = &db.store;
        for (number, company) in ["com_a", "com_b", "com_a", "com_a"].into_iter().enumerate() {
            let pool = taxis(&format!("p{number}"), company, 9_800, 1);
            store.put_pool(&pool, at(number.try_into().unwrap())).await.unwrap();
        }
        let company = "com_a".parse().ok();
        let first = store.pools(Some("taxi"), company.as_ref(), None, 2).await.unwrap();
        let ids = |page: &bellhop_store::Page<bellhop_store::PoolRow>| {
            page.items.iter().map(|it| it.pool.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&first), ["p0", "p2"]);
        let next = store.pools(Some("taxi"), company.as_ref(), first.next.as_ref(), 2).await;
        assert_eq!(ids(&next.unwrap()), ["p3"]);
        assert_eq!(store.pools(None, None, None, 9).await.unwrap().items.len(), 4);
        assert_eq!(store.pools(Some("coffee"), None, None, 9).await.unwrap().items.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_quote_is_kept_as_it_was_given() {
    on_both(async |db| {
        let store = &db.store;
        let terms = Terms { refund_percent: 50, keep: Some(won(4_900)), until: Some(at(5)) };
        let id: QuoteId = "cq_1".parse().unwrap();
        let quote = CancellationQuote {
            id: id.clone(),
            booking: Booking::new("1").id,
            terms,
            expires_at: at(9),
        };
        store.put_cancellation_quote(&quote).await.unwrap();
        let other = Terms { refund_percent: 0, ..terms };
        let later = CancellationQuote { terms: other, ..quote.clone() };
        store.put_cancellation_quote(&later).await.unwrap();
        assert_eq!(store.cancellation_quote(&id).await.unwrap(), Some(quote));
        assert_eq!(store.cancellation_quote(&"cq_2".parse().unwrap()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_one_process_finds_out_of_a_partner_all_know() {
    on_both(async |db| {
        let store = &db.store;
        assert_eq!(store.partner_away_until("payments").await.unwrap(), None);
        for until in [Some(at(5)), Some(at(7)), None] {
            store.set_partner_away("payments", until).await.unwrap();
            assert_eq!(store.partner_away_until("payments").await.unwrap(), until);
        }
    })
    .await;
}

#[tokio::test]
async fn all_workers_of_a_queue_carry_the_same_families() {
    on_both(async |db| {
        let store = &db.store;
        store.claim_queue("bookings", "dispatch,payments").await.unwrap();
        store.claim_queue("bookings", "dispatch,payments").await.unwrap();
        store.claim_queue("other", "").await.unwrap();
        let error = store.claim_queue("bookings", "dispatch").await.unwrap_err();
        let is_registered = |it: &str| it == "dispatch,payments";
        assert!(
            matches!(&error, StoreError::OtherFamilies { registered } if is_registered(registered))
        );
        assert!(!error.is_transient());
    })
    .await;
}

/// Compiles: handlers and activities are awaited on any thread.
const _: fn(&Store) = |store| {
    fn is_send(_: impl Send) {}
    is_send(store.bookings(&BookingFilter::default(), None, 1));
    is_send(store.approvals(None, None, 1));
    is_send(store.pools(None, None, None, 1));
    is_send(store.invariants(at(0)));
    is_send(store.migrate());
    is_send(Store::open(""));
    is_send(store.close());
};
