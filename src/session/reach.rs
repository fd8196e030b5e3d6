//! What SQL may reach: folders, hosts and secrets; and whether the secrets it refers to are there.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::catalog::Table;
use crate::catalog::options::OptionError;
use crate::error::{Error, Result};
use crate::secrets::{self, Reference};

/// What SQL that somebody else wrote may reach.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// The folders whose files may be read and written, with all in them.
    pub folders: Vec<PathBuf>,
    /// What may not be even there.
    pub except: Vec<PathBuf>,
    /// Where jobs may begin with savepoints besides.
    pub savepoints: Option<PathBuf>,
    /// `HOST` or `HOST:PORT`; none: any.
    pub hosts: Vec<String>,
    /// The variables of the environment that may be referred to; `*` at the end of one stands for anything.
    pub variables: Vec<String>,
}

/// Options that make a Kafka client load code or run commands.
const CODE: &[&str] = &[
    "properties.plugin.library.paths",
    "properties.sasl.kerberos.kinit.cmd",
    "properties.ssl.engine.id",
    "properties.ssl.engine.location",
    "properties.ssl.providers",
];

/// Options that say where a Kafka client connects to.
const ADDRESSES: &[&str] = &[
    "properties.bootstrap.servers",
    "properties.metadata.broker.list",
    "properties.sasl.oauthbearer.token.endpoint.url",
];

/// The options that are wrong when a table is opened: secrets that are not there, and what is not allowed. `file`: the table is read
/// from there, and its connector is not opened.
pub(super) fn mistakes(
    reach: Option<&Reach>,
    table: &Table,
    file: Option<&Path>,
) -> Vec<OptionError> {
    if let Some(path) = file {
        let refused = reach.and_then(|reach| reach.path(path).err());
        return refused.into_iter().map(without_key).collect();
    }
    let mut mistakes = Vec::new();
    for (key, value) in &table.with {
        let wrong = match secrets::references(value) {
            Ok(references) => references.iter().find_map(|r| usable(reach, r).err()),
            Err(why) => Some((why, "write ${env:NAME} or ${file:PATH}".to_string())),
        };
        let wrong = wrong.or_else(|| {
            let reach = reach?;
            let value = secrets::resolve(value).ok()?;
            reach.option(table, key, &value).err()
        });
        if let Some((why, help)) = wrong {
            mistakes
                .push(OptionError::new(key, format!("'{key}' = '{value}': {why}")).with_help(help));
        }
    }
    mistakes
}

fn without_key((why, help): Wrong) -> OptionError {
    OptionError {
        key: None,
        message: why,
        help: Some(help),
    }
}

/// Options of a store with what they refer to.
///
/// # Errors
/// A secret that is not there or not allowed.
pub(super) fn resolved(
    reach: Option<&Reach>,
    options: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let resolved = options.iter().map(|(key, value)| {
        let references = secrets::references(value);
        let references = references.map_err(|why| Error::usage(format!("SET '{key}': {why}")))?;
        for reference in &references {
            usable(reach, reference).map_err(|(why, help)| {
                Error::usage(format!("SET '{key}': {why}")).with_help(help)
            })?;
        }
        let value = secrets::resolve(value);
        let value = value.map_err(|why| Error::usage(format!("SET '{key}': {why}")))?;
        Ok((key.clone(), value))
    });
    resolved.collect()
}

/// What is wrong, and what to do.
type Wrong = (String, String);

fn usable(reach: Option<&Reach>, reference: &Reference) -> std::result::Result<(), Wrong> {
    match (reach, reference) {
        (Some(reach), Reference::Env(name)) => reach.variable(name)?,
        (Some(reach), Reference::File(path)) => reach.path(Path::new(path))?,
        (None, _) => {}
    }
    let help = match reference {
        Reference::Env(_) => "set the variable where flowline runs",
        Reference::File(_) => "the file must be there where flowline runs, and readable",
    };
    reference
        .value()
        .map(drop)
        .map_err(|why| (why, help.to_string()))
}

impl Reach {
    /// Whether a savepoint may be at `url`, or checkpoints. `options`: `s3.*`. `is_read`: it is only read.
    ///
    /// # Errors
    /// It may not.
    pub fn location(
        &self,
        url: &str,
        options: &BTreeMap<String, String>,
        is_read: bool,
    ) -> Result<()> {
        let path = match url.split_once("://") {
            None => Some(url.strip_prefix("file:").unwrap_or(url)),
            Some(("file", path)) => Some(path),
            Some(_) => None,
        };
        let allowed = match path {
            Some(path) => {
                let path = Path::new(path);
                let is_ours = |own: &PathBuf| real(path).is_ok_and(|path| path.starts_with(own));
                if is_read && self.savepoints.as_ref().is_some_and(is_ours) {
                    return Ok(());
                }
                self.path(path)
            }
            None => match options.get("s3.endpoint") {
                Some(endpoint) => self.addresses(endpoint),
                // Whoever started the server has said which store it uses.
                None if std::env::vars().any(|(name, _)| name.starts_with("AWS_ENDPOINT")) => {
                    Ok(())
                }
                None => self.addresses("https://s3.amazonaws.com"),
            },
        };
        allowed.map_err(|(why, help)| Error::usage(format!("'{url}': {why}")).with_help(help))
    }

    fn option(&self, table: &Table, key: &str, value: &str) -> std::result::Result<(), Wrong> {
        let is_kafka = key.starts_with("properties.");
        if CODE.contains(&key) {
            let why = "it makes the Kafka client load code, which SQL that is submitted may not";
            return Err((why.into(), "remove the option".into()));
        }
        if ADDRESSES.contains(&key) {
            return self.addresses(value);
        }
        let is_path = key == "path" && table.connector() == Some("filesystem")
            || matches!(key, "archive.path" | "bad-rows.path")
            || is_kafka && key.ends_with(".location");
        // Of the store of certificates there are words instead of a path.
        if !is_path || is_kafka && value == "probe" {
            return Ok(());
        }
        let path = value.strip_prefix("file:").unwrap_or(value);
        let path = path.strip_prefix("//").unwrap_or(path);
        self.path(Path::new(path.strip_prefix("localhost").unwrap_or(path)))
    }

    fn variable(&self, name: &str) -> std::result::Result<(), Wrong> {
        let is_allowed = |allowed: &String| match allowed.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => allowed == name,
        };
        if self.variables.iter().any(is_allowed) {
            return Ok(());
        }
        Err((
            format!("SQL that is submitted may not refer to the variable {name}"),
            format!(
                "it may to {}; the server allows others with --allow-env NAME",
                self.variables.join(", ")
            ),
        ))
    }

    /// Whether a file or folder lies where SQL may reach it, wherever links and `..` lead.
    fn path(&self, path: &Path) -> std::result::Result<(), Wrong> {
        let real = real(path).map_err(|e| {
            (
                format!("'{}' cannot be followed: {e}", path.display()),
                "check the path and its permissions".to_string(),
            )
        })?;
        let is_within = self.folders.iter().any(|folder| real.starts_with(folder));
        let mut except = self.except.iter();
        let is_excepted = except.any(|own| real.starts_with(own) || own.starts_with(&real));
        let help = || {
            let folders: Vec<String> = self
                .folders
                .iter()
                .map(|folder| folder.display().to_string())
                .collect();
            format!(
                "it may be below {}; the server allows others with --allow-path DIR",
                folders.join(" or ")
            )
        };
        match (is_within, is_excepted) {
            (true, false) => Ok(()),
            (true, true) => Err((
                format!("the server keeps its own files at '{}'", path.display()),
                "name another folder".into(),
            )),
            (false, _) => Err((
                format!("SQL that is submitted may not reach '{}'", path.display()),
                help(),
            )),
        }
    }

    /// Whether it may connect to all of these: addresses with commas between them, or a URL.
    fn addresses(&self, text: &str) -> std::result::Result<(), Wrong> {
        if self.hosts.is_empty() {
            return Ok(());
        }
        for address in text.split(',').map(str::trim).filter(|a| !a.is_empty()) {
            let (host, port) = host_and_port(address);
            let is_allowed = |allowed: &String| {
                let (name, only) = host_and_port(allowed);
                name.eq_ignore_ascii_case(host) && only.is_none_or(|only| Some(only) == port)
            };
            if !self.hosts.iter().any(is_allowed) {
                return Err((
                    "SQL that is submitted may not connect to this host".into(),
                    format!(
                        "it may to {}; the server allows others with --allow-host HOST[:PORT]",
                        self.hosts.join(", ")
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// The host and the port of `SCHEME://HOST:PORT/...` or `HOST:PORT`; what is in front of an `@` is neither.
fn host_and_port(address: &str) -> (&str, Option<&str>) {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => ("", address),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, a)| a);
    let default = match scheme.to_ascii_lowercase().as_str() {
        "https" => Some("443"),
        "http" => Some("80"),
        _ => None,
    };
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && !host.is_empty() => (host, Some(port)),
        _ => (authority, default),
    }
}

/// The path without links and `..`, from the root. What is not there yet is taken as it is written.
///
/// # Errors
/// The working directory is gone; a folder that may not be looked into; links in a circle.
pub fn real(path: &Path) -> std::io::Result<PathBuf> {
    let mut real = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        if part == Component::ParentDir {
            real.pop();
            continue;
        }
        real.push(part);
        match std::fs::symlink_metadata(&real) {
            Ok(_) => real = std::fs::canonicalize(&real)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(real)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn links_and_dots_lead_out_of_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        for folder in ["in", "out", "in/own"] {
            std::fs::create_dir(root.join(folder)).unwrap();
        }
        std::os::unix::fs::symlink(root.join("out"), root.join("in/link")).unwrap();
        std::os::unix::fs::symlink(root.join("nowhere"), root.join("in/dangling")).unwrap();
        let reach = Reach {
            folders: vec![root.join("in")],
            except: vec![root.join("in/own")],
            ..Reach::default()
        };
        let may = |path: &str| reach.path(&root.join(path)).is_ok();
        for path in ["in/a", "in/a/b/../c", "in/new/../../in/a"] {
            assert!(may(path), "{path}");
        }
        for path in [
            "",
            "in",
            "out/a",
            "in/../out/a",
            "in/link/a",
            "in/dangling",
            "in/own",
            "in/own/a",
            "in/a/../own/x",
            "in/new/../../out",
            "inside",
        ] {
            assert!(!may(path), "{path}");
        }
    }

    #[test]
    fn hosts_are_compared_by_name_and_port() {
        let reach = Reach {
            hosts: vec!["kafka".into(), "store:443".into(), "[::1]:9092".into()],
            ..Reach::default()
        };
        for text in [
            "kafka:9092",
            "KAFKA",
            "https://store/x",
            "SSL://kafka:1, kafka:2",
            "[::1]:9092",
        ] {
            assert!(reach.addresses(text).is_ok(), "{text}");
        }
        for text in [
            "kafka:1,evil:2",
            "http://store",
            "https://kafka@evil/",
            "store:80",
            "[::1]:1",
            "kafka.evil",
        ] {
            assert!(reach.addresses(text).is_err(), "{text}");
        }
    }
}
