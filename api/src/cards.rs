//! Card numbers: they are refused wherever they stand in a request, and never logged (home-cleaning 1).

use axum::http::request::Parts;
use serde_json::Value;

/// What a hexadecimal id is at least long; a run of digits inside one is no card number.
const ID_LENGTH: usize = 32;

/// The headers that are kept: with the booking, or in the log.
const KEPT: [&str; 2] = ["idempotency-key", "x-request-id"];

/// How cards print their numbers; the last group may have some digits more or less.
const PRINTED: [&[usize]; 7] = [
    &[4, 4, 4, 4],
    &[4, 4, 4, 4, 1],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 1],
    &[4, 6, 5],
    &[4, 6, 4],
];

/// Whether the path, the query or a header that is kept has a card number. A cursor has none: it
/// begins with an instant, which is as long.
pub(crate) fn is_in_head(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default().split('&');
    let query = query.filter(|it| !it.starts_with("cursor="));
    let in_uri = |text: &str| {
        let text = text.replace('+', " ").replace("%20", " ").replace("%2D", "-");
        is_in(&text.replace("%2d", "-"))
    };
    let mut kept = KEPT.iter().flat_map(|name| parts.headers.get_all(*name));
    in_uri(parts.uri.path())
        || query.into_iter().any(in_uri)
        || kept.any(|it| is_in(&String::from_utf8_lossy(it.as_bytes())))
}

/// Whether anything in the body could be a card number: 13 to 19 digits, alone or in groups, whose
/// check digit (Luhn) is right.
pub(crate) fn has_card_number(body: &Value) -> bool {
    match body {
        Value::String(text) => is_in(text),
        // The digits of a fraction are a place on the map.
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => is_in(&format!("{:.0}", number.trunc())),
            None => is_in(&number.to_string()),
        },
        Value::Array(items) => items.iter().any(has_card_number),
        Value::Object(members) => members.iter().any(|(name, value)| {
            // A phone number with its country code has up to 15 digits.
            let is_phone = |it: &str| name == "phone" && it.trim_start().starts_with('+');
            is_in(name) || (!value.as_str().is_some_and(is_phone) && has_card_number(value))
        }),
        Value::Null | Value::Bool(_) => false,
    }
}

fn is_in(text: &str) -> bool {
    let text: String = text.chars().map(plain).collect();
    let bytes = text.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        if !bytes[start].is_ascii_digit() {
            start += 1;
            continue;
        }
        let is_grouped = |it: &u8| it.is_ascii_digit() || matches!(it, b' ' | b'-');
        let length = bytes[start..].iter().take_while(|it| is_grouped(it)).count();
        let end = start + length;
        let group = &bytes[start..end];
        let parts: Vec<_> =
            group.split(|it| !it.is_ascii_digit()).filter(|it| !it.is_empty()).collect();
        let is_found = is_number(group)
            || parts.iter().any(|it| is_number(it))
            || (0..parts.len()).any(|from| is_printed(&parts[from..]));
        if is_found && !is_part_of_id(bytes, start, end) {
            return true;
        }
        start = end;
    }
    false
}

/// A full-width digit, or a dash or space of another kind, as the plain one.
fn plain(c: char) -> char {
    match c {
        '０'..='９' => {
            char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')).unwrap_or(c)
        }
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '－' => '-',
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

/// Whether the parts begin with a card number as it is printed, whatever follows it.
fn is_printed(parts: &[&[u8]]) -> bool {
    PRINTED.iter().any(|groups| {
        let found = parts.get(..groups.len());
        found.is_some_and(|found| {
            found.iter().map(|it| it.len()).eq(groups.iter().copied()) && is_number(&found.concat())
        })
    })
}

fn is_number(grouped: &[u8]) -> bool {
    let digits: Vec<u32> =
        grouped.iter().filter(|it| it.is_ascii_digit()).map(|it| u32::from(it - b'0')).collect();
    // No card begins with 0, and with 1 only those of airlines: what does is a phone or an instant.
    let begins = match digits.first() {
        Some(0) | None => false,
        Some(1) => digits.len() == 15,
        Some(_) => true,
    };
    begins && (13..=19).contains(&digits.len()) && luhn(&digits)
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_part_of_id(text: &[u8], start: usize, end: usize) -> bool {
    let is_word = |it: &&u8| it.is_ascii_hexdigit() || **it == b'-';
    let before = text[..start].iter().rev().take_while(is_word).count();
    let after = text[end..].iter().take_while(is_word).count();
    before + after > 0 && before + (end - start) + after >= ID_LENGTH
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn card_numbers_are_found_wherever_they_stand() {
        for body in [
            json!("4111111111111111"),
            json!({"payment": {"token": "tok_4242424242424242"}}),
            json!({"customer": {"name": "Kim 4111 1111-1111 1111"}}),
            json!("pay 2 4111111111111111 please"),
            json!(["x", {"note": "card378282246310005"}]),
            json!({"4111111111111111": 1}),
            json!({"number": 4_111_111_111_111_111_u64}),
            json!({"number": 4_111_111_111_111_111.0_f64}),
            json!({"phone": "4111111111111111"}),
            json!("4111 1111 1111 1111 12/27"),
            json!("Kim 3782-822463-10005 010-1234-5678"),
            json!("４１１１ １１１１ １１１１ １１１１"),
            json!("4111\u{a0}1111\u{2011}1111 1111"),
        ] {
            assert!(has_card_number(&body), "{body}");
        }
    }

    #[test]
    fn what_is_no_card_number_passes() {
        for body in [
            json!("4111111111111112"),
            json!("010-1234-5678"),
            json!({"phone": "+4915112345674"}),
            json!("2026-12-24T18:00:00+09:00"),
            json!("cq_0193a4111111111111111b2c3d4e5f60"),
            json!("0193a411-1111-1111-8111-11b2c3d4e5f6"),
            json!("41111111111111111111"),
            json!({"minor": 25_000, "lat": 37.556_3}),
            json!({"lat": 37.424_242_424_242_42, "lon": -126.424_242_424_242_42}),
            json!("010-1234-5678 010-9876-5432"),
            json!("1600000000000009"),
            json!("0082-10-1234-56784"),
            json!({"lat": 37.411_111_111_111_9, "lon": 0.411_111_111_111_111_1}),
        ] {
            assert!(!has_card_number(&body), "{body}");
        }
    }

    /// Every mobile number of a few million, alone and with its country code, as people write them.
    #[test]
    fn phone_numbers_pass() {
        for number in (0..100_000_000_u32).step_by(7_919) {
            let (middle, last) = (number / 10_000, number % 10_000);
            for phone in [
                format!("010-{middle:04}-{last:04}"),
                format!("010{middle:04}{last:04}"),
                format!("+82 10 {middle:04} {last:04}"),
                format!("+82-10-{middle:04}-{last:04}"),
            ] {
                assert!(!has_card_number(&json!({"name": phone})), "{phone}");
            }
        }
    }

    #[test]
    fn a_head_has_none_either() -> Result<(), Box<dyn std::error::Error>> {
        let is_found = |uri: &str, key: &str| {
            let request = axum::http::Request::get(uri).header("idempotency-key", key).body(())?;
            Ok::<_, axum::http::Error>(is_in_head(&request.into_parts().0))
        };
        for (uri, key) in [
            ("/v1/bookings", "order-4111-1111-1111-1111"),
            ("/v1/bookings/4111111111111111", "k"),
            ("/v1/bookings?q=4111+1111%201111+1111&limit=1", "k"),
        ] {
            assert!(is_found(uri, key)?, "{uri} {key}");
        }
        assert!(!is_found("/v1/bookings?cursor=4111111111111111.bk_1&limit=1", "k-1764000000000")?);
        Ok(())
    }
}
