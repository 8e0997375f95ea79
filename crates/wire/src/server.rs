//! Recognising which operation of which service a request asks for, in which protocol (spec 0).

use http::HeaderMap;

use crate::{json, query, sigv4::Authorization};

/// A request's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// awsJson, told by the target header.
    Json(json::Version),
    /// Query, told by `Action` in the form.
    Query,
    /// EC2's dialect of Query.
    Ec2Query,
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Protocol to answer in.
    pub protocol: Protocol,
    /// Signing name: `ecs`, `events`, `ssm`, `sqs`, `autoscaling`, `sns`, `ec2`, `sts`, ….
    pub service: &'a str,
    /// Operation: `DescribeClusters`.
    pub operation: String,
    /// Region the request was signed for, if it was signed.
    pub region: Option<&'a str>,
    /// Access key id it was signed with, if it was signed.
    pub access_key: Option<&'a str>,
    /// Parameters of a form; empty for JSON.
    pub params: query::Params,
}

/// A request that is none of the protocols spoken here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrecognised {
    /// The one of CloudWatch's newer SDKs.
    #[error(
        "{operation} of {service} was asked for in smithy-rpc-v2-cbor, which is not spoken here; use a client that \
         speaks awsJson or Query"
    )]
    Cbor {
        /// Service as the path names it.
        service: String,
        /// Operation as the path names it.
        operation: String,
    },
    /// The target header has no dot.
    #[error("the header X-Amz-Target is \"{0}\", which does not name a service and an operation")]
    BadTarget(String),
    /// No target and no form.
    #[error("{0} is no request of an AWS API: it has neither a header X-Amz-Target nor a form with Action")]
    NoApi(String),
    /// The form cannot be read.
    #[error("the form cannot be read: {0}")]
    BadForm(#[from] query::FormError),
    /// A form without `Action`.
    #[error("the form has no parameter Action")]
    NoAction,
}

/// Services by the name before the dot in the target header.
const TARGETS: [(&str, &str); 7] = [
    ("AmazonEC2ContainerServiceV20141113", "ecs"),
    ("AWSEvents", "events"),
    ("AmazonSSM", "ssm"),
    ("AmazonSQS", "sqs"),
    ("Logs_20140328", "logs"),
    ("GraniteServiceVersion20100801", "monitoring"),
    ("AWSSecurityTokenServiceV20110615", "sts"),
];

/// Services by the version in a form, for requests that are not signed.
const VERSIONS: [(&str, &str); 7] = [
    ("2016-11-15", "ec2"),
    ("2011-01-01", "autoscaling"),
    ("2010-03-31", "sns"),
    ("2011-06-15", "sts"),
    ("2012-11-05", "sqs"),
    ("2010-08-01", "monitoring"),
    ("2010-05-08", "iam"),
];

/// Recognises a request. `query` is the query string without `?`, read as a form when the body holds none.
///
/// # Errors
/// See [`Unrecognised`].
pub fn recognise<'a>(
    method: &str,
    path: &str,
    query: &str,
    headers: &'a HeaderMap,
    body: &[u8],
) -> Result<Call<'a>, Unrecognised> {
    let authorization = Authorization::of(headers);
    let (region, access_key) = match &authorization {
        Some(authorization) => (Some(authorization.region), Some(authorization.access_key)),
        None => (None, None),
    };
    let content_type = text(headers, "content-type").unwrap_or_default();
    if text(headers, "smithy-protocol").is_some_and(|protocol| protocol.starts_with("rpc-v2")) {
        // POST /service/SERVICE/operation/OPERATION
        let mut parts = path.split('/').filter(|part| !matches!(*part, "" | "service" | "operation"));
        let mut part = || parts.next().unwrap_or("an unnamed one").to_owned();
        return Err(Unrecognised::Cbor { service: part(), operation: part() });
    }
    if let Some(target) = text(headers, "x-amz-target") {
        let (prefix, operation) =
            json::split_target(target).ok_or_else(|| Unrecognised::BadTarget(target.to_owned()))?;
        let known = TARGETS.iter().find(|(name, _)| *name == prefix).map(|(_, service)| *service);
        return Ok(Call {
            protocol: Protocol::Json(json::Version::of(content_type).unwrap_or(json::Version::V1_1)),
            service: known.or(authorization.map(|found| found.service)).unwrap_or_default(),
            operation: operation.to_owned(),
            region,
            access_key,
            params: query::Params::default(),
        });
    }
    let form = content_type.starts_with("application/x-www-form-urlencoded");
    let params = match (form, method) {
        (true, _) => query::Params::decode(body)?,
        (false, "GET") if query.contains("Action=") => query::Params::decode(query.as_bytes())?,
        _ => return Err(Unrecognised::NoApi(format!("{method} {path}"))),
    };
    let operation = params.action().ok_or(Unrecognised::NoAction)?.to_owned();
    let of_version = params
        .get("Version")
        .and_then(|version| VERSIONS.iter().find(|(known, _)| *known == version).map(|(_, service)| *service));
    let service = authorization.map(|found| found.service).or(of_version).unwrap_or_default();
    let protocol = if service == "ec2" { Protocol::Ec2Query } else { Protocol::Query };
    Ok(Call { protocol, service, operation, region, access_key, params })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKID/20261002/eu-central-1/autoscaling/aws4_request, \
                          SignedHeaders=host, Signature=00";
    const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

    #[test]
    fn a_target_header_names_service_and_operation() {
        let headers = headers(&[
            ("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListClusters"),
            ("content-type", "application/x-amz-json-1.1"),
        ]);
        let call = recognise("POST", "/", "", &headers, b"{}").unwrap();
        assert_eq!((call.service, call.operation.as_str()), ("ecs", "ListClusters"));
        assert_eq!(call.protocol, Protocol::Json(json::Version::V1_1));
        assert_eq!((call.region, call.access_key), (None, None));
    }

    #[test]
    fn sqs_speaks_json_1_0() {
        let headers =
            headers(&[("x-amz-target", "AmazonSQS.ListQueues"), ("content-type", "application/x-amz-json-1.0")]);
        let call = recognise("POST", "/123456789012/q", "", &headers, b"{}").unwrap();
        assert_eq!((call.service, call.protocol), ("sqs", Protocol::Json(json::Version::V1_0)));
    }

    #[test]
    fn a_form_is_told_by_who_it_was_signed_for_or_by_its_version() {
        let signed = headers(&[("content-type", FORM), ("authorization", SIGNED)]);
        let body = b"Action=DescribeAutoScalingGroups&Version=2011-01-01";
        let call = recognise("POST", "/", "", &signed, body).unwrap();
        assert_eq!((call.service, call.region, call.access_key), ("autoscaling", Some("eu-central-1"), Some("AKID")));
        let bare = headers(&[("content-type", FORM)]);
        let call = recognise("POST", "/", "", &bare, b"Action=DescribeInstances&Version=2016-11-15").unwrap();
        assert_eq!((call.service, call.protocol), ("ec2", Protocol::Ec2Query));
        let none = headers(&[]);
        let call = recognise("GET", "/", "Action=GetCallerIdentity&Version=2011-06-15", &none, b"").unwrap();
        assert_eq!((call.service, call.operation.as_str()), ("sts", "GetCallerIdentity"));
    }

    #[test]
    fn what_is_not_spoken_is_named() {
        let cbor = headers(&[("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")]);
        let path = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
        let error = recognise("POST", path, "", &cbor, b"\xa0").unwrap_err().to_string();
        assert!(error.starts_with("PutMetricData of GraniteServiceVersion20100801 was asked for in"), "{error}");
        let error = recognise("GET", "/favicon.ico", "", &headers(&[]), b"").unwrap_err();
        assert_eq!(error, Unrecognised::NoApi("GET /favicon.ico".to_owned()));
        let error = recognise("POST", "/", "", &headers(&[("content-type", FORM)]), b"Version=1").unwrap_err();
        assert_eq!(error, Unrecognised::NoAction);
        let error = recognise("POST", "/", "", &headers(&[("x-amz-target", "nothing")]), b"").unwrap_err();
        assert_eq!(error, Unrecognised::BadTarget("nothing".to_owned()));
    }
}
