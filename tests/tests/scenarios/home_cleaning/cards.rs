//! home-cleaning 1: card numbers are refused wherever they stand, and nowhere written down.

use bellhop_tests::{
    desk::new_key,
    stack::{Options, Stack},
};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    PROGRAM,
    world::{People, a_cleaning, accepted, cancel, pages},
};

/// Numbers that no card has, and every test provider knows.
const CARDS: [&str; 4] =
    ["4111111111111111", "4242 4242 4242 4242", "3782-822463-10005", "6011 0009 9013 9424"];

/// A token that only this test has.
const TOKEN: &str = "tok_of_the_card_test";

/// home-cleaning 1: no route takes a card number, in whatever place; neither the databases nor the
/// log have one afterwards, and no answer repeats it. Tokens are not shown or logged either.
#[tokio::test]
async fn home_cleaning_01_card_numbers_are_refused_and_never_kept() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let log = folder.path().join("log");
    let options = Options {
        settings: vec![("RUST_LOG", "debug".to_owned())],
        log: Some(log.clone()),
        ..Options::default()
    };
    let bellhop = Stack::start_with(PROGRAM, options).await?;
    let people = People::of(&bellhop);
    let paid = || json!({"kind": "credit", "token": TOKEN, "store": true});
    let id = accepted(&people.kim, a_cleaning(paid())).await?;
    let (kims, cancel_path) =
        ("/customers/cus_kim/payment-methods", format!("/bookings/{id}/cancel"));

    let mut refusals = vec![];
    for card in CARDS {
        for pointer in [
            "/customer/name",
            "/customer/phone",
            "/place/address",
            "/payment/token",
            "/payment/kind",
        ] {
            let mut request = a_cleaning(paid());
            *request.pointer_mut(pointer).expect("it has it") = json!(card);
            refusals.push(people.kim.book(request).await?);
        }
        let mut request = a_cleaning(paid());
        request["options"] = json!({ "size": card });
        refusals.push(people.kim.book(request).await?);
        let mut request = a_cleaning(paid());
        request[card] = json!(1);
        refusals.push(people.kim.book(request).await?);
        let body = json!({"kind": "credit", "token": format!("tok_{card}")});
        refusals.push(people.kim.post(kims, body).await?);
        let reason = json!({"reason": format!("my card is {card}, thank you")});
        refusals.push(people.kim.post(&cancel_path, reason).await?);
        let name = json!({"company": "com_mapo", "product": "x", "name": card, "stock": 1,
            "price": {"minor": 1, "currency": "KRW"}});
        refusals.push(people.manager.put("/products/x", name).await?);

        let key = card.replace(' ', "-");
        refusals.push(people.kim.post_as("/bookings", &key, a_cleaning(paid())).await?);
        let headers = [("content-type", "application/json"), ("x-request-id", key.as_str())];
        refusals.push(people.kim.raw(Method::POST, "/bookings", &headers, "{}").await?);
        refusals.push(people.kim.get(&format!("/bookings/{key}")).await?);
        refusals.push(people.kim.get(&format!("/bookings?q={}", card.replace(' ', "+"))).await?);
    }
    for refused in refusals {
        refused.assert_problem(422, "card_number_refused");
        let said = format!("{:?}", (&refused.body, &refused.headers));
        assert!(!CARDS.iter().any(|it| said.contains(it)), "{said}");
    }
    let booked = pages(&people.kim, "/customers/cus_kim/bookings", 50).await?;
    assert_eq!(booked.len(), 1, "nothing of it was booked");

    // What looks similar is not refused: phones, keys, places, tokens.
    let mut request = a_cleaning(paid());
    request["customer"]["name"] = json!("Kim 010-4242-4242 (4111 1111)");
    request["customer"]["phone"] = json!("+82 10 4242 4242");
    request["place"]["lat"] = json!(33.424_242_424_242_42);
    let key = format!("{}-0193a411-1111-1111-8111-11b2c3d4e5f6", new_key());
    people.kim.post_as("/bookings", &key, request).await?.assert_booking(201, "dispatching");

    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");
    for path in [kims, "/customers/cus_kim/bookings", "/dashboard", "/customers/cus_kim/messages"] {
        let shown = people.kim.get(path).await?.body.to_string();
        assert!(!shown.contains(TOKEN), "{path}");
    }
    let printed = CARDS.map(|it| it.replace(' ', "-"));
    let all = CARDS.into_iter().chain(printed.iter().map(String::as_str)).collect::<Vec<_>>();
    assert_eq!(bellhop.mentions(&all)?, [] as [std::path::PathBuf; 0]);
    let with_token = bellhop.mentions(&[TOKEN])?;
    assert!(!with_token.contains(&log), "tokens are not logged");
    assert!(!with_token.is_empty(), "the search finds what is there: {with_token:?}");
    let logged = std::fs::read_to_string(&log)?;
    assert!(logged.contains(&id), "there is a log, of this booking");
    Ok(())
}
