//! The files in `deploy/`, as an administrator uses them.

use std::fs;
use std::os::unix::fs::symlink;

use boxyard_acceptance::{Docker, Network, Sandbox, Tool, checkout, tools};
use boxyard_testkit::{Image, binary, eventually};

/// The name that the certificate of the compose file is for.
const HOST: &str = "127.0.0.1";
/// An image in the registry that it starts.
const NAME: &str = "127.0.0.1:5000/hello-world:latest";

#[test]
fn the_compose_file_starts_a_registry_with_tls_and_accounts() {
    let docker = Docker::debian(Network::Private);

    starts_by(&docker, "docker-compose", "boxyard_registry_1");
}

#[test]
fn the_compose_file_is_right_for_the_newest_compose_as_well() {
    let docker = Docker::newest(Network::Private);
    let plugins = docker.sandbox().home().join(".docker/cli-plugins");
    fs::create_dir_all(&plugins).unwrap();
    let plugin = plugins.join("docker-compose");
    symlink(tools().join("plugins/docker-compose"), plugin).unwrap();

    starts_by(&docker, "docker compose", "boxyard-registry-1");
}

/// Follows what the file says, with a program that reads such files.
fn starts_by(docker: &Docker, program: &str, container: &str) {
    docker.load_our_image("boxyard");
    let home = docker.sandbox().home();
    fs::write(home.join("password"), "correct horse\n").expect("write");
    let shell = docker.sandbox().tool("sh");
    for line in lines_of_the_file() {
        shell.run_words(&["-c", &line]);
    }

    let compose = compose(docker, program);
    let said = compose.run_aloud("up -d");
    assert!(!said.to_lowercase().contains("warn"), "{said}");
    trust(docker);
    eventually("the registry to be healthy", || {
        let health = docker.run(format!(
            "container inspect -f {{{{.State.Health.Status}}}} {container}"
        ));
        (health == "healthy").then_some(())
    });
    docker.load(&Image::hello("amd64"), NAME);
    docker.client().fail(format!("image push {NAME}"));
    let login = "docker login --username alice --password-stdin 127.0.0.1:5000 <password";
    let host = format!("unix://{}/docker.sock", home.display());
    shell.env("DOCKER_HOST", &host).run_words(&["-c", login]);
    docker.run(format!("image push {NAME}"));
    compose.run("restart");
    docker.run(format!("image rm {NAME}"));
    eventually("the image after the restart", || {
        docker
            .client()
            .succeeds(format!("image pull {NAME}"))
            .then_some(())
    });
    compose.run("down");

    docker.run("volume inspect boxyard_registry-data");
}

#[test]
fn the_unit_is_understood_by_systemd_and_exposes_little() {
    let sandbox = Sandbox::new(Network::Machine);
    let bin = sandbox.home().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::copy(binary(), bin.join("boxyard")).unwrap();
    let unit = fs::read_to_string(checkout().join("deploy/boxyard.service")).unwrap();
    let installed = unit.replace("/usr/local/bin", &bin.display().to_string());
    let file = sandbox.home().join("boxyard.service");
    fs::write(&file, installed).unwrap();
    let socket = sandbox.home().join("boxyard.socket");
    fs::copy(checkout().join("deploy/boxyard.socket"), &socket).unwrap();
    let analyze = sandbox.tool("systemd-analyze");

    for unit in [&file, &socket] {
        let said = analyze.run_aloud(format!("verify --man=no {}", unit.display()));
        assert!(!said.contains("boxyard."), "{said}");
    }

    // Of ten, where a service without any hardening has 9.6.
    analyze.run(format!(
        "security --offline=true --threshold=20 --no-pager {}",
        file.display()
    ));
}

/// The lines that the file says to type before its services are started, in its folder.
fn lines_of_the_file() -> Vec<String> {
    let file = fs::read_to_string(checkout().join("deploy/compose.yml")).expect("read the file");
    let typed = file.lines().filter_map(|line| line.strip_prefix("#   "));
    let typed = typed.map(|line| line.split("   ").next().unwrap_or_default().trim());
    let typed = typed.skip_while(|line| !line.starts_with("cd deploy && "));
    let typed = typed.take_while(|line| !line.starts_with("docker compose"));
    let boxyard = format!("{} ", binary().display());
    let lines: Vec<String> = typed
        .map(|line| line.trim_start_matches("cd deploy && "))
        // A password is typed, and here read.
        .map(|line| match line.strip_prefix("boxyard htpasswd ") {
            Some(words) => format!("{boxyard}htpasswd --stdin {words} <password"),
            None => line.replace("boxyard ", &boxyard),
        })
        .map(|line| line.replace("registry.example.com", HOST))
        .collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    lines
}

fn compose(docker: &Docker, program: &str) -> Tool {
    let home = docker.sandbox().home();
    let words = format!(
        "{program} --project-name boxyard --project-directory {} --file {}",
        home.display(),
        checkout().join("deploy/compose.yml").display()
    );
    docker
        .sandbox()
        .tool(&words)
        .env(
            "DOCKER_HOST",
            &format!("unix://{}/docker.sock", home.display()),
        )
        .env("BOXYARD_HOST", HOST)
}

/// Places the certificate's authority where the engine looks for it.
fn trust(docker: &Docker) {
    let folder = "/etc/docker/certs.d/127.0.0.1:5000";
    docker.sandbox().tool("mkdir -p").run(folder);
    docker
        .sandbox()
        .tool("cp certs/ca.crt")
        .run(format!("{folder}/ca.crt"));
}
