//! Doing the same with many things at once, because a filesystem commits together what is synced together.

use std::io;
use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::thread::available_parallelism;

/// Fewer are done one after the other.
const FEW: usize = 8;

/// Bounds the threads of one call.
const MOST_THREADS: usize = 32;

/// Fewer are no share of their own.
const LEAST_SHARE: usize = 128;

/// Bounds the shares: from there on, those who make files wait for each other in the filesystem.
const MOST_WORKERS: usize = 4;

/// Does `act` with each of the items, in no particular order; after an error some are left out.
pub(crate) fn each<T: Sync>(
    items: &[T],
    act: impl Fn(&T) -> io::Result<()> + Sync,
) -> io::Result<()> {
    if items.len() < FEW {
        return items.iter().try_for_each(act);
    }
    let share = items.len().div_ceil(MOST_THREADS);
    let act = &act;
    std::thread::scope(|scope| {
        let shares = items.chunks(share);
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || share.iter().try_for_each(act)))
            .collect();
        // All of them are waited for, whatever the first one says.
        let ended = threads.into_iter().map(|thread| {
            let done = thread.join();
            done.unwrap_or_else(|_| Err(io::Error::other("a thread of the batch has panicked")))
        });
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Does `act` with shares of the items, one for each processor, and answers what came of each.
///
/// For work that the system does on our thread, such as making files: more threads than processors would only get into each other's way.
pub(crate) fn shares<T: Sync, R: Send>(items: &[T], act: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let threads = items.len().div_ceil(LEAST_SHARE).clamp(1, workers());
    if threads == 1 {
        return vec![act(items)];
    }
    let mut shares = items.chunks(items.len().div_ceil(threads));
    // The thread that waits for the others does a share itself.
    let own = shares.next().unwrap_or_default();
    let act = &act;
    std::thread::scope(|scope| {
        let others: Vec<_> = shares
            .map(|share| scope.spawn(move || act(share)))
            .collect();
        let mut ended = vec![act(own)];
        for thread in others {
            ended.push(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        ended
    })
}

fn workers() -> usize {
    static WORKERS: LazyLock<usize> =
        LazyLock::new(|| available_parallelism().map_or(1, |all| all.get().min(MOST_WORKERS)));
    *WORKERS
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_item_is_done_once() {
        for count in [0, 1, 7, 8, 31, 32, 33, 1000] {
            let items: Vec<usize> = (1..=count).collect();
            let sum = AtomicUsize::new(0);

            let done = each(&items, |item| {
                sum.fetch_add(*item, Ordering::SeqCst);
                Ok(())
            });

            assert!(done.is_ok());
            assert_eq!(sum.into_inner(), count * (count + 1) / 2);
        }
    }

    #[test]
    fn shares_are_all_items_in_their_order() {
        for count in [0, 1, LEAST_SHARE, LEAST_SHARE + 1, 10 * LEAST_SHARE + 7] {
            let items: Vec<usize> = (0..count).collect();

            let ended = shares(&items, <[usize]>::to_vec);

            assert_eq!(ended.concat(), items);
        }
    }

    #[test]
    fn any_error_is_the_error_of_all() {
        for bad in [0, 50, 99] {
            let items: Vec<usize> = (0..100).collect();

            let done = each(&items, |item| match *item {
                item if item == bad => Err(io::ErrorKind::StorageFull.into()),
                _ => Ok(()),
            });

            assert_eq!(done.unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
    }
}
