//! An image under another name, without a transfer.

use boxyard_acceptance::{Boxyard, platforms};
use boxyard_testkit::{Client, Image, TestServer};

#[test]
fn a_tag_is_copied_within_its_repository() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[5_000]);
    client.push_image("app", "v1", &image).expect(201);

    let said = Boxyard::of(&server).succeed(&["tag", "cp", "app:v1", "app:stable"]);

    assert_eq!(said, format!("app:stable\t{}\n", image.manifest.digest));
    assert_eq!(
        client.pull_image("app", "stable").manifest.bytes,
        image.manifest.bytes
    );
}

#[test]
fn an_index_is_copied_to_another_repository_with_everything_it_needs() {
    let mut server = TestServer::start();
    let index = platforms();
    Client::of(&server)
        .push_index("team/app", "v1", &index)
        .expect(201);
    // Blobs that nothing but the copy holds afterwards.
    for round in ["through a server", "without one"] {
        let to = format!("copies/{}:v1", round.split(' ').next().expect("a word"));
        if round == "without one" {
            server.stop();
        }
        Boxyard::of(&server).succeed(&["tag", "cp", "team/app:v1", &to]);
    }
    server.start_again();
    let client = Client::of(&server);
    Boxyard::of(&server).succeed(&["repo", "rm", "team/app"]);

    for repo in ["copies/through", "copies/without"] {
        let found = client.get_manifest(repo, "v1").expect(200);
        let digest = found.required("docker-content-digest");
        assert_eq!(digest, index.manifest.digest);
        for image in &index.images {
            client.pull_image(repo, &image.manifest.digest);
        }
    }
}

#[test]
fn referrers_come_along_where_that_is_asked_for() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[5_000]);
    client.push_image("app", "v1", &image).expect(201);
    let signature = Image::artifact(2, "application/x-signature", Some(&image.manifest));
    let digest = signature.manifest.digest.clone();
    client.push_image("app", &digest, &signature).expect(201);
    let boxyard = Boxyard::of(&server);

    boxyard.succeed(&["tag", "cp", "app:v1", "plain:v1"]);
    boxyard.succeed(&["tag", "cp", "app:v1", "signed:v1", "--referrers"]);

    let subject = &image.manifest.digest;
    assert!(client.referrers("plain", subject).is_empty());
    client.pull_image("signed", &digest);
    assert_eq!(client.referrers("signed", subject), [digest]);
}

#[test]
fn what_is_not_there_is_not_copied() {
    let server = TestServer::start();
    Client::of(&server)
        .push_image("app", "v1", &Image::with_layers(1, &[5_000]))
        .expect(201);

    let ran = Boxyard::of(&server).run(&["tag", "cp", "app:v2", "app:v3"]);

    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.err.contains("there is no image `app:v2`"), "{ran:?}");
    assert_eq!(Client::of(&server).tags("app"), ["v1"]);
}
