//! Certificates of clients: who must show one, and which are believed.

use std::fs;

use boxyard_acceptance::{Authority, Boxyard, Pair, Tool, go_program, tools};
use boxyard_testkit::{Image, Setup, TestServer, eventually};
use serde_json::json;
use tempfile::TempDir;

/// Certificates of a server, of its clients, and of strangers.
struct Certificates {
    folder: TempDir,
    authority: Authority,
    server: Pair,
    clients: Authority,
    client: Pair,
    stranger: Pair,
}

impl Certificates {
    fn new() -> Self {
        let folder = TempDir::new().expect("make a folder");
        let authority = Authority::new(folder.path(), "ca");
        let clients = Authority::new(folder.path(), "clients");
        let strangers = Authority::new(folder.path(), "strangers");
        Self {
            server: authority.server("server"),
            client: clients.client("client"),
            stranger: strangers.client("stranger"),
            authority,
            clients,
            folder,
        }
    }

    /// A server that asks clients as `mode` says, and by default.
    fn asking(&self, mode: Option<&str>) -> TestServer {
        self.setup(mode).start()
    }

    fn setup(&self, mode: Option<&str>) -> Setup {
        let mut tls = self.server.tls();
        tls["clientcas"] = json!([self.clients.certificate]);
        if let Some(mode) = mode {
            tls["clientauth"] = json!(mode);
        }
        Setup::new().config(&json!({ "http": { "tls": tls } }))
    }

    fn curl(&self, client: Option<&Pair>) -> Tool {
        let ca = self.authority.certificate.display();
        let shown = client.map_or_else(String::new, |pair| {
            format!(
                "--cert {} --key {}",
                pair.certificate.display(),
                pair.key.display()
            )
        });
        Tool::new(
            self.folder.path(),
            &format!("curl -sS --max-time 30 --cacert {ca} {shown}"),
        )
    }
}

/// Each mode, and whether it serves nobody known, strangers, and clients.
const MODES: [(Option<&str>, [bool; 3]); 5] = [
    (None, [false, false, true]),
    (Some("require-and-verify-client-cert"), [false, false, true]),
    (Some("verify-client-cert-if-given"), [true, false, true]),
    (Some("require-any-client-cert"), [false, true, true]),
    (Some("request-client-cert"), [true, true, true]),
];

#[test]
fn every_mode_serves_whom_its_name_says() {
    let certificates = Certificates::new();
    let clients = [
        None,
        Some(&certificates.stranger),
        Some(&certificates.client),
    ];

    for (mode, expected) in MODES {
        let server = certificates.asking(mode);
        let url = format!("https://{}/v2/", server.address());
        for version in ["--tls-max 1.2", "--tlsv1.3"] {
            let answers = clients.map(|client| {
                certificates
                    .curl(client)
                    .succeeds(format!("{version} {url}"))
            });
            assert_eq!(answers, expected, "{mode:?} {version}: {}", server.log());
        }
    }
}

#[test]
fn every_mode_serves_clients_in_go_as_distribution_does() {
    let certificates = Certificates::new();
    let program = go_program("shown").display().to_string();
    let go = Tool::new(certificates.folder.path(), &program);
    let ca = certificates.authority.certificate.display();
    let shown = |client: Option<&Pair>| {
        client.map_or_else(String::new, |pair| {
            format!("{} {}", pair.certificate.display(), pair.key.display())
        })
    };
    let clients = [
        None,
        Some(&certificates.stranger),
        Some(&certificates.client),
    ]
    .map(shown);

    for (mode, expected) in MODES {
        let ours = certificates.asking(mode);
        let distribution = certificates
            .setup(mode)
            .program(tools().join("bin/registry-3.1.1"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .start();
        for server in [&ours, &distribution] {
            let url = format!("https://{}/v2/", server.address());
            for version in ["1.2", "1.3"] {
                let answers = clients
                    .each_ref()
                    .map(|client| go.succeeds(format!("{url} {ca} {version} {client}")));
                assert_eq!(answers, expected, "{mode:?} {version}: {}", server.log());
            }
        }
    }
}

#[test]
fn whoever_is_refused_is_told_why() {
    let certificates = Certificates::new();
    let server = certificates.asking(None);
    let url = format!("https://{}/v2/", server.address());

    let nobody = certificates.curl(None).fail(&url);
    let stranger = certificates.curl(Some(&certificates.stranger)).fail(&url);

    assert!(nobody.contains("certificate required"), "{nobody}");
    assert!(stranger.contains("unknown ca"), "{stranger}");
    for reason in ["peer sent no certificates", "UnknownIssuer"] {
        eventually("the log to say why", || {
            server.log().contains(reason).then_some(())
        });
    }
}

#[test]
fn the_health_check_takes_a_registry_that_asks_for_certificates_for_a_healthy_one() {
    let certificates = Certificates::new();

    for mode in [None, Some("verify-client-cert-if-given")] {
        let mut server = certificates.asking(mode);
        Boxyard::of(&server).succeed(&["healthcheck"]);
        let url = format!("https://{}/v2/", server.address());
        Boxyard::of(&server).succeed(&["healthcheck", "--url", &url]);
        server.stop();
        Boxyard::of(&server).run(&["healthcheck"]).fails();
    }
}

#[test]
fn clients_in_go_push_large_layers_through_http_2() {
    let certificates = Certificates::new();
    let http = json!({ "tls": certificates.server.tls() });
    let server = Setup::new().config(&json!({ "http": http })).start();
    let image = Image::with_layers(1, &[24 << 20; 6]);
    let archive = certificates.folder.path().join("image.tar");
    fs::write(&archive, image.archive("a:latest")).expect("write");
    let crane = Tool::new(certificates.folder.path(), "crane").env(
        "SSL_CERT_FILE",
        &certificates.authority.certificate.display().to_string(),
    );
    let name = format!("localhost:{}/a:latest", server.address().port());

    let pushed = crane.run(format!("push {} {name}", archive.display()));
    crane.run(format!(
        "pull {name} {}/pulled.tar",
        certificates.folder.path().display()
    ));

    assert!(pushed.contains("a@sha256:"), "{pushed}");
    let log = server.log();
    assert!(
        log.contains("PATCH") && !log.contains(" HTTP/1.1\""),
        "{log}"
    );
}
