//! The subcommands for people and scripts, as they are typed: exit codes, output, errors.

use std::process::{Output, Stdio};

use anyhow::{Context as _, ensure};
use bellhop_store::testing::TestPostgres;
use bellhop_tests::{desk::a_taxi, stack::Stack};
use serde_json::Value;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bellhop-under-test");

/// The command line, with what it finds in its environment.
struct Console(Vec<(&'static str, String)>);

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Console {
    fn at(stack: &Stack) -> Self {
        Self(vec![
            ("BELLHOP_API", stack.api().to_owned()),
            ("BELLHOP_TOKEN", "dev-customer".to_owned()),
            ("TEMPORAL_ADDRESS", stack.temporal().to_owned()),
        ])
    }

    async fn says(&self, line: &[&str]) -> anyhow::Result<Said> {
        let mut command = Command::new(PROGRAM);
        command.env_remove("TEMPORAL_ADDRESS");
        command.args(line).envs(self.0.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        // The program under test ends with its standard input.
        let input = child.stdin.take();
        let Output { status, stdout, stderr } = child.wait_with_output().await?;
        drop(input);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said { code: status.code(), out: text(&stdout), err: text(&stderr) })
    }

    /// The JSON document that it prints.
    async fn json(&self, line: &[&str]) -> anyhow::Result<Value> {
        let said = self.says(line).await?;
        ensure!(said.code == Some(0), "{line:?} succeeds: {}", said.err);
        serde_json::from_str(&said.out).with_context(|| said.out.clone())
    }
}

#[tokio::test]
async fn a_booking_is_made_and_led_to_its_end_from_the_command_line() -> anyhow::Result<()> {
    let stack = Stack::start(PROGRAM).await?;
    let console = Console::at(&stack);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("taxi.json").display().to_string();
    std::fs::write(&file, a_taxi("tok_ok").to_string())?;

    let create = ["booking", "create", &file, "--key", "k1", "-o", "json"];
    let booking = console.json(&create).await?;
    let id = booking["id"].as_str().context("it has an id")?;
    assert_eq!(console.json(&create).await?["id"], *id, "the same key is the same booking");

    let forbidden = console.says(&["booking", "approve", id]).await?;
    assert_eq!(forbidden.code, Some(1));
    assert!(forbidden.err.contains("(forbidden)"), "{}", forbidden.err);
    let approve = ["booking", "approve", id, "--token", "dev-manager"];
    assert!(console.says(&approve).await?.out.contains("confirmed"));
    let cancelled = console.says(&["booking", "cancel", id, "--reason", "changed plans"]).await?;
    assert!(cancelled.out.contains("cancelled") && cancelled.out.contains("refunded"));

    let watched = console.says(&["booking", "watch", id]).await?;
    assert!(watched.code == Some(0) && watched.out.contains(id), "{}", watched.err);
    let timeline = console.says(&["booking", "timeline", id]).await?.out;
    assert!(timeline.lines().last().is_some_and(|it| it.contains("booking.cancelled")));
    let listed = console.json(&["booking", "list", "--status", "cancelled", "-o", "json"]).await?;
    assert_eq!(listed["items"][0]["id"], *id);
    stack.assert_invariants().await
}

#[tokio::test]
async fn the_doctor_says_what_is_there_and_what_to_do() -> anyhow::Result<()> {
    let stack = Stack::start(PROGRAM).await?;
    let mut console = Console::at(&stack);
    let away = console.says(&["doctor", "--payments-url", "http://127.0.0.1:9"]).await?;
    assert_eq!(away.code, Some(1), "{}", away.out);
    let line = away.out.lines().find(|it| it.starts_with("payment provider"));
    assert!(line.is_some_and(|it| it.contains("WRONG") && it.contains("BELLHOP_PAYMENTS_URL")));
    console.0.push(("BELLHOP_PAYMENTS_URL", stack.simulator_url().to_owned()));
    console.0.push(("BELLHOP_MESSAGES_URL", stack.simulator_url().to_owned()));
    let said = console.says(&["doctor"]).await?;
    assert!(said.code == Some(0) && !said.out.contains("WRONG"), "{}", said.out);
    Ok(())
}

#[tokio::test]
async fn a_bench_ends_with_one_line_of_json() -> anyhow::Result<()> {
    let console = Console(vec![]);
    let report = console.json(&["bench", "--json", "--bookings", "20", "--clients", "4"]).await?;
    assert_eq!((&report["bookings"], &report["failed"]), (&20.into(), &0.into()), "{report}");
    let positive = ["bookings_per_second", "noop_per_second", "ratio", "p50_ms", "p99_ms"];
    assert!(positive.iter().all(|it| report[it].as_f64().is_some_and(|it| it > 0.0)), "{report}");
    let coffee = ["bench", "--json", "--bookings", "20", "--clients", "4", "--service", "coffee"];
    let report = console.json(&[&coffee[..], &["--until", "completed"]].concat()).await?;
    assert_eq!((&report["service"], &report["failed"]), (&"coffee".into(), &0.into()), "{report}");
    let reads = console.json(&["bench", "--json", "--reads", "2000"]).await?;
    assert_eq!((&reads["by_id"]["failed"], &reads["page"]["failed"]), (&0.into(), &0.into()));

    let server = TestPostgres::shared().url("postgres", "postgres");
    let console = Console(vec![("BELLHOP_BENCH_DATABASE_URL", server)]);
    let drained = ["bench", "--json", "--bookings", "20", "--commands", "--drained"];
    let report = console.json(&drained).await?;
    assert_eq!((&report["database"], &report["failed"]), (&"postgres".into(), &0.into()));
    let commands = report["runs"][0]["commands"].as_array().context("commands were given")?;
    assert!(commands.len() == 2 && commands.iter().all(|it| it["drained"] == true), "{report}");

    let other = console.says(&["bench", "--service", "kennel"]).await?;
    assert!(other.code == Some(2) && other.err.contains("call-taxi"), "{}", other.err);
    Ok(())
}
