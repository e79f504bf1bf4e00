//! What was measured already, in a file, so that a bench which takes an hour can be stopped and goes on later.
//!
//! A line of JSON is the figures of one contender at one work in one run.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bout::Turn;
use crate::contender::Contender;
use crate::measure::{Figure, Measured};

/// The file with what it had when it was opened, or nothing at all.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    file: Option<File>,
    known: HashMap<Turn, Measured>,
}

impl Kept {
    /// Reads what is there, and makes the file where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = || format!("keep figures in {}", path.display());
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(name)?,
        };
        // The last line may have been cut by whatever has ended the bench: its work is done again.
        let known = text.lines().filter_map(parse).collect();
        let mut options = OpenOptions::new();
        let mut file = options
            .append(true)
            .create(true)
            .open(path)
            .with_context(name)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").with_context(name)?;
        }
        Ok(Self {
            file: Some(file),
            known,
        })
    }

    pub(crate) fn find(&self, turn: &Turn) -> Option<Measured> {
        self.known.get(turn).cloned()
    }

    /// Keeps what was found, where a file was asked for.
    pub(crate) fn add(&mut self, turn: &Turn, measured: &Measured) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        writeln!(file, "{}", line(turn, measured)).context("keep a figure")
    }
}

fn line(turn: &Turn, measured: &Measured) -> Value {
    let figures: HashMap<&str, f64> = measured
        .all()
        .map(|(figure, value)| (figure.name(), value))
        .collect();
    json!({ "run": turn.run, "work": turn.work, "by": turn.by.name(), "figures": figures })
}

fn parse(line: &str) -> Option<(Turn, Measured)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let by = value.get("by")?.as_str()?;
    let turn = Turn {
        run: usize::try_from(value.get("run")?.as_u64()?).ok()?,
        work: value.get("work")?.as_str()?.to_owned(),
        by: Contender::ALL
            .into_iter()
            .find(|contender| contender.name() == by)?,
    };
    let figures = value.get("figures")?.as_object()?;
    let measured = Figure::ALL
        .into_iter()
        .filter_map(|figure| Some((figure, figures.get(figure.name())?.as_f64()?)))
        .fold(Measured::default(), |measured, (figure, value)| {
            measured.with(figure, value)
        });
    Some((turn, measured))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_when_the_bench_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures");
        let turn = |run| Turn {
            run,
            work: "mount of a blob".to_owned(),
            by: Contender::Boxyard,
        };
        let measured = Measured::default()
            .with(Figure::Rate, 12.5)
            .with(Figure::PacedP99, 0.25);

        let mut kept = Kept::open(&path).unwrap();
        kept.add(&turn(0), &measured).unwrap();
        // It was killed in the middle of a line.
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"run\":1").unwrap();
        let mut kept = Kept::open(&path).unwrap();
        kept.add(&turn(2), &measured).unwrap();

        let kept = Kept::open(&path).unwrap();
        let found = kept.find(&turn(0)).unwrap();
        assert_eq!(found.get(Figure::Rate), Some(12.5));
        assert_eq!(found.get(Figure::PacedP99), Some(0.25));
        assert_eq!(found.get(Figure::Cpu), None);
        assert!(kept.find(&turn(1)).is_none());
        assert!(kept.find(&turn(2)).is_some());
    }
}
