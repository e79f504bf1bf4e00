//! Which crate may use which: the layers and the heavy dependencies.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Complaint;

/// What each of our crates may use of our others; a crate that is not listed may use none.
const ALLOWED: &[(&str, &[&str])] = &[
    ("boxyard_oci", &[]),
    ("boxyard_blobs", &["boxyard_oci"]),
    ("boxyard_meta", &["boxyard_oci"]),
    ("boxyard_auth", &["boxyard_oci"]),
    (
        "boxyard_registry",
        &[
            "boxyard_oci",
            "boxyard_blobs",
            "boxyard_meta",
            "boxyard_auth",
        ],
    ),
    (
        "boxyard_server",
        &["boxyard_oci", "boxyard_auth", "boxyard_registry"],
    ),
    (
        "boxyard_cli",
        &[
            "boxyard_oci",
            "boxyard_auth",
            "boxyard_registry",
            "boxyard_server",
            "boxyard_client",
        ],
    ),
    ("boxyard_client", &["boxyard_oci"]),
    ("boxyard_testkit", &["boxyard_oci"]),
    ("boxyard_acceptance", &["boxyard_oci", "boxyard_testkit"]),
    ("boxyard_bench", &["boxyard_testkit"]),
    ("xtask", &[]),
];

/// Dependencies that only some crates may have, because they are their subject.
const OWNED: &[(&str, &[&str])] = &[
    ("rusqlite", &["boxyard_meta"]),
    ("hyper", &["boxyard_server", "boxyard_client"]),
    ("http", &["boxyard_server", "boxyard_client"]),
    ("reqwest", &["boxyard_server"]),
    ("rustls", &["boxyard_server"]),
    ("jsonwebtoken", &["boxyard_auth"]),
    ("bcrypt", &["boxyard_auth"]),
    ("clap", &["boxyard_cli"]),
];

/// Complains of every edge between crates that the architecture does not have.
pub(crate) fn check() -> Result<Vec<Complaint>> {
    let printed = Command::new("cargo")
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output()
        .context("ask cargo for the workspace")?;
    let metadata: Value = serde_json::from_slice(&printed.stdout).context("read cargo's answer")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo lists no packages")?;
    Ok(packages.iter().flat_map(check_package).collect())
}

fn check_package(package: &Value) -> Vec<Complaint> {
    let name = package["name"].as_str().unwrap_or_default();
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    dependencies
        .filter(|dependency| dependency["kind"].is_null())
        .filter_map(|dependency| check_edge(name, dependency["name"].as_str()?))
        .collect()
}

fn check_edge(from: &str, to: &str) -> Option<Complaint> {
    let place = format!("{from} -> {to}");
    if to.starts_with("boxyard_") {
        let allowed = ALLOWED.iter().find(|(name, _)| *name == from);
        if !allowed.is_some_and(|(_, allowed)| allowed.contains(&to)) {
            return Some(Complaint::new(
                place,
                "this edge is not in the architecture",
            ));
        }
    }
    let owners = OWNED.iter().find(|(name, _)| *name == to)?.1;
    let is_chore = matches!(from, "xtask" | "boxyard_bench");
    let rule = || format!("only {} may use it", owners.join(" and "));
    (!owners.contains(&from) && !is_chore).then(|| Complaint::new(place, rule()))
}

#[cfg(test)]
mod tests {
    use super::check_edge;

    #[test]
    fn the_server_may_not_reach_the_database() {
        assert!(check_edge("boxyard_server", "boxyard_meta").is_some());
        assert!(check_edge("boxyard_server", "rusqlite").is_some());
        assert!(check_edge("boxyard_server", "boxyard_registry").is_none());
        assert!(check_edge("boxyard_meta", "rusqlite").is_none());
    }
}
