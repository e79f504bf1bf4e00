//! Whether every key of a configuration is known, and what becomes of it.

use super::key::{Fate, Form, Key};
use super::keys::{self, Found, nearest};
use super::node::{Node, Value};
use super::path::Place;
use super::problem::{Problem, shown};

/// With more problems than this the file is no configuration, and nobody reads on.
const ENOUGH: usize = 1_000;

/// What the checked keys come to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    /// What is accepted and does nothing.
    pub(super) notes: Vec<String>,
    /// Every value that was written, and what it is.
    pub(super) seen: Vec<Seen>,
}

/// A value of the configuration.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) place: Place,
    pub(super) value: Node,
    /// Nothing where nobody knows it.
    pub(super) key: Option<&'static Key>,
    pub(super) effect: Effect,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does what it says.
    Works,
    /// It is accepted and does nothing.
    Idle,
    /// The configuration cannot be served by because of it.
    Refused,
    /// Nobody knows it.
    Unknown,
}

/// Looks at every key of the tree.
pub(super) fn check(root: &Node) -> Checked {
    let mut checker = Checker {
        root,
        checked: Checked::default(),
    };
    checker.inside(root, &Place::default());
    checker.checked
}

struct Checker<'a> {
    root: &'a Node,
    checked: Checked,
}

impl Checker<'_> {
    /// Looks at what lies in a section or in an item of a list.
    fn inside(&mut self, node: &Node, place: &Place) {
        match &node.value {
            Value::Null => {}
            Value::Map(_) if is_list(place) => {
                self.problem(Problem::new(
                    node.origin.clone(),
                    format!("`{place}` must be a list"),
                ));
            }
            Value::Map(entries) => {
                for (name, inner) in entries {
                    let is_path = keys::has_separators(name);
                    self.one(inner, &place.key(name), is_path);
                }
            }
            Value::List(items) if is_list(place) => {
                for (index, item) in items.iter().enumerate() {
                    self.inside(item, &place.item(index));
                }
            }
            Value::Scalar(text) if text.is_empty() => {}
            Value::List(_) | Value::Scalar(_) => {
                let what = if place.is_root() {
                    "the configuration".to_owned()
                } else {
                    format!("`{place}`")
                };
                self.problem(Problem::new(
                    node.origin.clone(),
                    format!("{what} must have keys below it"),
                ));
            }
        }
    }

    /// Looks at one key, which may have a whole path for a name.
    fn one(&mut self, node: &Node, place: &Place, is_path: bool) {
        let (key, effect) = match keys::find(place.pattern()) {
            Found::Section | Found::Key(_) if is_path => {
                self.path(node, place);
                (None, Effect::Unknown)
            }
            Found::Section => return self.inside(node, place),
            Found::Nothing => {
                self.unknown(node, place);
                (None, Effect::Unknown)
            }
            Found::Key(key) => {
                let effect = self.known(node, key);
                // Where the value counts, who reads it says what is wrong with it.
                if effect != Effect::Works || key.form == Form::Keys {
                    self.fits(node, key, place);
                }
                (Some(key), effect)
            }
        };
        let is_above = |key: &Key| key.form == Form::Keys || keys::has_keys_below(key.path);
        if key.is_some_and(is_above) && has_inside(node) {
            return self.inside(node, place);
        }
        self.checked.seen.push(Seen {
            place: place.clone(),
            value: node.clone(),
            key,
            effect,
        });
    }

    fn known(&mut self, node: &Node, key: &'static Key) -> Effect {
        let decider = keys::decider(key);
        let decides_itself = std::ptr::eq(key, decider);
        let whole = self.root.at(decider.path).unwrap_or(node);
        let Key { path, about, .. } = decider;
        match decider.fate {
            Fate::Works | Fate::Part => Effect::Works,
            Fate::Idle => {
                if decides_itself && !node.is_empty() {
                    let said = format!("`{path}` has no effect: {about}");
                    self.checked.notes.push(said);
                }
                Effect::Idle
            }
            Fate::Refused(asks) if asks(self.root, whole) => {
                if decides_itself {
                    let message = format!("`{path}` is refused: {about}");
                    self.problem(Problem::new(node.origin.clone(), message));
                }
                Effect::Refused
            }
            Fate::Refused(_) => Effect::Idle,
        }
    }

    fn fits(&mut self, node: &Node, key: &Key, place: &Place) {
        if let Some(expected) = key.form.misfit(node) {
            let message = format!("`{place}`: {expected}");
            self.problem(Problem::new(node.origin.clone(), message));
        }
    }

    /// Elsewhere `a.b` as a name means `b` below `a`, but not in YAML.
    fn path(&mut self, node: &Node, place: &Place) {
        let (above, below) = place.pattern().rsplit_once('.').unwrap_or_default();
        let message = format!(
            "unknown key {}: expected `{above}:`, and `{below}:` below it",
            shown(&place.to_string())
        );
        self.problem(Problem::mild(node.origin.clone(), message));
    }

    fn unknown(&mut self, node: &Node, place: &Place) {
        let many = self.checked.problems.len() > ENOUGH;
        let near = if many { None } else { nearest(place.pattern()) };
        let hint = match near {
            Some(near) => format!(": did you mean `{}`?", place.beside(near)),
            None => String::new(),
        };
        let message = format!("unknown key {}{hint}", shown(&place.to_string()));
        self.problem(Problem::mild(node.origin.clone(), message));
    }

    fn problem(&mut self, problem: Problem) {
        if self.checked.problems.len() <= ENOUGH {
            self.checked.problems.push(problem);
        }
    }
}

fn is_list(place: &Place) -> bool {
    keys::has_keys_below(&format!("{}[]", place.pattern()))
}

/// Whether there is something to look at below a key that has a value of its own, too, as in `storage: filesystem`.
fn has_inside(node: &Node) -> bool {
    matches!(&node.value, Value::Map(entries) if !entries.is_empty())
        || matches!(&node.value, Value::List(items) if !items.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::files;
    use super::super::yaml::{self, Source, Writer};
    use super::*;

    fn checked(text: &str) -> (Vec<String>, usize) {
        let source = Source {
            writer: Writer::File,
            files: files::value,
        };
        let checked = check(&yaml::parse(text, source).unwrap().root);
        let problems = checked.problems.iter().map(ToString::to_string).collect();
        (problems, checked.notes.len())
    }

    #[test]
    fn what_protects_is_refused() {
        let table = [
            "auth: {silly: {realm: r, service: s}}",
            "proxy: {remoteurl: 'https://registry-1.docker.io'}",
            "storage: {s3: {bucket: b}}",
            "middleware: {storage: [{name: cloudfront}]}",
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
            "auth: {none: }",
            "auth:",
            "http: {tls: {certificate: '', clientcas: []}, net: tcp, prefix: /}",
            "proxy: {remoteurl: '', username: x}",
            "storage: {maintenance: {readonly: {enabled: no}}}",
            "middleware: {storage: [{name: cloudfront, disabled: true}]}",
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
            "redis: {addrs: [a]}\nlog: {reportcaller: true}\nstorage: {cache: {blobdescriptor: redis}}",
        );

        assert_eq!((problems, notes), (Vec::new(), 3));
    }

    #[test]
    fn unknown_keys_name_their_line_and_the_nearest_known_one() {
        let (problems, _) = checked(
            "storage:\n  filesystm: {}\nadresses: x\naddr: ':5000'\nhttp:\n  relativeURLs: true\n  frobnicate: 1\n",
        );

        assert_eq!(
            problems,
            [
                "line 2: unknown key `storage.filesystm`: did you mean `storage.filesystem`?",
                "line 3: unknown key `adresses`",
                "line 4: unknown key `addr`: did you mean `http.addr`?",
                "line 6: unknown key `http.relativeURLs`: did you mean `http.relativeurls`?",
                "line 7: unknown key `http.frobnicate`",
            ]
        );
    }

    #[test]
    fn what_is_not_there_yet_says_so_and_its_misspelt_keys_too() {
        let (problems, _) = checked(
            "storage:\n  s3:\n    buckt: b\n    region: [a]\n  azure: {credentials: {clientid: x, tenant: y}}\n  gcs: account\n\
             middleware: {storage: [{name: cloudfront, options: {baseurI: x}}]}\n\
             redis: {adrs: [a], db: {a: b}}\n",
        );

        assert_eq!(
            problems,
            [
                "line 2: `storage.s3` is refused: object stores are not there yet: `filesystem` and `inmemory` are",
                "line 3: unknown key `storage.s3.buckt`: did you mean `storage.s3.bucket`?",
                "line 4: `storage.s3.region`: expected a text",
                "line 5: `storage.azure` is refused: object stores are not there yet: `filesystem` and `inmemory` are",
                "line 5: unknown key `storage.azure.credentials.tenant`: did you mean `storage.azure.credentials.tenantid`?",
                "line 6: `storage.gcs` is refused: object stores are not there yet: `filesystem` and `inmemory` are",
                "line 6: `storage.gcs`: expected keys below it",
                "line 7: `middleware` is refused: middleware is not there yet",
                "line 7: unknown key `middleware.storage[0].options.baseurI`: did you mean `middleware.storage[0].options.baseurl`?",
                "line 8: unknown key `redis.adrs`: did you mean `redis.addrs`?",
                "line 8: `redis.db`: expected a text",
            ]
        );
    }

    #[test]
    fn nothing_lies_below_what_has_no_keys() {
        let (problems, _) = checked(
            "storage: {inmemory: {rootdirectory: /x}}\nauth: {none: {realm: x}}\nhttp: {debug: {addr: ':1', adr: x}}\n",
        );

        assert_eq!(
            problems,
            [
                "line 1: unknown key `storage.inmemory.rootdirectory`: did you mean `storage.filesystem.rootdirectory`?",
                "line 2: unknown key `auth.none.realm`: did you mean `auth.htpasswd.realm`?",
                "line 3: unknown key `http.debug.adr`: did you mean `http.debug.addr`?",
            ]
        );
    }

    #[test]
    fn every_key_that_is_written_has_a_form_or_keys_below_it() {
        // Those that are a choice by their being there.
        const WORDS: [&str; 3] = ["storage.inmemory", "storage.rados", "auth.none"];

        for key in keys::all().filter(|key| key.form == Form::Keys) {
            let is_above = keys::has_keys_below(key.path);
            assert!(is_above || WORDS.contains(&key.path), "{}", key.path);
        }
    }

    #[test]
    fn a_path_is_no_key() {
        let (problems, _) = checked("http.addr: ':5000'\nlog: {fields: {a.b: c}}\n");

        assert_eq!(
            problems,
            ["line 1: unknown key `http.addr`: expected `http:`, and `addr:` below it"]
        );
    }

    #[test]
    fn a_section_must_be_a_map() {
        let (problems, _) = checked("http: 5000\n");

        assert_eq!(problems, ["line 1: `http` must have keys below it"]);
    }
}
