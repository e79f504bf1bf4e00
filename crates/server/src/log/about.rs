//! Which request a line of the program's log is about.
//!
//! A span says it as well, but a span costs as much as all else that a small request costs here, and nearly no request writes a line.
//! So a span is made only where requests are traced, and without one the thread knows which request it serves at the moment.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Value, json};

use super::access::clip;
use crate::received::Received;

thread_local! {
    static CURRENT: Cell<Option<Arc<Received>>> = const { Cell::new(None) };
}

/// The thread serves a request until this is dropped, and then what it served before.
struct Within<'a> {
    request: &'a mut Option<Arc<Received>>,
    outer: Option<Arc<Received>>,
}

impl<'a> Within<'a> {
    fn enter(request: &'a mut Option<Arc<Received>>) -> Self {
        let outer = CURRENT.replace(request.take());
        Self { request, outer }
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        *self.request = CURRENT.replace(self.outer.take());
    }
}

/// Serves a request, which every line says that is written meanwhile.
pub(crate) async fn serve<F>(request: &Arc<Received>, mut serving: F) -> F::Output
where
    F: Future + Unpin,
{
    let mut request = Some(Arc::clone(request));
    poll_fn(|context| {
        let _within = Within::enter(&mut request);
        Pin::new(&mut serving).poll(context)
    })
    .await
}

/// What lines say of the request that the thread serves, if it serves one.
pub(super) fn fields() -> Vec<(&'static str, Value)> {
    let Some(request) = CURRENT.take() else {
        return Vec::new();
    };
    let parts = &request.parts;
    let fields = vec![
        ("http.request.id", json!(request.id.as_str())),
        ("http.request.method", json!(clip(parts.method.as_str()))),
        ("http.request.path", json!(clip(parts.uri.path()))),
        ("http.request.remoteaddr", json!(request.client.to_string())),
    ];
    CURRENT.set(Some(request));
    fields
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use jiff::Timestamp;

    use super::*;
    use crate::peer::Address;
    use crate::request_id::RequestId;

    fn received(path: &str) -> Arc<Received> {
        let request = http::Request::builder().uri(path).body(()).unwrap();
        Arc::new(Received {
            id: RequestId::next(),
            parts: request.into_parts().0,
            client: Address::Unix,
            at: Timestamp::now(),
        })
    }

    fn path() -> Option<Value> {
        let mut fields = fields().into_iter();
        let path = fields.find(|(name, _)| *name == "http.request.path");
        path.map(|(_, value)| value)
    }

    #[tokio::test]
    async fn a_line_is_about_the_request_that_is_served_and_about_none_afterwards() {
        let (outer, inner) = (received("/outer"), received("/inner"));

        let served = pin!(async {
            let before = path();
            let within = serve(&inner, pin!(async { path() })).await;
            tokio::task::yield_now().await;
            (before, within, path())
        });
        let (before, within, after) = serve(&outer, served).await;

        assert_eq!(before, Some(json!("/outer")));
        assert_eq!(within, Some(json!("/inner")));
        assert_eq!(after, Some(json!("/outer")));
        assert_eq!(path(), None);
    }

    #[tokio::test]
    async fn a_line_is_about_none_after_a_request_has_panicked() {
        let panicked = tokio::spawn(async {
            let request = received("/");
            serve(&request, pin!(async { panic!("on purpose") })).await;
        });

        assert!(panicked.await.is_err());
        assert_eq!(path(), None);
    }
}
