//! The client against a peer that follows a script.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use boxyard_testkit::Client;
use boxyard_testkit::http::{Body, Connection, Request};

/// Serves one connection after the other, each by one step of the script, and returns what they did.
fn peer<T: Send + 'static>(steps: Vec<fn(TcpStream) -> T>) -> (SocketAddr, JoinHandle<Vec<T>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let steps = steps.into_iter();
        steps
            .map(|step| step(listener.accept().unwrap().0))
            .collect()
    };
    (address, thread::spawn(serve))
}

/// Reads to the end of what `marker` ends.
fn read_until(stream: &mut TcpStream, marker: &[u8]) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(marker) {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            break;
        }
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn answer_one(stream: &mut TcpStream) {
    read_until(stream, b"\r\n\r\n");
    stream.write_all(EMPTY).unwrap();
}

#[test]
fn a_connection_is_used_again_until_the_server_closes_it() {
    let (address, peer) = peer(vec![
        |mut stream| (0..2).for_each(|_| answer_one(&mut stream)),
        |mut stream| stream.write_all(b"!").unwrap(),
        |mut stream| answer_one(&mut stream),
    ]);
    let client = Client::at(address);

    client.check().expect(200);
    client.check().expect(200);
    // The peer comes to this one when it has closed the first.
    let mut witness = TcpStream::connect(address).unwrap();
    witness.read_exact(&mut [0]).unwrap();
    client.check().expect(200);

    peer.join().unwrap();
}

#[test]
fn an_answer_that_comes_before_the_body_is_through_is_read() {
    let (address, peer) = peer(vec![|mut stream| {
        read_until(&mut stream, b"\r\n\r\n");
        let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
        stream.write_all(answer).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    }]);
    let mut connection = Connection::open(address).unwrap();
    let endless = std::io::repeat(7).take(50_000_000);
    let mut request = Request::new("PUT", "/").body(Body::Stream(Box::new(endless), 50_000_000));

    let response = connection.send(&mut request).unwrap();

    assert_eq!((response.status, response.text()), (413, "no".to_owned()));
    assert!(!connection.is_open());
    drop(connection);
    peer.join().unwrap();
}

#[test]
fn a_chunked_body_goes_out_in_chunks() {
    let (address, peer) = peer(vec![|mut stream| {
        let request = read_until(&mut stream, b"0\r\n\r\n");
        stream.write_all(EMPTY).unwrap();
        request
    }]);
    let mut connection = Connection::open(address).unwrap();
    let body = Body::Chunked(Box::new(&b"0123456789"[..]));

    let mut request = Request::new("PATCH", "/x").header("A", "b").body(body);
    connection.send(&mut request).unwrap();

    let sent = "PATCH /x HTTP/1.1\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n";
    assert_eq!(peer.join().unwrap(), [sent]);
}

#[test]
fn a_trickle_stops_when_the_server_has_had_enough() {
    let (address, peer) = peer(vec![|mut stream| {
        let seen = read_until(&mut stream, b"four");
        stream
            .write_all(b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        seen
    }]);
    let mut connection = Connection::open(address).unwrap();

    let sent = connection.trickle(
        &[b"four".as_slice(), &[b'x'; 10_000]].concat(),
        Duration::from_millis(1),
    );

    assert!((4..10_004).contains(&sent.unwrap()));
    assert_eq!(connection.read_response().unwrap().status, 408);
    peer.join().unwrap();
}

#[test]
fn a_reset_is_an_error_to_the_peer() {
    let (address, peer) = peer(vec![|mut stream| {
        read_until(&mut stream, b"\r\n\r\n");
        stream.read(&mut [0]).map_err(|error| error.kind())
    }]);
    let mut connection = Connection::open(address).unwrap();
    connection.write(b"GET / HTTP/1.1\r\n\r\n").unwrap();

    connection.reset().unwrap();

    let seen = peer.join().unwrap().remove(0);
    assert_eq!(seen, Err(std::io::ErrorKind::ConnectionReset));
}
