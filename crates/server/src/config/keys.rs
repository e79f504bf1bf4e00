//! Every key that distribution's `config.yml` has, ours beside them, and what becomes of each.
//!
//! A key that protects, or that changes what the registry means, is refused until it works: a registry that ignores `auth` is worse than one that does not start.

use super::node::{Node, Value};
use super::problem::Problem;

/// A key by its path, and all that lies below it unless other keys do.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: &'static str,
    pub(super) fate: Fate,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It works.
    Works,
    /// It is accepted and does nothing, which does no harm; the log says why.
    Idle(&'static str),
    /// It is not there yet, so that a configuration that asks for it is refused.
    Refused {
        why: &'static str,
        /// Whether this node, in the whole tree, asks for it.
        asks: fn(&Node, &Node) -> bool,
    },
}

const fn works(path: &'static str) -> Key {
    Key {
        path,
        fate: Fate::Works,
    }
}

const fn idle(path: &'static str, why: &'static str) -> Key {
    Key {
        path,
        fate: Fate::Idle(why),
    }
}

const fn refused(path: &'static str, why: &'static str, asks: fn(&Node, &Node) -> bool) -> Key {
    Key {
        path,
        fate: Fate::Refused { why, asks },
    }
}

const OTHER_STORE: &str = "only `filesystem` is served yet";

/// All keys, section by section in the order of distribution's reference; ours are at the end.
pub(super) const KEYS: &[Key] = &[
    works("version"),
    works("log.accesslog.disabled"),
    works("log.level"),
    works("log.formatter"),
    works("log.fields"),
    idle("log.hooks", "no mail is sent about log lines"),
    idle("log.reportcaller", "every message says what was being done"),
    works("loglevel"),
    works("storage.filesystem.rootdirectory"),
    works("storage.filesystem.maxthreads"),
    refused("storage.inmemory", OTHER_STORE, always),
    refused("storage.s3", OTHER_STORE, always),
    refused("storage.s3aws", OTHER_STORE, always),
    refused("storage.azure", OTHER_STORE, always),
    refused("storage.gcs", OTHER_STORE, always),
    refused("storage.swift", OTHER_STORE, always),
    refused("storage.oss", OTHER_STORE, always),
    refused("storage.rados", OTHER_STORE, always),
    works("storage.delete.enabled"),
    idle(
        "storage.redirect",
        "blobs on a filesystem are served by the registry itself",
    ),
    idle("storage.cache", "the database needs none"),
    idle("storage.tag", "the database knows the tags of a digest"),
    idle(
        "storage.maintenance.uploadpurging",
        "abandoned uploads are not purged yet",
    ),
    refused(
        "storage.maintenance.readonly",
        "a read-only registry is not there yet",
        is_enabled,
    ),
    refused(
        "auth",
        "access control is not there yet, and without it everybody may do everything",
        asks_for_access_control,
    ),
    refused(
        "middleware",
        "middleware is not there yet",
        has_active_middleware,
    ),
    works("http.addr"),
    refused("http.net", "only `tcp` is served yet", |_, node| {
        !is_one_of(node, &["", "tcp"])
    }),
    refused(
        "http.prefix",
        "a prefix of all paths is not there yet",
        |_, node| !is_one_of(node, &["", "/"]),
    ),
    works("http.host"),
    works("http.secret"),
    works("http.relativeurls"),
    works("http.draintimeout"),
    refused("http.tls", "TLS is not there yet", said),
    works("http.headers"),
    idle(
        "http.debug",
        "there is no debug listener and there are no metrics yet",
    ),
    works("http.http2.disabled"),
    idle("http.h2c", "HTTP/2 without TLS is always served"),
    idle("notifications.events", "no events are sent yet"),
    refused(
        "notifications.endpoints",
        "notifications are not there yet",
        has_active_items,
    ),
    idle("redis", "nothing is kept in redis"),
    idle(
        "health",
        "`/v2/` answers as soon as the registry serves; there are no further checks yet",
    ),
    idle(
        "catalog",
        "a page has up to 10000 names, and a catalog without `n` is sent whole",
    ),
    idle(
        "tags",
        "a page has up to 10000 tags, and a list without `n` is sent whole",
    ),
    refused(
        "proxy",
        "a pull-through cache is not there yet",
        |_, node| node.get("remoteurl").is_some_and(|url| !url.is_empty()),
    ),
    works("validation.enabled"),
    works("validation.disabled"),
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
    works("database.path"),
    works("boxyard.manifests.sparse"),
    works("boxyard.uploads.window"),
    works("boxyard.uploads.minimum"),
    works("boxyard.connections.limit"),
    works("boxyard.connections.idletimeout"),
];

/// What a path is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// This key, or something below it.
    Key(&'static Key),
    /// Keys lie below it.
    Section,
    /// Nobody knows it.
    Nothing,
}

/// Looks a path up.
pub(super) fn find(path: &str) -> Found {
    let covers = |key: &&Key| path == key.path || is_below(path, key.path);
    if let Some(key) = KEYS.iter().find(covers) {
        return Found::Key(key);
    }
    if KEYS.iter().any(|key| is_below(key.path, path)) {
        Found::Section
    } else {
        Found::Nothing
    }
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// What the checked keys come to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    /// What is accepted and does nothing.
    pub(super) notes: Vec<String>,
}

/// Looks at every key of the tree.
pub(super) fn check(root: &Node) -> Checked {
    let mut checked = Checked::default();
    checked.section(root, root, "");
    checked
}

impl Checked {
    fn section(&mut self, root: &Node, node: &Node, path: &str) {
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            let what = if path.is_empty() {
                "the configuration".to_owned()
            } else {
                format!("`{path}`")
            };
            self.problem(node, format!("{what} must have keys below it"));
        }
        for (name, inner) in node.entries() {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match find(&path) {
                Found::Section => self.section(root, inner, &path),
                Found::Nothing => self.unknown(inner, &path),
                Found::Key(key) => self.key(root, inner, key),
            }
        }
    }

    fn key(&mut self, root: &Node, node: &Node, key: &Key) {
        match key.fate {
            Fate::Works => {}
            Fate::Idle(why) => {
                if !node.is_empty() {
                    self.notes
                        .push(format!("`{}` has no effect: {why}", key.path));
                }
            }
            Fate::Refused { why, asks } => {
                if asks(root, node) {
                    self.problem(node, format!("`{}` is refused: {why}", key.path));
                }
            }
        }
    }

    fn unknown(&mut self, node: &Node, path: &str) {
        let hint = match nearest(path) {
            Some(near) => format!(": did you mean `{near}`?"),
            None => String::new(),
        };
        self.problem(node, format!("unknown key `{path}`{hint}"));
    }

    fn problem(&mut self, node: &Node, message: String) {
        self.problems.push(Problem {
            origin: node.origin.clone(),
            message,
        });
    }
}

/// The known path that an unknown one was probably meant to be.
pub(super) fn nearest(path: &str) -> Option<&'static str> {
    let below = path.rsplit_once('.').map_or("", |(parent, _)| parent);
    let siblings = KEYS.iter().filter_map(|key| sibling(key.path, below));
    let near = siblings
        .map(|candidate| {
            (
                strsim::osa_distance(&candidate.to_lowercase(), &path.to_lowercase()),
                candidate,
            )
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 2);
    let name = path.rsplit('.').next().unwrap_or(path);
    // The right key in the wrong section.
    let elsewhere = || {
        KEYS.iter()
            .map(|key| key.path)
            .find(|known| known.rsplit('.').next() == Some(name))
    };
    near.map(|(_, candidate)| candidate).or_else(elsewhere)
}

/// The part of `known` that lies directly in the section `below`.
fn sibling(known: &'static str, below: &str) -> Option<&'static str> {
    let start = if below.is_empty() {
        0
    } else if is_below(known, below) {
        below.len() + 1
    } else {
        return None;
    };
    let length = known[start..]
        .find('.')
        .map_or(known.len(), |dot| start + dot);
    Some(&known[..length])
}

fn always(_: &Node, _: &Node) -> bool {
    true
}

fn said(_: &Node, node: &Node) -> bool {
    !node.is_empty()
}

fn is_one_of(node: &Node, texts: &[&str]) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Scalar(text) => texts.contains(&text.to_lowercase().as_str()),
        Value::List(_) | Value::Map(_) => false,
    }
}

fn is_false(node: Option<&Node>) -> bool {
    node.is_none_or(|node| is_one_of(node, &["", "false", "no", "off", "n"]))
}

fn is_enabled(_: &Node, node: &Node) -> bool {
    !is_false(node.get("enabled"))
}

fn asks_for_access_control(_: &Node, node: &Node) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Scalar(name) => !matches!(name.as_str(), "" | "none"),
        Value::List(_) => true,
        Value::Map(entries) => entries.iter().any(|(name, _)| name != "none"),
    }
}

fn has_active_items(_: &Node, node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.iter().any(|item| is_false(item.get("disabled"))),
        _ => !node.is_empty(),
    }
}

fn has_active_middleware(root: &Node, node: &Node) -> bool {
    node.entries()
        .iter()
        .any(|(_, list)| has_active_items(root, list))
}

/// Whether `validation` is switched on, and says something here.
fn validates(root: &Node, node: &Node) -> bool {
    is_false(root.at("validation.disabled")) && !node.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    fn checked(text: &str) -> (Vec<String>, usize) {
        let checked = check(&yaml::parse(text, None).unwrap());
        let problems = checked.problems.iter().map(ToString::to_string).collect();
        (problems, checked.notes.len())
    }

    #[test]
    fn what_protects_is_refused() {
        let table = [
            "auth: {htpasswd: {realm: r, path: /p}}",
            "auth: token",
            "http: {tls: {certificate: /c}}",
            "http: {net: unix}",
            "http: {prefix: /x/}",
            "proxy: {remoteurl: 'https://registry-1.docker.io'}",
            "storage: {maintenance: {readonly: {enabled: true}}}",
            "storage: {s3: {bucket: b}}",
            "storage: {inmemory: }",
            "middleware: {storage: [{name: cloudfront}]}",
            "notifications: {endpoints: [{name: a, url: u}]}",
            "validation: {manifests: {urls: {allow: [x]}}}",
            "validation: {manifests: {indexes: {platforms: List}}}",
            "policy: {repository: {classes: [image]}}",
        ];

        for text in table {
            let (problems, _) = checked(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].contains("is refused"), "{text}: {problems:?}");
        }
    }

    #[test]
    fn what_is_switched_off_is_not_refused() {
        let table = [
            "auth: none",
            "auth:",
            "http: {tls: {certificate: '', clientcas: []}, net: tcp, prefix: /}",
            "proxy: {remoteurl: '', username: x}",
            "storage: {maintenance: {readonly: {enabled: no}}}",
            "middleware: {storage: [{name: cloudfront, disabled: true}]}",
            "notifications: {endpoints: [{name: a, disabled: true}]}",
            "validation: {disabled: true, manifests: {urls: {allow: [x]}}}",
            "validation: {manifests: {indexes: {platforms: None}}}",
            "policy: {repository: {classes: []}}",
        ];

        for text in table {
            assert_eq!(checked(text), (Vec::new(), 0), "{text}");
        }
    }

    #[test]
    fn what_is_harmless_is_said() {
        let (problems, notes) = checked(
            "redis: {addrs: [a]}\nhealth: {storagedriver: {enabled: true}}\nstorage: {cache: {blobdescriptor: redis}}",
        );

        assert_eq!((problems, notes), (Vec::new(), 3));
    }

    #[test]
    fn unknown_keys_name_their_line_and_the_nearest_known_one() {
        let (problems, _) = checked(
            "storage:\n  filesystm: {}\nadress: x\naddr: ':5000'\nhttp:\n  relativeURLs: true\n  frobnicate: 1\n",
        );

        assert_eq!(
            problems,
            [
                "line 2: unknown key `storage.filesystm`: did you mean `storage.filesystem`?",
                "line 3: unknown key `adress`",
                "line 4: unknown key `addr`: did you mean `http.addr`?",
                "line 6: unknown key `http.relativeURLs`: did you mean `http.relativeurls`?",
                "line 7: unknown key `http.frobnicate`",
            ]
        );
    }

    #[test]
    fn a_section_must_be_a_map() {
        let (problems, _) = checked("http: 5000\n");

        assert_eq!(problems, ["line 1: `http` must have keys below it"]);
    }
}
