//! The files of certificates: what is wrong with them, and what happens when they change.

#![expect(
    clippy::similar_names,
    reason = "a server and what it served are what these tests are about"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use boxyard_acceptance::{Authority, Pair, Tool};
use boxyard_testkit::{Blob, Client, Noise, Setup, TestServer, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

fn with(tls: &Value) -> Setup {
    Setup::new().config(&json!({ "http": { "tls": tls } }))
}

/// Whether somebody who trusts this authority alone is served on a new connection.
fn is_trusted_by(server: &TestServer, authority: &Authority) -> bool {
    let ca = authority.certificate.display();
    let folder = authority.certificate.parent().expect("it lies in a folder");
    let curl = Tool::new(folder, &format!("curl -sS --max-time 30 --cacert {ca}"));
    curl.succeeds(format!("https://{}/v2/", server.address()))
}

/// Two authorities, each with a certificate for the server; the server has the first.
struct Two {
    folder: TempDir,
    old: Authority,
    new: Authority,
    new_pair: Pair,
    served: Pair,
}

impl Two {
    fn new() -> Self {
        let folder = TempDir::new().expect("make a folder");
        let old = Authority::new(folder.path(), "old");
        let new = Authority::new(folder.path(), "new");
        Self {
            served: old.server("served"),
            new_pair: new.server("fresh"),
            old,
            new,
            folder,
        }
    }

    #[track_caller]
    fn is_served_eventually(&self, server: &TestServer) {
        eventually("the new certificate", || {
            is_trusted_by(server, &self.new).then_some(())
        });
        assert!(!is_trusted_by(server, &self.old));
    }
}

#[test]
fn what_is_wrong_with_the_files_is_said_with_their_names() {
    let folder = TempDir::new().expect("make a folder");
    let authority = Authority::new(folder.path(), "ca");
    let (one, other) = (authority.server("one"), authority.server("other"));
    let path = |name: &str| folder.path().join(name);
    let written = |name: &str, text: &str| {
        fs::write(path(name), text).expect("write");
        path(name)
    };
    let openssl = Tool::new(folder.path(), "openssl");
    openssl.run(format!(
        "pkcs8 -topk8 -in {} -passout pass:secret -out encrypted.key",
        one.key.display()
    ));
    let half = &fs::read_to_string(&one.certificate).expect("read")[..200];
    let half = written("half.crt", half);
    let wrong = written(
        "wrong.crt",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let (empty, gone) = (written("empty.pem", ""), path("gone.pem"));
    let (certificate, key) = (&one.certificate, &one.key);
    let pair = |certificate: &Path, key: &Path| json!({ "certificate": certificate, "key": key });
    let asking = |ca: &Path| {
        let mut tls = one.tls();
        tls["clientcas"] = json!([ca]);
        tls
    };
    let table = [
        (pair(&gone, key), "gone.pem"),
        (pair(certificate, &gone), "gone.pem"),
        (pair(&empty, key), "holds no certificate"),
        (pair(key, key), "holds no certificate"),
        (pair(certificate, &empty), "holds no private key"),
        (pair(certificate, certificate), "holds no private key"),
        (pair(&half, key), "is no PEM"),
        (pair(&wrong, key), "is not understood"),
        (pair(certificate, &other.key), "does not belong to"),
        (asking(&empty), "holds no certificate"),
        (asking(&gone), "gone.pem"),
    ];

    for (tls, expected) in table {
        let refusal = with(&tls).refuse();
        assert!(refusal.log.contains(expected), "{tls}: {}", refusal.log);
        assert!(
            refusal.log.contains(&*folder.path().to_string_lossy()),
            "{tls}: {}",
            refusal.log
        );
        assert!(!refusal.log.contains("PRIVATE KEY-----\n"));
    }
}

#[test]
fn files_in_another_form_or_order_are_said_to_be_that() {
    let folder = TempDir::new().expect("make a folder");
    let authority = Authority::new(folder.path(), "ca");
    let (one, other) = (authority.server("one"), authority.server("other"));
    let (certificate, key) = (&one.certificate, &one.key);
    let path = |name: &str| folder.path().join(name);
    let read = |file: &Path| fs::read(file).expect("read");
    let openssl = Tool::new(folder.path(), "openssl");
    for (command, file, new) in [("x509", certificate, "der.crt"), ("pkey", key, "der.key")] {
        let file = file.display();
        openssl.run(format!("{command} -in {file} -outform der -out {new}"));
    }
    let chain = [read(&authority.certificate), read(certificate)].concat();
    fs::write(path("disordered.crt"), chain).expect("write");
    fs::create_dir(path("folder")).expect("make a folder");
    let table = [
        ("disordered.crt", key, "are in the wrong order"),
        ("disordered.crt", &other.key, "does not belong to"),
        ("der.crt", key, "openssl x509 -inform der"),
        ("one.crt", &path("der.key"), "openssl pkey -inform der"),
        ("folder", key, "is a directory"),
        ("one.crt", &path("folder"), "is a directory"),
    ];

    for (certificate, key, expected) in table {
        let refusal = with(&json!({ "certificate": path(certificate), "key": key })).refuse();
        let log = refusal.log;
        assert!(log.contains(expected), "{certificate}: {log}");
        assert!(log.contains("`http.tls."), "{log}");
    }
}

#[test]
fn an_expired_certificate_is_served_and_warned_of() {
    let folder = TempDir::new().expect("make a folder");
    let authority = Authority::new(folder.path(), "ca");
    let server = with(&authority.expired_server("late").tls()).start();

    assert!(!is_trusted_by(&server, &authority));
    let log = server.log();
    assert!(
        log.contains("level=warning") && log.contains("it expired at 2001-01-01"),
        "{log}"
    );
}

#[test]
fn a_renewed_certificate_is_served_to_new_connections_and_disturbs_none() {
    let two = Two::new();
    let server = with(&two.served.tls()).start();
    let blob = Blob::new("application/octet-stream", Noise::new(1).draw(4 << 20));
    let plain = TestServer::start();
    // The content comes in without TLS, and is served by both, because the client of the tests knows none.
    Client::of(&plain).push_blob("a", &blob).expect(201);
    let source = two.folder.path().join("blob");
    fs::write(&source, &blob.bytes).expect("write");
    let curl = |words: &[&str]| {
        let mut command = Command::new("curl");
        command
            .args(["-sS", "--cacert"])
            .arg(&two.old.certificate)
            .args(words);
        command
    };
    let url = format!("https://{}/v2/a/blobs", server.address());
    let upload = format!("{url}/uploads/?digest={}", blob.digest);
    let data = format!("@{}", source.display());
    let pushed = curl(&["--data-binary", &data, "-H", "Expect:", &upload]).status();
    assert!(pushed.expect("run curl").success());

    let target = format!("{url}/{}", blob.digest);
    let files = ["http1.1", "http2"].map(|version| two.folder.path().join(version));
    let transfers = files.each_ref().map(|file| {
        let version = file.file_name().expect("it has a name").to_string_lossy();
        curl(&[&format!("--{version}"), "--limit-rate", "1M", &target])
            .arg("--output")
            .arg(file)
            .spawn()
            .expect("run curl")
    });
    for file in &files {
        eventually("the transfers to begin", || {
            let begun = fs::metadata(file).is_ok_and(|metadata| metadata.len() > 0);
            begun.then_some(())
        });
    }

    two.served.replace_by(&two.new_pair);
    two.is_served_eventually(&server);

    for (mut transfer, file) in transfers.into_iter().zip(files) {
        assert!(transfer.wait().expect("wait for curl").success());
        let content = fs::read(file).expect("read");
        assert!(content == *blob.bytes, "the transfer is whole");
    }
}

#[test]
fn a_link_that_leads_to_another_certificate_is_followed() {
    let two = Two::new();
    let folder = two.folder.path();
    // As Kubernetes mounts a secret.
    for (name, pair) in [("..1", &two.served), ("..2", &two.new_pair)] {
        let inner = folder.join(name);
        fs::create_dir(&inner).expect("make a folder");
        fs::copy(&pair.certificate, inner.join("tls.crt")).expect("copy");
        fs::copy(&pair.key, inner.join("tls.key")).expect("copy");
    }
    symlink("..1", folder.join("..data")).expect("link");
    for name in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), folder.join(name)).expect("link");
    }
    let mounted = Pair {
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
    };
    let server = with(&mounted.tls()).start();
    assert!(is_trusted_by(&server, &two.old));

    symlink("..2", folder.join("..data_tmp")).expect("link");
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("rename");

    two.is_served_eventually(&server);
}

#[test]
fn a_broken_pair_leaves_the_old_one_until_it_is_mended() {
    let two = Two::new();
    let server = with(&two.served.tls())
        .allow_error("cannot be used: new connections get what was in them before")
        .start();

    fs::write(&two.served.certificate, "garbage").expect("write");
    eventually("the log to say so", || {
        server.log().contains("holds no certificate").then_some(())
    });
    assert!(is_trusted_by(&server, &two.old));

    fs::copy(&two.new_pair.certificate, &two.served.certificate).expect("copy");
    eventually("the log to say so", || {
        server.log().contains("does not belong to").then_some(())
    });
    assert!(is_trusted_by(&server, &two.old));

    fs::copy(&two.new_pair.key, &two.served.key).expect("copy");
    two.is_served_eventually(&server);
}

#[test]
fn whatever_a_pair_becomes_the_old_one_is_served_and_the_log_says_so_once() {
    let two = Two::new();
    let folder = two.folder.path();
    let openssl = Tool::new(folder, "openssl");
    let (certificate, key) = (&two.served.certificate, &two.served.key);
    let fresh = two.new_pair.certificate.display();
    let fresh_key = two.new_pair.key.display();
    openssl.run(format!("x509 -in {fresh} -outform der -out der.crt"));
    openssl.run(format!(
        "pkcs8 -topk8 -in {fresh_key} -passout pass:secret -out encrypted.key"
    ));
    let read = |file: &Path| fs::read(file).expect("read");
    let chain = [read(&two.new.certificate), read(&two.new_pair.certificate)];
    fs::write(folder.join("disordered.crt"), chain.concat()).expect("write");
    let server = with(&two.served.tls())
        .allow_error("cannot be used: new connections get what was in them before")
        .start();
    let put = |from: &Path, to: &Path| {
        let beside = folder.join("beside");
        fs::copy(from, &beside).expect("copy");
        fs::rename(&beside, to).expect("rename");
    };
    let said = |reason: &str| {
        let log = server.log();
        log.lines().filter(|line| line.contains(reason)).count()
    };
    put(&two.new_pair.key, key);
    eventually("the log to say so", || {
        (said("does not belong to") == 1).then_some(())
    });

    let broken = [
        ("der.crt", certificate, "is DER and not PEM"),
        ("disordered.crt", certificate, "are in the wrong order"),
        ("encrypted.key", key, "is encrypted"),
    ];
    for (file, place, reason) in broken {
        put(&folder.join(file), place);
        eventually("the log to say so", || (said(reason) == 1).then_some(()));
        assert!(is_trusted_by(&server, &two.old), "{reason}");
    }
    fs::remove_file(key).expect("remove");
    fs::create_dir(key).expect("make a folder");
    eventually("the log to say so", || {
        (said("is a directory") == 1).then_some(())
    });
    // It has looked again and again meanwhile.
    for _ in 0..20 {
        assert!(is_trusted_by(&server, &two.old));
    }
    fs::remove_dir(key).expect("remove");
    put(&two.new_pair.key, key);
    put(&two.new_pair.certificate, certificate);

    two.is_served_eventually(&server);
    for (_, _, reason) in broken {
        assert_eq!(said(reason), 1, "{}", server.log());
    }
}

#[test]
fn the_cas_of_clients_are_read_again_as_well() {
    let two = Two::new();
    let cas = two.folder.path().join("cas.pem");
    fs::copy(&two.old.certificate, &cas).expect("copy");
    let mut tls = two.served.tls();
    tls["clientcas"] = json!([cas]);
    let server = with(&tls).start();
    let clients = [two.old.client("first"), two.new.client("second")];
    let served = || {
        let ca = two.old.certificate.display();
        let curl = Tool::new(two.folder.path(), &format!("curl -sS --cacert {ca}"));
        [&clients[0], &clients[1]].map(|pair| {
            curl.succeeds(format!(
                "--cert {} --key {} https://{}/v2/",
                pair.certificate.display(),
                pair.key.display(),
                server.address()
            ))
        })
    };
    assert_eq!(served(), [true, false]);

    fs::copy(&two.new.certificate, &cas).expect("copy");

    eventually("the new CA", || (served() == [false, true]).then_some(()));
}
