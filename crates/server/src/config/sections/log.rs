//! `log`: what is logged, and how.

use tracing::level_filters::LevelFilter;

use crate::config::key::{Form, Key, idle, part, works};
use crate::config::values::{Values, fields};
use crate::log::{Format, Settings};

const LEVELS: &[&str] = &["error", "warn", "info", "debug"];

pub(in crate::config) const KEYS: &[Key] = &[
    works("version", "required", "Always `0.1`; no variable overrides it.")
        .form(Form::Choice(&["0.1"])),
    works(
        "log.accesslog.disabled",
        "`false`",
        "Switches the access log off: it goes to standard output, in the Combined Log Format or as JSON.",
    )
    .form(Form::Boolean),
    works("log.level", "`info`", "What is worth a line.").form(Form::Choice(LEVELS)),
    works(
        "log.formatter",
        "`text`",
        "How a line looks; `text` is logfmt.",
    )
    .form(Form::Choice(&["text", "json", "logstash"])),
    works("log.fields", "", "Fields that every line has.")
        .form(Form::Fields)
        .example("{service: registry}"),
    idle(
        "log.hooks",
        "no mail is sent about log lines: let the service manager or the collector of the logs do that",
    ),
    part("log.hooks[].disabled").form(Form::Boolean),
    part("log.hooks[].type").form(Form::Text),
    part("log.hooks[].levels").form(Form::Texts),
    part("log.hooks[].options.smtp.addr").form(Form::Text),
    part("log.hooks[].options.smtp.username").form(Form::Text),
    part("log.hooks[].options.smtp.password")
        .form(Form::Text)
        .secret(),
    part("log.hooks[].options.smtp.insecure").form(Form::Boolean),
    part("log.hooks[].options.from").form(Form::Text),
    part("log.hooks[].options.to").form(Form::Texts),
    idle("log.reportcaller", "every message says what was being done").form(Form::Boolean),
    works(
        "loglevel",
        "",
        "The older name of `log.level`, which counts more.",
    )
    .form(Form::Choice(LEVELS)),
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
