//! The dashboard: what it shows, to whom, page by page, and that it is rebuilt.

use bellhop_domain::{plan::Means, status::Status};
use bellhop_store::{DashboardFilter, DashboardRow, MethodChange, NewMethod, Store};

use crate::fixture::*;

async fn lines(store: &Store, filter: DashboardFilter) -> Vec<DashboardRow> {
    store.dashboard(&filter, None, 9).await.unwrap().items
}

fn ids(rows: &[DashboardRow]) -> Vec<&str> {
    rows.iter().map(|it| it.id.as_str()).collect()
}

/// A booking that is paid with the method `pm_a`.
async fn paid_by_method(store: &Store) -> Booking {
    put(store, taxis("one", "com_a", 9_800, 9)).await;
    let new = NewMethod {
        id: "pm_a".parse().unwrap(),
        owner: "cus_kim".parse().unwrap(),
        kind: "credit".to_owned(),
        token: "tok_ok".to_owned(),
        fingerprint: "f".to_owned(),
    };
    store.add_payment_method(&new, at(0)).await.unwrap();
    let with_method = |plan: &mut bellhop_domain::plan::Plan| {
        plan.request.payment = Some(Means {
            token: new.token.clone(),
            kind: Some(new.kind.clone()),
            method: Some(new.id.clone()),
            store: false,
        });
    };
    Booking::with("1", with_method).opened(store).await
}

#[tokio::test]
async fn a_line_follows_its_method() {
    on_both(async |db| {
        let store = &db.store;
        let booking = paid_by_method(store).await;
        let (kim, method) = ("cus_kim".parse().unwrap(), "pm_a".parse().unwrap());
        let line = async || lines(store, DashboardFilter::default()).await.remove(0);
        let expected = DashboardRow {
            id: booking.id.clone(),
            owner: booking.plan.request.customer.id.clone(),
            service: "call-taxi".to_owned(),
            place: Some("서울 마포구".to_owned()),
            price: Some(won(9_800)),
            starts_at: booking.plan.request.starts_at,
            pay_kind: Some("credit".to_owned()),
            method: Some("pm_a".parse().unwrap()),
            is_attached: true,
            status: Status::Pending,
        };
        assert_eq!(line().await, expected);
        let change = MethodChange { kind: Some("debit".to_owned()), ..MethodChange::default() };
        store.change_payment_method(&kim, &method, &change, at(5)).await.unwrap();
        assert_eq!(line().await.pay_kind.as_deref(), Some("debit"));
        store.detach_payment_method(&kim, &method, at(6)).await.unwrap();
        let removed = line().await;
        assert_eq!((removed.method, removed.is_attached), (Some(method), false));
    })
    .await;
}

#[tokio::test]
async fn lines_are_found_by_what_is_asked_for() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 9)).await;
        for (name, days) in [("1", 1), ("2", 3), ("3", 2), ("4", 2)] {
            let later = |plan: &mut bellhop_domain::plan::Plan| {
                plan.request.starts_at = at(86_400 * days);
                if name == "4" {
                    plan.request.customer.id = "cus_lee".parse().unwrap();
                }
            };
            Booking::with(name, later).opened(store).await;
        }
        let all = DashboardFilter::default();
        assert_eq!(ids(&lines(store, all.clone()).await), ["bk_2", "bk_4", "bk_3", "bk_1"]);
        let first = store.dashboard(&all, None, 2).await.unwrap();
        let second = store.dashboard(&all, first.next.as_ref(), 2).await.unwrap();
        assert_eq!((ids(&second.items), second.next), (vec!["bk_3", "bk_1"], None));

        let owner = "cus_lee".parse().ok();
        let of_lee = DashboardFilter { owner, ..all.clone() };
        assert_eq!(ids(&lines(store, of_lee).await), ["bk_4"]);
        let (from, to) = (Some(at(86_400 * 2)), Some(at(86_400 * 3)));
        let then = DashboardFilter { from, to, ..all.clone() };
        assert_eq!(ids(&lines(store, then).await), ["bk_4", "bk_3"]);
        for (companies, found) in [(vec!["com_a"], 4), (vec!["com_b"], 0), (vec![], 0)] {
            let companies = Some(companies.into_iter().map(|it| it.parse().unwrap()).collect());
            let ours = DashboardFilter { companies, ..all.clone() };
            assert_eq!(lines(store, ours).await.len(), found);
        }
        let service = Some("coffee".to_owned());
        assert!(lines(store, DashboardFilter { service, ..all.clone() }).await.is_empty());
        let status = Some(Status::Confirmed);
        assert!(lines(store, DashboardFilter { status, ..all }).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_line_that_is_wrong_is_found_and_rebuilt() {
    on_both(async |db| {
        let store = &db.store;
        paid_by_method(store).await;
        let right = lines(store, DashboardFilter::default()).await;
        for wrong in ["amount = 1", "currency = 'EUR'", "starts_at = 0", "attention_since = 1"] {
            db.corrupt(&format!("UPDATE bookings SET {wrong}")).await.unwrap();
            let broken = store.invariants(later()).await.unwrap();
            assert_eq!(broken[0].rule, "view_is_fold", "{wrong}");
            assert_eq!(store.rebuild(at(9)).await.unwrap().changed, 1, "{wrong}");
            assert_eq!(lines(store, DashboardFilter::default()).await, right, "{wrong}");
        }
    })
    .await;
}
