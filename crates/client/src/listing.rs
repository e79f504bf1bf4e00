//! Pages of repositories and of tags.

use boxyard_oci::{RepoName, Tag};
use http::Method;
use serde_json::Value;

use crate::connection::{Answer, Client, request, whole};
use crate::error::ClientError;

/// How many names a page has.
const PAGE: usize = 1_000;

impl Client {
    /// The repositories after `after`; none when there are no more.
    pub async fn repositories(&self, after: Option<&str>) -> Result<Vec<RepoName>, ClientError> {
        let path = format!("/v2/_catalog?n={PAGE}{}", last(after));
        let answer = self.ask(request(Method::GET, &path)).await?;
        names(answer, "repositories").await
    }

    /// The tags of `repo` after `after`; none when there are no more, or no such repository.
    pub async fn tags(
        &self,
        repo: &RepoName,
        after: Option<&str>,
    ) -> Result<Vec<Tag>, ClientError> {
        let path = format!("/v2/{repo}/tags/list?n={PAGE}{}", last(after));
        match self.find(request(Method::GET, &path)).await? {
            Some(answer) => names(answer, "tags").await,
            None => Ok(Vec::new()),
        }
    }

    /// Whether `repo` has the tag, also one whose manifest is lost.
    pub async fn has_tag(&self, repo: &RepoName, tag: &Tag) -> Result<bool, ClientError> {
        // The page that begins with it, if it is there: the one after the greatest name below it.
        let below = format!("/v2/{repo}/tags/list?n=1&last={}", just_below(tag));
        match self.find(request(Method::GET, &below)).await? {
            Some(answer) => Ok(names::<Tag>(answer, "tags").await?.first() == Some(tag)),
            None => Ok(false),
        }
    }
}

/// A text that comes before `tag`, and behind all tags that come before it.
///
/// The last character is replaced by the one below it, followed by the last character that a tag may have.
fn just_below(tag: &Tag) -> String {
    let text = tag.as_str();
    let (rest, last) = text.split_at(text.len() - 1);
    let below = char::from(last.as_bytes()[0] - 1);
    let encoded = format!("%{:02X}", u32::from(below));
    // Longer than a tag can be, so nothing lies between.
    format!("{rest}{encoded}{}", "z".repeat(128))
}

/// Names have no character that a query must escape but the slash, which it may hold.
fn last(after: Option<&str>) -> String {
    after
        .map(|name| format!("&last={name}"))
        .unwrap_or_default()
}

async fn names<T>(answer: Answer, key: &str) -> Result<Vec<T>, ClientError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let body = whole(answer).await?;
    let page: Value =
        serde_json::from_slice(&body).map_err(|error| ClientError::Answer(error.to_string()))?;
    let names = page[key].as_array().into_iter().flatten();
    names
        .map(|name| {
            let name = name.as_str().unwrap_or_default();
            name.parse::<T>()
                .map_err(|error| ClientError::Answer(error.to_string()))
        })
        .collect()
}
