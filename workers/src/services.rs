//! The services on offer: those that ship, or those of a mounted folder.

pub mod command;
#[cfg(test)]
mod docs;

use std::path::Path;

use anyhow::{Context as _, bail};
use bellhop_api::Services;

/// The service files that ship.
pub(crate) const EMBEDDED: &[(&str, &str)] = &[
    ("call-taxi.toml", include_str!("../../services/call-taxi.toml")),
    ("coffee.toml", include_str!("../../services/coffee.toml")),
    ("designated-driver.toml", include_str!("../../services/designated-driver.toml")),
    ("exhibition.toml", include_str!("../../services/exhibition.toml")),
    ("home-cleaning.toml", include_str!("../../services/home-cleaning.toml")),
];

/// Reads the services of a folder, or those that ship.
///
/// # Errors
/// A file that is no valid service, two with one id, or a folder with none.
pub fn load(folder: Option<&Path>) -> anyhow::Result<Services> {
    let files = files(folder)?;
    Ok(Services::parse(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))?)
}

fn files(folder: Option<&Path>) -> anyhow::Result<Vec<(String, String)>> {
    let Some(folder) = folder else {
        return Ok(EMBEDDED
            .iter()
            .map(|(file, text)| (file.to_string(), text.to_string()))
            .collect());
    };
    let shown = folder.display();
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("the services folder {shown} cannot be read"))?;
    let mut files = vec![];
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            files.push((path.display().to_string(), text));
        }
    }
    if files.is_empty() {
        bail!("the services folder {shown} has no *.toml file");
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_that_ship_are_valid() -> anyhow::Result<()> {
        load(None).map(drop)
    }

    #[test]
    fn a_folder_without_services_is_refused() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let error = load(Some(folder.path())).map(drop).unwrap_err().to_string();
        assert!(error.contains("no *.toml"), "{error}");
        Ok(())
    }
}
