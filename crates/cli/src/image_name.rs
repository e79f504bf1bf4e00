//! What archives call their images, and what that is in a registry.

use std::str::FromStr;

use anyhow::Context;
use boxyard_oci::{RepoName, Tag};

/// The host that Docker leaves out of names.
const HUB: [&str; 2] = ["docker.io", "index.docker.io"];

/// `REPOSITORY` or `REPOSITORY:TAG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) repo: RepoName,
    pub(crate) tag: Option<Tag>,
}

/// What an archive calls an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// Nothing.
    Nothing,
    /// A tag, of whatever repository.
    Tag(Tag),
    /// A repository and a tag, here without the host.
    Image(RepoName, Tag),
    /// Something that is no name here, and why.
    Strange(String),
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (repo, tag) = split_tag(text);
        Ok(Self {
            repo: repo.parse()?,
            tag: tag.map(str::parse).transpose()?,
        })
    }
}

impl Called {
    /// Reads `app:v1`, `registry.example.com:5000/team/app:v1` and the like.
    pub(crate) fn image(text: &str) -> Self {
        parse(text).unwrap_or_else(|error| Self::Strange(format!("`{text}`: {error:#}")))
    }

    /// Reads what may also be a tag alone.
    pub(crate) fn reference(text: &str) -> Self {
        if text.contains(['/', ':']) {
            return Self::image(text);
        }
        match text.parse() {
            Ok(tag) => Self::Tag(tag),
            Err(error) => Self::Strange(format!("`{text}`: {error}")),
        }
    }
}

fn parse(text: &str) -> anyhow::Result<Called> {
    // A digest beside a name says nothing that the archive does not say.
    let text = text.split_once('@').map_or(text, |(name, _)| name);
    let (name, tag) = split_tag(text);
    let repo = without_host(name).parse()?;
    let tag = tag.unwrap_or("latest").parse();
    Ok(Called::Image(repo, tag.context("read its tag")?))
}

fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        // The colon of a port comes before a slash.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// The first part is a host where it looks like one, as clients see it.
fn without_host(name: &str) -> &str {
    match name.split_once('/') {
        Some((host, rest)) if HUB.contains(&host) => rest.strip_prefix("library/").unwrap_or(rest),
        Some((host, rest)) if host == "localhost" || host.contains(['.', ':']) => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_host() {
        let rows = [
            ("app:v1", "app", "v1"),
            ("app", "app", "latest"),
            ("team/app:v1", "team/app", "v1"),
            ("localhost/app:v1", "app", "v1"),
            ("127.0.0.1:5000/team/app:v1", "team/app", "v1"),
            ("registry.example.com/app", "app", "latest"),
            ("docker.io/library/app:v1", "app", "v1"),
            ("docker.io/team/app:v1", "team/app", "v1"),
        ];
        for (text, repo, tag) in rows {
            let expected = Called::Image(repo.parse().unwrap(), tag.parse().unwrap());
            assert_eq!(Called::image(text), expected, "{text}");
        }
    }

    #[test]
    fn a_reference_may_be_a_tag_and_nonsense_is_kept_for_the_message() {
        assert_eq!(Called::reference("v1"), Called::Tag("v1".parse().unwrap()));
        assert!(matches!(Called::reference("App:v1"), Called::Strange(_)));
        assert!(matches!(Called::reference("-"), Called::Strange(_)));
    }

    #[test]
    fn a_target_may_have_a_tag() {
        let target = |text: &str| text.parse::<Target>();

        assert_eq!(target("team/app").unwrap().tag, None);
        assert!(target("team/app:v1").unwrap().tag.is_some());
        for text in ["", ":v1", "app:", "App", "host:5000/app"] {
            assert!(target(text).is_err(), "{text}");
        }
    }
}
