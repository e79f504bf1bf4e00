//! Uploads that are under way when the registries change.

use boxyard_testkit::{Blob, Client, Noise, Setup, Upload};
use tempfile::TempDir;

use crate::peer::PEERS;

#[test]
fn an_upload_that_began_with_another_registry_goes_on_here() {
    for peer in PEERS {
        let folder = TempDir::new().expect("make a folder");
        let blob = Blob::new("application/octet-stream", Noise::new(1).draw(300_000));
        let upload = peer.visit(folder.path(), |client| {
            let begun = Upload::at(&client.begin_upload("team/app").expect(202));
            let sent = client.patch(&begun, Some(0), &blob.bytes[..100_000]);
            Upload::at(&sent.expect(202))
        });

        let server = Setup::new().root(folder.path()).start();
        let client = Client::of(&server);
        let status = client.upload_status(&upload).expect(204);
        assert_eq!(status.required("range"), "0-99999", "{}", peer.version);
        let chunk = client.patch(&upload, Some(100_000), &blob.bytes[100_000..200_000]);
        let upload = Upload::at(&chunk.expect(202));
        let done = client.finish(&upload, &blob.digest, &blob.bytes[200_000..]);
        done.expect(201);

        let found = client.get_blob("team/app", &blob.digest).expect(200);
        assert_eq!(found.body, blob.bytes);
        client
            .upload_status(&upload)
            .expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

#[test]
fn an_upload_that_began_with_another_registry_can_be_cancelled_here() {
    for peer in PEERS {
        let folder = TempDir::new().expect("make a folder");
        let upload = peer.visit(folder.path(), |client| {
            let begun = Upload::at(&client.begin_upload("app").expect(202));
            Upload::at(&client.patch(&begun, None, b"begun").expect(202))
        });

        let server = Setup::new().root(folder.path()).start();
        let client = Client::of(&server);
        client.cancel(&upload).expect(204);

        client.upload_status(&upload).expect(404);
        let uploads = folder
            .path()
            .join("docker/registry/v2/repositories/app/_uploads");
        let left = std::fs::read_dir(uploads).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{}", peer.version);
    }
}
