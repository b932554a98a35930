//! Card numbers: they are refused wherever they stand in a body, and never logged (home-cleaning 1).

use serde_json::Value;

/// What a hexadecimal id is at least long; a run of digits inside one is no card number.
const ID_LENGTH: usize = 32;

/// Whether anything in the body could be a card number: 13 to 19 digits, alone or in groups, whose
/// check digit (Luhn) is right.
pub(crate) fn has_card_number(body: &Value) -> bool {
    match body {
        Value::String(text) => is_in(text),
        // What has a fraction is a measure: a place to the last digit is no card.
        Value::Number(number) if number.as_f64().is_some_and(|it| it.fract() != 0.0) => false,
        Value::Number(number) => is_in(&number.to_string()),
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
        let mut parts = group.split(|it| !it.is_ascii_digit());
        if (is_number(group) || parts.any(is_number)) && !is_part_of_id(bytes, start, end) {
            return true;
        }
        start = end;
    }
    false
}

fn is_number(grouped: &[u8]) -> bool {
    let digits: Vec<u32> =
        grouped.iter().filter(|it| it.is_ascii_digit()).map(|it| u32::from(it - b'0')).collect();
    (13..=19).contains(&digits.len()) && luhn(&digits)
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
            json!({"number": 4_111_111_111_111_111.0}),
            json!({"phone": "4111111111111111"}),
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
            json!({"lat": 37.411_111_111_111_9, "lon": 0.411_111_111_111_111_1}),
        ] {
            assert!(!has_card_number(&body), "{body}");
        }
    }
}
