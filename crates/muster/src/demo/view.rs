//! The picture: the fleet, the one case that matters, and what was just said. Drawn anew in place, or not at all.

use std::io::{self, Write};

use fleet::{
    journal::{Stage, Trouble},
    remedy::Decision,
    verdict::Verdict,
    view::{CaseView, ClusterView, RollCall},
};
use jiff::Timestamp;
use owo_colors::{OwoColorize as _, Style};

use super::story::Story;
use crate::render::{self, colour, escape, moment, roll_call};

/// Tasks listed by name; the rest are counted.
const TASKS_SHOWN: usize = 2;

/// Everything that a picture shows.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Now, in the story.
    pub now: Timestamp,
    /// Seconds of the story in one real second.
    pub speed: f64,
    /// The roll.
    pub roll: &'a RollCall,
    /// Open cases.
    pub cases: &'a [CaseView],
    /// Events read so far.
    pub events: u64,
    /// What was heard and said.
    pub story: &'a Story,
}

/// Text in one style after another, on one line.
#[derive(Clone, Debug, Default)]
pub struct Line(Vec<(String, Style)>);

impl Line {
    fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self::default().and(text, style)
    }

    fn and(mut self, text: impl AsRef<str>, style: Style) -> Self {
        self.0.push((escape::clean(text.as_ref()).into_owned(), style));
        self
    }

    /// Writes at most `width` characters, because a line that wraps would spoil the picture above it.
    fn write(&self, out: &mut dyn Write, width: usize) -> io::Result<()> {
        let mut left = width;
        for (text, style) in &self.0 {
            let shown: String = text.chars().take(left).collect();
            left -= shown.chars().count();
            write!(out, "{}", shown.style(*style))?;
        }
        Ok(())
    }
}

/// The picture, at most `height` lines of `width` characters. What was said takes the room that is left.
pub fn picture(scene: &Scene<'_>, width: usize, height: usize) -> Vec<Line> {
    let plain = Style::new();
    let mut lines = vec![
        Line::new("muster", colour::heading())
            .and("  a pretend fleet, no AWS account needed", plain)
            .and(format!("   {}   {}x real time", moment::clock(scene.now, scene.now), scene.speed), colour::quiet()),
        Line::default(),
    ];
    for cluster in &scene.roll.clusters {
        lines.extend(hosts(cluster, width));
    }
    lines.push(
        Line::new("          ", plain)
            .and("● answers  ", colour::of(Verdict::Present))
            .and("○ away, muster waits  ", colour::of(Verdict::Suspected))
            .and("✗ in trouble", colour::of(Verdict::AgentLost)),
    );
    lines.push(Line::default());
    let open = scene.cases.iter().filter(|case| is_trouble(case)).count();
    let mut counts = Line::new(format!("{} events read   ", scene.events), plain)
        .and(format!("{} routine reconnects", scene.story.routine()), colour::of(Verdict::Present))
        .and(", none of which raised anything   ", plain);
    counts = match open {
        0 => counts.and("no trouble", colour::of(Verdict::Present)),
        1 => counts.and("1 case", colour::alarm()),
        many => counts.and(format!("{many} cases"), colour::alarm()),
    };
    lines.push(counts);
    for shown in scene.cases.iter().filter(|case| is_trouble(case)).take(2) {
        lines.push(Line::default());
        lines.extend(case(shown, scene.roll, scene.now, width));
    }
    lines.push(Line::default());
    lines.push(Line::new("what happened", colour::heading()));
    lines.truncate(height);
    let room = height - lines.len();
    let said: Vec<Line> = scene
        .story
        .said()
        .rev()
        .take(room)
        .flat_map(|sentence| {
            let time = moment::clock(sentence.at, scene.now);
            let mut wrapped = wrap(&sentence.text, width.saturating_sub(12));
            wrapped.reverse();
            let top = wrapped.len() - 1;
            wrapped.into_iter().enumerate().map(move |(index, text)| {
                let margin = if index == top { format!("  {time} ") } else { " ".repeat(12) };
                Line::new(margin, colour::quiet()).and(text, sentence.style)
            })
        })
        .take(room)
        .collect();
    lines.extend(said.into_iter().rev());
    lines
}

/// A cluster's name and one mark for each host, as many lines as it takes.
fn hosts(cluster: &ClusterView, width: usize) -> Vec<Line> {
    const CELL: usize = 11;
    const MARGIN: usize = 10;
    let name = cluster.arn.rsplit('/').next().unwrap_or_default();
    let a_line = (width.saturating_sub(MARGIN) / CELL).clamp(1, 8);
    let mut lines = Vec::new();
    for (index, row) in cluster.hosts.chunks(a_line).enumerate() {
        let margin = if index == 0 { format!("{name:<MARGIN$}") } else { " ".repeat(MARGIN) };
        lines.push(row.iter().fold(Line::new(margin, colour::heading()), |line, host| {
            let (machine, _) = roll_call::names(host);
            let start = machine.len().saturating_sub(6);
            let short = machine.get(start..).unwrap_or(machine);
            line.and(format!("{} ", mark(host.verdict)), colour::of(host.verdict)).and(
                format!("..{short} "),
                if host.verdict.answers() { colour::quiet() } else { colour::of(host.verdict) },
            )
        }));
    }
    lines
}

/// An agent that has just left is no trouble yet: nearly all of them come back.
fn is_trouble(case: &CaseView) -> bool {
    case.trouble != Trouble::AgentAway || case.stage != Stage::Suspected
}

fn mark(verdict: Verdict) -> char {
    match verdict {
        Verdict::Present => '●',
        Verdict::Draining | Verdict::Changing | Verdict::Flapping => '◐',
        Verdict::Suspected | Verdict::Unknown | Verdict::Doubt => '○',
        _ => '✗',
    }
}

/// The case: who, why, by whose word, what hangs on it, and what muster would do.
fn case(case: &CaseView, roll: &RollCall, now: Timestamp, width: usize) -> Vec<Line> {
    let who = case.ec2_instance_id.as_deref().unwrap_or_else(|| case.subject.rsplit('/').next().unwrap_or_default());
    let cluster = case.cluster.rsplit('/').next().unwrap_or_default();
    let mut lines = vec![
        Line::new(format!("case {}  ", case.case), colour::heading())
            .and(case.verdict.word(), colour::of(case.verdict))
            .and(format!("  {who} in {cluster}, for {}", moment::age(case.since, now)), Style::new()),
    ];
    let mut entry = |name: &str, text: &str, style: Style| {
        for (index, part) in wrap(text, width.saturating_sub(14)).into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            lines.push(Line::new(format!("  {name:<11} "), colour::quiet()).and(part, style));
        }
    };
    entry("because", &case.reasons.join("; "), Style::new());
    let host = roll.clusters.iter().flat_map(|cluster| &cluster.hosts).find(|host| host.case == Some(case.case));
    for testimony in host.into_iter().flat_map(|host| &host.witnesses) {
        let text = format!("{}: {}", roll_call::word(&testimony.witness), testimony.says);
        entry("witness", &text, if testimony.against { colour::of(Verdict::Suspected) } else { colour::quiet() });
    }
    if !case.zombie_tasks.is_empty() {
        let names: Vec<&str> =
            case.zombie_tasks.iter().take(TASKS_SHOWN).map(|arn| arn.rsplit('/').next().unwrap_or(arn)).collect();
        let more = case.zombie_tasks.len().saturating_sub(TASKS_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let text = format!("{}{more}: ECS counts them as running, nobody can vouch for them", names.join(", "));
        entry("zombies", &text, colour::alarm());
    }
    if let Some(work) = &case.under_way {
        let since = moment::age(work.since, now);
        let text = format!("{} (for {since}, now: {})", work.remedy.words(), render::case::step(&work.step));
        entry("doing", &text, colour::remedy());
        return lines;
    }
    match &case.decision {
        Some(Decision::Would { remedy, because }) => {
            entry("would", &format!("{} (dry run)", remedy.words()), colour::remedy());
            entry("", &because.join("; "), Style::new());
        }
        Some(Decision::Ask { remedy, because }) => {
            entry("asks to", remedy.words(), colour::remedy());
            entry("", &because.join("; "), Style::new());
        }
        Some(Decision::Will { remedy, because }) => {
            entry("will", remedy.words(), colour::remedy());
            entry("", &because.join("; "), Style::new());
        }
        Some(Decision::Hold { because }) => {
            entry("would", &format!("do nothing: {}", because.join("; ")), colour::remedy())
        }
        None => {
            let when =
                case.until.map_or(String::new(), |until| format!(", in {} at the latest", moment::age(now, until)));
            entry("next", &format!("muster decides what it would do{when}"), colour::quiet());
        }
    }
    lines
}

/// Breaks text between words into lines of at most `width` characters; never gives none.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(20);
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split_whitespace() {
        let long = word.chars().count();
        if length > 0 && length + 1 + long > width {
            lines.push(String::new());
            length = 0;
        }
        if let Some(line) = lines.last_mut() {
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += long;
        }
    }
    lines
}

/// A place on the terminal where pictures replace each other. The cursor is hidden meanwhile and comes back when this is
/// dropped, however the program ends.
pub struct Canvas<W: Write> {
    out: W,
    coloured: bool,
    drawn: usize,
}

impl<W: Write> std::fmt::Debug for Canvas<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canvas").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

impl<W: Write> Canvas<W> {
    /// Begins below the cursor. `out` must be a terminal; without `coloured` only the cursor is steered.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W, coloured: bool) -> io::Result<Self> {
        write!(out, "\u{1b}[?25l")?;
        Ok(Self { out, coloured, drawn: 0 })
    }

    /// Replaces the picture, in one write so that nothing flickers.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn draw(&mut self, lines: &[Line], width: usize) -> io::Result<()> {
        let mut bytes = Vec::new();
        if self.drawn > 0 {
            write!(bytes, "\u{1b}[{}A\r", self.drawn)?;
        }
        for line in lines {
            if self.coloured {
                line.write(&mut bytes, width)?;
            } else {
                line.write(&mut anstream::StripStream::new(&mut bytes), width)?;
            }
            bytes.extend_from_slice(b"\x1b[K\r\n");
        }
        bytes.extend_from_slice(b"\x1b[J");
        self.out.write_all(&bytes)?;
        self.out.flush()?;
        self.drawn = lines.len();
        Ok(())
    }
}

impl<W: Write> Drop for Canvas<W> {
    fn drop(&mut self) {
        // A terminal that is gone needs no cursor.
        let _ = write!(self.out, "\u{1b}[?25h");
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_replaces_the_one_before_and_gives_the_cursor_back() {
        let mut bytes = Vec::new();
        let mut canvas = Canvas::new(&mut bytes, false).unwrap();
        canvas.draw(&[Line::new("one", Style::new()), Line::new("two", Style::new())], 80).unwrap();
        canvas.draw(&[Line::new("three", Style::new())], 80).unwrap();
        drop(canvas);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("\u{1b}[?25l") && text.ends_with("\u{1b}[?25h"), "{text:?}");
        assert!(text.contains("\u{1b}[2A\rthree"), "{text:?}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let line = Line::new("12345", Style::new()).and("67890", Style::new().red());
        let mut bytes = Vec::new();
        line.write(&mut anstream::StripStream::new(&mut bytes), 7).unwrap();
        assert_eq!(bytes, b"1234567");
    }

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        assert_eq!(wrap("one two three four five", 20), ["one two three four", "five"]);
        assert_eq!(wrap("", 20), [""]);
    }
}
