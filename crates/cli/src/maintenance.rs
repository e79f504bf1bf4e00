//! `boxyard adopt`, `boxyard settle` and `boxyard findings`.

use std::path::Path;

use anyhow::{Context, bail};
use boxyard_registry::{Registry, StoredFinding};
use boxyard_server::registry_options;
use rustix::fs::{StatVfsMountFlags, statvfs};
use serde_json::json;

use crate::administration;
use crate::config::{self, ConfigFile};
use crate::output::{plural, say};
use crate::progress::{self, Unit};

/// Reads everything that another registry left.
pub(crate) fn adopt(file: ConfigFile<'_>) -> anyhow::Result<()> {
    administration::run(file, async |administration| {
        let client = &administration.client;
        let nothing = json!({});
        let read = progress::run(client, "adopt", &nothing, Unit::Repositories, |_| Ok(()));
        let read = read.await?;
        let count = |key: &str| read[key].as_u64().unwrap_or_default();
        say(&format!(
            "read {} with {}, {} and {}",
            plural(count("repositories"), "repository"),
            plural(count("tags"), "tag"),
            plural(count("manifests"), "manifest"),
            plural(count("layers"), "layer link")
        ))?;
        if count("failed") > 0 {
            bail!(
                "{} could not be read; the log says why",
                plural(count("failed"), "repository")
            );
        }
        Ok(())
    })
}

/// Lets the folder catch up with the database.
pub(crate) fn settle(file: ConfigFile<'_>) -> anyhow::Result<()> {
    administration::run(file, async |administration| {
        let client = &administration.client;
        let nothing = json!({});
        let settled = progress::run(client, "settle", &nothing, Unit::Repositories, |_| Ok(()));
        settled.await?;
        say("the folder is up to date")?;
        if administration.is_served() {
            eprintln!("a server has the folder: stop it before another registry serves it");
        }
        Ok(())
    })
}

/// Lists what was found to be bad.
pub(crate) fn findings(file: ConfigFile<'_>) -> anyhow::Result<()> {
    let config = config::load_lasting(file)?;
    let options = registry_options(&config);
    let found = Registry::findings_of(&options);
    let root = &config.storage.root;
    let found = match found {
        // Reading beside a server needs to be noted in the folder.
        Err(error) if is_read_only(root) => Err(error).with_context(|| {
            format!(
                "`{}` is on a filesystem that is mounted read-only, on which the database cannot be opened",
                root.display()
            )
        }),
        found => found.map_err(Into::into),
    }?;
    for finding in &found {
        say(&line(finding))?;
    }
    if found.is_empty() {
        eprintln!("no findings");
    }
    Ok(())
}

fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// One finding as a line: what, where, and since when.
fn line(found: &StoredFinding) -> String {
    let finding = &found.finding;
    let place = finding.repo.as_ref().map(|repo| format!("{repo} "));
    format!(
        "{}\t{}{}\t{}",
        finding.kind,
        place.unwrap_or_default(),
        finding.subject,
        finding.detail
    )
}
