//! The requests of one connection of HTTP/2, served by the task that has the connection.
//!
//! Served by tasks of their own, the two ends of a body are on two cores as often as not.
//! Then every frame wakes somebody elsewhere, its bytes go from one cache to another, and what is sent is sent in small pieces, because it is taken away faster than it gathers.
//! So what serves a request waits here until the connection can do no more, and then the connection goes on with what came of that.
//! What needs a processor for long has threads of its own anyway.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::rt::Executor;
use tokio::runtime::Handle;
use tokio::task::coop::has_budget_remaining;

use crate::tls::Flusher;

/// What serves one request, from its head to the end of its answer.
struct Serving {
    inner: Pin<Box<dyn Future<Output = ()> + Send>>,
    went_on: Arc<AtomicBool>,
}

/// Where a connection puts what serves its requests.
#[derive(Clone, Default)]
pub(super) struct Begun {
    servings: Arc<Mutex<Vec<Serving>>>,
    /// Whether any of them was polled since that was last asked.
    went_on: Arc<AtomicBool>,
}

/// A connection with all that goes on on it.
pub(super) struct Driver<'a, C> {
    connection: Pin<&'a mut C>,
    streams: Streams,
    flusher: Flusher,
}

/// What serves the requests of one connection.
struct Streams {
    begun: Begun,
    running: FuturesUnordered<Serving>,
}

impl<F> Executor<F> for Begun
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, serving: F) {
        let serving = Serving {
            inner: Box::pin(serving),
            went_on: Arc::clone(&self.went_on),
        };
        let mut servings = self.servings.lock().unwrap_or_else(PoisonError::into_inner);
        servings.push(serving);
    }
}

impl Future for Serving {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.went_on.store(true, Ordering::Relaxed);
        self.inner.as_mut().poll(context)
    }
}

impl<'a, C: Future> Driver<'a, C> {
    pub(super) fn new(connection: Pin<&'a mut C>, begun: Begun, flusher: Flusher) -> Self {
        let streams = Streams {
            begun,
            running: FuturesUnordered::new(),
        };
        Self {
            connection,
            streams,
            flusher,
        }
    }

    pub(super) fn connection(&mut self) -> Pin<&mut C> {
        self.connection.as_mut()
    }

    /// Serves the connection, and sends what it has written whenever it can do no more for now.
    pub(super) fn run(&mut self) -> impl Future<Output = C::Output> {
        poll_fn(|context| self.poll(context))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<C::Output> {
        loop {
            let ended = self.connection.as_mut().poll(context);
            if ended.is_ready() {
                return ended;
            }
            if !self.streams.go_on(context) {
                break;
            }
            if !has_budget_remaining() {
                // Others have their turn.
                context.waker().wake_by_ref();
                break;
            }
        }
        self.flusher.flush(context);
        Poll::Pending
    }
}

impl Streams {
    /// Goes on with every request that can go on; whether there was any.
    fn go_on(&mut self, context: &mut Context<'_>) -> bool {
        self.take();
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(context) {}
        self.begun.went_on.swap(false, Ordering::Relaxed)
    }

    fn take(&mut self) {
        let servings = &self.begun.servings;
        let mut servings = servings.lock().unwrap_or_else(PoisonError::into_inner);
        self.running.extend(servings.drain(..));
    }
}

impl Drop for Streams {
    /// Whoever has left may have asked for something that goes on.
    fn drop(&mut self) {
        self.take();
        let mut running = std::mem::take(&mut self.running);
        if running.is_empty() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { while running.next().await.is_some() {} });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;
    use std::pin::pin;

    use tokio::sync::oneshot;
    use tokio::sync::oneshot::error::TryRecvError;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn a_request_is_served_by_the_task_of_its_connection() {
        let begun = Begun::default();
        let (say, mut hear) = oneshot::channel();
        begun.execute(async move {
            yield_now().await;
            say.send(tokio::task::try_id()).unwrap();
        });

        let connection = pin!(poll_fn(|_| hear
            .try_recv()
            .map_or(Poll::Pending, Poll::Ready)));
        let served_by = Driver::new(connection, begun, Flusher::default())
            .run()
            .await;

        assert_eq!(served_by, tokio::task::try_id());
    }

    #[tokio::test]
    async fn a_request_goes_on_when_its_connection_is_gone() {
        let begun = Begun::default();
        let (go, gone) = oneshot::channel();
        let (say, heard) = oneshot::channel();
        begun.execute(async move {
            gone.await.unwrap();
            say.send(()).unwrap();
        });

        let connection = pin!(pending::<Infallible>());
        drop(Driver::new(connection, begun, Flusher::default()));
        go.send(()).unwrap();

        heard.await.unwrap();
    }

    #[tokio::test]
    async fn a_request_that_can_always_go_on_leaves_others_their_turn() {
        let begun = Begun::default();
        let (stop, mut stopped) = oneshot::channel::<()>();
        begun.execute(async move {
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                tokio::task::consume_budget().await;
            }
        });
        let (say, mut hear) = oneshot::channel();
        tokio::spawn(async move { say.send(()) });

        let connection = pin!(poll_fn(|_| hear
            .try_recv()
            .map_or(Poll::Pending, Poll::Ready)));
        let mut driver = Driver::new(connection, begun, Flusher::default());
        driver.run().await;

        drop(stop);
    }
}
