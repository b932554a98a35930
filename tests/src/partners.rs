//! Talking to the partners' simulator behind everybody's back.

use anyhow::ensure;
use serde_json::Value;

/// Sends one of the simulator's controls.
///
/// # Errors
/// It does not answer, or refuses.
pub async fn tell(
    http: &reqwest::Client,
    simulator: &str,
    method: &str,
    path: &str,
    body: Value,
) -> anyhow::Result<Value> {
    let request = http.request(method.parse()?, format!("{simulator}{path}")).json(&body);
    let answer = request.send().await?;
    ensure!(answer.status().is_success(), "the simulator refuses {path}: {}", answer.status());
    Ok(answer.json().await.unwrap_or(Value::Null))
}
