//! The three lines that push a first image.

use std::io::{IsTerminal, Write};

use boxyard_server::{Config, Place};

/// Whether nothing was ever pushed into the folder.
pub(crate) fn is_new(config: &Config) -> bool {
    !config.storage.root.join("docker").exists()
}

/// Says how to push, to a person who looks or who starts for the first time.
pub(crate) fn greet(config: &Config, place: &Place, is_new: bool) {
    if is_new || std::io::stdout().is_terminal() {
        let lines = lines(config.http.host.as_deref(), &config.http.prefix, place);
        // Whoever has closed the output does not want to know.
        let _ = writeln!(std::io::stdout(), "{lines}");
    }
}

fn lines(host: Option<&str>, prefix: &str, place: &Place) -> String {
    let serving = format!("Serving on {place}.");
    let host = match (host, place) {
        (Some(url), _) => url
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned(),
        // Clients know neither prefixes nor paths of this machine: a proxy leads them here.
        (None, Place::Tcp(address)) if prefix.is_empty() => address.to_string(),
        (None, _) => {
            return format!(
                "{serving} Clients need a proxy that leads them here; `http.host` is where they find it.\n"
            );
        }
    };
    format!(
        "{serving} Push a first image with\n\n  \
         docker tag hello-world {host}/hello-world\n  \
         docker push {host}/hello-world\n  \
         docker pull {host}/hello-world\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_name_what_clients_reach() {
        let place = Place::Tcp("127.0.0.1:5000".parse().unwrap());
        let socket = Place::Unix(Some("/run/registry.sock".into()));
        let public = Some("https://registry.example/");

        let local = lines(None, "", &place);
        assert!(
            local.contains("docker push 127.0.0.1:5000/hello-world\n"),
            "{local}"
        );
        for place in [&place, &socket] {
            let public = lines(public, "/x", place);
            assert!(
                public.contains("docker push registry.example/hello-world\n"),
                "{public}"
            );
        }
    }

    #[test]
    fn what_clients_cannot_reach_is_not_named() {
        let place = Place::Tcp("127.0.0.1:5000".parse().unwrap());
        let socket = Place::Unix(Some("/run/registry.sock".into()));

        for lines in [lines(None, "/x", &place), lines(None, "", &socket)] {
            assert!(
                !lines.contains("docker") && lines.contains("a proxy"),
                "{lines}"
            );
        }
    }
}
