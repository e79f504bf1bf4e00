//! What clients ask of a token, in the grammar of Docker's token authentication.

use crate::identity::Grant;

/// The most entries that a token is asked for at once.
const ENTRIES: usize = 100;
/// The longest name of an entry.
const NAME_BYTES: usize = 255;

/// Reads scopes, of which one may hold several entries: `repository:team/app:pull,push registry:catalog:*`.
///
/// What is malformed is left out, as clients expect: a token that grants less is no error.
pub fn parse(scopes: &[String]) -> Vec<Grant> {
    scopes
        .iter()
        .flat_map(|scope| scope.split(' '))
        .filter_map(entry)
        .take(ENTRIES)
        .collect()
}

/// A name may have a colon, so the kind ends at the first one and the actions begin after the last.
fn entry(text: &str) -> Option<Grant> {
    let (kind, rest) = text.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    // A class, as in `repository(plugin)`, means nothing any more.
    let kind = kind.split('(').next().unwrap_or(kind);
    if kind.is_empty() || name.is_empty() || name.len() > NAME_BYTES {
        return None;
    }
    let known = |action: &&str| matches!(*action, "pull" | "push" | "delete" | "*");
    let mut actions: Vec<String> = actions
        .split(',')
        .filter(known)
        .map(ToOwned::to_owned)
        .collect();
    actions.sort();
    actions.dedup();
    (!actions.is_empty()).then(|| Grant {
        kind: kind.to_owned(),
        name: name.to_owned(),
        actions,
    })
}

/// Writes entries as one scope.
pub fn write(grants: &[Grant]) -> String {
    let entries: Vec<String> = grants
        .iter()
        .map(|grant| format!("{}:{}:{}", grant.kind, grant.name, grant.actions.join(",")))
        .collect();
    entries.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(scopes: &[&str]) -> String {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        write(&parse(&scopes))
    }

    #[test]
    fn scopes_are_read_from_several_parameters_and_from_one() {
        assert_eq!(
            parsed(&[
                "repository:a/b:push,pull registry:catalog:*",
                "repository:c:pull"
            ]),
            "repository:a/b:pull,push registry:catalog:* repository:c:pull"
        );
        assert_eq!(
            parsed(&["repository(plugin):host:5000/a:pull"]),
            "repository:host:5000/a:pull"
        );
    }

    #[test]
    fn what_is_malformed_or_unknown_is_left_out() {
        for scope in [
            "",
            "repository",
            "repository:a",
            "repository::pull",
            ":a:pull",
            "repository:a:",
            "repository:a:scan",
        ] {
            assert_eq!(parsed(&[scope]), "", "{scope}");
        }
        assert_eq!(
            parsed(&["repository:a:pull,scan,pull x"]),
            "repository:a:pull"
        );
    }

    #[test]
    fn nobody_asks_for_everything_at_once() {
        let scopes = vec!["repository:a:pull ".repeat(300)];

        assert_eq!(parse(&scopes).len(), ENTRIES);
        assert!(parse(&[format!("repository:{}:pull", "a".repeat(256))]).is_empty());
    }
}
