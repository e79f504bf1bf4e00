//! How often somebody is not believed.

use prometheus::IntCounter;

use super::Metrics;

/// What is counted of logins.
#[derive(Clone, Debug)]
pub(crate) struct FailedLogins {
    /// A user name or a password was wrong.
    pub(crate) password: IntCounter,
    /// There had been too many of those, and nothing was compared.
    pub(crate) throttled: IntCounter,
    /// A token was not believed.
    pub(crate) token: IntCounter,
}

impl FailedLogins {
    /// All of them, from zero.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let failed = metrics.counters(
            "boxyard_failed_logins_total",
            "Requests of whose sender something was not believed.",
            &["reason"],
        );
        let of = |reason| failed.with_label_values(&[reason]);
        Self {
            password: of("password"),
            throttled: of("throttled"),
            token: of("token"),
        }
    }
}
