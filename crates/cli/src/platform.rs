//! Platforms of images, and which image of an index is for one.

use std::fmt;
use std::str::FromStr;

use anyhow::ensure;
use boxyard_oci::Digest;
use serde::Deserialize;

/// An operating system and a processor, perhaps with a variant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Platform {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

/// What an index says of an image.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Child {
    pub(crate) digest: Digest,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Child>,
}

impl Platform {
    /// That of this machine, whose containers are of Linux.
    pub(crate) fn here() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }

    pub(crate) fn is(&self, wanted: &Self) -> bool {
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || self.variant == wanted.variant)
    }
}

impl FromStr for Platform {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/').map(ToOwned::to_owned);
        let (os, architecture) = (parts.next(), parts.next());
        let platform = Self {
            os: os.unwrap_or_default(),
            architecture: architecture.unwrap_or_default(),
            variant: parts.next(),
        };
        let is_whole = !platform.os.is_empty()
            && !platform.architecture.is_empty()
            && platform.variant.as_deref() != Some("")
            && parts.next().is_none();
        ensure!(
            is_whole,
            "`{text}` is no platform: expected such as `linux/arm64`"
        );
        Ok(platform)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl Child {
    /// Whether it is for no machine, such as what a build says of its image.
    fn is_beside(&self) -> bool {
        self.platform
            .as_ref()
            .is_some_and(|platform| platform.os == "unknown")
    }
}

/// The images of an index.
pub(crate) fn images(payload: &[u8]) -> Vec<Child> {
    let index = serde_json::from_slice::<Index>(payload);
    let children = index.map(|index| index.manifests).unwrap_or_default();
    children
        .into_iter()
        .filter(|child| !child.is_beside())
        .collect()
}

/// The image of an index for a platform.
pub(crate) fn choose(images: &[Child], wanted: &Platform) -> Option<Digest> {
    let found = images.iter().find(|image| {
        let platform = image.platform.as_ref();
        platform.is_some_and(|platform| platform.is(wanted))
    });
    found.map(|image| image.digest)
}

/// The platforms of an index, for a message.
pub(crate) fn names(images: &[Child]) -> String {
    let names = images.iter().filter_map(|image| image.platform.as_ref());
    let names: Vec<String> = names.map(ToString::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_image_of_a_platform_is_chosen() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let index = serde_json::json!({"manifests": [
            {"digest": digest("0"), "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": digest("1"), "platform": {"os": "linux", "architecture": "arm", "variant": "v6"}},
            {"digest": digest("2"), "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
        ]});
        let images = images(index.to_string().as_bytes());
        let chosen = |text: &str| choose(&images, &text.parse().unwrap());

        assert_eq!(images.len(), 2);
        assert_eq!(chosen("linux/arm"), Some(images[0].digest));
        assert_eq!(chosen("linux/arm/v7"), Some(images[1].digest));
        assert_eq!(chosen("linux/amd64"), None);
        assert_eq!(names(&images), "linux/arm/v6, linux/arm/v7");
        for text in ["", "linux", "linux/", "a/b/c/d", "a/b/"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
