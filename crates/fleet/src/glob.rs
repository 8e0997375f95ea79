//! Globs over names: `*` stands for any characters, none included, `?` for one; everything else for itself.

/// Whether `text` is of the form `glob`.
pub fn fits(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where to go back to: after the last star, one more character of the text given to it.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at + 1, seen));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    at = after;
                    seen = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|&left| left == '*')
}

/// Whether `text` is of one of the forms; no form at all asks nothing.
pub fn fits_any<S: AsRef<str>>(globs: &[S], text: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| fits(glob.as_ref(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_what_they_should() {
        for (glob, text) in
            [("*", ""), ("prod-*", "prod-"), ("a*c*e", "abcde"), ("?x", "äx"), ("*a*a", "aaa"), ("", "")]
        {
            assert!(fits(glob, text), "{glob} {text}");
        }
        for (glob, text) in [("prod-*", "prod"), ("?", ""), ("a*b", "abc"), ("prod", "Prod"), ("", "x")] {
            assert!(!fits(glob, text), "{glob} {text}");
        }
    }

    #[test]
    fn no_globs_ask_nothing() {
        assert!(fits_any::<&str>(&[], "anything"));
        assert!(fits_any(&["a", "b*"], "bb") && !fits_any(&["a"], "b"));
    }
}
