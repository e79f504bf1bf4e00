//! Variables of the environment that override the file, as distribution has them.
//!
//! `REGISTRY_HTTP_ADDR` is `http.addr`, and its value is YAML.

use super::keys::{self, Found};
use super::node::{Node, Origin};
use super::problem::Problem;
use super::yaml;

const PREFIX: &str = "REGISTRY_";
/// It names the file itself.
const FILE: &str = "REGISTRY_CONFIGURATION_PATH";

/// What the variables come to.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) problems: Vec<Problem>,
    /// Variables that mean nothing; Kubernetes makes some for a service that is called `registry`.
    pub(super) warnings: Vec<String>,
}

/// Puts the variables over the tree, shorter names first, so that `REGISTRY_STORAGE` comes before what lies below it.
pub(super) fn apply(
    root: &mut Node,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Applied {
    let mut variables: Vec<_> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX) && name != FILE)
        .collect();
    variables.sort();
    let mut applied = Applied::default();
    for (name, text) in variables {
        applied.one(root, &name, &text);
    }
    applied
}

impl Applied {
    fn one(&mut self, root: &mut Node, name: &str, text: &str) {
        let path: Vec<String> = name[PREFIX.len()..]
            .split('_')
            .map(str::to_lowercase)
            .collect();
        if matches!(keys::find(&path.join(".")), Found::Nothing) || path[0] == "version" {
            self.warnings.push(unknown(name));
            return;
        }
        let put = match yaml::parse(text, Some(name)) {
            Ok(node) => root.put(&path, node).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(message) = put {
            self.problems.push(Problem {
                origin: Origin::Variable(name.to_owned()),
                message,
            });
        }
    }
}

fn unknown(name: &str) -> String {
    let near = keys::all()
        .map(|key| format!("{PREFIX}{}", key.path.to_uppercase().replace('.', "_")))
        .map(|known| (strsim::osa_distance(&known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    match near {
        Some((_, known)) => {
            format!("the variable `{name}` means nothing here: did you mean `{known}`?")
        }
        None => format!("the variable `{name}` means nothing here"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::Value;
    use super::*;

    fn applied(text: &str, variables: &[(&str, &str)]) -> (Node, Applied) {
        let mut root = yaml::parse(text, None).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let applied = apply(&mut root, variables);
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
        assert_eq!(applied.warnings.len(), 5);
        assert!(
            applied.warnings[0].contains("REGISTRY_HTTP_ADDR"),
            "{:?}",
            applied.warnings
        );
    }

    #[test]
    fn a_list_takes_numbers_without_gaps() {
        let text = "notifications: {endpoints: [{name: a}]}";
        let (root, good) = applied(text, &[("REGISTRY_NOTIFICATIONS_ENDPOINTS_1_NAME", "b")]);
        let (_, gap) = applied(text, &[("REGISTRY_NOTIFICATIONS_ENDPOINTS_3_NAME", "b")]);
        let (_, word) = applied(text, &[("REGISTRY_NOTIFICATIONS_ENDPOINTS_NAME", "b")]);

        assert!(good.problems.is_empty());
        assert_eq!(root.at("notifications.endpoints").unwrap().items().len(), 2);
        assert_eq!((gap.problems.len(), word.problems.len()), (1, 1));
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
}
