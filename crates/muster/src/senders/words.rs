//! Words fit for a receiver: cut on whole characters, and never without saying so.

use std::borrow::Cow;

use engine::ports::{Page, PageKind, Severity};

/// `text` on one line, at most so many characters; what is left out is said by an ellipsis.
pub fn line(text: &str, most: usize) -> String {
    let flat: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    cut(flat.trim(), most).into_owned()
}

/// At most so many characters; what is left out is said by an ellipsis.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().count() <= most {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    Cow::Owned(format!("{kept}…"))
}

/// At most so many bytes of UTF-8.
pub fn cut_bytes(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

/// `critical`, `warning` or `info`.
pub fn severity(page: &Page) -> &'static str {
    match page.severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// `[FIRING]`, `[UPDATE]`, `[RESOLVED]`.
pub fn mark(page: &Page) -> &'static str {
    match page.kind {
        PageKind::Firing => "[FIRING]",
        PageKind::Update => "[UPDATE]",
        PageKind::Resolved => "[RESOLVED]",
        PageKind::Heartbeat => "[HEARTBEAT]",
    }
}

/// The last segment of an ARN.
pub fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Names of the clusters, at most five.
pub fn clusters(page: &Page) -> String {
    let names: Vec<&str> = page.clusters.iter().take(5).map(|arn| last(arn)).collect();
    let more = page.clusters.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// The whole page as plain text.
pub fn plain(page: &Page) -> String {
    let mut text = format!("{} {}\n", mark(page), page.title);
    for line in &page.lines {
        text.push_str(&format!("\n- {line}"));
    }
    if !page.samples.is_empty() {
        text.push_str(&format!("\n\nHosts ({} of {}):", page.samples.len(), page.hosts));
        for host in &page.samples {
            let who = host.machine.as_deref().unwrap_or_else(|| last(&host.subject));
            let zone = host.zone.as_deref().map(|zone| format!(", {zone}")).unwrap_or_default();
            text.push_str(&format!("\n- {who} of {}{zone}: {}", last(&host.cluster), host.says));
        }
    }
    if !page.cases.is_empty() {
        let cases: Vec<String> = page.cases.iter().map(|case| case.to_string()).collect();
        text.push_str(&format!("\n\nCases: {} (muster case show N)", cases.join(", ")));
    }
    text.push_str(&format!("\nSince: {}\nKey: {}\n", page.since, page.key));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_cut_on_whole_characters_and_says_so() {
        assert_eq!(cut("häuser", 6), "häuser");
        assert_eq!(cut("häuser", 4), "häu…");
        assert_eq!(cut_bytes("ääää", 6), "ä…");
        assert_eq!(line("a\r\nb: c\x1b[31m", 100), "a  b: c [31m");
    }
}
