//! home-cleaning 3 and 4: the dashboard, and how it follows the payment methods.

use anyhow::Context as _;
use bellhop_tests::desk::{Desk, new_key};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::{Fleet, a_cleaning, accepted, approve, bellhop, cancel, pages, words};

/// A start on a whole second.
fn in_a_week() -> anyhow::Result<Timestamp> {
    let week = SignedDuration::from_hours(7 * 24);
    Ok(Timestamp::from_second(Timestamp::now().as_second())?.checked_add(week)?)
}

/// The line of a request on somebody's dashboard.
async fn line(desk: &Desk, id: &str) -> anyhow::Result<Option<Value>> {
    let lines = pages(desk, "/dashboard", 100).await?;
    Ok(lines.into_iter().find(|it| it["request_id"] == *id))
}

/// home-cleaning 3: a request has its line: place, price, date, pay kind and status.
#[tokio::test]
async fn home_cleaning_03_the_dashboard_shows_each_request() -> anyhow::Result<()> {
    let (_, people) = bellhop().await?;
    let mut request = a_cleaning(json!({"kind": "credit", "token": "tok_ok", "store": true}));
    request["options"] = json!({"size": "studio"});
    request["starts_at"] = json!(in_a_week()?);
    let id = accepted(&people.kim, request).await?;
    let booking = people.kim.booking(&id).await?;
    let method = &booking["payment"]["method_id"];
    let shown = line(&people.kim, &id).await?.context("it has a line")?;
    let expected = json!({
        "request_id": id,
        "customer": "cus_kim",
        "service": "home-cleaning",
        "place": "제주시 첨단로 242",
        "price": {"minor": 45_000, "currency": "KRW"},
        "date": booking["starts_at"],
        "pay_kind": "credit",
        "method": {"id": method, "attached": true},
        "status": "dispatching",
    });
    assert_eq!(shown, expected);
    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");
    let status = line(&people.kim, &id).await?.map(|it| it["status"].clone());
    assert_eq!(status, Some(json!("cancelled")), "it follows the booking");
    Ok(())
}

/// home-cleaning 3: customers see theirs, managers what their companies serve, operators all.
#[tokio::test]
async fn home_cleaning_03_everybody_sees_what_is_theirs() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let ours = Fleet::ours(&bellhop, 1).await?;
    let theirs = Fleet::register(&bellhop, "com_other", 9_800, 1).await?;
    let (here, there) = (ours.reserve(&people.kim).await?, theirs.reserve(&people.kim).await?);
    approve(&people.manager, &here).await?;
    for (desk, sees) in [
        (&people.kim, [true, true]),
        (&people.lee, [false, false]),
        (&people.manager, [true, false]),
        (&people.operator, [true, true]),
    ] {
        let seen = [line(desk, &here).await?.is_some(), line(desk, &there).await?.is_some()];
        assert_eq!(seen, sees);
    }
    people.driver.get("/dashboard").await?.assert_problem(403, "forbidden");
    let others = people.lee.get("/dashboard?customer=cus_kim").await?;
    assert_eq!((others.status, &others.body["items"]), (200, &json!([])));
    Ok(())
}

/// home-cleaning 3: it is looked through by service, state, customer and date, page by page.
#[tokio::test]
async fn home_cleaning_03_the_dashboard_is_looked_through() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 3).await?;
    let mut ids = vec![];
    for hour in [8, 10, 9] {
        let mut request = fleet.request("tok_ok");
        request["starts_at"] = json!(format!("2031-05-05T{hour:02}:00:00+09:00"));
        ids.push(accepted(&people.kim, request).await?);
    }
    approve(&people.manager, &ids[0]).await?;
    let day = "from=2031-05-04T23:00:00Z&to=2031-05-05T01:00:00Z&customer=cus_kim";
    let found = async |query: &str, limit| {
        let lines = pages(&people.operator, &format!("/dashboard?{query}"), limit).await?;
        anyhow::Ok(words(&lines, "request_id").into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let in_order = [ids[2].clone(), ids[0].clone()];
    for limit in [1, 2, 100] {
        assert_eq!(found(day, limit).await?, in_order, "the latest first, without the one at 10");
    }
    assert_eq!(found(&format!("{day}&status=confirmed"), 9).await?, ids[..1]);
    assert_eq!(found(&format!("{day}&service=call-taxi"), 9).await?, in_order);
    assert!(found(&format!("{day}&service=coffee"), 9).await?.is_empty());
    for wrong in ["colour=red", "status=lost", "cursor=x", "limit=0", "from=soon"] {
        let refused = people.operator.get(&format!("/dashboard?{wrong}")).await?;
        refused.assert_problem(400, "invalid_query");
    }
    Ok(())
}

/// home-cleaning 4: changing or removing a method updates the lines of what was paid with it.
#[tokio::test]
async fn home_cleaning_04_a_line_follows_its_method() -> anyhow::Result<()> {
    let (_, people) = bellhop().await?;
    let kims = "/customers/cus_kim/payment-methods";
    let body = json!({"kind": "credit", "token": "tok_ok"});
    let method = people.kim.post(kims, body).await?.id()?;
    let path = format!("{kims}/{method}");
    let id = accepted(&people.kim, a_cleaning(json!({"method_id": method}))).await?;
    let paid_with = async || {
        let line = line(&people.operator, &id).await?.context("it has a line")?;
        anyhow::Ok((line["pay_kind"].clone(), line["method"].clone()))
    };
    let shown = |kind, attached| (json!(kind), json!({"id": method, "attached": attached}));
    assert_eq!(paid_with().await?, shown("credit", true));

    let changed = people.kim.put(&path, json!({"kind": "debit", "token": "tok_slow"})).await?;
    assert_eq!((changed.status, &changed.body["kind"]), (200, &json!("debit")));
    assert_eq!(paid_with().await?, shown("debit", true));

    for _ in 0..2 {
        assert_eq!(people.kim.delete(&path).await?.status, 204, "a repeat answers the same");
    }
    assert_eq!(paid_with().await?, shown("debit", false));
    people.kim.get(&path).await?.assert_problem(404, "not_found");
    people.kim.put(&path, json!({"kind": "new"})).await?.assert_problem(404, "not_found");
    assert_eq!(people.kim.booking(&id).await?["payment"]["method_id"], json!(method));
    Ok(())
}

/// home-cleaning 4: there is one default while there is a method, whatever is removed.
#[tokio::test]
async fn home_cleaning_04_one_of_the_methods_is_the_default() -> anyhow::Result<()> {
    let (_, people) = bellhop().await?;
    let path = format!("/customers/cus_{}/payment-methods", new_key());
    let mut ids = vec![];
    for _ in 0..3 {
        let body = json!({"kind": "credit", "token": "tok_ok"});
        ids.push(people.operator.post(&path, body).await?.id()?);
    }
    let defaults = async || {
        let all = pages(&people.operator, &path, 9).await?;
        let defaults = all.into_iter().filter(|it| it["default"] == true);
        anyhow::Ok(
            defaults.filter_map(|it| it["id"].as_str().map(str::to_owned)).collect::<Vec<_>>(),
        )
    };
    assert_eq!(defaults().await?, ids[..1]);
    let put = people.operator.put(&format!("{path}/{}", ids[2]), json!({"default": true})).await?;
    assert_eq!((put.status, &put.body["default"]), (200, &json!(true)));
    assert_eq!(defaults().await?, ids[2..]);
    let none =
        people.operator.put(&format!("{path}/{}", ids[2]), json!({"default": false})).await?;
    none.assert_problem(422, "invalid_request");
    people.operator.delete(&format!("{path}/{}", ids[2])).await?;
    assert_eq!(defaults().await?, ids[..1], "the oldest stands in");
    Ok(())
}
