//! Proxies in front of the registry, by the lines of the guide as they stand there.

use std::fs;
use std::path::Path;

use boxyard_acceptance::{Containerd, Docker, Network, Sandbox, checkout};
use boxyard_testkit::{Image, binary};
use serde_json::json;

/// The name of the guide, by which clients reach the registry on port 443.
const NAME: &str = "registry.example.com";
/// The address of the proxy, which is that of clients on the same machine as well.
const ADDRESS: &str = "192.0.2.1";

/// The lines of the guide in a language, below a heading.
#[track_caller]
fn lines(heading: &str, language: &str) -> String {
    let file = checkout().join("docs/guide/behind-a-proxy.md");
    let guide = fs::read_to_string(file).expect("read the guide");
    let after = |text: &str, words: &str| {
        let place = text.find(words).expect("the guide has it");
        text[place + words.len()..].to_owned()
    };
    let section = after(&guide, &format!("\n## {heading}\n"));
    let block = after(&section, &format!("```{language}\n"));
    let end = block.find("```").expect("a block has an end");
    block[..end].to_owned()
}

/// A machine with a certificate that its own clients trust.
fn machine(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new(Network::Private);
    sandbox.bash(&format!(
        "ip address add {ADDRESS}/32 dev lo; mount -t tmpfs tmpfs /var/log; mkdir -p /etc/boxyard"
    ));
    for name in names {
        sandbox.resolve(name, ADDRESS);
    }
    let boxyard = sandbox.tool(&binary().display().to_string());
    let said = boxyard.run(format!(
        "certificate --port 443 --out /etc/boxyard/tls {}",
        names.join(" ")
    ));
    sandbox.bash(&part(&said, "# On every client", "# Fedora"));
    sandbox
}

/// The lines from the one that begins with `from` to before the one that begins with `to`.
#[track_caller]
fn part(said: &str, from: &str, to: &str) -> String {
    let start = said.find(from).expect("the first line of the part");
    let length = said[start..].find(to).expect("the line after the part");
    said[start..start + length].to_owned()
}

/// Starts a registry with these lines, and waits until something is found listening.
fn serve(sandbox: &mut Sandbox, name: &str, config: &str, listening: &str) {
    let file = sandbox.home().join(format!("{name}.yml"));
    fs::write(&file, config).expect("write the configuration");
    let listeners = sandbox.tool("ss --no-header --listening");
    let ready = || !listeners.run(listening).is_empty();
    let boxyard = sandbox.tool(&binary().display().to_string());
    sandbox.start(name, &boxyard, &format!("serve {}", file.display()), ready);
}

/// Runs lines of a shell that end in a proxy, and waits until it listens.
fn front(sandbox: &mut Sandbox, lines: &str) {
    let script = sandbox.home().join("proxy.sh");
    fs::write(&script, format!("set -eu\n{lines}\n")).expect("write a script");
    let listeners = sandbox.tool("ss --no-header --listening --tcp sport = 443");
    let ready = || !listeners.run("").is_empty();
    let shell = sandbox.tool("bash");
    sandbox.start("proxy", &shell, &script.display().to_string(), ready);
}

/// Writes a file inside, whose folders may be the sandbox's own.
fn write(sandbox: &Sandbox, path: &str, text: &str) {
    fs::write(sandbox.home().join("lines"), text).expect("write lines");
    sandbox.bash(&format!("mkdir -p $(dirname {path}); cp lines {path}"));
}

/// Whatever people do goes through the proxy, and the registry knows who they are.
fn is_passed_through(mut sandbox: Sandbox, proxy: &str) {
    serve(
        &mut sandbox,
        "boxyard",
        &lines("The registry's side", "yaml"),
        "--tcp sport = 5000",
    );
    front(&mut sandbox, proxy);

    pushes_and_pulls_by_crane(&sandbox, NAME);
    let curl = sandbox.tool("curl -sS --fail-with-body");
    let location = location(&sandbox, NAME);
    assert!(location.contains("/v2/forged/blobs/uploads/"), "{location}");
    assert!(!location.contains("forged.example"), "{location}");
    let whole = format!("https://{NAME}/v2/");
    assert!(
        location.starts_with("/v2/") || location.starts_with(&whole),
        "{location}"
    );
    let page = curl.run_words(&["-H", "Accept: text/html", &format!("https://{NAME}/")]);
    assert!(
        page.contains("docker push registry.example.com/my-image"),
        "{page}"
    );
    assert!(!page.contains("insecure-registries"), "{page}");

    let docker = Docker::debian_in(sandbox, &json!({}));
    let image = format!("{NAME}/some/app:v1");
    docker.load(&Image::with_layers(1, &[10, 3 << 20]), &image);
    docker.run(format!("image push {image}"));
    docker.run(format!("image rm {image}"));
    docker.run(format!("image pull {image}"));

    let log = docker.sandbox().log("boxyard");
    let requests: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(" /v2/") && line.contains("HTTP/1.1\""))
        .collect();
    assert!(requests.len() > 20, "{log}");
    let known = |line: &&str| line.starts_with(&format!("{ADDRESS} - "));
    let unknown: Vec<_> = requests.iter().filter(|line| !known(line)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Where an upload is, for a client that claims to be somebody else.
fn location(sandbox: &Sandbox, name: &str) -> String {
    let url = format!("https://{name}/v2/forged/blobs/uploads/");
    let curl = sandbox.tool("curl -sS --fail-with-body -o body -X POST");
    curl.run_words(&[
        "-H",
        "X-Forwarded-For: 203.0.113.9",
        "-H",
        "X-Forwarded-Host: forged.example",
        "-H",
        "Forwarded: for=203.0.113.9;host=forged.example;proto=http",
        "-w",
        "%header{location}",
        &url,
    ])
}

fn pushes_and_pulls_by_crane(sandbox: &Sandbox, host: &str) {
    let image = Image::with_layers(2, &[24 << 20, 24 << 20]);
    let archive = sandbox.home().join("image.tar");
    fs::write(&archive, image.archive("a:latest")).expect("write");
    let crane = sandbox.tool("crane");
    let name = format!("{host}/large/app:v1");
    crane.run(format!("push {} {name}", archive.display()));
    let pulled = sandbox.home().join("pulled.tar");
    crane.run(format!("pull {name} {}", pulled.display()));
    let length = |path: &Path| fs::metadata(path).expect("it is there").len();
    assert!(length(&pulled) > 48 << 20, "the layers are in it");
}

/// How nginx runs where nothing but its files is there.
const NGINX: &str = "mkdir -p /var/lib/nginx /var/log/nginx\n\
    rm -f /etc/nginx/sites-enabled/default\n\
    exec nginx -g 'daemon off;'";

#[test]
fn nginx_passes_everything_through() {
    let sandbox = machine(&[NAME]);
    let site = lines("nginx", "nginx");
    write(&sandbox, "/etc/nginx/conf.d/registry.conf", &site);

    is_passed_through(sandbox, NGINX);
}

#[test]
fn caddy_passes_everything_through() {
    let sandbox = machine(&[NAME]);
    write(&sandbox, "/etc/caddy/Caddyfile", &lines("Caddy", "caddy"));

    is_passed_through(sandbox, "exec caddy run --config /etc/caddy/Caddyfile");
}

#[test]
fn apache_passes_everything_through() {
    let sandbox = machine(&[NAME]);
    let site = "/etc/apache2/sites-enabled/registry.conf";
    write(&sandbox, site, &lines("Apache", "apache"));

    is_passed_through(
        sandbox,
        "mkdir -p /run/apache2 /run/lock/apache2 /var/log/apache2\n\
         rm -f /etc/apache2/sites-enabled/000-default.conf\n\
         a2enmod --quiet ssl http2 headers proxy proxy_http\n\
         exec apache2ctl -D FOREGROUND",
    );
}

#[test]
fn haproxy_passes_everything_through() {
    let sandbox = machine(&[NAME]);
    let file = "/etc/haproxy/haproxy.cfg";
    write(&sandbox, file, &lines("HAProxy", "haproxy"));

    is_passed_through(
        sandbox,
        "cd /etc/boxyard/tls\n\
         cat registry.example.com.crt registry.example.com.key >/etc/haproxy/registry.pem\n\
         exec haproxy -db -f /etc/haproxy/haproxy.cfg",
    );
}

/// The site of the guide for a name, another way to the registry, and another path.
fn site(name: &str, registry: &str, path: &str) -> String {
    lines("nginx", "nginx")
        .replace(
            "server_name registry.example.com",
            &format!("server_name {name}"),
        )
        .replace("http://127.0.0.1:5000", registry)
        .replace("location / {", &format!("location {path} {{"))
}

/// The registry of the guide at another port and with another folder, with these lines below `http`.
fn config(port: u16, http: &str) -> String {
    lines("The registry's side", "yaml")
        .replace("/var/lib/boxyard", &format!("/var/lib/{port}"))
        .replace(
            "  addr: 127.0.0.1:5000",
            &format!("  addr: 127.0.0.1:{port}\n  {http}"),
        )
}

#[test]
fn locations_behind_a_proxy_are_as_the_configuration_says() {
    let names = [
        NAME,
        "host.example.com",
        "relative.example.com",
        "socket.example.com",
    ];
    let mut sandbox = machine(&names);
    let host = "host: https://host.example.com";
    serve(
        &mut sandbox,
        "one",
        &config(5001, host),
        "--tcp sport = 5001",
    );
    let relative = "host: https://host.example.com\n  relativeurls: true";
    serve(
        &mut sandbox,
        "two",
        &config(5002, relative),
        "--tcp sport = 5002",
    );
    let socket = lines("A socket instead of a port", "yaml");
    let storage = "storage: {filesystem: {rootdirectory: /var/lib/5003}}";
    sandbox.bash("mkdir -p /run/boxyard");
    // Its workers are others than who serves.
    let socket = socket.replace("0660", "0666");
    serve(
        &mut sandbox,
        "three",
        &format!("version: 0.1\n{storage}\n{socket}"),
        "--unix src = /run/boxyard/registry.sock",
    );
    let through_socket = "http://unix:/run/boxyard/registry.sock";
    let sites = [
        site(names[1], "http://127.0.0.1:5001", "/v2/"),
        site(names[2], "http://127.0.0.1:5002", "/v2/"),
        site(names[3], through_socket, "/"),
    ];
    write(&sandbox, "/etc/nginx/conf.d/sites.conf", &sites.concat());
    front(&mut sandbox, NGINX);

    for (name, expected) in [
        (
            names[1],
            "https://host.example.com/v2/forged/blobs/uploads/",
        ),
        (names[2], "/v2/forged/blobs/uploads/"),
        (names[3], "/v2/forged/blobs/uploads/"),
    ] {
        let location = location(&sandbox, name);
        assert!(location.starts_with(expected), "{name}: {location}");
        pushes_and_pulls_by_crane(&sandbox, name);
    }
    // The rest of the host is another site.
    let page = sandbox.tool("curl -sS").run("https://host.example.com/");
    assert!(page.contains("nginx"), "{page}");
    for log in ["one", "two", "three"] {
        let log = sandbox.log(log);
        let known = format!("{ADDRESS} - - [");
        assert!(log.lines().any(|line| line.starts_with(&known)), "{log}");
    }
}

#[test]
fn containerd_is_told_the_path_of_a_registry_below_one() {
    let mut sandbox = machine(&[NAME]);
    let prefix = config(5000, "prefix: /registry/");
    serve(&mut sandbox, "boxyard", &prefix, "--tcp sport = 5000");
    let site = site(NAME, "http://127.0.0.1:5000", "/registry/");
    write(&sandbox, "/etc/nginx/conf.d/registry.conf", &site);
    front(&mut sandbox, NGINX);
    let hosts = lines("Below a path", "toml")
        .replace("https://example.com", "https://registry.example.com");
    write(
        &sandbox,
        "/etc/containerd/certs.d/registry.example.com/hosts.toml",
        &hosts,
    );

    let location = sandbox.tool("curl -sS -o body -X POST").run_words(&[
        "-w",
        "%header{location}",
        &format!("https://{NAME}/registry/v2/a/blobs/uploads/"),
    ]);
    assert!(
        location.starts_with("/registry/v2/a/blobs/uploads/"),
        "{location}"
    );
    let containerd = Containerd::newest_in(sandbox);
    let name = format!("{NAME}/some/app:v1");
    let home = containerd.sandbox().home();
    let layout = boxyard_acceptance::Layout::of_image(
        &home.join("layout"),
        &Image::with_layers(1, &[10, 3 << 20]),
        &name,
    );
    containerd.run(format!("image import {}", layout.archive().display()));
    let folder = "--hosts-dir /etc/containerd/certs.d";
    containerd.run(format!("image push {folder} {name}"));
    containerd.run(format!("image rm {name}"));
    containerd.run(format!("image pull {folder} {name}"));
}
