//! Object stores, which are not there yet: their keys are known, so that a configuration is told all that is to change.

use crate::config::key::{Form, Key, Known, always, part, refused};

const WHY: &str = "object stores are not there yet: `filesystem` and `inmemory` are";

/// The keys of Amazon's store under one of its names.
macro_rules! amazon {
    ($name:literal) => {
        &[
            refused($name, WHY, always),
            part(concat!($name, ".accesskey")).form(Form::Text).secret(),
            part(concat!($name, ".secretkey")).form(Form::Text).secret(),
            part(concat!($name, ".region")).form(Form::Text),
            part(concat!($name, ".regionendpoint")).form(Form::Text),
            part(concat!($name, ".forcepathstyle"))
                .form(Form::Boolean)
                .known(Known::Three),
            part(concat!($name, ".bucket")).form(Form::Text),
            part(concat!($name, ".encrypt")).form(Form::Boolean),
            part(concat!($name, ".keyid")).form(Form::Text),
            part(concat!($name, ".secure")).form(Form::Boolean),
            part(concat!($name, ".skipverify")).form(Form::Boolean),
            part(concat!($name, ".v4auth")).form(Form::Boolean),
            part(concat!($name, ".chunksize")).form(Form::Number),
            part(concat!($name, ".multipartcopychunksize")).form(Form::Number),
            part(concat!($name, ".multipartcopymaxconcurrency")).form(Form::Number),
            part(concat!($name, ".multipartcopythresholdsize")).form(Form::Number),
            part(concat!($name, ".rootdirectory")).form(Form::Text),
            part(concat!($name, ".storageclass")).form(Form::Text),
            part(concat!($name, ".useragent")).form(Form::Text),
            part(concat!($name, ".objectacl")).form(Form::Text),
            part(concat!($name, ".usedualstack"))
                .form(Form::Boolean)
                .known(Known::Three),
            part(concat!($name, ".accelerate"))
                .form(Form::Boolean)
                .known(Known::Three),
            part(concat!($name, ".usefipsendpoint"))
                .form(Form::Boolean)
                .known(Known::Three),
            part(concat!($name, ".loglevel"))
                .form(Form::Text)
                .known(Known::Three),
        ]
    };
}

pub(in crate::config) const S3: &[Key] = amazon!("storage.s3");
/// The same by its older name.
pub(in crate::config) const S3AWS: &[Key] = amazon!("storage.s3aws");

pub(in crate::config) const OTHERS: &[Key] = &[
    refused("storage.azure", WHY, always),
    part("storage.azure.accountname").form(Form::Text),
    part("storage.azure.accountkey").form(Form::Text).secret(),
    part("storage.azure.container").form(Form::Text),
    part("storage.azure.realm").form(Form::Text),
    part("storage.azure.connectionstring")
        .form(Form::Text)
        .secret()
        .known(Known::Three),
    part("storage.azure.serviceurl")
        .form(Form::Text)
        .known(Known::Three),
    part("storage.azure.rootdirectory")
        .form(Form::Text)
        .known(Known::Three),
    part("storage.azure.credentials.type")
        .form(Form::Text)
        .known(Known::Three),
    part("storage.azure.credentials.clientid")
        .form(Form::Text)
        .known(Known::Three),
    part("storage.azure.credentials.tenantid")
        .form(Form::Text)
        .known(Known::Three),
    part("storage.azure.credentials.secret")
        .form(Form::Text)
        .secret()
        .known(Known::Three),
    part("storage.azure.max_retries")
        .form(Form::Number)
        .known(Known::Three),
    part("storage.azure.retry_delay")
        .form(Form::Duration)
        .known(Known::Three),
    part("storage.azure.skipverify")
        .form(Form::Boolean)
        .known(Known::Three),
    refused("storage.gcs", WHY, always),
    part("storage.gcs.bucket").form(Form::Text),
    part("storage.gcs.keyfile").form(Form::Text),
    // What Google's own file of keys has.
    part("storage.gcs.credentials").form(Form::Fields).secret(),
    part("storage.gcs.rootdirectory").form(Form::Text),
    part("storage.gcs.chunksize").form(Form::Number),
    part("storage.gcs.maxconcurrency").form(Form::Number),
    part("storage.gcs.useragent")
        .form(Form::Text)
        .known(Known::Three),
    refused("storage.swift", WHY, always).known(Known::Two),
    of_two("storage.swift.authurl"),
    of_two("storage.swift.username"),
    of_two("storage.swift.password").secret(),
    of_two("storage.swift.region"),
    of_two("storage.swift.container"),
    of_two("storage.swift.tenant"),
    of_two("storage.swift.tenantid"),
    of_two("storage.swift.tenantdomain"),
    of_two("storage.swift.tenantdomainid"),
    of_two("storage.swift.domain"),
    of_two("storage.swift.domainid"),
    of_two("storage.swift.trustid"),
    of_two("storage.swift.insecureskipverify").form(Form::Boolean),
    of_two("storage.swift.chunksize").form(Form::Number),
    of_two("storage.swift.prefix"),
    of_two("storage.swift.accesskey").secret(),
    of_two("storage.swift.secretkey").secret(),
    of_two("storage.swift.authversion").form(Form::Number),
    of_two("storage.swift.endpointtype"),
    of_two("storage.swift.tempurlcontainerkey").form(Form::Boolean),
    of_two("storage.swift.tempurlmethods").form(Form::Texts),
    refused("storage.oss", WHY, always).known(Known::Two),
    of_two("storage.oss.accesskeyid").secret(),
    of_two("storage.oss.accesskeysecret").secret(),
    of_two("storage.oss.region"),
    of_two("storage.oss.endpoint"),
    of_two("storage.oss.internal").form(Form::Boolean),
    of_two("storage.oss.bucket"),
    of_two("storage.oss.encrypt").form(Form::Boolean),
    of_two("storage.oss.secure").form(Form::Boolean),
    of_two("storage.oss.chunksize").form(Form::Number),
    of_two("storage.oss.rootdirectory"),
    refused("storage.rados", WHY, always).known(Known::Two),
    of_two("storage.rados.poolname"),
    of_two("storage.rados.username"),
    of_two("storage.rados.chunksize").form(Form::Number),
];

/// A text that only distribution 2 knows.
const fn of_two(path: &'static str) -> Key {
    part(path).form(Form::Text).known(Known::Two)
}
