//! `http`: where the registry listens and what its answers look like.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::config::key::{Form, Key, Known, works};
use crate::config::node::{Node, Value};
use crate::config::secret::Secret;
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "http.addr",
        "`127.0.0.1:5000`",
        "Where to listen; `:5000` is every address of the machine.",
    ).form(Form::Text),
    works(
        "http.net",
        "`tcp`",
        "`tcp`, or `unix`: then `http.addr` is the path of a socket. A socket that a service manager has opened (`LISTEN_FDS`) counts more than both.",
    )
    .form(Form::Choice(&["tcp", "unix"])),
    works(
        "http.prefix",
        "",
        "What all paths begin with, such as `/registry/`; `http.host` must have it too, unless a proxy adds it.",
    )
    .form(Form::Text)
    .example("/registry/"),
    works(
        "boxyard.socketmode",
        "as the umask has it",
        "The mode of the socket of `http.net: unix`, in octal: `\"0660\"`.",
    )
    .form(Form::Text)
    .example("\"0660\""),
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
        "How long running requests have when the server stops; `0` is the default as well, and a second signal ends the server at once.",
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

/// What kind of socket to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// An address.
    Tcp,
    /// A path of this machine.
    Unix,
}

/// How things are served.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to listen, as Go has it, or the path of a socket.
    pub address: String,
    /// Which of the two that is.
    pub network: Network,
    /// The mode of the socket.
    pub socket_mode: Option<u32>,
    /// What all paths begin with, without a slash at the end; empty for none.
    pub prefix: String,
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
    let networks = [("tcp", Network::Tcp), ("unix", Network::Unix)];
    let network = values.choice("http.net", &networks).unwrap_or(Network::Tcp);
    let address = match network {
        Network::Tcp => values.address("http.addr"),
        Network::Unix => values.text("http.addr"),
    };
    Http {
        network,
        socket_mode: read_mode(values),
        prefix: read_prefix(values),
        address: address.unwrap_or("127.0.0.1:5000").to_owned(),
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

fn read_mode(values: &mut Values<'_>) -> Option<u32> {
    const PATH: &str = "boxyard.socketmode";
    let text = values.text(PATH)?;
    let mode = u32::from_str_radix(text, 8).ok();
    let mode = mode.filter(|mode| *mode <= 0o777);
    if mode.is_none() {
        values.wrong(
            PATH,
            &format!("`{text}` is no mode: expected one in octal like `\"0660\"`"),
        );
    }
    mode
}

/// With or without slashes at its ends, as distribution takes it.
fn read_prefix(values: &mut Values<'_>) -> String {
    const PATH: &str = "http.prefix";
    let text = values.text(PATH).unwrap_or_default();
    let inner = text.trim_matches('/');
    let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let is_clean = |part: &str| !matches!(part, "" | "." | "..");
    if inner.is_empty() {
        return String::new();
    }
    if !inner.bytes().all(is_path) || !inner.split('/').all(is_clean) {
        values.wrong(
            PATH,
            &format!("`{text}` is no path: expected one like `/registry/`"),
        );
    }
    format!("/{inner}")
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
