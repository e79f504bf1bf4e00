//! `boxyard.tracing` and the variables of OpenTelemetry: whether requests are traced, and where the traces go.

use std::collections::HashMap;

use reqwest::Url;

use crate::config::key::{Form, Key, works};
use crate::config::values::Values;

const ENDPOINT: &str = "boxyard.tracing.endpoint";
const SAMPLING: &str = "boxyard.tracing.sampling";
/// Where a collector listens unless somebody says otherwise.
const USUAL: &str = "http://localhost:4318";
/// What a collector takes traces under.
const PATH: &str = "v1/traces";

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        ENDPOINT,
        "",
        "Where traces of requests are sent, by OTLP over HTTP: `http://collector:4318`, to which `/v1/traces` is added, or a whole URL. Without it the variables of OpenTelemetry count, and without these nothing is traced.",
    )
    .form(Form::Text)
    .example("http://collector:4318"),
    works(
        SAMPLING,
        "`1`",
        "The share of requests that is traced, from 0 to 1; a request whose `traceparent` says so is traced or not as that says.",
    )
    .form(Form::Text),
];

/// Whether requests are traced, and where the traces go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tracing {
    /// The whole URL that takes them; without one nothing is traced.
    pub(crate) endpoint: Option<Url>,
    /// The share of requests that is traced.
    pub(crate) sampling: Option<f64>,
}

impl Tracing {
    /// Adds what the variables of OpenTelemetry say; what is wrong with them is only worth a warning, since others may have set them for many programs.
    pub(in crate::config) fn complete(
        &mut self,
        variables: &[(String, String)],
        warnings: &mut Vec<String>,
    ) {
        let set = variables.iter().filter(|(_, value)| !value.is_empty());
        let set: HashMap<_, _> = set
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let get = |name| set.get(name).copied();
        let is_disabled =
            get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        match get("OTEL_TRACES_EXPORTER") {
            Some("none") => self.endpoint = None,
            _ if is_disabled => self.endpoint = None,
            _ if self.endpoint.is_some() => {}
            exporter @ (None | Some("otlp")) => match by_variables(exporter.is_some(), get) {
                Ok(endpoint) => self.endpoint = endpoint,
                Err(warning) => warnings.push(format!("nothing is traced: {warning}")),
            },
            Some(_) => warnings.push(
                "nothing is traced: `OTEL_TRACES_EXPORTER` is neither `otlp` nor `none`".to_owned(),
            ),
        }
    }
}

/// Where the variables send traces.
fn by_variables<'a>(
    is_asked: bool,
    get: impl Fn(&'static str) -> Option<&'a str>,
) -> Result<Option<Url>, String> {
    let whole = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let base = get("OTEL_EXPORTER_OTLP_ENDPOINT").or(is_asked.then_some(USUAL));
    let (name, url) = match (whole, base) {
        (Some(whole), _) => ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", parse(whole)),
        (None, Some(base)) => ("OTEL_EXPORTER_OTLP_ENDPOINT", parse(base).map(below)),
        (None, None) => return Ok(None),
    };
    let url = url.ok_or_else(|| format!("`{name}` is no URL of HTTP"))?;
    let protocol = get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or(get("OTEL_EXPORTER_OTLP_PROTOCOL"));
    match protocol {
        None | Some("http/protobuf") => Ok(Some(url)),
        Some(_) => Err("of the protocols of OTLP only `http/protobuf` is spoken".to_owned()),
    }
}

fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// What takes traces below a base.
fn below(mut url: Url) -> Url {
    let path = format!("{}/{PATH}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Tracing {
    Tracing {
        endpoint: read_endpoint(values),
        sampling: read_sampling(values),
    }
}

fn read_endpoint(values: &mut Values<'_>) -> Option<Url> {
    let url = parse(values.text(ENDPOINT)?);
    if url.is_none() {
        values.wrong(ENDPOINT, "expected a URL such as `http://collector:4318`");
    }
    url.map(|url| if url.path() == "/" { below(url) } else { url })
}

fn read_sampling(values: &mut Values<'_>) -> Option<f64> {
    let share = values.text(SAMPLING)?.parse::<f64>().ok();
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    if share.is_none() {
        values.wrong(SAMPLING, "expected a number from 0 to 1, such as `0.1`");
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where traces go, and what is warned of.
    fn endpoint(configured: Option<&str>, variables: &[(&str, &str)]) -> (String, Vec<String>) {
        let mut tracing = Tracing {
            endpoint: configured.and_then(parse),
            sampling: None,
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(owned).collect();
        let mut warnings = Vec::new();
        tracing.complete(&variables, &mut warnings);
        (
            tracing.endpoint.map(String::from).unwrap_or_default(),
            warnings,
        )
    }

    #[test]
    fn the_variables_of_opentelemetry_switch_traces_on_and_off() {
        const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:1/base/");
        const WHOLE: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:2/here");
        const KEY: Option<&str> = Some("http://key/x");
        let exporter = |value| ("OTEL_TRACES_EXPORTER", value);
        for (configured, variables, expected) in [
            (None, &[][..], ""),
            (None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], ""),
            (None, &[BASE], "https://c:1/base/v1/traces"),
            (None, &[BASE, WHOLE], "http://c:2/here"),
            (None, &[exporter("otlp")], "http://localhost:4318/v1/traces"),
            (None, &[exporter("none"), BASE], ""),
            (KEY, &[BASE], "http://key/x"),
            (KEY, &[exporter("none")], ""),
            (KEY, &[("OTEL_SDK_DISABLED", "true")], ""),
        ] {
            assert_eq!(
                endpoint(configured, variables),
                (expected.to_owned(), Vec::new()),
                "{variables:?}"
            );
        }
    }

    #[test]
    fn variables_that_cannot_be_followed_are_warned_of() {
        const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1");
        for variables in [
            &[("OTEL_TRACES_EXPORTER", "zipkin")][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")],
            &[BASE, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
        ] {
            let (endpoint, warnings) = endpoint(None, variables);
            assert_eq!(
                (endpoint.as_str(), warnings.len()),
                ("", 1),
                "{variables:?}"
            );
        }
    }
}
