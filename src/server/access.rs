//! Who may do what: tokens, users and their roles, and what each call needs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::{Argon2, PasswordHash, PasswordVerifier as _};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use chrono::DateTime;
use ring::{digest, hmac, rand};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use tonic::Status;

use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, Result};
use crate::secrets::{self, Reference};

/// What a caller may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Ask and look.
    Read,
    /// Submit, upgrade, stop and restart jobs, and write to tables.
    Submit,
    /// Everything.
    Admin,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Admin => "admin",
        }
    }
}

/// Whoever made a call; it is among the call's extensions.
#[derive(Debug, Clone)]
pub struct Caller {
    name: Arc<str>,
    role: Role,
    by_password: bool,
}

impl Caller {
    /// Whether the caller has a role.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub fn check(&self, needed: Role) -> std::result::Result<(), Status> {
        if self.role >= needed {
            return Ok(());
        }
        Err(Status::permission_denied(format!(
            "'{}' has the role '{}', and this needs '{}'\nhelp: use the token of somebody who has it",
            self.name,
            self.role.name(),
            needed.name()
        )))
    }
}

/// How long who has given a password goes on without it, in milliseconds.
const SESSION: i64 = 12 * 60 * 60 * 1000;

/// Passwords that were right and need not be hashed again, at most.
const PROVEN: usize = 1000;

/// The services and what their calls need. What is not here needs `admin`.
const SERVICES: &[(&str, &[(&str, Need)])] = &[
    (
        "/",
        &[
            ("healthz", Need::Nothing),
            ("readyz", Need::Nothing),
            ("metrics", Need::Role(Role::Read)),
        ],
    ),
    (
        "/grpc.health.v1.Health/",
        &[
            ("Check", Need::Nothing),
            ("List", Need::Nothing),
            ("Watch", Need::Nothing),
        ],
    ),
    (
        "/grpc.reflection.v1.ServerReflection/",
        &[("ServerReflectionInfo", Need::Role(Role::Read))],
    ),
    (
        "/flowline.control.v1.Control/",
        &[
            ("Explain", Need::Role(Role::Read)),
            ("GetJob", Need::Role(Role::Read)),
            ("ListJobs", Need::Role(Role::Read)),
            ("ReadLog", Need::Role(Role::Read)),
            ("Why", Need::Role(Role::Read)),
            ("RestartJob", Need::Role(Role::Submit)),
            ("StopJob", Need::Role(Role::Submit)),
            ("SubmitJob", Need::Role(Role::Submit)),
            ("UpgradeJob", Need::Role(Role::Submit)),
            ("CancelJob", Need::Role(Role::Admin)),
        ],
    ),
    (
        "/arrow.flight.protocol.FlightService/",
        &[
            ("DoAction", Need::Role(Role::Read)),
            ("DoGet", Need::Role(Role::Read)),
            ("GetFlightInfo", Need::Role(Role::Read)),
            ("GetSchema", Need::Role(Role::Read)),
            ("Handshake", Need::Role(Role::Read)),
            ("ListActions", Need::Role(Role::Read)),
            ("ListFlights", Need::Role(Role::Read)),
            ("PollFlightInfo", Need::Role(Role::Read)),
            // It gives the parameters of queries; nothing is written by it.
            ("DoPut", Need::Role(Role::Read)),
            ("DoExchange", Need::Role(Role::Submit)),
        ],
    ),
];

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Role(Role),
}

fn need(path: &str) -> Need {
    let known = SERVICES.iter().find_map(|(service, calls)| {
        let call = path.strip_prefix(service)?;
        calls.iter().find(|(name, _)| *name == call)
    });
    known.map_or(Need::Role(Role::Admin), |(_, need)| *need)
}

// ---- The access file ----

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessFile {
    #[serde(default)]
    token: Vec<TokenEntry>,
    #[serde(default)]
    user: Vec<UserEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    name: String,
    sha256: Option<String>,
    token: Option<String>,
    role: Role,
    expires: Option<toml::value::Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    name: String,
    password: String,
    role: Role,
}

type Digest = [u8; 32];

struct Token {
    caller: Caller,
    digest: Digest,
    /// In milliseconds since 1970.
    expires: Option<i64>,
}

struct User {
    caller: Caller,
    password: Password,
}

enum Password {
    /// As argon2 writes its hashes.
    Hash(String),
    /// Of a password that is kept elsewhere.
    Digest(Digest),
}

/// Who calls, or why that is not known.
type Known = std::result::Result<Caller, String>;

/// Who may do what.
pub struct Access {
    /// The access file, and the files that it refers to.
    pub files: Vec<PathBuf>,
    tokens: Vec<Token>,
    users: Vec<User>,
    /// Signs what stands for a password; another one after each start.
    key: hmac::Key,
    /// Marks of names and passwords that were right.
    proven: Mutex<HashMap<Vec<u8>, Caller>>,
    /// Hashing takes long and much memory: one at a time.
    hashing: tokio::sync::Semaphore,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (tokens, users) = (self.tokens.len(), self.users.len());
        write!(f, "Access({tokens} tokens, {users} users)")
    }
}

impl Access {
    /// Reads an access file: `[[token]]` with `name`, `role` and `sha256` (of the token, as hex digits) or `token` (a reference), also
    /// `expires`; `[[user]]` with `name`, `role` and `password` (an argon2 hash or a reference).
    ///
    /// # Errors
    /// A file that cannot be read or understood, names nobody, or has a secret in it that is not hashed.
    pub fn open(path: &Path) -> Result<Self> {
        let place = format!("--access: {}", path.display());
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::usage(format!("{place}: cannot be read: {e}")))?;
        let file: AccessFile = toml::from_str(&text).map_err(|e| {
            // Its own text shows the line, and what is secret in it.
            let line = e.span().map(|s| text[..s.start].lines().count().max(1));
            let line = line.map_or_else(String::new, |line| format!(" line {line}:"));
            Error::usage(format!("{place}:{line} {}", e.message().trim())).with_help(
                "write [[token]] with name, sha256 and role, or [[user]] with name, password and role",
            )
        })?;
        let named = file.token.iter().filter_map(|token| token.token.as_ref());
        let named = named.chain(file.user.iter().map(|user| &user.password));
        let named = named.filter_map(|text| secrets::references(text).ok());
        let mut files = vec![path.to_path_buf()];
        files.extend(named.flatten().filter_map(|reference| match reference {
            Reference::File(path) => Some(PathBuf::from(path)),
            Reference::Env(_) => None,
        }));
        let tokens = file.token.into_iter().map(|entry| {
            let at = format!("{place}: token '{}'", entry.name);
            token(entry).map_err(|e| e.at(at))
        });
        let users = file.user.into_iter().map(|entry| {
            let at = format!("{place}: user '{}'", entry.name);
            user(entry).map_err(|e| e.at(at))
        });
        let (tokens, users) = (
            tokens.collect::<Result<Vec<Token>>>()?,
            users.collect::<Result<Vec<User>>>()?,
        );
        if tokens.is_empty() && users.is_empty() {
            return Err(Error::usage(format!("{place}: names nobody"))
                .with_help("add a [[token]] or a [[user]]"));
        }
        let tokens_named = tokens.iter().map(|t| &t.caller.name).enumerate();
        let users_named = users.iter().map(|u| &u.caller.name).enumerate();
        let twice = tokens_named
            .filter(|(i, name)| tokens[..*i].iter().any(|t| t.caller.name == **name))
            .chain(users_named.filter(|(i, n)| users[..*i].iter().any(|u| u.caller.name == **n)));
        if let Some((_, name)) = twice.into_iter().next() {
            return Err(Error::usage(format!("{place}: '{name}' is there twice"))
                .with_help("give each token and each user a name of its own"));
        }
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new());
        let key = key.map_err(|_| Error::external("the system gives no random numbers"))?;
        Ok(Self {
            files,
            tokens,
            users,
            key,
            proven: Mutex::default(),
            hashing: tokio::sync::Semaphore::new(1),
        })
    }

    /// Who calls with these credentials.
    async fn caller(self: &Arc<Self>, credentials: &HeaderValue) -> Known {
        let malformed = || "the credentials are not understood".to_string();
        let text = credentials.to_str().map_err(|_| malformed())?;
        let (scheme, rest) = text.split_once(' ').ok_or_else(malformed)?;
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => self.by_token(rest.trim()),
            "basic" => self.by_password(rest.trim()).await,
            _ => Err(malformed()),
        }
    }

    fn by_token(&self, token: &str) -> Known {
        let digest = sha256(token.as_bytes());
        // All are compared, so that the time taken says nothing.
        let mut found = None;
        for known in &self.tokens {
            if bool::from(known.digest.ct_eq(&digest)) {
                found = Some(known);
            }
        }
        let now = SystemClock.now();
        let expires = match found {
            Some(known) => known.expires,
            None => return self.by_session(token, now),
        };
        match (found, expires) {
            (Some(_), Some(expires)) if expires <= now => Err("the token has expired".into()),
            (Some(known), _) => Ok(known.caller.clone()),
            (None, _) => Err("the token is not known here".into()),
        }
    }

    /// What stands for a password from now on.
    pub fn session(&self, caller: &Caller) -> Option<String> {
        if !caller.by_password {
            return None;
        }
        let name = BASE64_URL_SAFE_NO_PAD.encode(caller.name.as_bytes());
        let told = format!("{name}.{}", SystemClock.now() + SESSION);
        let signature = hmac::sign(&self.key, told.as_bytes());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        Some(format!("{told}.{signature}"))
    }

    fn by_session(&self, token: &str, now: i64) -> Known {
        let unknown = || "the token is not known here".to_string();
        let (told, signature) = token.rsplit_once('.').ok_or_else(unknown)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
        let signature = signature.map_err(|_| unknown())?;
        hmac::verify(&self.key, told.as_bytes(), &signature).map_err(|_| unknown())?;
        let (name, expires) = told.split_once('.').ok_or_else(unknown)?;
        if expires.parse().is_ok_and(|expires: i64| expires <= now) {
            return Err("the token has expired: give name and password again".into());
        }
        let name = BASE64_URL_SAFE_NO_PAD.decode(name).map_err(|_| unknown())?;
        let user = self
            .users
            .iter()
            .find(|user| user.caller.name.as_bytes() == name);
        let caller = user.map(|user| Caller {
            by_password: false,
            ..user.caller.clone()
        });
        caller.ok_or_else(unknown)
    }

    async fn by_password(self: &Arc<Self>, encoded: &str) -> Known {
        let wrong = || "name or password is wrong".to_string();
        let mark = hmac::sign(&self.key, encoded.as_bytes()).as_ref().to_vec();
        let proven = || self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = proven().get(&mark) {
            return Ok(caller.clone());
        }
        let text = BASE64_STANDARD.decode(encoded).map_err(|_| wrong())?;
        let text = String::from_utf8(text).map_err(|_| wrong())?;
        let (name, password) = text.split_once(':').ok_or_else(wrong)?;
        let named = self
            .users
            .iter()
            .position(|user| *user.caller.name == *name);
        // Somebody who is not there takes as long.
        let index = named.unwrap_or_default();
        let Ok(_turn) = self.hashing.acquire().await else {
            return Err(wrong());
        };
        let (access, password) = (Arc::clone(self), password.to_string());
        let fits = tokio::task::spawn_blocking(move || {
            let user = access.users.get(index);
            user.is_some_and(|user| user.password.is(&password))
        });
        let fits = fits.await.unwrap_or(false);
        match named.and_then(|index| self.users.get(index)) {
            Some(user) if fits => {
                let mut proven = proven();
                if proven.len() >= PROVEN {
                    proven.clear();
                }
                proven.insert(mark, user.caller.clone());
                Ok(user.caller.clone())
            }
            _ => Err(wrong()),
        }
    }
}

impl Password {
    fn is(&self, password: &str) -> bool {
        match self {
            Self::Hash(hash) => PasswordHash::new(hash).is_ok_and(|hash| {
                let argon2 = Argon2::default();
                argon2.verify_password(password.as_bytes(), &hash).is_ok()
            }),
            Self::Digest(digest) => digest.ct_eq(&sha256(password.as_bytes())).into(),
        }
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    let mut digest = [0; 32];
    digest.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    digest
}

fn token(entry: TokenEntry) -> Result<Token> {
    let digest = match (&entry.sha256, &entry.token) {
        (Some(hex), None) => of_hex(hex).ok_or_else(|| {
            Error::usage("sha256 is not 64 hexadecimal digits")
                .with_help("printf %s \"$TOKEN\" | sha256sum writes them")
        })?,
        (None, Some(text)) if secrets::has_reference(text) => {
            let token = secrets::resolve(text).map_err(Error::usage)?;
            if token.is_empty() {
                return Err(Error::usage("the token is empty"));
            }
            sha256(token.as_bytes())
        }
        (None, Some(_)) => {
            return Err(Error::usage("the token itself stands in the file").with_help(
                "write its sha256 (printf %s \"$TOKEN\" | sha256sum), or token = \"${env:NAME}\" or \"${file:PATH}\"",
            ));
        }
        _ => {
            return Err(Error::usage("expected either sha256 or token"));
        }
    };
    let expires = entry.expires.map(|time| {
        let time = time.to_string();
        let parsed = DateTime::parse_from_rfc3339(&time.replace(' ', "T"));
        parsed.map(|time| time.timestamp_millis()).map_err(|_| {
            Error::usage(format!("expires = {time}: the time zone is missing"))
                .with_help("write expires = 2030-12-31T00:00:00Z")
        })
    });
    Ok(Token {
        caller: Caller {
            name: entry.name.into(),
            role: entry.role,
            by_password: false,
        },
        digest,
        expires: expires.transpose()?,
    })
}

fn user(entry: UserEntry) -> Result<User> {
    let is_reference = secrets::has_reference(&entry.password);
    let password = secrets::resolve(&entry.password).map_err(Error::usage)?;
    let is_hash = password.starts_with("$argon2");
    if is_hash && PasswordHash::new(&password).is_err() {
        return Err(Error::usage("the password's argon2 hash is damaged")
            .with_help("argon2 SALT -id -e < PASSWORD_FILE writes one"));
    }
    if password.is_empty() || entry.name.contains(':') {
        return Err(Error::usage(
            "the password is empty, or the name has a ':' in it",
        ));
    }
    if !is_hash && !is_reference {
        return Err(Error::usage("the password itself stands in the file").with_help(
            "write an argon2 hash of it (argon2 SALT -id -e < PASSWORD_FILE), or \"${env:NAME}\" or \"${file:PATH}\"",
        ));
    }
    Ok(User {
        caller: Caller {
            name: entry.name.into(),
            role: entry.role,
            by_password: true,
        },
        password: if is_hash {
            Password::Hash(password)
        } else {
            Password::Digest(sha256(password.as_bytes()))
        },
    })
}

fn of_hex(text: &str) -> Option<Digest> {
    let text = text.trim();
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (i, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(digest)
}

// ---- Each call ----

/// Lets a call pass whose caller has the role that it needs. Without an access file everybody may do everything.
pub async fn check(
    State(access): State<Option<Arc<Access>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let (Some(access), Need::Role(needed)) = (access, need(request.uri().path())) else {
        return next.run(request).await;
    };
    let caller = match request.headers().get(header::AUTHORIZATION) {
        Some(credentials) => access.caller(credentials).await,
        None => Err("this server asks who calls".to_string()),
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(why) => {
            let help = "send a token ('authorization: Bearer TOKEN'; of flowline --token or FLOWLINE_TOKEN), or name and password";
            let status = Status::unauthenticated(format!("{why}\nhelp: {help}"));
            return refusal(&request, status, StatusCode::UNAUTHORIZED);
        }
    };
    if let Err(status) = caller.check(needed) {
        return refusal(&request, status, StatusCode::FORBIDDEN);
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// A refusal as whoever calls understands it.
fn refusal(request: &Request, status: Status, code: StatusCode) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        return status.into_http();
    }
    let mut response = (code, format!("{}\n", status.message())).into_response();
    if code == StatusCode::UNAUTHORIZED {
        let asks = HeaderValue::from_static("Bearer, Basic realm=\"flowline\"");
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, asks);
    }
    response
}
