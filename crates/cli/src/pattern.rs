//! Names with wildcards, as commands take them.

use std::str::FromStr;

use anyhow::Context;
use globset::{GlobBuilder, GlobMatcher};

/// A name, or a pattern of names: `*` is anything but a slash, `**` is anything.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    /// None where the text is a name.
    glob: Option<GlobMatcher>,
}

impl Pattern {
    /// What every name matches.
    pub(crate) fn everything() -> Self {
        "**".parse().expect("it is a pattern")
    }

    /// The name, if it is one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.glob.is_none().then_some(self.text.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(name),
            None => self.text == name,
        }
    }

    /// What every match begins with.
    pub(crate) fn prefix(&self) -> &str {
        let end = self.text.find(is_wild).unwrap_or(self.text.len());
        &self.text[..end]
    }
}

impl FromStr for Pattern {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        anyhow::ensure!(!text.is_empty(), "a name or a pattern of names is missing");
        let glob = text
            .contains(is_wild)
            .then(|| {
                let mut builder = GlobBuilder::new(text);
                builder.literal_separator(true).build()
            })
            .transpose()
            .with_context(|| format!("`{text}` is no pattern of names"))?;
        Ok(Self {
            text: text.to_owned(),
            glob: glob.map(|glob| glob.compile_matcher()),
        })
    }
}

fn is_wild(character: char) -> bool {
    matches!(character, '*' | '?' | '[' | ']' | '{' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_a_segment_and_two_do_not() {
        let matches = |pattern: &str, name| pattern.parse::<Pattern>().unwrap().matches(name);

        assert!(matches("team/*", "team/app"));
        assert!(!matches("team/*", "team/app/test"));
        assert!(matches("team/**", "team/app/test"));
        assert!(matches("v1.?", "v1.2"));
        assert!(!matches("team", "team/app"));
        assert!(matches("{a,b}", "b"));
    }

    #[test]
    fn a_name_is_no_pattern_and_a_broken_pattern_is_an_error() {
        let pattern: Pattern = "team/app".parse().unwrap();

        assert_eq!(pattern.name(), Some("team/app"));
        assert_eq!("team/v*".parse::<Pattern>().unwrap().prefix(), "team/v");
        assert!("a[".parse::<Pattern>().is_err());
        assert!("".parse::<Pattern>().is_err());
    }
}
