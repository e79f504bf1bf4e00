//! What the administrator says about manifests, beyond what the specification does.

use boxyard_auth::{Permit, Push};
use boxyard_oci::{Digest, Kind, Manifest};
use regex_automata::meta::{BuildError, Regex};
use serde_json::Value;

/// How large one expression may become, in bytes.
const EXPRESSION: usize = 10 << 20;

/// Which manifests are taken.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// From where clients may be told to fetch layers; anything is fine without a rule.
    pub urls: Option<Urls>,
    /// Which children an index may lack.
    pub children: Children,
    /// The types of images that are taken; all where none is named.
    pub classes: Vec<String>,
}

/// Which manifests that an index names its repository must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Children {
    /// All of them.
    #[default]
    All,
    /// None of them.
    Optional,
    /// Those of these platforms.
    Of(Vec<Platform>),
}

/// What an image runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `linux`.
    pub os: String,
}

/// Which URLs a layer may have: one must match the first, unless that is empty, and none of the second.
#[derive(Clone, Debug)]
pub struct Urls {
    allow: Vec<Regex>,
    deny: Vec<Regex>,
    /// With neither, nothing is allowed.
    none: bool,
}

/// Why an expression is no rule.
#[derive(Debug, thiserror::Error)]
#[error("this is no regular expression")]
pub struct BadExpression(#[source] Box<BuildError>);

/// Why a manifest is against the rules.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A layer is to be fetched from where it must not be.
    #[error(
        "the layer's URL `{url}` is not allowed: `validation.manifests.urls` says which ones are"
    )]
    Url {
        /// The URL.
        url: String,
    },
    /// A layer is to be fetched from something that is no place on the web.
    #[error("the layer's URL `{url}` is none: expected one of http or https without a fragment")]
    NoUrl {
        /// What it is instead.
        url: String,
    },
    /// Nobody knows which type of image this is.
    #[error("images with a config of type `{media_type}` are not taken: expected {expected}")]
    Class {
        /// The type of the image's config.
        media_type: String,
        /// The types of images that are taken.
        expected: String,
    },
    /// The token is for images of another class.
    #[error("the token does not grant that the repository has images of class `{class}`")]
    Granted {
        /// The class of what was pushed.
        class: &'static str,
    },
}

impl Urls {
    /// Reads the rules; they are regular expressions that match anywhere in a URL.
    pub fn new(allow: &[&str], deny: &[&str]) -> Result<Self, BadExpression> {
        let read = |list: &[&str]| -> Result<Vec<Regex>, BadExpression> {
            list.iter().map(|text| expression(text)).collect()
        };
        Ok(Self {
            allow: read(allow)?,
            deny: read(deny)?,
            none: allow.is_empty() && deny.is_empty(),
        })
    }

    fn check(&self, url: &str) -> Result<(), RuleError> {
        let begins = |scheme: &str| {
            url.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if !(begins("http://") || begins("https://")) || url.contains('#') {
            return Err(RuleError::NoUrl { url: excerpt(url) });
        }
        let matches = |list: &[Regex]| list.iter().any(|rule| rule.is_match(url));
        let allowed = self.allow.is_empty() || matches(&self.allow);
        if self.none || !allowed || matches(&self.deny) {
            return Err(RuleError::Url { url: excerpt(url) });
        }
        Ok(())
    }
}

fn expression(text: &str) -> Result<Regex, BadExpression> {
    let bounds = Regex::config().nfa_size_limit(Some(EXPRESSION));
    let built = Regex::builder().configure(bounds).build(text);
    built.map_err(|error| BadExpression(Box::new(error)))
}

fn excerpt(url: &str) -> String {
    url.chars().take(200).collect()
}

impl Rules {
    /// Whether the manifest is one that is taken.
    pub(crate) fn check(
        &self,
        manifest: &Manifest,
        permit: &Permit<Push>,
    ) -> Result<(), RuleError> {
        let has_rules = self.urls.is_some() || !self.classes.is_empty();
        if manifest.kind() != Kind::Image || !has_rules {
            return Ok(());
        }
        // It was parsed before, so that this cannot fail.
        let document: Value = serde_json::from_slice(manifest.payload()).unwrap_or_default();
        if let Some(rules) = &self.urls {
            for url in urls(&document) {
                rules.check(url)?;
            }
        }
        self.check_class(&document, permit)
    }

    fn check_class(&self, document: &Value, permit: &Permit<Push>) -> Result<(), RuleError> {
        if self.classes.is_empty() {
            return Ok(());
        }
        let media_type = document["config"]["mediaType"].as_str();
        let class = match media_type {
            Some(
                "application/vnd.oci.image.config.v1+json"
                | "application/vnd.docker.container.image.v1+json",
            ) => Some("image"),
            Some("application/vnd.docker.plugin.v1+json") => Some("plugin"),
            _ => None,
        };
        let is_known = |class: &&str| self.classes.iter().any(|known| known == class);
        if let Some(class) = class.filter(is_known) {
            let granted = permit.is_for(class);
            return granted.then_some(()).ok_or(RuleError::Granted { class });
        }
        Err(RuleError::Class {
            media_type: excerpt(media_type.unwrap_or_default()),
            expected: self.classes.join(" or "),
        })
    }

    /// What an index names and its repository need not hold.
    pub(crate) fn may_lack(&self, manifest: &Manifest) -> Vec<Digest> {
        if manifest.kind() != Kind::Index {
            return Vec::new();
        }
        match &self.children {
            Children::All => Vec::new(),
            Children::Optional => manifest.edges().iter().map(|edge| edge.digest).collect(),
            Children::Of(platforms) => others(manifest, platforms),
        }
    }
}

/// The children of other platforms than these.
fn others(manifest: &Manifest, platforms: &[Platform]) -> Vec<Digest> {
    let document: Value = serde_json::from_slice(manifest.payload()).unwrap_or_default();
    let children = document["manifests"].as_array();
    let others = children.into_iter().flatten().filter(|child| {
        let platform = &child["platform"];
        !platforms.iter().any(|wanted| {
            platform["architecture"] == wanted.architecture && platform["os"] == wanted.os
        })
    });
    others
        .filter_map(|child| child["digest"].as_str()?.parse().ok())
        .collect()
}

fn urls(document: &Value) -> impl Iterator<Item = &str> {
    let layers = document["layers"].as_array().into_iter().flatten();
    let urls = layers.filter_map(|layer| layer["urls"].as_array());
    urls.flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allow: &[&str], deny: &[&str], url: &str) -> bool {
        Urls::new(allow, deny).unwrap().check(url).is_ok()
    }

    #[test]
    fn urls_must_be_allowed_and_not_denied() {
        let url = "https://mirror.example/layers/1";

        assert!(!check(&[], &[], url));
        assert!(check(&["^https://mirror\\.example/"], &[], url));
        assert!(check(&["other", "mirror"], &[], url));
        assert!(!check(&["other"], &[], url));
        assert!(check(&[], &["other"], url));
        assert!(!check(&["mirror"], &["layers"], url));
    }

    #[test]
    fn only_places_on_the_web_are_urls() {
        for url in ["ftp://a/b", "a/b", "", "https://a/b#c"] {
            assert!(!check(&[".*"], &[], url), "{url}");
        }
        assert!(check(&[".*"], &[], "HTTPS://a/b"));
    }

    #[test]
    fn expressions_have_bounds() {
        assert!(Urls::new(&["("], &[]).is_err());
        assert!(Urls::new(&["(((a{1000}){1000}){1000})"], &[]).is_err());
    }
}
