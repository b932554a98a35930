//! `bellhop services check`: whether service files are valid, before they are mounted.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use bellhop_api::Services;
use clap::Subcommand;

/// `bellhop services`.
#[derive(Subcommand, Debug)]
pub enum ServicesCommand {
    /// Say whether service files are valid; each error names the key and the reason.
    Check {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Checks every file, and prints a line each.
///
/// # Errors
/// One of them is not valid.
pub fn run(command: &ServicesCommand) -> anyhow::Result<()> {
    let ServicesCommand::Check { files } = command;
    let mut wrong = 0;
    for file in files {
        match check(file) {
            Ok(()) => writeln!(std::io::stdout(), "{}: ok", file.display())?,
            Err(error) => {
                wrong += 1;
                eprintln!("{error:#}");
            }
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {} files cannot be used", files.len());
    }
    Ok(())
}

fn check(file: &Path) -> anyhow::Result<()> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))?;
    Ok(Services::parse([(shown.as_str(), text.as_str())]).map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL_TAXI: &str = include_str!("../../services/call-taxi.toml");

    #[test]
    fn an_error_names_the_file_the_key_and_the_reason() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("taxi.toml");
        let checked = |text: String| {
            std::fs::write(&file, text)?;
            check(&file)
        };
        checked(CALL_TAXI.to_owned())?;
        let error = checked(CALL_TAXI.replace("minimum = 3800", "minimum = -1")).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("taxi.toml") && text.contains("minimum"), "{text}");
        let error = checked(CALL_TAXI.replace("capture =", "capturing =")).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("taxi.toml") && text.contains("capturing"), "{text}");
        Ok(())
    }
}
