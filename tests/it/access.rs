//! Who may reach a server and do what there: certificates, tokens and passwords, secrets, what submitted SQL may reach, and limits.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{FlightDescriptor, HandshakeRequest};
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use crate::recovery::words;
use crate::server::{SUMS, Server, TOTAL};

async fn flight(server: &Server) -> FlightServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(server.url.clone()).unwrap();
    FlightServiceClient::new(endpoint.connect().await.unwrap())
}

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
    let create = "CREATE TABLE x (a INT)";
    let (_, said) = server.refused(&["query", "-e", create, "--token", "r"]);
    assert!(
        said.contains("'reader' has the role 'read', and this needs 'submit'"),
        "{said}"
    );
    server.done(&["query", "-e", create, "--token", "s"]);
    let insert = ["query", "-e", "INSERT INTO x VALUES (1)", "--token"];
    let (_, said) = server.refused(&[insert.as_slice(), &["r"]].concat());
    assert!(said.contains("this needs 'submit'"), "{said}");
    server.done(&[insert.as_slice(), &["s"]].concat());
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
    let mut client = flight(&server).await;
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
        let mut client = flight(&server).await;
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

/// All files below a folder, as text.
fn texts(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &texts(&path);
        } else {
            all += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
        }
    }
    all
}

/// Reads a topic of a broker that is not there, with two secrets.
const SECRETIVE: &str = r#"
    CREATE TABLE orders (n BIGINT) WITH ('connector' = 'kafka', 'topic' = 'orders', 'format' = 'json',
      'properties.bootstrap.servers' = '127.0.0.1:1', 'properties.security.protocol' = 'SASL_PLAINTEXT',
      'properties.sasl.mechanism' = 'PLAIN', 'scan.startup.mode' = 'earliest-offset',
      'properties.sasl.jaas.config' = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="${env:FLOWLINE_SECRET_KAFKA}";',
      'properties.ssl.key.password' = '${file:key.password}');
    CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '10');
    CREATE TABLE copies (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json');
"#;

#[test]
fn a_secret_is_in_no_output_and_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key.password"), "hush-in-file\n").unwrap();
    let variables = [("FLOWLINE_SECRET_KAFKA", "hush-in-env")];
    let server = Server::with(dir, &[], &variables);
    let write = |name: &str, more: &str| {
        let sql = format!("{SECRETIVE}{more}");
        std::fs::write(server.path().join(name), sql).unwrap();
    };
    write("ok.sql", "INSERT INTO copies SELECT n FROM numbers;");
    write("kafka.sql", "INSERT INTO copies SELECT n FROM orders;");
    write(
        "show.sql",
        "SHOW CREATE TABLE orders; EXPLAIN SELECT * FROM orders; SELECT n FROM numbers;",
    );
    let mut all = String::new();
    let mut say = |arguments: &[&str]| {
        let output = server.call(arguments);
        let said = String::from_utf8(output.stdout).unwrap() + &words(&output.stderr);
        all += &said;
        said
    };
    say(&["submit", "ok.sql"]);
    // Nobody answers there; the secrets are looked up first.
    let said = say(&["submit", "kafka.sql"]);
    assert!(
        said.contains("no Kafka broker answers at 127.0.0.1:1"),
        "{said}"
    );
    say(&["query", "-e", "SELECT * FROM ok.orders"]);
    say(&["query", "-e", "EXPLAIN SELECT * FROM ok.orders"]);
    for verb in [
        "list",
        "status ok",
        "logs ok",
        "explain --job ok",
        "upgrade ok kafka.sql",
    ] {
        say(&verb.split(' ').collect::<Vec<_>>());
    }
    // The same without a server.
    for verb in [
        "run kafka.sql",
        "explain --verbose kafka.sql",
        "check kafka.sql",
        "run show.sql --output jsonl",
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_flowline"))
            .args(verb.split(' '))
            .envs(variables)
            .env("FLOWLINE_LOG", "debug")
            .current_dir(server.path())
            .output()
            .unwrap();
        all += &(String::from_utf8(output.stdout).unwrap() + &words(&output.stderr));
    }
    assert!(
        all.contains("password=\"${env:FLOWLINE_SECRET_KAFKA}\""),
        "{all}"
    );
    assert!(!all.contains("hush"), "{all}");
    let kept = texts(&server.path().join("data"));
    assert!(kept.contains("${env:FLOWLINE_SECRET_KAFKA}") && !kept.contains("hush"));
}

#[test]
fn a_secret_that_is_not_there_is_told_at_its_option() {
    let dir = tempfile::tempdir().unwrap();
    let sql = format!("{SECRETIVE}INSERT INTO copies SELECT n FROM orders;");
    std::fs::write(dir.path().join("a.sql"), &sql).unwrap();
    let shown = sql.replace("'path' = 'out'", "'path' = '${env:OUT}'");
    std::fs::write(dir.path().join("b.sql"), shown).unwrap();
    for (file, says) in [
        (
            "a.sql",
            ["a.sql:5:", "the variable FLOWLINE_SECRET_KAFKA is not set"],
        ),
        (
            "b.sql",
            [
                "b.sql:8:",
                "'path' is shown in messages and kept in checkpoints",
            ],
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_flowline"))
            .args(["run", file])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = words(&output.stderr);
        let said = said.replace(" | ", " ");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(says.iter().all(|says| said.contains(says)), "{said}");
    }
}

#[test]
fn submitted_sql_reaches_only_what_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("0.json"), "{\"n\":1}\n").unwrap();
    std::fs::write(outside.path().join("secret"), "hush").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(outside.path(), link).unwrap();
    let arguments = ["--allow-host", "kafka.example:9092", "--allow-env", "GIVEN"];
    let variables = [("GIVEN", "x"), ("HIDDEN", "hush")];
    let server = Server::with(dir, &arguments, &variables);
    let outside = outside.path().display().to_string();
    let read = |options: &str| {
        format!(
            "CREATE TABLE i (n BIGINT) WITH ({options}, 'format' = 'json');
             CREATE TABLE o (n BIGINT) WITH ('connector' = 'blackhole');
             INSERT INTO o SELECT n FROM i;"
        )
    };
    let file = |path: &str| read(&format!("'connector' = 'filesystem', 'path' = '{path}'"));
    let kafka = |more: &str| read(&format!("'connector' = 'kafka', 'topic' = 't', {more}"));
    let allowed = "'properties.bootstrap.servers' = 'kafka.example:9092'";
    for (sql, says) in [
        (file(&outside), "may not reach"),
        (file("/etc/passwd"), "may not reach"),
        (file("../x"), "may not reach"),
        (file("link"), "may not reach"),
        (file("link/0.json"), "may not reach"),
        (file("in/../link"), "may not reach"),
        (file(&format!("file://{outside}")), "may not reach"),
        (file("data/jobs"), "the server keeps its own files"),
        (file("."), "the server keeps its own files"),
        (
            kafka("'properties.bootstrap.servers' = 'evil:9092'"),
            "may not connect",
        ),
        (
            kafka("'properties.bootstrap.servers' = 'kafka.example:9092,evil:1'"),
            "may not connect",
        ),
        (
            kafka(&format!(
                "{allowed}, 'properties.sasl.password' = '${{env:HIDDEN}}'"
            )),
            "may not refer to the variable HIDDEN",
        ),
        (
            kafka(&format!(
                "{allowed}, 'properties.sasl.password' = '${{file:link/secret}}'"
            )),
            "may not reach",
        ),
        (
            kafka(&format!(
                "{allowed}, 'properties.ssl.ca.location' = '/etc/passwd'"
            )),
            "may not reach",
        ),
    ] {
        std::fs::write(server.path().join("a.sql"), &sql).unwrap();
        let (code, said) = server.refused(&["submit", "a.sql"]);
        let said = said.replace(" | ", " ");
        assert_eq!(code, 2, "{sql}: {said}");
        assert!(
            said.contains(says) && said.contains("a.sql:1:"),
            "{sql}: {said}"
        );
        assert!(!said.contains("hush"), "{said}");
    }
    // Written is no more than read.
    let write = "CREATE TABLE i (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
         CREATE TABLE o (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'link/new', 'format' = 'json');
         INSERT INTO o SELECT n FROM i;";
    std::fs::write(server.path().join("a.sql"), write).unwrap();
    assert!(
        server
            .refused(&["submit", "a.sql"])
            .1
            .contains("may not reach")
    );
    // From outside neither.
    server.submit_sums(SUMS);
    let source = format!("numbers={outside}");
    let (_, said) = server.refused(&["submit", "sums.sql", "--name", "b", "--source", &source]);
    assert!(said.contains("may not reach"), "{said}");
    let (_, said) = server.refused(&["submit", "sums.sql", "--name", "b", "--restore", &outside]);
    assert!(said.contains("may not reach"), "{said}");
    let to = format!("{outside}/savepoint");
    let (_, said) = server.refused(&["stop", "sums", "--savepoint", &to]);
    assert!(said.contains("may not reach"), "{said}");
    // A savepoint beside the checkpoints may be begun with.
    let saved = server.done(&["stop", "sums", "--savepoint"]);
    let saved = saved.lines().find(|line| line.starts_with('/')).unwrap();
    server.done(&["submit", "sums.sql", "--name", "b", "--restore", saved]);
    // Nor does a query say where it is read.
    let hint = "SELECT n FROM b.numbers /*+ OPTIONS('path' = 'sums.sql') */ WHERE n > 0";
    let (code, said) = server.refused(&["query", "-e", hint]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("a query may not set 'path'"), "{said}");
}

#[test]
fn a_query_over_its_time_or_memory_ends_and_jobs_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "--query-timeout",
        "5 s",
        "--query-memory",
        "2 mb",
        "--max-queries",
        "2",
    ];
    let server = Server::with(dir, &arguments, &[]);
    server.submit_sums(&format!(
        "CREATE TABLE much (n BIGINT, t STRING) WITH ('connector' = 'datagen', 'number-of-rows' = '1000000',
           'rows-per-second' = '1000000',
           'fields.t.length' = '100');
         {SUMS}"
    ));
    let ten = "(SELECT * FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t(x))";
    let joined = (0..12).map(|i| format!("{ten} AS t{i}"));
    let joined = joined.collect::<Vec<_>>().join(" CROSS JOIN ");
    server.done(&["query", "-e", "CREATE TABLE inserted (x INT)"]);
    let few = (0..6).map(|i| format!("{ten} AS t{i}"));
    let few = few.collect::<Vec<_>>().join(" CROSS JOIN ");
    for (sql, says) in [
        (
            format!("INSERT INTO inserted SELECT t0.x FROM {few}"),
            "the rows need more than 2 MiB of memory; none was inserted",
        ),
        (
            format!("SELECT COUNT(*), MAX(t0.x + t1.x) FROM {joined}"),
            "took longer than 5s",
        ),
        (
            "SELECT COUNT(*) FROM much".into(),
            "needs more than 2 MiB of memory",
        ),
    ] {
        let (code, said) = server.refused(&["query", "-e", &sql]);
        assert_eq!(code, 3, "{said}");
        assert!(said.contains(says), "{said}");
        server.comes_to(
            "SELECT DISTINCT state FROM flowline.jobs",
            r#"{"state":"RUNNING"}"#,
        );
    }
    server.comes_to("SELECT COUNT(*) AS c FROM inserted", r#"{"c":0}"#);
}

/// A reader that stops reading holds a place among the queries no longer than a query may take.
#[tokio::test]
async fn a_reader_that_stops_reading_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--query-timeout", "1 s", "--max-queries", "1"];
    let server = Server::with(dir, &arguments, &[]);
    let ten = "(SELECT * FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t(x))";
    let joined = (0..9).map(|i| format!("{ten} AS t{i}"));
    let sql = format!(
        "SELECT t0.x AS x FROM {}",
        joined.collect::<Vec<_>>().join(" CROSS JOIN ")
    );
    let command = CommandStatementQuery {
        query: sql,
        transaction_id: None,
    };
    let asked = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let mut client = flight(&server).await;
    let info = client.get_flight_info(asked).await.unwrap().into_inner();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut rows = client.do_get(ticket).await.unwrap().into_inner();
    rows.message().await.unwrap();
    let (_, said) = server.refused(&["query", "-e", "SELECT job FROM flowline.jobs"]);
    assert!(said.contains("1 queries are being answered"), "{said}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.done(&["query", "-e", "SELECT job FROM flowline.jobs"]);
    let ended = loop {
        match rows.message().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    let status = ended.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("took longer than 1s"));
}

#[tokio::test]
async fn what_no_client_of_ours_sends_gets_a_clear_answer() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::with(dir, &["--max-message", "100 kb"], &[]);
    let mut client = flight(&server).await;
    let any = |type_url: &str, value: &[u8]| {
        arrow_flight::sql::Any {
            type_url: type_url.into(),
            value: value.to_vec().into(),
        }
        .encode_to_vec()
    };
    let query = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery";
    for command in [
        Vec::new(),
        vec![0xff; 100],
        any("type.googleapis.com/nothing", b"x"),
        any(query, &[0xff, 0xff, 0xff]),
        any(query, b""),
    ] {
        let asked = FlightDescriptor::new_cmd(command.clone());
        let refused = client.get_flight_info(asked).await.unwrap_err();
        // Of a command that cannot be read the Flight SQL service itself says that it is an internal error.
        let clear = [Code::InvalidArgument, Code::Unimplemented, Code::Internal];
        assert!(clear.contains(&refused.code()), "{command:?}: {refused:?}");
        assert!(!refused.message().is_empty());
        let ticket = arrow_flight::Ticket::new(command.clone());
        let refused = match client.do_get(ticket).await {
            Ok(_) => panic!("{command:?}"),
            Err(refused) => refused,
        };
        assert!(clear.contains(&refused.code()), "{command:?}: {refused:?}");
    }
    let path = FlightDescriptor::new_path(vec!["a".into()]);
    let refused = client.get_flight_info(path).await.unwrap_err();
    assert_ne!(refused.code(), Code::Internal, "{refused:?}");
    let long = CommandStatementQuery {
        query: "SELECT 1 ".repeat(20_000),
        transaction_id: None,
    };
    let asked = FlightDescriptor::new_cmd(long.as_any().encode_to_vec());
    let refused = client.get_flight_info(asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    let mut asked = Request::new(FlightDescriptor::new_cmd(Vec::new()));
    let metadata = asked.metadata_mut();
    metadata.insert("x-long", "x".repeat(100_000).parse().unwrap());
    client.get_flight_info(asked).await.unwrap_err();

    // Bytes that are no HTTP, and messages that are cut off.
    use std::io::{Read as _, Write as _};
    let address = server.url.strip_prefix("http://").unwrap();
    let call = "POST /arrow.flight.protocol.FlightService/GetFlightInfo HTTP/1.1\r\nHost: x\r\n\
                Content-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\x01\x7f";
    for bytes in [
        &[0u8; 1000][..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff",
        call.as_bytes(),
    ] {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    assert!(server.http("/healthz").starts_with("HTTP/1.1 200"));
}

#[test]
fn connections_that_do_nothing_keep_nobody_out() {
    let server = Server::start();
    let address = server.url.strip_prefix("http://").unwrap();
    let idle: Vec<_> = (0..200)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect();
    server.submit_sums(SUMS);
    server.comes_to(TOTAL, r#"{"c":10,"s":90}"#);
    drop(idle);

    let dir = tempfile::tempdir().unwrap();
    let server = Server::with(dir, &["--max-connections", "10"], &[]);
    let address = server.url.strip_prefix("http://").unwrap();
    let mut idle: Vec<_> = (0..20)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect();
    // The last is closed at once, the first once it has said nothing for long.
    let closed = |stream: &mut std::net::TcpStream| {
        use std::io::Read as _;
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        match stream.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
        }
    };
    assert!(closed(&mut idle[19]));
    assert!(closed(&mut idle[0]));
    let begun = Instant::now();
    while server.call(&["list"]).status.code() != Some(0) {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(100));
    }
}
