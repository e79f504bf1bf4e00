//! `boxyard tag rm`.

use std::str::FromStr;

use anyhow::{Context, bail};
use boxyard_client::Client;
use boxyard_oci::{RepoName, Tag};
use serde_json::json;

use crate::confirm::confirm;
use crate::listing::{Repositories, Tags};
use crate::output::{plural, say};
use crate::pattern::Pattern;

/// How many matches are counted before a person is asked about them.
const COUNTED: usize = 1_000;

/// Which tags of which repositories.
#[derive(Clone, Debug)]
pub(crate) struct TagPattern {
    repositories: Pattern,
    tags: Pattern,
}

impl FromStr for TagPattern {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (repositories, tags) = text
            .rsplit_once(':')
            .with_context(|| format!("`{text}` names no tag: expected `REPO:TAG`"))?;
        let pattern = Self {
            repositories: repositories.parse()?,
            tags: tags.parse()?,
        };
        if let Some(name) = pattern.repositories.name() {
            name.parse::<RepoName>()?;
        }
        if let Some(name) = pattern.tags.name() {
            name.parse::<Tag>()?;
        }
        Ok(pattern)
    }
}

impl TagPattern {
    pub(crate) fn repositories(&self) -> &Pattern {
        &self.repositories
    }

    pub(crate) fn tags(&self) -> &Pattern {
        &self.tags
    }

    fn is_one(&self) -> bool {
        self.repositories.name().is_some() && self.tags.name().is_some()
    }
}

/// Prints what would go.
pub(crate) async fn list(client: &Client, patterns: &[TagPattern]) -> anyhow::Result<()> {
    let mut found = 0;
    for pattern in patterns {
        found += each(client, pattern, async |repo, tags| {
            for tag in &tags {
                say(&format!("{repo}:{tag}"))?;
            }
            Ok(tags.len())
        })
        .await?;
    }
    match found {
        0 => bail!("no tag matches"),
        found => eprintln!("{} would go", plural(found, "tag")),
    }
    Ok(())
}

/// Removes what matches, and prints it.
pub(crate) async fn remove(
    client: &Client,
    patterns: &[TagPattern],
    yes: bool,
) -> anyhow::Result<()> {
    ask(client, patterns, yes).await?;
    let mut removed = 0;
    for pattern in patterns {
        let here = each(client, pattern, async |repo, tags| {
            let removed = remove_page(client, repo, &tags).await?;
            for tag in &tags {
                say(&format!("{repo}:{tag}"))?;
            }
            Ok(removed)
        })
        .await?;
        if here == 0 && pattern.is_one() {
            let (repositories, tags) = (pattern.repositories.text(), pattern.tags.text());
            bail!("there is no tag `{repositories}:{tags}`");
        }
        removed += here;
    }
    match removed {
        0 => bail!("no tag matches"),
        removed => eprintln!("{} removed", plural(removed, "tag")),
    }
    Ok(())
}

async fn remove_page(client: &Client, repo: &RepoName, tags: &[Tag]) -> anyhow::Result<usize> {
    let arguments = json!({"repository": repo, "tags": tags});
    let answer = client.call("tags/remove", &arguments).await?;
    let removed = answer["removed"].as_u64().unwrap_or_default();
    Ok(usize::try_from(removed).unwrap_or(usize::MAX))
}

/// A pattern may match more than the person has thought of.
async fn ask(client: &Client, patterns: &[TagPattern], yes: bool) -> anyhow::Result<()> {
    let mut count = 0;
    for pattern in patterns.iter().filter(|pattern| !pattern.is_one()) {
        count += count_some(client, pattern).await?;
    }
    if count > 1 {
        let more = if count >= COUNTED { "at least " } else { "" };
        confirm(&format!("remove {more}{count} tags?"), yes).await?;
    }
    Ok(())
}

async fn count_some(client: &Client, pattern: &TagPattern) -> anyhow::Result<usize> {
    let mut count = 0;
    let mut repositories = Repositories::new(client, &pattern.repositories);
    while let Some(page) = repositories.next().await? {
        for repo in page {
            let mut tags = Tags::new(client, &repo, &pattern.tags);
            while let Some(page) = tags.next().await? {
                count += page.len();
                if count >= COUNTED {
                    return Ok(count);
                }
            }
        }
    }
    Ok(count)
}

/// Hands every page of matches to `act`, and adds up what it says.
async fn each<A>(client: &Client, pattern: &TagPattern, act: A) -> anyhow::Result<usize>
where
    A: AsyncFn(&RepoName, Vec<Tag>) -> anyhow::Result<usize>,
{
    let mut done = 0;
    let mut repositories = Repositories::new(client, &pattern.repositories);
    while let Some(page) = repositories.next().await? {
        for repo in page {
            if let Some(Ok(tag)) = pattern.tags.name().map(str::parse::<Tag>) {
                done += act(&repo, existing(client, &repo, tag).await?).await?;
                continue;
            }
            let mut tags = Tags::new(client, &repo, &pattern.tags);
            while let Some(page) = tags.next().await? {
                if !page.is_empty() {
                    done += act(&repo, page).await?;
                }
            }
        }
    }
    Ok(done)
}

/// The tag, if there is one.
async fn existing(client: &Client, repo: &RepoName, tag: Tag) -> anyhow::Result<Vec<Tag>> {
    let is_there = client.has_tag(repo, &tag).await?;
    Ok(if is_there { vec![tag] } else { Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_a_repository_and_a_tag() {
        assert!("app:v1".parse::<TagPattern>().unwrap().is_one());
        assert!(!"app:v*".parse::<TagPattern>().unwrap().is_one());
        assert!(!"**:v1".parse::<TagPattern>().unwrap().is_one());
        for text in ["app", "app:", ":v1", "App:v1", "app:.v1", "app:a b"] {
            assert!(text.parse::<TagPattern>().is_err(), "{text}");
        }
    }
}
