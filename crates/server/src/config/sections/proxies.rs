//! `boxyard.trustedproxies`: whose word about clients counts.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::key::{Form, Key, works};
use crate::config::node::{Node, Value};
use crate::config::values::Values;
use crate::external::Proxies;

const PATH: &str = "boxyard.trustedproxies";

pub(in crate::config) const KEYS: &[Key] = &[works(
    PATH,
    "",
    "Networks such as `[10.0.0.0/8]` whose `Forwarded`, `X-Forwarded-*` and `X-Real-IP` are believed; `unix` is whoever may open the socket of `http.net: unix`.",
).form(Form::Texts)];

pub(in crate::config) fn read(values: &mut Values<'_>) -> Proxies {
    let mut proxies = Proxies::default();
    let Some(node) = values.node(PATH) else {
        return proxies;
    };
    for item in items(node) {
        match network(item) {
            Ok(Some(network)) => proxies.networks.push(network),
            Ok(None) => proxies.unix = true,
            Err(text) => values.wrong(
                PATH,
                &format!("`{text}` is no network: expected some like `10.0.0.0/8` or `2001:db8::1`, or `unix`"),
            ),
        }
    }
    proxies
}

/// The items of a list; one alone needs no list around it.
fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        Value::Null => &[],
        Value::Scalar(_) | Value::Map(_) => std::slice::from_ref(node),
    }
}

/// A network, or none for our own socket; an address is the network of itself.
fn network(node: &Node) -> Result<Option<IpNet>, &str> {
    let Value::Scalar(text) = &node.value else {
        return Err("a list or a map");
    };
    if text == "unix" {
        return Ok(None);
    }
    let alone = |_| text.parse::<IpAddr>().map(IpNet::from);
    let parsed = text.parse::<IpNet>().or_else(alone);
    parsed.map(Some).map_err(|_| text.as_str())
}
