//! Lists come in pages, each with where the next one begins.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

use crate::column::Instant;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// A place in a list. Opaque to callers: written with `Display`, read with `FromStr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: Timestamp,
    id: String,
}

/// The text is not a cursor that a list gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: use next_cursor of the page before, as it is")]
pub struct InvalidCursor;

impl Cursor {
    pub(crate) fn new(at: Timestamp, id: impl fmt::Display) -> Self {
        Self { at: Instant::from(at).timestamp(), id: id.to_string() }
    }

    /// When the last item of the page before was created.
    pub(crate) fn at(&self) -> Instant {
        self.at.into()
    }

    /// That item, which tells it from others of the same instant.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl<T> Page<T> {
    /// The page of what was read with [`one_more`] than its limit.
    pub(crate) fn of(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(cursor);
        Self { items, next }
    }

    pub(crate) fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

/// Ends a query that is being built with a page of its list: what comes after the cursor in the order of
/// an instant and an id, newest or oldest first, and one row more than the limit.
macro_rules! page_by {
    ($sql:ident, ($at:literal, $id:literal), newest, $cursor:expr, $limit:expr) => {
        $crate::page::page_by!($sql, $at, $id, "<", " DESC", $cursor, $limit)
    };
    ($sql:ident, ($at:literal, $id:literal), oldest, $cursor:expr, $limit:expr) => {
        $crate::page::page_by!($sql, $at, $id, ">", "", $cursor, $limit)
    };
    ($sql:ident, $at:literal, $id:literal, $than:literal, $way:literal, $cursor:expr, $limit:expr) => {
        if let Some(cursor) = $cursor {
            $sql.push(concat!(" AND (", $at, ", ", $id, ") ", $than, " ("));
            $sql.push_bind(cursor.at()).push(", ").push_bind(cursor.id()).push(")");
        }
        $sql.push(concat!(" ORDER BY ", $at, $way, ", ", $id, $way, " LIMIT "));
        $sql.push_bind($crate::page::one_more($limit));
    };
}
pub(crate) use page_by;

/// How many rows tell whether a page of `limit` is the last.
pub(crate) fn one_more(limit: u32) -> i64 {
    i64::from(limit.max(1)) + 1
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_microsecond(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (at, id) = text.split_once('.').ok_or(InvalidCursor)?;
        let at = at.parse().map_err(|_| InvalidCursor)?;
        let at = Timestamp::from_microsecond(at).map_err(|_| InvalidCursor)?;
        Ok(Self { at, id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_as_it_was_given_out() {
        for seconds in [-1, 0, 1_800_000_000] {
            let at = Timestamp::new(seconds, 123_456_789).expect("a time");
            let cursor = Cursor::new(at, "bk_1-a.b");
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "1", "x.bk_1", "ffffffffffffffffff.a"] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text:?}");
        }
    }
}
