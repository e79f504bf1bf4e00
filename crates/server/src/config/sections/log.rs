//! `log`: what is logged, and how.

use tracing::level_filters::LevelFilter;

use crate::config::key::{Key, idle, works};
use crate::config::values::{Values, fields};
use crate::log::{Format, Settings};

pub(in crate::config) const KEYS: &[Key] = &[
    works("version", "required", "`0.1`."),
    works(
        "log.accesslog.disabled",
        "`false`",
        "Switches the access log off: it goes to standard output, in the Combined Log Format or as JSON.",
    ),
    works(
        "log.level",
        "`info`",
        "`error`, `warn`, `info` or `debug`; the older `loglevel` works too.",
    ),
    works(
        "log.formatter",
        "`text`",
        "`text` (logfmt), `json` or `logstash`.",
    ),
    works("log.fields", "", "Fields that every line has."),
    idle("log.hooks", "no mail is sent about log lines"),
    idle("log.reportcaller", "every message says what was being done"),
    works("loglevel", "", "The older name of `log.level`."),
];

pub(in crate::config) fn read(values: &mut Values<'_>) -> Settings {
    const LEVELS: [(&str, LevelFilter); 4] = [
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
    ];
    const FORMATS: [(&str, Format); 3] = [
        ("text", Format::Text),
        ("json", Format::Json),
        ("logstash", Format::Logstash),
    ];
    let old = values.choice("loglevel", &LEVELS);
    let level = values.choice("log.level", &LEVELS).or(old);
    Settings {
        level: level.unwrap_or(LevelFilter::INFO),
        format: values.choice("log.formatter", &FORMATS).unwrap_or_default(),
        fields: values.node("log.fields").map(fields).unwrap_or_default(),
        access: !values.boolean("log.accesslog.disabled").unwrap_or(false),
    }
}
