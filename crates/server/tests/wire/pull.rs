//! Large blobs on their way to a client.

use boxyard_oci::Algorithm;

use crate::support::{Running, Wire};

/// So large that it is sent from its file, and not in whole pages.
const LARGE: usize = (3 << 20) + 5;

/// Pushes a blob of such bytes; its path.
fn push(wire: &mut Wire, bytes: &[u8]) -> String {
    let digest = Algorithm::Sha256.digest(bytes);
    let length = bytes.len();
    wire.send(format!(
        "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    ));
    wire.send(bytes);
    assert_eq!(wire.answer(true).status, 201);
    format!("/v2/a/blobs/{digest}")
}

#[test]
fn blobs_that_were_asked_for_at_once_come_whole_one_after_the_other() {
    let server = Running::start();
    let mut wire = server.connect();
    let blobs = [7, 8].map(|seed| vec![seed; LARGE]);
    let paths = blobs.each_ref().map(|blob| push(&mut wire, blob));

    for path in &paths {
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }

    for blob in &blobs {
        let answer = wire.answer(true);
        assert_eq!(answer.status, 200);
        assert!(answer.body == *blob);
    }
}

#[test]
fn a_range_begins_and_ends_anywhere() {
    let server = Running::start();
    let mut wire = server.connect();
    let blob: Vec<u8> = (0..LARGE)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    let path = push(&mut wire, &blob);

    for (first, last) in [(0, 1 << 20), (4_097, 2 << 20), ((1 << 20) - 1, LARGE - 1)] {
        let answer = wire.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nRange: bytes={first}-{last}\r\n\r\n"
        ));

        assert_eq!(answer.status, 206);
        assert!(answer.body == blob[first..=last]);
    }
}
