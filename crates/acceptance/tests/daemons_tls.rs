//! Daemons and clients that reach the registry over a network: what they refuse, and how they come to trust it.

use boxyard_acceptance::{Docker, Remote, Sandbox};
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
