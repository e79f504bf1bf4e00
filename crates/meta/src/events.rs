//! The outbox: what happened and was not told yet to those outside who want to know.
//!
//! An event of a change is a row of the same transaction, so there is neither one without the
//! other. What it says was rendered by whoever knows what its receiver reads; here it is bytes.
//! What waits for a receiver is bounded: the oldest events go first, and are counted.

use bytes::Bytes;
use rusqlite::Connection;

use crate::{Meta, MetaError, column, statements::Statements, writer::Write};

/// How many bytes one page of events carries, beyond its first.
const PAGE: u64 = 1 << 20;

/// What one receiver will be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The receiver's name; an event for one that is not kept is not recorded.
    pub receiver: String,
    /// What is sent.
    pub payload: Bytes,
}

/// Somebody who is told what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The name by which events find it.
    pub name: String,
    /// How many events may wait.
    pub most_events: u64,
    /// How many bytes these may have together.
    pub most_bytes: u64,
}

/// An event that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEvent {
    /// Its place in the order in which things happened.
    pub sequence: i64,
    /// What is sent.
    pub payload: Bytes,
}

/// How much waits for a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Events.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Meta {
    /// From now on events are kept for `receivers`, and for nobody else.
    ///
    /// Answers who is no receiver any more, and how many events went with it.
    pub async fn keep_receivers(
        &self,
        receivers: Vec<Receiver>,
    ) -> Result<Vec<(String, u64)>, MetaError> {
        self.write(move |tx| {
            let gone = forget_others(tx, &receivers)?;
            for receiver in &receivers {
                keep(tx, receiver)?;
            }
            Ok(gone)
        })
        .await
    }

    /// Records events that belong to no change, such as those of pulls.
    pub async fn record_events(&self, events: Vec<Event>) -> Result<(), MetaError> {
        self.write(move |tx| record(tx, &events)).await
    }

    /// The oldest events that wait for `receiver`; fewer than `limit` come when they are long.
    pub async fn pending_events(
        &self,
        receiver: &str,
        limit: usize,
    ) -> Result<Vec<PendingEvent>, MetaError> {
        let receiver = receiver.to_owned();
        self.read(move |db| pending(db, &receiver, limit)).await
    }

    /// Takes events from the outbox that `receiver` has been told.
    pub async fn end_events(&self, receiver: &str, sequences: &[i64]) -> Result<(), MetaError> {
        let (receiver, sequences) = (receiver.to_owned(), sequences.to_vec());
        self.write(move |tx| {
            let Some(mut row) = Row::find(tx, &receiver)? else {
                return Ok(());
            };
            for sequence in &sequences {
                row.remove(tx, *sequence)?;
            }
            row.write(tx)
        })
        .await
    }

    /// How much waits for `receiver`.
    pub async fn backlog(&self, receiver: &str) -> Result<Backlog, MetaError> {
        let receiver = receiver.to_owned();
        self.read(move |db| {
            let row = Row::find(db, &receiver)?;
            Ok(row.map(|row| row.backlog).unwrap_or_default())
        })
        .await
    }

    /// How many events of `receiver` went unsent since this was last asked.
    pub async fn take_dropped(&self, receiver: &str) -> Result<u64, MetaError> {
        let name = receiver.to_owned();
        let row = self.read(move |db| Row::find(db, &name)).await?;
        if row.is_none_or(|row| row.dropped == 0) {
            return Ok(0);
        }
        let receiver = receiver.to_owned();
        self.write(move |tx| {
            let Some(mut row) = Row::find(tx, &receiver)? else {
                return Ok(0);
            };
            let dropped = std::mem::take(&mut row.dropped);
            row.write(tx)?;
            Ok(dropped)
        })
        .await
    }
}

/// Records `events` as part of the change that they tell.
pub(crate) fn record(tx: &Write<'_>, events: &[Event]) -> rusqlite::Result<()> {
    for event in events {
        let Some(mut row) = Row::find(tx, &event.receiver)? else {
            continue;
        };
        let sql = "INSERT INTO events (sequence, receiver, payload) VALUES ($1, $2, $3)";
        let params = (tx.next_sequence(), &event.receiver, &event.payload[..]);
        tx.change(sql, params)?;
        row.backlog.events += 1;
        row.backlog.bytes += event.payload.len() as u64;
        row.shrink(tx)?;
        row.write(tx)?;
    }
    Ok(())
}

/// The row of a receiver.
struct Row {
    receiver: Receiver,
    backlog: Backlog,
    dropped: u64,
}

impl Row {
    fn find(db: &Connection, name: &str) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT most_events, most_bytes, events, bytes, dropped
                   FROM event_receivers WHERE name = $1";
        db.one(sql, [name], |row| {
            Ok(Self {
                receiver: Receiver {
                    name: name.to_owned(),
                    most_events: column::size(row, 0)?,
                    most_bytes: column::size(row, 1)?,
                },
                backlog: Backlog {
                    events: column::size(row, 2)?,
                    bytes: column::size(row, 3)?,
                },
                dropped: column::size(row, 4)?,
            })
        })
    }

    /// Drops the oldest events until what waits is within its bounds.
    fn shrink(&mut self, tx: &Write<'_>) -> rusqlite::Result<()> {
        let sql = "SELECT sequence FROM events WHERE receiver = $1 ORDER BY sequence LIMIT 1";
        while self.backlog.events > self.receiver.most_events
            || self.backlog.bytes > self.receiver.most_bytes
        {
            let Some(oldest) = tx.one(sql, [&self.receiver.name], |row| row.get(0))? else {
                break;
            };
            self.remove(tx, oldest)?;
            self.dropped += 1;
        }
        Ok(())
    }

    fn remove(&mut self, tx: &Write<'_>, sequence: i64) -> rusqlite::Result<()> {
        let length = "SELECT LENGTH(payload) FROM events WHERE sequence = $1 AND receiver = $2";
        let params = (sequence, &self.receiver.name);
        let Some(length) = tx.one(length, params, |row| column::size(row, 0))? else {
            return Ok(());
        };
        tx.change("DELETE FROM events WHERE sequence = $1", [sequence])?;
        self.backlog.events = self.backlog.events.saturating_sub(1);
        self.backlog.bytes = self.backlog.bytes.saturating_sub(length);
        Ok(())
    }

    fn write(&self, tx: &Write<'_>) -> rusqlite::Result<()> {
        let sql = "UPDATE event_receivers SET events = $1, bytes = $2, dropped = $3
                   WHERE name = $4";
        let params = (
            column::integer(self.backlog.events),
            column::integer(self.backlog.bytes),
            column::integer(self.dropped),
            &self.receiver.name,
        );
        tx.change(sql, params).map(drop)
    }
}

/// Removes every receiver that is not among `receivers`, with what waits for it.
fn forget_others(tx: &Write<'_>, receivers: &[Receiver]) -> rusqlite::Result<Vec<(String, u64)>> {
    let known = "SELECT name, events FROM event_receivers ORDER BY name";
    let known = tx.all(known, [], |row| Ok((row.get(0)?, column::size(row, 1)?)))?;
    let is_gone = |(name, _): &(String, u64)| receivers.iter().all(|kept| kept.name != *name);
    let gone: Vec<_> = known.into_iter().filter(is_gone).collect();
    for (name, _) in &gone {
        tx.change("DELETE FROM events WHERE receiver = $1", [name])?;
        tx.change("DELETE FROM event_receivers WHERE name = $1", [name])?;
    }
    Ok(gone)
}

/// Makes a row for `receiver`, or gives the one that it has the bounds of today.
fn keep(tx: &Write<'_>, receiver: &Receiver) -> rusqlite::Result<()> {
    let sql = "INSERT INTO event_receivers (name, most_events, most_bytes, events, bytes, dropped)
               VALUES ($1, $2, $3, 0, 0, 0)
               ON CONFLICT (name) DO UPDATE
               SET most_events = excluded.most_events, most_bytes = excluded.most_bytes";
    let params = (
        &receiver.name,
        column::integer(receiver.most_events),
        column::integer(receiver.most_bytes),
    );
    tx.change(sql, params)?;
    if let Some(mut row) = Row::find(tx, &receiver.name)? {
        row.shrink(tx)?;
        row.write(tx)?;
    }
    Ok(())
}

fn pending(db: &Connection, receiver: &str, limit: usize) -> rusqlite::Result<Vec<PendingEvent>> {
    let sql = "SELECT sequence FROM events WHERE receiver = $1 ORDER BY sequence LIMIT $2";
    let sequences = db.all(sql, (receiver, column::limit(limit)), |row| row.get(0))?;
    let mut pending = Vec::new();
    let mut bytes = 0;
    for sequence in sequences {
        let sql = "SELECT payload FROM events WHERE sequence = $1";
        let Some(payload) = db.one(sql, [sequence], |row| column::bytes(row, 0))? else {
            continue;
        };
        bytes += payload.len() as u64;
        pending.push(PendingEvent { sequence, payload });
        if bytes > PAGE {
            break;
        }
    }
    Ok(pending)
}

#[cfg(test)]
mod tests;
