//! What paths and queries say: ids that may name something, and pages of lists.

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use bellhop_store::Cursor;
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};

/// How many items a page has where nobody says.
const PAGE: u32 = 20;

/// How many items a page has at most.
const LONGEST_PAGE: u32 = 100;

/// An id in the path. One that cannot be an id names nothing.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| Problem::not_found("thing"))
    }
}

/// What the query asks for.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let detail = cause.unwrap_or_else(|| error.body_text());
                Err(Problem::new(Kind::InvalidQuery, detail))
            }
        }
    }
}

/// How many items a page shall have.
pub(crate) fn page_size(limit: Option<u32>) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(PAGE);
    if (1..=LONGEST_PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(Kind::InvalidQuery, format!("limit: use 1 to {LONGEST_PAGE}")))
}

/// Where a page begins, and how many items it shall have.
pub(crate) fn paging(
    text: Option<&str>,
    limit: Option<u32>,
) -> Result<(Option<Cursor>, u32), Problem> {
    let limit = page_size(limit)?;
    Ok((text.map(cursor).transpose()?, limit))
}

/// Where a page begins.
pub(crate) fn cursor(text: &str) -> Result<Cursor, Problem> {
    text.parse().map_err(|error| Problem::new(Kind::InvalidQuery, format!("cursor: {error}")))
}
