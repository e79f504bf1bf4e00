//! What clients relied on when a run ended in order, so that the next one keeps to it.

use std::time::Duration;

use crate::{Meta, MetaError, column, statements::Statements};

impl Meta {
    /// Keeps promises over a stop, each with how long it still holds.
    pub async fn keep_promises(&self, promises: Vec<(i64, Duration)>) -> Result<(), MetaError> {
        self.write(move |tx| {
            promises.iter().try_for_each(|(key, left)| {
                let sql = "INSERT INTO promises (key, left_for) VALUES ($1, $2)
                           ON CONFLICT (key) DO UPDATE SET left_for = excluded.left_for";
                let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                tx.change(sql, (key, column::integer(left))).map(drop)
            })
        })
        .await
    }

    /// Takes what the last run has kept.
    pub async fn take_promises(&self) -> Result<Vec<(i64, Duration)>, MetaError> {
        self.write(|tx| {
            let kept = tx.all("SELECT key, left_for FROM promises", [], |row| {
                Ok((row.get(0)?, Duration::from_millis(column::size(row, 1)?)))
            })?;
            tx.change("DELETE FROM promises", [])?;
            Ok(kept)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Database;

    #[tokio::test]
    async fn promises_are_kept_over_a_stop_and_taken_once() {
        let db = Database::new();
        let kept = vec![(-7, Duration::from_millis(1500)), (9, Duration::ZERO)];

        db.meta.keep_promises(kept.clone()).await.unwrap();
        let db = db.reopen();

        assert_eq!(db.meta.take_promises().await.unwrap(), kept);
        assert!(db.meta.take_promises().await.unwrap().is_empty());
    }
}
