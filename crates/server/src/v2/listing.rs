//! Lists of names, in pages or whole.
//!
//! A page is what the client asks for by `n`.
//! Without it the whole list is sent as it is read, so that its length costs no memory.

use boxyard_registry::{NameListing, PullError};
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, LINK};
use http::{HeaderValue, Method, Response, StatusCode};

use crate::app::App;
use crate::error::{ApiError, chain};
use crate::query::Query;
use crate::response::{Answer, ResponseBody};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Names read in one go where the client wants all of them.
const PIECE: usize = 1_000;
/// What is listed, and where.
pub(super) struct List<'a, F> {
    pub(super) app: &'a App,
    pub(super) path: String,
    /// The JSON before the names; behind them come `]}`.
    pub(super) head: String,
    /// Reads at most so many names after a name.
    pub(super) read: F,
    /// What a page may have.
    pub(super) most: Most,
}

/// What becomes of a client that asks for too long a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Most {
    /// It gets this many, and a link to the next ones.
    Cut(usize),
    /// It is refused, as distribution does with the catalog.
    Refuse(usize),
}

impl Most {
    fn of(self, size: usize) -> Result<usize, ApiError> {
        match self {
            Self::Cut(most) => Ok(size.min(most)),
            Self::Refuse(most) if size > most => Err(ApiError::page_size(most)),
            Self::Refuse(_) => Ok(size),
        }
    }
}

impl<F, R> List<'_, F>
where
    F: Fn(Option<String>, usize) -> R + Send + 'static,
    R: Future<Output = Result<NameListing, PullError>> + Send + 'static,
{
    pub(super) async fn answer(
        self,
        method: &Method,
        query: Query<'_>,
    ) -> Result<Response<ResponseBody>, ApiError> {
        let after = query.text("last")?;
        match query.page_size()? {
            Some(size) => {
                let size = self.most.of(size)?;
                self.page(method, after, size).await
            }
            None => self.whole(method, after).await,
        }
    }

    async fn page(
        self,
        method: &Method,
        after: Option<String>,
        size: usize,
    ) -> Result<Response<ResponseBody>, ApiError> {
        let page = (self.read)(after, size).await?;
        let mut answer = Answer::new(StatusCode::OK);
        if let (true, Some(last)) = (page.more, page.iter().last()) {
            let parameters = [("last", last), ("n", &size.to_string())];
            answer = answer.header(LINK, self.app.links.next(&self.path, &parameters));
        }
        let body = document(self.head, &page);
        Ok(answer.content(method, JSON, Bytes::from(body)))
    }

    async fn whole(
        self,
        method: &Method,
        after: Option<String>,
    ) -> Result<Response<ResponseBody>, ApiError> {
        let first = (self.read)(after, PIECE).await?;
        if !first.more {
            let body = document(self.head, &first);
            return Ok(Answer::new(StatusCode::OK).content(method, JSON, Bytes::from(body)));
        }
        let answer = Answer::new(StatusCode::OK).header(CONTENT_TYPE, JSON);
        if *method == Method::HEAD {
            return Ok(answer.done());
        }
        Ok(answer.body(stream_of(&self.head, &first, self.read)))
    }
}

/// Sends the first piece, and reads each other one when the one before has gone.
fn stream_of<F, R>(head: &str, first: &NameListing, read: F) -> ResponseBody
where
    F: Fn(Option<String>, usize) -> R + Send + 'static,
    R: Future<Output = Result<NameListing, PullError>> + Send + 'static,
{
    let last = first.iter().last().map(ToOwned::to_owned);
    let mut begin = head.to_owned();
    add_names(&mut begin, first);
    let pieces = stream::try_unfold(
        (Some(begin), last, read),
        |(ready, last, read)| async move {
            if let Some(ready) = ready {
                return Ok(Some((Bytes::from(ready), (None, last, read))));
            }
            let Some(after) = last else {
                return Ok(None);
            };
            let page = match read(Some(after), PIECE).await {
                Ok(page) => page,
                Err(PullError::Internal(error)) => {
                    tracing::error!(error = %chain(&error), "a list could not be read to its end");
                    return Err(error.into());
                }
                // The last of the names has gone meanwhile.
                Err(_) => NameListing::default(),
            };
            let mut piece = String::from(if page.is_empty() { "" } else { "," });
            add_names(&mut piece, &page);
            if !page.more {
                piece.push_str("]}");
            }
            let last = page.iter().last().filter(|_| page.more);
            let last = last.map(ToOwned::to_owned);
            Ok(Some((Bytes::from(piece), (None, last, read))))
        },
    );
    ResponseBody::chunks(pieces)
}

/// The whole list in one text.
fn document(head: String, page: &NameListing) -> String {
    let mut body = head;
    add_names(&mut body, page);
    body.push_str("]}");
    body
}

/// Adds the names as JSON strings with commas between them; no name has anything to be escaped.
fn add_names(text: &mut String, page: &NameListing) {
    let names = page.iter().map(|name| name.len() + 3);
    text.reserve(names.sum::<usize>() + 2);
    for (number, name) in page.iter().enumerate() {
        text.push_str(if number == 0 { "\"" } else { ",\"" });
        text.push_str(name);
        text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use boxyard_registry::Listing;
    use http_body_util::BodyExt;

    use super::*;

    /// Lists the numbers below `end` that follow a number, in so many pieces as it takes.
    fn page(after: Option<&str>, limit: usize, end: usize) -> NameListing {
        let begin = after.map_or(0, |after| after.parse::<usize>().unwrap() + 1);
        let numbers = (begin..end).take(limit);
        let items: Vec<String> = numbers.map(|number| number.to_string()).collect();
        let more = begin + items.len() < end;
        Listing { items, more }.into()
    }

    async fn streamed(end: usize) -> String {
        let read =
            move |after: Option<String>, limit| ready(Ok(page(after.as_deref(), limit, end)));
        let first = page(None, PIECE, end);
        let body = stream_of("{\"items\":[", &first, read);
        let bytes = body.collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_long_list_is_one_document() {
        for end in [PIECE + 1, 2 * PIECE, 2 * PIECE + 1] {
            let document: serde_json::Value = serde_json::from_str(&streamed(end).await).unwrap();

            let items = document["items"].as_array().unwrap();
            assert_eq!(items.len(), end);
            assert_eq!(items[end - 1], (end - 1).to_string());
        }
    }

    #[tokio::test]
    async fn a_repository_that_goes_meanwhile_ends_its_list() {
        let first = page(None, 2, 4);

        let body = stream_of("[[", &first, |_, _| ready(Err(PullError::NameUnknown)));

        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!(bytes, "[[\"0\",\"1\"]}");
    }
}
