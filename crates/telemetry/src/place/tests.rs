//! What a place makes of stores that do not do as they should.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use url::Url;

use super::{Place, PlaceError};

/// A store in memory that may ignore the conditions of a put, or do it and say that it has not.
#[derive(Debug, Default)]
struct Odd {
    inner: InMemory,
    careless: bool,
    /// The next put is done, and then tried again.
    tries_twice: AtomicBool,
    /// The next put is done, and said to have failed.
    fails_done: AtomicBool,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("odd")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Odd {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if self.careless {
            options.mode = PutMode::Overwrite;
        }
        if self.tries_twice.swap(false, Relaxed) {
            self.inner.put_opts(location, payload.clone(), options.clone()).await?;
        }
        let put = self.inner.put_opts(location, payload, options).await;
        match self.fails_done.swap(false, Relaxed) {
            true => Err(object_store::Error::Generic { store: "odd", source: "no answer".into() }),
            false => put,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn place(careless: bool) -> (Place, Arc<Odd>) {
    let store = Arc::new(Odd { careless, ..Odd::default() });
    (Place::remote(store.clone(), Url::parse("odd://store/").unwrap()), store)
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_found_out() {
    assert!(!place(true).0.is_guarded().await.unwrap());
    let (careful, _) = place(false);
    assert!(careful.is_guarded().await.unwrap());
    assert!(careful.is_guarded().await.unwrap(), "also when it was tried before");
}

#[tokio::test]
async fn an_object_that_somebody_else_replaced_is_not_replaced() {
    let (place, _) = place(false);
    let mine = place.replace("m", Bytes::from_static(b"1"), None).await.unwrap();
    place.replace("m", Bytes::from_static(b"2"), mine.clone()).await.unwrap();
    for seen in [mine, None] {
        let refused = place.replace("m", Bytes::from_static(b"3"), seen).await;
        assert!(matches!(refused, Err(PlaceError::Replaced(_))), "{refused:?}");
    }
    assert_eq!(place.get("m").await.unwrap().unwrap().0, "2");
}

#[tokio::test]
async fn what_was_written_although_the_answer_was_lost_counts_as_written() {
    let (place, store) = place(false);
    let mut seen = None;
    for text in ["1", "2", "3"] {
        store.tries_twice.store(true, Relaxed);
        seen = place.replace("m", Bytes::from_static(text.as_bytes()), seen).await.unwrap();
        assert_eq!(place.get("m").await.unwrap().unwrap(), (Bytes::from_static(text.as_bytes()), seen.clone()));
    }
}

#[tokio::test]
async fn what_was_said_to_have_failed_and_was_written_stands_in_nobodys_way() {
    let (place, store) = place(false);
    let first = place.replace("m", Bytes::from_static(b"1"), None).await.unwrap();
    store.fails_done.store(true, Relaxed);
    let failed = place.replace("m", Bytes::from_static(b"2"), first.clone()).await;
    assert!(matches!(failed, Err(PlaceError::Object { .. })), "{failed:?}");
    let third = place.replace("m", Bytes::from_static(b"3"), first.clone()).await.unwrap();
    assert_eq!(place.get("m").await.unwrap().unwrap(), (Bytes::from_static(b"3"), third.clone()));
    // What somebody else wrote upon it is theirs.
    store.fails_done.store(true, Relaxed);
    assert!(place.replace("m", Bytes::from_static(b"4"), third.clone()).await.is_err());
    store.put_opts(&Path::from("m"), PutPayload::from_static(b"theirs"), PutOptions::default()).await.unwrap();
    let refused = place.replace("m", Bytes::from_static(b"5"), third).await;
    assert!(matches!(refused, Err(PlaceError::Replaced(_))), "{refused:?}");
    assert_eq!(place.get("m").await.unwrap().unwrap().0, "theirs");
}
