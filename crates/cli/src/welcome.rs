//! The three lines that push a first image.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

use boxyard_server::Config;

/// Whether nothing was ever pushed into the folder.
pub(crate) fn is_new(config: &Config) -> bool {
    !config.storage.root.join("docker").exists()
}

/// Says how to push, to a person who looks or who starts for the first time.
pub(crate) fn greet(config: &Config, address: SocketAddr, is_new: bool) {
    if is_new || std::io::stdout().is_terminal() {
        // Whoever has closed the output does not want to know.
        let _ = writeln!(
            std::io::stdout(),
            "{}",
            lines(config.http.host.as_deref(), address)
        );
    }
}

fn lines(host: Option<&str>, address: SocketAddr) -> String {
    let host = match host {
        Some(url) => url
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned(),
        None => address.to_string(),
    };
    format!(
        "Serving on {address}. Push a first image with\n\n  \
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
        let address = "127.0.0.1:5000".parse().unwrap();

        let local = lines(None, address);
        let public = lines(Some("https://registry.example/"), address);

        assert!(
            local.contains("docker push 127.0.0.1:5000/hello-world\n"),
            "{local}"
        );
        assert!(
            public.contains("docker push registry.example/hello-world\n"),
            "{public}"
        );
    }
}
