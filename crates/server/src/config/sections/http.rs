//! `http`: where the registry listens and what its answers look like.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::config::key::{Form, Key, Known, is_one_of, refused, works};
use crate::config::node::{Node, Value};
use crate::config::secret::Secret;
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "http.addr",
        "`127.0.0.1:5000`",
        "Where to listen; `:5000` is every address of the machine.",
    ).form(Form::Text),
    refused("http.net", "only `tcp` is served yet", |_, node| {
        !is_one_of(node, &["", "tcp"])
    }).form(Form::Choice(&["tcp", "unix"])),
    refused(
        "http.prefix",
        "a prefix of all paths is not there yet",
        |_, node| !is_one_of(node, &["", "/"]),
    ).form(Form::Text),
    works(
        "http.host",
        "",
        "What URLs begin with, such as `https://registry.example.com`; without it they are relative.",
    ).form(Form::Text),
    works(
        "http.secret",
        "",
        "Keeps tokens that the registry issues good over a restart; uploads need no secret here.",
    ).form(Form::Text).secret(),
    works(
        "http.relativeurls",
        "`false`",
        "Keeps URLs relative even with `http.host`.",
    ).form(Form::Boolean),
    works(
        "http.draintimeout",
        "`5s`",
        "How long running requests have when the server stops.",
    ).form(Form::Duration),
    works(
        "http.headers",
        "",
        "Headers of every answer that does not have them already.",
    ).form(Form::Headers).example("{X-Content-Type-Options: [nosniff]}"),
    works("http.http2.disabled", "`false`", "Switches HTTP/2 off.").form(Form::Boolean),
    works(
        "http.h2c.enabled",
        "`false`",
        "Serves HTTP/2 without TLS as well, to clients that begin with it. Without a configuration it is served.",
    )
    .form(Form::Boolean)
    .known(Known::Three),
];

/// How things are served.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to listen, as Go has it.
    pub address: String,
    /// The URL by which clients reach the registry.
    pub host: Option<String>,
    /// What the registry signs its tokens by; without it, by something that ends with the process.
    pub secret: Option<Secret>,
    /// Whether URLs are relative even so.
    pub relative: bool,
    /// Headers of every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long running requests have when the server stops.
    pub drain: Duration,
    /// Whether HTTP/2 is served.
    pub http2: bool,
    /// Whether it is served without TLS, too.
    pub h2c: bool,
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Http {
    Http {
        address: values
            .text("http.addr")
            .unwrap_or("127.0.0.1:5000")
            .to_owned(),
        host: read_host(values),
        secret: values.text("http.secret").map(Secret::from),
        relative: values.boolean("http.relativeurls").unwrap_or(false),
        headers: read_headers(values),
        // Docker kills a container ten seconds after it was told to stop, and the tree wants its share of them.
        drain: values
            .duration("http.draintimeout")
            .filter(|drain| !drain.is_zero())
            .unwrap_or(Duration::from_secs(5)),
        http2: !values.boolean("http.http2.disabled").unwrap_or(false),
        h2c: values.boolean("http.h2c.enabled").unwrap_or(false),
    }
}

fn read_host(values: &mut Values<'_>) -> Option<String> {
    let text = values.text("http.host")?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let visible = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"<>\"?#".contains(&byte));
    if visible && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        return Some(text.to_owned());
    }
    values.wrong(
        "http.host",
        &format!("`{text}` is no URL: expected one like `https://registry.example.com`"),
    );
    None
}

fn read_headers(values: &mut Values<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    let Some(node) = values.node("http.headers") else {
        return headers;
    };
    for (name, list) in node.entries() {
        for text in texts(list) {
            match (name.parse(), text.parse()) {
                (Ok(name), Ok(value)) => headers.push((name, value)),
                (Err(_), _) => {
                    values.wrong("http.headers", &format!("{name:?} is no name of a header"));
                }
                (_, Err(_)) => {
                    values.wrong("http.headers", &format!("{text:?} is no value of a header"));
                }
            }
        }
    }
    headers
}

/// The texts of a list; one alone needs no list around it.
fn texts(node: &Node) -> Vec<&str> {
    let nodes = node.items().iter().chain([node]);
    nodes
        .filter_map(|node| match &node.value {
            Value::Scalar(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}
