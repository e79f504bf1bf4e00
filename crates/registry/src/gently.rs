//! Work for which clients never wait.

use std::panic::resume_unwind;
use std::thread;

use crate::error::blocking;

/// How much lower the priority is: whoever serves a client gets the processor at once.
const NICE: i32 = 10;

/// The same as [`blocking`], with a lower priority than everything else here.
///
/// Removing a file costs the system as much as a small push costs us, and there are thousands to remove.
/// A priority cannot be raised again without privileges, so the thread ends with the work.
pub(crate) async fn gently<T, F>(work: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    blocking(move || {
        let thread = thread::spawn(move || {
            // Where it is refused, work goes on as before.
            let _ = rustix::process::setpriority_process(None, NICE);
            work()
        });
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }

    #[tokio::test]
    async fn only_the_work_itself_has_a_lower_priority() {
        let before = priority();

        let meanwhile = gently(priority).await;

        assert_eq!(meanwhile, (before + NICE).min(19));
        assert_eq!(priority(), before);
        assert_eq!(blocking(priority).await, before);
    }
}
