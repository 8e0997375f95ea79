//! Words fit for a receiver: cut on whole characters, and never without saying so.

use std::borrow::Cow;

use engine::ports::{Page, PageHost, PageKind, Severity};

use crate::render::escape;

/// `text` on one line: names and reasons come from outside, and must not write lines of their own, steer a terminal or turn
/// the direction of writing.
pub fn flat(text: &str) -> Cow<'_, str> {
    if text.contains(escape::steers) { Cow::Owned(text.replace(escape::steers, " ")) } else { Cow::Borrowed(text) }
}

/// `text` on one line, at most so many characters; what is left out is said by an ellipsis.
pub fn line(text: &str, most: usize) -> String {
    cut(flat(text).trim(), most).into_owned()
}

/// At most so many characters; what is left out is said by an ellipsis.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().count() <= most {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    Cow::Owned(format!("{kept}…"))
}

/// What is left out of a message that is cut by its bytes is said so.
const CUT: &str = "\n… (the rest is cut)";

/// At most so many bytes of UTF-8.
pub fn cut_bytes(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let mut end = most.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}{CUT}", text.get(..end).unwrap_or_default()))
}

/// `text` with each character written by `escape`, at most so many characters afterwards. No escape is cut in the middle.
pub fn escaped_within(text: &str, most: usize, escape: impl Fn(char) -> Option<&'static str>) -> String {
    let width = |letter: char| escape(letter).map_or(1, |written| written.chars().count());
    let whole = text.chars().map(width).sum::<usize>() <= most;
    let room = if whole { most } else { most.saturating_sub(1) };
    let (mut written, mut used) = (String::with_capacity(text.len()), 0);
    for letter in text.chars() {
        used += width(letter);
        if used > room {
            break;
        }
        match escape(letter) {
            Some(escaped) => written.push_str(escaped),
            None => written.push(letter),
        }
    }
    if !whole {
        written.push('…');
    }
    written
}

/// Lines that fit into so many characters together, line breaks included; how many are left out is said in the last.
pub fn lines_within(lines: &[String], most: usize) -> String {
    let whole: usize = lines.iter().map(|line| line.chars().count() + 1).sum();
    // Room for the line that says what is left out.
    let room = if whole <= most { most } else { most.saturating_sub(40) };
    let (mut text, mut used) = (String::new(), 0);
    for (index, line) in lines.iter().enumerate() {
        used += line.chars().count() + 1;
        if used > room {
            text.push_str(&format!("… and {} more lines, left out here", lines.len() - index));
            break;
        }
        text.push_str(line);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// `critical`, `warning` or `info`.
pub fn severity(page: &Page) -> &'static str {
    match page.severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// `firing`, `update`, `resolved` or `heartbeat`.
pub fn kind(page: &Page) -> &'static str {
    match page.kind {
        PageKind::Firing => "firing",
        PageKind::Update => "update",
        PageKind::Resolved => "resolved",
        PageKind::Heartbeat => "heartbeat",
    }
}

/// `[FIRING]`, `[UPDATE]`, `[RESOLVED]` or `[HEARTBEAT]`, and the page's one sentence.
pub fn title(page: &Page) -> String {
    format!("[{}] {}", kind(page).to_uppercase(), page.title)
}

/// The last segment of an ARN.
pub fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The machine's id, or the container instance's where the machine is not known.
pub fn who(host: &PageHost) -> &str {
    host.machine.as_deref().unwrap_or_else(|| last(&host.subject))
}

/// The hosts that no line of the page names already.
pub fn unnamed(page: &Page) -> impl Iterator<Item = &PageHost> {
    page.samples.iter().filter(|host| !page.lines.iter().any(|line| line.contains(who(host))))
}

/// How many of the hosts are named nowhere in the page.
pub fn beyond_samples(page: &Page) -> usize {
    usize::try_from(page.hosts).unwrap_or(usize::MAX).saturating_sub(page.samples.len())
}

/// Names of the clusters, at most five.
pub fn clusters(page: &Page) -> String {
    let names: Vec<&str> = page.clusters.iter().take(5).map(|arn| last(arn)).collect();
    let more = page.clusters.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// One host in one line.
pub fn host(host: &PageHost) -> String {
    let zone = host.zone.as_deref().map(|zone| format!(", {zone}")).unwrap_or_default();
    format!("{} of {}{zone}: {}", who(host), last(&host.cluster), host.says)
}

/// The whole page as plain text.
pub fn plain(page: &Page) -> String {
    let mut text = format!("{}\n", flat(&title(page)));
    for line in &page.lines {
        text.push_str(&format!("\n- {}", flat(line)));
    }
    let hosts: Vec<String> = unnamed(page).map(host).collect();
    if !hosts.is_empty() {
        text.push_str(&format!("\n\nHosts ({} of {}):", page.samples.len(), page.hosts));
        for host in hosts {
            text.push_str(&format!("\n- {}", flat(&host)));
        }
    }
    if !page.cases.is_empty() {
        let cases: Vec<String> = page.cases.iter().map(ToString::to_string).collect();
        text.push_str(&format!("\n\nCases: {} (muster case show N)", cases.join(", ")));
    }
    text.push_str(&format!("\n\nSince: {}\nKey: {}\n", page.since, flat(&page.key)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_cut_on_whole_characters_and_says_so() {
        assert_eq!(cut("häuser", 6), "häuser");
        assert_eq!(cut("häuser", 4), "häu…");
        assert_eq!(line("a\r\nb: c\x1b[31m", 100), "a  b: c [31m");
        assert_eq!(line("a\u{202e}b\u{9b}c\u{2028}d\0", 100), "a b c d");
        for most in 30..60 {
            let text = "ä".repeat(40);
            let kept = cut_bytes(&text, most);
            assert!(kept.len() <= most && kept.ends_with("(the rest is cut)"), "{most}: {kept}");
        }
        assert_eq!(cut_bytes("ää", 4), "ää");
    }

    #[test]
    fn an_escape_is_never_cut_in_the_middle() {
        let escape = |letter| (letter == '&').then_some("&amp;");
        assert_eq!(escaped_within("a&b", 7, escape), "a&amp;b");
        assert_eq!(escaped_within("a&b", 6, escape), "a…");
        for most in 1..40 {
            let text = escaped_within("&&&&&&&&", most, escape);
            assert!(text.chars().count() <= most, "{text}");
            assert_eq!(text.trim_end_matches('…').replace("&amp;", ""), "", "{text}");
        }
    }

    #[test]
    fn lines_that_do_not_fit_are_counted() {
        let lines: Vec<String> = (0..100).map(|number| format!("line {number}")).collect();
        assert_eq!(lines_within(&lines[..2], 100), "line 0\nline 1");
        let some = lines_within(&lines, 200);
        assert!(some.chars().count() <= 200, "{some}");
        let kept = some.lines().count() - 1;
        assert!(some.ends_with(&format!("… and {} more lines, left out here", 100 - kept)), "{some}");
    }
}
