//! The connection to Temporal.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bellhop_workflows::contract::SERVICE_ATTRIBUTE;
use temporalio_client::{
    Client, ClientOptions, Connection, GrpcCompression, Url, tonic::IntoRequest as _,
};
use temporalio_common::{
    envconfig::LoadClientConfigProfileOptions,
    protos::temporal::api::{
        enums::v1::IndexedValueType, operatorservice::v1::ListSearchAttributesRequest,
    },
};

/// How long a first connection is tried: a cluster may be starting beside us.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connects to Temporal at `address`, with the credentials that Temporal's own environment variables
/// name. Workers and API of one process share the connection, which eager starts need.
///
/// # Errors
/// A bad address or credential, or no answer within a minute.
pub async fn connect(address: &str, namespace: &str) -> anyhow::Result<Client> {
    connect_within(address, namespace, PATIENCE).await
}

/// The same, but for the patience.
///
/// # Errors
/// A bad address or credential, or no answer within `patience`.
pub async fn connect_within(
    address: &str,
    namespace: &str,
    patience: Duration,
) -> anyhow::Result<Client> {
    // The error is not `Send`, so it is told rather than carried.
    let (mut options, _) =
        ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())
            .map_err(|error| anyhow!("Temporal's configuration cannot be read: {error}"))?;
    let scheme = if options.tls_options.is_some() { "https" } else { "http" };
    options.target = Url::parse(&format!("{scheme}://{address}"))
        .with_context(|| format!("{address} is no host and port of Temporal"))?;
    options.identity = format!("bellhop@{}", std::process::id());
    // Payloads are small: compressing them costs both sides more than it saves on the wire.
    options.grpc_compression = GrpcCompression::None;
    options.connect_timeout = Some(Duration::from_secs(5));
    let started = tokio::time::Instant::now();
    let connection = loop {
        match Connection::connect(options.clone()).await {
            Ok(connection) => break connection,
            Err(error) if started.elapsed() >= patience => {
                return Err(error)
                    .with_context(|| format!("Temporal at {address} does not answer"));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    Ok(Client::new(connection, ClientOptions::new(namespace).build())?)
}

/// Looks for the search attribute that bookings are started with.
///
/// # Errors
/// The namespace has none or is none, or Temporal does not answer.
pub async fn check_attribute(client: &Client, namespace: &str) -> anyhow::Result<()> {
    let request = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    let mut operator = client.connection().operator_service();
    let listed = operator.list_search_attributes(request.into_request()).await;
    let listed = listed.with_context(|| format!("the namespace {namespace} cannot be read"))?;
    match listed.into_inner().custom_attributes.get(SERVICE_ATTRIBUTE) {
        Some(kind) if *kind == i32::from(IndexedValueType::Keyword) => Ok(()),
        Some(_) => bail!("{SERVICE_ATTRIBUTE} of the namespace {namespace} is no Keyword"),
        None => bail!(
            "the namespace {namespace} has no search attribute {SERVICE_ATTRIBUTE}: temporal \
             operator search-attribute create --namespace {namespace} --name {SERVICE_ATTRIBUTE} \
             --type Keyword"
        ),
    }
}
