//! Configurations as people and strangers write them, through the built binary.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use boxyard_testkit::{Client, Setup, TestServer, binary, sha256};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Asks about a configuration.
fn check(path: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    command.args(["config", "check"]).arg(path);
    command.envs(variables.iter().copied());
    command.output().expect("run the program")
}

/// What is said about a file with this content, and the exit status.
fn checked(content: &[u8]) -> (Option<i32>, String) {
    let folder = TempDir::new().expect("make a folder");
    let path = folder.path().join("config.yml");
    fs::write(&path, content).expect("write a configuration");
    let output = check(&path, &[]);
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

const START: &str = "version: 0.1\nstorage: {filesystem: {rootdirectory: /tmp/r}}\n";

#[test]
fn broken_and_hostile_files_get_a_clear_error_each() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb = format!("{bomb}a{level}: &a{level} [{aliases}]\n");
    }
    let table: [(Vec<u8>, &str); 9] = [
        (Vec::new(), "`version`: is missing"),
        (vec![b'#'; 10 << 20], "larger than 1024 KiB"),
        (
            b"version: 0.1\n\xff\xfe".to_vec(),
            "line 2 holds other bytes",
        ),
        (b"version: 0.1\0".to_vec(), "line 1 holds other bytes"),
        (b"version: 0.1\nversion: 0.1\n".to_vec(), "is there twice"),
        (b"http:\n\taddr: x\n".to_vec(), "not YAML"),
        ("[".repeat(10_000).into_bytes(), "problem"),
        (bomb.into_bytes(), "larger than any sensible one"),
        (b"\x7fELF\x02\x01\x01\0".to_vec(), "other bytes"),
    ];

    for (content, expected) in table {
        let (status, said) = checked(&content);
        assert_eq!(status, Some(64), "{expected}: {said}");
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn marks_and_line_ends_of_other_systems_do_no_harm() {
    let text = format!("\u{feff}{START}").replace('\n', "\r\n");

    let (status, said) = checked(text.as_bytes());

    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn hundreds_of_errors_are_said_at_once() {
    let keys: Vec<_> = (0..500).map(|number| format!("wrong{number}: 1")).collect();
    let keys = keys.join("\n");

    let (status, said) = checked(format!("{START}{keys}").as_bytes());

    assert_eq!(status, Some(64));
    assert_eq!(said.matches("problem\tline").count(), 500);
}

#[test]
fn folders_and_absent_files_are_named() {
    let folder = TempDir::new().expect("make a folder");

    let is_folder = check(folder.path(), &[]);
    let absent = check(&folder.path().join("no.yml"), &[]);

    for (output, expected) in [(is_folder, "it is a folder"), (absent, "No such file")] {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert_eq!(said.matches(expected).count(), 1, "{said}");
    }
}

#[test]
fn an_unknown_key_is_forgiven_where_that_is_asked_for() {
    let strict = Setup::new().config(&json!({"http": {"adr": "x"}})).refuse();
    let lenient = Setup::new()
        .config(&json!({"http": {"adr": "x"}}))
        .env("BOXYARD_LENIENT", "true")
        .start();

    assert_eq!(strict.status.code(), Some(64));
    assert!(
        strict.log.contains("did you mean `http.addr`?"),
        "{}",
        strict.log
    );
    assert!(lenient.log().contains("unknown key `http.adr`"));
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let folder = TempDir::new().expect("make a folder");
    let secret = folder.path().join("secret");
    let config = folder.path().join("config.yml");
    fs::write(&secret, "hunter2\n").expect("write a secret");
    fs::write(&config, START).expect("write a configuration");
    let path = secret.display().to_string();

    let output = check(&config, &[("REGISTRY_HTTP_SECRET_FILE", &path)]);

    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("http.secret\tworks\t(from "), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_is_no_text_is_told_whether_it_is_a_file_or_a_variable() {
    let folder = TempDir::new().expect("make a folder");
    let config = folder.path().join("config.yml");
    fs::write(&config, START).expect("write a configuration");
    let no_text = OsStr::from_bytes(b"\xff:5000");
    let run = |words: &[&str], name: &str| {
        let mut command = Command::new(binary());
        let output = command.args(words).arg(&config).env(name, no_text).output();
        let output = output.expect("run the program");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.code(), said)
    };

    for words in [&["serve"][..], &["config", "check"]] {
        let (status, said) = run(words, "REGISTRY_HTTP_ADDR");
        assert_eq!(status, Some(64), "{said}");
        assert!(said.contains("REGISTRY_HTTP_ADDR"), "{said}");
        assert!(said.contains("its value is no text in UTF-8"), "{said}");
    }
    // Those of others are nobody's business here.
    let (status, said) = run(&["config", "check"], "SOMETHING");
    assert_eq!(status, Some(0), "{said}");

    fs::write(&config, b"version: 0.1\nlog: {level: \xff}\n").expect("write a configuration");
    for words in [&["serve"][..], &["config", "check"]] {
        let (status, said) = run(words, "SOMETHING");
        assert_eq!(status, Some(64), "{said}");
        assert!(said.contains("line 2 holds other bytes"), "{said}");
    }
}

#[test]
fn errors_of_the_file_and_of_variables_come_together_and_nothing_is_opened() {
    let folder = TempDir::new().expect("make a folder");
    let root = folder.path().join("registry");
    let setup = Setup::new()
        .root(&root)
        .config(&json!({"log": {"level": "loud"}, "catalog": {"maxentrys": 5}, "http": {"prefix": "a b"}}))
        .env("REGISTRY_HTTP_DRAINTIMEOUT", "long")
        .env("REGISTRY_HTTP_SECRET_FILE", "/no/such/file")
        .env("REGISTRY_STORAGE_S3_BUCKET", "b")
        .env("REGISTRY_HTTP_ADR", ":5001");

    let refusal = setup.refuse();

    assert_eq!(refusal.status.code(), Some(64), "{}", refusal.log);
    for expected in [
        "`loud` is unknown",
        "did you mean `catalog.maxentries`?",
        "`http.prefix`: ",
        "REGISTRY_HTTP_DRAINTIMEOUT: `http.draintimeout`: `long` is no duration",
        "REGISTRY_HTTP_SECRET_FILE: the file `/no/such/file`",
        "REGISTRY_STORAGE_S3_BUCKET: `storage.s3` is refused: object stores are not there yet",
        "the variable `REGISTRY_HTTP_ADR` means nothing here: did you mean `REGISTRY_HTTP_ADDR`?",
    ] {
        assert!(
            refusal.log.contains(expected),
            "{expected}: {}",
            refusal.log
        );
    }
    assert!(!root.exists(), "nothing is opened");
}

#[test]
fn the_exit_status_of_a_check_says_whether_it_can_be_served_by() {
    let folder = TempDir::new().expect("make a folder");
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("write a configuration");
        path
    };
    let good = path("good.yml", &format!("{START}redis: {{addr: x}}\n"));
    let unknown = path("unknown.yml", &format!("{START}htttp: {{}}\n"));
    let wrong = path("wrong.yml", &format!("{START}http: {{draintimeout: x}}\n"));
    let nothing = ("BOXYARD_LENIENT", "false");
    let lenient = ("BOXYARD_LENIENT", "true");
    let table = [
        (good.as_path(), nothing, 0),
        (&unknown, nothing, 64),
        (&unknown, lenient, 0),
        (&wrong, nothing, 64),
        (&wrong, lenient, 64),
        (&good, ("REGISTRY_HTTP_ADR", "x"), 0),
        (folder.path(), nothing, 64),
    ];

    for (path, variable, expected) in table {
        let output = check(path, &[variable]);
        let status = output.status.code();
        assert_eq!(status, Some(expected), "{}: {output:?}", path.display());
    }
}

#[test]
fn help_names_leniency_and_secrets_from_files() {
    for words in [&["serve", "--help"][..], &["config", "check", "--help"]] {
        let output = Command::new(binary()).args(words).output();
        let output = output.expect("run the program");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();

        assert!(output.status.success());
        for expected in [
            "--lenient",
            "BOXYARD_LENIENT",
            "$REGISTRY_HTTP_SECRET_FILE",
            "!file PATH",
            "$REGISTRY_CONFIGURATION_PATH",
        ] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
}

/// Configurations and variables that distribution takes.
fn taken_by_distribution() -> Vec<(Value, &'static [(&'static str, &'static str)])> {
    let files = [
        json!({}),
        json!({"log": {"level": "Debug", "formatter": "json", "fields": {"a": 1}, "reportcaller": true}}),
        json!({"log": {"accesslog": {"disabled": true}}, "loglevel": "warn"}),
        json!({"storage": {"cache": {"blobdescriptor": "inmemory"}, "redirect": {"disable": true}}}),
        json!({"storage": {"maintenance": {"uploadpurging": {
            "enabled": true, "age": "168h", "interval": "24h", "dryrun": false}}}}),
        json!({"storage": {"maintenance": {"readonly": {"enabled": true}}}}),
        json!({"storage": {"delete": {"enabled": false}}}),
        json!({"storage": {"delete": null}}),
        json!({"http": {"secret": "a", "relativeurls": true, "draintimeout": "1s", "http2": {"disabled": true}}}),
        json!({"http": {"host": "http://registry.example", "headers": {"X-A": ["b"]}, "tls": {"certificate": ""}}}),
        json!({"catalog": {"maxentries": -1}}),
        json!({"catalog": {"maxentries": 2000}}),
        json!({"validation": {"manifests": {"urls": {"allow": ["^https://"], "deny": ["x"]}}}}),
        json!({"validation": {"enabled": false, "disabled": true}}),
        json!({"policy": {"repository": {"classes": ["image"]}}}),
        json!({"reporting": {"bugsnag": {"releasestage": "x"}}, "compatibility": {"schema1": {"enabled": true}}}),
        json!({"health": {"storagedriver": {"enabled": true, "interval": "1s", "threshold": 3}}}),
        json!({"notifications": {"endpoints": [{"name": "a", "url": "http://127.0.0.1:1/", "disabled": true}]}}),
    ];
    let variables: [&[_]; 9] = [
        &[("REGISTRY_CATALOG_MAXENTRIES", "0x7d0")],
        &[("REGISTRY_HTTP_HEADERS", "{X-A: [b]}")],
        &[("REGISTRY_HTTP_HEADERS_X-A", "[b]")],
        &[("REGISTRY_STORAGE_DELETE_ENABLED", "no")],
        &[("REGISTRY_STORAGE_DELETE", "{enabled: false}")],
        &[("REGISTRY_STORAGE_MAINTENANCE_READONLY", "{enabled: true}")],
        // It takes the place of all that the file has there.
        &[("REGISTRY_STORAGE", "inmemory")],
        &[
            ("REGISTRY_HTTP_ADR", "x"),
            ("REGISTRY_PORT", "tcp://10.0.0.1:5000"),
        ],
        &[
            ("REGISTRY_LOG_LEVEL", "error"),
            ("REGISTRY_LOG_FIELDS_A", "b"),
        ],
    ];
    let files = files.into_iter().map(|file| (file, &[][..]));
    let variables = variables.map(|variables| (json!({}), variables));
    files.chain(variables).collect()
}

/// What a client sees of a configuration.
fn seen(server: &TestServer) -> Value {
    let client = Client::of(server);
    let read = client.get("/v2/").into_result().expect("an answer");
    let begun = client.begin_upload("app").into_result().expect("an answer");
    let location = begun.header("location").unwrap_or_default();
    let absent = format!("/v2/app/manifests/{}", sha256("absent"));
    json!({
        "read": read.status,
        "header": read.header("x-a"),
        "too many": client.get("/v2/_catalog?n=1001").status(),
        "begun": begun.status,
        "at the host": location.starts_with("http://registry.example/v2/"),
        "deleted": client.delete(&absent).status(),
    })
}

#[test]
fn what_both_distributions_take_is_taken_and_does_the_same() {
    let programs = [
        Some(boxyard_acceptance::tools().join("bin/registry-3.1.1")),
        Some("/usr/bin/docker-registry".into()),
        None,
    ];
    for (config, variables) in taken_by_distribution() {
        let answers = programs.clone().map(|program| {
            let mut setup = Setup::new().config(&config);
            for (name, value) in variables {
                setup = setup.env(name, value);
            }
            if let Some(program) = program {
                setup = setup.program(program);
            }
            seen(&setup.start())
        });
        assert_eq!(answers[2], answers[0], "as 3.1.1: {config} {variables:?}");
        assert_eq!(answers[2], answers[1], "as 2.8.2: {config} {variables:?}");
    }
}
