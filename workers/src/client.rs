//! `bellhop booking …`: bookings over the HTTP API, for people and scripts.

mod http;
mod table;

use std::{
    io::{Read as _, Write as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use bellhop_domain::status::Status;
use clap::{Args, Subcommand, ValueEnum};
use secrecy::SecretString;
use serde_json::{Value, json};

use self::http::{Api, Call};

/// `bellhop booking`: which API, as whom, and what to do there.
#[derive(Args, Debug)]
pub struct BookingArgs {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Args, Debug)]
struct Access {
    /// The API's base URL.
    #[arg(long, env = "BELLHOP_API", default_value = "http://127.0.0.1:8080", global = true)]
    api: String,
    /// The token of the caller.
    #[arg(long, env = "BELLHOP_TOKEN", default_value = "", hide_env_values = true, global = true)]
    token: SecretString,
    /// How answers are printed.
    #[arg(long, short, value_enum, default_value_t, global = true)]
    output: Output,
    /// The idempotency key of a request that changes something; a new one unless named. Repeating a
    /// request with its key never does it twice.
    #[arg(long, global = true)]
    key: Option<String>,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Lines for people.
    #[default]
    Table,
    /// JSON as the API answers it, one document a line.
    Json,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Book, with a request in JSON.
    Create {
        /// The file of the request; `-` is standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Show a booking.
    Get { id: String },
    /// List bookings, newest first.
    List(Filter),
    /// Show a booking whenever it changes, until it has ended.
    Watch { id: String },
    /// Cancel a booking.
    Cancel {
        id: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
        /// The cancellation quote whose terms are wanted.
        #[arg(long)]
        quote: Option<String>,
    },
    /// Approve a booking, as its company's manager.
    Approve { id: String },
    /// Decline a booking, as its company's manager.
    Decline {
        id: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Bring a booking to its next stage, or to `completed`.
    Advance { id: String, to: String },
    /// Show what happened to a booking.
    Timeline { id: String },
}

#[derive(Args, Debug)]
struct Filter {
    /// Of this service.
    #[arg(long)]
    service: Option<String>,
    /// In this state.
    #[arg(long)]
    status: Option<String>,
    /// Of this customer.
    #[arg(long)]
    customer: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Where the page begins: `next_cursor` of the one before.
    #[arg(long)]
    cursor: Option<String>,
}

/// How often a booking that is watched is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Does what is asked, and prints the answer.
///
/// # Errors
/// The problem that the API answers: its detail and code; or why there is no answer.
pub async fn run(args: BookingArgs) -> anyhow::Result<()> {
    let Access { api, token, output, key } = args.access;
    let api = Api::new(&api, token)?;
    let command = |path: String, body: Value| Call::post(path, body, key.clone());
    let call = match args.verb {
        Verb::Watch { id } => return watch(&api, &id, output).await,
        Verb::Create { file } => command("/bookings".to_owned(), read(&file)?),
        Verb::Get { id } => Call::get(path(&["bookings", &id])),
        Verb::List(filter) => Call::get("/bookings".to_owned()).asking(filter.query()),
        Verb::Timeline { id } => Call::get(path(&["bookings", &id, "timeline"])),
        Verb::Cancel { id, reason, quote } => {
            let body = json!({"reason": reason, "quote_id": quote});
            command(path(&["bookings", &id, "cancel"]), body)
        }
        Verb::Approve { id } => command(path(&["approvals", &id, "approve"]), json!({})),
        Verb::Decline { id, reason } => {
            command(path(&["approvals", &id, "decline"]), json!({"reason": reason}))
        }
        Verb::Advance { id, to } => command(path(&["bookings", &id, "advance"]), json!({"to": to})),
    };
    let answer = api.call(call).await?;
    print(&answer, output, || table::of(&answer))
}

/// Prints a booking whenever it changes, until nothing can change it any more. An API that is away
/// for a moment is asked again.
async fn watch(api: &Api, id: &str, output: Output) -> anyhow::Result<()> {
    let (mut seen, mut header) = (None, true);
    loop {
        let booking = match api.call(Call::get(path(&["bookings", id]))).await {
            Ok(booking) => booking,
            Err(error) if seen.is_some() && http::is_passing(&error) => {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let now = Some((booking["seq"].clone(), booking["status"].clone()));
        if now != seen {
            let rows = || table::bookings(std::slice::from_ref(&booking), header);
            print(&booking, output, rows)?;
            (seen, header) = (now, false);
        }
        if has_ended(&booking) {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn has_ended(booking: &Value) -> bool {
    let status = booking["status"].as_str().unwrap_or_default();
    status.parse::<Status>().is_ok_and(Status::is_end)
}

/// `println!` would panic where a reader, say `head`, has had enough.
fn print(answer: &Value, output: Output, rows: impl FnOnce() -> String) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => writeln!(out, "{answer}")?,
        Output::Table => write!(out, "{}", rows())?,
    }
    Ok(out.flush()?)
}

fn read(file: &std::path::Path) -> anyhow::Result<Value> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        text
    } else {
        std::fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?
    };
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))
}

/// A path below `/v1`: what stands between its slashes is data.
fn path(parts: &[&str]) -> String {
    let mut url = reqwest::Url::parse("http://host/").expect("an address");
    url.path_segments_mut().expect("it has a path").extend(parts);
    url.path().to_owned()
}

impl Filter {
    fn query(self) -> Vec<(&'static str, String)> {
        let named = [
            ("service", self.service),
            ("status", self.status),
            ("customer", self.customer),
            ("cursor", self.cursor),
            ("limit", Some(self.limit.to_string())),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
