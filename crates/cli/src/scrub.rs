//! `boxyard scrub`.

use boxyard_oci::RepoName;
use serde_json::{Value, json};

use crate::administration;
use crate::arguments::ConfigArgument;
use crate::outcome::Found;
use crate::output::{plural, say};
use crate::progress::{self, Unit};
use crate::size::{Size, show};

pub(crate) const HELP: &str = "\
Reads every blob and every manifest again and compares it with its digest, while the registry
serves or without a server. What is damaged is listed, recorded (see `boxyard findings`), answers
404 from then on, and is healed by pushing it again. A manifest is kept twice, so one of the two
mends the other. A folder that another registry has filled is read into the database first.
It may be interrupted at any time: what was found stays recorded. The next one begins anew, since
what was whole yesterday may be damaged today; to read a large registry in parts, name repositories.
The exit status is 0 where everything is whole, and 3 where something is damaged.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  boxyard scrub --rate 100MiB/s
  boxyard scrub /etc/distribution/config.yml --repository team/app

  # once a month, at night
  0 2 1 * * boxyard scrub /etc/distribution/config.yml --rate 50MiB/s";

/// What is to be read again.
#[derive(Debug, clap::Args)]
pub(crate) struct ScrubArguments {
    #[command(flatten)]
    config: ConfigArgument,

    /// Read at most so many bytes a second
    #[arg(long, value_name = "BYTES")]
    rate: Option<Size>,

    /// Read only this repository; may be given several times
    #[arg(long = "repository", value_name = "REPO")]
    repositories: Vec<RepoName>,
}

/// Reads everything again, and fails where something is damaged.
pub(crate) fn run(arguments: &ScrubArguments) -> anyhow::Result<()> {
    let asked = json!({
        "repositories": arguments.repositories,
        "bytes_per_second": arguments.rate.map(|rate| rate.0),
    });
    administration::run(arguments.config.file(), async |administration| {
        let client = &administration.client;
        if arguments.repositories.is_empty() {
            // What no server has read yet is in no list.
            progress::run(client, "adopt", &json!({}), Unit::Repositories, |_| Ok(())).await?;
        }
        let report = progress::run(client, "scrub", &asked, Unit::Bytes, say_damage).await?;
        let count = |key: &str| report[key].as_u64().unwrap_or_default();
        eprintln!(
            "read {} and {}, {} in all: {} damaged, {} of them mended",
            plural(count("blobs"), "blob"),
            plural(count("manifests"), "manifest"),
            show(count("bytes")),
            count("damaged"),
            count("mended")
        );
        if count("damaged") > 0 {
            return Err(Found.into());
        }
        Ok(())
    })
}

fn say_damage(finding: &Value) -> anyhow::Result<()> {
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let mut place = text("repository");
    if !place.is_empty() {
        place.push(' ');
    }
    say(&format!(
        "{}\t{place}{}\t{}",
        text("kind"),
        text("subject"),
        text("detail")
    ))
}
