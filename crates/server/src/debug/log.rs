//! The level of the log: `PUT /debug/log?level=debug&target=boxyard_registry&for=10m`.

use http::{Method, Request, StatusCode};
use serde_json::json;
use tracing::level_filters::LevelFilter;

use super::answer::{Answer, JSON, not_allowed, text, with};
use crate::config::duration;
use crate::log::level::{Change, LogLevel};

/// The longest name of a target.
const LONGEST: usize = 128;

pub(super) fn answer<B>(level: &LogLevel, request: &Request<B>) -> Answer {
    match *request.method() {
        Method::GET | Method::HEAD => {}
        Method::DELETE => level.reset(),
        Method::PUT | Method::POST => {
            let changed = parse(request.uri().query().unwrap_or_default());
            let changed =
                changed.and_then(|change| level.change(&change).map_err(|error| error.to_string()));
            if let Err(wrong) = changed {
                return text(StatusCode::BAD_REQUEST, format!("{wrong}\n"));
            }
        }
        _ => return not_allowed("GET, HEAD, PUT, POST, DELETE"),
    }
    with(
        StatusCode::OK,
        JSON,
        format!("{}\n", json!(level.describe())),
    )
}

fn parse(query: &str) -> Result<Change, String> {
    let (mut level, mut target, mut lasts) = (None, None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "level" => level = Some(parse_level(value)?),
            "target" if is_target(value) => target = Some(value.to_owned()),
            "target" => {
                return Err(format!(
                    "`{value}` is no part of the program: expected one like `boxyard_registry`"
                ));
            }
            "for" => {
                let parsed = duration::parse(value);
                lasts =
                    Some(parsed.ok_or_else(|| {
                        format!("`{value}` is no duration: expected one like `10m`")
                    })?);
            }
            _ => {
                return Err(format!(
                    "`{key}` is unknown: expected `level`, `target` or `for`"
                ));
            }
        }
    }
    let level = level.ok_or("`level` is missing: expected one like `?level=debug`")?;
    Ok(Change {
        level,
        target,
        lasts,
    })
}

fn parse_level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err(format!(
            "`{text}` is no level: expected `error`, `warn`, `info`, `debug` or `trace`"
        )),
    }
}

fn is_target(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_has_a_level_and_perhaps_a_target_and_an_end() {
        assert_eq!(
            parse("level=debug&target=boxyard_registry::pull&for=10m"),
            Ok(Change {
                level: LevelFilter::DEBUG,
                target: Some("boxyard_registry::pull".to_owned()),
                lasts: Some(Duration::from_mins(10)),
            })
        );
    }

    #[test]
    fn anything_else_is_refused_with_what_was_expected() {
        for query in [
            "",
            "level=loud",
            "level=debug&for=soon",
            "level=info&target=a%20b",
            "x=1",
        ] {
            assert!(parse(query).unwrap_err().contains("expected"), "{query}");
        }
    }
}
