//! Tables for people; in a pipe their columns are separated by tabs.

use std::io::{self, IsTerminal};

use crate::output::say;

/// How many rows set the widths of the columns, before they are printed as they come.
const LOOKED_AT: usize = 200;

/// A table that is printed while it is made.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    /// None once the widths are known.
    waiting: Option<Vec<[String; N]>>,
    widths: [usize; N],
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(head: [&str; N]) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self {
            // Whoever reads a pipe wants rows and no head.
            waiting: is_terminal.then(|| vec![head.map(ToOwned::to_owned)]),
            widths: [0; N],
        }
    }

    pub(crate) fn row(&mut self, row: [String; N]) -> anyhow::Result<()> {
        match &mut self.waiting {
            Some(rows) if rows.len() < LOOKED_AT => {
                rows.push(row);
                Ok(())
            }
            Some(_) => {
                self.print_waiting()?;
                self.print(&row)
            }
            None => self.print(&row),
        }
    }

    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        self.print_waiting()
    }

    fn print_waiting(&mut self) -> anyhow::Result<()> {
        let rows = self.waiting.take().unwrap_or_default();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.len());
            }
        }
        rows.iter().try_for_each(|row| self.print(row))
    }

    fn print(&self, row: &[String; N]) -> anyhow::Result<()> {
        if self.widths.iter().all(|width| *width == 0) {
            return say(&row.join("\t"));
        }
        let cells = row.iter().zip(self.widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        say(line.join("  ").trim_end())
    }
}

/// Seconds since 1970 as a date and a time of UTC.
pub(crate) fn time(seconds: Option<u64>) -> String {
    let stamp = seconds.and_then(|seconds| i64::try_from(seconds).ok());
    let stamp = stamp.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| "-".to_owned(), |stamp| stamp.to_string())
}
