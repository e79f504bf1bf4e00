//! `validation` and `policy`: which manifests are taken.

use boxyard_registry::{Children, Platform, Rules as ManifestRules, Urls};

use crate::config::key::{Form, Key, Known, works};
use crate::config::node::Origin;
use crate::config::problem::shown;
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "validation.enabled",
        "",
        "The older switch of `validation.manifests`: `true` counts more than `validation.disabled`.",
    )
    .form(Form::Boolean),
    works(
        "validation.disabled",
        "`false`",
        "Switches `validation.manifests` off: layers may be fetched from anywhere, and an index may lack its images.",
    )
    .form(Form::Boolean),
    works(
        "validation.manifests.urls.allow",
        "",
        "Regular expressions of which one must match each URL that a layer is to be fetched from. With neither `allow` nor `deny`, no manifest with such layers is taken.",
    )
    .form(Form::Texts)
    .example("[^https://mirror\\.example\\.com/]"),
    works(
        "validation.manifests.urls.deny",
        "",
        "Regular expressions of which none may match such a URL.",
    )
    .form(Form::Texts),
    works(
        "validation.manifests.indexes.platforms",
        "`all`",
        "Which images of an index its repository must hold: all, none, or those of `platformlist`.",
    )
    .form(Form::Choice(&["all", "none", "list"]))
    .known(Known::Three),
    works(
        "validation.manifests.indexes.platformlist[].architecture",
        "",
        "The architecture of images that must be there, such as `amd64`.",
    )
    .form(Form::Text)
    .known(Known::Three),
    works(
        "validation.manifests.indexes.platformlist[].os",
        "",
        "Their operating system, such as `linux`.",
    )
    .form(Form::Text)
    .known(Known::Three),
    works(
        "policy.repository.classes",
        "",
        "The types of images that are taken, `image` and `plugin`; everything is where none is named.",
    )
    .form(Form::Texts),
    works(
        "boxyard.manifests.sparse",
        "`false`",
        "Accepts manifests that name blobs or manifests which their repository does not hold.",
    )
    .form(Form::Boolean),
];

/// Which manifests are taken.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether a manifest may name what its repository does not hold.
    pub sparse: bool,
    /// What else is asked of a manifest.
    pub manifests: ManifestRules,
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Rules {
    let disabled = values.boolean("validation.disabled").unwrap_or(false);
    let validates = values.boolean("validation.enabled").unwrap_or(false) || !disabled;
    let (urls, children) = (read_urls(values), read_children(values));
    let classes = values.texts("policy.repository.classes");
    Rules {
        sparse: values.boolean("boxyard.manifests.sparse").unwrap_or(false),
        manifests: ManifestRules {
            urls: urls.filter(|_| validates),
            children: if validates {
                children
            } else {
                Children::Optional
            },
            classes: classes.into_iter().map(ToOwned::to_owned).collect(),
        },
    }
}

fn read_urls(values: &mut Values<'_>) -> Option<Urls> {
    const LISTS: [&str; 2] = [
        "validation.manifests.urls.allow",
        "validation.manifests.urls.deny",
    ];
    let [allow, deny] = LISTS.map(|path| values.texts(path));
    for (path, list) in LISTS.into_iter().zip([&allow, &deny]) {
        for text in list {
            if Urls::new(&[text], &[]).is_err() {
                let message = format!("{} is no regular expression", shown(text));
                values.wrong(path, &message);
            }
        }
    }
    // Without a file, nobody has asked for distribution's defaults.
    let asked = values.node("version").map(|node| &node.origin) != Some(&Origin::Default);
    let says = asked || !allow.is_empty() || !deny.is_empty();
    says.then(|| Urls::new(&allow, &deny).ok()).flatten()
}

fn read_children(values: &mut Values<'_>) -> Children {
    #[derive(Clone, Copy)]
    enum Which {
        All,
        Optional,
        List,
    }
    const WHICH: [(&str, Which); 3] = [
        ("all", Which::All),
        ("none", Which::Optional),
        ("list", Which::List),
    ];
    let which = values.choice("validation.manifests.indexes.platforms", &WHICH);
    match which.unwrap_or(Which::All) {
        Which::All => Children::All,
        Which::Optional => Children::Optional,
        Which::List => match read_platforms(values) {
            list if list.is_empty() => Children::All,
            list => Children::Of(list),
        },
    }
}

fn read_platforms(values: &mut Values<'_>) -> Vec<Platform> {
    let items = values.items("validation.manifests.indexes.platformlist");
    let platforms = items.into_iter().map(|item| {
        let mut text = |name: &str| {
            let text = values.text(&format!("{item}.{name}"));
            text.unwrap_or_default().to_owned()
        };
        Platform {
            architecture: text("architecture"),
            os: text("os"),
        }
    });
    platforms.collect()
}
