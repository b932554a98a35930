//! The services of these tests: those that ship, and variants that go where those go only after a
//! while.

use anyhow::ensure;
use bellhop_tests::stack::Options;

const CALL_TAXI: &str = include_str!("../../../services/call-taxi.toml");
const DRIVER: &str = include_str!("../../../services/designated-driver.toml");
const EXHIBITION: &str = include_str!("../../../services/exhibition.toml");
const CLEANING: &str = include_str!("../../../services/home-cleaning.toml");
const COFFEE: &str = include_str!("../../../services/coffee.toml");

/// The service files of these tests.
pub(crate) fn services() -> anyhow::Result<Vec<(&'static str, String)>> {
    let lapsing = [(r#"deadline = "30m""#, r#"deadline = "1s""#)];
    let expiring = [
        (r#"expires_after = "15m""#, r#"expires_after = "700ms""#),
        (r#"when_away = "refuse""#, r#"when_away = "wait""#),
    ];
    // Where nobody is found, the search is over at once.
    let alone = ("rounds = 20", "rounds = 1");
    let asking = (r#"mode = "auto""#, "mode = \"offer\"\nanswer_within = \"5m\"");
    let hurried = (r#"mode = "auto""#, "mode = \"offer\"\nanswer_within = \"700ms\"");
    Ok(vec![
        ("call-taxi.toml", CALL_TAXI.to_owned()),
        ("taxi-lapsing.toml", variant("taxi-lapsing", &lapsing)?),
        ("taxi-expiring.toml", variant("taxi-expiring", &expiring)?),
        ("designated-driver.toml", DRIVER.to_owned()),
        ("driver-asking.toml", changed(DRIVER, "driver-asking", &[alone, asking])?),
        ("driver-hurried.toml", changed(DRIVER, "driver-hurried", &[alone, hurried])?),
        ("exhibition.toml", EXHIBITION.to_owned()),
        ("home-cleaning.toml", CLEANING.to_owned()),
        ("cleaning-alone.toml", changed(CLEANING, "cleaning-alone", &[("rounds = 30", alone.1)])?),
        ("coffee.toml", COFFEE.to_owned()),
    ])
}

/// The taxi that ships under another id, with these replacements.
pub(crate) fn variant(id: &str, replaced: &[(&str, &str)]) -> anyhow::Result<String> {
    changed(CALL_TAXI, id, replaced)
}

/// A service under another id, with these replacements.
fn changed(service: &str, id: &str, replaced: &[(&str, &str)]) -> anyhow::Result<String> {
    let first = service.lines().find(|line| line.starts_with("id = ")).unwrap_or_default();
    let id = format!(r#"id = "{id}""#);
    let mut text = service.to_owned();
    for (from, to) in [(first, id.as_str())].iter().chain(replaced) {
        ensure!(text.contains(from), "the service has {from}");
        text = text.replacen(from, to, 1);
    }
    Ok(text)
}

/// Options of a stack in which retries are quick and attention is soon raised.
pub(crate) fn quick() -> anyhow::Result<Options> {
    let settings = [
        ("BELLHOP_RETRY_AFTER_MS", "50"),
        ("BELLHOP_RETRY_AT_MOST_MS", "200"),
        ("BELLHOP_ATTENTION_AFTER_MS", "300"),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    Ok(Options { settings, services: services()?, ..Options::default() })
}
