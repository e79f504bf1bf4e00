//! The proof of a right, per action.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use boxyard_oci::RepoName;

use crate::rules::Visible;

/// What a permit allows, as a type.
pub trait Action: sealed::Sealed + Copy + Send + Sync + 'static {
    /// The action's name in token scopes and access rules.
    const NAME: &'static str;
    /// Whether it is [`Push`], whose permits say more of their holder.
    const WRITES: bool;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, writes: $writes:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name;
        impl sealed::Sealed for $name {}
        impl Action for $name { const NAME: &'static str = $text; const WRITES: bool = $writes; }
    )*};
}

actions! {
    /// Reading blobs, manifests, tags and referrers of a repository.
    Pull = "pull", writes: false;
    /// Writing blobs, manifests and tags to a repository.
    Push = "push", writes: true;
    /// Removing blobs, manifests and tags from a repository.
    Delete = "delete", writes: false;
}

/// Reading the names of repositories: of all, or of those that the caller may pull.
#[derive(Clone, Debug)]
pub struct List {
    /// None is all of them.
    pub(crate) visible: Option<Arc<Visible>>,
}

impl List {
    /// Whether the caller may know of every repository.
    pub fn shows_all(&self) -> bool {
        self.visible.is_none()
    }

    /// Whether the caller may know of the repository.
    pub fn shows(&self, repo: &RepoName) -> bool {
        self.visible
            .as_ref()
            .is_none_or(|visible| visible.shows(repo))
    }

    /// Where to go on after `last`, which may be further on: in between there is nothing that the caller may know of.
    ///
    /// None means that nothing follows at all.
    pub fn resume(&self, last: &str) -> Option<String> {
        match &self.visible {
            None => Some(last.to_owned()),
            Some(visible) => visible.resume(last),
        }
    }
}

/// The right to do `A` in one repository.
#[derive(Clone, PartialEq, Eq)]
pub struct Permit<A: Action> {
    repo: RepoName,
    owner: Option<Arc<str>>,
    classes: Arc<[String]>,
    action: PhantomData<A>,
}

impl<A: Action> Permit<A> {
    /// Mints a permit; the gate is the only caller.
    pub(crate) fn new(repo: &RepoName, owner: Option<String>) -> Self {
        Self {
            repo: repo.clone(),
            owner: owner.map(Arc::from),
            classes: Arc::default(),
            action: PhantomData,
        }
    }

    /// The same for a repository that a token says is for these classes of images.
    pub(crate) fn of_classes(mut self, classes: Vec<String>) -> Self {
        self.classes = classes.into();
        self
    }

    /// The repository that the permit is for.
    pub fn repo(&self) -> &RepoName {
        &self.repo
    }
}

impl Permit<Push> {
    /// Who the uploads of this caller belong to; without one, to whoever may push to the repository.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Whether the repository is for images of this class, such as `plugin`; without a token that says so it is for all.
    pub fn is_for(&self, class: &str) -> bool {
        self.classes.is_empty() || self.classes.iter().any(|known| known == class)
    }
}

impl<A: Action> fmt::Debug for Permit<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Permit<{}>({})", A::NAME, self.repo)
    }
}
