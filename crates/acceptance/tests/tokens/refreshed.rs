//! Docker with tokens that get tokens, with tokens that end, and with its builder.

use std::fs;

use boxyard_acceptance::{BigImage, Docker, Network, big_image};
use boxyard_testkit::Image;
use boxyard_testkit::token::TokenServer;
use serde_json::Value;

use crate::{Pair, login};

#[test]
fn debians_docker_keeps_a_refresh_token_instead_of_the_password() {
    keeps_a_refresh_token(&Docker::debian(Network::Machine));
}

#[test]
fn the_newest_docker_keeps_a_refresh_token_instead_of_the_password() {
    keeps_a_refresh_token(&Docker::newest(Network::Machine));
}

fn keeps_a_refresh_token(docker: &Docker) {
    let pair = Pair::start();
    pair.issuer.give_refresh_tokens();
    let address = pair.registry.address();
    let name = format!("{address}/some/app:v1");
    docker.load(&Image::with_layers(1, &[10, 20_000]), &name);

    docker.run(format!("login {} {address}", login()));
    let kept = fs::read_to_string(docker.sandbox().home().join(".docker/config.json"))
        .expect("read what docker keeps");
    let kept: Value = serde_json::from_str(&kept).expect("it is JSON");
    docker.run(format!("image push {name}"));
    docker.run(format!("image rm {name}"));
    docker.run(format!("image pull {name}"));

    let kept = &kept["auths"][address.to_string()];
    assert_eq!(kept["identitytoken"], "refresh-of-alice");
    assert!(!kept.to_string().contains(TokenServer::PASSWORD));
    let asked = pair.issuer.asked();
    let offline = ("offline_token".to_owned(), "true".to_owned());
    assert!(asked.iter().any(|asked| asked.fields.contains(&offline)));
    let refresh = ("grant_type".to_owned(), "refresh_token".to_owned());
    let refreshed = asked.iter().filter(|asked| {
        asked.method == "POST" && asked.fields.contains(&refresh) && asked.status == 200
    });
    assert!(refreshed.count() >= 2, "{asked:#?}");
}

#[test]
fn debians_docker_renews_a_token_that_ends_in_the_middle_of_a_push() {
    let big = big_image();
    renews_a_token(&Docker::debian(Network::Machine), &big);
}

#[test]
fn the_newest_docker_renews_a_token_that_ends_in_the_middle_of_a_push() {
    let big = big_image();
    renews_a_token(&Docker::newest(Network::Machine), &big);
}

fn renews_a_token(docker: &Docker, big: &BigImage) {
    let pair = Pair::start();
    let address = pair.registry.address();
    let name = format!("{address}/big:v1");
    docker.run(format!("image load --input {}", big.path().display()));
    docker.run(format!("image tag big {name}"));
    docker.run(format!("login {} {address}", login()));
    // Each token is believed for less than three seconds, however long the push takes.
    pair.issuer.set_lifetime(-57);
    let before = pair.issuer.asked().len();

    docker.run(format!("image push {name}"));

    let asked = pair.issuer.asked().len() - before;
    assert!(asked > 1, "{asked} tokens were enough: nothing was renewed");
    let pushed = pair
        .client(&crate::push_access("big"))
        .get_manifest("big", "v1");
    pushed.expect(200);
}

#[test]
fn buildx_builds_upon_what_it_pulls_and_pushes_what_it_has_built() {
    let pair = Pair::start();
    let docker = Docker::newest(Network::Machine);
    let address = pair.registry.address();
    let (base, name) = (
        format!("{address}/some/base:v1"),
        format!("{address}/some/built:v1"),
    );
    let image = Image::with_layers(3, &[10, 20_000]);
    pair.client(&crate::push_access("some/base"))
        .push_image("some/base", "v1", &image)
        .expect(201);
    let home = docker.sandbox().home();
    let context = home.join("context");
    fs::create_dir(&context).unwrap();
    fs::write(
        context.join("Dockerfile"),
        format!("FROM {base}\nCOPY file /file\n"),
    )
    .unwrap();
    fs::write(context.join("file"), "content").unwrap();
    let socket = format!("unix://{}/docker.sock", home.display());
    let buildx = docker.sandbox().tool("buildx").env("DOCKER_HOST", &socket);
    let line = format!("build --progress plain --provenance false --push --tag {name} context");

    let said = buildx.fail(&line);
    assert!(
        said.contains("insufficient_scope") || said.contains("denied"),
        "{said}"
    );
    docker.run(format!("login {} {address}", login()));
    buildx.run(&line);

    let pushed = pair
        .client(&crate::push_access("some/built"))
        .pull_image("some/built", "v1");
    let manifest: Value = serde_json::from_slice(&pushed.manifest.bytes).unwrap();
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 3);
    docker.run(format!("image pull {name}"));
    pair.was_asked_by("POST", Some("alice"));
    let asked = pair.issuer.asked();
    let both = |asked: &boxyard_testkit::token::Asked| {
        let scopes = asked.fields.iter().filter(|(name, _)| name == "scope");
        let scopes: Vec<&str> = scopes.map(|(_, scope)| scope.as_str()).collect();
        scopes.join(" ").contains("repository:some/built:pull,push")
    };
    assert!(asked.iter().any(both), "{asked:#?}");
}
