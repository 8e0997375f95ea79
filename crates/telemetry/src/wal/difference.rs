//! A message as what it differs in from an earlier one.
//!
//! Records of one writer differ in a few values, so the log is some fifth of the text, and so is what writing it costs. Both texts
//! are gone through side by side: what is alike is copied, what is not is taken over up to the next comma, where both go on.

/// From so many bytes of a beginning on it does not matter how much more of it is alike.
const BEGINNING_BYTES: usize = 96;
/// A message is compared with the beginnings of so many before it.
pub(crate) const EARLIER_MAX: usize = 4;

/// How many bytes two texts have in common at their beginning.
#[inline]
fn begin_alike(a: &[u8], b: &[u8]) -> usize {
    let length = a.len().min(b.len());
    let mut at = 0;
    while let (Some(Ok(left)), Some(Ok(right))) =
        (a.get(at..at + 8).map(<[u8; 8]>::try_from), b.get(at..at + 8).map(<[u8; 8]>::try_from))
    {
        let different = u64::from_le_bytes(left) ^ u64::from_le_bytes(right);
        if different != 0 {
            return at + (different.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < length && a[at] == b[at] {
        at += 1;
    }
    at
}

/// How far it is to the next comma, or to the end.
#[inline]
fn to_comma(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut at = 0;
    // Eight bytes at a time: a byte that is a comma becomes zero, and only below a zero does taking one away borrow.
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let zero = u64::from_le_bytes(eight) ^ (ONES * u64::from(b','));
        let found = zero.wrapping_sub(ONES) & !zero & (ONES << 7);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + bytes[at..].iter().position(|byte| *byte == b',').unwrap_or(bytes.len() - at)
}

/// Which of the messages before it a message is most like: 1 is the last. Nothing, if none begins as it does.
pub(crate) fn most_like<'a>(message: &str, before: impl Iterator<Item = &'a str>) -> Option<usize> {
    let beginning = |text: &'a str| &text.as_bytes()[..text.len().min(BEGINNING_BYTES)];
    let mut best = (0, 0);
    for (back, earlier) in (1..).zip(before.take(EARLIER_MAX)) {
        let alike = begin_alike(message.as_bytes(), beginning(earlier));
        if alike > best.0 {
            best = (alike, back);
        }
    }
    (best.0 >= 8).then_some(best.1)
}

pub(crate) fn push_number(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number; nothing if there is none or it is longer than a batch.
pub(crate) fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Appends what turns `old` into `new`.
pub(crate) fn push(new: &str, old: &str, out: &mut Vec<u8>) {
    let (new, old) = (new.as_bytes(), old.as_bytes());
    let (mut at, mut from) = (0, 0);
    while at < new.len() {
        let alike = begin_alike(&new[at..], &old[from..]);
        at += alike;
        from += alike;
        let (taken, left_out) = (to_comma(&new[at..]), to_comma(&old[from..]));
        push_number(alike, out);
        push_number(taken, out);
        out.extend_from_slice(&new[at..at + taken]);
        push_number(left_out, out);
        at += taken;
        from += left_out;
        if alike == 0 && taken == 0 && left_out == 0 {
            // At a comma, and the old text is used up: what is left is taken as it is.
            push_number(0, out);
            push_number(new.len() - at, out);
            out.extend_from_slice(&new[at..]);
            push_number(0, out);
            return;
        }
    }
}

/// Reads a message of so many bytes that was written as its difference from `old`.
pub(crate) fn take(bytes: &mut &[u8], length: usize, old: &[u8]) -> Option<Vec<u8>> {
    let mut new = Vec::with_capacity(length.min(old.len() + bytes.len()));
    let mut from = 0_usize;
    while new.len() < length {
        let alike = take_number(bytes)?;
        new.extend_from_slice(old.get(from..from.checked_add(alike)?)?);
        from += alike;
        let taken = take_number(bytes)?;
        let (literal, rest) = bytes.split_at_checked(taken)?;
        new.extend_from_slice(literal);
        *bytes = rest;
        from = from.checked_add(take_number(bytes)?)?;
        if from > old.len() {
            return None;
        }
    }
    (new.len() == length).then_some(new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(new: &str, old: &str) -> usize {
        let mut bytes = Vec::new();
        push(new, old, &mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(take(&mut rest, new.len(), old.as_bytes()).as_deref(), Some(new.as_bytes()), "{new:?} from {old:?}");
        assert!(rest.is_empty());
        bytes.len()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_comes_back_from_any_other(new in "[a-c,é]{0,40}", old in "[a-c,é]{0,40}") {
            there_and_back(&new, &old);
        }

        #[test]
        fn damaged_bytes_give_nothing_or_a_text_of_that_length(
            bytes in prop::collection::vec(any::<u8>(), 0..60), length in 0_usize..80, old in "[a-c,]{0,40}",
        ) {
            let new = take(&mut bytes.as_slice(), length, old.as_bytes());
            prop_assert!(new.is_none_or(|it| it.len() == length));
        }
    }

    #[test]
    fn records_of_one_writer_differ_in_little() {
        let record = |cpu: f64, id: &str| {
            format!(r#"{{"Version":"0","Type":"Task","TaskId":"{id}","CpuUtilized":{cpu},"CpuReserved":256.0}}"#)
        };
        assert!(there_and_back(&record(1.25, "a7"), &record(61.5, "b9")) < 20);
        assert_eq!(there_and_back("", "x"), 0);
    }

    #[test]
    fn the_message_that_begins_most_alike_is_found() {
        let before = ["container one", "task 2 of them", "container two"];
        assert_eq!(most_like("task 2 of us", before.into_iter()), Some(2));
        assert_eq!(most_like("nothing", before.into_iter()), None);
    }

    #[test]
    fn the_next_comma_is_found_wherever_it_stands() {
        for length in 0..40 {
            for comma in 0..=length {
                let mut text = vec![b'-'; length];
                text.iter_mut().skip(comma).step_by(3).for_each(|byte| *byte = b',');
                assert_eq!(to_comma(&text), comma.min(length), "{length} {comma}");
            }
        }
        assert_eq!(to_comma("é, \u{2c2c}".as_bytes()), 2);
    }

    #[test]
    fn numbers_read_as_they_were_written() {
        for number in [0, 1, 127, 128, 300, 1 << 20, (1 << 35) - 1] {
            let mut bytes = Vec::new();
            push_number(number, &mut bytes);
            assert_eq!(take_number(&mut bytes.as_slice()), Some(number));
        }
        assert_eq!(take_number(&mut [0xff; 9].as_slice()), None);
    }
}
