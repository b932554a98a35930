//! Payment methods: registered, changed, removed, and stored by what they have paid for.

use bellhop_domain::{
    act::{Firm, Firmed},
    id::{MethodId, SubjectId},
    plan::Means,
};
use bellhop_store::{MethodChange, NewMethod, PaymentMethod, Store};
use futures::future::join_all;

use crate::fixture::*;

fn kim() -> SubjectId {
    "cus_kim".parse().unwrap()
}

fn id(name: &str) -> MethodId {
    format!("pm_{name}").parse().unwrap()
}

fn method(name: &str) -> NewMethod {
    NewMethod {
        id: id(name),
        owner: kim(),
        kind: "credit".to_owned(),
        token: format!("tok_{name}"),
        fingerprint: "f".to_owned(),
    }
}

/// The ids of a customer's methods, the default marked.
async fn listed(store: &Store) -> Vec<String> {
    let page = store.payment_methods(&kim(), None, 9).await.unwrap();
    let show = |it: &PaymentMethod| format!("{}{}", it.id, if it.is_default { "*" } else { "" });
    page.items.iter().map(show).collect()
}

#[tokio::test]
async fn the_first_is_the_default_until_another_is() {
    on_both(async |db| {
        let store = &db.store;
        for (second, name) in [(1, "a"), (2, "b"), (3, "c")] {
            let (added, is_new) =
                store.add_payment_method(&method(name), at(second)).await.unwrap();
            assert_eq!((added.is_default, is_new), (name == "a", true));
        }
        let other = NewMethod { token: "tok_other".to_owned(), ..method("a") };
        let (again, is_new) = store.add_payment_method(&other, at(9)).await.unwrap();
        assert_eq!((again.token.as_str(), again.created_at, is_new), ("tok_a", at(1), false));

        let change = MethodChange { becomes_default: true, ..MethodChange::default() };
        let changed = store.change_payment_method(&kim(), &id("b"), &change, at(4)).await.unwrap();
        assert!(changed.is_some_and(|it| it.is_default && it.changed_at == at(4)));
        assert_eq!(listed(store).await, ["pm_a", "pm_b*", "pm_c"]);

        for _ in 0..2 {
            assert!(store.detach_payment_method(&kim(), &id("b"), at(5)).await.unwrap());
            assert_eq!(listed(store).await, ["pm_a*", "pm_c"], "the oldest stands in");
        }
        let removed = store.payment_method(&kim(), &id("b")).await.unwrap().unwrap();
        assert_eq!((removed.detached_at, removed.token.as_str()), (Some(at(5)), ""));
        let gone = store.change_payment_method(&kim(), &id("b"), &change, at(6)).await.unwrap();
        assert!(gone.is_none());
        assert_eq!(listed(store).await, ["pm_a*", "pm_c"], "the default is what it was");
    })
    .await;
}

#[tokio::test]
async fn nobody_reads_or_changes_anothers() {
    on_both(async |db| {
        let (store, lee) = (&db.store, "cus_lee".parse().unwrap());
        store.add_payment_method(&method("a"), at(1)).await.unwrap();
        let change = MethodChange { kind: Some("debit".to_owned()), ..MethodChange::default() };
        let changed = store.change_payment_method(&lee, &id("a"), &change, at(2)).await.unwrap();
        assert!(changed.is_none());
        assert!(!store.detach_payment_method(&lee, &id("a"), at(2)).await.unwrap());
        assert!(store.payment_method(&lee, &id("a")).await.unwrap().is_none());
        let kept = store.payment_method(&kim(), &id("a")).await.unwrap().unwrap();
        assert_eq!((kept.kind.as_str(), kept.detached_at), ("credit", None));
    })
    .await;
}

#[tokio::test]
async fn of_many_first_ones_one_is_the_default() {
    on_both(async |db| {
        let store = &db.store;
        let new: Vec<_> = (0..8).map(|it| method(&it.to_string())).collect();
        let added = join_all(new.iter().map(|it| store.add_payment_method(it, at(1)))).await;
        // A race that is lost twice is told, and a repeat is good.
        for (added, new) in added.into_iter().zip(&new) {
            match added {
                Ok(_) => {}
                Err(error) => {
                    assert!(error.is_transient(), "{error}");
                    store.add_payment_method(new, at(1)).await.unwrap();
                }
            }
        }
        let listed = listed(store).await;
        assert_eq!(listed.len(), 8);
        assert_eq!(listed.iter().filter(|it| it.ends_with('*')).count(), 1, "{listed:?}");
    })
    .await;
}

fn storing(booking: &Booking) -> Firm {
    let token = "tok_ok".to_owned();
    let means = Means { token, kind: Some("credit".to_owned()), method: None, store: true };
    Firm { store: Some(means), ..booking.firm() }
}

#[tokio::test]
async fn what_has_paid_is_stored_with_the_payment_once() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 3)).await;
        let booking = Booking::new("1").opened(store).await;
        let stored = MethodId::from_key(&kim(), "bk_1");
        assert!(listed(store).await.is_empty(), "nothing has paid yet");
        for second in [2, 3] {
            store.firm_hold(&storing(&booking), at(second)).await.unwrap();
            assert_eq!(listed(store).await, [format!("{stored}*")]);
        }
        let row = store.booking(&booking.id).await.unwrap().unwrap();
        assert_eq!(row.method, Some(stored.clone()));
        let method = store.payment_method(&kim(), &stored).await.unwrap().unwrap();
        assert_eq!((method.kind.as_str(), method.token.as_str()), ("credit", "tok_ok"));

        // Nobody asked for it.
        let plain = Booking::new("2").opened(store).await;
        store.firm_hold(&plain.firm(), at(4)).await.unwrap();
        assert_eq!(store.booking(&plain.id).await.unwrap().unwrap().method, None);
        assert_eq!(listed(store).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_has_paid_for_a_cancelled_booking_is_not_stored() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 3)).await;
        let cancelled = Booking::new("1").opened(store).await;
        store.append_events(&cancelled.append(&[cancelling()]), at(2)).await.unwrap();
        let firm = store.firm_hold(&storing(&cancelled), at(3)).await.unwrap();
        assert!(matches!(firm, Firmed::Firm { .. }), "it is a fact that it was paid");
        let lost = Booking::new("2").opened(store).await;
        store.release_booking(&lost.release(), at(4)).await.unwrap();
        assert_eq!(store.firm_hold(&storing(&lost), at(5)).await.unwrap(), Firmed::Lost);
        assert!(listed(store).await.is_empty());
    })
    .await;
}
