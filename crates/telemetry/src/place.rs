//! Where files and manifests are kept: a local directory, or an object store.
//!
//! | to learn | read |
//! |---|---|
//! | objects by their paths, durable when they are written | here |
//! | stores that speak S3 | `s3` |

mod s3;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path as FsPath, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::{
    ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion, local::LocalFileSystem, path::Path,
    prefix::PrefixStore,
};
use url::Url;

use self::s3::{GUARD, said, shown};
use crate::wal::sync_dir;

pub use self::s3::S3;

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The address is of no kind that is known.
    #[error("opening {url}: {said}; use a directory, or a URL such as s3://bucket/folder")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        said: String,
    },
    /// The address holds keys.
    #[error("{url} was given with keys before the bucket's name: keys come from the environment, a profile or a role")]
    Keys {
        /// The address without them.
        url: String,
    },
    /// Another machine is to be asked without TLS.
    #[error(
        "the object store at {host} would be asked over plain http, and all records be sent in the clear: use https://, or \
         set AWS_ALLOW_HTTP=true if the network is yours"
    )]
    Plain {
        /// The machine.
        host: String,
    },
    /// The disk does not do it.
    #[error("{what} {}: {source}", path.display())]
    Disk {
        /// What was tried.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The object store does not do it.
    #[error("{what} {path} in the object store: {said}")]
    Object {
        /// What was tried.
        what: &'static str,
        /// On which object.
        path: String,
        /// What the store says.
        said: String,
    },
    /// Somebody else has replaced the object.
    #[error("{0} was replaced by somebody else: two processes write into one store")]
    Replaced(String),
}

/// A place for objects.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    store: Arc<dyn ObjectStore>,
    root: Url,
    local: Option<PathBuf>,
    /// What was written last without an answer, by path: it may be there all the same.
    unsure: Arc<Mutex<HashMap<String, Bytes>>>,
}

/// Which version of an object was seen last; nothing, if there was none.
pub(crate) type Version = Option<UpdateVersion>;

impl Place {
    /// A local directory, which is there already.
    pub(crate) fn directory(dir: &FsPath) -> Result<Self, PlaceError> {
        let failed = |source| PlaceError::Disk { what: "opening", path: dir.to_owned(), source };
        let dir = fs::canonicalize(dir).map_err(failed)?;
        let wrong = || failed(io::Error::new(io::ErrorKind::InvalidInput, "the path has no URL"));
        let root = Url::from_directory_path(&dir).map_err(|()| wrong())?;
        let store = LocalFileSystem::new_with_prefix(&dir)
            .map_err(|source| PlaceError::Address { url: root.to_string(), said: said(&source) })?;
        Ok(Self { store: Arc::new(store), root, local: Some(dir), unsure: Arc::default() })
    }

    /// The place of a URL: `file:`, or `s3:`.
    pub(crate) fn of_url(url: &Url, s3: &S3) -> Result<Self, PlaceError> {
        if url.scheme() == "file"
            && let Ok(dir) = url.to_file_path()
        {
            fs::create_dir_all(&dir).map_err(|source| PlaceError::Disk {
                what: "making",
                path: dir.clone(),
                source,
            })?;
            return Self::directory(&dir);
        }
        if !matches!(url.scheme(), "s3" | "s3a") {
            let said = format!("{}: is no kind of store that is known", url.scheme());
            return Err(PlaceError::Address { url: shown(url), said });
        }
        let (store, folder) = s3.store(url)?;
        Ok(Self::remote(Arc::new(PrefixStore::new(store, folder)), url.clone()))
    }

    /// Whether the store heeds the conditions of a put, by which two processes that write into one store are told from each
    /// other. Tried with an object of its own, so that a store that cannot be written is found out here as well.
    pub(crate) async fn is_guarded(&self) -> Result<bool, PlaceError> {
        if self.local.is_some() {
            return Ok(true);
        }
        for _ in 0..2 {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let put = self.store.put_opts(&Path::from(GUARD), Bytes::from_static(b"{}\n").into(), options).await;
            match put {
                Ok(_) => {}
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    return Ok(true);
                }
                Err(error) => return Err(object("writing", GUARD, &error)),
            }
        }
        Ok(false)
    }

    /// Any object store, with the URL that it is known by.
    pub(crate) fn remote(store: Arc<dyn ObjectStore>, root: Url) -> Self {
        Self { store, root, local: None, unsure: Arc::default() }
    }

    /// The store, whose paths are below the root, and the root's URL.
    pub(crate) fn object_store(&self) -> (Arc<dyn ObjectStore>, Url) {
        (Arc::clone(&self.store), self.root.clone())
    }

    /// Keeps a new object; it is durable when this returns.
    pub(crate) async fn put(&self, path: &str, bytes: Bytes) -> Result<(), PlaceError> {
        match &self.local {
            Some(dir) => write_file(dir.join(path), bytes).await,
            None => {
                let put = self.store.put(&Path::from(path), bytes.into()).await;
                put.map(|_| ()).map_err(|error| object("writing", path, &error))
            }
        }
    }

    /// Replaces an object, if its version is still the one that was seen.
    pub(crate) async fn replace(&self, path: &str, bytes: Bytes, seen: Version) -> Result<Version, PlaceError> {
        if let Some(dir) = &self.local {
            // One process at a time has the directory: it holds the lock of the store.
            write_file(dir.join(path), bytes).await?;
            return Ok(None);
        }
        let refused = || PlaceError::Replaced(path.to_owned());
        if let Some(version) = self.put_upon(path, &bytes, seen).await? {
            return Ok(Some(version));
        }
        // An answer may have been lost: what is there is what was to be written, now or the last time.
        let Some((there, version)) = self.get(path).await? else { return Err(refused()) };
        if there == bytes {
            return Ok(version);
        }
        let tried = self.unsure.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        if tried.is_none_or(|tried| tried != there) {
            return Err(refused());
        }
        self.put_upon(path, &bytes, version).await?.map(Some).ok_or_else(refused)
    }

    /// Puts an object upon the version that was seen; nothing if another one is there.
    async fn put_upon(&self, path: &str, bytes: &Bytes, seen: Version) -> Result<Option<UpdateVersion>, PlaceError> {
        let mode = seen.map_or(PutMode::Create, PutMode::Update);
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&Path::from(path), bytes.clone().into(), options).await {
            Ok(put) => {
                self.unsure.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
                Ok(Some(UpdateVersion { e_tag: put.e_tag, version: put.version }))
            }
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(None),
            Err(error) => {
                self.unsure.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), bytes.clone());
                Err(object("replacing", path, &error))
            }
        }
    }

    /// An object and its version; nothing if it is not there.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<(Bytes, Version)>, PlaceError> {
        let got = match self.store.get(&Path::from(path)).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(object("reading", path, &error)),
        };
        let version = UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
        let bytes = got.bytes().await.map_err(|error| object("reading", path, &error))?;
        Ok(Some((bytes, Some(version))))
    }

    /// The folders right below a folder.
    pub(crate) async fn folders(&self, below: &str) -> Result<Vec<String>, PlaceError> {
        let listed = self.store.list_with_delimiter(Some(&Path::from(below))).await;
        let listed = match listed {
            // Of an object store this says that there is no such bucket.
            Err(object_store::Error::NotFound { .. }) if self.local.is_some() => return Ok(Vec::new()),
            listed => listed.map_err(|error| object("listing", below, &error))?,
        };
        Ok(listed.common_prefixes.iter().map(ToString::to_string).collect())
    }

    /// All objects below a folder: path and age, as milliseconds since 1970 of their last change.
    pub(crate) async fn objects(&self, below: &str) -> Result<Vec<(String, i64)>, PlaceError> {
        let listed = self.store.list(Some(&Path::from(below)));
        let listed = listed.map(|it| it.map(|it| (it.location.to_string(), it.last_modified.timestamp_millis())));
        match listed.try_collect().await {
            Err(object_store::Error::NotFound { .. }) if self.local.is_some() => Ok(Vec::new()),
            listed => listed.map_err(|error| object("listing", below, &error)),
        }
    }

    /// Removes an object; it is no error if it is gone already.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), PlaceError> {
        match self.store.delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(object("removing", path, &error)),
        }
    }
}

fn object(what: &'static str, path: &str, error: &object_store::Error) -> PlaceError {
    PlaceError::Object { what, path: path.to_owned(), said: said(error) }
}

async fn write_file(path: PathBuf, bytes: Bytes) -> Result<(), PlaceError> {
    let written = tokio::task::spawn_blocking({
        let path = path.clone();
        move || write_durably(&path, &bytes)
    });
    let written = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    written.map_err(|source| PlaceError::Disk { what: "writing", path, source })
}

/// Writes a file beside its place, flushes it, and puts it there: at no time is half of it to be seen.
fn write_durably(path: &FsPath, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    if !dir.is_dir() {
        fs::create_dir_all(dir)?;
        if let Some(above) = dir.parent() {
            sync_dir(above)?;
        }
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    // A name of this kind is left out when an object store lists a directory.
    let beside = dir.join(format!("{name}#1"));
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&beside, path)) {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    sync_dir(dir)
}
