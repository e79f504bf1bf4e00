//! nginx, which sends files by `sendfile`.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::site::Site;

/// Writes a configuration that serves the folder; the arguments to start it with.
pub(crate) fn prepare(site: &Site, address: SocketAddr) -> Result<Vec<String>> {
    let folder = site.folder();
    let place = folder.display();
    let user = if rustix::process::geteuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {place}/{name};\n"))
        .concat();
    let config = format!(
        "{user}daemon off;\nworker_processes auto;\npid {place}/nginx.pid;\nerror_log {place}/error.log;\nevents {{ worker_connections 1024; }}\nhttp {{\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 100000000;\n  access_log {place}/access.log;\n{temporary}  server {{\n    listen {address} backlog=1024;\n    root {};\n    location = /v2/ {{ return 200; }}\n  }}\n}}\n",
        site.root().display()
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config).context("write nginx's configuration")?;
    Ok([
        "-p".to_owned(),
        place.to_string(),
        "-c".to_owned(),
        path.display().to_string(),
        "-e".to_owned(),
        format!("{place}/error.log"),
    ]
    .into())
}
