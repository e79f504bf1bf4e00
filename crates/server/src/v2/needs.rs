//! What a request needs of a token.

use boxyard_auth::Grant;
use http::request::Parts;

use super::route::{Access, Route};
use crate::query::Query;

/// What a token must grant for a request; only an answer that asks for one spells it out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs<'a> {
    pub(super) route: &'a Route,
    pub(super) access: Access,
    pub(super) request: &'a Parts,
}

impl Needs<'_> {
    /// The grants, as distribution asks for them.
    pub(crate) fn grants(self) -> Vec<Grant> {
        let actions: &[&str] = match self.access {
            Access::Nothing | Access::Enter => return Vec::new(),
            Access::List => return vec![grant("registry", "catalog", &["*"])],
            Access::Pull => &["pull"],
            Access::Push => &["pull", "push"],
            Access::Delete => &["delete"],
        };
        let repo = self.route.repo();
        let repo = repo.map(|repo| grant("repository", repo.as_str(), actions));
        let mut needs: Vec<Grant> = repo.into_iter().collect();
        if matches!(self.route, Route::Uploads(_))
            && let Ok(Some(from)) = Query::of(&self.request.uri).from()
        {
            needs.push(grant("repository", from.as_str(), &["pull"]));
        }
        needs
    }
}

fn grant(kind: &str, name: &str, actions: &[&str]) -> Grant {
    Grant {
        kind: kind.to_owned(),
        name: name.to_owned(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
    }
}
