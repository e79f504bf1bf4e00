//! `notifications`: who is told what happened.

use crate::config::key::{Key, has_active_items, idle, refused};

pub(in crate::config) const KEYS: &[Key] = &[
    idle("notifications.events", "no events are sent yet"),
    refused(
        "notifications.endpoints",
        "notifications are not there yet",
        has_active_items,
    ),
];
