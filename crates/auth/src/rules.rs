//! Access rules: who may do what in which repositories.

use std::str::FromStr;

use boxyard_oci::RepoName;
use globset::{Glob, GlobBuilder, GlobMatcher};

use crate::identity::Identity;

/// Who a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, also who has not said who they are.
    Anyone,
    /// Everybody who has said who they are.
    Authenticated,
    /// A user of the password file, or the subject of a token.
    User(String),
    /// The holder of a client certificate.
    Certificate(String),
}

/// Why a text names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names nobody: expected `anyone`, `authenticated`, a user or `certificate:` and a name"
)]
pub struct WhoError {
    text: String,
}

/// Why a pattern of repository names is none.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{pattern}` is no pattern of repository names")]
pub struct PatternError {
    pattern: String,
    #[source]
    source: globset::Error,
}

/// The text is no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no action: expected `pull`, `push`, `delete` or `*`")]
pub struct ActionError {
    text: String,
}

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions(u8);

/// A pattern of repository names: `*` stays within one part of the name, `**` does not.
#[derive(Clone, Debug)]
pub struct Pattern {
    matcher: GlobMatcher,
    /// What every name that fits begins with.
    prefix: String,
}

/// One rule: each of these people may do each of these things in each of these repositories.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Whom it speaks of.
    pub who: Vec<Who>,
    /// In which repositories.
    pub repositories: Vec<Pattern>,
    /// What they may do there.
    pub actions: Actions,
}

impl FromStr for Who {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Self, WhoError> {
        let named = |name: &str| !name.is_empty() && !name.contains(':');
        match text.split_once(':') {
            None if text == "anyone" => Ok(Self::Anyone),
            None if text == "authenticated" => Ok(Self::Authenticated),
            None if named(text) => Ok(Self::User(text.to_owned())),
            Some(("user", name)) if named(name) => Ok(Self::User(name.to_owned())),
            Some(("certificate", name)) if !name.is_empty() => {
                Ok(Self::Certificate(name.to_owned()))
            }
            _ => Err(WhoError {
                text: text.to_owned(),
            }),
        }
    }
}

impl Who {
    /// A ticket is nobody here: the gate asks for its holder.
    fn is(&self, identity: &Identity) -> bool {
        match self {
            Self::Anyone => true,
            Self::Authenticated => match identity {
                Identity::Anonymous | Identity::Ticket(_) => false,
                Identity::User(_) | Identity::Certificate(_) => true,
                Identity::Token(token) => token.subject.is_some(),
            },
            Self::User(name) => match identity {
                Identity::User(user) => name == user,
                Identity::Token(token) => token.subject.as_ref() == Some(name),
                Identity::Anonymous | Identity::Ticket(_) | Identity::Certificate(_) => false,
            },
            Self::Certificate(name) => {
                matches!(identity, Identity::Certificate(holder) if name == holder)
            }
        }
    }
}

impl FromStr for Actions {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        match text {
            "pull" => Ok(Self(1)),
            "push" => Ok(Self(2)),
            "delete" => Ok(Self(4)),
            "*" => Ok(Self(7)),
            _ => Err(ActionError {
                text: text.to_owned(),
            }),
        }
    }
}

impl Actions {
    /// The actions of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn contain(self, action: &str) -> bool {
        action
            .parse()
            .is_ok_and(|Self(bits)| self.0 & bits == bits && bits != 0)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .backslash_escape(false)
            .build();
        let glob: Glob = glob.map_err(|source| PatternError {
            pattern: text.to_owned(),
            source,
        })?;
        let literal = text.find(['*', '?', '[', '{']).unwrap_or(text.len());
        Ok(Self {
            matcher: glob.compile_matcher(),
            prefix: text[..literal].to_owned(),
        })
    }
}

impl Pattern {
    fn fits(&self, repo: &RepoName) -> bool {
        self.matcher.is_match(repo.as_str())
    }
}

impl Rule {
    /// Whether the rule lets `identity` do `action` in `repo`.
    pub(crate) fn allows(&self, identity: &Identity, action: &str, repo: &RepoName) -> bool {
        self.concerns(identity, action)
            && self.repositories.iter().any(|pattern| pattern.fits(repo))
    }

    /// Whether the rule lets `identity` do `action` anywhere.
    pub(crate) fn concerns(&self, identity: &Identity, action: &str) -> bool {
        self.actions.contain(action) && self.who.iter().any(|who| who.is(identity))
    }
}

/// The repositories that somebody may know of.
#[derive(Debug)]
pub(crate) struct Visible {
    patterns: Vec<Pattern>,
}

impl Visible {
    /// What `identity` may pull by these rules; none if that is nothing.
    pub(crate) fn of(rules: &[Rule], identity: &Identity) -> Option<Self> {
        let concerning = rules.iter().filter(|rule| rule.concerns(identity, "pull"));
        let patterns: Vec<Pattern> = concerning
            .flat_map(|rule| rule.repositories.iter().cloned())
            .collect();
        (!patterns.is_empty()).then_some(Self { patterns })
    }

    pub(crate) fn shows(&self, repo: &RepoName) -> bool {
        self.patterns.iter().any(|pattern| pattern.fits(repo))
    }

    /// The end of the stretch behind `last` in which no name can be visible.
    pub(crate) fn resume(&self, last: &str) -> Option<String> {
        let prefixes = self.patterns.iter().map(|pattern| pattern.prefix.as_str());
        if prefixes.clone().any(|prefix| last.starts_with(prefix)) {
            return Some(last.to_owned());
        }
        let next = prefixes.filter(|prefix| *prefix > last).min()?;
        let before = just_before(next).filter(|before| before.as_str() > last);
        Some(before.unwrap_or_else(|| last.to_owned()))
    }
}

/// A text that is less than `prefix`, and greater than every name that is.
fn just_before(prefix: &str) -> Option<String> {
    let (end, byte) = prefix.bytes().enumerate().next_back()?;
    let below = char::from(byte.is_ascii().then(|| byte.checked_sub(1))??);
    // No byte of a name is greater than a tilde.
    Some(format!("{}{below}~", &prefix[..end]))
}

#[cfg(test)]
mod tests;
