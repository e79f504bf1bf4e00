//! `boxyard tag ls`.

use boxyard_client::Client;
use boxyard_oci::RepoName;
use serde_json::{Value, json};

use crate::size::show;
use crate::table::{self, Table};

/// Prints the tags of a repository.
pub(crate) async fn list(client: &Client, repo: &RepoName) -> anyhow::Result<()> {
    let mut table = Table::new(["TAG", "SIZE", "UPDATED", "DIGEST", "TYPE"]);
    let mut after: Option<String> = None;
    let mut count = 0;
    loop {
        let asked = json!({"repository": repo, "after": after});
        let page = client.call("tags/summary", &asked).await?;
        let page = page.as_array().cloned().unwrap_or_default();
        let Some(last) = page.last() else { break };
        after = last["tag"].as_str().map(ToOwned::to_owned);
        count += page.len();
        for tag in &page {
            table.row(row(tag))?;
        }
    }
    anyhow::ensure!(count > 0, "the repository `{repo}` has no tags");
    table.end()
}

fn row(tag: &Value) -> [String; 5] {
    let text = |key: &str| tag[key].as_str().unwrap_or("missing").to_owned();
    [
        text("tag"),
        show(tag["bytes"].as_u64().unwrap_or_default()),
        table::time(tag["updated"].as_u64()),
        text("digest"),
        text("media_type"),
    ]
}
