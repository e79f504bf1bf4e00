//! Folders that released versions have left, made by `make` beside this file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use boxyard_acceptance::{Tool, checkout};
use boxyard_testkit::{Client, sha256, sha512};
use serde_json::{Map, Value};
use tempfile::TempDir;

/// A copy of such a folder, and what its version had acknowledged.
pub(crate) struct Released {
    folder: TempDir,
    said: Value,
}

impl Released {
    /// Unpacks a folder, such as `0.1-stopped`.
    pub(crate) fn unpack(name: &str) -> Self {
        let here = checkout().join("crates/acceptance/tests/schema");
        let folder = TempDir::new().expect("make a folder");
        let packed = here.join(format!("{name}.tar.gz"));
        Tool::new(folder.path(), "tar").run(format!("xzf {}", packed.display()));
        let said = fs::read(here.join(format!("{name}.json"))).expect("read what was pushed");
        let said = serde_json::from_slice(&said).expect("it is JSON");
        Self { folder, said }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("boxyard.db")
    }

    /// The repositories in order.
    pub(crate) fn repositories(&self) -> Vec<String> {
        self.object("tags").keys().cloned().collect()
    }

    /// Where the unfinished upload goes on, the bytes that it lacks, and the digest of the whole.
    pub(crate) fn upload(&self) -> (String, Vec<u8>, String) {
        let text = |key: &str| text(&self.said["upload"][key]).to_owned();
        (text("location"), bytes_of(&text("rest")), text("digest"))
    }

    /// The manifests, with their repositories, that nothing keeps but themselves.
    pub(crate) fn untagged(&self) -> BTreeSet<(String, String)> {
        let mut kept = BTreeSet::new();
        for (repo, tags) in self.object("tags") {
            let tagged = tags.as_object().into_iter().flat_map(Map::values);
            kept.extend(tagged.map(|digest| (repo.clone(), text(digest).to_owned())));
        }
        for (repo, subjects) in self.object("referrers") {
            let referrers = subjects.as_object().into_iter().flat_map(Map::values);
            let referrers = referrers.flat_map(list);
            kept.extend(referrers.map(|digest| (repo.clone(), digest.to_owned())));
        }
        let all = self.all("manifests").into_iter();
        // Those of `team/multi` are listed by its index.
        all.filter(|manifest| manifest.0 != "team/multi" && !kept.contains(manifest))
            .collect()
    }

    /// Everything is served as it was acknowledged.
    #[track_caller]
    pub(crate) fn is_whole(&self, client: &Client) {
        assert_eq!(client.catalog(), self.repositories());
        self.is_whole_but_for_the_catalog(client);
    }

    /// Everything is served as it was acknowledged, and other repositories may be there.
    #[track_caller]
    pub(crate) fn is_whole_but_for_the_catalog(&self, client: &Client) {
        self.has_its_tags(client);
        for (repo, digest) in self.all("manifests") {
            client.pull_image(&repo, &digest);
        }
        for (repo, digest) in self.all("blobs") {
            let blob = client.get_blob(&repo, &digest).expect(200);
            let hash = if digest.starts_with("sha512:") {
                sha512(&blob.body)
            } else {
                sha256(&blob.body)
            };
            assert_eq!(hash, digest, "in `{repo}`");
        }
    }

    /// The tags are those that there were, what they name is whole, and so are its referrers.
    #[track_caller]
    pub(crate) fn has_its_tags(&self, client: &Client) {
        let sparse = self.all("sparse");
        for (repo, tags) in self.object("tags") {
            let tags = tags.as_object().expect("tags have names");
            assert_eq!(client.tags(repo), tags.keys().cloned().collect::<Vec<_>>());
            for (tag, digest) in tags {
                let digest = text(digest).to_owned();
                let manifest = client.get_manifest(repo, tag).expect(200);
                assert_eq!(sha256(&manifest.body), digest, "`{repo}:{tag}`");
                if !sparse.contains(&(repo.clone(), digest)) {
                    client.pull_image(repo, tag);
                }
            }
        }
        for (repo, subjects) in self.object("referrers") {
            for (subject, referrers) in subjects.as_object().into_iter().flatten() {
                let referrers: Vec<&str> = list(referrers).collect();
                assert_eq!(client.referrers(repo, subject), referrers);
                for digest in referrers {
                    client.pull_image(repo, digest);
                }
            }
        }
    }

    /// The digests of a kind, each with its repository.
    fn all(&self, kind: &str) -> BTreeSet<(String, String)> {
        let repositories = self.object(kind).iter();
        repositories
            .flat_map(|(repo, digests)| {
                list(digests).map(|digest| (repo.clone(), digest.to_owned()))
            })
            .collect()
    }

    fn object(&self, kind: &str) -> &Map<String, Value> {
        let found = self.said[kind].as_object();
        found.expect("what was pushed is sorted by repositories")
    }
}

fn list(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(text)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("digests are texts")
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("the bytes are in hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}
