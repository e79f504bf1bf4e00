//! `boxyard du`: what the registry keeps, and what waits to go.

use serde_json::{Value, json};

use crate::administration;
use crate::arguments::ConfigArgument;
use crate::output::plural;
use crate::progress::{self, Unit};
use crate::size::show;
use crate::table::{Table, time};

pub(crate) const HELP: &str = "\
Lists every repository with its size, with the size of what only it holds, and with what of it
waits to be removed and from when on. Blobs wait that no manifest names, and manifests that no tag
names, no index lists and no subject keeps; these stay until `boxyard garbage-collect -m` or
`boxyard.collect.untagged` takes them.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  boxyard du
  boxyard du /etc/distribution/config.yml | sort -t \"$(printf '\\t')\" -k 4";

/// Where the registry is.
#[derive(Debug, clap::Args)]
pub(crate) struct UsageArguments {
    #[command(flatten)]
    config: ConfigArgument,
}

/// Prints the table.
pub(crate) fn run(arguments: &UsageArguments) -> anyhow::Result<()> {
    administration::run(arguments.config.file(), async |administration| {
        let client = &administration.client;
        let mut table = Table::new([
            "REPOSITORY",
            "TAGS",
            "MANIFESTS",
            "SIZE",
            "ALONE",
            "UNUSED",
            "UNUSED SIZE",
            "GOES FROM",
        ]);
        let nothing = json!({});
        let usage = progress::run(client, "usage", &nothing, Unit::Objects, |item| {
            table.row(row(item))
        });
        let usage = usage.await?;
        table.end()?;
        let count = |value: &Value| value.as_u64().unwrap_or_default();
        eprintln!("{} in all blobs", show(count(&usage["bytes"])));
        for files in usage["waiting"].as_array().into_iter().flatten() {
            eprintln!(
                "{} that no repository holds, to go from {} on",
                plural(count(&files["count"]), "file"),
                time(files["first"].as_u64())
            );
        }
        Ok(())
    })
}

fn row(item: &Value) -> [String; 8] {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let waiting = || item["waiting"].as_array().into_iter().flatten();
    let unused: Vec<String> = waiting()
        .map(|one| {
            let kind = one["kind"].as_str().unwrap_or_default();
            plural(number(&one["count"]), kind.trim_end_matches('s'))
        })
        .collect();
    let bytes = waiting().map(|one| number(&one["bytes"])).sum();
    let first = waiting().filter_map(|one| one["first"].as_u64()).min();
    let dash = |text: String| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text
        }
    };
    [
        item["repository"].as_str().unwrap_or_default().to_owned(),
        number(&item["tags"]).to_string(),
        number(&item["manifests"]).to_string(),
        show(number(&item["bytes"])),
        show(number(&item["alone"])),
        dash(unused.join(", ")),
        show(bytes),
        time(first),
    ]
}
