//! Secrets taken out of texts that come from hosts, before they reach the journal, a log or a person. Where in doubt,
//! too much is taken out.

use std::sync::LazyLock;

use regex_lite::Regex;

/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";

/// Patterns and what replaces a match. `$1` is what may stay.
const PATTERNS: [(&str, &str); 8] = [
    // A private key, whole or cut off at the end.
    (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)", "[hidden]"),
    // A header's value: to the end of the line, or of the quoted text.
    (r#"(?i)\b((?:proxy-)?authorization["']?\s*[:=]\s*["']?)[^\r\n"']+"#, "${1}[hidden]"),
    (r"(?i)\b(bearer|basic|aws4-hmac-sha256)\s+[A-Za-z0-9+/=._~-]{8,}[^\r\n]*", "$1 [hidden]"),
    // Names that hold secrets, with `=` or `:` after them, JSON included, and as options.
    (
        r#"(?i)([A-Za-z0-9_.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|signature|cookie)[A-Za-z0-9_.-]*["']?\s*(?:[:=]|\s--?\s)\s*)("[^"\r\n]*"|'[^'\r\n]*'|[^\s,;&"'}\]]+)"#,
        "${1}[hidden]",
    ),
    (r#"(?i)(--?(?:password|passwd|secret|token|api-key)\s+)[^\s-]\S*"#, "${1}[hidden]"),
    // Access key ids, JSON web tokens, and user and password in a URL.
    (
        r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?",
        "[hidden]",
    ),
    (r#"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@"']+@"#, "${1}[hidden]@"),
    // Webhooks: their path is the secret.
    (
        r#"(?i)(https?://(?:hooks\.slack\.com|[a-z0-9.-]*discord(?:app)?\.com|[a-z0-9.-]*webhook\.office\.com|[a-z0-9.-]*\.logic\.azure\.com|[a-z0-9.-]*\.api\.powerplatform\.com|[a-z0-9.-]*pagerduty\.com)(?::\d+)?/)[^\s"'<>]+"#,
        "${1}[hidden]",
    ),
];

static COMPILED: LazyLock<Option<Vec<(Regex, &'static str)>>> = LazyLock::new(|| {
    let compiled: Result<Vec<_>, _> =
        PATTERNS.iter().map(|(pattern, kept)| Regex::new(pattern).map(|regex| (regex, *kept))).collect();
    compiled.ok()
});

/// The text without secrets, and without control characters other than line breaks and tabs.
pub(crate) fn redact(text: &str) -> String {
    let Some(patterns) = COMPILED.as_ref() else { return HIDDEN.to_owned() };
    let plain = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { ' ' } else { c };
    let mut clean: String = text.replace("\r\n", "\n").chars().map(plain).collect();
    for (pattern, kept) in patterns {
        clean = pattern.replace_all(&clean, *kept).into_owned();
    }
    clean
}

/// At most so many bytes, the end of the text, with a word where something was cut off.
pub(crate) fn keep_end(text: &str, most_bytes: usize) -> String {
    if text.len() <= most_bytes {
        return text.to_owned();
    }
    let note = "[the beginning is cut off]\n";
    let mut from = text.len() - most_bytes.saturating_sub(note.len());
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("{note}{}", &text[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_of_secret_stays_and_the_words_around_it_do() {
        let canary = "CANARYc4n4ry0123456789";
        for text in [
            format!("level=info password={canary} host=a"),
            format!("level=info DB_PASSWORD=\"{canary} with words\" host=a"),
            format!("{{\"level\":\"info\",\"secretAccessKey\":\"{canary}\",\"host\":\"a\"}}"),
            format!("info aws_secret_access_key = {canary} host a"),
            format!("info Authorization: Bearer {canary}\nhost a"),
            format!("info 'authorization': 'Basic {canary}' host a"),
            format!("info GET /x?X-Amz-Security-Token={canary}&host=a"),
            format!("info GET /x?X-Amz-Signature={canary} host a"),
            format!("info login --password {canary} host a"),
            format!("info https://user:{canary}@registry.example.com/ host a"),
            format!("info https://hooks.slack.com/services/T0/B0/{canary} host a"),
            format!("info https://prod-1.westeurope.logic.azure.com:443/workflows/{canary}?sig=1 host a"),
            format!("info ECS_ENGINE_AUTH_DATA token: {canary} host a"),
            format!("info eyJhbGciOiJIUzI1NiJ9.{canary}.{canary} host a"),
            format!("info\n-----BEGIN RSA PRIVATE KEY-----\n{canary}\n-----END RSA PRIVATE KEY-----\nhost a"),
            format!("info host a\n-----BEGIN PRIVATE KEY-----\n{canary}"),
        ] {
            let clean = redact(&text);
            assert!(!clean.contains("c4n4ry"), "{text}\n{clean}");
            assert!(clean.contains("info") && clean.contains("host"), "{text}\n{clean}");
        }
        assert!(!redact("key AKIAIOSFODNN7EXAMPLE used").contains("AKIA"));
    }

    #[test]
    fn what_an_agent_usually_says_is_left_as_it_is() {
        let text = "level=error time=2026-10-02T08:15:31Z msg=\"Error connecting to ACS\" error=\"dial tcp: lookup \
                    ecs-a-1.eu-central-1.amazonaws.com: no such host\" module=acs_handler.go";
        assert_eq!(redact(text), text);
    }

    #[test]
    fn control_characters_become_blanks_and_the_end_of_a_long_text_is_kept() {
        assert_eq!(redact("a\u{1b}[31mb\r\nc"), "a [31mb\nc");
        let kept = keep_end(&format!("{}ende", "ü".repeat(20_000)), 16_384);
        assert!(kept.len() <= 16_384 && kept.ends_with("ende") && kept.starts_with("[the beginning"));
    }
}
