//! How many events a booking's history has. Few events are what makes bookings fast (design,
//! section 2, rule 4), so one more is a decision, made here.

use bellhop_tests::{
    courses::{Course, Mark, Setting, outline},
    history,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bellhop-under-test");

/// How often a course is played.
const PLAYS: usize = 3;

/// Events until a booking is answered, whatever the service.
const UNTIL_ANSWERED: usize = 12;
/// Events of a call taxi until it is confirmed, and through every stage.
const UNTIL_CONFIRMED: usize = 22;
const IN_ALL: usize = 42;

/// Every course: how the booking stands whenever nothing goes on by itself, and how many events its
/// history has then. One more fails, and one less too: then write the better figure down.
fn budget(course: Course) -> &'static [(&'static str, usize)] {
    match course {
        Course::Completed => &[
            ("awaiting_approval", 8),
            ("confirmed", 18),
            ("on_the_way", 24),
            ("riding", 30),
            ("completed", 39),
        ],
        Course::CancelledConfirmed => {
            &[("awaiting_approval", 8), ("confirmed", 18), ("cancelled", 29)]
        }
        Course::CancelledAwaitingApproval => &[("awaiting_approval", 8), ("cancelled", 20)],
        Course::CancelledInProgress => {
            &[("awaiting_approval", 8), ("confirmed", 18), ("on_the_way", 24), ("cancelled", 35)]
        }
        Course::CancelledInTemporal => &[("awaiting_approval", 8), ("cancelled", 19)],
        Course::Declined => &[("awaiting_approval", 8), ("rejected", 20)],
        Course::SoldOut => &[("rejected", 8)],
        Course::PaymentDeclined => &[("rejected", 11)],
        Course::PaymentLate => &[
            ("awaiting_approval", 19),
            ("confirmed", 29),
            ("on_the_way", 35),
            ("riding", 41),
            ("completed", 50),
        ],
        Course::Lapsed => &[("awaiting_approval", 8), ("rejected", 19)],
        Course::Expired => &[("expired", 21)],
        Course::CancelledAwaitingPayment => &[("cancelled", 23)],
        Course::PaymentsQueue => &[
            ("awaiting_approval", 18),
            ("confirmed", 35),
            ("on_the_way", 41),
            ("riding", 47),
            ("completed", 56),
        ],
        Course::Queues => &[
            ("awaiting_approval", 18),
            ("confirmed", 42),
            ("on_the_way", 48),
            ("riding", 54),
            ("completed", 63),
        ],
        Course::VisitCompleted => &[("confirmed", 6), ("completed", 15)],
        Course::VisitCancelled => &[("confirmed", 8), ("cancelled", 19)],
        Course::VisitQueues => &[("confirmed", 25), ("completed", 34)],
    }
}

/// Plays every course of a setting and holds its histories against the table.
///
/// A single history may have an event less: events are journalled beside the course, and what an act
/// carries to the journal first is not carried again. So the highest of a few is what counts.
async fn hold_against_the_table(setting: Setting) -> anyhow::Result<()> {
    let stack = setting.start(PROGRAM).await?;
    let client = history::connect(stack.temporal()).await?;
    for course in Course::ALL.iter().filter(|it| it.setting() == setting) {
        let mut highest: Vec<Mark> = vec![];
        let mut longest = vec![];
        for _ in 0..PLAYS {
            let played = course.play(&stack, &client).await?;
            highest = higher(highest, played.marks);
            if played.history.len() > longest.len() {
                longest = played.history;
            }
        }
        let found: Vec<_> = highest.iter().map(|(status, n)| (status.as_str(), *n)).collect();
        assert_eq!(found, budget(*course), "{}:\n{}", course.name(), outline(&longest));
    }
    stack.assert_invariants().await
}

fn higher(before: Vec<Mark>, now: Vec<Mark>) -> Vec<Mark> {
    if before.is_empty() {
        return now;
    }
    let pairs = before.into_iter().zip(now);
    pairs.map(|((status, before), (_, now))| (status, before.max(now))).collect()
}

#[tokio::test]
async fn the_usual_courses_keep_their_budgets() -> anyhow::Result<()> {
    hold_against_the_table(Setting::Plain).await
}

#[tokio::test]
async fn a_booking_that_nobody_decides_keeps_its_budget() -> anyhow::Result<()> {
    hold_against_the_table(Setting::ShortApproval).await
}

#[tokio::test]
async fn a_booking_that_is_not_paid_keeps_its_budget() -> anyhow::Result<()> {
    hold_against_the_table(Setting::ShortHold).await
}

#[tokio::test]
async fn payments_on_their_queue_keep_their_budget() -> anyhow::Result<()> {
    hold_against_the_table(Setting::Inline("dispatch")).await
}

#[tokio::test]
async fn acts_on_their_queues_keep_their_budget() -> anyhow::Result<()> {
    hold_against_the_table(Setting::Inline("")).await
}

#[test]
fn the_table_keeps_what_the_design_promises() {
    let events = |course, status: &str| {
        let found = budget(course).iter().find(|it| it.0 == status);
        found.map(|it| it.1).expect("it stands in the table")
    };
    let inline = Course::ALL.iter().filter(|it| !matches!(it.setting(), Setting::Inline(_)));
    for course in inline.filter(|it| **it != Course::PaymentLate) {
        let (status, events) = budget(*course)[0];
        let is_answer = matches!(status, "awaiting_approval" | "rejected" | "confirmed");
        assert!(!is_answer || events <= UNTIL_ANSWERED, "{course:?}");
    }
    assert!(events(Course::Completed, "confirmed") <= UNTIL_CONFIRMED);
    assert!(events(Course::Completed, "completed") <= IN_ALL);
}
