//! `health`: what must be well for the registry to serve.

use crate::config::key::{Key, idle, part};

pub(in crate::config) const KEYS: &[Key] = &[
    idle(
        "health",
        "`/v2/` answers as soon as the registry serves; there are no further checks yet",
    ),
    part("health.storagedriver.enabled"),
    part("health.storagedriver.interval"),
    part("health.storagedriver.threshold"),
    part("health.file[].file"),
    part("health.file[].interval"),
    part("health.file[].threshold"),
    part("health.http[].uri"),
    part("health.http[].headers"),
    part("health.http[].statuscode"),
    part("health.http[].timeout"),
    part("health.http[].interval"),
    part("health.http[].threshold"),
    part("health.tcp[].addr"),
    part("health.tcp[].timeout"),
    part("health.tcp[].interval"),
    part("health.tcp[].threshold"),
];
