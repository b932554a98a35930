//! How many events a booking's history has. Few events are what makes bookings fast (design,
//! section 2, rule 4), so one more is a decision, made in the table of courses.

use bellhop_tests::{
    courses::{ALL, Course, Mark, Setting, outline},
    history,
};
use futures::future::try_join_all;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bellhop-under-test");
const PAGE: &str = include_str!("../../../ARCHITECTURE.md");

/// How often a course is played.
const PLAYS: usize = 3;

/// Events until a booking is answered, whatever the service.
const UNTIL_ANSWERED: usize = 12;
/// Events of a call taxi until it is confirmed, and through every stage.
const UNTIL_CONFIRMED: usize = 22;
const IN_ALL: usize = 42;

/// The course of each service that goes through every stage.
const SERVED: [&str; 5] =
    ["completed", "driver_completed", "cleaning_completed", "coffee_completed", "visit_paid"];

/// Courses whose payment is not answered at once.
const SLOW: [&str; 3] = ["payment_late", "settled_on_queue", "task_failed"];

/// Plays every course of a setting and holds its histories against the table.
///
/// A single history may have an event less: events are journalled beside the course, and what an act
/// carries to the journal first is not carried again. So the highest of a few is what counts.
async fn hold_against_the_table(setting: Setting) -> anyhow::Result<()> {
    let stack = setting.start(PROGRAM).await?;
    let client = history::connect(stack.temporal()).await?;
    let mut wrong = String::new();
    for course in ALL.iter().filter(|it| it.setting == setting) {
        let mut plays = vec![];
        if setting == Setting::Away {
            // The provider is away for all of them at a time.
            for _ in 0..PLAYS {
                plays.push(course.play(&stack, &client).await?);
            }
        } else {
            plays = try_join_all((0..PLAYS).map(|_| course.play(&stack, &client))).await?;
        }
        let mut highest: Vec<Mark> = vec![];
        let mut longest = vec![];
        for played in plays {
            highest = higher(highest, played.marks);
            if played.history.len() > longest.len() {
                longest = played.history;
            }
        }
        let found: Vec<_> = highest.iter().map(|(status, n)| (status.as_str(), *n)).collect();
        if found != course.budget {
            let (name, budget) = (course.name, course.budget);
            wrong += &format!("{name}: {found:?}, not {budget:?}\n{}", outline(&longest));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
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
async fn a_booking_that_is_not_paid_keeps_its_budget() -> anyhow::Result<()> {
    hold_against_the_table(Setting::Away).await
}

#[tokio::test]
async fn payments_on_their_queue_keep_their_budget() -> anyhow::Result<()> {
    hold_against_the_table(Setting::Inline("dispatch")).await
}

#[tokio::test]
async fn acts_on_their_queues_keep_their_budget() -> anyhow::Result<()> {
    hold_against_the_table(Setting::Inline("")).await
}

fn named(name: &str) -> &'static Course {
    Course::named(name).expect("it stands in the table")
}

fn is_answer(status: &str) -> bool {
    matches!(status, "awaiting_approval" | "dispatching" | "confirmed" | "rejected")
}

#[test]
fn the_table_keeps_what_the_design_promises() {
    let at_once = ALL.iter().filter(|it| it.setting == Setting::Plain && !SLOW.contains(&it.name));
    for course in at_once {
        // The history of who is asked second has more than the answer.
        let is_later = course.name == "offer_lapsed";
        let (status, events) = course.budget[0];
        let is_kept = events <= UNTIL_ANSWERED;
        assert!(is_kept || is_later || !is_answer(status), "{}", course.name);
    }
    let row = Row::of(named("completed"));
    assert!(row.confirmed <= UNTIL_CONFIRMED && row.in_all <= IN_ALL);
}

/// A service in the table that people read.
struct Row {
    service: &'static str,
    answered: usize,
    confirmed: usize,
    in_all: usize,
}

impl Row {
    fn of(course: &Course) -> Self {
        let events = |wanted: &str| {
            let found = course.budget.iter().find(|it| it.0 == wanted);
            found.map(|it| it.1).expect("who is served is confirmed, and in the end completed")
        };
        Self {
            service: course.service(),
            answered: course.budget[0].1,
            confirmed: events("confirmed"),
            in_all: events("completed"),
        }
    }
}

fn page() -> String {
    let head = "| service | until answered | until confirmed | through every stage |\n";
    let rows = SERVED.map(|name| {
        let Row { service, answered, confirmed, in_all } = Row::of(named(name));
        format!("| `{service}` | {answered} | {confirmed} | {in_all} |\n")
    });
    format!("{head}|---|---:|---:|---:|\n{}", rows.concat())
}

#[test]
fn the_page_shows_the_table() {
    let table = page();
    assert!(PAGE.contains(&table), "ARCHITECTURE.md should have:\n\n{table}");
}

#[test]
fn no_name_stands_twice_in_the_table() {
    let mut names: Vec<_> = ALL.iter().map(|it| it.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
}
