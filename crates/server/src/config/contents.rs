//! What is in the files that a configuration names, because a server that is without them does not start.

use jiff::Timestamp;

use super::Config;
use super::sections::tls::{Source, Tls};
use super::values::Values;
use crate::access::{logins, tokens};
use crate::{acme, tls};

/// Looks into all of them, and changes none.
pub(super) fn check(config: &Config, values: &mut Values<'_>) {
    if let Some(settings) = &config.tls {
        check_tls(settings, values);
    }
    if let Some(file) = &config.auth.passwords {
        const PATH: &str = "auth.htpasswd.path";
        match logins::inspect(file) {
            Ok(told) => told.iter().for_each(|said| values.doubt(PATH, said)),
            Err(error) => values.wrong(PATH, &error),
        }
    }
    let tokens = config.auth.tokens.as_ref();
    // That no file is named has been said.
    let tokens = tokens.filter(|tokens| !tokens.files.is_none());
    for (key, error) in tokens.map(tokens::problems).unwrap_or_default() {
        values.wrong(key, &error);
    }
}

fn check_tls(settings: &Tls, values: &mut Values<'_>) {
    for (key, error) in tls::problems(settings) {
        values.wrong(key, &error);
    }
    if let Some(why) = tls::doubt(settings, Timestamp::now()) {
        values.doubt("http.tls.certificate", &why);
    }
    if let Source::Acme(settings) = &settings.source {
        for (key, error) in acme::problems(settings) {
            values.wrong(key, &error);
        }
    }
}
