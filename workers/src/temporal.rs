//! The connection to Temporal.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use temporalio_client::{Client, ClientOptions, Connection, Url};
use temporalio_common::envconfig::LoadClientConfigProfileOptions;

/// How long a first connection is tried: a cluster may be starting beside us.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connects to Temporal at `address`, with the credentials that Temporal's own environment variables
/// name. Workers and API of one process share the connection, which eager starts need.
///
/// # Errors
/// A bad address or credential, or no answer within a minute.
pub async fn connect(address: &str, namespace: &str) -> anyhow::Result<Client> {
    // The error is not `Send`, so it is told rather than carried.
    let (mut options, _) =
        ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())
            .map_err(|error| anyhow!("Temporal's configuration cannot be read: {error}"))?;
    let scheme = if options.tls_options.is_some() { "https" } else { "http" };
    options.target = Url::parse(&format!("{scheme}://{address}"))
        .with_context(|| format!("{address} is no host and port of Temporal"))?;
    options.identity = format!("bellhop@{}", std::process::id());
    options.connect_timeout = Some(Duration::from_secs(5));
    let started = tokio::time::Instant::now();
    let connection = loop {
        match Connection::connect(options.clone()).await {
            Ok(connection) => break connection,
            Err(error) if started.elapsed() > PATIENCE => {
                return Err(error)
                    .with_context(|| format!("Temporal at {address} does not answer"));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    Ok(Client::new(connection, ClientOptions::new(namespace).build())?)
}
