//! Sends pages that come on standard input, one JSON document a line, to the receivers of a configuration file, and
//! answers each with one line, what became of it; for tests against mail servers and imitations of AWS. Region, endpoint
//! and keys come from the environment.
//!
//! ```text
//! send CONFIG      {"id": 1, "receiver": "team", …}   ->   "delivered", or {"given-up": {"why": "…"}}
//! ```

use std::{
    io::{BufRead as _, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use engine::ports::{Notifier as _, Page};
use muster::{
    config::Config,
    senders::{Senders, http::HttpClient, vault::Vault},
};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let path = std::env::args().nth(1).ok_or("which configuration file?")?;
    let config = Config::read(Path::new(&path))?;
    let cloud = Arc::new(aws::connect(aws::Settings::default()).await?);
    let vault = Arc::new(Vault::new(Some(cloud.clone())));
    for why in vault.unreadable(&config.receiver).await {
        writeln!(std::io::stderr(), "{why}")?;
    }
    let http = HttpClient::new(Duration::from_secs(10))?;
    let senders = Senders::new(&config.receiver, &http, vault, &cloud);
    for line in std::io::stdin().lock().lines() {
        let page: Page = serde_json::from_str(&line?)?;
        let result = senders.send(&page).await;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
        out.flush()?;
    }
    Ok(())
}
