//! `bellhop doctor`: what Bellhop needs, looked at one after the other; a line each.

use std::{fmt, io::Write as _, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use bellhop_store::{Store, StoreError};
use clap::Args;
use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    config::{PartnerArgs, TemporalArgs},
    engine, temporal,
};

/// Settings of `bellhop doctor`: those of the other roles.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// The database that is looked at.
    #[arg(long, env = "BELLHOP_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    #[command(flatten)]
    temporal: TemporalArgs,
    #[command(flatten)]
    partners: PartnerArgs,
}

/// How long one thing may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found.
enum Finding {
    Ok(String),
    /// Not there, and not needed for what is set up here.
    Unneeded(String),
    /// What is wrong, and what to do.
    Wrong(anyhow::Error),
}

/// Looks at everything, and prints a line each.
///
/// # Errors
/// Something is wrong.
pub async fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let url = args.database_url.as_deref().filter(|it| !it.is_empty());
    let (address, namespace) = (&args.temporal.temporal_address, &args.temporal.temporal_namespace);
    let partners = &args.partners;
    let client = temporal::connect_within(address, namespace, Duration::ZERO).await;
    let (reached, attribute) = match client {
        Ok(client) => (
            Finding::Ok(format!("answers at {address}")),
            match temporal::check_attribute(&client, namespace).await {
                Ok(()) => Finding::Ok(format!("registered in the namespace {namespace}")),
                Err(error) => Finding::Wrong(error),
            },
        ),
        Err(error) => {
            let advice = "start it (`bellhop dev`) or set TEMPORAL_ADDRESS";
            let error = error.context(format!("{address} does not answer: {advice}"));
            (Finding::Wrong(error), Finding::Unneeded("not looked at without Temporal".to_owned()))
        }
    };
    let (pay, pay_key) = (&partners.payments_url, &partners.payments_key);
    let (tell, tell_key) = (&partners.messages_url, &partners.messages_key);
    let findings = [
        ("database", database(url).await),
        ("Temporal", reached),
        ("search attribute", attribute),
        ("payment provider", partner(pay, pay_key, "BELLHOP_PAYMENTS").await.into()),
        ("messaging gateway", partner(tell, tell_key, "BELLHOP_MESSAGES").await.into()),
        ("Temporal CLI", cli(url).await),
    ];
    for (what, finding) in &findings {
        writeln!(std::io::stdout(), "{what:<18} {finding}")?;
    }
    match findings.iter().filter(|it| matches!(it.1, Finding::Wrong(_))).count() {
        0 => Ok(()),
        wrong => bail!("{wrong} of {} are wrong", findings.len()),
    }
}

async fn database(url: Option<&str>) -> Finding {
    let Some(url) = url else {
        let text = "not set: `bellhop dev` has its own; other roles need BELLHOP_DATABASE_URL";
        return Finding::Unneeded(text.to_owned());
    };
    // Opening would make the file: a doctor leaves things as they are.
    if let Some(file) = url.strip_prefix("sqlite://")
        && !Path::new(file.split('?').next().unwrap_or_default()).exists()
    {
        return Finding::Unneeded(format!("{file} is not there yet: it is made when it is needed"));
    }
    let store = match Store::open(url).await {
        Ok(store) => store,
        Err(StoreError::Locked { .. }) => {
            return Finding::Ok("in use by a running bellhop".to_owned());
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            return Finding::Wrong(
                error.context("it cannot be opened: check BELLHOP_DATABASE_URL"),
            );
        }
    };
    let migrated = store.is_migrated().await;
    store.close().await;
    match migrated {
        Ok(true) => Finding::Ok("answers, and is of this version".to_owned()),
        Ok(false) => Finding::Wrong(anyhow::anyhow!("not of this version: run `bellhop migrate`")),
        Err(error) => Finding::Wrong(error.into()),
    }
}

/// Whether a partner answers at all. What it answers to an address that is none of its calls is its
/// own; but not that it does not know us, or cannot.
async fn partner(url: &str, key: &SecretString, setting: &str) -> anyhow::Result<String> {
    let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let asked = http.get(url).bearer_auth(key.expose_secret()).send().await;
    let away = || format!("{url} does not answer: start it or set {setting}_URL");
    let status = asked.with_context(away)?.status();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            bail!("{url} refuses the credential: check {setting}_KEY")
        }
        status if status.is_server_error() => bail!("{url} answers {status}"),
        _ => Ok(format!("answers at {url}")),
    }
}

/// The command line tool brings the development server; a deployment on PostgreSQL has a cluster.
async fn cli(url: Option<&str>) -> Finding {
    let version = async {
        let program = engine::find_program()?;
        let mut command = tokio::process::Command::new(&program);
        let ran = tokio::time::timeout(PATIENCE, command.arg("--version").output()).await;
        let shown = program.display();
        let output = ran.with_context(|| format!("{shown} hangs"))?;
        let output = output.with_context(|| format!("{shown} cannot be run"))?;
        anyhow::Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match version.await {
        Ok(version) => Finding::Ok(version),
        Err(_) if url.is_some_and(|url| url.starts_with("postgres")) => {
            Finding::Unneeded("missing: only `bellhop dev` and tests need it".to_owned())
        }
        Err(error) => Finding::Wrong(error),
    }
}

impl From<anyhow::Result<String>> for Finding {
    fn from(result: anyhow::Result<String>) -> Self {
        result.map_or_else(Self::Wrong, Self::Ok)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(text) => write!(f, "ok     {text}"),
            Self::Unneeded(text) => write!(f, "-      {text}"),
            // What is between the two says the same at more length.
            Self::Wrong(error) if error.chain().len() > 1 => {
                write!(f, "WRONG  {error} ({})", error.root_cause())
            }
            Self::Wrong(error) => write!(f, "WRONG  {error}"),
        }
    }
}
