//! Options that every command takes.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::output::{Colour, Failure};
use crate::config::{
    Config,
    aws::{ApiRate, is_http_url},
    log::LogFormat,
};

/// Options that every command takes, before or after its name.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Log lines for people, or one JSON object a line.
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Output")]
    pub log_format: Option<LogFormat>,
    /// Log more; again for still more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// When to colour; NO_COLOR is honoured.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub color: Colour,
    /// Options of AWS.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// How AWS is reached.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsArgs {
    /// Send all calls here instead of to AWS [else: AWS_ENDPOINT_URL].
    #[arg(long, global = true, value_name = "URL", value_parser = http_url)]
    pub endpoint_url: Option<String>,
    /// Region to look at; may be repeated [else: AWS_REGION, or the profile's].
    #[arg(long, global = true, value_name = "REGION", value_delimiter = ',')]
    pub region: Vec<String>,
    /// Profile of the shared AWS files [else: AWS_PROFILE].
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Share of each documented ECS request rate that muster may use [default: 10%].
    #[arg(long, global = true, value_name = "PERCENT")]
    pub max_api_rate: Option<ApiRate>,
}

fn http_url(text: &str) -> Result<String, String> {
    if is_http_url(text) { Ok(text.to_owned()) } else { Err("expected http://HOST or https://HOST".to_owned()) }
}

impl AwsArgs {
    /// What the configuration says, with what the command line says put before it.
    pub fn settings(&self, config: &Config) -> aws::settings::Settings {
        use aws::settings::{AssumedAccount, Clusters, Documents, Queue, Settings};
        let section = &config.aws;
        let chosen = &config.clusters;
        let named: Vec<String> = chosen.names.iter().chain(&chosen.globs).cloned().collect();
        let clusters = if chosen.all {
            Clusters::All
        } else if named.is_empty() {
            Clusters::Tagged { key: chosen.tag_key.clone(), value: chosen.tag_value.clone() }
        } else {
            Clusters::Named(named)
        };
        Settings {
            profile: self.profile.clone().or_else(|| section.profile.clone()),
            regions: if self.region.is_empty() { section.regions.clone() } else { self.region.clone() },
            endpoint_url: self.endpoint_url.clone().or_else(|| section.endpoint_url.clone()),
            accounts: section
                .roles
                .iter()
                .map(|role| AssumedAccount { role_arn: role.clone(), external_id: None, session_name: None })
                .collect(),
            act_roles: section.act_roles.clone(),
            clusters,
            queues: config
                .events
                .queue_urls
                .iter()
                .map(|url| Queue {
                    visibility: Duration::from_secs(u64::from(config.events.visibility_secs)),
                    ..Queue::new(url)
                })
                .collect(),
            api_share: self.max_api_rate.unwrap_or(section.max_api_rate).share(),
            audit_tasks: config.audits_tasks(),
            documents: Documents {
                shell: section.shell_document.clone(),
                powershell: section.powershell_document.clone(),
            },
            customs: config.custom.iter().filter_map(|custom| custom.action()).collect(),
            ..Settings::default()
        }
    }
}

/// Reads the configuration file, if one is named.
///
/// # Errors
/// When it cannot be read or holds mistakes.
pub fn configuration(path: Option<&PathBuf>) -> Result<Config, Failure> {
    Ok(path.map(|path| Config::read(path)).transpose()?.unwrap_or_default())
}

/// Gets hold of AWS: credentials, regions, endpoints.
///
/// # Errors
/// When there are no credentials or no region; the message says what to set.
pub async fn connect(settings: aws::settings::Settings) -> Result<aws::AwsCloud, Failure> {
    aws::connect(settings).await.map_err(|error| Failure::new(error.to_string(), error))
}
