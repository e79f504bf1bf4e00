//! Errors that are sent while the body still flows: they reach their client, whatever it is built on.

use std::io::{self, Read};
use std::process::Command;
use std::time::{Duration, Instant};

use boxyard_acceptance::{go_program, nowhere};
use boxyard_testkit::http::{Body, Request};
use boxyard_testkit::{Client, Image, Setup, TestServer, Upload, media_type};
use serde_json::{Value, json};

/// How many bytes come where none are wanted.
const LONG: u64 = 64 << 20;

/// How often each refusal must be seen.
const TRIES: &str = "50";

/// A server that deletes nothing, with an image and an open upload.
struct Refusing {
    server: TestServer,
    upload: Upload,
}

/// A request that is refused, with its headers and what it is answered.
struct Refusal {
    method: &'static str,
    target: String,
    header: Option<(&'static str, String)>,
    status: u16,
    code: &'static str,
}

impl Refusing {
    fn start() -> Self {
        let storage = json!({ "delete": { "enabled": false } });
        let http = json!({ "h2c": { "enabled": true } });
        let config = json!({ "storage": storage, "http": http });
        let server = Setup::new().config(&config).start();
        let client = Client::of(&server);
        client
            .push_image("kept", "latest", &Image::with_layers(1, &[10]))
            .expect(201);
        let upload = Upload::at(&client.begin_upload("kept").expect(202));
        Self { server, upload }
    }

    /// Everything that is refused before, or soon after, its body is read.
    fn refusals(&self) -> Vec<Refusal> {
        let refusal = |method, target: &str, header: Option<(_, &str)>, status, code| Refusal {
            method,
            target: target.to_owned(),
            header: header.map(|(name, value)| (name, value.to_owned())),
            status,
            code,
        };
        let digest = nowhere();
        let open = &self.upload.location;
        let finish = self.upload.target_of(&digest);
        let unknown = "/v2/kept/blobs/uploads/00000000-0000-4000-8000-000000000000";
        let finish_unknown = format!("{unknown}?digest={digest}");
        let beyond = Some(("Content-Range", "5-67108868"));
        let short = Some(("Content-Range", "0-9"));
        let manifest = Some(("Content-Type", media_type::OCI_MANIFEST));
        let tag = "/v2/kept/manifests/latest";
        vec![
            refusal(
                "PUT",
                &self.upload.target_of("sha256:0"),
                None,
                400,
                "DIGEST_INVALID",
            ),
            refusal(
                "POST",
                "/v2/kept/blobs/uploads/?digest=md5:0",
                None,
                400,
                "DIGEST_INVALID",
            ),
            refusal("POST", "/v2/KEPT/blobs/uploads/", None, 400, "NAME_INVALID"),
            refusal("PUT", &finish_unknown, None, 404, "BLOB_UPLOAD_UNKNOWN"),
            refusal("PATCH", unknown, None, 404, "BLOB_UPLOAD_UNKNOWN"),
            refusal("PATCH", open, beyond, 416, "RANGE_INVALID"),
            refusal("PUT", &finish, beyond, 416, "RANGE_INVALID"),
            refusal("PATCH", open, short, 400, "SIZE_INVALID"),
            refusal("PUT", tag, manifest, 413, "SIZE_INVALID"),
            refusal(
                "PUT",
                "/v2/kept/manifests/.tag",
                manifest,
                400,
                "TAG_INVALID",
            ),
            refusal("POST", tag, None, 405, "UNSUPPORTED"),
            refusal("DELETE", tag, None, 405, "UNSUPPORTED"),
        ]
    }

    /// Fails unless everybody else is served and nothing has changed.
    #[track_caller]
    fn is_unharmed(&self) {
        let client = Client::of(&self.server);
        client.pull_image("kept", "latest");
        let status = client.upload_status(&self.upload).expect(204);
        assert_eq!(status.required("range"), "0-0");
    }
}

impl Refusal {
    fn request(&self, client: &Client, body: Body<'static>) -> Request<'static> {
        let request = client.request(self.method, &self.target).body(body);
        match &self.header {
            Some((name, value)) => request.header(name, value),
            None => request,
        }
    }

    /// Lets Go's client send the request again and again, and fails unless it sees the refusal each time.
    #[track_caller]
    fn is_seen_by_go(&self, server: &TestServer, protocol: &str, more: &[&str]) {
        let mut command = Command::new(go_program("early"));
        command
            .args([
                "-protocol",
                protocol,
                "-method",
                self.method,
                "-tries",
                TRIES,
            ])
            .args([
                "-url",
                &format!("http://{}{}", server.address(), self.target),
            ])
            .args(["-size", &LONG.to_string()])
            .args(more);
        if let Some((name, value)) = &self.header {
            command.args(["-header", &format!("{name}: {value}")]);
        }
        let output = command.output().expect("run the client");
        assert!(output.status.success(), "{output:?}");
        let seen: Value = serde_json::from_slice(&output.stdout).expect("a report");
        let story = format!("{} {} by {protocol}: {seen}", self.method, self.target);
        assert_eq!(seen["failures"], json!({}), "{story}");
        let answers = seen["answers"].as_object().expect("answers");
        assert_eq!(
            answers
                .values()
                .filter_map(Value::as_u64)
                .sum::<u64>()
                .to_string(),
            TRIES
        );
        for answer in answers.keys() {
            let (status, body) = answer.split_once(' ').expect("a status and a body");
            assert_eq!(status, self.status.to_string(), "{story}");
            let body: Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(body["errors"][0]["code"], self.code, "{story}");
        }
    }
}

/// Every refusal is seen by Go's client in this protocol.
#[track_caller]
fn all_are_seen_by_go(protocol: &str) {
    let refusing = Refusing::start();
    for refusal in refusing.refusals() {
        refusal.is_seen_by_go(&refusing.server, protocol, &[]);
    }
    refusing.is_unharmed();
}

#[test]
fn refusals_reach_clients_of_http_1_that_are_still_sending() {
    all_are_seen_by_go("http1");
}

#[test]
fn refusals_of_what_turns_out_too_long_reach_clients_that_did_not_say_how_long_it_is() {
    let refusing = Refusing::start();
    let refusals = refusing.refusals();
    for refusal in refusals
        .iter()
        .filter(|refusal| refusal.code == "SIZE_INVALID")
    {
        // One after the other, because a newer request would take the upload over.
        let more = ["-chunked", "-clients", "1"];
        refusal.is_seen_by_go(&refusing.server, "http1", &more);
        refusal.is_seen_by_go(&refusing.server, "http2", &more);
    }
    refusing.is_unharmed();
}

#[test]
fn refusals_reach_clients_of_http_1_that_ask_before_they_send() {
    all_are_seen_by_go("http1-asking");
}

#[test]
fn refusals_reach_clients_of_http_2_that_are_still_sending() {
    all_are_seen_by_go("http2");
}

#[test]
fn refusals_reach_clients_that_read_nothing_before_all_is_sent() {
    let refusing = Refusing::start();
    let client = Client::of(&refusing.server);
    let mut connection = client.connect().expect("connect");

    for refusal in refusing.refusals() {
        let body = Body::Stream(Box::new(io::repeat(0).take(LONG)), LONG);
        let answer = connection
            .send(&mut refusal.request(&client, body))
            .expect("an answer");
        assert_eq!(answer.status, refusal.status, "{answer:?}");
        assert_eq!(answer.error_codes(), [refusal.code]);
        // All was read, so that the next request goes by the same connection.
        assert!(connection.is_open(), "{answer:?}");
    }
    refusing.is_unharmed();
}

#[test]
fn nobody_who_asks_is_told_to_send_what_is_refused() {
    let refusing = Refusing::start();
    let client = Client::of(&refusing.server);

    for refusal in refusing.refusals() {
        let header = refusal.header.as_ref();
        let header = header.map_or(String::new(), |(name, value)| {
            format!("{name}: {value}\r\n")
        });
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {LONG}\r\n{header}\r\n",
            refusal.method, refusal.target
        );
        let mut connection = client.connect().expect("connect");
        connection.write(head.as_bytes()).expect("write");
        let begin = connection.read_some(12).expect("an answer");
        let expected = format!("HTTP/1.1 {}", refusal.status);
        assert_eq!(String::from_utf8_lossy(&begin), expected);
    }
    refusing.is_unharmed();
}

#[test]
fn a_body_without_end_is_cut_off_in_bounded_time() {
    let refusing = Refusing::start();
    let client = Client::of(&refusing.server);
    let begun = Instant::now();
    let mut connection = client.connect().expect("connect");
    let endless = Body::Stream(Box::new(io::repeat(0)), 1 << 40);
    let mut request = client
        .request("PUT", "/v2/kept/manifests/.tag")
        .body(endless);

    // Whether the answer is still to be had depends on how much the kernels hold; that it ends does not.
    let _outcome = connection.send(&mut request);

    let took = begun.elapsed();
    assert!(took < Duration::from_secs(45), "{took:?}");
    refusing.is_unharmed();
}

#[test]
fn a_refused_client_that_falls_silent_is_let_go() {
    let refusing = Refusing::start();
    let client = Client::of(&refusing.server);
    let begun = Instant::now();
    let mut connection = client.connect().expect("connect");
    let head =
        "PUT /v2/kept/manifests/.tag HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nsome";

    connection.write(head.as_bytes()).expect("write");
    let answer = connection.read_response().expect("an answer");
    let rest = connection.read_to_close().expect("the end");

    assert_eq!((answer.status, rest.len()), (400, 0));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    refusing.is_unharmed();
}
