use super::*;

const SHA256: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ID: &str = "0a1b2c3d-0000-4000-8000-0123456789ab";

fn name(text: &str) -> RepoName {
    text.parse().unwrap()
}

fn digest() -> Digest {
    SHA256.parse().unwrap()
}

fn tag(text: &str) -> Reference {
    Reference::Tag(text.parse().unwrap())
}

fn id() -> UploadId {
    ID.parse().unwrap()
}

#[test]
fn every_endpoint_has_its_path() {
    let table = [
        ("/".to_owned(), Route::Root),
        ("/v2".to_owned(), Route::Base),
        ("/v2/".to_owned(), Route::Base),
        ("/v2/_catalog".to_owned(), Route::Catalog),
        ("/v2/token".to_owned(), Route::Token),
        (
            "/v2/a/manifests/latest".to_owned(),
            Route::Manifest(name("a"), tag("latest")),
        ),
        (
            format!("/v2/a/manifests/{SHA256}"),
            Route::Manifest(name("a"), digest().into()),
        ),
        (
            format!("/v2/a/b/c/blobs/{SHA256}"),
            Route::Blob(name("a/b/c"), digest()),
        ),
        ("/v2/a/blobs/uploads/".to_owned(), Route::Uploads(name("a"))),
        ("/v2/a/blobs/uploads".to_owned(), Route::Uploads(name("a"))),
        (
            format!("/v2/a/blobs/uploads/{ID}"),
            Route::Upload(name("a"), id()),
        ),
        ("/v2/a/tags/list".to_owned(), Route::Tags(name("a"))),
        (
            format!("/v2/a/referrers/{SHA256}"),
            Route::Referrers(name("a"), digest()),
        ),
    ];

    for (path, route) in table {
        assert_eq!(Route::parse(&path), Ok(route), "{path}");
    }
}

#[test]
fn names_may_contain_the_words_of_paths() {
    let table = [
        (
            "/v2/manifests/manifests/manifests",
            Route::Manifest(name("manifests"), tag("manifests")),
        ),
        (
            "/v2/a/tags/list/tags/list",
            Route::Tags(name("a/tags/list")),
        ),
        (
            "/v2/blobs/uploads/manifests/v1",
            Route::Manifest(name("blobs/uploads"), tag("v1")),
        ),
        (
            "/v2/a/manifests/blobs/uploads/",
            Route::Uploads(name("a/manifests")),
        ),
        ("/v2/v2/tags/list", Route::Tags(name("v2"))),
    ];

    for (path, route) in table {
        assert_eq!(Route::parse(path), Ok(route), "{path}");
    }
}

#[test]
fn encoded_paths_mean_the_same() {
    let encoded = SHA256.replace(':', "%3a");

    let route = Route::parse(&format!("/v2/%61/%62lobs/{encoded}"));

    assert_eq!(route, Ok(Route::Blob(name("a"), digest())));
}

/// Paths that name nothing, and what their clients are told.
const WRONG: &[(&str, ErrorCode)] = &[
    ("/v1/", ErrorCode::Unsupported),
    ("/favicon.ico", ErrorCode::Unsupported),
    ("", ErrorCode::Unsupported),
    ("*", ErrorCode::Unsupported),
    ("/v2x/", ErrorCode::Unsupported),
    ("/v2//", ErrorCode::Unsupported),
    ("/v2/a", ErrorCode::Unsupported),
    ("/v2/_catalog/", ErrorCode::Unsupported),
    ("/v2/a/tags/list/", ErrorCode::Unsupported),
    ("/v2/a/_oci/thing", ErrorCode::Unsupported),
    ("/v2/a/blobs/uploads//", ErrorCode::Unsupported),
    ("/v2/A/tags/list", ErrorCode::NameInvalid),
    ("/v2//tags/list", ErrorCode::NameInvalid),
    ("/v2/tags/list", ErrorCode::NameInvalid),
    ("/v2/a//tags/list", ErrorCode::NameInvalid),
    ("/v2/../tags/list", ErrorCode::NameInvalid),
    ("/v2/a/%2e%2e/tags/list", ErrorCode::NameInvalid),
    ("/v2/a%2fb/tags/list", ErrorCode::NameInvalid),
    ("/v2/a%00/tags/list", ErrorCode::NameInvalid),
    ("/v2/a%ff/tags/list", ErrorCode::NameInvalid),
    ("/v2/a%/tags/list", ErrorCode::NameInvalid),
    ("/v2/a/manifests/", ErrorCode::TagInvalid),
    ("/v2/a/manifests/.x", ErrorCode::TagInvalid),
    ("/v2/a/manifests/..", ErrorCode::TagInvalid),
    ("/v2/a/manifests/x%2fy", ErrorCode::TagInvalid),
    (
        "/v2/a/manifests/sha256:baddigeststring",
        ErrorCode::DigestInvalid,
    ),
    ("/v2/a/manifests/md5:00", ErrorCode::DigestInvalid),
    ("/v2/a/blobs/latest", ErrorCode::DigestInvalid),
    ("/v2/a/blobs/", ErrorCode::DigestInvalid),
    ("/v2/a/blobs/%00", ErrorCode::DigestInvalid),
    ("/v2/a/referrers/x", ErrorCode::DigestInvalid),
    ("/v2/a/blobs/uploads/nonsense", ErrorCode::BlobUploadUnknown),
];

#[test]
fn errors_are_told_apart() {
    for (path, code) in WRONG {
        let error = Route::parse(path).expect_err(path);
        assert_eq!(error.code(), *code, "{path}: {error}");
    }
}

#[test]
fn each_method_needs_its_right() {
    let letters = |path: &str| {
        let route = Route::parse(path).unwrap();
        METHODS.map(|method| match route.access(&method) {
            None => '-',
            Some(Access::Nothing) => '0',
            Some(Access::Enter) => 'e',
            Some(Access::List) => 'L',
            Some(Access::Pull) => 'r',
            Some(Access::Push) => 'w',
            Some(Access::Delete) => 'd',
        })
    };
    // In the order GET, HEAD, POST, PUT, PATCH, DELETE.
    let table = [
        ("/", "00----"),
        ("/v2/", "ee----"),
        ("/v2/token", "000---"),
        ("/v2/_catalog", "LL----"),
        ("/v2/a/manifests/x", "rr-w-d"),
        (&format!("/v2/a/blobs/{SHA256}"), "rr---d"),
        ("/v2/a/blobs/uploads/", "--w---"),
        (&format!("/v2/a/blobs/uploads/{ID}"), "ww-www"),
        ("/v2/a/tags/list", "rr----"),
        (&format!("/v2/a/referrers/{SHA256}"), "rr----"),
    ];

    for (path, rights) in table {
        assert_eq!(letters(path).iter().collect::<String>(), rights, "{path}");
    }
}

#[test]
fn allow_lists_what_is_served() {
    let route = Route::parse("/v2/a/manifests/x").unwrap();

    assert_eq!(route.allow(), "GET, HEAD, PUT, DELETE, OPTIONS");
}
