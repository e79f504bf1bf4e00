//! A page of names as one text, since it is sent as one.

use std::sync::Arc;

/// Names in the bytewise order of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Each name with a line feed behind it, which no name has.
    lines: Arc<str>,
    count: usize,
}

impl Names {
    /// The names that `names` gives.
    pub fn of<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let (mut lines, mut count) = (String::new(), 0);
        for name in names {
            lines.push_str(name.as_ref());
            lines.push('\n');
            count += 1;
        }
        Self {
            lines: lines.into(),
            count,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.lines.lines()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were() {
        let names = Names::of(["a", "b/c"]);

        assert_eq!(names.iter().collect::<Vec<_>>(), ["a", "b/c"]);
        assert_eq!(names.len(), 2);
        assert!(Names::of::<&str>([]).is_empty());
    }
}
