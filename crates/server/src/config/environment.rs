//! Variables of the environment that override the file, as distribution has them.
//!
//! `REGISTRY_HTTP_ADDR` is `http.addr`, and its value is YAML.
//! `REGISTRY_HTTP_SECRET_FILE` names a file that holds the value of `http.secret`.

use std::path::{Path, PathBuf};

use super::files::ReadValue;
use super::keys::{self, Found};
use super::kubernetes;
use super::node::{Node, Origin, Part, Value};
use super::problem::{Problem, Visible, shown};
use super::yaml::{self, Source, Writer};

const PREFIX: &str = "REGISTRY_";
/// It names the file itself.
const CONFIGURATION: &str = "REGISTRY_CONFIGURATION_PATH";
/// The longest name that could be meant for us, in bytes.
const LONGEST_NAME: usize = 256;
/// How many letters of a name may be wrong, missing or too many.
const SLIPS: usize = 2;
/// What the name of a variable ends in whose value is the path of a file.
const FILE: &str = "_file";

/// What the variables come to.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) problems: Vec<Problem>,
    /// Variables that mean nothing.
    pub(super) warnings: Vec<String>,
    /// Their names.
    pub(super) unknown: Vec<String>,
    /// Variables that others than people make.
    pub(super) quiet: Vec<String>,
}

/// Puts the variables over the tree, shorter names first, so that `REGISTRY_STORAGE` comes before what lies below it.
pub(super) fn apply(
    root: &mut Node,
    variables: impl IntoIterator<Item = (String, String)>,
    files: ReadValue,
) -> Applied {
    let mut variables: Vec<_> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX) && name != CONFIGURATION)
        .collect();
    variables.sort();
    let mut applied = Applied::default();
    for (name, text) in &variables {
        match Meaning::of(name) {
            Some(meaning) => {
                if let Err(message) = put(root, name, text, meaning, files) {
                    let origin = Origin::Variable(name.as_str().into());
                    applied.problems.push(Problem::new(origin, message));
                }
            }
            None if kubernetes::makes(name, text) => applied.quiet.push(format!(
                "the variable `{name}` means nothing here; Kubernetes makes it for a service"
            )),
            None => {
                let warning = unknown(name);
                applied.warnings.push(Visible(&warning).to_string());
                applied.unknown.push(name.clone());
            }
        }
    }
    applied
}

/// Variables of ours whose values cannot be read.
pub(super) fn not_text(names: &[String]) -> impl Iterator<Item = Problem> {
    let ours = |name: &&String| name.starts_with(PREFIX) && Meaning::of(name).is_some();
    names.iter().filter(ours).map(|name| {
        let origin = Origin::Variable(name.as_str().into());
        Problem::new(origin, "its value is no text in UTF-8")
    })
}

/// What a variable is about.
enum Meaning {
    /// The value of what lies under this path.
    Value(Vec<Part>),
    /// The file that holds that value.
    File(Vec<Part>),
}

impl Meaning {
    fn of(name: &str) -> Option<Self> {
        if name.len() > LONGEST_NAME {
            return None;
        }
        let lower = name[PREFIX.len()..].to_lowercase();
        if let Some(path) = path_of(&lower) {
            return Some(Self::Value(path));
        }
        lower.strip_suffix(FILE).and_then(path_of).map(Self::File)
    }
}

/// The path that a name means; without one, it means nothing.
fn path_of(name: &str) -> Option<Vec<Part>> {
    let mut path = Vec::new();
    let mut pattern = String::new();
    for part in name.split('_') {
        if keys::has_separators(part) {
            return None;
        }
        let item = format!("{pattern}[]");
        if let Ok(index) = part.parse()
            && !matches!(keys::find(&item), Found::Nothing)
        {
            pattern = item;
            path.push(Part::Item(index));
            continue;
        }
        for name in in_the_file(&pattern, part) {
            let dot = if pattern.is_empty() { "" } else { "." };
            pattern = format!("{pattern}{dot}{name}");
            path.push(Part::Key(name.to_owned()));
        }
    }
    let is_known = !matches!(keys::find(&pattern), Found::Nothing) && pattern != "version";
    is_known.then_some(path)
}

/// What the file calls a part of a name: distribution goes by the fields of its source there, some of which have other names.
fn in_the_file<'a>(section: &str, part: &'a str) -> Vec<&'a str> {
    let renamed: &[&str] = match (section, part) {
        ("notifications", "eventconfig") => &["events"],
        ("health", "filecheckers") => &["file"],
        ("health", "httpcheckers") => &["http"],
        ("health", "tcpcheckers") => &["tcp"],
        ("log.hooks[]", "mailoptions") => &["options"],
        ("compatibility.schema1", "trustkey") => &["signingkeyfile"],
        // What lies below it stands in the section itself.
        ("redis", "options") => &[],
        _ => return vec![part],
    };
    renamed.to_vec()
}

fn put(
    root: &mut Node,
    name: &str,
    text: &str,
    meaning: Meaning,
    files: ReadValue,
) -> Result<(), String> {
    let origin = Origin::Variable(name.into());
    let (path, node) = match meaning {
        Meaning::Value(path) => (path, node_of(name, text, files)?),
        Meaning::File(path) => {
            let parts: Vec<_> = path.iter().map(ToString::to_string).collect();
            let other = format!("{PREFIX}{}", parts.join("_").to_uppercase());
            if set_by(root, &path, &other) {
                return Err(format!(
                    "`{other}` is set as well, and only one of them can count"
                ));
            }
            let file = PathBuf::from(text);
            let value = Value::Scalar(yaml::read(files, Path::new(text))?);
            let file = Some(file);
            (
                path,
                Node {
                    origin,
                    value,
                    file,
                },
            )
        }
    };
    root.put(&path, node).map_err(|error| error.to_string())
}

fn node_of(name: &str, text: &str, files: ReadValue) -> Result<Node, String> {
    let source = Source {
        writer: Writer::Variable(name),
        files,
    };
    let document = yaml::parse(text, source);
    let document = document.map_err(|error| error.to_string())?;
    match document.problems.into_iter().next() {
        Some(problem) => Err(problem.message),
        None => Ok(document.root),
    }
}

/// Whether that variable has set what lies under the path.
fn set_by(root: &Node, path: &[Part], variable: &str) -> bool {
    let found = path.iter().try_fold(root, |node, part| match part {
        Part::Key(key) => node.get(key),
        Part::Item(index) => node.items().get(*index),
    });
    found.is_some_and(|node| matches!(&node.origin, Origin::Variable(name) if **name == *variable))
}

fn unknown(name: &str) -> String {
    let near = keys::all()
        .map(|key| variable_of(key.path))
        // Comparing takes long, and most names differ by more than this in their length alone.
        // A name with `_` in a part of its path is none, for distribution neither.
        .filter(|known| known != name)
        .filter(|known| known.len().abs_diff(name.len()) <= SLIPS)
        .map(|known| (strsim::osa_distance(&known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= SLIPS);
    match near {
        Some((_, known)) => {
            format!("the variable `{name}` means nothing here: did you mean `{known}`?")
        }
        None => format!("the variable {} means nothing here", shown(name)),
    }
}

/// The variable of a key; the items of lists have numbers.
pub(super) fn variable_of(path: &str) -> String {
    let name = path.replace("[]", "_0").replace('.', "_");
    format!("{PREFIX}{}", name.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::super::files;
    use super::*;

    fn applied(text: &str, variables: &[(&str, &str)]) -> (Node, Applied) {
        let source = Source {
            writer: Writer::File,
            files: files::value,
        };
        let mut root = yaml::parse(text, source).unwrap().root;
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let applied = apply(&mut root, variables, files::value);
        (root, applied)
    }

    fn text(root: &Node, path: &str) -> String {
        match root.at(path).map(|node| &node.value) {
            Some(Value::Scalar(text)) => text.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_variable_overrides_the_file_and_makes_what_is_missing() {
        let (root, applied) = applied(
            "http: {addr: ':5000'}",
            &[
                ("REGISTRY_HTTP_ADDR", "localhost:5001"),
                ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
                ("REGISTRY_CONFIGURATION_PATH", "/x"),
                ("PATH", "/bin"),
            ],
        );

        assert_eq!(text(&root, "http.addr"), "localhost:5001");
        assert_eq!(text(&root, "storage.delete.enabled"), "true");
        assert!(
            applied.problems.is_empty() && applied.warnings.is_empty(),
            "{applied:?}"
        );
    }

    #[test]
    fn a_value_is_yaml() {
        let (root, _) = applied(
            "",
            &[
                ("REGISTRY_HTTP_HEADERS", "{X-A: [b, c]}"),
                ("REGISTRY_HTTP_HOST", ""),
            ],
        );

        assert_eq!(root.at("http.headers.X-A").unwrap().items().len(), 2);
        assert!(root.at("http.host").unwrap().is_empty());
    }

    #[test]
    fn a_driver_that_is_named_first_gets_its_parameters_after() {
        let (root, _) = applied(
            "storage: {s3: {bucket: b}}",
            &[
                ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/data"),
                ("REGISTRY_STORAGE", "filesystem"),
            ],
        );

        assert_eq!(text(&root, "storage.filesystem.rootdirectory"), "/data");
        assert!(root.at("storage.s3").is_none());
    }

    #[test]
    fn variables_of_others_only_warn() {
        let (root, applied) = applied(
            "",
            &[
                ("REGISTRY_PORT", "tcp://10.0.0.1:5000"),
                ("REGISTRY_PORT_5000_TCP_ADDR", "10.0.0.1"),
                ("REGISTRY_SERVICE_HOST", "[not yaml"),
                ("REGISTRY_HTTP_ADR", ":5000"),
                ("REGISTRY_VERSION", "0.2"),
            ],
        );

        assert_eq!(root.value, Value::Null);
        assert!(applied.problems.is_empty());
        assert_eq!((applied.warnings.len(), applied.quiet.len()), (2, 3));
        assert!(
            applied.warnings[0].contains("REGISTRY_HTTP_ADDR"),
            "{:?}",
            applied.warnings
        );
    }

    #[test]
    fn names_that_are_no_paths_mean_nothing() {
        let long = format!("REGISTRY_LOG_FIELDS{}", "_A".repeat(10_000));

        let (root, applied) = applied("", &[(&long, "a"), ("REGISTRY_HTTP.ADDR", "b")]);

        assert_eq!(root.value, Value::Null);
        assert_eq!(applied.warnings.len(), 2);
    }

    #[test]
    fn a_list_takes_numbers_without_gaps() {
        let text = "notifications: {endpoints: [{name: a}]}";
        let (root, good) = applied(text, &[("REGISTRY_NOTIFICATIONS_ENDPOINTS_1_NAME", "b")]);
        let (_, gap) = applied(text, &[("REGISTRY_NOTIFICATIONS_ENDPOINTS_3_NAME", "b")]);
        let (_, word) = applied(text, &[("REGISTRY_NOTIFICATIONS_ENDPOINTS_NAME", "b")]);

        assert!(good.problems.is_empty());
        assert_eq!(root.at("notifications.endpoints").unwrap().items().len(), 2);
        assert_eq!((gap.problems.len(), word.warnings.len()), (1, 1));
    }

    #[test]
    fn a_value_that_is_no_yaml_is_a_problem() {
        let (_, applied) = applied("", &[("REGISTRY_HTTP_ADDR", "[")]);

        assert!(
            applied.problems[0]
                .to_string()
                .starts_with("REGISTRY_HTTP_ADDR: this is not YAML")
        );
    }
    #[test]
    fn names_of_distributions_source_mean_what_the_file_calls_otherwise() {
        let (root, applied) = applied(
            "",
            &[
                (
                    "REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES",
                    "true",
                ),
                ("REGISTRY_HEALTH_FILECHECKERS", "[{file: /a}]"),
                ("REGISTRY_REDIS_OPTIONS_PASSWORD", "p"),
                ("REGISTRY_REDIS_ADDRS", "[a]"),
            ],
        );

        assert_eq!(applied.warnings, [""; 0]);
        assert_eq!(
            text(&root, "notifications.events.includereferences"),
            "true"
        );
        assert_eq!(text(&root, "health.file[0].file"), "/a");
        assert_eq!(text(&root, "redis.password"), "p");
        assert_eq!(text(&root, "redis.addrs[0]"), "a");
    }

    #[test]
    fn a_value_may_come_from_a_file_that_a_variable_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "{not: yaml}\n").unwrap();
        let path = path.to_str().unwrap();

        let (root, good) = applied("", &[("REGISTRY_HTTP_SECRET_FILE", path)]);
        let (_, absent) = applied("", &[("REGISTRY_HTTP_SECRET_FILE", "/no/such/file")]);
        let (_, both) = applied(
            "",
            &[
                ("REGISTRY_HTTP_SECRET_FILE", path),
                ("REGISTRY_HTTP_SECRET", "a"),
            ],
        );

        assert!(good.problems.is_empty(), "{good:?}");
        assert_eq!(text(&root, "http.secret"), "{not: yaml}");
        assert!(absent.problems[0].to_string().contains("`/no/such/file`"));
        assert!(both.problems[0].to_string().contains("only one of them"));
    }
}
