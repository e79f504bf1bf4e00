//! From what happens to what is sent: rendered once, for every endpoint that wants it.

use std::collections::HashSet;
use std::sync::Arc;

use boxyard_oci::{Digest, RepoName};
use boxyard_registry::{Event, Happening, Teller};
use bytes::Bytes;
use jiff::Timestamp;

use super::envelope::{self, Actor, Envelope, Request, Source, Target};
use super::id;
use crate::config::Endpoint;

/// The type that distribution gives every blob.
const BLOB: &str = "application/octet-stream";

/// Who wants to hear of what.
#[derive(Debug)]
pub(super) struct Audience {
    pub(super) references: bool,
    pub(super) source: Source,
    pub(super) listeners: Vec<Listener>,
}

/// What an endpoint wants to hear.
#[derive(Debug)]
pub(super) struct Listener {
    name: String,
    ignored_media_types: HashSet<String>,
    ignored_actions: HashSet<String>,
}

/// Tells of one request.
#[derive(Debug)]
pub(super) struct Reporter {
    pub(super) audience: Arc<Audience>,
    pub(super) request: Request,
    pub(super) actor: Actor,
    /// What the URLs of targets begin with.
    pub(super) base: String,
}

impl Listener {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self {
            name: endpoint.name.clone(),
            ignored_media_types: endpoint.ignored_media_types.clone(),
            ignored_actions: endpoint.ignored_actions.clone(),
        }
    }

    pub(super) fn hears_of(&self, action: &str) -> bool {
        !self.ignored_actions.contains(action)
    }

    fn wants(&self, action: &str, media_type: &str) -> bool {
        self.hears_of(action) && !self.ignored_media_types.contains(media_type)
    }
}

impl Teller for Reporter {
    fn tell(&self, repo: &RepoName, happening: Happening<'_>) -> Vec<Event> {
        let action = action(happening);
        let target = self.target(repo, happening);
        let wants = |listener: &&Listener| listener.wants(action, target.media_type);
        let names: Vec<_> = self.audience.listeners.iter().filter(wants).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let payload = Bytes::from(self.render(action, target));
        let event = |listener: &Listener| Event {
            receiver: listener.name.clone(),
            payload: payload.clone(),
        };
        names.into_iter().map(event).collect()
    }
}

impl Reporter {
    fn render(&self, action: &'static str, target: Target<'_>) -> String {
        let event = envelope::Event {
            id: id::random(),
            timestamp: Timestamp::now().to_string(),
            action,
            target,
            request: &self.request,
            actor: &self.actor,
            source: &self.audience.source,
        };
        Envelope { events: [event] }.text()
    }

    fn target<'a>(&self, repo: &'a RepoName, happening: Happening<'a>) -> Target<'a> {
        let repository = repo.as_str();
        match happening {
            Happening::ManifestPushed(manifest, tag) => {
                let content = (manifest.digest(), manifest.size());
                let media_type = manifest.media_type().as_str();
                Target {
                    tag: tag.map(AsRef::as_ref),
                    references: self.references(manifest.payload()),
                    ..self.content(repo, "manifests", media_type, content)
                }
            }
            Happening::ManifestPulled(manifest, tag) => {
                let content = (manifest.digest, manifest.payload.len() as u64);
                let media_type = manifest.media_type.as_str();
                Target {
                    tag: tag.map(AsRef::as_ref),
                    references: self.references(&manifest.payload),
                    ..self.content(repo, "manifests", media_type, content)
                }
            }
            Happening::BlobPushed(digest, size) | Happening::BlobPulled(digest, size) => {
                self.content(repo, "blobs", BLOB, (*digest, size))
            }
            Happening::BlobMounted(digest, size, from) => Target {
                from_repository: Some(from.as_str()),
                ..self.content(repo, "blobs", BLOB, (*digest, size))
            },
            Happening::ManifestDeleted(digest) | Happening::BlobDeleted(digest) => Target {
                digest: digest.to_string(),
                repository,
                ..Target::default()
            },
            Happening::TagDeleted(tag) => Target {
                tag: Some(tag.as_ref()),
                repository,
                ..Target::default()
            },
        }
    }

    fn content<'a>(
        &self,
        repo: &'a RepoName,
        kind: &str,
        media_type: &'a str,
        (digest, size): (Digest, u64),
    ) -> Target<'a> {
        let digest = digest.to_string();
        Target {
            media_type,
            size,
            length: size,
            repository: repo.as_str(),
            url: Some(format!("{}/v2/{repo}/{kind}/{digest}", self.base)),
            digest,
            ..Target::default()
        }
    }

    fn references(&self, payload: &[u8]) -> Vec<envelope::Descriptor> {
        if self.audience.references {
            envelope::references(payload)
        } else {
            Vec::new()
        }
    }
}

fn action(happening: Happening<'_>) -> &'static str {
    match happening {
        Happening::ManifestPushed(..) | Happening::BlobPushed(..) => "push",
        Happening::BlobMounted(..) => "mount",
        Happening::ManifestPulled(..) | Happening::BlobPulled(..) => "pull",
        Happening::ManifestDeleted(_) | Happening::BlobDeleted(_) | Happening::TagDeleted(_) => {
            "delete"
        }
    }
}
