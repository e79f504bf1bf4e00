//! What each image becomes in the registry.

use std::collections::HashMap;

use anyhow::{Context, bail, ensure};
use boxyard_oci::{Digest, RepoName, Tag};

use super::stock::Listed;
use crate::image_name::{Called, Target};

/// An image with the names that it gets; without a tag it comes along if it refers to one that has.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) tags: Vec<(RepoName, Tag, Digest)>,
    pub(super) nameless: Vec<Digest>,
}

/// Names the images as the archive or the person says.
pub(super) fn name(listed: &[Listed], target: Option<&Target>) -> anyhow::Result<Named> {
    if let Some(target) = target
        && let Some(tag) = &target.tag
    {
        return one(listed, &target.repo, tag);
    }
    let mut named = Named::default();
    let mut taken = HashMap::new();
    for image in listed {
        let (repo, tag) = match (&image.called, target) {
            (Called::Nothing, _) => {
                named.nameless.push(image.digest);
                continue;
            }
            (Called::Strange(why), _) => {
                bail!("an image has a name that cannot be one here, {why}: say REPOSITORY:TAG")
            }
            (Called::Image(_, tag) | Called::Tag(tag), Some(target)) => (&target.repo, tag),
            (Called::Image(repo, tag), None) => (repo, tag),
            (Called::Tag(tag), None) => bail!(
                "it gives an image the tag `{tag}` of no repository: say which, \
                 such as `boxyard import ARCHIVE team/app`"
            ),
        };
        let before = taken.insert((repo, tag), image.digest);
        ensure!(
            before.is_none_or(|before| before == image.digest),
            "it has two images that would be `{repo}:{tag}`"
        );
        if before.is_none() {
            named.tags.push((repo.clone(), tag.clone(), image.digest));
        }
    }
    ensure!(
        !named.tags.is_empty(),
        "it names no image: say REPOSITORY:TAG, such as `boxyard import ARCHIVE team/app:v1`"
    );
    Ok(named)
}

/// The only image, whatever it is called.
fn one(listed: &[Listed], repo: &RepoName, tag: &Tag) -> anyhow::Result<Named> {
    let has_name = |image: &&Listed| image.called != Called::Nothing;
    let (with, without): (Vec<&Listed>, Vec<&Listed>) = listed.iter().partition(has_name);
    let mut nameless: Vec<Digest> = without.iter().map(|image| image.digest).collect();
    let images = if with.is_empty() { &without } else { &with };
    let first = images.first().context("it has no image")?.digest;
    if images.iter().any(|image| image.digest != first) {
        let names: Vec<String> = images.iter().map(|image| describe(image)).collect();
        bail!(
            "it has several images, {}: give a repository without a tag",
            names.join(", ")
        );
    }
    nameless.retain(|digest| *digest != first);
    Ok(Named {
        tags: vec![(repo.clone(), tag.clone(), first)],
        nameless,
    })
}

fn describe(image: &Listed) -> String {
    match &image.called {
        Called::Image(repo, tag) => format!("`{repo}:{tag}`"),
        Called::Tag(tag) => format!("`{tag}`"),
        Called::Nothing | Called::Strange(_) => format!("`{}`", image.digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxyard_oci::Algorithm;

    fn listed(called: Called, content: &str) -> Listed {
        Listed {
            called,
            digest: Algorithm::Sha256.digest(content.as_bytes()),
            media_type: None,
        }
    }

    fn names(listed: &[Listed], target: &str) -> Result<Vec<String>, String> {
        let target = (!target.is_empty()).then(|| target.parse().unwrap());
        let named = name(listed, target.as_ref()).map_err(|error| error.to_string())?;
        let tags = named.tags.iter();
        Ok(tags.map(|(repo, tag, _)| format!("{repo}:{tag}")).collect())
    }

    #[test]
    fn the_archive_names_or_the_person_does() {
        let two = [
            listed(Called::image("host:1/app:v1"), "a"),
            listed(Called::image("other:v2"), "b"),
        ];

        assert_eq!(names(&two, "").unwrap(), ["app:v1", "other:v2"]);
        assert_eq!(names(&two, "all").unwrap(), ["all:v1", "all:v2"]);
        assert!(
            names(&two, "all:v1")
                .unwrap_err()
                .contains("`app:v1`, `other:v2`")
        );
        assert_eq!(names(&two[..1], "all:new").unwrap(), ["all:new"]);
    }

    #[test]
    fn what_has_no_name_must_get_one() {
        let tag = [listed(Called::reference("v1"), "a")];
        let nothing = [listed(Called::Nothing, "a")];

        assert!(names(&tag, "").unwrap_err().contains("say which"));
        assert_eq!(names(&tag, "app").unwrap(), ["app:v1"]);
        assert!(
            names(&nothing, "app")
                .unwrap_err()
                .contains("say REPOSITORY:TAG")
        );
        assert_eq!(names(&nothing, "app:v1").unwrap(), ["app:v1"]);
    }

    #[test]
    fn one_name_is_of_one_image() {
        let tag = || Called::reference("v1");
        let two = [listed(tag(), "a"), listed(tag(), "b")];

        assert!(names(&two, "app").unwrap_err().contains("two images"));
        assert_eq!(
            names(&[two[0].clone(), two[0].clone()], "app").unwrap(),
            ["app:v1"]
        );
    }
}
