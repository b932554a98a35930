//! `bellhop services`: whether service files are valid, before they are mounted, and what course
//! their bookings take.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use bellhop_api::Services;
use bellhop_domain::{drawing, service::Service};
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
    /// Draw the course of a service's bookings, with each step's undo, as a Mermaid state diagram.
    Draw {
        /// The file.
        file: PathBuf,
    },
}

/// Checks every file and prints a line each, or draws one.
///
/// # Errors
/// One of them cannot be read or is not valid.
pub fn run(command: &ServicesCommand) -> anyhow::Result<()> {
    match command {
        ServicesCommand::Check { files } => check_all(files),
        ServicesCommand::Draw { file } => {
            let service = Service::parse(&file.display().to_string(), &read(file)?)?;
            Ok(write!(std::io::stdout(), "{}", drawing::mermaid(&service))?)
        }
    }
}

fn check_all(files: &[PathBuf]) -> anyhow::Result<()> {
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
    let (shown, text) = (file.display().to_string(), read(file)?);
    Ok(Services::parse([(shown.as_str(), text.as_str())]).map(drop)?)
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL_TAXI: &str = include_str!("../../../services/call-taxi.toml");

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
