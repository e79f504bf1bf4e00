//! The way to a receiver: TLS with an authority of one's own, and proxies.

use std::net::TcpListener;

use boxyard_acceptance::{Authority, Network, Pair, Receiver, Sandbox};
use boxyard_testkit::{Blob, Client, Setup, TestServer, eventually};
use serde_json::json;

/// A server that tells one endpoint.
fn telling(url: &str) -> Setup {
    let endpoint =
        json!({"name": "hook", "url": url, "timeout": "2s", "threshold": 3, "backoff": "50ms"});
    Setup::new().config(&json!({"notifications": {"endpoints": [endpoint]}}))
}

fn push(server: &TestServer) {
    let blob = Blob::new("application/octet-stream", "some bytes");
    Client::of(server).push_blob("app", &blob).expect(201);
}

/// Puts TLS in front of a receiver; answers the URL to tell.
fn encrypt(sandbox: &mut Sandbox, receiver: &Receiver, pair: &Pair) -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("find a free port");
    let port = free.local_addr().expect("it has an address").port();
    drop(free);
    let words = format!(
        "OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={},key={},verify=0 TCP:{}",
        pair.certificate.display(),
        pair.key.display(),
        receiver.address()
    );
    let socat = sandbox.tool("socat");
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    sandbox.start("socat", &socat, &words, listens);
    format!("https://127.0.0.1:{port}/hook")
}

#[test]
fn a_receiver_with_an_authority_of_its_own_is_told_once_the_system_trusts_that() {
    let mut sandbox = Sandbox::new(Network::Machine);
    let authority = Authority::new(sandbox.home(), "private");
    let receiver = Receiver::start();
    let pair = authority.server("receiver");
    let url = encrypt(&mut sandbox, &receiver, &pair);
    let trusted = authority.certificate.to_str().expect("the path is text");

    let doubting = telling(&url).start();
    push(&doubting);
    eventually("the reason", || {
        doubting
            .log()
            .contains("does not take a notification")
            .then_some(())
    });
    let untold = receiver.heard().len();
    let trusting = telling(&url).env("SSL_CERT_FILE", trusted).start();
    push(&trusting);

    let heard = receiver.wait_for("the notification", |heard| heard.line.contains("/hook"));
    assert_eq!(heard.event()["action"], "push");
    assert_eq!(untold, 0);
    let reason = doubting.log().to_lowercase();
    assert!(reason.contains("certificate"), "{reason}");
}

#[test]
fn a_receiver_on_this_machine_is_told_past_the_proxy_and_another_through_it() {
    let (receiver, proxy) = (Receiver::start(), Receiver::start());
    let near = telling(&receiver.url("/near"));
    let far = telling("http://receiver.invalid/far");
    let through = |setup: Setup| {
        let setup = setup
            .env("HTTP_PROXY", &proxy.url(""))
            .env("http_proxy", &proxy.url(""));
        setup.start()
    };
    let (near, far) = (through(near), through(far));

    push(&near);
    push(&far);

    receiver.wait_for("the direct notification", |heard| {
        heard.line.contains("/near")
    });
    let passed_on = proxy.wait_for("the other", |heard| heard.line.contains("/far"));
    assert!(
        passed_on.line.contains("http://receiver.invalid/far"),
        "{}",
        passed_on.line
    );
    assert!(
        proxy
            .heard()
            .iter()
            .all(|heard| !heard.line.contains("/near"))
    );
}
