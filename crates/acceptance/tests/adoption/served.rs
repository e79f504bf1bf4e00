//! Everything that a registry serves, in a form that can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use boxyard_testkit::{Client, sha256};
use serde_json::Value;

/// What is answered under each name.
pub(crate) type Served = BTreeMap<String, String>;

/// Lists every tag of every repository, and pulls what they lead to and what lies in the folder besides.
///
/// Distribution's catalog also shows repositories in which there is nothing left, so one counts only for what it has.
#[track_caller]
pub(crate) fn served(client: &Client, root: &Path) -> Served {
    let mut served = Served::new();
    let mut repositories: BTreeSet<String> = client.catalog().into_iter().collect();
    repositories.extend(repositories_in(root));
    for repo in repositories {
        let mut references = client.tags(&repo);
        references.sort();
        if !references.is_empty() {
            served.insert(format!("{repo} tags"), references.join(" "));
        }
        references.extend(digests_in(root, &repo, "_manifests/revisions"));
        while let Some(reference) = references.pop() {
            follow(client, &repo, &reference, &mut references, &mut served);
        }
        for digest in digests_in(root, &repo, "_layers") {
            note_blob(client, &repo, &digest, &mut served);
        }
    }
    served
}

/// Fails with what differs, and with nothing of what does not.
#[track_caller]
pub(crate) fn assert_alike(found: &Served, expected: &Served, place: &str) {
    let names: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differences: Vec<String> = names
        .into_iter()
        .filter(|name| found.get(*name) != expected.get(*name))
        .map(|name| {
            format!(
                "{name}: {:?} is not {:?}",
                found.get(name),
                expected.get(name)
            )
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{place}:\n{}",
        differences.join("\n")
    );
}

/// Notes a manifest, and hands out what it names.
#[track_caller]
fn follow(
    client: &Client,
    repo: &str,
    reference: &str,
    more: &mut Vec<String>,
    served: &mut Served,
) {
    let name = format!("{repo} manifest {reference}");
    if served.contains_key(&name) {
        return;
    }
    let reply = client.get_manifest(repo, reference);
    if reply.status() != Some(200) {
        // A tag may be listed and lead nowhere; a digest that is unknown is not worth a line.
        if !reference.contains(':') {
            served.insert(name, "unknown".to_owned());
        }
        return;
    }
    let found = reply.expect(200);
    let digest = found.required("docker-content-digest").to_owned();
    let content = format!(
        "{digest} {} {}",
        found.required("content-type"),
        sha256(&found.body)
    );
    served.insert(name, content);
    more.push(digest);
    let document: Value = serde_json::from_slice(&found.body).unwrap_or_default();
    let config = Some(&document["config"]).filter(|config| config.is_object());
    let layers = document["layers"].as_array().into_iter().flatten();
    for descriptor in config.into_iter().chain(layers) {
        note_blob(client, repo, text(&descriptor["digest"]), served);
    }
    let children = document["manifests"].as_array().into_iter().flatten();
    more.extend(children.map(|child| text(&child["digest"]).to_owned()));
}

/// Notes a blob by its bytes.
#[track_caller]
fn note_blob(client: &Client, repo: &str, digest: &str, served: &mut Served) {
    let name = format!("{repo} blob {digest}");
    if served.contains_key(&name) {
        return;
    }
    let reply = client.get_blob(repo, digest);
    if reply.status() == Some(404) {
        client.head_blob(repo, digest).expect(404);
        return;
    }
    let found = reply.expect(200);
    let head = client.head_blob(repo, digest).expect(200);
    assert_eq!(
        head.required("content-length"),
        found.body.len().to_string()
    );
    served.insert(name, sha256(&found.body));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The repositories that have a folder.
fn repositories_in(root: &Path) -> BTreeSet<String> {
    let top = root.join("docker/registry/v2/repositories");
    let mut found = BTreeSet::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for name in names(&top.join(&folder)) {
            if name.starts_with('_') {
                found.insert(folder.clone());
            } else if folder.is_empty() {
                folders.push(name);
            } else {
                folders.push(format!("{folder}/{name}"));
            }
        }
    }
    found
}

/// The digests that have a link in a folder of the repository.
fn digests_in(root: &Path, repo: &str, folder: &str) -> Vec<String> {
    let top = root.join("docker/registry/v2/repositories").join(repo);
    let mut found = Vec::new();
    for algorithm in names(&top.join(folder)) {
        for hex in names(&top.join(folder).join(&algorithm)) {
            found.push(format!("{algorithm}:{hex}"));
        }
    }
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.expect("read a folder").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}
