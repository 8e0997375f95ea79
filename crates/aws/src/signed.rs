//! Signed requests for the services whose SDK crates would cost minutes to build (decision 0001) or serve one call: EC2,
//! SSM, Lambda, DynamoDB. The credentials, region and endpoint are those that the SDK's own configuration found.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::{
    client::{http::HttpConnector, orchestrator::HttpRequest},
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use aws_types::service_config::ServiceConfigKey;
use http_body_util::BodyExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde_json::Value;
use wire::{error::ERROR_TYPE_HEADER, json::Version, xml::Element};

use crate::{
    accounts::ConnectError,
    held::HeldCredentials,
    refusal::{Refusal, chain},
    settings::Settings,
};

/// The largest answer that is read: far above a thousand instances' status.
const MOST_BYTES: usize = 64 << 20;

/// What may stand in a path segment as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A successful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub body: Vec<u8>,
    /// A Lambda function's own failure, which comes with status 200: `Handled` or `Unhandled`.
    pub function_error: Option<String>,
}

/// A client of one service in one place.
#[derive(Debug)]
pub(crate) struct Signed {
    service: &'static str,
    region: String,
    endpoint: String,
    credentials: HeldCredentials,
    connector: Connector,
    limit: Duration,
}

impl Signed {
    /// A client for `service` (its signing name); `id` is the name it has in `AWS_ENDPOINT_URL_ID`.
    pub(crate) fn new(
        settings: &Settings,
        config: &SdkConfig,
        region: &str,
        service: &'static str,
        id: &'static str,
    ) -> Result<Self, ConnectError> {
        let credentials = config
            .credentials_provider()
            .ok_or_else(|| ConnectError::NoCredentials { why: "no source of credentials is configured".to_owned() })?;
        let endpoint = endpoint(settings, config, id).unwrap_or_else(|| {
            // SES signs by another name than its host has.
            let host = if service == "ses" { "email" } else { service };
            format!("https://{host}.{region}.{}", dns_suffix(region))
        });
        let timeouts = aws_smithy_runtime_api::client::http::HttpConnectorSettings::builder()
            .connect_timeout(settings.timeouts.connect)
            .read_timeout(settings.timeouts.read)
            .build();
        let connector = Connector::builder()
            .connector_settings(timeouts)
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .build();
        Ok(Self {
            service,
            region: region.to_owned(),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            credentials: HeldCredentials::new(credentials),
            connector,
            limit: settings.timeouts.connect + settings.timeouts.read,
        })
    }

    /// A Query call, answered in XML.
    pub(crate) async fn query(&self, params: &wire::query::Params) -> Result<Element, Refusal> {
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let body = self.send("/", &[("content-type", kind)], params.encode().into_bytes()).await?.body;
        let expected = format!("{}Response", params.action().unwrap_or_default());
        // A login page is well-formed XML too, and says nothing of any machine.
        Element::parse(&body)
            .ok()
            .filter(|answer| answer.name == expected)
            .ok_or_else(|| Refusal::from_body(200, None, &body))
    }

    /// An awsJson 1.1 call.
    pub(crate) async fn json(&self, target: &str, body: &Value) -> Result<Value, Refusal> {
        self.json_of(Version::V1_1, target, body).await
    }

    /// An awsJson call of either version.
    pub(crate) async fn json_of(&self, version: Version, target: &str, body: &Value) -> Result<Value, Refusal> {
        let headers = [("content-type", version.content_type()), ("x-amz-target", target)];
        let body = self.send("/", &headers, body.to_string().into_bytes()).await?.body;
        serde_json::from_slice(&body).map_err(|_| Refusal::from_body(200, None, &body))
    }

    /// Lambda's Invoke, waited for: what the function answered, or how it failed.
    pub(crate) async fn invoke(&self, function: &str, payload: Vec<u8>) -> Result<Reply, Refusal> {
        let name = percent_encoding::utf8_percent_encode(function, SEGMENT);
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let headers = [("content-type", "application/json"), ("x-amz-invocation-type", "RequestResponse")];
        self.send(&path, &headers, payload).await
    }

    /// A POST of JSON to a REST path.
    pub(crate) async fn rest(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        let headers = [("content-type", "application/json")];
        let body = self.send(path, &headers, body.to_string().into_bytes()).await?.body;
        serde_json::from_slice(&body).map_err(|_| Refusal::from_body(200, None, &body))
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Reply, Refusal> {
        let request = self.sign(path, headers, body).await?;
        let answer = tokio::time::timeout(self.limit, async {
            let response = self.connector.call(request).await.map_err(|error| {
                if error.is_timeout() { Refusal::TimedOut } else { Refusal::Unreachable(chain(Some(&error))) }
            })?;
            let status: StatusCode = response.status();
            let error_type = response.headers().get(ERROR_TYPE_HEADER).map(str::to_owned);
            let function_error = response.headers().get("x-amz-function-error").map(str::to_owned);
            let body = http_body_util::Limited::new(response.into_body(), MOST_BYTES)
                .collect()
                .await
                .map_err(|error| Refusal::Unreachable(format!("the answer broke off: {error}")))?;
            Ok((status, error_type, Reply { body: body.to_bytes().to_vec(), function_error }))
        });
        let (status, error_type, reply) = answer.await.unwrap_or(Err(Refusal::TimedOut))?;
        if status.is_success() {
            Ok(reply)
        } else {
            Err(Refusal::from_body(status.as_u16(), error_type.as_deref(), &reply.body))
        }
    }

    async fn sign(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<HttpRequest, Refusal> {
        let identity = self.credentials.get().await.map_err(Refusal::Credentials)?.into();
        let unsigned = |why: String| Refusal::Unreachable(format!("the request could not be made: {why}"));
        let url = format!("{}{path}", self.endpoint);
        let mut builder = http::Request::builder().method("POST").uri(&url);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let mut request = builder.body(SdkBody::from(body.clone())).map_err(|error| unsigned(error.to_string()))?;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(error.to_string()))?
            .into();
        let signable = SignableRequest::new("POST", url.as_str(), headers.iter().copied(), SignableBody::Bytes(&body))
            .map_err(|error| unsigned(error.to_string()))?;
        let (instructions, _signature) =
            sign(signable, &params).map_err(|error| unsigned(error.to_string()))?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request).map_err(|error| unsigned(error.to_string()))
    }
}

/// Where a service is asked, if not at AWS's own address: as the settings say, or the environment and the profile for this
/// service (`AWS_ENDPOINT_URL_ID`), or for all.
pub(crate) fn endpoint(settings: &Settings, config: &SdkConfig, id: &'static str) -> Option<String> {
    let own = || {
        let key =
            ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
        config.service_config()?.load_config(key)
    };
    settings.endpoint_url.clone().or_else(own).or_else(|| config.endpoint_url().map(str::to_owned))
}

/// The DNS suffix of a region's partition.
fn dns_suffix(region: &str) -> &'static str {
    match region.split('-').next().unwrap_or_default() {
        "cn" => "amazonaws.com.cn",
        "eusc" => "amazonaws.eu",
        "us" if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        "us" if region.starts_with("us-isof-") => "csp.hci.ic.gov",
        "us" if region.starts_with("us-iso-") => "c2s.ic.gov",
        "eu" if region.starts_with("eu-isoe-") => "cloud.adc-e.uk",
        _ => "amazonaws.com",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_own_suffix() {
        assert_eq!(dns_suffix("eu-central-1"), "amazonaws.com");
        assert_eq!(dns_suffix("cn-north-1"), "amazonaws.com.cn");
        assert_eq!(dns_suffix("us-gov-west-1"), "amazonaws.com");
        assert_eq!(dns_suffix("us-iso-east-1"), "c2s.ic.gov");
        assert_eq!(dns_suffix("us-isob-east-1"), "sc2s.sgov.gov");
    }
}
