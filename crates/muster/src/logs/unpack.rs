//! Bodies that are packed, as Content-Encoding says: gzip, which log shippers use, and zstd.

use std::io::{self, Read};

use axum::{
    body::Bytes,
    http::{HeaderMap, header},
};

use super::error::ApiError;

/// The largest window that a zstd stream may ask for, as a power of two: 16 MiB.
const WINDOW_LOG_MAX: u32 = 24;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Not at all.
    Plain,
    Gzip,
    Zstd,
}

impl Encoding {
    /// As the headers say.
    ///
    /// # Errors
    /// For another way of packing, or several at once.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut found = Self::Plain;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            for word in value.to_str().unwrap_or("?").split(',') {
                let this = match word.trim().to_ascii_lowercase().as_str() {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => Self::Gzip,
                    "zstd" => Self::Zstd,
                    other => return Err(refused(other)),
                };
                if found != Self::Plain {
                    return Err(refused("more than one"));
                }
                found = this;
            }
        }
        Ok(found)
    }

    /// The body as it was before it was packed.
    ///
    /// # Errors
    /// When it is not packed so, or has more bytes than `bytes_max`.
    pub(super) fn unpack(self, body: Bytes, bytes_max: usize) -> Result<Bytes, ApiError> {
        let (read, word) = match self {
            Self::Plain => return Ok(body),
            Self::Gzip => (limited(flate2::read::MultiGzDecoder::new(&body[..]), bytes_max), "gzip"),
            Self::Zstd => (zstd_decoder(&body).and_then(|decoder| limited(decoder, bytes_max)), "zstd"),
        };
        match read {
            Ok(plain) if plain.len() > bytes_max => Err(ApiError::too_large(format!(
                "the body has more than {bytes_max} bytes when it is unpacked: send smaller batches"
            ))),
            Ok(plain) => Ok(plain.into()),
            Err(error) => Err(ApiError::of("SerializationException", format!("the body is no {word}: {error}"))),
        }
    }
}

fn zstd_decoder(body: &[u8]) -> io::Result<impl Read + '_> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    Ok(decoder)
}

/// All of it, or one byte more than may be.
fn limited(packed: impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    packed.take(bytes_max as u64 + 1).read_to_end(&mut plain)?;
    Ok(plain)
}

fn refused(word: &str) -> ApiError {
    let why = format!("Content-Encoding: {word} is not read here; gzip and zstd are, and bodies that are not packed");
    ApiError::of("SerializationException", why)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::HeaderValue;

    use super::*;

    fn gzip(plain: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().into()
    }

    fn of(words: &[&'static str]) -> Result<Encoding, String> {
        let mut headers = HeaderMap::new();
        for word in words {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(word));
        }
        Encoding::of(&headers).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        let plain = b"{\"logEvents\": []}".repeat(1_000);
        assert_eq!(Encoding::Gzip.unpack(gzip(&plain), 17_000).unwrap(), plain);
        let zstd = zstd::encode_all(&plain[..], 3).unwrap();
        assert_eq!(Encoding::Zstd.unpack(zstd.into(), 17_000).unwrap(), plain);
        assert_eq!(Encoding::Plain.unpack(Bytes::from_static(b"{}"), 1).unwrap(), &b"{}"[..]);
    }

    #[test]
    fn a_small_body_that_becomes_a_huge_one_is_refused_before_it_has() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        let error = Encoding::Gzip.unpack(bomb, 1 << 20).unwrap_err();
        assert_eq!(error.kind(), "RequestEntityTooLargeException");
        let bomb = zstd::encode_all(&vec![b' '; 64 << 20][..], 3).unwrap();
        assert_eq!(Encoding::Zstd.unpack(bomb.into(), 1 << 20).unwrap_err().kind(), "RequestEntityTooLargeException");
    }

    #[test]
    fn nonsense_and_other_ways_of_packing_are_refused_in_words() {
        for (encoding, word) in [(Encoding::Gzip, "no gzip"), (Encoding::Zstd, "no zstd")] {
            let error = encoding.unpack(Bytes::from_static(b"{\"plain\": true}"), 100).unwrap_err();
            assert!(error.message().contains(word), "{}", error.message());
        }
        let half = gzip(&[7; 1_000]).slice(..20);
        assert_eq!(Encoding::Gzip.unpack(half, 10_000).unwrap_err().kind(), "SerializationException");
        assert_eq!((of(&[]), of(&["identity"])), (Ok(Encoding::Plain), Ok(Encoding::Plain)));
        assert_eq!((of(&["GZIP"]), of(&["zstd"])), (Ok(Encoding::Gzip), Ok(Encoding::Zstd)));
        assert!(of(&["br"]).unwrap_err().contains("Content-Encoding: br is not read here"));
        assert!(of(&["gzip, gzip"]).unwrap_err().contains("more than one"));
        assert!(of(&["gzip", "zstd"]).unwrap_err().contains("more than one"));
    }
}
