//! `boxyard config check`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

use anyhow::Context;
use boxyard_server::config::{Effect, Explanation, explain};

use crate::config::{self, ConfigFile};

pub(crate) const HELP: &str = "\
Every key of the file and every variable is listed with what becomes of it: it works, has no
effect, is refused, or is unknown. Then come the settings that are not the default, and all
problems with their lines. Nothing is opened but the files that the configuration names, and
secrets are never shown. In a pipe each line has its parts between tabs, and begins with what it
is: key, setting, note, warning or problem.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  boxyard config check /etc/distribution/config.yml
  boxyard config check config.yml | grep ^problem
  docker run --rm -v ./config.yml:/c.yml boxyard config check /c.yml";

/// The widest value in the table, in characters.
const WIDTH: usize = 48;

/// The configuration cannot be served by.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be served by: {}", counted(*.count))]
pub(crate) struct BadConfig {
    count: usize,
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    }
}

/// Says what each key does, and what is wrong.
pub(crate) fn run(file: ConfigFile<'_>) -> anyhow::Result<()> {
    let mut sources = config::sources(file);
    sources.serves = true;
    let explanation = explain(&sources)?;
    let mut out = io::stdout();
    let is_terminal = out.is_terminal();
    let text = if is_terminal {
        let colors = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        page(&explanation, colors)
    } else {
        records(&explanation)
    };
    let printed = out.write_all(text.as_bytes());
    if !is_terminal {
        printed.context("print what the configuration does")?;
    }
    match explanation.problems.len() {
        0 => Ok(()),
        count => Err(BadConfig { count }.into()),
    }
}

/// For a program: a line each, whose parts have tabs between them.
fn records(explanation: &Explanation) -> String {
    let mut text = String::new();
    for row in &explanation.rows {
        let effect = effect(row.effect);
        record(
            &mut text,
            &["key", &row.key, effect, &row.value, &row.origin],
        );
    }
    for setting in &explanation.settings {
        record(&mut text, &["setting", &setting.key, &setting.value]);
    }
    for note in &explanation.notes {
        record(&mut text, &["note", note]);
    }
    for warning in &explanation.warnings {
        record(&mut text, &["warning", warning]);
    }
    for problem in &explanation.problems {
        record(
            &mut text,
            &["problem", &problem.origin(), &problem.message()],
        );
    }
    text
}

fn record(text: &mut String, parts: &[&str]) {
    text.push_str(&parts.join("\t"));
    text.push('\n');
}

/// For a person: a table, and what there is to say about it.
fn page(explanation: &Explanation, colors: bool) -> String {
    let mut text = table(explanation, colors);
    let settings = explanation.settings.iter();
    let settings = settings.map(|one| format!("{}: {}\n      {}", one.key, one.value, one.about));
    list(&mut text, "Not the default:", settings);
    list(&mut text, "Without effect:", explanation.notes.iter());
    list(&mut text, "Warnings:", explanation.warnings.iter());
    list(&mut text, "Problems:", explanation.problems.iter());
    if explanation.is_good() {
        text.push_str("\nThe configuration can be served by.\n");
    }
    text
}

fn table(explanation: &Explanation, colors: bool) -> String {
    let head = ["KEY", "EFFECT", "VALUE", "FROM"].map(ToOwned::to_owned);
    let rows = explanation.rows.iter().map(|row| {
        let value = cut(&row.value);
        [
            row.key.clone(),
            effect(row.effect).to_owned(),
            value,
            row.origin.clone(),
        ]
    });
    let rows: Vec<_> = [head].into_iter().chain(rows).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let (first, second, third) = (width(0), width(1), width(2));
    let mut text = String::new();
    for (index, [key, effect, value, origin]) in rows.iter().enumerate() {
        let color = match index.checked_sub(1) {
            Some(index) if colors => color(explanation.rows[index].effect),
            _ => ("", ""),
        };
        let (begin, end) = color;
        let line = format!("{key:first$}  {begin}{effect:second$}{end}  {value:third$}  {origin}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

fn list(text: &mut String, title: &str, lines: impl Iterator<Item = impl std::fmt::Display>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    write!(text, "\n{title}\n").expect("a string takes every write");
    for line in lines {
        writeln!(text, "  {line}").expect("a string takes every write");
    }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Works => "works",
        Effect::Idle => "no effect",
        Effect::Refused => "refused",
        Effect::Unknown => "unknown",
    }
}

/// What switches a color on, and off again.
fn color(effect: Effect) -> (&'static str, &'static str) {
    let begin = match effect {
        Effect::Works => "\u{1b}[32m",
        Effect::Idle => "\u{1b}[2m",
        Effect::Refused => "\u{1b}[31m",
        Effect::Unknown => "\u{1b}[33m",
    };
    (begin, "\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use boxyard_server::config::{Row, Setting};

    use super::*;

    fn explanation() -> Explanation {
        let row = |key: &str, effect, value: &str, origin: &str| Row {
            key: key.to_owned(),
            effect,
            value: value.to_owned(),
            origin: origin.to_owned(),
        };
        Explanation {
            rows: vec![
                row("http.addr", Effect::Works, ":5000", "line 4"),
                row("redis.db", Effect::Idle, "1", "REGISTRY_REDIS_DB"),
            ],
            settings: vec![Setting {
                key: "http.addr".to_owned(),
                value: ":5000".to_owned(),
                about: "Where to listen.",
            }],
            notes: vec!["`redis` has no effect: the database needs no cache".to_owned()],
            warnings: Vec::new(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_person_reads_a_table_and_what_there_is_to_say() {
        let page = page(&explanation(), false);

        assert_eq!(
            page,
            "KEY        EFFECT     VALUE  FROM\n\
             http.addr  works      :5000  line 4\n\
             redis.db   no effect  1      REGISTRY_REDIS_DB\n\
             \nNot the default:\n  http.addr: :5000\n      Where to listen.\n\
             \nWithout effect:\n  `redis` has no effect: the database needs no cache\n\
             \nThe configuration can be served by.\n"
        );
    }

    #[test]
    fn a_program_reads_lines_with_tabs() {
        let records = records(&explanation());

        assert_eq!(
            records,
            "key\thttp.addr\tworks\t:5000\tline 4\n\
             key\tredis.db\tno effect\t1\tREGISTRY_REDIS_DB\n\
             setting\thttp.addr\t:5000\n\
             note\t`redis` has no effect: the database needs no cache\n"
        );
    }
}
