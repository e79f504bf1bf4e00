//! Blobs: the ways to push them, and what else is done with one.

use std::io::Read;

use super::{Client, Reply, blob_target};
use crate::http::{Body, Response};
use crate::image::Blob;

/// How the bytes of a blob get to the server.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// One POST with the digest.
    Post,
    /// A POST, then a PUT of all bytes.
    PostPut,
    /// A POST, a PATCH of at most this many bytes for each chunk, and an empty PUT.
    Chunks(usize),
    /// A POST, one PATCH of unknown length, and an empty PUT.
    Streamed,
}

/// An upload that has begun, at the place where it goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// The target of the next request.
    pub location: String,
}

impl Upload {
    /// Reads from a response where the upload goes on.
    #[track_caller]
    pub fn at(response: &Response) -> Self {
        Self {
            location: response.location(),
        }
    }

    /// The target that ends the upload with this digest.
    pub fn target_of(&self, digest: &str) -> String {
        let separator = if self.location.contains('?') {
            '&'
        } else {
            '?'
        };
        format!("{}{separator}digest={digest}", self.location)
    }
}

impl Client {
    /// Pushes a blob in this client's way.
    pub fn push_blob(&self, repo: &str, blob: &Blob) -> Reply {
        self.push_blob_by(self.way, repo, blob)
    }

    /// Pushes a blob in some way; stops at the first refusal.
    pub fn push_blob_by(&self, way: Way, repo: &str, blob: &Blob) -> Reply {
        match way {
            Way::Post => self.push_in_one(repo, blob),
            _ => self
                .push_in_steps(way, repo, blob)
                .unwrap_or_else(|refusal| refusal),
        }
    }

    /// Pushes a blob that is too large to hold, by POST and PUT.
    pub fn push_stream<'a>(
        &self,
        repo: &str,
        digest: &str,
        size: u64,
        bytes: impl Read + 'a,
    ) -> Reply {
        match self.begin_upload(repo).or_refusal(202) {
            Ok(response) => {
                let target = Upload::at(&response).target_of(digest);
                let body = Body::Stream(Box::new(bytes), size);
                self.send(octets(self.request("PUT", &target)).body(body))
            }
            Err(refusal) => refusal,
        }
    }

    fn push_in_one(&self, repo: &str, blob: &Blob) -> Reply {
        let target = format!("{}?digest={}", uploads_target(repo), blob.digest);
        self.send(octets(self.request("POST", &target)).bytes(blob.bytes.clone()))
    }

    fn push_in_steps(&self, way: Way, repo: &str, blob: &Blob) -> Result<Reply, Reply> {
        let mut upload = Upload::at(&self.begin_upload(repo).or_refusal(202)?);
        let mut last: &[u8] = &[];
        match way {
            Way::Post | Way::PostPut => last = &blob.bytes,
            Way::Chunks(size) => {
                let starts = (0..).step_by(size);
                for (start, piece) in starts.zip(blob.bytes.chunks(size)) {
                    let reply = self.patch(&upload, Some(start), piece);
                    upload = Upload::at(&reply.or_refusal(202)?);
                }
            }
            Way::Streamed => {
                let reply = self.patch_stream(&upload, &*blob.bytes);
                upload = Upload::at(&reply.or_refusal(202)?);
            }
        }
        Ok(self.finish(&upload, &blob.digest, last))
    }

    /// Begins an upload.
    pub fn begin_upload(&self, repo: &str) -> Reply {
        self.send(self.request("POST", &uploads_target(repo)).bytes(""))
    }

    /// Asks how far an upload has come.
    pub fn upload_status(&self, upload: &Upload) -> Reply {
        self.get(&upload.location)
    }

    /// Appends bytes; with `start`, says by `Content-Range` where they belong.
    pub fn patch(&self, upload: &Upload, start: Option<usize>, bytes: &[u8]) -> Reply {
        let mut request = octets(self.request("PATCH", &upload.location)).bytes(bytes.to_vec());
        if let Some(start) = start {
            let end = (start + bytes.len()).saturating_sub(1);
            request = request.header("Content-Range", &format!("{start}-{end}"));
        }
        self.send(request)
    }

    /// Appends bytes without saying how many there will be.
    pub fn patch_stream<'a>(&self, upload: &Upload, bytes: impl Read + 'a) -> Reply {
        let request = octets(self.request("PATCH", &upload.location));
        self.send(request.body(Body::Chunked(Box::new(bytes))))
    }

    /// Appends the last bytes and ends an upload.
    pub fn finish(&self, upload: &Upload, digest: &str, bytes: &[u8]) -> Reply {
        let request = self.request("PUT", &upload.target_of(digest));
        self.send(octets(request).bytes(bytes.to_vec()))
    }

    /// Gives up an upload.
    pub fn cancel(&self, upload: &Upload) -> Reply {
        self.delete(&upload.location)
    }

    /// Takes a blob from another repository, or with `None` from any.
    pub fn mount(&self, repo: &str, digest: &str, from: Option<&str>) -> Reply {
        let from = from.map_or(String::new(), |from| format!("&from={from}"));
        let target = format!("{}?mount={digest}{from}", uploads_target(repo));
        self.send(self.request("POST", &target).bytes(""))
    }

    /// Gets a blob.
    pub fn get_blob(&self, repo: &str, digest: &str) -> Reply {
        self.get(&blob_target(repo, digest))
    }

    /// Asks for a blob's size.
    pub fn head_blob(&self, repo: &str, digest: &str) -> Reply {
        self.head(&blob_target(repo, digest))
    }

    /// Gets a part of a blob, with a `Range` header such as `bytes=0-99`.
    pub fn get_range(&self, repo: &str, digest: &str, range: &str) -> Reply {
        let request = self.request("GET", &blob_target(repo, digest));
        self.send(request.header("Range", range))
    }
}

fn octets(request: crate::http::Request<'_>) -> crate::http::Request<'_> {
    request.header("Content-Type", "application/octet-stream")
}

fn uploads_target(repo: &str) -> String {
    format!("/v2/{repo}/blobs/uploads/")
}
