//! Who may reach a server and do what there: certificates, tokens and passwords, secrets, what submitted SQL may reach, and limits.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::path::Path;
use std::process::{Command, Stdio};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{FlightDescriptor, HandshakeRequest};
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::{Code, Request};

use crate::recovery::words;
use crate::server::{SUMS, Server, TOTAL};

/// An authority, and certificates of it in a folder.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(dir: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(dir.join(name), issuer.pem()).unwrap();
        Self(issuer)
    }

    /// `NAME.pem` and `NAME.key`.
    fn certifies(&self, dir: &Path, name: &str) {
        let params = CertificateParams::new(vec!["127.0.0.1".to_string()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[test]
fn with_certificates_nobody_else_is_reached_or_lets_in() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path(), "ca.pem");
    authority.certifies(dir.path(), "server");
    authority.certifies(dir.path(), "client");
    let other = Authority::new(dir.path(), "other-ca.pem");
    other.certifies(dir.path(), "other");
    let mut arguments = vec!["--tls-cert", "server.pem", "--tls-key", "server.key"];
    let server = Server::with(dir, &arguments, &[]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    server.done(&["list", "--tls-ca", "ca.pem"]);
    let (code, said) = server.refused(&["list"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("no server answers at https://"), "{said}");
    let (code, _) = server.refused(&["list", "--tls-ca", "other-ca.pem"]);
    assert_eq!(code, 3);
    // Nor is anything told without TLS.
    let plain = server.url.replace("https://", "http://");
    let output = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(["list", "--server", &plain])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", words(&output.stderr));

    let mut server = server;
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    let dir = std::mem::replace(&mut server.dir, tempfile::tempdir().unwrap());
    arguments.extend(["--tls-client-ca", "ca.pem"]);
    let server = Server::with(dir, &arguments, &[("FLOWLINE_TLS_CA", "ca.pem")]);
    server.done(&[
        "list",
        "--tls-cert",
        "client.pem",
        "--tls-key",
        "client.key",
    ]);
    assert_ne!(server.refused(&["list"]).0, 0);
    let stranger = ["list", "--tls-cert", "other.pem", "--tls-key", "other.key"];
    assert_ne!(server.refused(&stranger).0, 0);
}

#[test]
fn certificates_that_do_not_fit_are_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path(), "ca.pem");
    authority.certifies(dir.path(), "one");
    authority.certifies(dir.path(), "two");
    for (cert, key, says) in [
        (
            "one.pem",
            "two.key",
            "the key must be that of the certificate",
        ),
        ("one.pem", "none.key", "cannot read none.key"),
        ("one.key", "one.key", "they must be PEM files"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_flowline"))
            .args(["serve", "--listen", "127.0.0.1:0", "--tls-cert", cert])
            .args(["--tls-key", key])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = words(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "{said}");
    }
}

/// Tokens `r`, `s`, `a` and `old`, and the users ann and bob.
const ACCESS: &str = r#"
[[token]]
name = "reader"
sha256 = "454349e422f05297191ead13e21d3db520e5abef52055e4964b82fb213f593a1"
role = "read"
[[token]]
name = "deploy"
token = "${env:DEPLOY_TOKEN}"
role = "submit"
[[token]]
name = "boss"
token = "${file:boss.token}"
role = "admin"
[[token]]
name = "old"
token = "${env:OLD_TOKEN}"
role = "admin"
expires = 2020-01-01T00:00:00Z
[[user]]
name = "ann"
password = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$HASH"
role = "read"
[[user]]
name = "bob"
password = "${env:BOB_PASSWORD}"
role = "submit"
"#;

/// A server that asks who calls.
fn guarded() -> Server {
    use argon2::password_hash::{PasswordHasher as _, SaltString};
    let dir = tempfile::tempdir().unwrap();
    let salt = SaltString::from_b64("c29tZXNhbHQ").unwrap();
    let hash = argon2::Argon2::default()
        .hash_password(b"ann's", &salt)
        .unwrap();
    let placeholder = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$HASH";
    let access = ACCESS.replace(placeholder, &hash.to_string());
    std::fs::write(dir.path().join("access.toml"), access).unwrap();
    std::fs::write(dir.path().join("boss.token"), "a\n").unwrap();
    let variables = [
        ("DEPLOY_TOKEN", "s"),
        ("OLD_TOKEN", "old"),
        ("BOB_PASSWORD", "bob's"),
    ];
    Server::with(dir, &["--access", "access.toml"], &variables)
}

#[test]
fn each_role_may_do_its_own_and_no_more() {
    let server = guarded();
    server.feed("0.json", 0..10);
    std::fs::write(server.path().join("sums.sql"), SUMS).unwrap();
    let (code, said) = server.refused(&["list"]);
    assert_eq!(code, 2);
    assert!(
        said.contains("this server asks who calls") && said.contains("FLOWLINE_TOKEN"),
        "{said}"
    );
    let (code, said) = server.refused(&["list", "--token", "guessed"]);
    assert_eq!(code, 2);
    assert!(
        said.contains("the token is not known here") && !said.contains("guessed"),
        "{said}"
    );
    let (_, said) = server.refused(&["list", "--token", "old"]);
    assert!(said.contains("the token has expired"), "{said}");
    server.done(&["list", "--token", "r"]);
    let (code, said) = server.refused(&["submit", "sums.sql", "--token", "r"]);
    assert_eq!(code, 2);
    assert!(
        said.contains("'reader' has the role 'read', and this needs 'submit'"),
        "{said}"
    );
    server.done(&["submit", "sums.sql", "--token", "s"]);
    let asked = ["query", "-e", TOTAL, "--output", "jsonl", "--token", "r"];
    server.done(&asked);
    let (_, said) = server.refused(&["stop", "sums", "--token", "r"]);
    assert!(said.contains("needs 'submit'"), "{said}");
    let (_, said) = server.refused(&["cancel", "sums", "--token", "s"]);
    assert!(said.contains("needs 'admin'"), "{said}");
    server.done(&["cancel", "sums", "--token", "a"]);
    // Over HTTP: whether it lives is for everybody, anything else is not.
    assert!(server.http("/healthz").starts_with("HTTP/1.1 200"));
    let answer = server.http("/anything");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.to_lowercase().contains("www-authenticate: bearer"));
}

#[tokio::test]
async fn a_password_is_given_once_and_a_token_goes_on() {
    let server = guarded();
    let encoded = |text: &str| {
        use base64::Engine as _;
        format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(text))
    };
    let mut client = FlightServiceClient::connect(server.url.clone())
        .await
        .unwrap();
    let mut shake = async |credentials: String| {
        let hello = futures::stream::iter([HandshakeRequest::default()]);
        let mut request = Request::new(hello);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", credentials.parse().unwrap());
        client.handshake(request).await
    };
    for wrong in ["ann:bob's", "nobody:ann's", "ann", ":", "bob:"] {
        let refused = shake(encoded(wrong)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{wrong}");
        assert!(refused.message().starts_with("name or password is wrong"));
    }
    let strange = shake("Digest x".to_string()).await.unwrap_err();
    assert!(strange.message().contains("are not understood"));
    for right in ["ann:ann's", "ann:ann's", "bob:bob's"] {
        let answer = shake(encoded(right)).await.unwrap();
        let bearer = answer.metadata().get("authorization").unwrap().clone();
        let ask = |bearer: &str| {
            let command = CommandStatementQuery {
                query: "SELECT job FROM flowline.jobs".into(),
                transaction_id: None,
            };
            let asked = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
            let mut request = Request::new(asked);
            let metadata = request.metadata_mut();
            metadata.insert("authorization", bearer.parse().unwrap());
            request
        };
        let mut client = FlightServiceClient::connect(server.url.clone())
            .await
            .unwrap();
        let bearer = bearer.to_str().unwrap();
        client.get_flight_info(ask(bearer)).await.unwrap();
        // Nobody can make one up.
        let (told, signature) = bearer.rsplit_once('.').unwrap();
        let forged = format!("{}.{signature}", told.replace('.', ".9"));
        let refused = client.get_flight_info(ask(&forged)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
}

#[test]
fn an_access_file_says_what_is_wrong_with_it_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let hash = "0".repeat(64);
    for (text, says) in [
        ("", "names nobody"),
        (
            "[[token]]\nname = 'x'\ntoken = 'hush'\nrole = 'read'",
            "the token itself stands in the file",
        ),
        (
            "[[user]]\nname = 'x'\npassword = 'hush'\nrole = 'read'",
            "the password itself stands in the file",
        ),
        (
            "[[token]]\nname = 'x'\nsha256 = 'hush'\nrole = 'read'",
            "64 hexadecimal digits",
        ),
        (
            "[[token]]\nname = 'x'\ntoken = '${env:NOT_SET_HERE}'\nrole = 'read'",
            "NOT_SET_HERE is not set",
        ),
        (
            "[[token]]\nname = 'x'\nrole = 'read'",
            "either sha256 or token",
        ),
        (
            "[[token]]\nname = 'x'\ntoken = 'hush'\nrole = 'king'",
            "line 4",
        ),
        ("[[token]]\nname = 'x'\ntoken = \"hush", "line 3"),
        (
            &format!(
                "[[token]]\nname = 'x'\nsha256 = '{hash}'\nrole = 'read'\nexpires = 2030-01-01"
            ),
            "time zone",
        ),
    ] {
        std::fs::write(dir.path().join("access.toml"), text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_flowline"))
            .args(["serve", "--listen", "0.0.0.0:0", "--access", "access.toml"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .output()
            .unwrap();
        let said = words(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(says) && !said.contains("hush"), "{said}");
    }
}
