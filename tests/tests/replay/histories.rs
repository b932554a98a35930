//! Every saved history goes through today's workflows; one that another course made does not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use bellhop_tests::courses;
use bellhop_workflows::{booking::Booking, messages::Messages, withdrawal::Withdrawal};
use prost::Message as _;
use temporalio_common::protos::temporal::api::history::v1::{
    History, HistoryEvent, history_event::Attributes,
};
use temporalio_sdk::workflow_replayer::{
    WorkflowReplayError, WorkflowReplayFailure, WorkflowReplayer, WorkflowReplayerOptions,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay");

fn files() -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(FOLDER)?.map(|entry| Ok(entry?.path()));
    let files: Vec<PathBuf> = entries.collect::<anyhow::Result<_>>()?;
    Ok(files.into_iter().filter(|it| it.extension().is_some_and(|it| it == "bin")).collect())
}

fn read(file: &Path) -> anyhow::Result<Vec<HistoryEvent>> {
    let bytes = fs::read(file).with_context(|| format!("{} is saved", file.display()))?;
    Ok(History::decode(&bytes[..])?.events)
}

fn saved(name: &str) -> anyhow::Result<Vec<HistoryEvent>> {
    read(&Path::new(FOLDER).join(name).with_extension("bin"))
}

async fn replay(events: Vec<HistoryEvent>) -> Result<(), WorkflowReplayError> {
    let options = WorkflowReplayerOptions::new();
    let options = options.register_workflow::<Booking>().expect("registered once");
    let options = options.register_workflow::<Messages>().expect("registered once");
    let options = options.register_workflow::<Withdrawal>().expect("registered once");
    WorkflowReplayer::new(options.build())?.replay_workflow(History { events }.into()).await
}

fn is_caught(replayed: &Result<(), WorkflowReplayError>) -> bool {
    use WorkflowReplayFailure::Nondeterminism;
    matches!(replayed, Err(WorkflowReplayError::Replay(Nondeterminism { .. })))
}

#[tokio::test]
async fn every_saved_history_goes_on_with_todays_workflows() -> anyhow::Result<()> {
    for file in files()? {
        let name = file.display().to_string();
        replay(read(&file)?).await.with_context(|| name)?;
    }
    Ok(())
}

#[test]
fn every_course_has_a_saved_history() -> anyhow::Result<()> {
    let beside = ["messages", "withdrawal"].into_iter();
    let mut names = courses::ALL.iter().map(|course| course.name).chain(beside);
    names.try_for_each(|name| saved(name).map(drop))
}

/// Where the local activities of a history stand in it.
fn markers(events: &[HistoryEvent]) -> Vec<usize> {
    let is_marker = |it: &HistoryEvent| {
        matches!(it.attributes, Some(Attributes::MarkerRecordedEventAttributes(_)))
    };
    (0..events.len()).filter(|at| is_marker(&events[*at])).collect()
}

#[tokio::test]
async fn a_course_in_another_order_is_caught() -> anyhow::Result<()> {
    let mut events = saved("completed")?;
    let [open, authorize, ..] = markers(&events)[..] else { anyhow::bail!("it has acts") };
    let first = events[open].attributes.take();
    events[open].attributes = std::mem::replace(&mut events[authorize].attributes, first);
    let replayed = replay(events).await;
    assert!(is_caught(&replayed), "{replayed:?}");
    Ok(())
}

#[tokio::test]
async fn another_act_in_the_place_of_one_is_caught() -> anyhow::Result<()> {
    let mut events = saved("queues")?;
    let scheduled = events.iter_mut().find_map(|it| match &mut it.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(it)) => it.activity_type.as_mut(),
        _ => None,
    });
    scheduled.context("an act is on its queue")?.name = "payments.settle".to_owned();
    let replayed = replay(events).await;
    assert!(is_caught(&replayed), "{replayed:?}");
    Ok(())
}

#[tokio::test]
async fn an_act_that_is_left_out_is_caught() -> anyhow::Result<()> {
    let mut events = saved("completed")?;
    let last = *markers(&events).last().context("it has acts")?;
    events.remove(last);
    for (event, id) in events.iter_mut().zip(1..) {
        event.event_id = id;
    }
    let replayed = replay(events).await;
    assert!(is_caught(&replayed), "{replayed:?}");
    Ok(())
}

/// Histories are kept for ever, and the repository with them.
#[test]
fn saved_histories_hold_nobodys_data() -> anyhow::Result<()> {
    for file in files()? {
        let text = String::from_utf8_lossy(&fs::read(&file)?).into_owned();
        let mut numbers = text.match_indices("+82").map(|(at, _)| &text[at..]);
        let is_the_tests = numbers.all(|it| it.starts_with("+821012345678"));
        assert!(is_the_tests, "{} has somebody else's number", file.display());
    }
    Ok(())
}
