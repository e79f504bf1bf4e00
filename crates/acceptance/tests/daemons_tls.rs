//! Daemons and clients that reach the registry over a network: what they refuse, and how they come to trust it.

use boxyard_acceptance::{Authority, Containerd, Docker, Layout, Podman, Remote, Sandbox};
use boxyard_testkit::Image;
use serde_json::{Value, json};

/// How an engine is started on a machine, with a configuration.
type Start = fn(Sandbox, &Value) -> Docker;

const ENGINES: [Start; 2] = [Docker::debian_in, Docker::newest_in];

/// What every engine says of a registry without TLS.
const REFUSED: &str = "server gave HTTP response to HTTPS client";

#[test]
fn docker_refuses_a_registry_without_tls_that_is_not_on_its_localhost() {
    for start in ENGINES {
        let (mut registry, clients) = Remote::new();
        registry.serve(&json!({}));
        let docker = start(clients, &json!({}));
        let name = load(&docker);

        let refused = docker.client().fail(format!("image push {name}"));

        assert!(refused.contains(REFUSED), "{refused}");
        let refused = docker.client().fail(format!("image pull {name}"));
        assert!(refused.contains(REFUSED), "{refused}");
    }
}

#[test]
fn docker_takes_a_registry_without_tls_that_its_configuration_names_as_insecure() {
    for start in ENGINES {
        let (mut registry, clients) = Remote::new();
        registry.serve(&json!({}));
        let insecure = json!({ "insecure-registries": [Remote::AUTHORITY] });
        let docker = start(clients, &insecure);

        push_and_pull(&docker);
    }
}

#[test]
fn docker_takes_our_own_certificate_once_the_printed_lines_were_pasted() {
    for start in ENGINES {
        let (registry, clients) = Remote::new();
        let (_registry, lines) = secured(registry);
        let docker = start(clients, &json!({}));
        let name = load(&docker);
        let refused = docker.client().fail(format!("image push {name}"));
        assert!(refused.contains("unknown authority"), "{refused}");

        docker.sandbox().bash(&lines);

        push_and_pull(&docker);
    }
}

#[test]
fn podman_buildah_and_skopeo_take_our_own_certificate_once_the_printed_lines_were_pasted() {
    let (registry, clients) = Remote::new();
    let (_registry, lines) = secured(registry);
    let podman = Podman::within(clients);
    let layout = layout(podman.sandbox());
    let copy = format!("copy oci:{layout} docker://{}/app:v1", Remote::AUTHORITY);
    let refused = podman.skopeo().fail(&copy);
    assert!(refused.contains("unknown authority"), "{refused}");

    podman.sandbox().bash(&lines);

    podman.skopeo().run(&copy);
    podman
        .podman()
        .run(format!("pull {}/app:v1", Remote::AUTHORITY));
    podman
        .podman()
        .run(format!("push {0}/app:v1 {0}/again:v1", Remote::AUTHORITY));
    podman
        .buildah()
        .run(format!("pull {}/again:v1", Remote::AUTHORITY));
}

#[test]
fn containerd_takes_our_own_certificate_once_the_printed_lines_were_pasted() {
    for start in [Containerd::debian_in, Containerd::newest_in] {
        let (registry, clients) = Remote::new();
        let (_registry, lines) = secured(registry);
        let containerd = start(clients);
        let archive = archive(containerd.sandbox());
        let name = format!("{}/app:v1", Remote::AUTHORITY);
        containerd.run(format!("image import {archive}"));
        let refused = containerd.client().fail(format!("image push {name}"));
        assert!(refused.contains("unknown authority"), "{refused}");

        containerd.sandbox().bash(&lines);

        let folder = "--hosts-dir /etc/containerd/certs.d";
        containerd.run(format!("image push {folder} {name}"));
        containerd.run(format!("image rm {name}"));
        containerd.run(format!("image pull {folder} {name}"));
    }
}

#[test]
fn clients_of_the_systems_store_take_our_own_certificate_once_the_printed_lines_were_pasted() {
    let (registry, clients) = Remote::new();
    let (_registry, lines) = secured(registry);
    let layout = layout(&clients);
    let push = format!("push {layout} {}/app:v1", Remote::AUTHORITY);
    let crane = clients.tool("crane");
    let refused = crane.fail(&push);
    assert!(refused.contains("unknown authority"), "{refused}");

    clients.bash(&lines);

    crane.run(&push);
    let oras = clients.tool("oras");
    oras.run(format!("manifest fetch {}/app:v1", Remote::AUTHORITY));
    let helm = clients.tool("helm");
    helm.run("create chart");
    helm.run("package chart");
    helm.run(format!(
        "push chart-0.1.0.tgz oci://{}/charts",
        Remote::AUTHORITY
    ));
    helm.run(format!(
        "pull oci://{}/charts/chart --destination chart",
        Remote::AUTHORITY
    ));
}

#[test]
fn docker_and_podman_show_the_certificates_that_a_registry_demands_of_its_clients() {
    for start in ENGINES {
        let (registry, clients) = Remote::new();
        let (_registry, lines) = demanding(registry, &clients);
        let docker = start(clients, &json!({}));
        docker.sandbox().bash(&lines);
        let name = load(&docker);
        docker.client().fail(format!("image push {name}"));

        show_certificate(docker.sandbox(), "/etc/docker/certs.d");

        push_and_pull(&docker);
    }
    let (registry, clients) = Remote::new();
    let (_registry, lines) = demanding(registry, &clients);
    let podman = Podman::within(clients);
    podman.sandbox().bash(&lines);
    let layout = layout(podman.sandbox());
    let copy = format!("copy oci:{layout} docker://{}/app:v1", Remote::AUTHORITY);
    podman.skopeo().fail(&copy);

    show_certificate(podman.sandbox(), "/etc/containers/certs.d");

    podman.skopeo().run(&copy);
    podman
        .podman()
        .run(format!("pull {}/app:v1", Remote::AUTHORITY));
}

/// Starts a registry that serves only clients with certificates, of which the client gets one in its home.
#[track_caller]
fn demanding(mut registry: Remote, clients: &Sandbox) -> (Remote, String) {
    let said = registry
        .boxyard()
        .run(format!("certificate {} --out tls", Remote::NAME));
    let home = registry.sandbox().home();
    let authority = Authority::new(home, "clients");
    let alice = authority.client("alice");
    for (from, to) in [
        (&alice.certificate, "client.cert"),
        (&alice.key, "client.key"),
    ] {
        std::fs::copy(from, clients.home().join(to)).expect("hand a certificate over");
    }
    let tls = json!({
        "certificate": home.join(format!("tls/{}.crt", Remote::NAME)),
        "key": home.join(format!("tls/{}.key", Remote::NAME)),
        "clientcas": [authority.certificate],
    });
    registry.serve(&json!({ "tls": tls }));
    (registry, part(&said, "# On every client", "# Fedora"))
}

/// Puts the certificate of the client beside the authority that it trusts.
#[track_caller]
fn show_certificate(sandbox: &Sandbox, folders: &str) {
    let home = sandbox.home().display();
    sandbox.bash(&format!(
        "cp {home}/client.cert {home}/client.key {folders}/{}/",
        Remote::AUTHORITY
    ));
}

/// Starts the registry by what the command prints for it, and returns what it prints for clients.
#[track_caller]
fn secured(mut registry: Remote) -> (Remote, String) {
    let said = registry
        .boxyard()
        .run(format!("certificate {} --out tls", Remote::NAME));
    let own = part(&said, "http:\n", "# On every client");
    let config =
        format!("version: 0.1\nstorage: {{filesystem: {{rootdirectory: registry}}}}\n{own}");
    std::fs::write(registry.sandbox().home().join("config.yml"), config)
        .expect("write the configuration");
    registry.serve_by("config.yml");
    (registry, part(&said, "# On every client", "# Fedora"))
}

fn layout(sandbox: &Sandbox) -> String {
    let folder = sandbox.home().join("layout");
    let name = format!("{}/app:v1", Remote::AUTHORITY);
    Layout::of_image(&folder, &Image::with_layers(1, &[10, 20_000]), &name);
    folder.display().to_string()
}

fn archive(sandbox: &Sandbox) -> String {
    let folder = sandbox.home().join("layout");
    let name = format!("{}/app:v1", Remote::AUTHORITY);
    let layout = Layout::of_image(&folder, &Image::with_layers(1, &[10, 20_000]), &name);
    layout.archive().display().to_string()
}

/// The lines from the one that begins with `from` to before the one that begins with `to`.
#[track_caller]
fn part(said: &str, from: &str, to: &str) -> String {
    let start = said.find(from).expect("the first line of the part");
    let length = said[start..].find(to).expect("the line after the part");
    said[start..start + length].to_owned()
}

/// Loads an image under a name in the registry.
fn load(docker: &Docker) -> String {
    let name = format!("{}/some/app:v1", Remote::AUTHORITY);
    docker.load(&Image::with_layers(1, &[10, 20_000]), &name);
    name
}

fn push_and_pull(docker: &Docker) {
    let name = load(docker);
    let before = docker.inspect(&name);
    docker.run(format!("image push {name}"));
    docker.run(format!("image rm {name}"));

    docker.run(format!("image pull {name}"));

    assert_eq!(docker.inspect(&name)["RootFS"], before["RootFS"]);
}
