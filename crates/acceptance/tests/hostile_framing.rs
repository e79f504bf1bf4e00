//! Requests whose heads or frames are wrong, ambiguous or endless, and those that are only old.

use std::fmt::Write;

use boxyard_acceptance::{Victim, is_refusal};
use boxyard_testkit::http::Response;
use boxyard_testkit::{Client, Noise, Setup, Upload, sha256};
use serde_json::json;

/// A request that no other must be able to hide or to change, at the end of a connection.
const LAST: &str = "GET /v2/kept/image/tags/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// What a smuggler wants to be taken for a request of its own.
const SMUGGLED: &str = "DELETE /v2/kept/image/manifests/latest HTTP/1.1\r\nHost: x\r\n\r\n";

/// Answers of a connection, as statuses.
fn statuses(answers: &[Response]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

/// Every byte string is refused once, and the connection closes before anything behind it is served.
#[track_caller]
fn are_refused<T: AsRef<[u8]>>(victim: &Victim, requests: impl IntoIterator<Item = T>) {
    for request in requests {
        let request = request.as_ref();
        let story = String::from_utf8_lossy(&request[..request.len().min(300)]).into_owned();
        let answers = victim.exchange(&[request, LAST.as_bytes()].concat());
        assert_eq!(answers.len(), 1, "{story}: {answers:?}");
        let answer = &answers[0];
        assert!((400..500).contains(&answer.status), "{story}: {answer:?}");
        assert_eq!(answer.required("connection"), "close", "{story}");
        if !answer.body.is_empty() {
            is_refusal(
                answer,
                &[
                    "UNSUPPORTED",
                    "SIZE_INVALID",
                    "MANIFEST_INVALID",
                    "BLOB_UPLOAD_INVALID",
                ],
            );
        }
    }
    victim.is_untouched();
}

/// Writes bytes, says that nothing follows, and returns what the server says before it closes.
#[track_caller]
fn attack(client: &Client, bytes: &[u8]) -> Vec<u8> {
    let mut connection = client.connect().expect("connect");
    // A server that has seen enough may close before everything is written.
    let _written = connection.write(bytes);
    let _closed = connection.half_close();
    connection.read_to_close().expect("the server closes")
}

#[test]
fn contradicting_lengths_are_refused() {
    let victim = Victim::start();
    let heads = [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 0\r\nContent-Length: 70",
        "Content-Length: 5, 6",
        "Content-Length: 5,5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5.0",
        "Content-Length: 5 5",
        "Content-Length: five",
        "Content-Length:",
        "Content-Length: 99999999999999999999999999",
        "Content-Length: 18446744073709551616",
        "Content-Length : 5",
        "Content-Length\t: 5",
    ];

    let requests = heads.map(|head| {
        format!("POST /v2/kept/image/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\nhello")
    });

    are_refused(&victim, requests);
}

#[test]
fn transfer_encodings_that_are_not_chunked_are_refused() {
    let victim = Victim::start();
    let heads = [
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\u{b}: chunked",
        "Transfer-Encoding: chunked\r\n \u{b}x",
        "Transfer-Encoding:\r\n chunked",
        "X: y\r\n Transfer-Encoding: chunked",
    ];

    let requests = heads.map(|head| {
        format!("POST /v2/kept/image/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n0\r\n\r\n")
    });

    are_refused(&victim, requests);
}

#[test]
fn a_length_beside_chunks_smuggles_nothing() {
    let victim = Victim::start();
    let line = "POST /v2/kept/image/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n";
    let length = format!("Content-Length: {}\r\n", SMUGGLED.len() + 5);
    let chunked = "Transfer-Encoding: chunked\r\n";
    let heads = [
        format!("{line}{length}{chunked}\r\n"),
        format!("{line}{chunked}{length}\r\n"),
        format!("{line}{chunked}Content-Length: 4\r\n\r\n"),
        format!("{line}{chunked}{chunked}{length}\r\n"),
    ];

    for head in heads {
        let request = format!("{head}0\r\n\r\n{SMUGGLED}{LAST}");
        let answers = victim.exchange(request.as_bytes());
        // Whoever takes the chunks must not trust what follows them.
        assert_eq!(answers.len(), 1, "{head}: {answers:?}");
        assert!(matches!(answers[0].status, 202 | 400), "{answers:?}");
        victim.is_unharmed();
    }
}

#[test]
fn headers_are_one_line_each() {
    let victim = Victim::start();
    let heads: [&[u8]; 14] = [
        b"X: a\r\n b",
        b"X: a\r\n\tb",
        b" X: a",
        b"X : a",
        b"X\t: a",
        b"X",
        b": a",
        b"X(y): a",
        b"X: a\rb",
        b"X: a\0b",
        b"X: a\x01b",
        b"X: a\x7fb",
        b"X\xff: a",
        b"\xe2\x98\x83: a",
    ];

    let requests =
        heads.map(|head| [b"GET /v2/ HTTP/1.1\r\nHost: x\r\n", head, b"\r\n\r\n"].concat());

    are_refused(&victim, requests);
}

#[test]
fn a_bare_line_feed_ends_at_most_one_line() {
    let victim = Victim::start();

    for request in [
        "GET /v2/ HTTP/1.1\nHost: x\n\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\n\r\n",
        "\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answers = victim.exchange(format!("{request}{LAST}").as_bytes());
        let told = statuses(&answers);
        assert!(matches!(told[..], [200, 200] | [400]), "{answers:?}");
    }
}

#[test]
fn a_bare_line_feed_among_chunks_smuggles_nothing() {
    let victim = Victim::start();
    let line = "POST /v2/kept/image/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n";

    for body in [
        "0\n\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "0\r\n\n",
        "5;\nx\r\nhello\r\n0\r\n\r\n",
    ] {
        let head = format!("{line}Transfer-Encoding: chunked\r\n\r\n{body}");
        let answers = victim.exchange(format!("{head}{SMUGGLED}{LAST}").as_bytes());
        let told = statuses(&answers);
        // Whoever reads on for trailers takes the next request for one of them, and never serves it.
        let is_safe = matches!(told[..], [] | [202 | 400] | [202, 200]);
        assert!(is_safe, "{body:?}: {answers:?}");
        victim.is_unharmed();
    }
}

/// Chunks that are not those of the content `hello`, or that take no end.
fn wrong_chunks() -> Vec<String> {
    let mut wrong: Vec<String> = [
        "g\r\nhello",
        "-5\r\nhello",
        "+5\r\nhello",
        "0x5\r\nhello",
        "5 5\r\nhello",
        "\r\nhello",
        "4\r\nhello",
        "6\r\nhello",
        "ffffffffffffffff\r\nhello",
        "fffffffffffffffff\r\nhello",
        "10000000000000005\r\nhello",
    ]
    .map(|chunk| format!("{chunk}\r\n0\r\n\r\n"))
    .into();
    wrong.push(format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(1 << 20)));
    wrong.push("1;aaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(10_000) + "0\r\n\r\n");
    let hello = "5\r\nhello\r\n";
    wrong.push(format!("{hello}{}", "0;x=y\r\n".repeat(100_000)));
    wrong.push(format!("{hello}0\r\n{}\r\n", "X: y\r\n".repeat(100_000)));
    wrong.push(format!("{hello}0\r\nX: {}\r\n\r\n", "y".repeat(1 << 20)));
    wrong
}

#[test]
fn chunks_of_wrong_or_endless_sizes_are_no_content() {
    let victim = Victim::start();
    let client = victim.client();
    let digest = sha256("hello");
    let line =
        format!("POST /v2/kept/image/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\n");

    for chunks in wrong_chunks() {
        let request = format!("{line}Transfer-Encoding: chunked\r\n\r\n{chunks}");
        let said = attack(&client, request.as_bytes());
        let said = String::from_utf8_lossy(&said);
        let story = &chunks[..chunks.len().min(40)];
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 4"),
            "{story}: {said}"
        );
        client.head_blob("kept/image", &digest).expect(404);
    }
    victim.is_untouched();
}

#[test]
fn long_extensions_of_one_chunk_and_trailers_do_no_harm() {
    let victim = Victim::start();
    let digest = sha256("hello");
    let line =
        format!("POST /v2/kept/image/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\n");
    let head = format!("{line}Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n");

    let body = "5;a=b;c=\"d\"\r\nhello\r\n0\r\nContent-Length: 70\r\nHost: evil\r\nX: y\r\n\r\n";
    let answers = victim.exchange(format!("{head}{body}{LAST}").as_bytes());

    assert_eq!(statuses(&answers), [201, 200]);
    victim.is_untouched();
}

#[test]
fn heads_that_are_too_long_are_answered_with_431() {
    let victim = Victim::start();
    let long = "y".repeat(200_000);
    let mut many = String::new();
    for number in 0..2_000 {
        write!(many, "X-{number}: y\r\n").expect("a string takes everything");
    }

    for request in [
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\n{long}: x\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        format!(
            "GET /v2/ HTTP/1.1\r\nHost: x\r\nCookie: {long}\r\nAuthorization: Basic {long}\r\n\r\n"
        ),
    ] {
        let answers = victim.exchange(request.as_bytes());
        assert_eq!(statuses(&answers), [431], "{answers:?}");
    }
    for target in [format!("/v2/{long}/tags/list"), format!("/v2/?{long}")] {
        let answers =
            victim.exchange(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert!(matches!(statuses(&answers)[..], [414 | 431]), "{answers:?}");
    }
    victim.is_untouched();
}

#[test]
fn a_head_as_long_as_clients_may_need_is_served() {
    let victim = Victim::start();
    let token = "y".repeat(16_000);
    let mut some = String::new();
    for number in 0..60 {
        write!(some, "X-{number}: y\r\n").expect("a string takes everything");
    }

    let request = format!(
        "GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{some}Connection: close\r\n\r\n"
    );

    assert_eq!(statuses(&victim.exchange(request.as_bytes())), [200]);
}

#[test]
fn a_request_says_once_which_host_it_is_for() {
    let victim = Victim::start();

    are_refused(
        &victim,
        [
            "GET /v2/ HTTP/1.1\r\n\r\n",
            "GET /v2/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            "GET /v2/ HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n",
            "GET /v2/ HTTP/1.1\r\nHost: a b\r\n\r\n",
            "GET /v2/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET /v2/ HTTP/1.1\r\nHost: a@b\r\n\r\n",
            "GET /v2/ HTTP/1.1\r\nHost: a, b\r\n\r\n",
        ],
    );
}

#[test]
fn a_host_of_any_other_kind_is_served() {
    let victim = Victim::start();

    for host in [
        "registry.example",
        "registry.example:5000",
        "[::1]:5000",
        "10.0.0.1",
        "under_score",
        "",
    ] {
        let request = format!("GET /v2/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(
            statuses(&victim.exchange(request.as_bytes())),
            [200],
            "{host}"
        );
    }
}

#[test]
fn first_lines_that_are_none_are_refused() {
    let victim = Victim::start();

    are_refused(
        &victim,
        [
            "GET /v2/\r\n\r\n",
            "GET /v2/ HTTP/1.1 x\r\nHost: x\r\n\r\n",
            "GET  /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /v2/ HTTP/2.0\r\nHost: x\r\n\r\n",
            "GET /v2/ HTTP/0.9\r\nHost: x\r\n\r\n",
            "GET /v2/ HTTP/1.2\r\nHost: x\r\n\r\n",
            "GET /v2/ http/1.1\r\nHost: x\r\n\r\n",
            "GET /v2/ ICAP/1.0\r\nHost: x\r\n\r\n",
            "G(T /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "G\0T /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
            " GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "/v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
            "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        ],
    );
}

#[test]
fn the_absolute_form_of_a_target_is_served_by_its_path() {
    let victim = Victim::start();
    let close = "Connection: close\r\n\r\n";

    for authority in ["x", "other.example:99", "127.0.0.1"] {
        let request = format!(
            "GET http://{authority}/v2/kept/image/tags/list HTTP/1.1\r\nHost: x\r\n{close}"
        );
        let answers = victim.exchange(request.as_bytes());
        assert_eq!(statuses(&answers), [200], "{authority}");
    }
    for target in [
        "http:///v2/",
        "http://x",
        "file:///etc/passwd",
        "http://x/../../etc/passwd",
        "//x/v2/",
        "x:443",
    ] {
        let answers =
            victim.exchange(format!("GET {target} HTTP/1.1\r\nHost: x\r\n{close}").as_bytes());
        let told = statuses(&answers);
        // Without a path it is the root that is asked for.
        assert!(
            matches!(told[..], [400 | 404]) || (target == "http://x" && told == [200]),
            "{target}: {answers:?}"
        );
    }
    victim.is_untouched();
}

#[test]
fn clients_of_http_1_0_are_served_one_request_a_connection() {
    let victim = Victim::start();

    for head in ["", "Host: x\r\n"] {
        let request = format!("GET /v2/kept/image/manifests/latest HTTP/1.0\r\n{head}\r\n");
        let answers = victim.exchange(format!("{request}{LAST}").as_bytes());
        assert_eq!(statuses(&answers), [200]);
        assert_eq!(answers[0].body, victim.image().manifest.bytes);
        assert_eq!(answers[0].header("transfer-encoding"), None);
    }
    let kept = "GET /v2/ HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
    let answers = victim.exchange(format!("{kept}{LAST}").as_bytes());
    assert_eq!(statuses(&answers), [200, 200]);
    let chunked = "POST /v2/kept/image/blobs/uploads/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    are_refused(&victim, [chunked]);
}

#[test]
fn a_list_without_a_known_length_is_whole_for_a_client_of_http_1_0() {
    let victim = Victim::start();
    let client = victim.client();
    let image = &victim.image().manifest;
    // More than are read in one go, so that the length is not known when the answer begins.
    for page in 0..24 {
        let tags: Vec<String> = (0..50)
            .map(|number| format!("tag=t{page:02}-{number:02}"))
            .collect();
        let reference = format!("{}?{}", image.digest, tags.join("&"));
        client
            .put_manifest("kept/image", &reference, image)
            .expect(201);
    }

    let answers = victim.exchange(b"GET /v2/kept/image/tags/list HTTP/1.0\r\n\r\n");

    assert_eq!(answers[0].header("transfer-encoding"), None);
    let tags = answers[0].json()["tags"].as_array().expect("a list").len();
    assert_eq!(tags, 1 + 24 * 50);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let victim = Victim::start();
    let digest = sha256("hello");
    let push = format!("POST /v2/kept/image/blobs/uploads/?digest={digest}");
    let requests = [
        ("GET /v2/", "\r\n", 200),
        ("GET /v2/kept/image/manifests/latest", "\r\n", 200),
        ("GET /v2/kept/image/manifests/absent", "\r\n", 404),
        (&push, "Content-Length: 5\r\n\r\nhello", 201),
        ("GET /v2/UPPER/tags/list", "\r\n", 400),
        ("BREW /v2/", "\r\n", 405),
        (
            &push,
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            201,
        ),
        ("GET /v2/kept/image/tags/list", "\r\n", 200),
    ];
    let many = || requests.iter().cycle().take(20 * requests.len());
    let bytes: Vec<String> = many()
        .map(|(line, rest, _)| format!("{line} HTTP/1.1\r\nHost: x\r\n{rest}"))
        .collect();
    let bytes = bytes.concat();
    let mut expected: Vec<u16> = many().map(|(_, _, status)| *status).collect();
    expected.push(200);

    let answers = victim.exchange(format!("{bytes}{LAST}").as_bytes());

    assert_eq!(statuses(&answers), expected);
    victim.is_untouched();
}

#[test]
fn a_client_that_closes_its_side_after_its_request_is_answered() {
    let victim = Victim::start();
    let client = victim.client();
    let push = format!(
        "POST /v2/kept/image/blobs/uploads/?digest={}",
        sha256("hello")
    );
    let pull = format!(
        "GET /v2/kept/image/blobs/{}",
        victim.image().layers[0].digest
    );

    for (line, rest, status) in [
        ("GET /v2/_catalog", "\r\n", "200"),
        (&push, "Content-Length: 5\r\n\r\nhello", "201"),
        (&pull, "\r\n", "200"),
        ("GET /v2/kept/image/manifests/absent", "\r\n", "404"),
    ] {
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\n{rest}");
        let said = attack(&client, request.as_bytes());
        let said = String::from_utf8_lossy(&said);
        assert!(
            said.starts_with(&format!("HTTP/1.1 {status}")),
            "{line}: {said}"
        );
    }
}

#[test]
fn bytes_beyond_an_announced_length_are_no_part_of_the_body() {
    let victim = Victim::start();
    let client = victim.client();
    let upload = Upload::at(&client.begin_upload(victim.repo()).expect(202));
    let head = format!(
        "PATCH {} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        upload.location
    );

    let answers = victim.exchange(format!("{head}hello and more\r\n\r\n{LAST}").as_bytes());

    assert_eq!(statuses(&answers), [202, 400], "{answers:?}");
    let state = client.upload_status(&upload).expect(204);
    assert_eq!(state.required("range"), "0-4");
    client.cancel(&upload).expect(204);
    victim.is_untouched();
}

/// Methods that are served somewhere, known elsewhere, and neither.
const METHODS: [&str; 13] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "LOCK", "BREW", "get",
    "X-Y", "M!",
];

#[test]
fn methods_that_a_resource_does_not_know_are_refused_with_those_that_it_does() {
    let victim = Victim::start();
    let client = victim.client();
    let upload = Upload::at(&client.begin_upload(victim.repo()).expect(202));
    let blob = format!("/v2/kept/image/blobs/{}", victim.image().config.digest);

    for (target, known) in [
        ("/v2/", "GET, HEAD"),
        ("/v2/_catalog", "GET, HEAD"),
        ("/v2/kept/image/tags/list", "GET, HEAD"),
        ("/v2/kept/image/manifests/latest", "GET, HEAD, PUT, DELETE"),
        (&blob, "GET, HEAD, DELETE"),
        ("/v2/kept/image/blobs/uploads/", "POST"),
        (&upload.location, "GET, HEAD, PUT, PATCH, DELETE"),
    ] {
        let is_known = |method: &str| known.split(", ").any(|known| known == method);
        for method in METHODS.into_iter().filter(|method| !is_known(method)) {
            let refused = client.send(client.request(method, target)).expect(405);
            assert_eq!(refused.required("allow"), format!("{known}, OPTIONS"));
            // To HEAD it is told by the headers alone.
            if method != "HEAD" {
                is_refusal(&refused, &["UNSUPPORTED"]);
            }
        }
    }
    client.cancel(&upload).expect(204);
    victim.is_untouched();
}

#[test]
fn nobody_is_let_through_to_another_server() {
    let victim = Victim::start();

    for target in ["x:443", "127.0.0.1:22", "/v2/", "http://x/v2/"] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        let answers = victim.exchange(format!("{request}{LAST}").as_bytes());
        let status = answers[0].status;
        assert!(matches!(status, 400 | 404 | 405), "{target}: {answers:?}");
    }
    victim.is_untouched();
}

#[test]
fn what_is_asked_beside_the_request_is_ignored() {
    let victim = Victim::start();

    for header in [
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Expect: 200-ok",
        "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https",
        "Forwarded: host=evil.example;proto=https",
        "X-Original-URL: /v2/_catalog",
        "X-HTTP-Method-Override: DELETE",
        "Range: bytes=0-1",
        "Content-Encoding: gzip",
    ] {
        let request =
            format!("POST /v2/kept/image/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n");
        let answers = victim.exchange(format!("{request}{LAST}").as_bytes());
        let told = statuses(&answers);
        assert!(
            matches!(told[..], [202 | 417, 200]),
            "{header}: {answers:?}"
        );
        for answer in &answers {
            let location = answer.header("location").unwrap_or("/v2/");
            assert!(location.starts_with("/v2/"), "{header}: {location}");
        }
    }
    victim.is_unharmed();
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it fits").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What a connection of HTTP/2 begins with.
const BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `GET http://x/v2/`, as HTTP/2 packs it.
const PACKED: &[u8] = b"\x82\x86\x01\x01x\x04\x04/v2/";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;
/// The flags that end both the head and the request.
const WHOLE: u8 = 5;

/// What follows a proper beginning of HTTP/2 and is against its rules, or within them but without measure.
fn wrong_frames() -> Vec<Vec<u8>> {
    let opened = frame(HEADERS, 0, 1, PACKED);
    let filler = [b"\x00\x7f\x80\x7d".as_slice(), &[b'x'; 16_000]].concat();
    let resets = (0..10_000).flat_map(|number| {
        let stream = 2 * number + 1;
        [
            frame(HEADERS, WHOLE, stream, PACKED),
            frame(RESET, 0, stream, &[0, 0, 0, 8]),
        ]
        .concat()
    });
    // One long header, kept by the receiver, and then named again and again by a byte.
    let kept = [
        PACKED,
        b"\x40\x01a\x7f\xa1\x1e",
        &[b'x'; 4_000],
        &[0xbe; 12_000],
    ]
    .concat();
    vec![
        Noise::new(1).draw(100_000),
        vec![0xff; 100_000],
        frame(DATA, 0, 1, b"idle"),
        frame(HEADERS, WHOLE, 0, PACKED),
        frame(HEADERS, WHOLE, 2, PACKED),
        frame(HEADERS, WHOLE, 1, &[0xff; 100]),
        frame(CONTINUATION, 4, 1, PACKED),
        [opened.clone(), frame(PING, 0, 0, &[0; 8])].concat(),
        [opened, frame(CONTINUATION, 0, 1, &filler).repeat(2_000)].concat(),
        resets.collect(),
        frame(HEADERS, WHOLE, 1, &kept),
        frame(SETTINGS, 0, 0, &[]).repeat(10_000),
        frame(PING, 0, 0, &[0; 8]).repeat(10_000),
        frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
        frame(WINDOW, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2),
        frame(WINDOW, 0, 0, &[0; 4]),
    ]
}

/// A server that is spoken HTTP/2 to without TLS.
fn with_http_2() -> Victim {
    Victim::of(Setup::new().config(&json!({"http": {"h2c": {"enabled": true}}})))
}

#[test]
fn right_frames_of_http_2_are_served() {
    let victim = with_http_2();
    let mut connection = victim.client().connect().expect("connect");
    let request = [
        BEGIN,
        &frame(SETTINGS, 0, 0, &[]),
        &frame(HEADERS, WHOLE, 1, PACKED),
    ]
    .concat();
    connection.write(&request).expect("write");

    let mut said = Vec::new();
    while !said.ends_with(b"{}") {
        said.extend(connection.read_some(1).expect("an answer"));
    }
}

#[test]
fn wrong_and_endless_frames_of_http_2_end_only_their_connection() {
    let victim = with_http_2();
    let client = victim.client();
    let settings = frame(SETTINGS, 0, 0, &[]);

    for frames in wrong_frames() {
        attack(&client, &[BEGIN, &settings, &frames].concat());
        victim.is_unharmed();
    }
    for wrong in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "PRI",
    ] {
        attack(&client, wrong.as_bytes());
    }
    victim.is_untouched();
}
