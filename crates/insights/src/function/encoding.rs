//! Functions of encodings and hashes.

use md5::Md5;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::value::Value;

use super::{
    Argument::{Number, Text},
    Function, Kind, of_text, scalar, text_of,
};

pub(super) const FUNCTIONS: &[Function] = &[
    scalar("urlencode", &[Text], 1, 1, Kind::Text, |it, context| {
        of_text(it, context, |text| Some(utf8_percent_encode(text, URL).to_string()))
    }),
    scalar("urldecode", &[Text], 1, 1, Kind::Text, |it, context| {
        of_text(it, context, |text| Some(percent_decode_str(text).decode_utf8_lossy().into_owned()))
    }),
    scalar("base64encode", &[Text], 1, 1, Kind::Text, |it, context| {
        of_text(it, context, |text| Some(base64_of(text.as_bytes())))
    }),
    scalar("base64decode", &[Text], 1, 1, Kind::Text, |it, context| {
        of_text(it, context, |text| Some(String::from_utf8_lossy(&bytes_of_base64(text)?).into_owned()))
    }),
    scalar("hexToAscii", &[Text], 1, 1, Kind::Text, |it, context| {
        of_text(it, context, |text| Some(String::from_utf8_lossy(&bytes_of_hex(without_prefix(text))?).into_owned()))
    }),
    scalar("hexToDec", &[Text], 1, 1, Kind::Number, |it, context| {
        let number = text_of(it, 0, context).and_then(|text| {
            let unsigned = text.strip_prefix('-').unwrap_or(&text);
            let digits = without_prefix(unsigned);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u64::from_str_radix(digits, 16).ok().filter(|_| plain)? as f64;
            Some(if unsigned.len() < text.len() { -number } else { number })
        });
        Value::of_maybe(number)
    }),
    scalar("decToHex", &[Number], 1, 1, Kind::Text, |it, _| match it[0].integer() {
        Some(number) => Value::Text(format!("{}0x{:x}", if number < 0 { "-" } else { "" }, number.unsigned_abs())),
        None => Value::Null,
    }),
    scalar("md5", &[Text], 1, 1, Kind::Text, |it, context| {
        of_text(it, context, |text| Some(hex_of(&Md5::digest(text))))
    }),
    scalar("sha256", &[Text], 1, 1, Kind::Text, |it, context| {
        of_text(it, context, |text| Some(hex_of(&Sha256::digest(text))))
    }),
];

/// What RFC 3986 calls unreserved stays as it is.
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn without_prefix(text: &str) -> &str {
    text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text)
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|char| char.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn base64_of(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().enumerate().fold(0_u32, |group, (at, byte)| group | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            let sextet = (group >> (18 - 6 * at)) & 63;
            encoded.push(if at <= chunk.len() { char::from(BASE64[sextet as usize]) } else { '=' });
        }
    }
    encoded
}

/// The bytes of a base64 text, with or without its padding; nothing if it is none.
fn bytes_of_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut group, mut bits) = (0_u32, 0);
    for byte in digits.bytes() {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        group = (group << 6) | u32::from(sextet);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_there_and_back() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("é🙂", "w6nwn5mC")] {
            assert_eq!(base64_of(text.as_bytes()), encoded);
            assert_eq!(bytes_of_base64(encoded).unwrap(), text.as_bytes());
            assert_eq!(bytes_of_base64(encoded.trim_end_matches('=')).unwrap(), text.as_bytes());
        }
        for odd in ["a", "a===", "!!", "Zg=x"] {
            assert_eq!(bytes_of_base64(odd), None, "{odd}");
        }
    }
}
