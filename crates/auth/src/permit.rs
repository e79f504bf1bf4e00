//! The proof of a right, per action.

use std::fmt;
use std::marker::PhantomData;

use boxyard_oci::RepoName;

/// What a permit allows, as a type.
pub trait Action: sealed::Sealed + Copy + Send + Sync + 'static {
    /// The action's name in token scopes and access rules.
    const NAME: &'static str;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name;
        impl sealed::Sealed for $name {}
        impl Action for $name { const NAME: &'static str = $text; }
    )*};
}

actions! {
    /// Reading blobs, manifests, tags and referrers of a repository.
    Pull = "pull";
    /// Writing blobs, manifests and tags to a repository.
    Push = "push";
    /// Removing blobs, manifests and tags from a repository.
    Delete = "delete";
}

/// Reading the names of all repositories: the right has no repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    pub(crate) private: (),
}

/// The right to do `A` in one repository.
#[derive(Clone, PartialEq, Eq)]
pub struct Permit<A: Action> {
    repo: RepoName,
    action: PhantomData<A>,
}

impl<A: Action> Permit<A> {
    /// Mints a permit; the gate is the only caller.
    pub(crate) fn new(repo: &RepoName) -> Self {
        Self {
            repo: repo.clone(),
            action: PhantomData,
        }
    }

    /// The repository that the permit is for.
    pub fn repo(&self) -> &RepoName {
        &self.repo
    }
}

impl<A: Action> fmt::Debug for Permit<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Permit<{}>({})", A::NAME, self.repo)
    }
}
