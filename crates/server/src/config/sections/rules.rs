//! `validation` and `policy`: which manifests are taken.

use crate::config::key::{Key, is_false, is_one_of, refused, said, works};
use crate::config::node::Node;
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "validation.enabled",
        "",
        "The older switch of `validation.manifests`.",
    ),
    works(
        "validation.disabled",
        "`false`",
        "Switches `validation.manifests` off.",
    ),
    refused(
        "validation.manifests.urls",
        "rules about the URLs of layers are not there yet",
        validates,
    ),
    refused(
        "validation.manifests.indexes.platformlist",
        "rules about the platforms of an index are not there yet",
        validates,
    ),
    refused(
        "validation.manifests.indexes.platforms",
        "only `all` and `none` are served yet",
        |root, node| validates(root, node) && !is_one_of(node, &["all", "none"]),
    ),
    refused(
        "policy",
        "rules about the types of images are not there yet",
        said,
    ),
    works(
        "boxyard.manifests.sparse",
        "`false`",
        "Accepts manifests that name blobs or manifests which their repository does not hold. `validation.manifests.indexes.platforms: none` does the same.",
    ),
];

/// Which manifests are taken.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether a manifest may name what its repository does not hold.
    pub sparse: bool,
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Rules {
    let sparse = values.boolean("boxyard.manifests.sparse").unwrap_or(false);
    // It is the nearest that distribution has.
    let platforms = values.text("validation.manifests.indexes.platforms");
    Rules {
        sparse: sparse || platforms.is_some_and(|which| which.eq_ignore_ascii_case("none")),
    }
}

/// Whether `validation` is switched on, and says something here.
fn validates(root: &Node, node: &Node) -> bool {
    is_false(root.at("validation.disabled")) && !node.is_empty()
}
