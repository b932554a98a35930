//! `docs/services.md` says what the types say, and draws what the files that ship say.

use bellhop_domain::{drawing, service::Service};

use super::EMBEDDED;

const PAGE: &str = "../docs/services.md";
const DRAWINGS: &str = "## The services that ship\n";

/// The part of the page that is made from the files.
fn drawings() -> anyhow::Result<String> {
    let mut text = format!("{DRAWINGS}\n");
    for (file, source) in EMBEDDED {
        let service = Service::parse(file, source)?;
        let drawing = drawing::mermaid(&service);
        text.push_str(&format!("### {} (`services/{file}`)\n\n", service.name.en));
        text.push_str(&format!("```mermaid\n{drawing}```\n\n"));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

/// Set `BELLHOP_WRITE_DOCS=1` to write the drawings anew.
#[test]
fn the_drawings_are_those_of_the_files() -> anyhow::Result<()> {
    let page = std::fs::read_to_string(PAGE)?;
    let (written, drawn) = page.split_once(DRAWINGS).unwrap_or((&page, ""));
    let now = drawings()?;
    if std::env::var_os("BELLHOP_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{written}{now}"))?;
        return Ok(());
    }
    let drawn = format!("{DRAWINGS}{drawn}");
    assert_eq!(
        drawn, now,
        "draw them anew: BELLHOP_WRITE_DOCS=1 cargo test -p bellhop-workers docs"
    );
    Ok(())
}

/// Every key that the types have stands in the page, and none that they do not have. The types say
/// so themselves: a key that is none is refused with the list of those that are.
#[test]
fn every_key_is_told_of() -> anyhow::Result<()> {
    let page = std::fs::read_to_string(PAGE)?;
    let (page, _drawings) = page.split_once(DRAWINGS).unwrap_or((&page, ""));
    let sections = [
        ("", "## The file"),
        ("[options.grade]", "### `[options]`"),
        ("[request]", "### `[request]`"),
        ("[hold]", "### `[hold]`"),
        ("[payment]", "### `[payment]`"),
        ("[approval]", "### `[approval]`"),
        ("[fulfilment]", "### `[fulfilment]`"),
        ("[[cancel]]", "### `[[cancel]]`"),
        ("[messages]", "### `[messages]`"),
        ("[quote]\nkind = \"pool\"", "### `[quote]`"),
        ("[quote]\nkind = \"agreed\"", "### `[quote]`"),
        ("[quote]\nkind = \"tariff\"", "### `[quote]`"),
        ("[dispatch]\nkind = \"nearest\"", "### `[dispatch]`"),
    ];
    for (table, heading) in sections {
        let (_, section) = page.split_once(&format!("{heading}\n")).unwrap_or_default();
        let section = section.split("\n##").next().unwrap_or_default();
        for key in keys(table) {
            assert!(section.contains(&format!("`{key}`")), "{heading} tells nothing of {key}");
        }
    }
    Ok(())
}

/// The keys that a table may have.
fn keys(table: &str) -> Vec<String> {
    let bogus = "no_such_key = 1\n";
    let text = match table {
        "" => bogus.to_owned(),
        table => format!("{table}\n{bogus}"),
    };
    let error = toml_error(&text);
    let (_, list) = error.split_once("expected ").unwrap_or_default();
    let list = list.lines().next().unwrap_or_default();
    let keys: Vec<_> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(!keys.is_empty(), "{table} is not refused by its keys: {error}");
    keys
}

fn toml_error(text: &str) -> String {
    match Service::parse("any.toml", text) {
        Ok(_) => String::new(),
        Err(error) => {
            std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
        }
    }
}
