//! The `ebb-relay` binary as scripts see it: what it prints, its exit codes, and how it ends.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb-relay"));
    command
        .env_clear()
        .env("EBB_RELAY_DATA", data)
        .args(arguments)
        .stdin(Stdio::null());
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().unwrap()
}

/// Runs a command that succeeds, and returns the document that it prints.
fn answer(data: &Path, arguments: &[&str]) -> Value {
    let output = run(data, arguments);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a command that fails, and returns its exit code and the error at the end of stderr.
fn failure(data: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = run(data, arguments);
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let error: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    let error = &error["error"];
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty())
    );
    assert!(error["hints"].is_array());
    (output.status.code().unwrap(), error["kind"].clone())
}

/// A server, ended when dropped.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    first_line: String,
}

impl Server {
    fn start(data: &Path, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        Self::of(command(data, &arguments))
    }

    /// Starts what serves, and reads its first line.
    fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut first_line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut first_line).unwrap();
        Self {
            child,
            stdout,
            first_line,
        }
    }

    fn ready(&self) -> Value {
        serde_json::from_str(&self.first_line).unwrap()
    }

    fn address(&self) -> String {
        let ready = self.ready();
        let url = ready["listening"].as_str().unwrap();
        url.split_once("://").unwrap().1.to_owned()
    }

    /// Asks politely, and returns the exit code and how long it took.
    fn terminate(&mut self, signal: &str) -> (Option<i32>, Duration) {
        let start = Instant::now();
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        (self.child.wait().unwrap().code(), start.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_says_where_it_listens_and_gives_a_token_the_first_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    let mut server = Server::start(&data, &["--json"]);
    let ready = server.ready();
    let token = ready["token"].as_str().unwrap();
    assert!(token.parse::<protocol::api::EnrolmentToken>().is_ok());
    assert!(get(&server.address(), "/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
    #[cfg(unix)]
    for (path, mode) in [(data.clone(), 0o700), (data.join("relay.sqlite3"), 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::metadata(&path).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{}", path.display());
    }
    let (code, time) = server.terminate("-TERM");
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(10));

    let mut server = Server::start(&data, &["--json"]);
    let ready = server.ready();
    assert_eq!(ready.as_object().unwrap().len(), 1, "{ready}");
    assert_eq!(server.terminate("-INT").0, Some(0));
}

#[test]
fn people_are_given_the_line_to_copy() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let first = server.first_line.clone();
    let url = first
        .strip_prefix("ebb-relay listening on ")
        .unwrap()
        .trim_end()
        .to_owned();
    assert_eq!(server.terminate("-TERM").0, Some(0));
    let mut rest = String::new();
    server.stdout.read_to_string(&mut rest).unwrap();
    let token = rest.lines().next().unwrap().rsplit(' ').next().unwrap();
    assert_eq!(
        rest.lines().nth(1),
        Some(format!("  ebb init --relay {url} --token {token}").as_str())
    );
}

#[test]
fn tokens_are_made_listed_and_revoked_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data, &["--json", "--open"]);
    assert!(server.ready().get("token").is_none());
    let made = answer(data, &["token", "new", "--json"]);
    assert!(made["token"].as_str().unwrap().len() >= 32);
    let id = made["id"].as_str().unwrap();
    let list = answer(data, &["--json", "token", "list"]);
    assert_eq!(
        (&list[0]["id"], &list[0]["journals"]),
        (&made["id"], &Value::from(0))
    );
    assert!(!list.to_string().contains(made["token"].as_str().unwrap()));
    assert_eq!(
        answer(data, &["token", "revoke", id, "--json"])["revoked"],
        id
    );
    assert!(answer(data, &["token", "list", "--json"])[0]["revoked"].is_number());
    let (code, kind) = failure(data, &["token", "revoke", id, "--json"]);
    assert_eq!((code, kind), (1, "unknown-token".into()));
    assert_eq!(
        answer(data, &["journals", "list", "--json"]),
        Value::Array(Vec::new())
    );
    let (code, kind) = failure(data, &["journals", "show", "00", "--json"]);
    assert_eq!((code, kind), (1, "unknown-journal".into()));
}

#[test]
fn a_second_server_is_refused_and_health_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &["--json"]);
    let address = server.address();
    let ready = answer(
        folder.path(),
        &["healthcheck", "--listen", &address, "--json"],
    );
    assert_eq!(ready["ready"], true);
    let second = ["serve", "--listen", "127.0.0.1:0", "--json"];
    assert_eq!(failure(folder.path(), &second), (1, "in-use".into()));
    let other = tempfile::tempdir().unwrap();
    let taken = ["serve", "--listen", &address, "--json"];
    assert_eq!(failure(other.path(), &taken), (1, "listen".into()));
    assert_eq!(server.terminate("-TERM").0, Some(0));
    let silent = ["healthcheck", "--listen", &address, "--json"];
    assert_eq!(failure(folder.path(), &silent), (1, "not-ready".into()));
}

#[test]
fn health_over_tls_is_told_by_who_shows_the_certificate_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["one", "two"].map(|name| {
        let names = vec!["relay.test".to_owned()];
        let certified = rcgen::generate_simple_self_signed(names).unwrap();
        let [cert, key] = ["cert", "key"].map(|part| {
            let path = folder.path().join(format!("{name}-{part}.pem"));
            path.to_str().unwrap().to_owned()
        });
        std::fs::write(&cert, certified.cert.pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        (cert, key)
    });
    let [(cert, key), (other, _)] = &files;
    let data = tempfile::tempdir().unwrap();
    let tls = ["--json", "--tls-cert", cert, "--tls-key", key];
    let mut server = Server::start(data.path(), &tls);
    let address = server.address();
    let check = ["healthcheck", "--json", "--listen", &address];
    let ready = answer(data.path(), &[&check[..], &["--tls-cert", cert]].concat());
    assert_eq!(ready["ready"], true);
    for wrong in [&["--tls-cert", other][..], &[]] {
        let told = failure(data.path(), &[&check[..], wrong].concat());
        assert_eq!(told, (1, "not-ready".into()), "{wrong:?}");
    }
    assert_eq!(server.terminate("-TERM").0, Some(0));
}

#[test]
fn wrong_usage_and_damaged_data_have_their_codes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    for arguments in [
        &["serve", "--bogus", "--json"] as &[_],
        &["token", "--json"],
        &["serve", "--json", "--listen", "nowhere"],
        &["serve", "--json", "--origin", "https://relay.example/"],
    ] {
        assert_eq!(
            failure(data, arguments),
            (2, "usage".into()),
            "{arguments:?}"
        );
    }
    let wrong = run(data, &["serve", "--bogus"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--bogus"));
    assert!(run(data, &["--help"]).status.success());

    std::fs::write(data.join("relay.sqlite3"), [0x5a; 8192]).unwrap();
    for arguments in [&["serve", "--json"] as &[_], &["token", "new", "--json"]] {
        assert_eq!(failure(data, arguments), (5, "damaged".into()));
    }
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(
        failure(&file, &["token", "list", "--json"]),
        (1, "folder".into())
    );
}

#[test]
fn settings_come_from_the_line_then_the_environment_then_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let data = folder.path().join("data");
    let settings = format!(
        "data = {data:?}\nlisten = \"127.0.0.1:1\"\nopen = true\nquota = 1234\n\
         origin = [\"https://one.example\", \"https://two.example\"]\n"
    );
    std::fs::write(&file, settings).unwrap();
    let serve = |line: &[&str], environment: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ebb-relay"));
        command.env_clear().env("EBB_RELAY_CONFIG", &file);
        command.envs(environment.iter().copied());
        command.args(["serve", "--json"]).args(line);
        command.stdin(Stdio::null());
        command
    };
    // No machine has these addresses: the error tells which one was meant.
    let address = |mut command: Command| {
        let output = command.output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let wrong = ("EBB_RELAY_LISTEN", "192.0.2.1:2");
    let said = address(serve(&[], &[wrong]));
    assert!(said.contains("cannot listen on 192.0.2.1:2"), "{said}");
    let said = address(serve(&["--listen", "192.0.2.1:3"], &[wrong]));
    assert!(said.contains("cannot listen on 192.0.2.1:3"), "{said}");
    // From the file: the folder, and that the relay is open, so that there is no token.
    let server = Server::of(serve(&["--listen", "127.0.0.1:0"], &[]));
    assert!(server.ready().get("token").is_none());
    assert!(data.join("relay.sqlite3").exists());
}

#[test]
fn a_slip_in_the_settings_is_told_without_repeating_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let path = file.to_str().unwrap();
    for (settings, told) in [
        ("lisen = \"127.0.0.1:1\"", "`lisen`"),
        ("config = \"other.toml\"", "`config`"),
        ("quota = 1.5", "`quota`"),
        ("[listen]\nport = 1", "`listen`"),
        ("open = [\"true\", \"true\"]", "`open`"),
        ("database = \"postgres://u:secret@", "no TOML"),
        ("database = \"mysql://u:secret@h/d\"", "no address"),
        ("listen = \"nowhere\"", "--listen"),
        ("trusted-proxy = \"10.0.0.0/99\"", "10.0.0.0/99"),
    ] {
        std::fs::write(&file, settings).unwrap();
        let output = run(folder.path(), &["serve", "--json", "--config", path]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{settings}: {said}");
        assert!(said.contains(told), "{settings}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
    let output = run(folder.path(), &["serve", "--config", "missing.toml"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_keeper_s_port_counts_and_tells_health() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--json", "--metrics", "127.0.0.1:0"]);
    let ready = server.ready();
    let url = ready["metrics"].as_str().unwrap();
    let keepers = url.strip_prefix("http://").unwrap();
    let keepers = keepers.strip_suffix("/metrics").unwrap();
    for path in ["/healthz", "/readyz", "/nothing"] {
        get(&server.address(), path);
    }
    let answer = get(keepers, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let healthy = "ebb_relay_requests_total{method=\"GET\",path=\"/healthz\",status=\"200\"} 1\n";
    assert!(answer.contains(healthy), "{answer}");
    assert!(answer.contains("path=\"\",status=\"404\"} 1\n"), "{answer}");
    assert!(get(keepers, "/readyz").starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(get(keepers, "/v1/openapi.json").starts_with("HTTP/1.1 404 "));
    // Only there.
    assert!(get(&server.address(), "/metrics").starts_with("HTTP/1.1 404 "));
}

#[test]
fn an_address_that_asks_too_often_waits_and_health_is_still_told() {
    let folder = tempfile::tempdir().unwrap();
    let limits = [
        "--requests-per-address",
        "3",
        "--trusted-proxy",
        "127.0.0.1",
    ];
    let server = Server::start(folder.path(), &[&["--json"][..], &limits].concat());
    let address = server.address();
    let ask = |from: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let request = format!(
            "GET /v1/journals HTTP/1.1\r\nHost: {address}\r\nX-Forwarded-For: {from}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for _ in 0..3 {
        assert!(ask("192.0.2.7").starts_with("HTTP/1.1 401 "));
    }
    let answer = ask("192.0.2.7");
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: ") && answer.contains("\"limit\":3"));
    // What stands before the address that the proxy saw, anyone can write.
    assert!(ask("192.0.2.9, 192.0.2.7").starts_with("HTTP/1.1 429 "));
    assert!(ask("192.0.2.8").starts_with("HTTP/1.1 401 "));
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200 "));
}
