//! The head of a request, kept until the request is over.

use http::request::Parts;
use jiff::Timestamp;

use crate::log::access::Entry;
use crate::peer::Address;
use crate::request_id::RequestId;

/// What is known of a request once its head is read.
///
/// Whoever serves it, the program's log and the access log share it, so that none of them copies what it may never write.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) id: RequestId,
    pub(crate) parts: Parts,
    pub(crate) client: Address,
    pub(crate) at: Timestamp,
}

impl Received {
    /// What the access log says of it.
    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry {
            request: &self.parts,
            client: self.client,
            at: self.at,
        }
    }

    /// How long the head is, nearly: some of it is gone once it is parsed.
    pub(crate) fn head_bytes(&self) -> u64 {
        let (method, uri) = (&self.parts.method, &self.parts.uri);
        let line = method.as_str().len() + uri.path().len();
        let query = uri.query().map_or(0, str::len);
        let headers = self.parts.headers.iter();
        let lines: usize = headers
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        (line + query + lines) as u64
    }
}
