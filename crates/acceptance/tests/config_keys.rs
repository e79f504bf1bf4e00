//! Every key of distribution's configuration, by the file and by its variable.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use boxyard_testkit::binary;
use tempfile::TempDir;

/// What works, or has no effect and does no harm, in version 2 or 3; each value is one of its own kind.
const SERVED: &str = "
version: 0.1
log:
  accesslog: {disabled: true}
  level: warn
  formatter: logstash
  fields: {service: registry}
  hooks:
  - disabled: true
    type: mail
    levels: [panic]
    options: {smtp: {addr: a, username: b, password: c, insecure: true}, from: d, to: [e]}
  reportcaller: true
loglevel: debug
storage:
  filesystem: {rootdirectory: /tmp/r, maxthreads: 50}
  delete: {enabled: true}
  redirect: {disable: true}
  cache: {blobdescriptor: redis, blobdescriptorsize: 5, layerinfo: redis}
  maintenance:
    uploadpurging: {enabled: true, age: 168h, interval: 24h, dryrun: true}
    readonly: {enabled: false}
  tag: {concurrencylimit: 5}
auth:
  htpasswd: {realm: r, path: /tmp/boxyard-no-passwords}
  none: {}
http:
  addr: localhost:5003
  net: tcp
  prefix: /my/nested/registry/
  host: https://registry.example.com:5000
  secret: asecret
  relativeurls: true
  draintimeout: 60s
  tls:
    certificate: ''
    key: ''
    clientcas: []
    clientauth: ''
    minimumtls: ''
    ciphersuites: []
    letsencrypt: {cachefile: '', email: '', hosts: [], directoryurl: ''}
  headers: {X-Content-Type-Options: [nosniff]}
  debug: {addr: 'localhost:5001', prometheus: {enabled: true, path: /metrics}}
  http2: {disabled: false}
  h2c: {enabled: true}
notifications:
  events: {includereferences: true}
  endpoints:
  - name: alistener
    disabled: false
    url: https://my.listener.example/event
    headers: {Authorization: [x]}
    timeout: 1s
    threshold: 10
    backoff: 1s
    ignoredmediatypes: [application/octet-stream]
    ignore: {mediatypes: [application/octet-stream], actions: [pull]}
redis:
  addrs: ['localhost:6379']
  clientname: a
  db: 0
  protocol: 3
  username: a
  password: b
  sentinelusername: c
  sentinelpassword: d
  maxretries: 1
  minretrybackoff: 1ms
  maxretrybackoff: 1s
  dialtimeout: 10ms
  readtimeout: 10ms
  writetimeout: 10ms
  contexttimeoutenabled: true
  poolfifo: true
  poolsize: 1
  pooltimeout: 1s
  minidleconns: 1
  maxidleconns: 1
  maxactiveconns: 1
  connmaxidletime: 1s
  connmaxlifetime: 1s
  maxredirects: 1
  readonly: true
  routebylatency: true
  routerandomly: true
  mastername: m
  disableidentity: true
  identitysuffix: s
  unstableresp3: true
  tls: {certificate: /c, key: /k, rootcas: [/r]}
  addr: localhost:6379
  pool: {maxidle: 16, maxactive: 64, idletimeout: 300s}
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
  file: [{file: /tmp/down, interval: 10s, threshold: 1}]
  http: [{uri: 'http://h/', headers: {X: [y]}, statuscode: 200, timeout: 3s, interval: 10s, threshold: 3}]
  tcp: [{addr: 'r:6379', timeout: 3s, interval: 10s, threshold: 3}]
catalog: {maxentries: 1000}
tags: {maxtags: 1000}
proxy: {remoteurl: ''}
validation:
  enabled: true
  disabled: false
  manifests:
    urls: {allow: ['^https?://([^/]+\\.)*example\\.com/'], deny: ['^https?://www\\.example\\.com/']}
    indexes: {platforms: list, platformlist: [{architecture: amd64, os: linux}]}
policy: {repository: {classes: [image]}}
compatibility: {schema1: {signingkeyfile: /k, enabled: true}}
reporting:
  bugsnag: {apikey: a, releasestage: b, endpoint: c}
  newrelic: {licensekey: a, name: b, verbose: true}
middleware: {}
";

/// What is not there yet.
const REFUSED: &str = "
version: 0.1
storage:
  filesystem: {}
  s3: &s3
    accesskey: a
    secretkey: b
    region: us-west-1
    regionendpoint: 'http://e'
    forcepathstyle: true
    bucket: b
    encrypt: true
    keyid: k
    secure: true
    skipverify: false
    v4auth: true
    chunksize: 5242880
    multipartcopychunksize: 33554432
    multipartcopymaxconcurrency: 100
    multipartcopythresholdsize: 33554432
    rootdirectory: /r
    storageclass: STANDARD
    useragent: u
    usedualstack: false
    accelerate: false
    usefipsendpoint: false
    objectacl: private
    loglevel: debug
  s3aws: *s3
  azure:
    accountname: a
    accountkey: b
    container: c
    credentials: {type: client_secret, clientid: a, tenantid: b, secret: c}
    connectionstring: c
    serviceurl: s
    realm: core.windows.net
    rootdirectory: /r
    max_retries: 5
    retry_delay: 100ms
    skipverify: false
  gcs:
    bucket: b
    keyfile: /k
    credentials: {type: service_account, project_id: p, private_key: k}
    rootdirectory: /r
    chunksize: 5242880
    maxconcurrency: 50
    useragent: u
  swift:
    username: u
    password: p
    authurl: a
    tenant: t
    tenantid: t
    domain: d
    domainid: d
    tenantdomain: d
    tenantdomainid: d
    trustid: t
    region: r
    authversion: 3
    container: c
    prefix: p
    endpointtype: public
    insecureskipverify: true
    chunksize: 5
    secretkey: s
    accesskey: a
    tempurlcontainerkey: true
    tempurlmethods: [GET]
  oss:
    accesskeyid: a
    accesskeysecret: b
    region: r
    endpoint: e
    internal: false
    bucket: b
    encrypt: true
    secure: true
    chunksize: 5
    rootdirectory: /r
auth:
  silly: {realm: r, service: s}
proxy:
  remoteurl: https://registry-1.docker.io
  username: u
  password: p
  exec: {command: docker-credential-helper, lifetime: 1h}
  ttl: 168h
  cachewritetimeout: 5m
middleware:
  registry: [{name: a, options: {anything: b}}]
  repository: [{name: a, options: {anything: b}}]
  storage:
  - name: cloudfront
    disabled: false
    options:
      baseurl: https://a/
      privatekey: /k
      keypairid: k
      duration: 60
      ipfilteredby: awsregion
      awsregion: a, b
      updatefrequency: 12h
      iprangesurl: https://b/
  - {name: rewrite, options: {scheme: https, host: h, trimpathprefix: /p}}
";

/// A line of what `config check` says: its parts.
type Line = Vec<String>;

/// What is said about a file with these variables.
fn checked(text: &str, variables: &[(String, String)]) -> (Option<i32>, Vec<Line>) {
    let folder = TempDir::new().expect("make a folder");
    let file = folder.path().join("config.yml");
    fs::write(&file, text).expect("write a configuration");
    let mut command = Command::new(binary());
    command.args(["config", "check"]).arg(&file);
    command.envs(variables.iter().cloned());
    let output = command.output().expect("run the program");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let parts = |line: &str| line.split('\t').map(ToOwned::to_owned).collect();
    (output.status.code(), said.lines().map(parts).collect())
}

fn rows(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| line[0] == "key")
}

#[test]
fn every_key_of_distribution_is_known_and_what_works_is_served() {
    let (status, lines) = checked(SERVED, &[]);

    assert_eq!(status, Some(0), "{lines:#?}");
    for row in rows(&lines) {
        assert!(matches!(&*row[2], "works" | "no effect"), "{row:?}");
    }
    // All of them were looked at: this is how many have a value of their own.
    assert!(rows(&lines).count() > 130, "{}", rows(&lines).count());
}

#[test]
fn every_key_of_what_is_not_there_yet_says_so() {
    let (status, lines) = checked(REFUSED, &[]);

    assert_eq!(status, Some(64));
    let others = ["version", "storage.filesystem"];
    for row in rows(&lines).filter(|row| !others.contains(&&*row[1])) {
        assert_eq!(row[2], "refused", "{row:?}");
    }
    let unknown = |line: &&Line| line.join(" ").contains("unknown");
    assert_eq!(lines.iter().find(unknown), None);
    for section in [
        "storage.s3",
        "storage.s3aws",
        "storage.azure",
        "storage.gcs",
        "storage.swift",
        "storage.oss",
        "auth.silly",
        "proxy",
        "middleware",
    ] {
        let said = format!("`{section}` is refused: ");
        let told = lines
            .iter()
            .any(|line| line[0] == "problem" && line[2].contains(&said));
        assert!(told, "{section}: {lines:#?}");
    }
}

/// The variable that overrides a key; a text in a list is overridden with its list.
fn variable_of(key: &str) -> String {
    let name = key.replace(['.', '['], "_").replace(']', "");
    format!("REGISTRY_{}", name.to_uppercase())
}

#[test]
fn every_key_of_distribution_has_its_variable() {
    for text in [SERVED, REFUSED] {
        let (_, lines) = checked(text, &[]);
        // Distribution has no variables for the version and for names with `_`, which part the names of a path.
        let keys: BTreeSet<_> = rows(&lines)
            .map(|row| row[1].clone())
            .filter(|key| key != "version" && !key.contains('_'))
            .collect();
        let variables: Vec<_> = keys
            .iter()
            .map(|key| (variable_of(key), String::new()))
            .collect();

        // One at a time would take long, and what is unknown is told by its name.
        let (_, lines) = checked(text, &variables);

        let warnings: Vec<_> = lines.iter().filter(|line| line[0] == "warning").collect();
        let unknown = warnings
            .iter()
            .filter(|line| line[1].contains("means nothing"));
        assert_eq!(unknown.count(), 0, "{warnings:#?}");
        for key in keys {
            let variable = variable_of(&key);
            let row = rows(&lines).find(|row| row[4] == variable);
            assert!(row.is_some(), "{variable} overrides nothing");
        }
    }
}
