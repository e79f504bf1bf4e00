//! What a stranger does with a Docker daemon and no word from us.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use boxyard_acceptance::{BUILD, Docker, Network, checkout, target};
use boxyard_testkit::{Image, binary, eventually};
use serde_json::json;

/// How a registry starts whose images last as long as its container.
const RUN: &str = "container run -d -p 5000:5000 --name registry registry";

/// The name under which the registry of the walk-through serves.
const NAME: &str = "127.0.0.1:5000/hello-world";

/// What the stand-in for `hello-world` says.
const GREETING: &str = "Hello from Boxyard's tests!";

#[test]
fn our_image_takes_the_place_of_the_registry_image() {
    push_remove_pull_and_run(&Docker::debian(Network::Private));
}

#[test]
fn our_image_takes_its_place_for_the_newest_docker_as_well() {
    push_remove_pull_and_run(&Docker::newest(Network::Private));
}

#[test]
fn images_outlive_the_container_on_a_volume_and_only_there() {
    let docker = with_our_image();
    let data = docker.sandbox().home().join("registry-data");
    let with_volume = RUN.replace("-d", &format!("-d -v {}:/var/lib/registry", data.display()));

    start_registry(&docker, RUN);
    push_first_image(&docker);
    docker.run("container rm -f registry");
    docker.run(format!("image rm {NAME}"));
    docker.client().fail(format!("image pull {NAME}"));
    start_registry(&docker, RUN);
    let refused = docker.client().fail(format!("image pull {NAME}"));
    assert!(refused.contains("not found"), "{refused}");

    restart_registry(&docker, &with_volume);
    push_first_image(&docker);
    let repository = data.join("docker/registry/v2/repositories/hello-world");
    let tag = repository.join("_manifests/tags/latest/current/link");
    eventually("the tag in the folder", || tag.exists().then_some(()));
    docker.run(format!("image rm hello-world {NAME}"));
    restart_registry(&docker, &with_volume);

    docker.run(format!("image pull {NAME}"));
    assert_eq!(docker.run(format!("container run --rm {NAME}")), GREETING);
}

#[test]
fn our_image_runs_as_another_user_and_says_what_to_do_about_a_volume_it_cannot_write() {
    let docker = with_our_image();
    let data = docker.sandbox().home().join("registry-data");
    fs::create_dir(&data).unwrap();
    let options = format!("-d --user 1000 -v {}:/var/lib/registry", data.display());
    let run = RUN.replace("-d", &options);

    docker.run(&run);
    assert_ne!(docker.run("container wait registry"), "0");
    let said = docker.client().run_aloud("container logs registry");
    for part in ["/var/lib/registry", "1000", "chown"] {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }

    chown(&data, Some(1000), None).unwrap();
    restart_registry(&docker, &run);
    push_first_image(&docker);
}

#[test]
fn our_image_keeps_the_contract_of_the_registry_image() {
    let docker = with_our_image();

    let image = docker.inspect("registry");
    let config = &image["Config"];
    assert_eq!(config["Entrypoint"], json!(["/bin/registry"]));
    assert_eq!(
        config["Cmd"],
        json!(["serve", "/etc/distribution/config.yml"])
    );
    assert_eq!(config["ExposedPorts"], json!({ "5000/tcp": {} }));
    assert_eq!(config["Volumes"], json!({ "/var/lib/registry": {} }));
    assert!(
        matches!(config["User"].as_str(), None | Some("" | "root")),
        "{config}"
    );
    assert!(image["Size"].as_u64() < Some(50_000_000), "{image}");

    // The configuration lies where either version of distribution has it, and a command replaces the usual one.
    start_registry(
        &docker,
        &format!("{RUN} serve /etc/docker/registry/config.yml"),
    );
    let [registry, boxyard, certificates] = [
        "bin/registry",
        "bin/boxyard",
        "etc/ssl/certs/ca-certificates.crt",
    ]
    .map(|path| read_from_registry(&docker, path));
    assert!(registry == boxyard, "the two names are of two programs");
    assert!(certificates.starts_with(b"-----BEGIN CERTIFICATE-----"));
}

#[test]
fn a_configuration_that_is_mounted_where_either_version_has_it_is_the_one_that_counts() {
    let docker = with_our_image();
    let folder = docker.sandbox().home().join("mounted");
    fs::create_dir(&folder).unwrap();
    let config = folder.join("config.yml");
    let text = "version: 0.1\nstorage: {filesystem: {}}\nhttp: {addr: ':5000', headers: {X-Mine: ['yes']}}\n";
    fs::write(&config, text).unwrap();
    let (file, folder) = (config.display(), folder.display());
    let mounts = [
        format!("{file}:/etc/docker/registry/config.yml"),
        format!("{file}:/etc/distribution/config.yml"),
        format!("{folder}:/etc/docker/registry"),
        format!("{folder}:/etc/distribution"),
    ];

    for mount in mounts {
        let run = RUN.replace("-d", &format!("-d -v {mount}:ro"));
        start_registry(&docker, &run);

        let curl = docker.sandbox().tool("curl -sSi --noproxy *");
        let answer = curl.run("http://127.0.0.1:5000/v2/");
        assert!(
            answer.to_lowercase().contains("x-mine: yes"),
            "{mount}: {answer}"
        );
        docker.run("container rm --force registry");
    }
}

#[test]
fn our_image_knows_whether_it_serves_and_stops_in_order() {
    let docker = with_our_image();
    let healthcheck = "container run --rm --entrypoint /bin/boxyard registry healthcheck";

    assert!(
        !docker.client().succeeds(healthcheck),
        "nothing serves there"
    );
    start_registry(&docker, RUN);
    docker.run("container exec registry /bin/boxyard healthcheck");
    docker.run("container stop registry");

    assert_eq!(docker.run("container wait registry"), "0");
}

#[test]
fn run_builds_and_serves_and_prints_the_lines_that_push_a_first_image() {
    let mut docker = Docker::debian(Network::Private);
    docker.load(&Image::hello("amd64"), "hello-world:latest");
    let clone = docker.sandbox().home().join("clone");
    let git = docker.sandbox().tool("git");
    git.run(format!(
        "clone --quiet {} {}",
        checkout().display(),
        clone.display()
    ));
    // What others depend on too is not compiled again.
    let run = docker.sandbox().tool_in(&clone, "./run").with_compilers();
    let run = run.env("CARGO_BUILD_BUILD_DIR", &target().display().to_string());

    let log = docker.sandbox().log_file("run");
    let ready = || commands_in(&log).len() == 3;
    docker
        .sandbox_mut()
        .start_within(BUILD, "run", &run, "", ready);
    let commands = commands_in(&log);
    for command in &commands {
        docker.run(command);
    }

    assert!(
        commands.iter().all(|command| command.contains(NAME)),
        "{commands:?}"
    );
    assert!(
        clone
            .join("registry-data/docker/registry/v2/repositories/hello-world")
            .is_dir()
    );
}

#[test]
fn serve_takes_the_configuration_of_debians_registry_and_makes_its_first_user() {
    let mut docker = Docker::debian(Network::Private);
    let boxyard = docker.sandbox().tool(&binary().display().to_string());
    let debians = "/etc/docker/registry/config.yml";
    let probe = boxyard.clone();
    let ready = || probe.succeeds(format!("healthcheck {debians}"));

    docker
        .sandbox_mut()
        .start("boxyard", &boxyard, &format!("serve {debians}"), ready);

    // Its password file is a folder, in which there is none yet.
    let log = docker.sandbox().log("boxyard");
    assert!(log.contains("names a folder"), "{log}");
    let told = log.split("password=").nth(1).expect("a password is told");
    let password = told.split_whitespace().next().unwrap();
    docker.load(&Image::hello("amd64"), "hello-world:latest");
    docker.run(format!("tag hello-world {NAME}"));
    docker.client().fail(format!("image push {NAME}"));
    docker.run(format!(
        "login --username docker --password {password} 127.0.0.1:5000"
    ));
    docker.run(format!("image push {NAME}"));
    let list = docker
        .sandbox()
        .tool("ls /var/lib/docker-registry/docker/registry/v2/repositories");
    assert_eq!(list.run(""), "hello-world");
}

/// The first walk-through.
fn push_remove_pull_and_run(docker: &Docker) {
    docker.load_our_image("registry");
    start_registry(docker, RUN);
    push_first_image(docker);
    docker.run(format!("image rm hello-world {NAME}"));

    docker.run(format!("image pull {NAME}"));

    assert_eq!(docker.run(format!("container run --rm {NAME}")), GREETING);
}

#[test]
fn the_cron_line_of_the_registry_image_collects_beside_the_serving_container() {
    let docker = with_our_image();
    let window = "-d -e REGISTRY_BOXYARD_COLLECT_WINDOW=0s -e REGISTRY_STORAGE_DELETE_ENABLED=true";
    start_registry(&docker, &RUN.replace("-d", window));
    push_first_image(&docker);

    let collect = "container exec -e REGISTRY_BOXYARD_COLLECT_WINDOW=0s registry registry garbage-collect -m /etc/docker/registry/config.yml";
    let said = docker.run(collect);

    assert!(
        said.contains("hello-world: marking manifest sha256:"),
        "{said}"
    );
    assert!(
        said.contains("3 blobs marked, 0 blobs and 0 manifests eligible for deletion"),
        "{said}"
    );
    docker.run(format!("image rm hello-world {NAME}"));
    docker.run(format!("image pull {NAME}"));
}

fn with_our_image() -> Docker {
    let docker = Docker::debian(Network::Private);
    docker.load_our_image("registry");
    docker
}

#[track_caller]
fn start_registry(docker: &Docker, run: &str) {
    docker.run(run);
    let healthcheck = "container exec registry /bin/boxyard healthcheck";
    eventually("the registry", || {
        docker.client().succeeds(healthcheck).then_some(())
    });
}

#[track_caller]
fn restart_registry(docker: &Docker, run: &str) {
    docker.run("container rm -f registry");
    start_registry(docker, run);
}

#[track_caller]
fn push_first_image(docker: &Docker) {
    docker.load(&Image::hello("amd64"), "hello-world:latest");
    docker.run(format!("tag hello-world {NAME}"));
    docker.run(format!("image push {NAME}"));
}

#[track_caller]
fn read_from_registry(docker: &Docker, path: &str) -> Vec<u8> {
    let copy = docker.sandbox().home().join("copy");
    docker.run(format!("container cp registry:/{path} {}", copy.display()));
    fs::read(copy).expect("read what was copied")
}

/// The lines for `docker` that a log has, without that word.
fn commands_in(log: &Path) -> Vec<String> {
    let said = fs::read_to_string(log).unwrap_or_default();
    let lines = said.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix("docker "))
        .map(str::to_owned)
        .collect()
}
