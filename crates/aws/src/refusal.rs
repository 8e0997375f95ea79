//! How AWS says no: sorted into gone, denied, throttled and failed, and put into one sentence for a person.

use std::{error::Error as _, fmt};

use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::StatusCode,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use engine::ports::{FailureKind, LookFailure, Scope};
use wire::error::ServiceError;

/// What came back instead of an answer, before anybody has judged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The service's own error.
    Service {
        /// `ClusterNotFoundException`, …
        code: String,
        /// Its words.
        message: String,
        /// HTTP status, 0 when unknown.
        status: u16,
    },
    /// An answer that is neither result nor error: HTML, an empty body, nonsense.
    Nonsense {
        /// HTTP status, 0 when unknown.
        status: u16,
        /// What it looks like.
        looks_like: String,
    },
    /// No answer in time.
    TimedOut,
    /// No connection.
    Unreachable(String),
    /// No credentials to sign with.
    Credentials(String),
}

/// Codes by which AWS asks for patience (spec §0).
const THROTTLES: [&str; 8] = [
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "RequestThrottled",
    "RequestThrottledException",
    "ResourceContention",
    "SlowDown",
];

const DENIALS: [&str; 6] = [
    "AccessDeniedException",
    "AccessDenied",
    "UnauthorizedOperation",
    "AuthorizationError",
    "NotAuthorized",
    "OptInRequired",
];

const STALE_CREDENTIALS: [&str; 5] =
    ["ExpiredTokenException", "ExpiredToken", "RequestExpired", "TokenRefreshRequired", "CredentialsExpired"];

const WRONG_CREDENTIALS: [&str; 7] = [
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "IncompleteSignature",
    "MissingAuthenticationTokenException",
];

const GONE: [&str; 5] = [
    "ClusterNotFoundException",
    "ResourceNotFoundException",
    "InvalidInstanceID.NotFound",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
];

impl Refusal {
    /// The service's code, if it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            _ => None,
        }
    }

    /// AWS asks for patience.
    pub fn is_throttle(&self) -> bool {
        match self {
            Self::Service { code, status, .. } => *status == 429 || THROTTLES.contains(&code.as_str()),
            Self::Nonsense { status, .. } => *status == 429,
            _ => false,
        }
    }

    /// May be gone at the next try.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Service { code, status, .. } => {
                matches!(status, 500 | 502 | 503 | 504) || matches!(code.as_str(), "ServerException" | "InternalError")
            }
            Self::Nonsense { status, .. } => matches!(status, 500 | 502 | 503 | 504),
            Self::TimedOut | Self::Unreachable(_) => true,
            Self::Credentials(_) => false,
        }
    }

    /// Whether a change that was asked for may have been made all the same: nobody said that it was not.
    pub fn is_unclear(&self) -> bool {
        match self {
            _ if self.is_throttle() => false,
            Self::Service { .. } => self.is_transient(),
            Self::Nonsense { status, .. } => !(400..500).contains(status),
            Self::TimedOut | Self::Unreachable(_) => true,
            Self::Credentials(_) => false,
        }
    }

    /// The role lacks a permission; expired or wrong credentials are something else.
    pub fn is_denial(&self) -> bool {
        self.code().is_some_and(|code| DENIALS.contains(&code))
    }

    /// The credentials have run out.
    pub fn says_expired(&self) -> bool {
        self.code().is_some_and(|code| STALE_CREDENTIALS.contains(&code))
    }

    /// Whether the service's own words hold these, whatever their case.
    pub fn says(&self, words: &str) -> bool {
        matches!(self, Self::Service { message, .. } if message.to_ascii_lowercase().contains(words))
    }

    /// The kind, as the engine sorts failures.
    pub fn kind(&self) -> FailureKind {
        let Some(code) = self.code() else {
            return match self {
                Self::Credentials(_) => FailureKind::Denied,
                _ if self.is_throttle() => FailureKind::Throttled,
                Self::Nonsense { status: 401 | 403, .. } => FailureKind::Denied,
                _ => FailureKind::Failed,
            };
        };
        if self.is_throttle() {
            FailureKind::Throttled
        } else if GONE.contains(&code) {
            FailureKind::Gone
        } else if DENIALS.contains(&code) || STALE_CREDENTIALS.contains(&code) || WRONG_CREDENTIALS.contains(&code) {
            FailureKind::Denied
        } else {
            FailureKind::Failed
        }
    }

    /// One sentence: what was tried (`action`, an IAM action), on what (`thing`), and what to do next.
    pub fn sentence(&self, action: &str, thing: &str) -> String {
        let tried = format!("{action} on {thing}");
        match self {
            Self::Service { code, message, status } => {
                let said = if message.is_empty() { code.clone() } else { format!("{code}: {}", one_line(message)) };
                if DENIALS.contains(&code.as_str()) {
                    format!("{tried} was denied; allow the action {action} to muster's role ({said})")
                } else if STALE_CREDENTIALS.contains(&code.as_str()) {
                    format!(
                        "{tried} was refused because the credentials have expired; renew them, for instance with \
                         `aws sso login` ({said})"
                    )
                } else if WRONG_CREDENTIALS.contains(&code.as_str()) {
                    format!(
                        "{tried} was refused because the credentials are not accepted here; check AWS_PROFILE, the \
                         keys, the region and the machine's clock ({said})"
                    )
                } else if self.is_throttle() {
                    format!("{tried} was throttled again and again; lower --max-api-rate or look less often ({said})")
                } else if GONE.contains(&code.as_str()) {
                    format!("{tried} found nothing: it does not exist in this account and region ({said})")
                } else if self.is_transient() {
                    format!(
                        "{tried} failed on AWS's side with status {status}; it is tried again at the next look ({said})"
                    )
                } else {
                    format!("{tried} failed with status {status} ({said})")
                }
            }
            Self::Nonsense { status, looks_like } => format!(
                "{tried} got status {status} and {looks_like} instead of an AWS answer; check the endpoint URL and any \
                 proxy in between"
            ),
            Self::TimedOut => format!(
                "{tried} got no answer in time; check the endpoint, the network and the VPC endpoints or proxy in between"
            ),
            Self::Unreachable(why) => {
                format!("{tried} could not connect: {why}; check the region, the endpoint URL, DNS and the network")
            }
            Self::Credentials(why) => format!(
                "{tried} could not be signed: {why}; set AWS_PROFILE, run `aws sso login`, or give the machine a role"
            ),
        }
    }

    /// As the engine wants it.
    pub fn failure(&self, scope: Scope<'static>, action: &str, thing: &str) -> LookFailure<'static> {
        LookFailure { scope, kind: self.kind(), message: self.sentence(action, thing).into() }
    }

    /// The same page was promised again: following it would never end, and stopping would pass a part for the whole.
    pub fn repeated_token() -> Self {
        Self::Nonsense { status: 200, looks_like: "the same page token again".to_owned() }
    }

    /// From a body that came with an error status, or that was no answer.
    pub fn from_body(status: u16, error_type: Option<&str>, body: &[u8]) -> Self {
        match ServiceError::parse(error_type, body) {
            Some(error) => Self::Service { code: error.code, message: error.message, status },
            None => Self::Nonsense { status, looks_like: looks_like(body) },
        }
    }

    /// From an SDK error of any operation.
    pub fn from_sdk<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match error {
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(failure) => {
                let why = chain(failure.as_connector_error().map(|error| error as &dyn std::error::Error));
                if failure.is_timeout() {
                    Self::TimedOut
                } else if why.contains("credential") || why.contains("no providers in chain") {
                    Self::Credentials(why)
                } else {
                    Self::Unreachable(why)
                }
            }
            SdkError::ConstructionFailure(_) => {
                let why = chain(error.source());
                if why.contains("redential") || why.contains("identity") {
                    Self::Credentials(why)
                } else {
                    Self::Unreachable(why)
                }
            }
            SdkError::ResponseError(failure) => Self::of_raw(failure.raw()),
            SdkError::ServiceError(failure) => {
                let status = failure.raw().status().as_u16();
                match failure.err().code() {
                    Some(code) => Self::Service {
                        code: wire::error::short_name(code).to_owned(),
                        message: failure.err().message().unwrap_or_default().to_owned(),
                        status,
                    },
                    None => Self::of_raw(failure.raw()),
                }
            }
            other => Self::Unreachable(chain(Some(other))),
        }
    }

    fn of_raw(raw: &HttpResponse) -> Self {
        let status: StatusCode = raw.status();
        let error_type = raw.headers().get("x-amzn-errortype");
        Self::from_body(status.as_u16(), error_type, raw.body().bytes().unwrap_or_default())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence("a call", "AWS"))
    }
}

/// The messages of an error and its causes, each once.
pub(crate) fn chain(error: Option<&dyn std::error::Error>) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut at = error;
    while let Some(error) = at {
        let text = one_line(&error.to_string());
        if !text.is_empty() && !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        at = error.source();
    }
    if said.is_empty() { "for a reason the network did not give".to_owned() } else { said.join(": ") }
}

/// Why there are no credentials, without what a `credential_process` printed: that may hold the very secret.
pub(crate) fn credential_words(error: &aws_credential_types::provider::error::CredentialsError) -> String {
    let whole = chain(Some(error));
    if whole.contains("process") {
        "the profile's credential_process gave none; run it by hand to see why".to_owned()
    } else {
        whole
    }
}

/// At most 300 characters without line breaks or control characters: what AWS or a proxy says is not to be trusted.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.trim().to_owned()
}

fn looks_like(body: &[u8]) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(64)]).trim_start().to_ascii_lowercase();
    if body.is_empty() {
        "an empty body".to_owned()
    } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
        "an HTML page".to_owned()
    } else {
        format!("{} bytes that are no AWS error", body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(code: &str, status: u16) -> Refusal {
        Refusal::Service { code: code.to_owned(), message: "words".to_owned(), status }
    }

    #[test]
    fn refusals_are_sorted_by_what_can_be_done_about_them() {
        assert_eq!(service("AccessDeniedException", 400).kind(), FailureKind::Denied);
        assert_eq!(service("UnauthorizedOperation", 403).kind(), FailureKind::Denied);
        assert_eq!(service("ExpiredTokenException", 400).kind(), FailureKind::Denied);
        assert_eq!(service("ThrottlingException", 400).kind(), FailureKind::Throttled);
        assert_eq!(service("ClusterNotFoundException", 400).kind(), FailureKind::Gone);
        assert_eq!(service("ServerException", 500).kind(), FailureKind::Failed);
        assert!(service("ServerException", 500).is_transient() && !service("ThrottlingException", 400).is_transient());
    }

    #[test]
    fn a_denial_names_the_action_and_an_html_page_is_called_one() {
        let denied = service("AccessDeniedException", 400).sentence("ecs:DescribeContainerInstances", "cluster prod");
        assert!(denied.contains("allow the action ecs:DescribeContainerInstances"), "{denied}");
        let html = Refusal::from_body(502, None, b"<html><body>Bad gateway</body></html>");
        assert!(html.sentence("ecs:ListClusters", "eu-west-1").contains("an HTML page"));
        assert!(html.is_transient());
    }

    #[test]
    fn only_a_clear_no_means_that_nothing_was_changed() {
        for unclear in [service("ServerException", 500), Refusal::TimedOut, Refusal::Unreachable("reset".into())] {
            assert!(unclear.is_unclear(), "{unclear:?}");
        }
        assert!(Refusal::from_body(200, None, b"<html>").is_unclear(), "a proxy may have answered after the fact");
        for clear in [service("AccessDeniedException", 400), service("ValidationError", 400)] {
            assert!(!clear.is_unclear(), "{clear:?}");
        }
        // EC2 says so with status 503.
        assert!(!service("RequestLimitExceeded", 503).is_unclear());
        assert!(!Refusal::Credentials("none".into()).is_unclear());
    }

    #[test]
    fn what_a_proxy_says_cannot_break_a_line() {
        let refusal = Refusal::Service { code: "X".into(), message: "a\n\u{1b}[31mb".into(), status: 400 };
        let sentence = refusal.sentence("ecs:ListClusters", "eu-west-1");
        assert!(!sentence.contains('\n') && !sentence.contains('\u{1b}'));
    }
}
