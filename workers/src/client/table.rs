//! Answers as lines for people.

use serde_json::Value;

/// Whatever was answered: a booking, a page of them, or a timeline.
pub(super) fn of(answer: &Value) -> String {
    if let Some(events) = answer["events"].as_array() {
        return timeline(events);
    }
    let Some(items) = answer["items"].as_array() else {
        return bookings(std::slice::from_ref(answer), true);
    };
    let mut text = bookings(items, true);
    if let Some(cursor) = answer["next_cursor"].as_str() {
        text.push_str(&format!("more: --cursor {cursor}\n"));
    }
    text
}

/// A line a booking.
pub(super) fn bookings(bookings: &[Value], header: bool) -> String {
    let mut rows = vec![];
    if header {
        rows.push(
            ["ID", "SERVICE", "STATUS", "AMOUNT", "PAYMENT", "STARTS", "NOTE"].map(str::to_owned),
        );
    }
    for it in bookings {
        let stage = it["stage"].as_str().filter(|_| it["status"] == "in_progress");
        let status =
            stage.map_or_else(|| word(&it["status"]), |stage| format!("in_progress/{stage}"));
        let attention = it["attention"]["cause"].as_str().map(|it| format!("attention: {it}"));
        rows.push([
            word(&it["id"]),
            word(&it["service"]),
            status,
            money(&it["amount"]),
            word(&it["payment"]["status"]),
            word(&it["starts_at"]),
            attention.unwrap_or_else(|| word(&it["code"])),
        ]);
    }
    // An id is 35 characters wide, so that the lines of `watch` stand below each other.
    aligned(&rows, &[35, 10, 17, 11, 13, 20])
}

fn timeline(events: &[Value]) -> String {
    let mut rows = vec![["SEQ", "AT", "EVENT", "STATUS", "BY"].map(str::to_owned)];
    for it in events {
        let by = [&it["actor"]["role"], &it["actor"]["id"]].map(word).join(" ");
        let [at, kind, status] = [&it["at"], &it["type"], &it["status"]].map(word);
        rows.push([it["seq"].to_string(), at, kind, status, by]);
    }
    aligned(&rows, &[])
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// As the API has it, in the minor unit: tables of how many a currency has are not ours to keep.
fn money(value: &Value) -> String {
    match (value["minor"].as_i64(), value["currency"].as_str()) {
        (Some(minor), Some(currency)) => format!("{minor} {currency}"),
        _ => String::new(),
    }
}

/// Columns as wide as their widest word, and at least as `wide`; the last one ends where it ends.
fn aligned<const N: usize>(rows: &[[String; N]], wide: &[usize]) -> String {
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let at_least = |column: usize| wide.get(column).copied().unwrap_or(0);
    let width = |column: usize| widest(column).unwrap_or(0).max(at_least(column));
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(at, cell)| format!("{cell:<0$}", width(at)));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_booking_is_a_line_below_a_header() {
        let booking = json!({
            "id": "bk_1", "service": "call-taxi", "status": "in_progress", "stage": "riding",
            "amount": {"minor": 9_800, "currency": "KRW"}, "payment": {"status": "captured"},
            "starts_at": "2026-12-24T09:00:00Z", "code": null, "attention": null,
        });
        let text = of(&json!({"items": [booking], "next_cursor": "c1"}));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("ID ") && lines[0].ends_with("NOTE"), "{text}");
        let words: Vec<_> = lines[1].split_whitespace().collect();
        let expected = ["bk_1", "call-taxi", "in_progress/riding", "9800", "KRW", "captured"];
        assert_eq!(words[..6], expected);
        assert_eq!(lines[2], "more: --cursor c1");
    }

    #[test]
    fn a_timeline_says_what_happened_and_who_did_it() {
        let event = json!({"seq": 2, "type": "booking.cancelled", "at": "2026-12-24T09:00:00Z",
                           "actor": {"role": "customer", "id": "cus_kim"}, "status": "cancelled"});
        let text = of(&json!({"events": [event]}));
        assert!(text.ends_with("booking.cancelled  cancelled  customer cus_kim\n"), "{text}");
    }
}
