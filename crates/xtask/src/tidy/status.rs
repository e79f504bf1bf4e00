//! The status page names tests; each of them must exist.

use super::{Complaint, Source};

/// Complains of every test in `docs/STATUS.md` that is nowhere in the code.
///
/// A test is written there as `` `test: name` ``.
pub(crate) fn check(sources: &[Source]) -> Vec<Complaint> {
    let Some(status) = sources
        .iter()
        .find(|source| source.path.ends_with("docs/STATUS.md"))
    else {
        return vec![Complaint::new(
            "docs/STATUS.md",
            "the status page is missing",
        )];
    };
    let named = status
        .text
        .split('`')
        .filter_map(|words| words.strip_prefix("test: "));
    named
        .filter(|test| !sources.iter().any(|source| defines(source, test)))
        .map(|test| Complaint::new("docs/STATUS.md", format!("there is no test `{test}`")))
        .collect()
}

fn defines(source: &Source, test: &str) -> bool {
    let is_code = source.has_extension("rs") || source.has_extension("go");
    let name = test.rsplit("::").next().unwrap_or(test);
    is_code && source.text.contains(&format!("fn {name}(")) || source.path.ends_with(test)
}
