//! Where checkpoints are kept: a local folder or an object store by URL, and how what is written there becomes durable.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig};

use crate::error::{Error, Result};

/// A folder in an object store.
#[derive(Clone)]
pub struct Location {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The folder, where it is a local one: what is written is also brought to the disk.
    local: Option<PathBuf>,
    /// Work on files is done where it is asked for, not on threads of its own: so that a simulation can be replayed.
    is_simulated: bool,
    url: String,
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

/// Flink's names of the options of S3.
const S3_OPTIONS: &[(&str, AmazonS3ConfigKey)] = &[
    ("s3.access-key", AmazonS3ConfigKey::AccessKeyId),
    ("s3.secret-key", AmazonS3ConfigKey::SecretAccessKey),
    ("s3.endpoint", AmazonS3ConfigKey::Endpoint),
    ("s3.endpoint.region", AmazonS3ConfigKey::Region),
];

impl Location {
    /// A path, a `file:` URL, or `s3://BUCKET/FOLDER` (also `s3a:`, `s3p:`). `options`: `s3.*` as Flink names them, over the
    /// environment's `AWS_*`.
    ///
    /// # Errors
    /// A URL that is not understood, or a local folder that cannot be made.
    pub fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (scheme, rest),
            None => ("file", url.strip_prefix("file:").unwrap_or(url)),
        };
        match scheme {
            "file" => Self::local(rest),
            "s3" | "s3a" | "s3p" => Self::s3(url, rest, options),
            _ => Err(
                Error::usage(format!("'{url}': checkpoints cannot be kept there")).with_help(
                    "write a folder, a file: URL, or s3://BUCKET/FOLDER (other stores that speak S3: SET 's3.endpoint')",
                ),
            ),
        }
    }

    /// A store made elsewhere, for simulations.
    pub fn simulated(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            prefix: Path::default(),
            local: None,
            is_simulated: true,
            url: "memory".into(),
        }
    }

    fn local(folder: &str) -> Result<Self> {
        let failed = |e: std::io::Error| {
            Error::external(format!(
                "{folder}: the folder for checkpoints cannot be made: {e}"
            ))
            .with_help("check the path, the permissions and the space on its disk")
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let root = std::fs::canonicalize(folder).map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(&root).map_err(|e| {
            Error::external(format!(
                "{folder}: the folder for checkpoints cannot be used: {e}"
            ))
        })?;
        Ok(Self {
            store: Arc::new(store),
            prefix: Path::default(),
            is_simulated: false,
            url: root.display().to_string(),
            local: Some(root),
        })
    }

    fn s3(url: &str, rest: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        for (name, key) in S3_OPTIONS {
            if let Some(value) = options.get(*name) {
                builder = builder.with_config(*key, value);
            }
        }
        let given = ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"];
        let given = given.iter().filter_map(|name| std::env::var(name).ok());
        if let Some(endpoint) = options
            .get("s3.endpoint")
            .cloned()
            .or(given.into_iter().next())
        {
            let is_url = endpoint.starts_with("http://") || endpoint.starts_with("https://");
            if !is_url || !endpoint.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(Error::usage(format!("the endpoint '{endpoint}' is no URL"))
                    .with_help("write it as http://HOST:PORT or https://HOST"));
            }
            builder = builder.with_allow_http(endpoint.starts_with("http://"));
        }
        // Whoever stores a checkpoint tries again for longer.
        builder = builder.with_retry(RetryConfig {
            max_retries: 3,
            retry_timeout: Duration::from_secs(10),
            ..RetryConfig::default()
        });
        let is_true = |name: &str| options.get(name).map(|v| v.eq_ignore_ascii_case("true"));
        if let Some(path_style) = is_true("s3.path-style-access") {
            builder = builder.with_virtual_hosted_style_request(!path_style);
        }
        let store = builder.build().map_err(|e| {
            Error::usage(format!("'{url}': {e}")).with_help(
                "SET 's3.access-key', 's3.secret-key' and 's3.endpoint', or the environment's AWS_ACCESS_KEY_ID, \
                 AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT and AWS_REGION",
            )
        })?;
        Ok(Self {
            store: Arc::new(store),
            prefix: Path::from(folder),
            local: None,
            is_simulated: false,
            url: url.to_string(),
        })
    }

    /// The folder `name` in it.
    #[must_use]
    pub fn folder(&self, name: &str) -> Self {
        Self {
            store: Arc::clone(&self.store),
            prefix: self.path(name),
            local: self.local.clone(),
            is_simulated: self.is_simulated,
            url: format!("{}/{name}", self.url.trim_end_matches('/')),
        }
    }

    /// Does work that takes the processor for long, away from the threads that move rows.
    ///
    /// # Errors
    /// The work's.
    pub async fn work<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.is_simulated {
            return run();
        }
        tokio::task::spawn_blocking(run)
            .await
            .map_err(|e| Error::internal(format!("work on a checkpoint was cut off: {e}")))?
    }

    /// Whether it is a folder of this machine.
    pub fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// The file of that name, where this is a folder of this machine.
    pub fn local_file(&self, name: &str) -> Option<PathBuf> {
        let root = self.local.as_ref()?;
        Some(root.join(self.path(name).as_ref()))
    }

    /// As it was given, a folder by its absolute path.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn path(&self, name: &str) -> Path {
        name.split('/')
            .filter(|part| !part.is_empty())
            .fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// Writes a file in one piece, durably.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn write(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let (path, payload) = (self.path(name), PutPayload::from(bytes));
        let put = self.store.put(&path, payload).await;
        put.map_err(|e| self.failed("write", name, e))?;
        self.on_disk(name, |file| {
            std::fs::File::open(file)?.sync_all()?;
            sync_folder(file)
        })
        .await
        .map(|_| ())
    }

    /// As [`Location::write`], unless the file is there already: then false. Of several who try at the same time one succeeds, and
    /// whoever reads the file sees all of it, whatever happens.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<bool> {
        let path = self.path(name);
        let payload = PutPayload::from(bytes);
        let copy = payload.clone();
        if let Some(is_new) = self
            .on_disk(name, move |file| create_new(file, &copy))
            .await?
        {
            return Ok(is_new);
        }
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&path, payload, options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(e) => Err(self.failed("write", name, e)),
        }
    }

    /// Does something to the file of that name, where it is a local one.
    async fn on_disk<T: Send + 'static>(
        &self,
        name: &str,
        run: impl FnOnce(&FilePath) -> std::io::Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let Some(file) = self.local_file(name) else {
            return Ok(None);
        };
        let done = tokio::task::spawn_blocking(move || run(&file)).await;
        let done = done.map_err(|e| Error::internal(format!("writing was cut off: {e}")))?;
        done.map(Some).map_err(|e| {
            Error::external(format!(
                "{}/{name}: cannot be brought to the disk: {e}",
                self.url
            ))
            .with_help("check the permissions of the folder, the space on its disk, and the disk")
        })
    }

    /// A whole file; `None` where there is none.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let failed = |e| self.failed("read", name, e);
        match self.store.get(&self.path(name)).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(failed)?.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(failed(e)),
        }
    }

    /// The names of the files right in the folder `name`, sorted, with their sizes.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self, name: &str) -> Result<Vec<(String, u64)>> {
        let listed = self.listed(name).await?;
        let mut names: Vec<(String, u64)> = listed
            .objects
            .into_iter()
            .filter_map(|o| Some((o.location.filename()?.to_string(), o.size)))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The names of the folders right in the folder `name`, sorted.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn folders(&self, name: &str) -> Result<Vec<String>> {
        let listed = self.listed(name).await?;
        let prefixes = listed.common_prefixes.iter();
        let mut names: Vec<String> = prefixes
            .filter_map(|p| p.filename().map(str::to_string))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn listed(&self, name: &str) -> Result<object_store::ListResult> {
        let path = self.path(name);
        let prefix = Some(&path).filter(|p| !p.as_ref().is_empty());
        self.store
            .list_with_delimiter(prefix)
            .await
            .map_err(|e| self.failed("list", name, e))
    }

    /// Removes a file; none there is as good.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn remove(&self, name: &str) -> Result<()> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed("remove", name, e)),
        }
    }

    fn failed(&self, what: &str, name: &str, error: object_store::Error) -> Error {
        let help = match &error {
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => {
                "check the credentials and what they may do"
            }
            _ if self.local.is_some() => {
                "check the permissions of the folder and the space on its disk"
            }
            _ => "is the store reachable, and does the bucket exist?",
        };
        Error::external(format!("{}/{name}: cannot {what} it: {error}", self.url))
            .with_help(help)
            .caused_by(error)
    }
}

/// Brings the entry of a file in its folder to the disk.
fn sync_folder(file: &FilePath) -> std::io::Result<()> {
    match file.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[allow(clippy::disallowed_methods, reason = "a name that no other draft has")]
/// Gives a file its name once all of it is on the disk; false where there is one of that name.
fn create_new(file: &FilePath, bytes: &PutPayload) -> std::io::Result<bool> {
    let folder = file.parent().unwrap_or(FilePath::new(""));
    std::fs::create_dir_all(folder)?;
    // Listings leave out names that end so, which the store itself uses for drafts.
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!("#{}", fastrand::u64(..)));
    let draft = PathBuf::from(draft);
    let write = || {
        let mut written = std::fs::File::create_new(&draft)?;
        bytes.iter().try_for_each(|part| written.write_all(part))?;
        written.sync_all()?;
        match std::fs::hard_link(&draft, file) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map(|()| true),
        }
    };
    let created = write();
    let _ = std::fs::remove_file(&draft);
    if created.as_ref().is_ok_and(|is_new| *is_new) {
        sync_folder(file)?;
    }
    created
}
