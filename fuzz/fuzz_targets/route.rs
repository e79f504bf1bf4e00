//! A path that is understood is, decoded once, exactly the plain path of what it names.

#![no_main]

use boxyard_server::v2::route::{Access, Route};
use http::Method;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    match Route::parse(path) {
        Ok(route) => {
            let plain = plain_path(&route);
            let trimmed = |path: &str| path.strip_suffix('/').unwrap_or(path).to_owned();
            // A slash may be missing where there is nothing behind it, and only there.
            assert_eq!(trimmed(&decode(path)), trimmed(&plain));
            assert!(
                plain
                    .split('/')
                    .all(|segment| !matches!(segment, "." | ".."))
            );
            assert_eq!(Route::parse(&plain).as_ref(), Ok(&route));
            is_guarded(&route);
        }
        Err(error) => {
            assert!((400..500).contains(&error.code().status()));
            let _ = error.to_string();
        }
    }
});

/// Reading never needs more than writing, and nothing that names content is open.
fn is_guarded(route: &Route) {
    assert_eq!(route.access(&Method::GET), route.access(&Method::HEAD));
    assert_eq!(route.access(&Method::TRACE), None);
    for method in [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ] {
        let access = route.access(&method);
        assert_eq!(
            route.allow().split(", ").any(|allowed| method == allowed),
            access.is_some()
        );
        if access == Some(Access::Nothing) {
            assert!(is_open(route, &method));
        }
        if matches!(access, Some(Access::List | Access::Pull)) {
            assert!(method.is_safe());
        }
    }
}

/// What anybody may do who shows nothing: look at what tells nobody anything, and ask for a token.
fn is_open(route: &Route, method: &Method) -> bool {
    match route {
        Route::Root | Route::Live | Route::Ready => method.is_safe(),
        Route::Token => method.is_safe() || *method == Method::POST,
        _ => false,
    }
}

fn plain_path(route: &Route) -> String {
    match route {
        Route::Root => "/".to_owned(),
        Route::Live => "/livez".to_owned(),
        Route::Ready => "/readyz".to_owned(),
        Route::Base => "/v2/".to_owned(),
        Route::Token => "/v2/token".to_owned(),
        Route::Catalog => "/v2/_catalog".to_owned(),
        Route::Manifest(repo, reference) => format!("/v2/{repo}/manifests/{reference}"),
        Route::Blob(repo, digest) => format!("/v2/{repo}/blobs/{digest}"),
        Route::Uploads(repo) => format!("/v2/{repo}/blobs/uploads/"),
        Route::Upload(repo, id) => format!("/v2/{repo}/blobs/uploads/{id}"),
        Route::Tags(repo) => format!("/v2/{repo}/tags/list"),
        Route::Referrers(repo, digest) => format!("/v2/{repo}/referrers/{digest}"),
    }
}

/// Decodes a path in the simplest way; the parser has to have refused what this one would get wrong.
fn decode(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(&rest[..2]).expect("two digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal digits"));
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).expect("a text")
}
