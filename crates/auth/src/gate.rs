//! Where rights are decided.

use boxyard_oci::RepoName;

use crate::permit::{Action, List, Permit};

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody has said who they are.
    Anonymous,
}

/// The caller may not do this, whether or not the repository exists.
#[derive(Debug, thiserror::Error)]
#[error("`{action}` of `{repo}` is not allowed")]
pub struct Denied {
    action: &'static str,
    repo: RepoName,
}

impl Denied {
    /// The action that was refused.
    pub fn action(&self) -> &'static str {
        self.action
    }
}

/// Decides which identity may do what.
#[derive(Clone, Debug)]
pub struct Gate {
    rules: Rules,
}

#[derive(Clone, Debug)]
enum Rules {
    Open,
}

impl Gate {
    /// A gate that lets everybody do everything, as `registry` without an `auth` section does.
    pub fn open() -> Self {
        Self { rules: Rules::Open }
    }

    /// Whether nobody has to say who they are.
    pub fn is_open(&self) -> bool {
        matches!(self.rules, Rules::Open)
    }

    /// The right of `identity` to do `A` in `repo`.
    pub fn permit<A: Action>(
        &self,
        identity: &Identity,
        repo: &RepoName,
    ) -> Result<Permit<A>, Denied> {
        match (&self.rules, identity) {
            (Rules::Open, Identity::Anonymous) => Ok(Permit::new(repo)),
        }
    }

    /// The right of `identity` to read the catalog.
    pub fn list(&self, identity: &Identity) -> Option<List> {
        match (&self.rules, identity) {
            (Rules::Open, Identity::Anonymous) => Some(List { private: () }),
        }
    }
}
