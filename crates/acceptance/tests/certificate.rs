//! `boxyard certificate` makes what clients trust, and prints what to paste.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use boxyard_acceptance::{Network, Sandbox, Tool};
use boxyard_testkit::binary;
use tempfile::TempDir;

/// The name of most tests.
const NAME: &str = "registry.example.com";

#[test]
fn the_printed_lines_put_the_authority_where_each_client_looks() {
    let sandbox = Sandbox::new(Network::Private);
    let home = sandbox.home();
    let boxyard = sandbox.tool(&binary().display().to_string());
    let said = boxyard.run(format!("certificate {NAME} 192.0.2.7:443 --out tls"));
    let store = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let certificate = home.join(format!("tls/{NAME}.crt"));
    let verify = sandbox.tool("openssl verify -x509_strict");
    verify.fail(format!(
        "-CAfile {} {}",
        store.display(),
        certificate.display()
    ));

    let clients = part(&said, "# On every client", "# Fedora");
    sandbox.tool("bash").run_words(&["-euc", &clients]);

    let folders = [
        "/etc/docker/certs.d",
        "/etc/containerd/certs.d",
        "/etc/containers/certs.d",
    ];
    let hosts = [format!("{NAME}:5000"), "192.0.2.7".to_owned()];
    for folder in folders {
        for host in &hosts {
            let authority = format!("{folder}/{host}/ca.crt");
            verify.run(format!("-CAfile {authority} {}", certificate.display()));
        }
    }
    verify.run(format!(
        "-CAfile {} {}",
        store.display(),
        certificate.display()
    ));
}

#[test]
fn only_its_owner_reads_a_key_and_no_call_overwrites_one() {
    let maker = Maker::new();
    maker.run(NAME);
    for (name, mode) in [
        ("", 0o700),
        ("ca.key", 0o600),
        ("registry.example.com.key", 0o600),
    ] {
        let found = fs::metadata(maker.path(name)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
    let before = maker.files();

    let refused = maker.fail(NAME);

    assert!(
        refused.contains("registry.example.com.key` is there already"),
        "{refused}"
    );
    assert!(refused.contains("--renew"), "{refused}");
    assert_eq!(maker.files(), before);
}

#[test]
fn another_host_gets_a_certificate_of_the_same_authority() {
    let maker = Maker::new();
    maker.run(NAME);
    let authority = maker.read("ca.crt");

    let said = maker.run("other.example.com");

    assert!(
        said.contains("clients that trust it need nothing"),
        "{said}"
    );
    assert_eq!(maker.read("ca.crt"), authority);
    maker.verify(
        "other.example.com.crt",
        "-verify_hostname other.example.com",
    );
    maker.verify(
        "registry.example.com.crt",
        &format!("-verify_hostname {NAME}"),
    );
}

#[test]
fn a_renewed_certificate_is_for_the_same_key_and_a_new_end() {
    let maker = Maker::new();
    maker.run(&format!("{NAME} --days 2"));
    let [key, certificate] = ["key", "crt"].map(|end| maker.read(&format!("{NAME}.{end}")));
    let enddate = format!("x509 -noout -checkend {} -in {NAME}.crt", 3 * 86_400);
    maker.openssl.fail(&enddate);

    maker.run(&format!("{NAME} --days 4 --renew"));

    maker.openssl.run(&enddate);
    assert_eq!(maker.read(&format!("{NAME}.key")), key);
    assert_ne!(maker.read(&format!("{NAME}.crt")), certificate);
    maker.verify(
        "registry.example.com.crt",
        &format!("-verify_hostname {NAME}"),
    );
    let refused = maker.fail("other.example.com --renew");
    assert!(refused.contains("nothing to renew"), "{refused}");
}

#[test]
fn a_renewal_that_would_lose_a_host_is_refused_and_one_that_adds_some_is_not() {
    let maker = Maker::new();
    let all = format!("{NAME} *.site.lan 192.0.2.7 2001:db8::7");
    maker.run(&all);
    let file = format!("{NAME}.crt");
    let before = maker.files();

    let refused = maker.fail(&format!("{NAME} 192.0.2.7 --renew"));

    assert!(
        refused.contains("is for `*.site.lan`, `2001:db8::7` as well"),
        "{refused}"
    );
    assert!(refused.contains("name every host"), "{refused}");
    assert_eq!(maker.files(), before);
    maker.run(&format!("{all} more.lan --renew"));
    maker.verify(&file, "-verify_hostname more.lan");
    maker.verify(&file, "-verify_ip 2001:db8::7");
    maker.remove(&file);
    maker.run(&format!("{NAME} --renew"));
    maker.verify(&file, &format!("-verify_hostname {NAME}"));
    // What is no certificate has no names to lose.
    maker.write(&file, "garbage");
    maker.run(&format!("{NAME} --renew"));
}

#[test]
fn a_certificate_is_for_every_name_and_address_that_was_given() {
    let maker = Maker::new();

    maker.run(
        "Registry.Example.com:8443 *.site.lan 192.0.2.7 2001:db8::7 [::1]:443 registry.example.com",
    );

    let file = "registry.example.com.crt";
    for good in [
        "-verify_hostname registry.example.com",
        "-verify_hostname registry.site.lan",
        "-verify_ip 192.0.2.7",
        "-verify_ip 2001:db8::7",
        "-verify_ip ::1",
    ] {
        maker.verify(file, good);
    }
    for bad in [
        "-verify_hostname example.com",
        "-verify_hostname a.b.site.lan",
        "-verify_ip 192.0.2.8",
    ] {
        maker
            .openssl
            .fail(format!("verify -x509_strict -CAfile ca.crt {bad} {file}"));
    }
}

#[test]
fn what_is_no_host_and_no_span_of_days_is_refused_before_anything_is_made() {
    let maker = Maker::new();

    for (words, reason) in [
        ("https://registry.example.com", "leave `https://` away"),
        ("registry.example.com:http", "`http` is no port"),
        ("192.0.2.300", "neither a DNS name nor an IP address"),
        ("../ca", "neither a DNS name nor an IP address"),
        ("registry.example.com --days 0", "0 is not in 1..=3650"),
        (
            "registry.example.com --days 99999",
            "99999 is not in 1..=3650",
        ),
        ("registry.example.com --port 0", "0 is not in 1..=65535"),
        ("", "HOST"),
    ] {
        let refused = maker.fail(words);
        assert!(refused.contains(reason), "{words}: {refused}");
    }

    assert!(!maker.folder().exists());
}

#[test]
fn an_authority_that_cannot_sign_is_left_alone_and_named() {
    for (spoil, reason) in SPOILED {
        let maker = Maker::new();
        maker.run(NAME);
        spoil(&maker);
        let before = maker.files();

        let refused = maker.fail("other.example.com");

        assert!(refused.contains(reason), "{reason}: {refused}");
        assert!(refused.contains("ca."), "{reason}: {refused}");
        assert_eq!(maker.files(), before, "{reason}");
    }
}

/// Ways to spoil an authority, and what is said about each.
type Spoiled = (fn(&Maker), &'static str);

const SPOILED: [Spoiled; 8] = [
    (|maker| maker.remove("ca.key"), "has no key beside it"),
    (
        |maker| maker.remove("ca.crt"),
        "has no certificate beside it",
    ),
    (
        |maker| maker.write("ca.crt", "garbage"),
        "is no certificate in PEM",
    ),
    (
        |maker| maker.write("ca.key", "garbage"),
        "cannot sign: read the key beside it",
    ),
    (
        |maker| maker.write("ca.crt", ""),
        "is no certificate in PEM",
    ),
    (
        |maker| maker.write("ca.key", &maker.read("registry.example.com.key")),
        "is the key of another certificate",
    ),
    (
        |maker| {
            maker.write("ca.crt", &maker.read("registry.example.com.crt"));
            maker.write("ca.key", &maker.read("registry.example.com.key"));
        },
        "it is not the certificate of an authority",
    ),
    (
        |maker| {
            maker.openssl.run(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 \
                 -keyout ca.key -out ca.crt -subj /CN=short",
            );
        },
        "before the certificate that was asked for",
    ),
];

#[test]
fn an_authority_of_somebody_else_signs_as_well() {
    let maker = Maker::new();
    fs::create_dir(maker.folder()).unwrap();
    maker.openssl.run(
        "req -x509 -newkey rsa:2048 -nodes -days 1000 -keyout ca.key -out ca.crt \
         -subj /O=Example/CN=Own -addext keyUsage=critical,keyCertSign",
    );

    maker.run(NAME);

    maker.verify(
        "registry.example.com.crt",
        &format!("-verify_hostname {NAME}"),
    );
}

/// Calls the command with a folder of its own.
struct Maker {
    boxyard: Tool,
    openssl: Tool,
    home: TempDir,
}

impl Maker {
    fn new() -> Self {
        let home = TempDir::with_prefix("boxyard-certificate-").expect("make a folder");
        Self {
            boxyard: Tool::new(home.path(), &binary().display().to_string()),
            openssl: Tool::new(home.path(), "openssl").within(&home.path().join("tls")),
            home,
        }
    }

    #[track_caller]
    fn run(&self, words: &str) -> String {
        self.boxyard.run(format!("certificate --out tls {words}"))
    }

    #[track_caller]
    fn fail(&self, words: &str) -> String {
        self.boxyard.fail(format!("certificate --out tls {words}"))
    }

    #[track_caller]
    fn verify(&self, file: &str, options: &str) {
        let words =
            format!("verify -x509_strict -CAfile ca.crt -purpose sslserver {options} {file}");
        self.openssl.run(words);
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("tls")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("read a file of the folder")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("write a file of the folder");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("remove a file of the folder");
    }

    /// Every file with its content.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.folder()).expect("list the folder");
        let paths = entries.map(|entry| entry.expect("list the folder").path());
        let mut files: Vec<_> = paths
            .map(|path| {
                (
                    path.clone(),
                    fs::read(path).expect("read a file of the folder"),
                )
            })
            .collect();
        files.sort();
        files
    }
}

/// The lines from the one that begins with `from` to before the one that begins with `to`.
#[track_caller]
fn part(said: &str, from: &str, to: &str) -> String {
    let start = said.find(from).expect("the first line of the part");
    let length = said[start..].find(to).expect("the line after the part");
    said[start..start + length].to_owned()
}
