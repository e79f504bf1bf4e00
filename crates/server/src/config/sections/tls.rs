//! `http.tls`: certificates, and what is asked of connections.

use crate::config::key::{Form, Key, Known, part, refused, said};

pub(in crate::config) const KEYS: &[Key] = &[
    refused("http.tls", "TLS is not there yet", said),
    part("http.tls.certificate").form(Form::File),
    part("http.tls.key").form(Form::File),
    part("http.tls.clientcas").form(Form::Texts),
    part("http.tls.clientauth").form(Form::Text),
    part("http.tls.minimumtls").form(Form::Text),
    part("http.tls.ciphersuites").form(Form::Texts),
    part("http.tls.letsencrypt.cachefile").form(Form::Text),
    part("http.tls.letsencrypt.email").form(Form::Text),
    part("http.tls.letsencrypt.hosts").form(Form::Texts),
    part("http.tls.letsencrypt.directoryurl")
        .form(Form::Text)
        .known(Known::Three),
];
