//! Why a request has no good answer.

use std::io;

/// Why a request has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("connect to the registry's socket")]
    Connect(#[source] io::Error),
    /// The connection broke.
    #[error("ask the registry over its socket")]
    Http(#[source] hyper::Error),
    /// The registry said no.
    #[error("the registry refuses: {message} (status {status})")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The answer is not what was asked for.
    #[error("the registry's answer cannot be understood: {0}")]
    Answer(String),
    /// A command failed after it had begun.
    #[error("{0}")]
    Failed(String),
}

impl ClientError {
    /// Whether nobody listens at the socket.
    pub fn is_nobody(&self) -> bool {
        match self {
            Self::Connect(error) => matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ),
            _ => false,
        }
    }
}
