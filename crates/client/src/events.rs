//! What a command of the administration says while it works: one JSON object a line.

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;

use crate::connection::{Client, Content, whole, with_content};
use crate::error::ClientError;

/// The longest line that is taken.
const LONGEST: usize = 16 << 20;

/// One line.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// How far it is.
    Progress {
        /// What is done.
        done: u64,
        /// What there is, as far as that is known.
        total: u64,
        /// What it is at.
        text: String,
    },
    /// Something for whoever reads the output.
    Item(Value),
    /// It is done; nothing follows.
    Result(Value),
    /// It failed; nothing follows.
    Error(String),
}

/// The lines of a command that works.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    read: BytesMut,
}

impl Client {
    /// Runs a command of the administration, and hears of it while it works.
    pub async fn run(&self, command: &str, arguments: &Value) -> Result<Events, ClientError> {
        let answer = self.ask(command_request(command, arguments)).await?;
        Ok(Events {
            body: answer.into_body(),
            read: BytesMut::new(),
        })
    }

    /// Runs a command of the administration that answers at once.
    pub async fn call(&self, command: &str, arguments: &Value) -> Result<Value, ClientError> {
        let answer = self.ask(command_request(command, arguments)).await?;
        let body = whole(answer).await?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Answer(error.to_string()))
    }
}

fn command_request(command: &str, arguments: &Value) -> http::Request<Content> {
    let content = Content::bytes(Bytes::from(arguments.to_string()));
    let path = format!("/admin/{command}");
    let mut request = with_content(Method::POST, &path, content);
    let json = header::HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    request
}

impl Events {
    /// The next line; a command that ends without its last word has failed.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end);
                self.read.advance(1);
                return parse(&line);
            }
            let frame = self.body.frame().await.ok_or_else(cut_off)?;
            let frame = frame.map_err(ClientError::Http)?;
            if let Ok(data) = frame.into_data() {
                self.read.extend_from_slice(&data);
            }
            if self.read.len() > LONGEST {
                return Err(ClientError::Answer("a line does not end".to_owned()));
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Event, ClientError> {
    match serde_json::from_slice(line) {
        Ok(Event::Error(message)) => Err(ClientError::Failed(message)),
        Ok(event) => Ok(event),
        Err(error) => Err(ClientError::Answer(error.to_string())),
    }
}

fn cut_off() -> ClientError {
    ClientError::Failed("the server ended before the command was done".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_event_and_an_error_is_an_error() {
        let progress = parse(br#"{"progress":{"done":1,"total":2,"text":"a"}}"#).unwrap();
        let error = parse(br#"{"error":"broken"}"#).unwrap_err();

        assert!(matches!(
            progress,
            Event::Progress {
                done: 1,
                total: 2,
                ..
            }
        ));
        assert_eq!(error.to_string(), "broken");
    }
}
