//! Anyone may pull, and who has logged in may push: with every client that people use.

#![expect(clippy::unwrap_used, reason = "what a test cannot do, fails it")]

use std::fs;

use boxyard_acceptance::{Containerd, Docker, Layout, Network, Podman, Tool};
use boxyard_testkit::{Client, Image, Setup, TestServer, binary};
use serde_json::json;
use tempfile::TempDir;

/// A registry with a user `alice`, whose password is a hash of some cost.
struct Site {
    server: TestServer,
    _files: TempDir,
}

impl Site {
    fn new(anyone_may_pull: bool) -> Self {
        let files = TempDir::new().unwrap();
        let path = files.path().join("htpasswd");
        let word = files.path().join("word");
        fs::write(&word, "s3cret\n").unwrap();
        let made = std::process::Command::new(binary())
            .args(["htpasswd", "--stdin", "--cost", "11"])
            .args([path.as_os_str(), "alice".as_ref()])
            .stdin(fs::File::open(&word).unwrap())
            .status();
        assert!(made.unwrap().success());
        let mut rules = vec![json!({"who": "alice", "repositories": "**", "actions": "*"})];
        if anyone_may_pull {
            rules.push(json!({"who": "anyone", "repositories": "**", "actions": "pull"}));
        }
        let server = Setup::new()
            .config(&json!({"auth": {"htpasswd": {"path": path}}, "access": rules}))
            .start();
        Self {
            server,
            _files: files,
        }
    }

    fn host(&self) -> String {
        self.server.address().to_string()
    }

    fn has(&self, repo: &str) {
        let alice = Client::of(&self.server).with_login("alice", "s3cret");
        alice.pull_image(repo, "v1");
    }
}

const LOGIN: &str = "--username alice --password s3cret";

#[test]
fn debians_docker_logs_in_pushes_and_pulls() {
    docker(&Docker::debian(Network::Machine));
}

#[test]
fn the_newest_docker_logs_in_pushes_and_pulls() {
    docker(&Docker::newest(Network::Machine));
}

fn docker(docker: &Docker) {
    for anyone_may_pull in [true, false] {
        let site = Site::new(anyone_may_pull);
        let (host, client) = (site.host(), docker.client());
        let name = format!("{host}/team/app:v1");
        docker.load(&Image::with_layers(1, &[10, 20_000]), &name);

        let said = client.fail(format!("image push {name}"));
        assert!(
            said.contains("denied")
                || said.contains("unauthorized")
                || said.contains("no basic auth"),
            "{said}"
        );
        let said = client.fail(format!("login --username alice --password wrong {host}"));
        assert!(said.to_lowercase().contains("unauthorized"), "{said}");
        docker.run(format!("login {LOGIN} {host}"));
        docker.run(format!("image push {name}"));
        docker.run(format!("image rm {name}"));
        docker.run(format!("image pull {name}"));
        docker.run(format!("logout {host}"));
        docker.run(format!("image rm {name}"));
        assert_eq!(
            client.succeeds(format!("image pull {name}")),
            anyone_may_pull
        );

        site.has("team/app");
    }
}

#[test]
fn buildx_logs_in_pulls_and_pushes() {
    let docker = Docker::newest(Network::Machine);
    let home = docker.sandbox().home();
    let socket = format!("unix://{}/docker.sock", home.display());
    let buildx = docker.sandbox().tool("buildx").env("DOCKER_HOST", &socket);
    for anyone_may_pull in [true, false] {
        let site = Site::new(anyone_may_pull);
        let host = site.host();
        let image = Image::with_layers(7, &[10, 20_000]);
        let alice = Client::of(&site.server).with_login("alice", "s3cret");
        alice.push_image("team/base", "v1", &image).expect(201);
        let lines = format!("FROM {host}/team/base:v1\nCOPY file /\n");
        let context = home.join("context");
        fs::create_dir_all(&context).unwrap();
        fs::write(context.join("Dockerfile"), lines).unwrap();
        fs::write(context.join("file"), &host).unwrap();
        let build = format!(
            "build --progress plain --provenance false --push --tag {host}/team/app:v1 context"
        );

        buildx.fail(&build);
        docker.run(format!("login {LOGIN} {host}"));
        buildx.run(&build);

        site.has("team/app");
    }
}

#[test]
fn podman_buildah_and_skopeo_log_in_push_and_pull() {
    for anyone_may_pull in [true, false] {
        let site = Site::new(anyone_may_pull);
        let (store, host) = (Podman::new(), site.host());
        let home = store.sandbox().home();
        let image = Image::with_layers(2, &[10, 20_000]);
        let layout = Layout::of_image(&home.join("image"), &image, "image:v1");
        let from = format!("oci:{}:v1", layout.folder().display());
        let (podman, buildah, skopeo) = (store.podman(), store.buildah(), store.skopeo());
        let put = format!("copy --dest-tls-verify=false {from} docker://{host}");

        skopeo.fail(format!("{put}/team/app:v1"));
        podman.fail(format!(
            "login --tls-verify=false --username alice --password x {host}"
        ));
        podman.run(format!("login --tls-verify=false {LOGIN} {host}"));
        skopeo.run(format!("{put}/team/app:v1"));
        podman.run(format!("pull --tls-verify=false {host}/team/app:v1"));
        podman.run(format!(
            "push --tls-verify=false {host}/team/app:v1 docker://{host}/team/podman:v1"
        ));
        buildah.run(format!(
            "push --tls-verify=false {host}/team/app:v1 docker://{host}/team/buildah:v1"
        ));
        podman.run(format!("logout {host}"));
        let get = format!("pull --tls-verify=false {host}/team/podman:v1");
        assert_eq!(podman.succeeds(get), anyone_may_pull);

        for repo in ["team/app", "team/podman", "team/buildah"] {
            site.has(repo);
        }
    }
}

#[test]
fn who_may_not_do_all_gets_as_much_of_a_token_for_all_as_they_may() {
    let files = TempDir::new().unwrap();
    let path = files.path().join("htpasswd");
    let word = files.path().join("word");
    fs::write(&word, "s3cret\n").unwrap();
    for user in ["alice", "cleaner"] {
        let made = std::process::Command::new(binary())
            .args(["htpasswd", "--stdin", "--cost", "4"])
            .args([path.as_os_str(), user.as_ref()])
            .stdin(fs::File::open(&word).unwrap())
            .status();
        assert!(made.unwrap().success());
    }
    let rules = [
        json!({"who": "alice", "repositories": "**", "actions": "*"}),
        json!({"who": "cleaner", "repositories": "**", "actions": ["pull", "delete"]}),
        json!({"who": "anyone", "repositories": "**", "actions": "pull"}),
    ];
    let server = Setup::new()
        .config(&json!({"auth": {"htpasswd": {"path": path}}, "access": rules}))
        .start();
    let alice = Client::of(&server).with_login("alice", "s3cret");
    let image = Image::with_layers(8, &[10]);
    alice.push_image("app", "v1", &image).expect(201);
    let cleaner = Client::of(&server).with_login("cleaner", "s3cret");

    let granted = cleaner.get("/v2/token?scope=repository:app:*").expect(200);
    assert_eq!(granted.json()["scope"], "repository:app:delete,pull");
    let skopeo = Podman::new();
    let name = format!("docker://{}/app:v1", server.address());
    let login = "--creds cleaner:s3cret --tls-verify=false";
    skopeo
        .skopeo()
        .fail(format!("delete --tls-verify=false {name}"));
    skopeo.skopeo().run(format!("delete {login} {name}"));
    alice.get_manifest("app", "v1").expect(404);
}

#[test]
fn debians_ctr_pushes_with_a_password_and_pulls_without() {
    ctr(&Containerd::debian());
}

#[test]
fn the_newest_ctr_pushes_with_a_password_and_pulls_without() {
    ctr(&Containerd::newest());
}

fn ctr(ctr: &Containerd) {
    let site = Site::new(true);
    let name = format!("{}/team/app:v1", site.host());
    let image = Image::with_layers(4, &[10, 20_000]);
    let layout = Layout::of_image(&ctr.sandbox().home().join("image"), &image, &name);
    ctr.run(format!("images import {}", layout.archive().display()));

    ctr.run(format!(
        "images push --plain-http --user alice:s3cret {name}"
    ));
    ctr.run(format!("images rm --sync {name}"));
    ctr.run(format!("images pull --plain-http {name}"));

    site.has("team/app");
}

#[test]
fn crane_oras_and_regctl_log_in_push_and_pull() {
    for anyone_may_pull in [true, false] {
        let site = Site::new(anyone_may_pull);
        let (home, host) = (TempDir::new().unwrap(), site.host());
        let tool = |name: &str| Tool::new(home.path(), name);
        let (crane, oras, regctl) = (tool("crane"), tool("oras"), tool("regctl"));
        let image = Image::with_layers(5, &[10, 20_000]);
        Layout::of_image(&home.path().join("from"), &image, "image:v1");

        crane.fail(format!("push from {host}/team/crane:v1"));
        crane.run(format!("auth login {host} {LOGIN}"));
        crane.run(format!("push from {host}/team/crane:v1"));
        oras.run(format!("login --plain-http {LOGIN} {host}"));
        oras.run(format!(
            "cp --from-oci-layout from:v1 --to-plain-http {host}/team/oras:v1"
        ));
        regctl.run(format!("registry set --tls disabled {host}"));
        regctl.run(format!("registry login --user alice --pass s3cret {host}"));
        regctl.run(format!(
            "image copy {host}/team/oras:v1 {host}/team/regctl:v1"
        ));
        for repo in ["team/crane", "team/oras", "team/regctl"] {
            site.has(repo);
        }

        crane.run(format!("auth logout {host}"));
        regctl.run(format!("registry logout {host}"));
        let pulls = [
            crane.succeeds(format!("pull {host}/team/crane:v1 crane.tar")),
            regctl.succeeds(format!("manifest get {host}/team/regctl:v1")),
        ];
        assert_eq!(pulls, [anyone_may_pull; 2]);
    }
}

#[test]
fn helm_logs_in_pushes_and_pulls() {
    for anyone_may_pull in [true, false] {
        let site = Site::new(anyone_may_pull);
        let (home, host) = (TempDir::new().unwrap(), site.host());
        let helm = Tool::new(home.path(), "helm");
        let chart = "apiVersion: v2\nname: greeting\nversion: 1.2.3\n";
        for folder in ["chart", "back"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        fs::write(home.path().join("chart/Chart.yaml"), chart).unwrap();
        helm.run("package chart");
        let push = format!("push --plain-http greeting-1.2.3.tgz oci://{host}/charts");
        let pull = format!(
            "pull --plain-http --destination back oci://{host}/charts/greeting --version 1.2.3"
        );

        helm.fail(&push);
        helm.fail(format!(
            "registry login --plain-http --username alice --password wrong {host}"
        ));
        helm.run(format!("registry login --plain-http {LOGIN} {host}"));
        helm.run(&push);
        helm.run(&pull);

        let [sent, back] = ["greeting-1.2.3.tgz", "back/greeting-1.2.3.tgz"]
            .map(|file| fs::read(home.path().join(file)).unwrap());
        assert!(sent == back);
        helm.run(format!("registry logout {host}"));
        assert_eq!(helm.succeeds(&pull), anyone_may_pull);
    }
}

#[test]
fn cosign_logs_in_signs_and_verifies() {
    for anyone_may_pull in [true, false] {
        let site = Site::new(anyone_may_pull);
        let (home, host) = (TempDir::new().unwrap(), site.host());
        let cosign = Tool::new(home.path(), "cosign").env("COSIGN_PASSWORD", "");
        cosign.run("generate-key-pair");
        let image = Image::with_layers(6, &[10]);
        let alice = Client::of(&site.server).with_login("alice", "s3cret");
        alice.push_image("team/app", "v1", &image).expect(201);
        let name = format!("{host}/team/app@{}", image.manifest.digest);
        let sign =
            format!("sign --yes --key cosign.key --tlog-upload=false --allow-http-registry {name}");
        let verify =
            format!("verify --key cosign.pub --insecure-ignore-tlog --allow-http-registry {name}");

        cosign.fail(&sign);
        cosign.run(format!("login {LOGIN} {host}"));
        cosign.fail(&verify);
        cosign.run(&sign);
        cosign.run(&verify);

        fs::remove_file(home.path().join(".docker/config.json")).unwrap();
        assert_eq!(cosign.succeeds(&verify), anyone_may_pull);
    }
}

#[test]
fn a_push_of_many_requests_pays_for_its_password_once() {
    let site = Site::new(false);
    let alice = Client::of(&site.server).with_login("alice", "s3cret");
    let before = std::time::Instant::now();
    alice.check().expect(200);
    let login = before.elapsed();

    let before = std::time::Instant::now();
    for _ in 0..100 {
        alice.check().expect(200);
    }

    // A hundred requests that each paid would take a hundred logins.
    assert!(
        before.elapsed() < login * 20,
        "{:?} after {login:?}",
        before.elapsed()
    );
}
