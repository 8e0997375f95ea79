//! Object stores that speak S3: how they are reached, and what their refusals mean.

use std::{error::Error, net::IpAddr, time::Duration};

use object_store::{
    BackoffConfig, ClientConfigKey, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider},
    path::Path,
};
use url::{Host, Url};

use super::PlaceError;

/// Tries of one call after the first. Whoever waits is told then; what could not be sealed is tried again later.
const TRIES_MORE: usize = 4;
/// No call is tried again after so long.
const TRIED_FOR: Duration = Duration::from_secs(15);
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(2);
/// The object with which it is tried whether conditions of a put are heeded.
pub(super) const GUARD: &str = "guard.json";
/// Says that plain HTTP may be spoken beyond this machine.
const ALLOW_HTTP: &str = "AWS_ALLOW_HTTP";

/// How S3 is reached, where something else than the environment says it.
#[derive(Clone, Debug, Default)]
pub struct S3 {
    /// The region.
    pub region: Option<String>,
    /// Address of a service that speaks S3; AWS's own, if not said.
    pub endpoint: Option<String>,
    /// Where credentials come from. `None`: the environment, the container or the machine.
    pub credentials: Option<AwsCredentialProvider>,
}

impl S3 {
    /// The store of a bucket, and the folder that the URL names in it.
    ///
    /// # Errors
    /// When the URL names no bucket, holds keys, or leads over plain HTTP to another machine.
    pub(super) fn store(&self, url: &Url) -> Result<(AmazonS3, Path), PlaceError> {
        let wrong = |source: object_store::Error| PlaceError::Address { url: shown(url), said: said(&source) };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PlaceError::Keys { url: shown(url) });
        }
        let mut builder = AmazonS3Builder::from_env().with_url(url.as_str());
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(credentials) = &self.credentials {
            builder = builder.with_credentials(credentials.clone());
        }
        let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
        let endpoint = endpoint.iter().find_map(|key| builder.get_config_value(key));
        let plain = match endpoint.as_deref().map(Url::parse) {
            Some(Ok(endpoint)) if endpoint.scheme() == "http" => {
                let told = std::env::var(ALLOW_HTTP).is_ok_and(|word| matches!(word.trim(), "1" | "true" | "TRUE"));
                if !told && !is_here(&endpoint) {
                    return Err(PlaceError::Plain { host: endpoint.host_str().unwrap_or_default().to_owned() });
                }
                true
            }
            Some(Err(error)) => {
                return Err(PlaceError::Address {
                    url: shown(url),
                    said: format!("the endpoint of its service is no address: {error}"),
                });
            }
            _ => false,
        };
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: PAUSE, ..BackoffConfig::default() },
            max_retries: TRIES_MORE,
            retry_timeout: TRIED_FOR,
        };
        if plain {
            builder = builder.with_config(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp), "true");
        }
        let store = builder.with_retry(retry).build().map_err(wrong)?;
        let folder = Path::from_url_path(url.path()).map_err(|error| wrong(error.into()))?;
        Ok((store, folder))
    }
}

/// Whether an address is one of this machine.
fn is_here(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
        None => false,
    }
}

/// A URL without what somebody may have put before its host.
pub(super) fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// What a store said in few words: its own code and message and what to do, or why nobody answered. The whole answer of a
/// refused signature shows what was signed; it is not repeated.
pub(super) fn said(error: &object_store::Error) -> String {
    let whole = error.to_string();
    let Some(code) = between(&whole, "Code") else { return innermost(error) };
    let message = between(&whole, "Message").unwrap_or("no message");
    let next = match code {
        "NoSuchBucket" => ": make the bucket, or mend its name",
        "AccessDenied" | "AllAccessDisabled" => {
            ": allow s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject in it"
        }
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken" => {
            ": check which credentials are used, and whether they are still good"
        }
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            ": set AWS_REGION to the region of the bucket"
        }
        _ => "",
    };
    format!("{code} ({}){next}", message.trim_end_matches('.'))
}

fn between<'t>(text: &'t str, tag: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    Some(rest.split_once(&format!("</{tag}>"))?.0.trim()).filter(|found| !found.is_empty())
}

/// The cause of all causes: those above it name each other.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, endpoint: &str) -> String {
        let s3 = S3 { endpoint: Some(endpoint.to_owned()), region: Some("eu-central-1".to_owned()), ..S3::default() };
        s3.store(&Url::parse(url).unwrap()).map_or_else(|error| error.to_string(), |(_, folder)| format!("in {folder}"))
    }

    #[test]
    fn plain_http_is_spoken_on_this_machine_alone() {
        for here in ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "https://s3.example"] {
            assert_eq!(refused("s3://bucket/a/b", here), "in a/b", "{here}");
        }
        for there in ["http://10.0.0.1:9000", "http://minio.example", "http://127.0.0.1.example"] {
            let told = refused("s3://bucket/a/b", there);
            assert!(told.contains("in the clear") && told.contains(ALLOW_HTTP), "{there}: {told}");
        }
        assert!(refused("s3://bucket", "nonsense").contains("no address"));
    }

    #[test]
    fn keys_in_the_url_are_refused_and_not_repeated() {
        let told = refused("s3://AKIACANARY:canary@bucket/a", "http://127.0.0.1:9000");
        assert!(told.contains("s3://bucket/a") && !told.to_lowercase().contains("canary"), "{told}");
    }

    #[test]
    fn a_refusal_is_told_by_its_code_and_what_to_do() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>It differs.</Message>\
                    <StringToSign>AWS4-HMAC-SHA256 canary</StringToSign></Error>";
        let error = object_store::Error::Generic { store: "S3", source: body.into() };
        assert_eq!(
            said(&error),
            "SignatureDoesNotMatch (It differs): check which credentials are used, and whether they are still good"
        );
        let nobody = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        assert_eq!(said(&object_store::Error::Generic { store: "S3", source: nobody.into() }), "connection refused");
    }
}
