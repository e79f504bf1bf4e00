//! `boxyard.collect`: when what nothing uses any more goes.

use boxyard_registry::Collecting;

use crate::config::key::{Form, Key, works};
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "boxyard.collect.enabled",
        "`true`",
        "Whether the server removes by itself what nothing uses any more; `boxyard garbage-collect` does so at once.",
    )
    .form(Form::Boolean),
    works(
        "boxyard.collect.grace",
        "`24h`",
        "How long a blob stays that no manifest of its repository names.",
    )
    .form(Form::Duration),
    works(
        "boxyard.collect.untagged",
        "they stay",
        "How long a manifest stays that no tag names, and that no index lists and no subject keeps.",
    )
    .form(Form::Duration)
    .example("720h"),
    works(
        "boxyard.collect.window",
        "`1h`",
        "For how long a client may rely on being told that a blob or a manifest is there; nothing is collected sooner, whatever the other keys and commands say.",
    )
    .form(Form::Duration),
    works(
        "boxyard.collect.rate",
        "`100`",
        "How many manifests and blobs the server removes a second.",
    )
    .form(Form::Number),
];

pub(in crate::config) fn read(values: &mut Values<'_>) -> Collecting {
    let usual = Collecting::default();
    let rate = values.number("boxyard.collect.rate");
    Collecting {
        enabled: values
            .boolean("boxyard.collect.enabled")
            .unwrap_or(usual.enabled),
        grace: values
            .duration("boxyard.collect.grace")
            .unwrap_or(usual.grace),
        untagged: values.duration("boxyard.collect.untagged"),
        window: values
            .duration("boxyard.collect.window")
            .unwrap_or(usual.window),
        per_second: rate.map_or(usual.per_second, |rate| {
            u32::try_from(rate).unwrap_or(u32::MAX)
        }),
    }
}
