//! What a command says while it works.

use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::{ApiError, chain};
use crate::response::{Answer, BodyFailure, ResponseBody};

/// Lines that wait for a command that reads slowly; the work waits with them.
const WAITING: usize = 64;

/// Where the work says how far it is.
#[derive(Clone, Debug)]
pub(super) struct Events(mpsc::Sender<Bytes>);

/// Why a command's work ended early, for the person who began it.
#[derive(Debug)]
pub(super) struct Failure(String);

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(chain(&error))
    }
}

impl Events {
    /// Says how far the work is; a line that finds no room is left out, for the next one says more.
    pub(super) fn progress(&self, done: u64, total: u64, text: &str) {
        let event = json!({"progress": {"done": done, "total": total, "text": text}});
        let _ = self.0.try_send(line(&event));
    }

    /// Says something that must not be left out.
    pub(super) async fn item(&self, item: Value) {
        self.say(&json!({"item": item})).await;
    }

    async fn say(&self, event: &Value) {
        // Who has left does not hear it, and the work is ended beside.
        let _ = self.0.send(line(event)).await;
    }
}

fn line(event: &Value) -> Bytes {
    Bytes::from(format!("{event}\n"))
}

/// Answers with what `work` says; it ends when it is done, when its command leaves, and when the server stops.
pub(super) fn answer<W, F>(stop: CancellationToken, work: W) -> Response<ResponseBody>
where
    W: FnOnce(Events) -> F,
    F: Future<Output = Result<Value, Failure>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let events = Events(sender);
    let work = work(events.clone());
    tokio::spawn(async move {
        let last = tokio::select! {
            done = work => match done {
                Ok(result) => json!({"result": result}),
                Err(Failure(message)) => json!({"error": message}),
            },
            () = stop.cancelled() => json!({"error": "the server stops: run the command again"}),
            () = events.0.closed() => return,
        };
        events.say(&last).await;
    });
    let lines = stream::unfold(receiver, |mut receiver| async {
        let line = receiver.recv().await?;
        Some((Ok::<_, BodyFailure>(line), receiver))
    });
    Answer::new(StatusCode::OK)
        .header(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        )
        .body(ResponseBody::chunks(lines))
}

/// Answers at once.
pub(super) fn at_once(result: Result<Value, Failure>) -> Result<Response<ResponseBody>, ApiError> {
    match result {
        Ok(value) => {
            let json = HeaderValue::from_static("application/json");
            let body = Bytes::from(value.to_string());
            Ok(Answer::new(StatusCode::OK).content(&http::Method::POST, json, body))
        }
        Err(Failure(message)) => Err(ApiError::client(
            boxyard_oci::ErrorCode::Unsupported,
            &message,
        )
        .with_status(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}
