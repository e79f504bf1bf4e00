//! A client of the distribution API, with a verb for each thing that people do.

mod pull;
mod reply;
mod upload;

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::TestServer;
use crate::http::{Connection, Request, Response};
use crate::image::{Blob, Image, Index, media_type};
pub use pull::Pulled;
pub use reply::Reply;
pub use upload::{Upload, Way};

/// Every type of manifest, as clients ask for them.
const ACCEPTED: [&str; 4] = [
    media_type::OCI_MANIFEST,
    media_type::OCI_INDEX,
    media_type::DOCKER_MANIFEST,
    media_type::DOCKER_LIST,
];

/// Somebody who pushes and pulls; many threads may share one.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    way: Way,
    idle: Mutex<Vec<Connection>>,
}

impl Client {
    /// A client of `server`.
    pub fn of(server: &TestServer) -> Self {
        Self::at(server.address())
    }

    /// A client of whatever listens at `address`.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            headers: Vec::new(),
            way: Way::PostPut,
            idle: Mutex::default(),
        }
    }

    /// Sends this header with every request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says with every request that it is this user, by `Basic`.
    #[must_use]
    pub fn with_login(self, user: &str, password: &str) -> Self {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        self.with_header("Authorization", &format!("Basic {encoded}"))
    }

    /// Pushes blobs this way, instead of by POST and PUT, which every registry knows.
    #[must_use]
    pub fn pushing_by(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// Opens a connection of its own, for what the verbs do not say.
    pub fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.address)
    }

    /// Starts a request to this server.
    pub fn request<'a>(&self, method: &str, target: &str) -> Request<'a> {
        let host = self.address.to_string();
        let request = Request::new(method, target).header("Host", &host);
        self.headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    }

    /// Sends a request on a connection that is free, or a new one.
    pub fn send(&self, mut request: Request<'_>) -> Reply {
        let mut body = Vec::new();
        let outcome = self.send_into(&mut request, &mut body);
        Reply::new(&request, outcome, body)
    }

    /// Sends a request and copies what it brings into `sink`.
    pub(crate) fn send_into(
        &self,
        request: &mut Request<'_>,
        sink: &mut dyn io::Write,
    ) -> io::Result<Response> {
        let mut connection = self.connection()?;
        let response = connection.send_into(request, sink)?;
        if connection.is_open() {
            self.idle.lock().expect("no holder panics").push(connection);
        }
        Ok(response)
    }

    /// `GET /v2/`.
    pub fn check(&self) -> Reply {
        self.get("/v2/")
    }

    /// `GET` of any target.
    pub fn get(&self, target: &str) -> Reply {
        self.send(self.request("GET", target))
    }

    /// `HEAD` of any target.
    pub fn head(&self, target: &str) -> Reply {
        self.send(self.request("HEAD", target))
    }

    /// `DELETE` of any target.
    pub fn delete(&self, target: &str) -> Reply {
        self.send(self.request("DELETE", target))
    }

    /// Gets a manifest by tag or digest.
    pub fn get_manifest(&self, repo: &str, reference: &str) -> Reply {
        self.send(self.manifest_request("GET", repo, reference))
    }

    /// Asks for a manifest's digest, size and type.
    pub fn head_manifest(&self, repo: &str, reference: &str) -> Reply {
        self.send(self.manifest_request("HEAD", repo, reference))
    }

    /// Puts a manifest under a tag or its digest.
    pub fn put_manifest(&self, repo: &str, reference: &str, manifest: &Blob) -> Reply {
        let request = self
            .request("PUT", &manifest_target(repo, reference))
            .header("Content-Type", &manifest.media_type)
            .bytes(manifest.bytes.clone());
        self.send(request)
    }

    /// Points a tag at a manifest that the repository holds, by putting the same bytes again.
    pub fn tag(&self, repo: &str, from: &str, to: &str) -> Reply {
        let reply = self.get_manifest(repo, from);
        if reply.status() != Some(200) {
            return reply;
        }
        let manifest = reply.expect(200);
        let media_type = manifest.required("content-type").to_owned();
        self.put_manifest(repo, to, &Blob::new(&media_type, manifest.body))
    }

    /// Pushes blobs, then the manifest; stops at the first refusal.
    pub fn push_image(&self, repo: &str, reference: &str, image: &Image) -> Reply {
        for blob in image.blobs() {
            let reply = self.push_blob(repo, blob);
            if reply.status() != Some(201) {
                return reply;
            }
        }
        self.put_manifest(repo, reference, &image.manifest)
    }

    /// Pushes the images by digest, then the index.
    pub fn push_index(&self, repo: &str, reference: &str, index: &Index) -> Reply {
        for image in &index.images {
            let reply = self.push_image(repo, &image.manifest.digest, image);
            if reply.status() != Some(201) {
                return reply;
            }
        }
        self.put_manifest(repo, reference, &index.manifest)
    }

    /// Every tag of a repository, over all pages; none when it is unknown.
    #[track_caller]
    pub fn tags(&self, repo: &str) -> Vec<String> {
        self.listing(&format!("/v2/{repo}/tags/list"), "tags")
    }

    /// Every repository, over all pages.
    #[track_caller]
    pub fn catalog(&self) -> Vec<String> {
        self.listing("/v2/_catalog", "repositories")
    }

    /// The digests of what refers to `digest`, over all pages.
    #[track_caller]
    pub fn referrers(&self, repo: &str, digest: &str) -> Vec<String> {
        let target = format!("/v2/{repo}/referrers/{digest}");
        self.pages(&target, |page| {
            let descriptors = page.json()["manifests"].as_array().cloned();
            let descriptors = descriptors.unwrap_or_default().into_iter();
            let digest =
                |descriptor: serde_json::Value| descriptor["digest"].as_str().map(str::to_owned);
            descriptors.filter_map(digest).collect()
        })
    }

    /// Deletes a tag.
    pub fn delete_tag(&self, repo: &str, tag: &str) -> Reply {
        self.delete(&manifest_target(repo, tag))
    }

    /// Deletes a manifest by its digest.
    pub fn delete_manifest(&self, repo: &str, digest: &str) -> Reply {
        self.delete(&manifest_target(repo, digest))
    }

    /// Takes a blob out of a repository.
    pub fn delete_blob(&self, repo: &str, digest: &str) -> Reply {
        self.delete(&blob_target(repo, digest))
    }

    fn manifest_request(&self, method: &str, repo: &str, reference: &str) -> Request<'static> {
        self.request(method, &manifest_target(repo, reference))
            .header("Accept", &ACCEPTED.join(", "))
    }

    #[track_caller]
    fn listing(&self, target: &str, key: &str) -> Vec<String> {
        self.pages(target, |page| {
            let names = page.json()[key].as_array().cloned().unwrap_or_default();
            let names = names.iter().filter_map(serde_json::Value::as_str);
            names.map(str::to_owned).collect()
        })
    }

    /// Reads page after page; a repository that is not there has none.
    #[track_caller]
    fn pages(&self, first: &str, items: impl Fn(&Response) -> Vec<String>) -> Vec<String> {
        let mut found = Vec::new();
        let mut next = Some(first.to_owned());
        while let Some(target) = next {
            let reply = self.get(&target);
            if reply.status() == Some(404) {
                break;
            }
            let page = reply.expect(200);
            found.extend(items(&page));
            next = page.next_page();
        }
        found
    }

    /// Takes an idle connection that the server has not closed meanwhile.
    fn connection(&self) -> io::Result<Connection> {
        loop {
            let idle = self.idle.lock().expect("no holder panics").pop();
            match idle {
                Some(connection) if !connection.has_answer()? => return Ok(connection),
                Some(_) => {}
                None => return Connection::open(self.address),
            }
        }
    }
}

fn manifest_target(repo: &str, reference: &str) -> String {
    format!("/v2/{repo}/manifests/{reference}")
}

fn blob_target(repo: &str, digest: &str) -> String {
    format!("/v2/{repo}/blobs/{digest}")
}
