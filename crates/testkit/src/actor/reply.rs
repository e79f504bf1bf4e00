//! What a verb brings back: a response, or a connection that broke.

use std::io;

use bytes::Bytes;

use crate::http::{Request, Response};

/// The outcome of a request, to be judged by the test.
#[derive(Debug)]
#[must_use = "a refusal passes unseen"]
pub struct Reply {
    request: String,
    outcome: io::Result<Response>,
}

impl Reply {
    pub(super) fn new(request: &Request<'_>, outcome: io::Result<Response>, body: Vec<u8>) -> Self {
        Self {
            request: format!("{} {}", request.method(), request.target()),
            outcome: outcome.map(|response| Response {
                body: Bytes::from(body),
                ..response
            }),
        }
    }

    /// The status, or none when the connection broke.
    pub fn status(&self) -> Option<u16> {
        self.outcome.as_ref().ok().map(|response| response.status)
    }

    /// The response, or why there is none.
    pub fn into_result(self) -> io::Result<Response> {
        self.outcome
    }

    /// The response if it has this status, and otherwise this reply for the caller to judge.
    pub(super) fn or_refusal(self, status: u16) -> Result<Response, Self> {
        match self.outcome {
            Ok(response) if response.status == status => Ok(response),
            _ => Err(self),
        }
    }

    /// The response, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Response {
        let response = self.response();
        assert_eq!(
            response.status, status,
            "`{}` is answered by {response:?}",
            self.request
        );
        self.outcome.expect("it was there above")
    }

    /// The response, which must have this status and an error of this code.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Response {
        let request = self.request.clone();
        let response = self.expect(status);
        assert_eq!(
            response.error_codes(),
            [code],
            "`{request}` is answered by {response:?}"
        );
        response
    }

    #[track_caller]
    fn response(&self) -> &Response {
        self.outcome
            .as_ref()
            .unwrap_or_else(|error| panic!("`{}` gets no answer: {error}", self.request))
    }
}
