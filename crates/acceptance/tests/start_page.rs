//! The page that people see first, and the line that everybody else gets.

use boxyard_testkit::http::Response;
use boxyard_testkit::{Client, Image, Setup, TestServer};
use serde_json::json;

#[track_caller]
fn page(client: &Client, target: &str) -> (Response, String) {
    let request = client
        .request("GET", target)
        .header("Accept", "text/html,*/*");
    let response = client.send(request).expect(200);
    let text = String::from_utf8(response.body.to_vec()).expect("the page is text");
    (response, text)
}

#[test]
fn the_start_page_says_how_to_push_to_the_host_that_was_asked_and_lists_what_is_there() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let host = server.address().to_string();

    let (_, empty) = page(&client, "/");
    client
        .push_image("team/app", "v1", &Image::with_layers(1, &[10]))
        .expect(201);
    let (_, filled) = page(&client, "/");
    let (_, alone) = page(&client, "/?repository=team/app");

    assert!(empty.contains("There are no images yet"), "{empty}");
    assert!(
        empty.contains(&format!("docker push {host}/my-image")),
        "{empty}"
    );
    assert!(empty.contains("It is open"), "{empty}");
    assert!(!empty.contains("insecure-registries"), "{empty}");
    assert!(
        filled.contains("team/app") && filled.contains("<code>v1</code>"),
        "{filled}"
    );
    assert!(
        alone.contains("Tags of team/app") && alone.contains("v1"),
        "{alone}"
    );
}

#[test]
fn the_start_page_says_what_docker_needs_where_there_is_no_tls() {
    let host = json!({ "http": { "host": "http://registry.example.com:5000" } });
    let server = Setup::new().config(&host).start();

    let (_, text) = page(&Client::of(&server), "/");

    assert!(text.contains("insecure-registries"), "{text}");
    assert!(
        text.contains("docker push registry.example.com:5000/my-image"),
        "{text}"
    );
}

#[test]
fn the_start_page_runs_no_script_and_escapes_whatever_is_asked() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let attack = "/?repository=%3Cscript%3E&last=%22%3E%3Cscript%3E";

    let (response, text) = page(&client, attack);

    let policy = response.required("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(!text.contains("<script"), "{text}");
}

#[test]
fn repositories_and_tags_of_the_start_page_come_in_pages() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    for number in 0..60 {
        client
            .push_image(&format!("r{number:02}"), "v1", &image)
            .expect(201);
    }
    for number in 0..12 {
        let tag = format!("t{number:02}");
        client
            .put_manifest("r00", &tag, &image.manifest)
            .expect(201);
    }

    let (_, first) = page(&client, "/");
    let (_, second) = page(&client, "/?last=r49");

    assert!(
        first.contains("href=\"/?last=r49\"") && !first.contains("r50"),
        "{first}"
    );
    assert!(first.contains("more tags of r00"), "{first}");
    assert!(
        second.contains("r59") && !second.contains("rel=\"next\""),
        "{second}"
    );
}

#[test]
fn whoever_is_no_browser_gets_a_line_of_text_also_while_the_registry_is_not_well() {
    let file = tempfile::NamedTempFile::new().expect("make a file");
    let check = json!([{ "file": file.path(), "interval": "10ms", "threshold": 1 }]);
    let config = json!({ "health": { "file": check } });
    let path = file.path().to_owned();
    file.close().expect("remove the file");
    let server = Setup::new().config(&config).allow_error("").start();
    let client = Client::of(&server);

    let line = client.get("/").expect(200);
    let head = client.head("/").expect(200);
    std::fs::write(&path, "").expect("make the file");
    boxyard_testkit::eventually("the registry to be unwell", || {
        (client.check().status() == Some(503)).then_some(())
    });
    let (unwell, text) = page(&client, "/");
    std::fs::remove_file(&path).expect("remove the file");

    assert!(line.required("content-type").starts_with("text/plain"));
    assert_eq!(head.required("content-length"), line.body.len().to_string());
    assert!(
        unwell.required("content-type").starts_with("text/plain"),
        "{text}"
    );
}
