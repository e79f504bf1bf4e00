//! What proxies say of the request that they pass on: `Forwarded`, RFC 7239, and the older `X-Forwarded-*`.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

/// More hops than any request goes; what is further away is not looked at.
const HOPS: usize = 32;

/// One hop that a proxy tells of, the client's first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hop {
    /// None where it is hidden or makes no sense.
    pub(super) address: Option<IpAddr>,
    pub(super) scheme: Option<String>,
    pub(super) host: Option<String>,
}

/// What the request is said to have been before the proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) client: Option<IpAddr>,
    pub(super) scheme: Option<String>,
    pub(super) host: Option<String>,
}

/// Reads what the proxies say; `trusted` tells which of them may speak of others.
///
/// A client may send one of the two kinds of header through a proxy that only knows the other.
/// So where both are there, they must agree: what they contradict each other in is not believed.
pub(super) fn read(headers: &HeaderMap, trusted: impl Fn(IpAddr) -> bool) -> Told {
    let standard = standard(headers, &trusted);
    let older = older(headers, &trusted);
    match (standard, older) {
        (Some(one), Some(other)) => Told {
            client: agreed(one.client, other.client),
            scheme: agreed(one.scheme, other.scheme),
            host: agreed(one.host, other.host),
        },
        (one, other) => one.or(other).unwrap_or_default(),
    }
}

fn agreed<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one).filter(|one| *one == other),
        (one, other) => one.or(other),
    }
}

/// `Forwarded: for=192.0.2.43;proto=https;host=registry.example, for="[2001:db8::17]:4711"`
fn standard(headers: &HeaderMap, trusted: &impl Fn(IpAddr) -> bool) -> Option<Told> {
    let list = list(headers, "forwarded")?;
    let hops: Vec<Hop> = elements(&list, ',').map(|element| hop(&element)).collect();
    let distance = distance(hops.iter().map(|hop| hop.address), trusted);
    let client = hops.iter().rev().nth(distance)?;
    // A proxy may leave out what the one before it has said already.
    let known = &hops[hops.len() - 1 - distance..];
    let first = |of: fn(&Hop) -> Option<String>| known.iter().find_map(of);
    Some(Told {
        client: client.address,
        scheme: first(|hop| hop.scheme.clone()),
        host: first(|hop| hop.host.clone()),
    })
}

fn hop(element: &str) -> Hop {
    let mut hop = Hop::default();
    for pair in elements(element, ';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let value = unquoted(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.address = address(&value),
            "proto" => hop.scheme = Some(value.to_ascii_lowercase()),
            "host" => hop.host = Some(value),
            _ => {}
        }
    }
    hop
}

/// `X-Forwarded-For` with `-Proto` and `-Host`, or `X-Real-IP` where there is no list.
fn older(headers: &HeaderMap, trusted: &impl Fn(IpAddr) -> bool) -> Option<Told> {
    let texts = |name| -> Option<Vec<String>> {
        let list = list(headers, name)?;
        Some(list.split(',').map(|text| text.trim().to_owned()).collect())
    };
    let addresses = texts("x-forwarded-for").or_else(|| texts("x-real-ip"));
    let (schemes, hosts) = (texts("x-forwarded-proto"), texts("x-forwarded-host"));
    if addresses.is_none() && schemes.is_none() && hosts.is_none() {
        return None;
    }
    let addresses: Vec<_> = addresses
        .unwrap_or_default()
        .iter()
        .map(|text| address(text))
        .collect();
    let distance = distance(addresses.iter().copied(), trusted);
    // The outermost proxy may be the only one that says how it was reached.
    let said = |list: Option<Vec<String>>| {
        let list = list?;
        let place = list.len().saturating_sub(1 + distance);
        list.into_iter().nth(place).filter(|text| !text.is_empty())
    };
    Some(Told {
        client: addresses.iter().rev().nth(distance).copied().flatten(),
        scheme: said(schemes).map(|scheme| scheme.to_ascii_lowercase()),
        host: said(hosts),
    })
}

/// How far from the end the client is: the first of the list, from its end, that is no proxy of ours.
fn distance(
    addresses: impl DoubleEndedIterator<Item = Option<IpAddr>> + ExactSizeIterator,
    trusted: &impl Fn(IpAddr) -> bool,
) -> usize {
    let last = addresses.len().saturating_sub(1).min(HOPS);
    addresses
        .rev()
        .take(last)
        .take_while(|address| address.is_some_and(trusted))
        .count()
}

/// All lines of a header as the one list that they are.
fn list(headers: &HeaderMap, name: &'static str) -> Option<String> {
    let lines: Vec<&str> = headers
        .get_all(HeaderName::from_static(name))
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// The parts of a list, of which quoted ones may have the separator inside.
fn elements(list: &str, separator: char) -> impl Iterator<Item = String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut is_quoted, mut is_escaped) = (false, false);
    for character in list.chars() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if character == separator && !is_quoted => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(character);
    }
    parts.push(part);
    parts.into_iter().map(|part| part.trim().to_owned())
}

fn unquoted(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

/// An address with or without a port, with or without the brackets of IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bare = || {
        let inner = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        inner.unwrap_or(text).parse::<IpAddr>().ok()
    };
    bare().or_else(with_port).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proxies are in 10.0.0.0/8.
    fn told(lines: &[(&'static str, &str)]) -> Told {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        read(&headers, |ip| ip.to_string().starts_with("10."))
    }

    fn text(told: &Told) -> String {
        let client = told.client.map(|ip| ip.to_string());
        let parts = [client.as_ref(), told.scheme.as_ref(), told.host.as_ref()];
        parts.map(|part| part.map_or("-", String::as_str)).join(" ")
    }

    #[test]
    fn what_proxies_say_is_read() {
        let table: &[(&[(&'static str, &str)], &str)] = &[
            (&[], "- - -"),
            (
                &[
                    ("x-forwarded-for", "192.0.2.1"),
                    ("x-forwarded-proto", "HTTPS"),
                    ("x-forwarded-host", "r.example:8443"),
                ],
                "192.0.2.1 https r.example:8443",
            ),
            (&[("x-forwarded-proto", "https")], "- https -"),
            (&[("x-real-ip", "2001:db8::1")], "2001:db8::1 - -"),
            (
                &[("x-real-ip", "192.0.2.9"), ("x-forwarded-for", "192.0.2.1")],
                "192.0.2.1 - -",
            ),
            (
                &[(
                    "forwarded",
                    "for=\"[2001:db8::17]:4711\";proto=https;host=\"r.example:1\"",
                )],
                "2001:db8::17 https r.example:1",
            ),
            (
                &[("forwarded", "For = 192.0.2.43 ; Proto=https;by=x")],
                "192.0.2.43 https -",
            ),
            (
                &[("forwarded", "for=\"_hi,dden\";proto=https")],
                "- https -",
            ),
            (&[("forwarded", "for=unknown, \"")], "- - -"),
        ];

        for (lines, expected) in table {
            assert_eq!(text(&told(lines)), *expected, "{lines:?}");
        }
    }

    #[test]
    fn the_client_is_the_last_that_is_no_proxy() {
        let table = [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("203.0.113.9, 192.0.2.1, 10.0.0.2, 10.0.0.3", "192.0.2.1"),
            ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
            ("192.0.2.1:4711, 10.0.0.2:80", "192.0.2.1"),
            ("nonsense, 10.0.0.2", "-"),
            ("192.0.2.1, nonsense", "-"),
        ];

        for (list, expected) in table {
            let older = told(&[("x-forwarded-for", list)]);
            let standard: Vec<_> = list
                .split(", ")
                .map(|address| format!("for=\"{address}\""))
                .collect();
            let standard = told(&[("forwarded", &standard.join(", "))]);

            assert_eq!(text(&older), format!("{expected} - -"), "{list}");
            assert_eq!(standard, older, "{list}");
        }
    }

    #[test]
    fn what_a_client_puts_in_front_of_the_list_is_not_believed() {
        let older = told(&[
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "192.0.2.1, 10.0.0.2"),
            ("x-forwarded-proto", "http, https, http"),
            ("x-forwarded-host", "evil.example, r.example, inner"),
        ]);
        let standard = told(&[(
            "forwarded",
            "for=203.0.113.9;host=evil.example, for=192.0.2.1;proto=https;host=r.example, for=10.0.0.2;proto=http",
        )]);

        assert_eq!(text(&older), "192.0.2.1 https r.example");
        assert_eq!(text(&standard), "192.0.2.1 https r.example");
    }

    #[test]
    fn the_two_kinds_must_agree() {
        let same = told(&[
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1;proto=https"),
        ]);
        let other = told(&[
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=203.0.113.9;proto=http;host=evil.example"),
            ("x-forwarded-host", "r.example"),
        ]);

        assert_eq!(text(&same), "192.0.2.1 https -");
        assert_eq!(text(&other), "- - -");
    }
}
