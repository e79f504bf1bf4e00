//! Looks at the folder that need no more than a name and the size behind it.

use std::io;
use std::sync::Arc;

use boxyard_meta::Pace;

use crate::error::on_disk;

/// So many names are looked up in less time than a trip to another thread and back takes.
const FEW: usize = 16;

/// Runs looks where they are asked for while the kernel finds in memory what they need, and off the async threads else.
///
/// A push, a mount and a question whether a blob is there each look at a file, whose name and size are mostly in memory; there that costs a tenth of the trip.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks {
    pace: Arc<Pace>,
}

impl Looks {
    /// Runs `look`, which looks at `names` of the folder.
    pub(crate) async fn look<T, F>(&self, names: usize, look: F) -> io::Result<T>
    where
        F: FnOnce() -> io::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        if names <= FEW && !self.pace.is_slow() {
            return self.pace.timed(look);
        }
        let pace = Arc::clone(&self.pace);
        on_disk(move || pace.timed(look)).await
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    async fn thread_of(looks: &Looks, names: usize) -> thread::ThreadId {
        let look = looks.look(names, || Ok(thread::current().id()));
        look.await.unwrap()
    }

    #[tokio::test]
    async fn a_look_runs_where_it_is_asked_for_until_one_has_waited() {
        let looks = Looks::default();
        let here = thread::current().id();
        assert_eq!(thread_of(&looks, 1).await, here);

        let slow = looks.look(1, || {
            thread::park_timeout(Duration::from_millis(5));
            Ok(())
        });
        slow.await.unwrap();

        assert_ne!(thread_of(&looks, 1).await, here);
    }

    #[tokio::test]
    async fn many_names_are_looked_up_elsewhere() {
        let looks = Looks::default();

        assert_ne!(thread_of(&looks, FEW + 1).await, thread::current().id());
    }
}
