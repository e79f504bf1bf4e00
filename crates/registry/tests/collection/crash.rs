//! A crash after every step of a story in which images come, go and are collected.

use std::sync::Arc;

use boxyard_oci::{Algorithm, Digest, Reference, media_type};
use boxyard_registry::{Registry, Silent};
use bytes::Bytes;

use crate::harness::{Crash, body, delete, manifest, name, open, push, tag};
use crate::whole::{check, collect};

pub(crate) async fn push_image(
    registry: &Arc<Registry>,
    reference: Option<&str>,
    layer: &[u8],
) -> Digest {
    let repo = name("team/app");
    for content in [b"{}", layer] {
        let digest = Algorithm::Sha256.digest(content);
        let _ = registry
            .push_blob(&push(&repo), &digest, body(content), &Silent::teller())
            .await;
    }
    let payload = manifest(b"{}", layer);
    let digest = Algorithm::Sha256.digest(&payload);
    put(registry, reference, digest, payload).await
}

async fn put(
    registry: &Arc<Registry>,
    reference: Option<&str>,
    digest: Digest,
    payload: Bytes,
) -> Digest {
    let reference = match reference {
        Some(name) => Reference::Tag(tag(name)),
        None => Reference::Digest(digest),
    };
    let (repo, teller) = (name("team/app"), Silent::teller());
    let _ = registry
        .push_manifest(&push(&repo), &reference, None, payload, Vec::new(), &teller)
        .await;
    digest
}

async fn push_index(registry: &Arc<Registry>, reference: &str, child: &Digest) {
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{child}","size":{}}}]}}"#,
        media_type::OCI_INDEX,
        media_type::OCI_MANIFEST,
        manifest(b"{}", b"child").len()
    );
    let payload = Bytes::from(text);
    let digest = Algorithm::Sha256.digest(&payload);
    put(registry, Some(reference), digest, payload).await;
}

/// Tags move and go, an index takes its child along, a blob is never named, and what was collected comes back.
async fn story(registry: &Arc<Registry>) {
    let _ = registry.adopt(|_| {}).await;
    let (repo, teller) = (name("team/app"), Silent::teller());
    push_image(registry, Some("latest"), b"old").await;
    push_image(registry, Some("latest"), b"new").await;
    let child = push_image(registry, None, b"child").await;
    push_index(registry, "multi", &child).await;
    let unnamed = Algorithm::Sha256.digest(b"unnamed");
    let _ = registry
        .push_blob(&push(&repo), &unnamed, body(b"unnamed"), &teller)
        .await;
    let _ = registry
        .delete_tag(&delete(&repo), &tag("multi"), &teller)
        .await;
    collect(registry).await;
    let old = push_image(registry, Some("back"), b"old").await;
    push_image(registry, Some("other"), b"child").await;
    let _ = registry.settle().await;
    let _ = registry
        .delete_manifest(&delete(&repo), &old, &teller)
        .await;
    collect(registry).await;
}

#[tokio::test]
async fn after_a_crash_at_any_step_a_collection_leaves_all_that_is_tagged_and_nothing_else() {
    let mut at = 0;
    loop {
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let crash = Crash::after(at);
        if let Some(registry) = open(root.path(), &crash).await {
            story(&registry).await;
        }

        let registry = open(root.path(), &Crash::after(usize::MAX)).await.unwrap();
        registry.adopt(|_| {}).await.unwrap();
        registry.settle().await.unwrap();
        collect(&registry).await.unwrap();
        check(&registry, root.path(), &format!("step {at}")).await;
        story(&registry).await;
        check(&registry, root.path(), &format!("again after step {at}")).await;
        registry.stop().await.unwrap();
        if !crash.happened() {
            break;
        }
        at += 1;
    }
    assert!(at > 100, "the story has only {at} steps");
}
