//! Carries out intents that come on standard input, one JSON document a line, and answers each with one line; for tests
//! against imitations of AWS. Region, endpoint and keys come from the environment.
//!
//! ```text
//! {"act": INTENT, "again": false}          -> the result
//! {"hold": "one", "table": "muster"}       -> {"epoch": 1}, null when another holds it, or {"error": "…"}
//! {"release": "one"}                       -> null
//! ```

use std::{
    collections::BTreeMap,
    io::{BufRead as _, Write as _},
    time::Duration,
};

use aws::{
    AwsCloud, DynamoLease, LeaseSettings, Settings, connect,
    settings::{Clusters, Timeouts},
};
use engine::ports::{Cloud as _, Intent, Lease as _};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// So short that a test can wait for its end.
const LEASE_LENGTH: Duration = Duration::from_millis(1500);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let timeouts = Timeouts { backoff: Duration::from_millis(50), ..Timeouts::default() };
    let cloud = connect(Settings { clusters: Clusters::All, api_share: 1.0, timeouts, ..Settings::default() }).await?;
    let mut leases = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&cloud, &mut leases, serde_json::from_str(&line?)?).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

async fn answer(
    cloud: &AwsCloud,
    leases: &mut BTreeMap<String, DynamoLease>,
    mut ask: Value,
) -> Result<Value, Failure> {
    if let Some(holder) = ask["hold"].as_str() {
        if !leases.contains_key(holder) {
            let table = ask["table"].as_str().unwrap_or("muster").to_owned();
            let settings = LeaseSettings { table, region: None, name: "test".to_owned(), length: LEASE_LENGTH };
            leases.insert(holder.to_owned(), cloud.lease(settings).await?);
        }
        let lease = leases.get(holder).ok_or("no lease")?;
        return Ok(match lease.hold().await {
            Ok(grant) => grant.map_or(Value::Null, |grant| json!({ "epoch": grant.epoch })),
            Err(error) => json!({ "error": error.to_string() }),
        });
    }
    if let Some(holder) = ask["release"].as_str() {
        leases.get(holder).ok_or("nobody of that name")?.release().await;
        return Ok(Value::Null);
    }
    let intent: Intent = serde_json::from_value(ask["act"].take())?;
    Ok(serde_json::to_value(cloud.act(&intent, ask["again"].as_bool().unwrap_or(false)).await)?)
}
