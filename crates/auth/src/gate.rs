//! Where rights are decided.

use std::sync::Arc;

use boxyard_oci::RepoName;

use crate::identity::{Grant, Identity};
use crate::permit::{Action, List, Permit};
use crate::rules::{Rule, Visible};

/// The caller may not do this, whether or not the repository exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: `{action}` of `{name}` is not allowed")]
pub struct Denied {
    action: &'static str,
    name: String,
    reason: Reason,
}

/// What could help somebody who may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// To say who they are.
    Unauthenticated,
    /// A token that grants more.
    Scope,
    /// Nothing but another rule.
    Forbidden,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Unauthenticated => "nobody is logged in",
            Self::Scope => "the token does not grant it",
            Self::Forbidden => "the access rules do not grant it",
        })
    }
}

impl Denied {
    /// The action that was refused.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// What could help.
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

/// Decides which identity may do what.
#[derive(Clone, Debug)]
pub struct Gate {
    rules: Rules,
}

#[derive(Clone, Debug)]
enum Rules {
    /// Everybody may do everything.
    Open,
    /// Everybody who has said who they are may do everything; a token of another server what it grants.
    Authenticated,
    /// What the rules say; a token of another server also what it grants.
    Listed(Arc<[Rule]>),
}

impl Gate {
    /// A gate that lets everybody do everything, as `registry` without an `auth` section does.
    pub fn open() -> Self {
        Self { rules: Rules::Open }
    }

    /// A gate that lets everybody who is known do everything, as `registry` with an `auth` section does.
    pub fn authenticated() -> Self {
        Self {
            rules: Rules::Authenticated,
        }
    }

    /// A gate that lets nobody do anything but what one of the rules allows.
    pub fn of(rules: Vec<Rule>) -> Self {
        Self {
            rules: Rules::Listed(rules.into()),
        }
    }

    /// Whether nobody has to say who they are.
    pub fn is_open(&self) -> bool {
        matches!(self.rules, Rules::Open)
    }

    /// Whether there is anything that may be done by whoever has not said who they are.
    pub fn lets_anonymous(&self) -> bool {
        let anonymous = |rule: &Rule| {
            ["pull", "push", "delete"]
                .iter()
                .any(|action| rule.concerns(&Identity::Anonymous, action))
        };
        match &self.rules {
            Rules::Open => true,
            Rules::Authenticated => false,
            Rules::Listed(rules) => rules.iter().any(anonymous),
        }
    }

    /// The right of `identity` to do `A` in `repo`.
    pub fn permit<A: Action>(
        &self,
        identity: &Identity,
        repo: &RepoName,
    ) -> Result<Permit<A>, Denied> {
        match self.decide(identity, A::NAME, repo) {
            // Only who writes is asked whose the upload is, and of which class the image.
            Ok(()) if A::WRITES => {
                Ok(Permit::new(repo, identity.owner()).of_classes(classes(identity, repo)))
            }
            Ok(()) => Ok(Permit::new(repo, None)),
            Err(reason) => Err(Denied {
                action: A::NAME,
                name: repo.to_string(),
                reason,
            }),
        }
    }

    /// Whether `identity` may do what one entry of a token would grant, named by its action.
    pub fn allows(&self, identity: &Identity, action: &str, repo: &RepoName) -> bool {
        self.decide(identity, action, repo).is_ok()
    }

    fn decide(&self, identity: &Identity, action: &str, repo: &RepoName) -> Result<(), Reason> {
        if self.is_open() {
            return Ok(());
        }
        match identity {
            Identity::Anonymous => self.by_rules(identity, action, repo, Reason::Unauthenticated),
            Identity::User(_) | Identity::Certificate(_) => {
                self.by_rules(identity, action, repo, Reason::Forbidden)
            }
            Identity::Token(token) => {
                let grants = grant(&token.access, "repository", repo.as_str(), action);
                grants.or_else(|reason| self.by_rules(identity, action, repo, reason))
            }
            Identity::Ticket(ticket) => {
                self.decide(&ticket.holder.identity(), action, repo)?;
                grant(&ticket.access, "repository", repo.as_str(), action)
            }
        }
    }

    fn by_rules(
        &self,
        identity: &Identity,
        action: &str,
        repo: &RepoName,
        otherwise: Reason,
    ) -> Result<(), Reason> {
        let allowed = match &self.rules {
            Rules::Open => true,
            Rules::Authenticated => is_of_ours(identity),
            Rules::Listed(rules) => rules.iter().any(|rule| rule.allows(identity, action, repo)),
        };
        allowed.then_some(()).ok_or(otherwise)
    }

    /// The right of `identity` to read the catalog, which shows what it may pull.
    pub fn list(&self, identity: &Identity) -> Result<List, Denied> {
        self.visible(identity)
            .map(|visible| List { visible })
            .map_err(|reason| Denied {
                action: "*",
                name: "catalog".to_owned(),
                reason,
            })
    }

    fn visible(&self, identity: &Identity) -> Result<Option<Arc<Visible>>, Reason> {
        let rules = match &self.rules {
            Rules::Open => return Ok(None),
            Rules::Authenticated if is_of_ours(identity) => return Ok(None),
            Rules::Authenticated => &[][..],
            Rules::Listed(rules) => rules,
        };
        let by_rules = |reason| match Visible::of(rules, identity) {
            Some(visible) => Ok(Some(Arc::new(visible))),
            None => Err(reason),
        };
        match identity {
            Identity::Anonymous => by_rules(Reason::Unauthenticated),
            Identity::User(_) | Identity::Certificate(_) => by_rules(Reason::Forbidden),
            Identity::Token(token) => match grant(&token.access, "registry", "catalog", "*") {
                Ok(()) => Ok(None),
                Err(reason) => by_rules(reason),
            },
            Identity::Ticket(ticket) => {
                let visible = self.visible(&ticket.holder.identity())?;
                grant(&ticket.access, "registry", "catalog", "*").map(|()| visible)
            }
        }
    }
}

/// What the sender's token says that the repository is for, if it is one that does.
fn classes(identity: &Identity, repo: &RepoName) -> Vec<String> {
    match identity {
        Identity::Token(token) => token.classes_of(repo.as_str()),
        Identity::Anonymous
        | Identity::User(_)
        | Identity::Certificate(_)
        | Identity::Ticket(_) => Vec::new(),
    }
}

/// Whether the registry itself knows who this is, so that no token bounds what it may do.
fn is_of_ours(identity: &Identity) -> bool {
    matches!(identity, Identity::User(_) | Identity::Certificate(_))
}

fn grant(access: &[Grant], kind: &str, name: &str, action: &str) -> Result<(), Reason> {
    let granted = access.iter().any(|grant| grant.covers(kind, name, action));
    granted.then_some(()).ok_or(Reason::Scope)
}

#[cfg(test)]
mod tests;
