//! The configurations that come with distribution, where its images have them.

use std::fs;

use boxyard_acceptance::{Network, Sandbox};
use boxyard_testkit::binary;

/// Where the image of version 2 has its configuration.
const OF_TWO: &str = "/etc/docker/registry/config.yml";
/// Where that of version 3 has it.
const OF_THREE: &str = "/etc/distribution/config.yml";

/// What the images of both versions have in common.
const IMAGE: &str = "
version: 0.1
log: {fields: {service: registry}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: /var/lib/registry}
http:
  addr: :5000
  headers: {X-Content-Type-Options: [nosniff]}
health: {storagedriver: {enabled: true, interval: 10s, threshold: 3}}
";

/// What the examples have beside it; the password file is not there.
const EXAMPLE: &str = "auth: {htpasswd: {realm: basic-realm, path: /etc/registry}}\n";

/// What developers of version 2 have.
const DEVELOPMENT_2: &str = "
version: 0.1
log:
  level: debug
  fields: {service: registry, environment: development}
  hooks:
    - type: mail
      disabled: true
      levels: [panic]
      options:
        smtp: {addr: 'mail.example.com:25', username: mailuser, password: password, insecure: true}
        from: sender@example.com
        to: [errors@example.com]
storage:
  delete: {enabled: true}
  cache: {blobdescriptor: redis}
  filesystem: {rootdirectory: /var/lib/registry}
  maintenance: {uploadpurging: {enabled: false}}
http:
  addr: :5000
  debug: {addr: :5001, prometheus: {enabled: true, path: /metrics}}
  headers: {X-Content-Type-Options: [nosniff]}
redis:
  addr: localhost:6379
  pool: {maxidle: 16, maxactive: 64, idletimeout: 300s}
  dialtimeout: 10ms
  readtimeout: 10ms
  writetimeout: 10ms
notifications:
  events: {includereferences: true}
  endpoints:
    - name: local-5003
      url: http://localhost:5003/callback
      headers: {Authorization: [Bearer <an example token>]}
      timeout: 1s
      threshold: 10
      backoff: 1s
      disabled: true
health: {storagedriver: {enabled: true, interval: 10s, threshold: 3}}
";

/// What developers of version 3 have.
const DEVELOPMENT_3: &str = "
version: 0.1
log: {level: debug, fields: {service: registry, environment: development}}
storage:
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: /var/lib/registry}
  maintenance: {uploadpurging: {enabled: false}}
  tag: {concurrencylimit: 8}
http:
  addr: :5000
  debug: {addr: :5001, prometheus: {enabled: true, path: /metrics}}
  headers: {X-Content-Type-Options: [nosniff]}
health: {storagedriver: {enabled: true, interval: 10s, threshold: 3}}
";

/// What a pull-through cache of version 3 has beside that.
const CACHE_3: &str = "
redis: {addrs: ['localhost:6379'], maxidleconns: 16, poolsize: 64, connmaxidletime: 300s, dialtimeout: 10ms}
proxy: {remoteurl: 'https://registry-1.docker.io', username: username, password: password}
";

/// A machine on which this is the configuration of the image.
fn machine(path: &str, config: &str) -> Sandbox {
    let sandbox = Sandbox::new(Network::Private);
    let file = sandbox.home().join("config.yml");
    fs::write(&file, config).expect("write a configuration");
    sandbox.bash(&format!(
        "mkdir -p $(dirname {path}); cp {} {path}",
        file.display()
    ));
    sandbox
}

/// Starts the registry by the words of an image, and asks it.
#[track_caller]
fn status_of(sandbox: &mut Sandbox, words: &str, path: &str) -> String {
    let boxyard = sandbox.tool(&binary().display().to_string());
    let probe = boxyard.clone();
    let ready = || probe.succeeds(format!("healthcheck {path}"));
    sandbox.start("boxyard", &boxyard, words, ready);
    sandbox.bash("curl -sSi --noproxy '*' http://127.0.0.1:5000/v2/ | tr -d '\\r'")
}

#[test]
fn the_configurations_of_distribution_are_served_where_its_images_have_them() {
    let example = format!("{IMAGE}{EXAMPLE}");
    let table = [
        (OF_TWO, IMAGE, "200 OK"),
        (OF_THREE, IMAGE, "200 OK"),
        (OF_TWO, &example, "401 Unauthorized"),
        (OF_THREE, &example, "401 Unauthorized"),
        (OF_TWO, DEVELOPMENT_2, "200 OK"),
        (OF_THREE, DEVELOPMENT_3, "200 OK"),
    ];

    for (path, config, expected) in table {
        let mut sandbox = machine(path, config);

        let answer = status_of(&mut sandbox, &format!("serve {path}"), path);

        assert!(answer.contains(expected), "{path}: {config}: {answer}");
        let answer = answer.to_lowercase();
        assert!(
            answer.contains("x-content-type-options: nosniff"),
            "{answer}"
        );
        let made = sandbox.bash("ls /var/lib/registry");
        assert!(made.contains("docker"), "{made}");
    }
}

#[test]
fn the_image_of_version_2_takes_a_bare_path() {
    let mut sandbox = machine(OF_TWO, IMAGE);

    let answer = status_of(&mut sandbox, OF_TWO, OF_TWO);

    assert!(answer.contains("200 OK"), "{answer}");
}

#[test]
fn what_developers_have_works_or_says_that_it_has_no_effect() {
    let mut sandbox = machine(OF_TWO, DEVELOPMENT_2);

    status_of(&mut sandbox, &format!("serve {OF_TWO}"), OF_TWO);

    let log = sandbox.log("boxyard");
    for key in ["log.hooks", "storage.cache", "redis"] {
        assert!(
            log.contains(&format!("`{key}` has no effect: ")),
            "{key}: {log}"
        );
    }
    let metrics = sandbox.bash("curl -sS --noproxy '*' http://127.0.0.1:5001/metrics");
    assert!(
        metrics.contains("registry_http_requests_total"),
        "{metrics}"
    );
}

#[test]
fn a_pull_through_cache_is_refused_and_served_without_its_section() {
    let cache = format!("{DEVELOPMENT_3}{CACHE_3}");
    let sandbox = machine(OF_THREE, &cache);
    let said = sandbox.bash(&format!(
        "{} serve {OF_THREE} 2>&1 || echo status $?",
        binary().display()
    ));
    assert!(
        said.contains("`proxy` is refused: a pull-through cache is not there yet"),
        "{said}"
    );
    assert!(said.contains("status 64"), "{said}");
    assert!(!said.contains("password"), "{said}");
    drop(sandbox);

    let without: Vec<_> = cache
        .lines()
        .filter(|line| !line.starts_with("proxy:"))
        .collect();
    let mut sandbox = machine(OF_THREE, &without.join("\n"));

    let answer = status_of(&mut sandbox, &format!("serve {OF_THREE}"), OF_THREE);

    assert!(answer.contains("200 OK"), "{answer}");
}
