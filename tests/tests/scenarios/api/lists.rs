//! Lists: pages, filters and their order.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::{Fleet, OURS, bellhop, cancel, pages, words};

#[tokio::test]
async fn pages_have_everything_once_and_in_order() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let from = Timestamp::now();
    let fleet = Fleet::ours(&bellhop, 7).await?;
    let mut ids = vec![];
    for _ in 0..7 {
        ids.push(fleet.reserve(&people.lee).await?);
    }
    let to = Timestamp::now();
    let of_ours = |items: Vec<Value>| -> Vec<String> {
        let ours = items.iter().filter(|it| it["options"]["grade"] == json!(fleet.grade));
        ours.filter_map(|it| it["id"].as_str().map(str::to_owned)).collect()
    };
    let oldest_first = ids.clone();
    ids.reverse();
    for limit in [1, 2, 3, 7, 100] {
        let window = format!("/bookings?from={from}&to={to}");
        assert_eq!(of_ours(pages(&people.lee, &window, limit).await?), ids, "newest first");
        assert_eq!(of_ours(pages(&people.manager, &window, limit).await?), ids, "for the company");
    }
    let page = pages(&people.lee, "/customers/cus_lee/bookings", 4).await?;
    assert_eq!(of_ours(page), ids);
    let approvals = pages(&people.manager, &format!("/approvals?company={OURS}"), 2).await?;
    assert_eq!(of_ours(approvals), oldest_first, "oldest first");
    Ok(())
}

#[tokio::test]
async fn filters_leave_out_what_does_not_fit() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let from = Timestamp::now();
    let fleet = Fleet::register(&bellhop, "com_lists", 9_800, 3).await?;
    let (waiting, cancelled) =
        (fleet.reserve(&people.kim).await?, fleet.reserve(&people.lee).await?);
    let confirmed = fleet.confirmed(&people.kim).await?;
    cancel(&people.lee, &cancelled).await?;
    let to = Timestamp::now();
    let id = waiting.as_str();
    for (query, expected) in [
        (String::new(), vec![confirmed.as_str(), &cancelled, id]),
        ("&status=awaiting_approval".to_owned(), vec![id]),
        ("&status=cancelled".to_owned(), vec![&cancelled]),
        ("&customer=cus_kim".to_owned(), vec![&confirmed, id]),
        ("&customer=cus_kim&status=confirmed".to_owned(), vec![&confirmed]),
        ("&service=call-taxi".to_owned(), vec![&confirmed, &cancelled, id]),
        ("&service=ferry".to_owned(), vec![]),
        (format!("&q={id}"), vec![id]),
        (format!("&q={}", &id[..12]), vec![id]),
        ("&q=%ED%95%9C%EA%B0%95".to_owned(), vec![&confirmed]),
        ("&q=%25".to_owned(), vec![]),
        (format!("&from={to}"), vec![]),
        (format!("&from={from}&to={to}"), vec![&confirmed, &cancelled, id]),
        (format!("&to={from}"), vec![]),
    ] {
        let path = format!("/bookings?company=com_lists{query}");
        let listed = pages(&people.operator, &path, 100).await?;
        assert_eq!(words(&listed, "id"), expected, "{query}");
    }
    // A customer's list is their own, whatever they ask for.
    let asked = people.lee.get("/bookings?company=com_lists&customer=cus_kim").await?;
    assert_eq!((asked.status, &asked.body), (200, &json!({"items": [], "next_cursor": null})));
    let own = pages(&people.lee, "/bookings?company=com_lists", 100).await?;
    assert_eq!(words(&own, "id"), [&cancelled]);
    Ok(())
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused() -> anyhow::Result<()> {
    let (_, people) = bellhop().await?;
    for path in [
        "/bookings?limit=0",
        "/bookings?limit=101",
        "/bookings?limit=many",
        "/bookings?status=lost",
        "/bookings?from=yesterday",
        "/bookings?colour=red",
        "/bookings?cursor=x",
        "/approvals?cursor=com_none~",
        "/approvals?status=lost",
        "/taxis?cursor=%20",
        "/customers/cus_kim/bookings?cursor=!",
    ] {
        people.operator.get(path).await?.assert_problem(400, "invalid_query");
    }
    Ok(())
}
