//! `pattern`: texts that are alike but for what changes from one to the next.
//!
//! A text is taken apart into words and what is between them. A word with a digit changes: a number, an address, an
//! identifier. Texts that are the same without those words have one template. In the end templates of equally many words,
//! of which most are the same, become one, and the words that differ are changing ones, too.

use std::{collections::HashMap, net::IpAddr};

use insights::{rules::Rules, value::Value};

use super::gather::Gather;

/// The most templates that are told apart; what comes later goes to the one that takes everything.
const TEMPLATES_MAX: usize = 5_000;

/// The longest piece of a text that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;

/// Of so many words in ten at least must be the same for two templates to become one.
const ALIKE_OF_TEN: usize = 6;

/// The names of what a pattern has.
pub(crate) const PATTERN: &str = "pattern";
/// The share of all texts.
pub(crate) const RATIO: &str = "ratio";
/// How many texts there were.
pub(crate) const COUNT: &str = "count";
/// How many there were in the time before.
pub(crate) const BEFORE: &str = "before";
/// How serious it sounds.
pub(crate) const SEVERITY: &str = "severity";

/// What changes is marked by this and the letter of its type; no text has it.
const MARK: char = '\u{1}';

/// How often a template was seen, now and in the time before.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    now: u64,
    before: u64,
}

/// Templates with how often they were seen.
#[derive(Debug)]
pub(super) struct Templates {
    rules: Rules,
    seen: HashMap<String, Seen, foldhash::fast::RandomState>,
    bytes: usize,
}

impl Templates {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, seen: HashMap::default(), bytes: 0 }
    }

    fn take(&mut self, template: String, seen: Seen) {
        let full = self.seen.len() >= TEMPLATES_MAX && !self.seen.contains_key(&template);
        let template = if full { format!("{MARK}T") } else { template };
        let bytes = template.len() + 64;
        let known = self.seen.entry(template).or_insert_with(|| {
            self.bytes += bytes;
            Seen::default()
        });
        known.now += seen.now;
        known.before += seen.before;
    }
}

/// The letter of the type of a word that changes; nothing for one that does not.
fn type_of(word: &str) -> Option<char> {
    if !word.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let groups: Vec<usize> = word.split('-').map(str::len).collect();
    let hexadecimal = word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    Some(if word.split_once('.').map_or_else(|| digits(word), |(whole, rest)| digits(whole) && digits(rest)) {
        'N'
    } else if word.parse::<IpAddr>().is_ok() {
        'I'
    } else if hexadecimal && groups == [8, 4, 4, 4, 12] {
        'U'
    } else if word.len() >= 8
        && (word.contains(':') || word.contains('-'))
        && word.bytes().all(|byte| byte.is_ascii_digit() || b":-.TZ+".contains(&byte))
    {
        'D'
    } else {
        'T'
    })
}

fn name_of(letter: char) -> &'static str {
    match letter {
        'N' => "Number",
        'I' => "IP",
        'U' => "UUID",
        'D' => "Date",
        _ => "Token",
    }
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || "_-.:@".contains(char)
}

/// The pieces of a text: words, and what is between them.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = is_word(first);
        let end = rest.find(|char| is_word(char) != word).unwrap_or(rest.len());
        // Signs at the end of a word belong to the sentence.
        let (piece, after) = rest.split_at(end);
        let bare = if word { piece.trim_end_matches(['.', ':', '-']) } else { piece };
        if bare.is_empty() || bare.len() == piece.len() {
            pieces.push(piece);
        } else {
            pieces.extend([bare, &piece[bare.len()..]]);
        }
        rest = after;
    }
    pieces
}

/// A text without what changes.
fn template(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut template = String::with_capacity(end);
    for piece in pieces(&text[..end]) {
        match type_of(piece) {
            Some(letter) => template.extend([MARK, letter]),
            None => template.push_str(&piece.replace(MARK, " ")),
        }
    }
    template
}

/// A template in pieces, with how often it was seen.
struct Cluster {
    pieces: Vec<String>,
    seen: Seen,
}

/// The pieces of a template; a mark and its letter are one.
fn template_pieces(template: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (number, part) in template.split(MARK).enumerate() {
        let plain = if number == 0 {
            part
        } else {
            let letter = part.chars().next().map_or(0, char::len_utf8);
            all.push(format!("{MARK}{}", &part[..letter]));
            &part[letter..]
        };
        all.extend(pieces(plain).into_iter().map(str::to_owned));
    }
    all
}

impl Cluster {
    /// Whether another one has the same number of words, the same between them, and most words the same.
    fn is_like(&self, other: &Self) -> bool {
        if self.pieces.len() != other.pieces.len() {
            return false;
        }
        let (mut words, mut same) = (0, 0);
        for (one, other) in self.pieces.iter().zip(&other.pieces) {
            let word = one.starts_with(|char| is_word(char) || char == MARK);
            if !word && one != other {
                return false;
            }
            if word {
                words += 1;
                same += usize::from(one == other);
            }
        }
        same * 10 >= words * ALIKE_OF_TEN
    }

    fn absorb(&mut self, other: &Self) {
        for (one, other) in self.pieces.iter_mut().zip(&other.pieces) {
            if one != other {
                *one = format!("{MARK}T");
            }
        }
        self.seen.now += other.seen.now;
        self.seen.before += other.seen.before;
    }

    fn printed(&self) -> String {
        let mut number = 0;
        let mut printed = String::new();
        for piece in &self.pieces {
            match piece.strip_prefix(MARK) {
                Some(letter) => {
                    number += 1;
                    let name = name_of(letter.chars().next().unwrap_or('T'));
                    printed.push_str(&format!("<{name}-{number}>"));
                }
                None => printed.push_str(piece),
            }
        }
        printed
    }
}

fn severity(pattern: &str) -> &'static str {
    let lower = pattern.to_lowercase();
    if lower.contains("error") {
        "ERROR"
    } else if lower.contains("warn") {
        "WARN"
    } else {
        "INFO"
    }
}

impl Gather for Templates {
    fn add(&mut self, values: &[Value]) {
        let Some(text) = values[0].text(&self.rules) else {
            return;
        };
        let before = values.get(1).is_some_and(Value::truth);
        self.take(template(&text), Seen { now: u64::from(!before), before: u64::from(before) });
    }

    fn state(&mut self) -> Value {
        let one = |(template, seen): (&String, &Seen)| {
            Value::List(vec![
                Value::from(template.as_str()),
                Value::Number(seen.now as f64),
                Value::Number(seen.before as f64),
            ])
        };
        Value::List(self.seen.iter().map(one).collect())
    }

    fn merge(&mut self, state: Value) {
        let Value::List(list) = state else {
            return;
        };
        for one in list {
            if let Value::List(one) = one
                && let [Value::Text(template), Value::Number(now), Value::Number(before)] = one.as_slice()
            {
                self.take(template.clone(), Seen { now: *now as u64, before: *before as u64 });
            }
        }
    }

    fn result(&mut self) -> Value {
        let mut templates: Vec<(&String, &Seen)> = self.seen.iter().collect();
        // The most frequent first; the rest in the order of the alphabet, so that the same texts give the same patterns.
        templates.sort_by(|one, other| {
            (other.1.now + other.1.before).cmp(&(one.1.now + one.1.before)).then_with(|| one.0.cmp(other.0))
        });
        let mut clusters: Vec<Cluster> = Vec::new();
        for (template, seen) in templates {
            let one = Cluster { pieces: template_pieces(template), seen: *seen };
            match clusters.iter_mut().find(|known| known.is_like(&one)) {
                Some(known) => known.absorb(&one),
                None => clusters.push(one),
            }
        }
        clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.seen.now));
        let total: u64 = clusters.iter().map(|cluster| cluster.seen.now).sum();
        let pattern = |cluster: &Cluster| {
            let printed = cluster.printed();
            let severity = severity(&printed);
            Value::Map(vec![
                (PATTERN.to_owned(), Value::Text(printed)),
                (RATIO.to_owned(), Value::of_number(cluster.seen.now as f64 / total as f64)),
                (COUNT.to_owned(), Value::Number(cluster.seen.now as f64)),
                (BEFORE.to_owned(), Value::Number(cluster.seen.before as f64)),
                (SEVERITY.to_owned(), Value::from(severity)),
            ])
        };
        Value::List(clusters.iter().map(pattern).collect())
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<(String, f64)> {
        let mut halves = [Templates::new(Rules::default()), Templates::new(Rules::default())];
        for (number, text) in texts.iter().enumerate() {
            halves[number % 2].add(&[Value::from(*text)]);
        }
        let [mut all, mut other] = halves;
        all.merge(other.state());
        let Value::List(list) = all.result() else {
            unreachable!("it is a list");
        };
        let one = |it: &Value, name: &str| it.inside(&insights::ast::Part::Name(name.into()), 0).clone();
        list.iter()
            .map(|it| {
                (one(it, PATTERN).print(&Rules::default()).unwrap_or_default(), one(it, COUNT).number().unwrap_or(0.0))
            })
            .collect()
    }

    #[test]
    fn what_changes_becomes_a_numbered_token() {
        let found = patterns(&["[INFO] took 3 ms", "[INFO] took 17 ms", "[INFO] took 250 ms", "[INFO] took 9 ms"]);
        assert_eq!(found, [("[INFO] took <Number-1> ms".to_owned(), 4.0)]);
    }

    #[test]
    fn texts_that_differ_in_few_words_are_one_pattern() {
        let found = patterns(&[
            "user ann opened door 5 of the house.",
            "user bob opened door 7 of the house.",
            "nothing else happened",
        ]);
        assert_eq!(
            found,
            [
                ("user <Token-1> opened door <Number-2> of the house.".to_owned(), 2.0),
                ("nothing else happened".to_owned(), 1.0)
            ]
        );
    }

    #[test]
    fn odd_texts_have_patterns_too() {
        for text in ["", "\u{1}", "é7é", "...", "1", &"x1 ".repeat(5_000), "\u{1}N\u{1}"] {
            assert_eq!(patterns(&[text, text]).iter().map(|it| it.1).sum::<f64>(), 2.0, "{text:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_the_number_of_templates() {
        let letters = |mut number: usize| {
            let mut word = String::new();
            while number > 0 {
                word.push((b'a' + (number % 26) as u8) as char);
                number /= 26;
            }
            word
        };
        let mut templates = Templates::new(Rules::default());
        for number in 0..TEMPLATES_MAX * 2 {
            templates.add(&[Value::Text(letters(number))]);
        }
        assert!(templates.seen.len() <= TEMPLATES_MAX + 1);
    }
}
