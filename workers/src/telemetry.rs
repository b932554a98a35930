//! Logs and traces.

use anyhow::Context as _;
use clap::ValueEnum;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// What is logged unless `RUST_LOG` says otherwise: ours, and warnings of everything else. The two
/// that are silenced warn of what is expected here: a replayed cancellation, a span without parent.
const DEFAULT_FILTER: &str = "warn,bellhop=info,bellhop_api=info,bellhop_store=info,\
    bellhop_activities=info,bellhop_workflows=info,bellhop_workers=info,temporalio_sdk_core=error";

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// JSON, one object a line.
    Json,
}

/// Keeps the exporter of traces alive; dropping it sends what is left.
#[derive(Debug, Default)]
pub struct Telemetry {
    tracer: Option<SdkTracerProvider>,
}

/// Starts logging to standard error, and exporting traces over OTLP when
/// `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) is set; the other standard variables of
/// OpenTelemetry apply. Call it once, inside a tokio runtime.
///
/// # Errors
/// A bad `RUST_LOG` or OTLP endpoint.
pub fn init(format: LogFormat) -> anyhow::Result<Telemetry> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) => EnvFilter::try_new(filter).context("RUST_LOG cannot be read")?,
        Err(_) => EnvFilter::new(DEFAULT_FILTER),
    };
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs = match format {
        LogFormat::Text => logs.with_target(false).boxed(),
        LogFormat::Json => logs.json().flatten_event(true).boxed(),
    };
    let tracer = otlp_endpoint_is_set().then(tracer).transpose()?;
    let spans =
        tracer.as_ref().map(|it| tracing_opentelemetry::layer().with_tracer(it.tracer("bellhop")));
    tracing_subscriber::registry().with(filter).with(logs).with(spans).try_init()?;
    Ok(Telemetry { tracer })
}

fn otlp_endpoint_is_set() -> bool {
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn tracer() -> anyhow::Result<SdkTracerProvider> {
    let exporter =
        SpanExporter::builder().with_tonic().build().context("OTLP traces cannot be exported")?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("bellhop");
    }
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build())
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.tracer.take().map(|tracer| tracer.shutdown()) {
            eprintln!("the last traces were not exported: {error}");
        }
    }
}
