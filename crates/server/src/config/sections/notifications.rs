//! `notifications`: who is told what happened.

use crate::config::key::{Form, Key, has_active_items, idle, part, refused};

pub(in crate::config) const KEYS: &[Key] = &[
    idle("notifications.events", "no events are sent yet"),
    part("notifications.events.includereferences"),
    refused(
        "notifications.endpoints",
        "notifications are not there yet",
        has_active_items,
    ),
    part("notifications.endpoints[].name"),
    part("notifications.endpoints[].disabled"),
    part("notifications.endpoints[].url"),
    part("notifications.endpoints[].headers")
        .form(Form::Headers)
        .secret(),
    part("notifications.endpoints[].timeout"),
    part("notifications.endpoints[].threshold"),
    part("notifications.endpoints[].backoff"),
    part("notifications.endpoints[].ignoredmediatypes"),
    part("notifications.endpoints[].ignore.mediatypes"),
    part("notifications.endpoints[].ignore.actions"),
];
