//! Client certificates say who somebody is, beside passwords and nothing at all.

use std::fs;
use std::path::Path;

use boxyard_acceptance::{
    Authority, Containerd, Docker, Layout, Pair, Podman, Remote, Sandbox, Tool,
};
use boxyard_testkit::{Image, Setup, TestServer};
use serde_json::{Value, json};

use crate::{Users, password, rule};

/// Who is known by what, and to whom the registry shows itself.
pub(crate) struct Keys {
    pub(crate) users: Users,
    authority: Authority,
    server: Pair,
    clients: Authority,
}

impl Keys {
    fn new() -> Self {
        let users = Users::of(&["alice"]);
        let authority = Authority::new(users.folder(), "ca");
        let clients = Authority::new(users.folder(), "clients");
        Self {
            server: authority.server("server"),
            users,
            authority,
            clients,
        }
    }

    /// Asks clients for certificates in this mode, and takes their names from there; `alice` has a password.
    fn config(&self, mode: &str, name: &str) -> Value {
        let mut tls = self.server.tls();
        tls["clientcas"] = json!([self.clients.certificate]);
        tls["clientauth"] = json!(mode);
        let mut auth = self.users.auth();
        auth["certificate"] = json!({ "name": name });
        let rules = [
            rule("certificate:builder", "built/**", &["pull", "push"]),
            rule("alice", "team/**", &["*"]),
            rule("anyone", "public/**", &["pull"]),
        ];
        json!({ "http": { "tls": tls }, "auth": auth, "access": rules })
    }

    /// The certificate of a client of this name.
    pub(crate) fn client(&self, name: &str) -> Pair {
        self.clients.client(name)
    }

    /// Lines of a shell that put the certificates of `builder` where clients look for them.
    fn lines(&self, folder: &Path) -> String {
        let builder = self.client("builder");
        let copies = [
            (&self.authority.certificate, "ca.crt"),
            (&builder.certificate, "client.cert"),
            (&builder.key, "client.key"),
        ];
        let copies = copies.map(|(from, to)| {
            let (from, folder) = (from.display(), folder.display());
            format!("cp '{from}' '{folder}/{to}'\n")
        });
        format!("mkdir -p '{}'\n{}", folder.display(), copies.concat())
    }
}

/// A registry over TLS with all that.
pub(crate) struct Site {
    pub(crate) server: TestServer,
    pub(crate) keys: Keys,
}

impl Site {
    #[track_caller]
    pub(crate) fn new(mode: &str, name: &str, changes: &Value) -> Self {
        let keys = Keys::new();
        let setup = Setup::new().config(&keys.config(mode, name));
        let server = setup.config(changes).start();
        Self { server, keys }
    }

    /// curl that shows a certificate, or none.
    pub(crate) fn curl(&self, client: Option<&Pair>) -> Tool {
        let ca = self.keys.authority.certificate.display();
        let shown = client.map_or_else(String::new, |pair| {
            let (certificate, key) = (pair.certificate.display(), pair.key.display());
            format!("--cert {certificate} --key {key}")
        });
        let words = format!("curl -sS --max-time 30 --cacert {ca} -o /dev/null {shown}");
        Tool::new(self.keys.users.folder(), &words)
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.server.address().port())
    }

    /// The status of an answer to curl with these words.
    #[track_caller]
    pub(crate) fn status(&self, client: Option<&Pair>, words: &str, path: &str) -> String {
        let words = format!("-w %{{http_code}} {words} {}{path}", self.url());
        self.curl(client).run(words)
    }

    /// What beginning uploads in the repositories of the rules is answered by.
    #[track_caller]
    fn pushes(&self, client: Option<&Pair>, words: &str) -> [String; 3] {
        ["built/app", "team/app", "public/app"].map(|repo| {
            let path = format!("/v2/{repo}/blobs/uploads/");
            self.status(client, &format!("-X POST {words}"), &path)
        })
    }
}

const IF_GIVEN: &str = "verify-client-cert-if-given";

#[test]
fn rules_hold_for_who_shows_a_certificate_through_every_version_of_http() {
    let site = Site::new(IF_GIVEN, "cn", &json!({}));
    let builder = site.keys.client("builder");
    let other = site.keys.client("other");
    let alice = format!("--user alice:{}", password("alice"));

    for version in ["--http1.1", "--http2"] {
        let pushes = |client, words: &str| site.pushes(client, &format!("{version} {words}"));
        assert_eq!(pushes(Some(&builder), ""), ["202", "403", "403"]);
        assert_eq!(pushes(Some(&other), ""), ["403", "403", "403"]);
        assert_eq!(pushes(None, ""), ["401", "401", "401"]);
        // Who says more of themselves is who that says.
        assert_eq!(pushes(Some(&builder), &alice), ["403", "202", "403"]);
        assert_eq!(pushes(None, &alice), ["403", "202", "403"]);
        let wrong = "--user alice:wrong";
        assert_eq!(pushes(Some(&builder), wrong), ["401", "401", "401"]);

        for (client, expected) in [(Some(&builder), "200"), (None, "401")] {
            assert_eq!(site.status(client, version, "/v2/"), expected);
        }
        let public = "/v2/public/app/tags/list";
        assert_eq!(site.status(None, version, public), "404");
    }
}

#[test]
fn certificates_of_strangers_and_of_another_time_never_get_to_a_request() {
    let site = Site::new(IF_GIVEN, "cn", &json!({}));
    let folder = site.keys.users.folder().join("strangers");
    fs::create_dir(&folder).unwrap();
    let strangers = Authority::new(&folder, "clients");
    let refused = [
        // It has the name of our authority, but not its key.
        (strangers.client("builder"), "decrypt error"),
        (site.keys.clients.expired_client("builder"), "expired"),
    ];

    for (client, reason) in refused {
        for version in ["--http1.1", "--http2"] {
            let url = site.url();
            let said = site
                .curl(Some(&client))
                .fail(format!("{version} {url}/v2/"));
            assert!(said.contains(reason), "{said}");
        }
    }
}

#[test]
fn a_certificate_that_nobody_verifies_shows_nothing() {
    for mode in ["request-client-cert", "require-any-client-cert"] {
        let site = Site::new(mode, "cn", &json!({}));
        let folder = site.keys.users.folder().join("strangers");
        fs::create_dir(&folder).unwrap();
        let stranger = Authority::new(&folder, "clients").client("builder");

        for client in [&stranger, &site.keys.client("builder")] {
            assert_eq!(
                site.pushes(Some(client), ""),
                ["401", "401", "401"],
                "{mode}"
            );
        }
    }
}

#[test]
fn a_certificate_without_the_name_that_counts_is_nobodys() {
    let site = Site::new(IF_GIVEN, "cn", &json!({}));
    let host = site.keys.clients.host_client("builder");
    assert_eq!(site.pushes(Some(&host), ""), ["401", "401", "401"]);
    assert_eq!(site.status(Some(&host), "", "/v2/"), "401");

    let site = Site::new(IF_GIVEN, "dns", &json!({}));
    let host = site.keys.clients.host_client("builder");
    let named = site.keys.client("builder");
    assert_eq!(site.pushes(Some(&host), ""), ["202", "403", "403"]);
    assert_eq!(site.pushes(Some(&named), ""), ["401", "401", "401"]);
}

#[test]
fn debians_docker_shows_its_certificate_and_pushes_and_pulls() {
    docker(Docker::debian_in);
}

#[test]
fn the_newest_docker_shows_its_certificate_and_pushes_and_pulls() {
    docker(Docker::newest_in);
}

/// Docker shows certificates only where a registry is not on its localhost.
fn docker(start: fn(Sandbox, &Value) -> Docker) {
    let keys = Keys::new();
    let (_registry, clients) = remote(&keys);
    let docker = start(clients, &json!({}));
    let host = Remote::AUTHORITY;
    let own = format!("{host}/built/app:v1");
    docker.load(&Image::with_layers(1, &[10, 20_000]), &own);
    docker.run(format!("image tag {own} {host}/team/app:v1"));
    let files = format!("/etc/docker/certs.d/{host}");
    docker.sandbox().bash(&keys.lines(Path::new(&files)));

    docker.run(format!("image push {own}"));
    docker.run(format!("image rm {own}"));
    docker.run(format!("image pull {own}"));
    let said = docker
        .client()
        .fail(format!("image push {host}/team/app:v1"));
    assert!(
        said.contains("denied") || said.contains("not allowed"),
        "{said}"
    );

    // Without the certificate it is anybody, until it logs in.
    docker.sandbox().bash(&format!("rm '{files}'/client.*"));
    docker.client().fail(format!("image push {own}"));
    docker.run(format!(
        "login --username alice --password {} {host}",
        password("alice")
    ));
    docker.run(format!("image push {host}/team/app:v1"));
}

/// A registry on another machine, and that of its clients.
#[track_caller]
fn remote(keys: &Keys) -> (Remote, Sandbox) {
    let (mut registry, clients) = Remote::new();
    let home = registry.sandbox().home();
    let mut config = keys.config(IF_GIVEN, "cn");
    config["http"]["addr"] = json!(":5000");
    config["version"] = json!("0.1");
    config["storage"] = json!({ "filesystem": { "rootdirectory": home.join("registry") } });
    let written = fs::write(home.join("config.yml"), config.to_string());
    written.expect("write the configuration");
    registry.serve_by("config.yml");
    (registry, clients)
}

#[test]
fn containerd_shows_its_certificate_and_pushes_and_pulls() {
    for start in [Containerd::debian_in, Containerd::newest_in] {
        let keys = Keys::new();
        let (_registry, clients) = remote(&keys);
        let ctr = start(clients);
        let host = Remote::AUTHORITY;
        let hosts = "/etc/containerd/certs.d";
        let files = format!("{hosts}/{host}");
        ctr.sandbox().bash(&keys.lines(Path::new(&files)));
        let lines = format!(
            "server = \"https://{host}\"\n[host.\"https://{host}\"]\nca = \"{files}/ca.crt\"\n\
             client = [[\"{files}/client.cert\", \"{files}/client.key\"]]\n"
        );
        ctr.sandbox()
            .bash(&format!("cat >'{files}/hosts.toml' <<'END'\n{lines}END"));
        let [own, other] = ["built", "team"].map(|repo| format!("{host}/{repo}/app:v1"));
        for name in [&own, &other] {
            let image = Image::with_layers(3, &[10, 20_000]);
            let folder = ctr.sandbox().home().join(&name[host.len() + 1..]);
            let layout = Layout::of_image(&folder, &image, name);
            ctr.run(format!("images import {}", layout.archive().display()));
        }

        ctr.run(format!("images push --hosts-dir {hosts} {own}"));
        ctr.run(format!("images rm --sync {own}"));
        ctr.run(format!("images pull --hosts-dir {hosts} {own}"));
        let push = format!("images push --hosts-dir {hosts} {other}");
        let said = ctr.client().fail(push);
        assert!(said.contains("403"), "{said}");
    }
}

#[test]
fn oras_helm_and_regctl_show_their_certificate_and_push_and_pull() {
    let site = Site::new(IF_GIVEN, "cn", &json!({}));
    // What is called localhost some of them take for one without TLS.
    let host = site.server.address().to_string();
    let home = site.keys.users.folder();
    let builder = site.keys.client("builder");
    let tool = |name: &str| Tool::new(home, name);
    let (oras, helm, regctl) = (tool("oras"), tool("helm"), tool("regctl"));
    let (ca, certificate) = (&site.keys.authority.certificate, &builder.certificate);
    let shown = format!(
        "--ca-file {} --cert-file {} --key-file {}",
        ca.display(),
        certificate.display(),
        builder.key.display()
    );

    fs::write(home.join("file"), "content").unwrap();
    oras.run(format!("push {shown} {host}/built/artifact:v1 file"));
    oras.run(format!("pull {shown} -o back {host}/built/artifact:v1"));
    oras.fail(format!("push {shown} {host}/team/artifact:v1 file"));

    let chart = "apiVersion: v2\nname: greeting\nversion: 1.2.3\n";
    fs::create_dir(home.join("chart")).unwrap();
    fs::write(home.join("chart/Chart.yaml"), chart).unwrap();
    helm.run("package chart");
    let push = format!("push {shown} greeting-1.2.3.tgz oci://{host}");
    helm.run(format!("{push}/built/charts"));
    helm.run(format!(
        "pull {shown} -d back oci://{host}/built/charts/greeting --version 1.2.3"
    ));
    helm.fail(format!("{push}/team/charts"));

    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let texts = [read(ca), read(certificate), read(&builder.key)];
    let [ca, certificate, key] = texts.each_ref();
    let set = ["registry", "set", &host, "--cacert", ca];
    let shown = ["--client-cert", certificate, "--client-key", key];
    regctl.run_words(&[&set[..], &shown].concat());
    let image = Image::with_layers(4, &[10, 20_000]);
    Layout::of_image(&home.join("image"), &image, "image:v1");
    let copy = format!("image copy ocidir://image:v1 {host}");
    regctl.run(format!("{copy}/built/app:v1"));
    regctl.run(format!("manifest get {host}/built/app:v1"));
    regctl.fail(format!("{copy}/team/app:v1"));
}

#[test]
fn podman_and_skopeo_show_their_certificate_and_push_and_pull() {
    let site = Site::new("require-and-verify-client-cert", "cn", &json!({}));
    let host = format!("localhost:{}", site.server.address().port());
    let store = Podman::new();
    let home = store.sandbox().home();
    let image = Image::with_layers(2, &[10, 20_000]);
    let layout = Layout::of_image(&home.join("image"), &image, "image:v1");
    let from = format!("oci:{}:v1", layout.folder().display());
    let certificates = home.join("certs");
    store.sandbox().bash(&site.keys.lines(&certificates));
    let folder = certificates.display();

    let (podman, skopeo) = (store.podman(), store.skopeo());
    skopeo.run(format!(
        "copy --dest-cert-dir {folder} {from} docker://{host}/built/app:v1"
    ));
    podman.run(format!("pull --cert-dir {folder} {host}/built/app:v1"));
    podman.run(format!(
        "push --cert-dir {folder} {host}/built/app:v1 docker://{host}/built/again:v1"
    ));
    let said = skopeo.fail(format!(
        "copy --dest-cert-dir {folder} {from} docker://{host}/team/app:v1"
    ));
    assert!(said.contains("403"), "{said}");
}
