//! Where a value lies in the tree: `notifications.endpoints[0].url`.

use std::fmt;

/// A place in the tree, as a person reads it and as the table of keys has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// With the numbers of items: `endpoints[0].url`.
    shown: String,
    /// Without them: `endpoints[].url`.
    pattern: String,
}

impl Place {
    /// The place of `name` in the map that lies here.
    pub(super) fn key(&self, name: &str) -> Self {
        let dot = if self.pattern.is_empty() { "" } else { "." };
        Self {
            shown: format!("{}{dot}{name}", self.shown),
            pattern: format!("{}{dot}{name}", self.pattern),
        }
    }

    /// The place of an item of the list that lies here.
    pub(super) fn item(&self, index: usize) -> Self {
        Self {
            shown: format!("{}[{index}]", self.shown),
            pattern: format!("{}[]", self.pattern),
        }
    }

    /// The path by which the table of keys has it.
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// A key of the table as it is shown here, if it lies in the same section.
    pub(super) fn beside(&self, key: &str) -> String {
        let above = |path: &str| path.rsplit_once('.').map(|(above, _)| above.to_owned());
        match (above(&self.shown), key.rsplit_once('.')) {
            (Some(shown), Some((section, name)))
                if above(&self.pattern).as_deref() == Some(section) =>
            {
                format!("{shown}.{name}")
            }
            _ => key.to_owned(),
        }
    }

    /// Whether this is the whole configuration.
    pub(super) fn is_root(&self) -> bool {
        self.pattern.is_empty()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// One step down a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// To what a map has under this name.
    Key(&'a str),
    /// To this item of a list.
    Item(usize),
}

/// The steps of a path as a person writes it.
pub(super) fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split('.').flat_map(|part| {
        let (name, items) = part.split_at(part.find('[').unwrap_or(part.len()));
        let items = items.split(['[', ']']).filter(|index| !index.is_empty());
        let items = items.filter_map(|index| index.parse().ok().map(Step::Item));
        [Step::Key(name)].into_iter().chain(items)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_with_its_numbers_and_looked_up_without() {
        let place = Place::default()
            .key("health")
            .key("http")
            .item(1)
            .key("uri");

        assert_eq!(place.to_string(), "health.http[1].uri");
        assert_eq!(place.pattern(), "health.http[].uri");
    }

    #[test]
    fn a_path_is_walked_step_by_step() {
        let walked: Vec<_> = steps("a.b[0][12].c").collect();

        assert_eq!(
            walked,
            [
                Step::Key("a"),
                Step::Key("b"),
                Step::Item(0),
                Step::Item(12),
                Step::Key("c")
            ]
        );
    }
}
