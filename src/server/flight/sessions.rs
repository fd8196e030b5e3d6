//! What clients set for all their queries, by Flight's session actions. A session is known by a cookie.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use prost::Message as _;
use prost::bytes::Bytes;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::catalog::CATALOG;
use crate::server::queries::{ClientOptions, Queries};

/// The cookie's name.
const COOKIE: &str = "flowline_session";

/// How many sessions there are at most; beyond it the oldest end.
const SESSIONS: usize = 10_000;

/// The open sessions.
#[derive(Default)]
pub struct Sessions(Mutex<Open>);

#[derive(Default)]
struct Open {
    options: HashMap<String, ClientOptions>,
    /// In the order in which they were opened.
    ids: VecDeque<String>,
}

impl Sessions {
    /// What the caller has set.
    pub fn options(&self, metadata: &MetadataMap) -> ClientOptions {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let options = id(metadata).and_then(|id| open.options.get(&id));
        options.cloned().unwrap_or_default()
    }

    /// `SetSessionOptions`: its result, and the cookie of a session that is new.
    ///
    /// # Errors
    /// A request that cannot be read.
    #[allow(clippy::disallowed_methods, reason = "an id that no other session has")]
    pub fn set(
        &self,
        metadata: &MetadataMap,
        request: &Bytes,
        queries: &Queries,
    ) -> Result<(Vec<u8>, Option<String>), Status> {
        let request = SessionOptions::decode(request.as_ref()).map_err(unreadable)?;
        let mut options = self.options(metadata);
        let mut result = SetSessionOptionsResult::default();
        for (name, value) in request.session_options {
            if let Err(wrong) = set(&mut options, &name, value.text(), queries) {
                let value = wrong as i32;
                result.errors.insert(name, SetSessionError { value });
            }
        }
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = id(metadata).filter(|id| open.options.contains_key(id));
        let (id, cookie) = match known {
            Some(id) => (id, None),
            None => {
                let id = format!("{:032x}", fastrand::u128(..));
                open.ids.push_back(id.clone());
                let cookie = format!("{COOKIE}={id}; Path=/; HttpOnly");
                (id, Some(cookie))
            }
        };
        open.options.insert(id, options);
        while open.options.len() > SESSIONS
            && let Some(oldest) = open.ids.pop_front()
        {
            open.options.remove(&oldest);
        }
        Ok((result.encode_to_vec(), cookie))
    }

    /// `GetSessionOptions`.
    pub fn get(&self, metadata: &MetadataMap) -> Vec<u8> {
        let options = self.options(metadata);
        let catalog = Some(("catalog".to_string(), CATALOG.to_string()));
        let schema = options.database.map(|name| ("schema".to_string(), name));
        let all = catalog.into_iter().chain(schema).chain(options.settings);
        let session_options = all
            .map(|(name, value)| {
                let value = Some(OptionValue::String(value));
                (name, SessionOptionValue { value })
            })
            .collect();
        SessionOptions { session_options }.encode_to_vec()
    }

    /// `CloseSession`.
    pub fn close(&self, metadata: &MetadataMap) -> Vec<u8> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = id(metadata) {
            open.options.remove(&id);
            open.ids.retain(|other| *other != id);
        }
        let status = CloseStatus::Closed as i32;
        CloseSessionResult { status }.encode_to_vec()
    }
}

/// Sets one option; an empty value takes it back.
fn set(
    options: &mut ClientOptions,
    name: &str,
    value: Option<String>,
    queries: &Queries,
) -> Result<(), WrongOption> {
    let value = value.filter(|value| !value.is_empty());
    match (name, value) {
        ("catalog", None) => Ok(()),
        ("catalog", Some(value)) if value == CATALOG => Ok(()),
        ("catalog", Some(_)) => Err(WrongOption::Value),
        ("schema", database) => {
            let wanted = ClientOptions {
                database,
                ..options.clone()
            };
            queries.check(&wanted).map_err(|_| WrongOption::Value)?;
            *options = wanted;
            Ok(())
        }
        (name, None) => {
            options.settings.remove(name);
            Ok(())
        }
        (name, Some(value)) => {
            let mut wanted = options.clone();
            wanted.settings.insert(name.to_string(), value);
            queries.check(&wanted).map_err(|_| WrongOption::Name)?;
            *options = wanted;
            Ok(())
        }
    }
}

/// The session that the caller's cookie names.
fn id(metadata: &MetadataMap) -> Option<String> {
    let cookies = metadata.get_all("cookie").iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|line| line.split(';'));
    cookies.find_map(|cookie| {
        let (name, id) = cookie.trim().split_once('=')?;
        (name == COOKIE).then(|| id.to_string())
    })
}

fn unreadable(error: prost::DecodeError) -> Status {
    Status::invalid_argument(format!("the request cannot be read: {error}"))
}

// ---- The messages of Flight.proto, which arrow-flight does not have ----

#[derive(Clone, PartialEq, prost::Message)]
struct SessionOptionValue {
    #[prost(oneof = "OptionValue", tags = "1, 2, 3, 4, 5")]
    value: Option<OptionValue>,
}

impl SessionOptionValue {
    /// As SET takes it; `None`: no value.
    fn text(self) -> Option<String> {
        Some(match self.value? {
            OptionValue::String(text) => text,
            OptionValue::Bool(value) => value.to_string(),
            OptionValue::Integer(value) => value.to_string(),
            OptionValue::Double(value) => value.to_string(),
            OptionValue::List(list) => list.values.join(";"),
        })
    }
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum OptionValue {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    List(StringList),
}

#[derive(Clone, PartialEq, prost::Message)]
struct StringList {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

/// `SetSessionOptionsRequest`, and `GetSessionOptionsResult`.
#[derive(Clone, PartialEq, prost::Message)]
struct SessionOptions {
    #[prost(btree_map = "string, message", tag = "1")]
    session_options: BTreeMap<String, SessionOptionValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SetSessionOptionsResult {
    #[prost(btree_map = "string, message", tag = "1")]
    errors: BTreeMap<String, SetSessionError>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SetSessionError {
    #[prost(enumeration = "WrongOption", tag = "1")]
    value: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum WrongOption {
    Unspecified = 0,
    Name = 1,
    Value = 2,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CloseSessionResult {
    #[prost(enumeration = "CloseStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum CloseStatus {
    Unspecified = 0,
    Closed = 1,
}
