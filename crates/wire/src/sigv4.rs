//! Checking the signature of a request that was signed with Signature Version 4 in its `Authorization` header.
//!
//! Signing is `aws-sigv4`'s business; this is the other side. Nothing here keeps or prints a secret key.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp, civil};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// The only algorithm of the header form.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's date may be from ours, in seconds, as AWS has it.
pub const TOLERANCE_SECS: i64 = 300;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// The `Authorization` header taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Access key id.
    pub access_key: &'a str,
    /// `20261002`.
    pub date: &'a str,
    /// Region the request is signed for.
    pub region: &'a str,
    /// Signing name of the service: `ecs`, `ec2`, `autoscaling`, ….
    pub service: &'a str,
    /// Names of the signed headers, as listed.
    pub signed_headers: &'a str,
    /// Lower-case hexadecimal.
    pub signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Takes the header apart. `None` when it is of another scheme or lacks a part.
    pub fn parse(header: &'a str) -> Option<Self> {
        let rest = header.trim().strip_prefix(ALGORITHM)?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            match name {
                "Credential" => credential = Some(value),
                "SignedHeaders" => signed_headers = Some(value),
                "Signature" => signature = Some(value),
                _ => {}
            }
        }
        // An access key may hold no slash, so the scope is what stands after the first one.
        let mut scope = credential?.split('/');
        let parsed = Self {
            access_key: scope.next()?,
            date: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            signed_headers: signed_headers?,
            signature: signature?,
        };
        (scope.next()? == "aws4_request" && scope.next().is_none()).then_some(parsed)
    }

    /// Takes the header out of a request's headers.
    pub fn of(headers: &'a HeaderMap) -> Option<Self> {
        Self::parse(headers.get(http::header::AUTHORIZATION)?.to_str().ok()?)
    }
}

/// What is kept of an access key, to check signatures made with it. Has no `Debug`: it holds a secret.
#[derive(Clone)]
pub struct Key {
    /// Secret access key.
    pub secret: String,
    /// The session token that must come along, of temporary credentials.
    pub session_token: Option<String>,
    /// When temporary credentials end.
    pub expires_at: Option<Timestamp>,
}

/// The parts of a request that a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// `POST`.
    pub method: &'a str,
    /// Path as sent.
    pub path: &'a str,
    /// Query string as sent, without `?`.
    pub query: &'a str,
    /// Headers as sent.
    pub headers: &'a HeaderMap,
    /// Body as sent.
    pub body: &'a [u8],
}

/// Why a request is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing to check.
    #[error("Missing Authentication Token")]
    Missing,
    /// A header that is no SigV4 header, or a signed header that is not there.
    #[error("The request signature is incomplete: {what}")]
    Incomplete {
        /// What is missing.
        what: String,
    },
    /// Nobody knows the key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The session token is absent or another.
    #[error("The security token included in the request is invalid.")]
    WrongToken,
    /// Temporary credentials after their end.
    #[error("The security token included in the request is expired")]
    Expired,
    /// The request's date is too far from now.
    #[error("Signature expired: {date} is now earlier or later than {TOLERANCE_SECS} s from {now}")]
    Skewed {
        /// The request's date.
        date: String,
        /// Our own.
        now: Timestamp,
    },
    /// The signature is not the one we computed.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

/// Checks a request; `key_of` knows the keys. Returns who signed for what.
///
/// # Errors
/// See [`Refusal`].
pub fn verify<'a>(
    request: &Signed<'a>,
    now: Timestamp,
    key_of: impl FnOnce(&str) -> Option<Key>,
) -> Result<Authorization<'a>, Refusal> {
    let header = request.headers.get(http::header::AUTHORIZATION).ok_or(Refusal::Missing)?;
    let authorization = header
        .to_str()
        .ok()
        .and_then(Authorization::parse)
        .ok_or_else(|| incomplete("Authorization is not of the form AWS4-HMAC-SHA256 Credential=…"))?;
    let key = key_of(authorization.access_key).ok_or(Refusal::UnknownKey)?;
    let date = text_header(request.headers, "x-amz-date").ok_or_else(|| incomplete("no X-Amz-Date"))?;
    let at = request_time(date).ok_or_else(|| incomplete("X-Amz-Date is not of the form 20261002T081531Z"))?;
    if !date.starts_with(authorization.date) {
        return Err(incomplete("the credential's date is not that of X-Amz-Date"));
    }
    if now.duration_since(at).abs() > SignedDuration::from_secs(TOLERANCE_SECS) {
        return Err(Refusal::Skewed { date: date.to_owned(), now });
    }
    let expected = signature(request, &authorization, date, &key.secret)?;
    if !equal_in_constant_time(expected.as_bytes(), authorization.signature.as_bytes()) {
        return Err(Refusal::Mismatch);
    }
    if let Some(token) = &key.session_token {
        let sent = text_header(request.headers, "x-amz-security-token").unwrap_or_default();
        if !equal_in_constant_time(token.as_bytes(), sent.as_bytes()) {
            return Err(Refusal::WrongToken);
        }
    }
    if key.expires_at.is_some_and(|end| end <= now) {
        return Err(Refusal::Expired);
    }
    Ok(authorization)
}

fn incomplete(what: impl Into<String>) -> Refusal {
    Refusal::Incomplete { what: what.into() }
}

fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn request_time(date: &str) -> Option<Timestamp> {
    let at = civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn signature(
    request: &Signed<'_>,
    authorization: &Authorization<'_>,
    date: &str,
    secret: &str,
) -> Result<String, Refusal> {
    let canonical = canonical_request(request, authorization.signed_headers)?;
    let Authorization { date: day, region, service, .. } = authorization;
    let to_sign = format!(
        "{ALGORITHM}\n{date}\n{day}/{region}/{service}/aws4_request\n{}",
        hex::encode(Sha256::digest(canonical))
    );
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), day);
    for part in [region, service, "aws4_request"] {
        key = hmac(&key, part);
    }
    Ok(hex::encode(hmac(&key, &to_sign)))
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    // HMAC takes keys of any length; the error exists for other constructions.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn canonical_request(request: &Signed<'_>, signed_headers: &str) -> Result<String, Refusal> {
    let path = if request.path.is_empty() { "/" } else { request.path };
    let mut canonical = format!("{}\n{}\n", request.method, utf8_percent_encode(path, PATH));
    canonical.push_str(&canonical_query(request.query));
    canonical.push('\n');
    for name in signed_headers.split(';') {
        let mut values = request.headers.get_all(name).iter().peekable();
        if values.peek().is_none() {
            return Err(incomplete(format!("the signed header {name} was not sent")));
        }
        canonical.push_str(name);
        canonical.push(':');
        for (position, value) in values.enumerate() {
            if position > 0 {
                canonical.push(',');
            }
            let value = String::from_utf8_lossy(value.as_bytes());
            for (position, word) in value.split_ascii_whitespace().enumerate() {
                if position > 0 {
                    canonical.push(' ');
                }
                canonical.push_str(word);
            }
        }
        canonical.push('\n');
    }
    // The body is hashed here, never taken at the sender's word.
    let body = hex::encode(Sha256::digest(request.body));
    canonical.push_str(&format!("\n{signed_headers}\n{body}"));
    Ok(canonical)
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        let decoded = percent_decode_str(text).collect::<Vec<u8>>();
        percent_encoding::percent_encode(&decoded, UNRESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(name), encode(value))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differing, (x, y)| differing | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";

    /// The worked example of AWS's own signing documentation.
    fn documented() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
            ("authorization", AUTHORIZATION),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn check(headers: &HeaderMap, query: &str, now: &str) -> Result<String, Refusal> {
        let request = Signed { method: "GET", path: "/", query, headers, body: b"" };
        let key = |name: &str| {
            (name == "AKIDEXAMPLE").then(|| Key {
                secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
                session_token: None,
                expires_at: None,
            })
        };
        verify(&request, now.parse().unwrap(), key).map(|authorization| authorization.service.to_owned())
    }

    const QUERY: &str = "Action=ListUsers&Version=2010-05-08";
    const NOW: &str = "2015-08-30T12:36:30Z";

    #[test]
    fn the_documented_example_is_believed() {
        assert_eq!(check(&documented(), QUERY, NOW), Ok("iam".to_owned()));
        assert_eq!(check(&documented(), "Version=2010-05-08&Action=ListUsers", NOW), Ok("iam".to_owned()));
    }

    #[test]
    fn anything_changed_on_the_way_is_noticed() {
        assert_eq!(check(&documented(), "Action=DropUsers&Version=2010-05-08", NOW), Err(Refusal::Mismatch));
        let mut headers = documented();
        headers.insert("host", HeaderValue::from_static("elsewhere"));
        assert_eq!(check(&headers, QUERY, NOW), Err(Refusal::Mismatch));
        headers.remove("host");
        assert!(matches!(check(&headers, QUERY, NOW), Err(Refusal::Incomplete { what }) if what.contains("host")));
    }

    #[test]
    fn a_request_from_another_time_or_of_an_unknown_key_is_refused() {
        assert!(matches!(check(&documented(), QUERY, "2015-08-30T12:45:00Z"), Err(Refusal::Skewed { .. })));
        assert!(matches!(check(&documented(), QUERY, "2015-08-30T12:30:00Z"), Err(Refusal::Skewed { .. })));
        let mut headers = documented();
        let other = AUTHORIZATION.replace("AKIDEXAMPLE", "AKIDOTHER");
        headers.insert("authorization", HeaderValue::from_str(&other).unwrap());
        assert_eq!(check(&headers, QUERY, NOW), Err(Refusal::UnknownKey));
        headers.remove("authorization");
        assert_eq!(check(&headers, QUERY, NOW), Err(Refusal::Missing));
    }

    #[test]
    fn temporary_credentials_need_their_token_and_end() {
        let check = |sent: Option<&'static str>, expires_at: &str| {
            let mut headers = documented();
            if let Some(sent) = sent {
                headers.insert("x-amz-security-token", HeaderValue::from_static(sent));
            }
            let request = Signed { method: "GET", path: "/", query: QUERY, headers: &headers, body: b"" };
            let key = Key {
                secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
                session_token: Some("token".to_owned()),
                expires_at: Some(expires_at.parse().unwrap()),
            };
            verify(&request, NOW.parse().unwrap(), |_| Some(key)).map(|_| ())
        };
        assert_eq!(check(Some("token"), "2015-08-30T13:00:00Z"), Ok(()));
        assert_eq!(check(Some("other"), "2015-08-30T13:00:00Z"), Err(Refusal::WrongToken));
        assert_eq!(check(None, "2015-08-30T13:00:00Z"), Err(Refusal::WrongToken));
        assert_eq!(check(Some("token"), "2015-08-30T12:00:00Z"), Err(Refusal::Expired));
    }

    #[test]
    fn headers_of_other_schemes_are_no_authorization() {
        for header in [
            "Bearer x",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/e/aws4_request, SignedHeaders=host, Signature=00",
        ] {
            assert_eq!(Authorization::parse(header), None, "{header}");
        }
    }
}
