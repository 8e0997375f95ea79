//! A receiver of pages on loopback, with manners of its own: it answers every POST as it was told to, and notes when the
//! last byte of it had come.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// No page is larger.
const MAX_BYTES: usize = 1 << 20;

/// How one POST is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// 204.
    Takes,
    /// This status, asking for a pause of so many seconds where it is not 0.
    Refuses(u16, u32),
    /// Not at all; the connection stays open for so long.
    Hangs(Duration),
    /// It takes the page and cuts the connection before it has said so.
    TakesAndCuts,
}

/// One POST.
#[derive(Clone, Debug)]
pub struct Post {
    /// When its last byte had come.
    pub at: Instant,
    /// The receiver, by the path it was sent to.
    pub receiver: String,
    /// `X-Event-Id`: the same at every try.
    pub event_id: String,
    /// The page.
    pub page: Value,
    /// How it was answered.
    pub manner: Manner,
}

impl Post {
    /// A member of the page as text.
    pub fn text(&self, name: &str) -> &str {
        self.page[name].as_str().unwrap_or_default()
    }

    /// The page has reached the receiver.
    pub fn arrived(&self) -> bool {
        matches!(self.manner, Manner::Takes | Manner::TakesAndCuts)
    }
}

/// The sink. It has a thread of its own, so that it does not wait for what it measures.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    posts: Mutex<Vec<Post>>,
    manners: Mutex<HashMap<String, VecDeque<Manner>>>,
}

impl Shared {
    fn posts(&self) -> MutexGuard<'_, Vec<Post>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn manners(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Manner>>> {
        self.manners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    /// A sink at a free port of loopback.
    pub fn open() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = shared.clone();
        std::thread::Builder::new().name("sink".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                while let Ok((stream, _)) = listener.accept().await {
                    let serving = serving.clone();
                    tokio::spawn(async move {
                        // A client that goes away in the middle is noticed by what it does not get.
                        let _ = serve(stream, &serving).await;
                    });
                }
            });
        })?;
        Ok(Self { address, shared })
    }

    /// The address of a receiver.
    pub fn url(&self, receiver: &str) -> String {
        format!("http://{}/{receiver}", self.address)
    }

    /// The next POSTs to a receiver are answered in these manners, one after the other; those after them are taken.
    pub fn behave(&self, receiver: &str, manners: Vec<Manner>) {
        self.shared.manners().insert(receiver.to_owned(), manners.into());
    }

    /// How many POSTs have come.
    pub fn count(&self) -> usize {
        self.shared.posts().len()
    }

    /// The POSTs since the `from`th.
    pub fn posts(&self, from: usize) -> Vec<Post> {
        self.shared.posts().get(from..).unwrap_or_default().to_vec()
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::with_capacity(8 * 1024);
    loop {
        let Some((head, body)) = request(&mut stream, &mut bytes).await? else { return Ok(()) };
        let at = Instant::now();
        let receiver = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        let manner = shared.manners().get_mut(&receiver).and_then(VecDeque::pop_front).unwrap_or(Manner::Takes);
        let page = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let event_id = header(&head, "x-event-id").unwrap_or_default().to_owned();
        shared.posts().push(Post { at, receiver, event_id, page, manner });
        let answer = match manner {
            Manner::Takes => "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Manner::Refuses(status, 0) => format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n"),
            Manner::Refuses(status, after_secs) => {
                format!("HTTP/1.1 {status} No\r\nretry-after: {after_secs}\r\ncontent-length: 0\r\n\r\n")
            }
            Manner::Hangs(how_long) => {
                tokio::time::sleep(how_long).await;
                return Ok(());
            }
            Manner::TakesAndCuts => return Ok(()),
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// One request, head and body; `None` at the end of the connection. What came after it stays in `bytes`.
async fn request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<Option<(String, Vec<u8>)>> {
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = header(&head, "content-length").and_then(|value| value.parse::<usize>().ok()).unwrap_or(0);
            if length > MAX_BYTES {
                return Err(io::Error::other("a page that is too large"));
            }
            if bytes.len() >= end + 4 + length {
                let body = bytes[end + 4..end + 4 + length].to_vec();
                bytes.drain(..end + 4 + length);
                return Ok(Some((head, body)));
            }
        }
        if stream.read_buf(bytes).await? == 0 || bytes.len() > 2 * MAX_BYTES {
            return Ok(None);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn post(sink: &Sink, receiver: &str) -> String {
        let mut stream = std::net::TcpStream::connect(sink.address).unwrap();
        let body = r#"{"kind":"firing"}"#;
        let text = format!(
            "POST /{receiver} HTTP/1.1\r\nHost: x\r\nX-Event-Id: 7\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_sink_answers_as_it_was_told_and_remembers_what_came() {
        let sink = Sink::open().unwrap();
        sink.behave("a", vec![Manner::Refuses(429, 1), Manner::TakesAndCuts]);
        assert!(post(&sink, "a").contains("429 No\r\nretry-after: 1"));
        assert_eq!(post(&sink, "a"), "");
        assert!(post(&sink, "a").contains("204"));
        assert!(post(&sink, "b").contains("204"));
        let posts = sink.posts(0);
        let seen: Vec<_> = posts.iter().map(|post| (post.receiver.as_str(), post.arrived())).collect();
        assert_eq!(seen, [("a", false), ("a", true), ("a", true), ("b", true)]);
        assert!(posts.iter().all(|post| post.text("kind") == "firing" && post.event_id == "7"));
    }
}
