//! What comes back.

use bytes::Bytes;
use serde_json::Value;

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, in the order they came.
    pub headers: Headers,
    /// The body, without its transfer encoding.
    pub body: Bytes,
}

/// Headers, whose names match in any case.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub(super) Vec<(String, String)>);

impl Headers {
    /// The first value of a header.
    pub fn get<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Every value of a header.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The value of a header that must be there.
    #[track_caller]
    pub fn required(&self, name: &str) -> &str {
        self.header(name)
            .unwrap_or_else(|| panic!("no `{name}` in {self:?}"))
    }

    /// The body as text, for a message.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body is not JSON: {error}\n{self:?}"))
    }

    /// The codes of the distribution API's errors in the body; none when it holds no such errors.
    pub fn error_codes(&self) -> Vec<String> {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let errors = body["errors"].as_array().into_iter().flatten();
        errors
            .filter_map(|error| error["code"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// The target of `Location` without scheme and host, as it goes into the next request.
    #[track_caller]
    pub fn location(&self) -> String {
        let location = self.required("location");
        match location.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
            None => location.to_owned(),
        }
    }

    /// The target of the `Link` header with `rel="next"`, if there is a next page.
    pub fn next_page(&self) -> Option<String> {
        self.headers
            .all("link")
            .flat_map(|value| value.split(','))
            .find(|link| link.contains("rel=\"next\"") || link.contains("rel=next"))
            .and_then(|link| Some(link.split_once('<')?.1.split_once('>')?.0.to_owned()))
    }
}
