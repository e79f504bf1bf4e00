//! `validation` and `policy`: which manifests are taken.

use crate::config::key::{Form, Key, Known, is_false, is_one_of, part, refused, said, works};
use crate::config::node::Node;
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "validation.enabled",
        "",
        "The older switch of `validation.manifests`.",
    )
    .form(Form::Boolean),
    works(
        "validation.disabled",
        "`false`",
        "Switches `validation.manifests` off.",
    )
    .form(Form::Boolean),
    refused(
        "validation.manifests.urls",
        "rules about the URLs of layers are not there yet",
        validates,
    ),
    part("validation.manifests.urls.allow").form(Form::Texts),
    part("validation.manifests.urls.deny").form(Form::Texts),
    refused(
        "validation.manifests.indexes.platforms",
        "only `all` and `none` are served yet",
        |root, node| validates(root, node) && !is_one_of(node, &["all", "none"]),
    )
    .form(Form::Choice(&["all", "none", "list"]))
    .known(Known::Three),
    refused(
        "validation.manifests.indexes.platformlist",
        "rules about the platforms of an index are not there yet",
        validates,
    )
    .known(Known::Three),
    part("validation.manifests.indexes.platformlist[].architecture").form(Form::Text),
    part("validation.manifests.indexes.platformlist[].os").form(Form::Text),
    refused(
        "policy",
        "rules about the types of images are not there yet",
        said,
    ),
    part("policy.repository.classes").form(Form::Texts),
    works(
        "boxyard.manifests.sparse",
        "`false`",
        "Accepts manifests that name blobs or manifests which their repository does not hold. `validation.manifests.indexes.platforms: none` does the same.",
    )
    .form(Form::Boolean),
];

/// Which manifests are taken.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether a manifest may name what its repository does not hold.
    pub sparse: bool,
    /// The platforms whose images an index must have, if not all: architecture and system.
    pub platforms: Vec<(String, String)>,
    /// Which types of images are taken; all where none is named.
    pub classes: Vec<String>,
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Rules {
    let sparse = values.boolean("boxyard.manifests.sparse").unwrap_or(false);
    // It is the nearest that distribution has.
    let platforms = values.text("validation.manifests.indexes.platforms");
    let classes = values.texts("policy.repository.classes");
    Rules {
        sparse: sparse || platforms.is_some_and(|which| which.eq_ignore_ascii_case("none")),
        platforms: read_platforms(values),
        classes: classes.into_iter().map(ToOwned::to_owned).collect(),
    }
}

fn read_platforms(values: &mut Values<'_>) -> Vec<(String, String)> {
    let mut platforms = Vec::new();
    for item in values.items("validation.manifests.indexes.platformlist") {
        let mut text = |name: &str| {
            values
                .text(&format!("{item}.{name}"))
                .map(ToOwned::to_owned)
        };
        let platform = (text("architecture"), text("os"));
        platforms.push((
            platform.0.unwrap_or_default(),
            platform.1.unwrap_or_default(),
        ));
    }
    platforms
}

/// Whether `validation` is switched on, and says something here.
fn validates(root: &Node, node: &Node) -> bool {
    is_false(root.at("validation.disabled")) && !node.is_empty()
}
