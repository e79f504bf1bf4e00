//! Listings: tags, repositories and referrers, in pages that are followed to their end.

use std::collections::BTreeSet;

use boxyard_testkit::http::Response;
use boxyard_testkit::{Blob, Client, Image, Setup, TestServer, media_type};
use serde_json::{Value, json};

/// An index of nothing, told from others by a number: the smallest manifest that can be tagged.
fn empty_index(number: usize) -> Blob {
    let document = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [],
        "annotations": { "number": number.to_string() },
    });
    Blob::json(media_type::OCI_INDEX, &document)
}

/// Reads the texts of a list in a page.
fn texts(page: &Response, key: &str) -> Vec<String> {
    let list = page.json()[key].as_array().expect("a list").clone();
    list.iter()
        .map(|text| text.as_str().expect("a text").to_owned())
        .collect()
}

/// Follows `Link` from the first page to the last, and returns the pages.
#[track_caller]
fn pages(client: &Client, first: &str) -> Vec<Response> {
    let mut pages = vec![client.get(first).expect(200)];
    while let Some(next) = pages.last().and_then(Response::next_page) {
        assert!(pages.len() < 1_000, "the pages have no end: {next}");
        pages.push(client.get(&next).expect(200));
    }
    pages
}

/// Tags in the order of their bytes, as the specification wants them.
const TAGS: [&str; 12] = [
    "0", "1.0", "1.0-rc", "1.0.1", "1_0", "A", "B", "Z", "_", "a", "a.b", "latest",
];

fn with_tags() -> (TestServer, Client) {
    let server = TestServer::start();
    let client = Client::of(&server);
    let manifest = empty_index(0);
    for tag in TAGS.iter().rev() {
        client.put_manifest("listed", tag, &manifest).expect(201);
    }
    (server, client)
}

#[test]
fn tags_are_listed_in_the_order_of_their_bytes() {
    let (_server, client) = with_tags();

    let list = client.get("/v2/listed/tags/list").expect(200);

    assert_eq!(list.json(), json!({ "name": "listed", "tags": TAGS }));
    assert_eq!(list.required("content-type"), "application/json");
    assert_eq!(list.header("link"), None);
}

#[test]
fn pages_of_tags_are_followed_to_the_end() {
    let (_server, client) = with_tags();

    for size in 1..=TAGS.len() + 1 {
        let pages = pages(&client, &format!("/v2/listed/tags/list?n={size}"));
        let tags: Vec<String> = pages.iter().flat_map(|page| texts(page, "tags")).collect();
        assert_eq!(tags, TAGS, "pages of {size}");
        let (last, full) = pages.split_last().expect("a page");
        assert!(full.iter().all(|page| texts(page, "tags").len() == size));
        assert!(
            !texts(last, "tags").is_empty(),
            "an empty last page of {size}"
        );
        assert_eq!(pages.len(), TAGS.len().div_ceil(size));
    }
}

#[test]
fn a_list_of_tags_begins_after_the_last_one_of_the_client() {
    let (_server, client) = with_tags();
    let list = |query: &str| {
        let page = client.get(&format!("/v2/listed/tags/list?{query}"));
        texts(&page.expect(200), "tags")
    };

    assert_eq!(list("last=Z"), TAGS[8..]);
    assert_eq!(list("last=Z&n=2"), TAGS[8..10]);
    assert_eq!(list("last=1.0.0.9&n=1"), ["1.0.1"]);
    assert_eq!(list("last=latest"), [""; 0]);
    assert_eq!(list("last=zzz&n=5"), [""; 0]);
    assert_eq!(list("last="), TAGS);
}

#[test]
fn an_empty_page_is_asked_for_by_zero() {
    let (_server, client) = with_tags();

    for target in ["/v2/listed/tags/list?n=0", "/v2/_catalog?n=0"] {
        let page = client.get(target).expect(200);
        assert_eq!(page.header("link"), None);
        let page = page.json();
        let list = page.get("tags").or(page.get("repositories"));
        assert_eq!(list, Some(&json!([])), "{target}");
    }
}

#[test]
fn a_page_size_that_is_no_number_is_refused() {
    let (_server, client) = with_tags();

    for target in ["/v2/listed/tags/list", "/v2/_catalog"] {
        for size in ["-1", "x", "1.5", "", "+1", "0x10", "1%20", "٣"] {
            let refused = client.get(&format!("{target}?n={size}")).into_result();
            let refused = refused.expect("an answer");
            assert_eq!(refused.status, 400, "n={size}");
            assert!(
                size.is_ascii() || refused.body.is_empty() || !refused.error_codes().is_empty(),
                "n={size}"
            );
            if size.is_ascii() {
                assert_eq!(
                    refused.error_codes(),
                    ["PAGINATION_NUMBER_INVALID"],
                    "n={size}"
                );
            }
        }
    }
    let large = "n=99999999999999999999999";
    let tags = client.get(&format!("/v2/listed/tags/list?{large}"));
    tags.expect(200);
    let catalog = client.get(&format!("/v2/_catalog?{large}"));
    catalog.expect_error(400, "PAGINATION_NUMBER_INVALID");
}

#[test]
fn a_repository_without_tags_has_an_empty_list_and_an_unknown_one_none() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let manifest = empty_index(0);
    client
        .put_manifest("untagged", &manifest.digest, &manifest)
        .expect(201);
    client.begin_upload("begun").expect(202);

    let list = client.get("/v2/untagged/tags/list").expect(200);

    assert_eq!(list.json(), json!({ "name": "untagged", "tags": [] }));
    for unknown in ["unknown", "begun", "untagged/below"] {
        let list = client.get(&format!("/v2/{unknown}/tags/list"));
        list.expect_error(404, "NAME_UNKNOWN");
    }
}

#[test]
fn repositories_are_listed_in_pages_in_the_order_of_their_bytes() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let names = ["a", "a-b", "a.b/c", "a/b", "a/b/c", "a0", "b/c/d/e", "z"];
    let manifest = empty_index(0);
    for name in names.iter().rev() {
        client.put_manifest(name, "latest", &manifest).expect(201);
    }
    client.begin_upload("only/begun").expect(202);

    for size in 1..=names.len() + 1 {
        let pages = pages(&client, &format!("/v2/_catalog?n={size}"));
        let listed: Vec<String> = pages
            .iter()
            .flat_map(|page| texts(page, "repositories"))
            .collect();
        assert_eq!(listed, names, "pages of {size}");
    }
    let after = client.get("/v2/_catalog?last=a/b&n=2").expect(200);
    assert_eq!(texts(&after, "repositories"), ["a/b/c", "a0"]);
    assert_eq!(
        client.get("/v2/_catalog").expect(200).json(),
        json!({ "repositories": names })
    );
}

#[test]
fn links_to_the_next_page_are_absolute_where_locations_are() {
    let host = "https://registry.example";
    let server = Setup::new()
        .config(&json!({ "http": { "host": host } }))
        .start();
    let client = Client::of(&server);
    for tag in ["a", "b"] {
        client
            .put_manifest("linked", tag, &empty_index(0))
            .expect(201);
    }

    let page = client.get("/v2/linked/tags/list?n=1").expect(200);

    let next = page.next_page().expect("a next page");
    let path = next.strip_prefix(host).unwrap_or(&next);
    assert_eq!(texts(&client.get(path).expect(200), "tags"), ["b"]);
    assert!(page.required("link").contains("rel=\"next\""));
}

/// A server with a subject and artifacts about it, of three types.
fn with_referrers(count: u64) -> (TestServer, Client, Blob, Vec<Image>) {
    let server = TestServer::start();
    let client = Client::of(&server);
    let subject = Image::with_layers(1, &[10]);
    client.push_image("about", "latest", &subject).expect(201);
    let artifacts: Vec<Image> = (0..count)
        .map(|seed| {
            let kind = format!("application/vnd.example.{}", seed % 3);
            Image::artifact(seed, &kind, Some(&subject.manifest))
        })
        .collect();
    for artifact in &artifacts {
        client
            .push_image("about", &artifact.manifest.digest, artifact)
            .expect(201);
    }
    (server, client, subject.manifest, artifacts)
}

fn referrers_of(subject: &Blob) -> String {
    format!("/v2/about/referrers/{}", subject.digest)
}

#[test]
fn referrers_are_an_index_of_descriptors() {
    let (_server, client, subject, artifacts) = with_referrers(1);

    let list = client.get(&referrers_of(&subject)).expect(200);

    assert_eq!(list.required("content-type"), media_type::OCI_INDEX);
    assert_eq!(list.header("oci-filters-applied"), None);
    let manifest = &artifacts[0].manifest;
    let mut described = manifest.descriptor();
    described["artifactType"] = json!("application/vnd.example.0");
    described["annotations"] = json!({ "seed": "0" });
    assert_eq!(
        list.json(),
        json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [described] })
    );
}

#[test]
fn referrers_are_filtered_by_their_type() {
    let (_server, client, subject, artifacts) = with_referrers(7);
    let target = referrers_of(&subject);

    for (kind, count) in [("0", 3), ("1", 2), ("2", 2), ("3", 0)] {
        let filtered = format!("{target}?artifactType=application%2Fvnd.example.{kind}");
        let list = client.get(&filtered).expect(200);
        assert_eq!(list.required("oci-filters-applied"), "artifactType");
        let manifests = list.json()["manifests"].as_array().expect("a list").clone();
        assert_eq!(manifests.len(), count, "{kind}");
        for manifest in manifests {
            assert_eq!(
                manifest["artifactType"],
                format!("application/vnd.example.{kind}")
            );
        }
    }
    assert_eq!(
        client.referrers("about", &subject.digest).len(),
        artifacts.len()
    );
}

/// Reads every digest in pages of referrers.
fn digests_in(pages: &[Response]) -> Vec<String> {
    let list = pages.iter().flat_map(|page| {
        let list = page.json()["manifests"].as_array().expect("a list").clone();
        list.into_iter()
            .map(|one| one["digest"].as_str().expect("a digest").to_owned())
    });
    list.collect()
}

/// Pushes small manifests with the types `x/0` and `x/1`, and returns the digests of each.
fn push_many(client: &Client, count: usize, subject: Option<&Blob>) -> [BTreeSet<String>; 2] {
    let config = Blob::new(media_type::OCI_EMPTY, "{}");
    client.push_blob("about", &config).expect(201);
    let mut digests = [BTreeSet::new(), BTreeSet::new()];
    for number in 0..count {
        let mut document = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config.descriptor(), "layers": [],
            "artifactType": format!("x/{}", number % 2), "annotations": { "number": number.to_string() },
        });
        if let Some(subject) = subject {
            document["subject"] = subject.descriptor();
        }
        let manifest = Blob::json(media_type::OCI_MANIFEST, &document);
        let pushed = client.put_manifest("about", &manifest.digest, &manifest);
        pushed.expect(201);
        digests[number % 2].insert(manifest.digest);
    }
    digests
}

#[test]
fn many_referrers_are_listed_in_pages_that_keep_the_filter() {
    let (_server, client, subject, _) = with_referrers(0);
    let [even, odd] = push_many(&client, 560, Some(&subject));
    let [old_even, old_odd] = push_many(&client, 40, None);
    let old = old_even.iter().chain(&old_odd);
    let old: Vec<Value> = old
        .map(|digest| json!({ "mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": 1 }))
        .collect();
    push_fallback(&client, &subject, &json!(old));

    let all = pages(&client, &referrers_of(&subject));
    let filtered = format!("{}?artifactType=x%2F1", referrers_of(&subject));
    let filtered = pages(&client, &filtered);

    assert!(filtered.len() > 1, "{} page", filtered.len());
    let (all, filtered) = (digests_in(&all), digests_in(&filtered));
    assert_eq!((filtered.len(), all.len()), (300, 600), "each once");
    let odd = &odd | &old_odd;
    assert_eq!(BTreeSet::from_iter(filtered), odd);
    assert_eq!(BTreeSet::from_iter(all), &(&even | &old_even) | &odd);
}

#[test]
fn a_referrers_type_is_that_of_its_config_unless_it_has_one() {
    let (_server, client, subject, _) = with_referrers(0);
    let image = Image::with_layers(9, &[10]);
    let mut document: Value = serde_json::from_slice(&image.manifest.bytes).expect("JSON");
    document["subject"] = subject.descriptor();
    let typed = Image {
        manifest: Blob::json(media_type::OCI_MANIFEST, &document),
        ..image
    };
    let index = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [],
        "subject": subject.descriptor(), "annotations": { "a": "b" },
    });
    let index = Blob::json(media_type::OCI_INDEX, &index);
    client.push_image("about", "typed", &typed).expect(201);
    client.put_manifest("about", "index", &index).expect(201);

    let list = client.get(&referrers_of(&subject)).expect(200).json();

    let list = list["manifests"].as_array().expect("a list");
    let find = |digest: &str| list.iter().find(|one| one["digest"] == digest);
    let typed = find(&typed.manifest.digest).expect("it is listed");
    assert_eq!(typed["artifactType"], media_type::OCI_CONFIG);
    let index = find(&index.digest).expect("it is listed");
    assert_eq!(index.get("artifactType"), None);
    assert_eq!(index["annotations"], json!({ "a": "b" }));
}

#[test]
fn what_nothing_refers_to_has_an_empty_list() {
    let (_server, client, _, _) = with_referrers(0);
    let nothing = boxyard_testkit::sha256("nothing");

    for repo in ["about", "unknown"] {
        let list = client
            .get(&format!("/v2/{repo}/referrers/{nothing}"))
            .expect(200);
        assert_eq!(list.json()["manifests"], json!([]));
        assert_eq!(list.required("content-type"), media_type::OCI_INDEX);
    }
}

/// Pushes these descriptors as clients do where a registry lists no referrers.
fn push_fallback(client: &Client, subject: &Blob, descriptors: &Value) {
    let kind = media_type::OCI_INDEX;
    let document = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": descriptors });
    let tag = subject.digest.replace(':', "-");
    let pushed = client.put_manifest("about", &tag, &Blob::json(kind, &document));
    pushed.expect(201);
}

#[test]
fn what_older_clients_listed_under_the_fallback_tag_is_merged_in() {
    let (_server, client, subject, artifacts) = with_referrers(2);
    // Only the list tells that it is about the subject.
    let old = Image::artifact(8, "x/old", None);
    let gone = Image::artifact(9, "x/gone", None);
    for image in [&old, &gone] {
        let pushed = client.push_image("about", &image.manifest.digest, image);
        pushed.expect(201);
    }
    let listed = [&old, &artifacts[0], &gone].map(|image| image.manifest.descriptor());
    push_fallback(&client, &subject, &json!(listed));
    // Whoever deletes it does not know of the list.
    let deleted = client.delete_manifest("about", &gone.manifest.digest);
    deleted.expect(202);

    let found = client.referrers("about", &subject.digest);
    let filtered = client.get(&format!("{}?artifactType=x%2Fold", referrers_of(&subject)));

    let expected = [&old, &artifacts[0], &artifacts[1]].map(|image| &image.manifest.digest);
    assert_eq!(BTreeSet::from_iter(&found), BTreeSet::from(expected));
    assert_eq!(found.len(), 3, "each once");
    assert_eq!(digests_in(&[filtered.expect(200)]), [old.manifest.digest]);
}

#[test]
fn what_was_deleted_refers_to_nothing() {
    let (_server, client, subject, artifacts) = with_referrers(2);

    client
        .delete_manifest("about", &artifacts[0].manifest.digest)
        .expect(202);
    let one = client.referrers("about", &subject.digest);
    client.delete_manifest("about", &subject.digest).expect(202);
    let still = client.referrers("about", &subject.digest);

    assert_eq!(one, [artifacts[1].manifest.digest.clone()]);
    assert_eq!(still, one, "the subject itself need not be there");
}
