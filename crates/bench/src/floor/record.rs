//! A server that syncs a record before it answers a change: what a durable answer cannot go below.
//!
//! Like a log it has its room ahead of its use, and changes that come together share a sync.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::{Method, Response, StatusCode};
use tokio::sync::oneshot;

use super::handler::{self, Answer, Asked};

/// The size of one record: a page of a database.
const RECORD: usize = 4096;
/// How many fit into the file before it begins anew.
const ROOM: u64 = 8192;
/// How many share a sync at most.
const TOGETHER: usize = 256;

/// Whom to tell that the record is synced.
type Waiting = oneshot::Sender<()>;

/// Answers until it is killed, with its records in a new file at `path`.
pub(crate) fn serve(address: SocketAddr, path: &Path) -> Result<()> {
    let file = File::create_new(path).context("make the file of records")?;
    for place in 0..ROOM {
        file.write_all_at(&[0; RECORD], place * RECORD as u64)
            .context("make room for records")?;
    }
    file.sync_all().context("sync the room for records")?;
    let (records, asked) = channel();
    thread::spawn(move || {
        if let Err(error) = keep(&file, &asked) {
            // From now on nothing is answered but that it failed.
            eprintln!("the floor keeps no more records: {error:#}");
        }
    });
    handler::serve(address, move |request| answer(request, records.clone()))
}

/// Syncs what waits, tells those who wait for it, and begins again; ends where the disk does not keep a record.
fn keep(file: &File, asked: &Receiver<Waiting>) -> Result<()> {
    let mut place = 0;
    while let Ok(first) = asked.recv() {
        let mut waiting = vec![first];
        waiting.extend(asked.try_iter().take(TOGETHER - 1));
        if place + waiting.len() as u64 > ROOM {
            place = 0;
        }
        let records = vec![b'r'; waiting.len() * RECORD];
        file.write_all_at(&records, place * RECORD as u64)
            .context("write records")?;
        file.sync_data().context("sync records")?;
        place += waiting.len() as u64;
        for one in waiting {
            // A client that leaves in the middle is none of a floor's business.
            let _ = one.send(());
        }
    }
    Ok(())
}

async fn answer(request: Asked, records: Sender<Waiting>) -> Answer {
    let mut response = Response::new(Full::default());
    if request.method() != Method::POST {
        return response;
    }
    let (done, synced) = oneshot::channel();
    let is_kept = records.send(done).is_ok() && synced.await.is_ok();
    *response.status_mut() = if is_kept {
        StatusCode::CREATED
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    response
}
