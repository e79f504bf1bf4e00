//! A server that tests attack, and what must be as before afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use boxyard_testkit::http::{Connection, Response};
use boxyard_testkit::{Client, Image, Reply, Setup, TestServer, sha256};
use tempfile::TempDir;

use crate::Boxyard;

/// What lies in files around the server's folder, and must not come back in an answer.
const SECRET: &str = "a secret that lies outside of the registry";

/// The repository that holds an image before the attack.
const KEPT: &str = "kept/image";

/// How long the server may be silent in the middle of an exchange.
const SILENCE: Duration = Duration::from_secs(20);

/// A server with an image, and with files around its folder that are none of its business.
#[derive(Debug)]
pub struct Victim {
    server: TestServer,
    image: Image,
    around: BTreeMap<PathBuf, Vec<u8>>,
    area: TempDir,
}

impl Victim {
    /// Starts the usual server.
    #[track_caller]
    pub fn start() -> Self {
        Self::of(Setup::new())
    }

    /// Starts a server of this setup.
    #[track_caller]
    pub fn of(setup: Setup) -> Self {
        let area = TempDir::new().expect("make a folder for the victim");
        let root = root_in(area.path());
        fs::create_dir_all(&root).expect("make the server's folder");
        for folder in root.ancestors().skip(1).take(4) {
            for name in ["data", "link", "secret"] {
                fs::write(folder.join(name), SECRET).expect("write a secret");
            }
        }
        let server = setup.root(root).start();
        let image = Image::with_layers(7, &[3_000]);
        Client::of(&server)
            .push_image(KEPT, "latest", &image)
            .expect(201);
        // What is looked at in its folder is there from now on.
        Boxyard::of(&server).succeed(&["settle"]);
        Self {
            server,
            image,
            around: files_around(area.path()),
            area,
        }
    }

    /// The server.
    pub fn server(&self) -> &TestServer {
        &self.server
    }

    /// A client with connections of its own.
    pub fn client(&self) -> Client {
        Client::of(&self.server)
    }

    /// The image that was there before the attack, as `latest` of [`repo`](Self::repo).
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The repository that was there before the attack.
    pub fn repo(&self) -> &'static str {
        KEPT
    }

    /// Writes bytes as they are and returns every answer until the server closes in order.
    #[track_caller]
    pub fn exchange(&self, bytes: &[u8]) -> Vec<Response> {
        let mut connection = Connection::open(self.server.address()).expect("connect");
        connection.set_patience(SILENCE).expect("set a time limit");
        // A server that has seen enough closes before everything is written; what it says still counts.
        let _written = connection.write(bytes);
        let mut answers = Vec::new();
        loop {
            match connection.read_response() {
                Ok(answer) => answers.push(answer),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return answers,
                Err(error) => panic!("after {answers:?} the server does not close: {error}"),
            }
        }
    }

    /// Fails unless the image and everything around the folder are as before, and others are served.
    #[track_caller]
    pub fn is_unharmed(&self) {
        let client = self.client();
        client.check().expect(200);
        let pulled = client.pull_image(KEPT, "latest");
        assert_eq!(pulled.manifest, self.image.manifest);
        assert_eq!(client.tags(KEPT), ["latest"]);
        assert_eq!(
            files_around(self.area.path()),
            self.around,
            "files around the server's folder"
        );
    }

    /// Fails unless no repository has come or gone as well.
    #[track_caller]
    pub fn is_untouched(&self) {
        self.is_unharmed();
        assert_eq!(self.client().catalog(), [KEPT]);
        let repositories = self.server.root().join("docker/registry/v2/repositories");
        assert_eq!(names_in(&repositories), ["kept"]);
        assert_eq!(names_in(&repositories.join("kept")), ["image"]);
    }
}

/// Fails unless the answer is a refusal in the form of the specification, with one of the codes.
#[track_caller]
pub fn expect_refusal(reply: Reply, status: u16, codes: &[&str]) -> Response {
    let response = reply.expect(status);
    is_refusal(&response, codes);
    response
}

/// Fails unless the body is in the specification's form of an error, with one of the codes, and tells no secret.
#[track_caller]
pub fn is_refusal(response: &Response, codes: &[&str]) {
    assert!(
        (400..500).contains(&response.status),
        "no refusal: {response:?}"
    );
    assert_eq!(response.required("content-type"), "application/json");
    let body = response.json();
    let errors = body["errors"].as_array().expect("a list of errors");
    assert!(!errors.is_empty(), "no error in {response:?}");
    for error in errors {
        let code = error["code"].as_str().expect("every error has a code");
        assert!(codes.contains(&code), "{codes:?} is not in {response:?}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "no message in {response:?}");
    }
    assert!(!response.text().contains(SECRET), "{response:?}");
}

/// The digest of content that no server holds.
pub fn nowhere() -> String {
    sha256("content that nobody has pushed")
}

fn root_in(area: &Path) -> PathBuf {
    area.join("var/lib/registry")
}

/// Every file of the area with its content, but for those in the server's folder.
fn files_around(area: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = root_in(area);
    let mut files = BTreeMap::new();
    let mut folders = vec![area.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("list a folder around the server's") {
            let path = entry.expect("list a folder around the server's").path();
            if path == root {
                continue;
            }
            if path.is_dir() {
                files.insert(path.clone(), Vec::new());
                folders.push(path);
            } else {
                let content = fs::read(&path).expect("read a file around the server's");
                files.insert(path, content);
            }
        }
    }
    files
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("list a folder of the server");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("list a folder of the server").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
