//! Plays every course on the real engine and saves its history; see `tests/replay/README.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use bellhop_tests::{
    courses::{self, Course, Setting},
    history,
};
use prost::Message as _;
use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay");

/// The courses that are named, or all.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |it: &&Course| named.is_empty() || named.iter().any(|name| name == it.name);
    let program = sibling("bellhop-under-test")?;
    let wanted: Vec<&Course> = courses::ALL.iter().filter(is_wanted).collect();
    let mut settings: Vec<Setting> = vec![];
    for course in &wanted {
        if !settings.contains(&course.setting) {
            settings.push(course.setting);
        }
    }
    for setting in settings {
        let stack = setting.start(&program.to_string_lossy()).await?;
        let client = history::connect(stack.temporal()).await?;
        for course in wanted.iter().filter(|it| it.setting == setting) {
            let name = course.name;
            let played = course.play(&stack, &client).await.with_context(|| name)?;
            println!("{name}: {:?}", played.marks);
            save(name, played.history)?;
        }
        if setting == Setting::Plain && named.is_empty() {
            save("messages", courses::messages(&client).await?)?;
            save("withdrawal", courses::withdrawal(&stack, &client).await?)?;
        }
        stack.assert_invariants().await?;
    }
    Ok(())
}

fn save(name: &str, events: Vec<HistoryEvent>) -> anyhow::Result<()> {
    let file = Path::new(FOLDER).join(name).with_extension("bin");
    fs::write(&file, History { events }.encode_to_vec())
        .with_context(|| format!("{} cannot be written", file.display()))
}

/// A program that is built beside this one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(program.is_file(), "build it first: cargo build -p bellhop-tests --bins");
    Ok(program)
}
