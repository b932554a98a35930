//! What is answered when a request was not done: problem details (RFC 9457) with a stable `code`.

use std::collections::BTreeSet;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bellhop_domain::{id::BookingId, plan::Violation};
use bellhop_store::StoreError;
use problem_details::{JsonProblemDetails, ProblemDetails};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        ObjectBuilder, Type,
        schema::{AnyOfBuilder, Schema},
    },
};

use crate::{idempotency::REPLAYED, openapi, temporal::NotDone};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a request was not done, and what the caller can do about it.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    detail: String,
    members: Members,
    is_replay: bool,
    source: Option<Source>,
}

/// What a problem has besides the members of RFC 9457.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ProblemMembers)]
struct Members {
    #[schema(schema_with = codes)]
    code: String,
    /// The booking that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    booking_id: Option<BookingId>,
    /// What the caller may do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_actions: Option<Vec<&'static str>>,
    /// What is wrong, and where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<Violation>,
}

/// Why a request was not done (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    status: u16,
    /// What the code says, for people.
    title: String,
    /// A sentence about this occurrence of it.
    detail: String,
    #[serde(flatten)]
    members: Members,
}

/// What callers act on.
fn codes() -> Schema {
    let codes: BTreeSet<_> = Kind::ALL.iter().map(|it| it.code()).collect();
    let of_booking = "The code of a booking that was refused: `hold_expired`, …";
    let of_booking = ObjectBuilder::new().schema_type(Type::String).description(Some(of_booking));
    AnyOfBuilder::new().item(openapi::one_of(codes)).item(of_booking).build().into()
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $status:ident, $code:literal, $title:literal;)+) => {
        /// The kinds of problems. Callers act on their codes: add, never change one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            /// Every kind.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)+];

            const fn parts(self) -> (StatusCode, &'static str, &'static str) {
                match self {
                    $(Self::$kind => (StatusCode::$status, $code, $title),)+
                }
            }
        }
    };
}

kinds! {
    // The request cannot be read.
    MalformedJson = BAD_REQUEST, "malformed_json", "The body is not JSON";
    InvalidQuery = BAD_REQUEST, "invalid_query", "The query is not understood";
    KeyRequired = BAD_REQUEST, "idempotency_key_required", "An idempotency key is needed";
    KeyInvalid = BAD_REQUEST, "idempotency_key_invalid", "The idempotency key is not valid";
    WaitInvalid = BAD_REQUEST, "wait_invalid", "The preferred wait is not valid";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large";
    MediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is not declared as JSON";
    InvalidRequest = UNPROCESSABLE_ENTITY, "invalid_request", "The body does not fit";
    InvalidBooking = UNPROCESSABLE_ENTITY, "invalid_booking", "The booking does not fit its service";
    CardNumber = UNPROCESSABLE_ENTITY, "card_number_refused", "Card numbers are refused";
    KeyReused = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "The idempotency key is in use";

    // The caller may not, or there is no such thing.
    Unauthorized = UNAUTHORIZED, "unauthorized", "A token is needed";
    Forbidden = FORBIDDEN, "forbidden", "The role does not allow it";
    NotFound = NOT_FOUND, "not_found", "There is no such thing";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "The method is not offered here";

    // The booking, the pool or the quote says no.
    PaymentDeclined = PAYMENT_REQUIRED, "payment_declined", "The payment was declined";
    SoldOut = CONFLICT, "sold_out", "Sold out";
    NotOffered = UNPROCESSABLE_ENTITY, "not_offered", "Nobody offers it";
    /// It was named, and is there.
    NoLongerOffered = CONFLICT, "not_offered", "It is not offered any more";
    /// The code is the one of the booking.
    Rejected = CONFLICT, "rejected", "The booking was refused";
    NotAllowed = CONFLICT, "not_allowed", "Not allowed in this state";
    NotNextStage = CONFLICT, "not_next_stage", "Not the next stage";
    PoolInUse = CONFLICT, "pool_in_use", "More is in use than that";
    Withdrawn = CONFLICT, "withdrawn", "It was withdrawn";
    QuoteUnknown = UNPROCESSABLE_ENTITY, "quote_unknown", "There is no such quote";
    QuoteExpired = GONE, "quote_expired", "The quote has expired";

    // Not now.
    TooManyCommands = TOO_MANY_REQUESTS, "too_many_commands", "Too many commands at once";
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "At capacity";
    PaymentUnavailable = SERVICE_UNAVAILABLE, "payment_unavailable", "Payments are away";
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "Not available at the moment";
    StartUnknown = SERVICE_UNAVAILABLE, "start_unknown", "Not known whether it was taken";
    CommandUnknown = SERVICE_UNAVAILABLE, "command_unknown", "Not known whether it was done";
    TimedOut = SERVICE_UNAVAILABLE, "timed_out", "It took too long";
    NotReady = SERVICE_UNAVAILABLE, "not_ready", "Not ready";
    Internal = INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side";
}

impl Kind {
    pub(crate) const fn status(self) -> StatusCode {
        self.parts().0
    }

    /// The stable code.
    pub(crate) const fn code(self) -> &'static str {
        self.parts().1
    }
}

impl Problem {
    /// A problem, with a sentence for people about this occurrence of it.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let members = Members { code: kind.code().to_owned(), ..Members::default() };
        let detail = detail.into();
        Self(Box::new(Inner { kind, detail, members, is_replay: false, source: None }))
    }

    /// There is no `what`, or the caller may not know of it.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("there is no such {what}"))
    }

    /// A defect, or something that is set up wrongly: logged, not told.
    pub(crate) fn internal(source: impl Into<Source>) -> Self {
        let detail = "the request was not done; the log of the server says why".to_owned();
        Self::new(Kind::Internal, detail).caused_by(source)
    }

    /// Something that this needs is away.
    pub(crate) fn unavailable(source: impl Into<Source>) -> Self {
        Self::new(Kind::Unavailable, "come back shortly").caused_by(source)
    }

    /// The same, about a booking.
    #[must_use]
    pub(crate) fn about(mut self, booking: &BookingId) -> Self {
        self.0.members.booking_id = Some(booking.clone());
        self
    }

    /// The same, with the code that the booking has.
    #[must_use]
    pub(crate) fn coded(mut self, code: &str) -> Self {
        self.0.members.code = code.to_owned();
        self
    }

    /// The same, with what the caller may do instead.
    #[must_use]
    pub(crate) fn allowing(mut self, actions: Vec<&'static str>) -> Self {
        self.0.members.allowed_actions = Some(actions);
        self
    }

    /// The same, with what is wrong, and where.
    #[must_use]
    pub(crate) fn violating(mut self, violations: Vec<Violation>) -> Self {
        self.0.members.violations = violations;
        self
    }

    /// The same, as the answer to a repeat where `is_replay`.
    #[must_use]
    pub(crate) fn replayed(mut self, is_replay: bool) -> Self {
        self.0.is_replay = is_replay;
        self
    }

    fn caused_by(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// When to come back, for those who were not refused for good.
    fn retry_after(&self) -> Option<HeaderValue> {
        match self.0.kind.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some(HeaderValue::from_static(match self.0.kind {
                    Kind::PaymentUnavailable => "5",
                    Kind::Unavailable | Kind::NotReady => "2",
                    _ => "1",
                }))
            }
            _ => None,
        }
    }

    fn log(&self) {
        let Some(source) = &self.0.source else { return };
        let mut causes = source.to_string();
        let mut next = source.source();
        while let Some(cause) = next {
            causes = format!("{causes}: {cause}");
            next = cause.source();
        }
        let code = &self.0.members.code;
        if self.0.kind == Kind::Internal {
            tracing::error!(code, error = causes, "a request failed");
        } else {
            tracing::warn!(code, error = causes, "a request was put off");
        }
    }
}

impl From<NotDone> for Problem {
    /// Of a call that may simply be made again.
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Broken(_) => Self::internal(error),
            error => Self::unavailable(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_transient() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let (status, _, title) = self.0.kind.parts();
        let retry_after = self.retry_after();
        let Inner { kind, detail, members, is_replay, .. } = *self.0;
        let details = ProblemDetails::new()
            .with_status(status)
            .with_title(title)
            .with_detail(detail)
            .with_extensions(members);
        let mut response = JsonProblemDetails::from(details).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds);
        }
        if kind == Kind::Unauthorized {
            let challenge = HeaderValue::from_static("Bearer realm=\"bellhop\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if is_replay {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn json(problem: Problem) -> serde_json::Value {
        let body = problem.into_response().into_body();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    #[tokio::test]
    async fn a_problem_says_what_and_why_and_what_may_be_done() {
        let booking: BookingId = "bk_1".parse().expect("an id");
        let problem = Problem::new(Kind::NotAllowed, "the booking is completed")
            .about(&booking)
            .allowing(vec!["cancel"]);
        let expected = serde_json::json!({
            "status": 409,
            "title": "Not allowed in this state",
            "detail": "the booking is completed",
            "code": "not_allowed",
            "booking_id": "bk_1",
            "allowed_actions": ["cancel"],
        });
        assert_eq!(json(problem).await, expected);
    }

    #[tokio::test]
    async fn internals_are_never_told() {
        let told = json(Problem::internal("table bookings is gone")).await.to_string();
        assert!(!told.contains("bookings is gone"), "{told}");
    }

    #[test]
    fn who_is_put_off_hears_when_to_come_back() {
        let retry = |kind| {
            let response = Problem::new(kind, "").into_response();
            response.headers().contains_key(header::RETRY_AFTER)
        };
        for kind in [Kind::Overloaded, Kind::StartUnknown, Kind::TooManyCommands, Kind::NotReady] {
            assert!(retry(kind), "{kind:?}");
        }
        assert!(!retry(Kind::SoldOut));
    }
}
