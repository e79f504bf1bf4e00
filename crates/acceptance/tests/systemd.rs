//! The units in `deploy/` under a running systemd.

use std::fs;

use boxyard_acceptance::Machine;
use boxyard_testkit::{Image, eventually, sha256};

const UNIT: &str = "boxyard.service";
const CONFIG: &str = "version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/boxyard}}
http: {addr: '127.0.0.1:5000', draintimeout: 1m}
";

/// Pushes an image; returns a line that pulls it.
fn push(machine: &Machine) -> impl Fn() {
    let archive = machine.home().join("image.tar");
    let image = Image::with_layers(1, &[10, 3 << 20]);
    fs::write(&archive, image.archive("a:latest")).expect("write");
    let crane = machine.tool("crane");
    crane.run(format!("push {} 127.0.0.1:5000/app:v1", archive.display()));
    move || {
        crane.run("pull 127.0.0.1:5000/app:v1 pulled.tar");
    }
}

#[test]
fn the_unit_serves_as_its_own_user_and_comes_back_after_restarts_and_crashes() {
    let machine = Machine::boot(CONFIG);
    let systemctl = machine.tool("systemctl");

    // It returns when the registry says that it serves.
    systemctl.run("enable --now boxyard");
    let pull = push(&machine);
    systemctl.run("restart boxyard");
    pull();
    let process = machine.property(UNIT, "MainPID");
    let user = machine.tool("ps -o user=,group= -p").run(&process);
    machine.tool("kill -KILL").run(&process);
    eventually("another process", || {
        let now = machine.property(UNIT, "MainPID");
        let serves = machine.property(UNIT, "ActiveState") == "active";
        (serves && now != process && now != "0").then_some(())
    });

    pull();
    assert_eq!(user.split_whitespace().next(), Some("boxyard"), "{user}");
    assert_eq!(machine.property(UNIT, "NRestarts"), "1");
    let mode = machine.bash("stat -L -c '%a %U' /var/lib/boxyard");
    assert_eq!(mode, "750 boxyard");
}

#[test]
fn a_stop_by_systemd_lets_transfers_end() {
    let machine = Machine::boot(CONFIG);
    let systemctl = machine.tool("systemctl");
    systemctl.run("start boxyard");
    let content = vec![b'x'; 8 << 20];
    fs::write(machine.home().join("content"), &content).expect("write");
    let url = format!(
        "http://127.0.0.1:5000/v2/a/blobs/uploads/?digest={}",
        sha256(&content)
    );
    // It runs on when the shell has ended.
    machine.bash(&format!(
        "setsid curl -sS --limit-rate 2M --data-binary @content -w '%{{http_code}}' '{url}' \
         >answer 2>&1 </dev/null &"
    ));
    let uploads = machine.tool("ls /var/lib/boxyard/docker/registry/v2/repositories/a/_uploads");
    eventually("the upload to begin", || {
        (!uploads.said("").is_empty()).then_some(())
    });

    systemctl.run("stop boxyard");

    let answer = || fs::read_to_string(machine.home().join("answer")).ok();
    eventually("the answer", || answer().filter(|answer| answer == "201"));
    assert_eq!(machine.property(UNIT, "Result"), "success");
    assert_eq!(machine.property(UNIT, "ExecMainStatus"), "0");
}

#[test]
fn the_socket_unit_starts_the_registry_and_holds_connections_while_it_restarts() {
    let machine = Machine::boot(&CONFIG.replace("5000", "1"));
    let systemctl = machine.tool("systemctl");
    systemctl.run("enable --now boxyard.socket");
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive");

    let pull = push(&machine);
    assert_eq!(machine.property(UNIT, "ActiveState"), "active");
    machine.bash(
        "setsid bash -c 'for i in {1..100}; do curl -sS -o /dev/null http://127.0.0.1:5000/v2/ \
         || echo failed; done; echo done' >loop 2>&1 </dev/null &",
    );
    for _ in 0..3 {
        systemctl.run("restart boxyard");
    }
    systemctl.run("stop boxyard");
    pull();

    let loops = || fs::read_to_string(machine.home().join("loop")).ok();
    let said = eventually("the end of the loop", || {
        loops().filter(|said| said.contains("done"))
    });
    assert_eq!(said, "done\n");
}

#[test]
fn a_registry_that_hangs_is_ended_and_started_again() {
    let machine = Machine::boot(CONFIG);
    machine.bash(
        "mkdir /etc/systemd/system/boxyard.service.d\n\
         printf '[Service]\\nWatchdogSec=2\\nTimeoutAbortSec=1\\n' \
         >/etc/systemd/system/boxyard.service.d/soon.conf\n\
         systemctl daemon-reload; systemctl start boxyard",
    );
    let pull = push(&machine);
    let told = || machine.property(UNIT, "WatchdogTimestampMonotonic");
    let first = told();
    eventually("a word that it is alive", || {
        (told() != first).then_some(())
    });

    let process = machine.property(UNIT, "MainPID");
    machine.tool("kill -STOP").run(&process);
    eventually("another process", || {
        let serves = machine.property(UNIT, "ActiveState") == "active";
        (serves && machine.property(UNIT, "NRestarts") == "1").then_some(())
    });

    pull();
}

#[test]
fn a_configuration_that_cannot_be_served_by_is_tried_once() {
    let machine = Machine::boot("version: 0.1\nstorag: {}\n");

    let failed = machine.tool("systemctl").fail("start boxyard");

    assert!(failed.contains("journalctl"), "{failed}");
    assert_eq!(machine.property(UNIT, "ExecMainStatus"), "64");
    assert_eq!(machine.property(UNIT, "ActiveState"), "failed");
    assert_eq!(machine.property(UNIT, "NRestarts"), "0");
    let log = machine.tool("journalctl --no-pager --unit").run(UNIT);
    assert!(log.contains("did you mean `storage`"), "{log}");
}

#[test]
fn a_user_that_is_there_reads_the_keys_that_it_was_given() {
    let tls = "/etc/boxyard/tls/127.0.0.1";
    let config = CONFIG.replace(
        "draintimeout: 1m",
        &format!("tls: {{certificate: {tls}.crt, key: {tls}.key}}"),
    );
    let machine = Machine::boot(&config);
    machine.bash("boxyard certificate 127.0.0.1 --out /etc/boxyard/tls >/dev/null");
    let refused = machine.tool("systemctl").fail("start boxyard");
    assert!(refused.contains("journalctl"), "{refused}");
    let log = machine.tool("journalctl --no-pager --unit").run(UNIT);
    assert!(log.contains("Permission denied"), "{log}");

    // As the unit says.
    machine.bash(
        "useradd --system --no-create-home --shell /usr/sbin/nologin boxyard\n\
         cd /etc/boxyard/tls && chgrp boxyard . 127.0.0.1.key\n\
         chmod g+rx . && chmod g+r 127.0.0.1.key\n\
         systemctl start boxyard",
    );

    let curl = machine.tool("curl -sS --cacert /etc/boxyard/tls/ca.crt");
    assert_eq!(curl.run("https://127.0.0.1:5000/v2/"), "{}");
}
