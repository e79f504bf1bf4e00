//! Rules of the house that the compiler does not check.

mod layers;
mod prose;
mod sources;
mod status;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// One broken rule: where, and what to do.
pub(crate) struct Complaint {
    place: String,
    rule: String,
}

impl Complaint {
    pub(crate) fn new(place: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            rule: rule.into(),
        }
    }
}

/// A file of the repository.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|own| own == extension)
    }
}

/// Checks every rule and lists all that is broken.
pub(crate) fn run() -> Result<()> {
    let sources = sources_of_repository()?;
    let mut complaints = layers::check()?;
    complaints.extend(sources.iter().flat_map(sources::check));
    complaints.extend(sources.iter().flat_map(prose::check));
    complaints.extend(status::check(&sources));
    for complaint in &complaints {
        println!("{}: {}", complaint.place, complaint.rule);
    }
    if !complaints.is_empty() {
        bail!("{} rule(s) of the house are broken", complaints.len());
    }
    println!("tidy: {} files", sources.len());
    Ok(())
}

/// The text files that git tracks or would track.
fn sources_of_repository() -> Result<Vec<Source>> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("ask git for the repository's files")?;
    let names = String::from_utf8(listed.stdout).context("read git's list of files")?;
    Ok(names
        .lines()
        .map(Path::new)
        .filter_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            let path = path.to_owned();
            Some(Source { path, text })
        })
        .collect())
}
