//! Going through repositories and tags page by page, so that a million of them need no memory.

use boxyard_client::{Client, ClientError};
use boxyard_oci::{RepoName, Tag};

use crate::pattern::Pattern;

/// The repositories that match.
#[derive(Debug)]
pub(crate) struct Repositories<'a> {
    client: &'a Client,
    pattern: &'a Pattern,
    after: Option<String>,
    is_over: bool,
}

impl<'a> Repositories<'a> {
    pub(crate) fn new(client: &'a Client, pattern: &'a Pattern) -> Self {
        Self {
            client,
            pattern,
            after: None,
            is_over: false,
        }
    }

    /// The next page of matches, which may be empty; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<RepoName>>, ClientError> {
        if self.is_over {
            return Ok(None);
        }
        if let Some(Ok(name)) = self.pattern.name().map(str::parse) {
            self.is_over = true;
            return Ok(Some(vec![name]));
        }
        let page = self.client.repositories(self.after.as_deref()).await?;
        let Some(last) = page.last() else {
            self.is_over = true;
            return Ok(None);
        };
        self.after = Some(last.to_string());
        let matches = page.into_iter();
        let matches = matches.filter(|repo| self.pattern.matches(repo.as_str()));
        Ok(Some(matches.collect()))
    }
}

/// The tags of a repository that match.
#[derive(Debug)]
pub(crate) struct Tags<'a> {
    client: &'a Client,
    repo: &'a RepoName,
    pattern: &'a Pattern,
    after: Option<String>,
    is_over: bool,
}

impl<'a> Tags<'a> {
    pub(crate) fn new(client: &'a Client, repo: &'a RepoName, pattern: &'a Pattern) -> Self {
        Self {
            client,
            repo,
            pattern,
            after: None,
            is_over: false,
        }
    }

    /// The next page of matches, which may be empty; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Tag>>, ClientError> {
        if self.is_over {
            return Ok(None);
        }
        let page = self.client.tags(self.repo, self.after.as_deref()).await?;
        let Some(last) = page.last() else {
            self.is_over = true;
            return Ok(None);
        };
        self.after = Some(last.to_string());
        // Tags come in the order of their bytes.
        self.is_over = last.as_str() > self.pattern.prefix()
            && !last.as_str().starts_with(self.pattern.prefix());
        let matches = page.into_iter();
        let matches = matches.filter(|tag| self.pattern.matches(tag.as_str()));
        Ok(Some(matches.collect()))
    }
}
