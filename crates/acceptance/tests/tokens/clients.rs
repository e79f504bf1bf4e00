//! More clients, and tokens that end while something is pushed.

use std::fs;

use boxyard_acceptance::{Containerd, Layout, Tool};
use boxyard_testkit::http::Body;
use boxyard_testkit::token::TokenServer;
use boxyard_testkit::{Client, Image, Noise, eventually, sha256};
use serde_json::json;
use tempfile::TempDir;

use crate::{Pair, login, push_access};

#[test]
fn debians_ctr_gets_tokens_and_pushes_and_pulls() {
    ctr_pushes_and_pulls(&Containerd::debian());
}

#[test]
fn the_newest_ctr_gets_tokens_and_pushes_and_pulls() {
    ctr_pushes_and_pulls(&Containerd::newest());
}

fn ctr_pushes_and_pulls(ctr: &Containerd) {
    let pair = Pair::start();
    let name = format!("{}/some/app:v1", pair.registry.address());
    let user = format!("--user {}:{}", TokenServer::USER, TokenServer::PASSWORD);
    let image = Image::with_layers(4, &[10, 20_000]);
    let layout = Layout::of_image(&ctr.sandbox().home().join("image"), &image, &name);
    ctr.run(format!("images import {}", layout.archive().display()));

    ctr.run(format!("images push --plain-http {user} {name}"));
    ctr.run(format!("images rm --sync {name}"));
    // Without a user it gets a token of what anybody may do.
    ctr.run(format!("images pull --plain-http {name}"));

    pair.was_asked_by("POST", Some("alice"));
    pair.was_asked_by("GET", None);
}

#[test]
fn regctl_gets_tokens_and_copies_there_and_back() {
    let pair = Pair::start();
    let home = TempDir::new().unwrap();
    let address = pair.registry.address();
    let regctl = Tool::new(home.path(), "regctl");
    let image = Image::with_layers(7, &[10, 20_000]);
    Layout::of_image(&home.path().join("from"), &image, "image:v1");

    regctl.run(format!("registry set --tls disabled {address}"));
    regctl.run(format!(
        "registry login --user {} --pass {} {address}",
        TokenServer::USER,
        TokenServer::PASSWORD
    ));
    regctl.run(format!("image copy ocidir://from:v1 {address}/some/app:v1"));
    // The same blobs are mounted into another repository.
    regctl.run(format!(
        "image copy {address}/some/app:v1 {address}/other/app:v1"
    ));
    regctl.run(format!(
        "image copy {address}/other/app:v1 ocidir://back:v1"
    ));

    let back = regctl.run("image digest ocidir://back:v1");
    assert_eq!(back, image.manifest.digest);
    assert!(pair.issuer.asked().iter().any(|asked| asked.user.is_some()));
}

#[test]
fn helm_gets_tokens_and_pushes_and_pulls_a_chart() {
    let pair = Pair::start();
    let home = TempDir::new().unwrap();
    // Helm takes a token server of the machine only beside a registry of the same name.
    let address = format!("localhost:{}", pair.registry.address().port());
    let helm = Tool::new(home.path(), "helm");
    let chart = "apiVersion: v2\nname: greeting\nversion: 1.2.3\n";
    for folder in ["chart", "back"] {
        fs::create_dir(home.path().join(folder)).unwrap();
    }
    fs::write(home.path().join("chart/Chart.yaml"), chart).unwrap();

    helm.run("package chart");
    helm.run(format!("registry login --plain-http {} {address}", login()));
    helm.run(format!(
        "push --plain-http greeting-1.2.3.tgz oci://{address}/charts"
    ));
    helm.run(format!(
        "pull --plain-http --destination back oci://{address}/charts/greeting --version 1.2.3"
    ));

    let [sent, back] = ["greeting-1.2.3.tgz", "back/greeting-1.2.3.tgz"]
        .map(|file| fs::read(home.path().join(file)).unwrap());
    assert!(sent == back);
    pair.was_asked_by("GET", Some("alice"));
}

#[test]
fn cosign_gets_tokens_and_signs_and_verifies() {
    let pair = Pair::start();
    let home = TempDir::new().unwrap();
    // It takes a token server of the machine only beside a registry of the same name.
    let address = format!("localhost:{}", pair.registry.address().port());
    let cosign = Tool::new(home.path(), "cosign").env("COSIGN_PASSWORD", "");
    cosign.run("generate-key-pair");
    let image = Image::with_layers(8, &[10]);
    let owner = pair.client(&push_access("some/app"));
    owner.push_image("some/app", "v1", &image).expect(201);
    let name = format!("{address}/some/app@{}", image.manifest.digest);
    let sign =
        format!("sign --yes --key cosign.key --tlog-upload=false --allow-http-registry {name}");

    cosign.fail(&sign);
    cosign.run(format!("login {} {address}", login()));
    cosign.run(&sign);
    cosign.run(format!(
        "verify --key cosign.pub --insecure-ignore-tlog --allow-http-registry {name}"
    ));

    pair.was_asked_by("GET", Some("alice"));
}

#[test]
fn an_upload_goes_on_with_another_token_when_the_first_has_ended() {
    let pair = Pair::start();
    let blob = Noise::new(3).draw(1_000);
    pair.issuer.set_lifetime(-57);
    let old = pair.bearer(&pair.issuer.token(&push_access("some/app")));
    let begun = old.send(old.request("POST", "/v2/some/app/blobs/uploads/"));
    let place = begun.expect(202).required("location").to_owned();
    let send = |client: &Client, method: &str, target: &str, part: &[u8]| {
        let body = Body::Bytes(part.to_vec().into());
        client.send(client.request(method, target).body(body))
    };

    eventually("the token to end", || {
        (old.check().status() == Some(401)).then_some(())
    });
    let refused = send(&old, "PATCH", &place, &blob[..500]).expect(401);
    pair.issuer.set_lifetime(300);
    let new = pair.bearer(&pair.issuer.token(&push_access("some/app")));
    let other = pair.bearer(&pair.issuer.token(&json!({
        "sub": "mallory", "access": push_access("some/app")["access"],
    })));

    assert!(
        refused
            .required("www-authenticate")
            .contains("error=\"invalid_token\"")
    );
    assert_ne!(
        send(&other, "PATCH", &place, &blob[..500]).status(),
        Some(202)
    );
    let patched = send(&new, "PATCH", &place, &blob[..500]).expect(202);
    let place = patched.required("location").to_owned();
    let digest = sha256(&blob);
    let joint = if place.contains('?') { '&' } else { '?' };
    let target = format!("{place}{joint}digest={digest}");
    send(&new, "PUT", &target, &blob[500..]).expect(201);
}

#[test]
fn crane_renews_a_token_that_ends_while_it_pushes() {
    let big = boxyard_acceptance::big_image();
    let pair = Pair::start();
    let home = TempDir::new().unwrap();
    let address = format!("localhost:{}", pair.registry.address().port());
    let crane = Tool::new(home.path(), "crane");
    // Each token is believed for less than three seconds, however long the push takes.
    pair.issuer.set_lifetime(-57);
    crane.run(format!("auth login {} {address}", login()));

    crane.run(format!("push {} {address}/big:v1", big.path().display()));

    let asked = pair.issuer.asked().len();
    assert!(asked > 1, "{asked} tokens were enough: nothing was renewed");
}
