//! Every key that distribution's `config.yml` has, ours beside them, and what becomes of each.
//!
//! A key that protects, or that changes what the registry means, is refused until it works: a registry that ignores `auth` is worse than one that does not start.

use super::key::{Fate, Key};
use super::node::{Node, Value};
use super::problem::Problem;
use super::sections;

/// All keys.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    sections::ALL.iter().copied().flatten()
}

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
    if let Some(key) = all().find(covers) {
        return Found::Key(key);
    }
    if all().any(|key| is_below(key.path, path)) {
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
                Found::Key(key) => self.one(root, inner, key),
            }
        }
    }

    fn one(&mut self, root: &Node, node: &Node, key: &Key) {
        match key.fate {
            Fate::Works => {}
            Fate::Idle if node.is_empty() => {}
            Fate::Idle => {
                let Key { path, about, .. } = key;
                self.notes.push(format!("`{path}` has no effect: {about}"));
            }
            Fate::Refused(asks) if !asks(root, node) => {}
            Fate::Refused(_) => {
                self.problem(node, format!("`{}` is refused: {}", key.path, key.about));
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
    let siblings = all().filter_map(|key| sibling(key.path, below));
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
        all()
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
