//! Who sends one request, with what they may do.

use boxyard_auth::{Action, Denied, Grant, Identity, List, Permit, Reason, scope};
use boxyard_oci::{ErrorCode, RepoName};
use serde_json::json;

use super::{Access, Asked, Flaw};
use crate::error::ApiError;
use crate::v2::needs::Needs;

/// Who sends a request.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    access: &'a Access,
    asked: Asked<'a>,
    identity: Identity,
    /// What a token must grant for this request.
    needs: Needs<'a>,
}

impl<'a> Caller<'a> {
    /// Finds out who sends the request, which needs what `needs` says.
    pub(crate) async fn of(
        access: &'a Access,
        asked: Asked<'a>,
        needs: Needs<'a>,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            identity: access.identify(asked, needs).await?,
            access,
            asked,
            needs,
        })
    }

    /// The name for logs and events, or none for who is anonymous.
    pub(crate) fn name(&self) -> Option<&str> {
        self.identity.name()
    }

    /// The caller's right to do `A` in `repo`.
    pub(crate) fn permit<A: Action>(&self, repo: &RepoName) -> Result<Permit<A>, ApiError> {
        let permit = self.access.gate.permit(&self.identity, repo);
        permit.map_err(|denied| self.refused(&denied))
    }

    /// The caller's right to read the names of repositories.
    pub(crate) fn list(&self) -> Result<List, ApiError> {
        let list = self.access.gate.list(&self.identity);
        list.map_err(|denied| self.refused(&denied))
    }

    /// Lets in whoever has shown who they are; clients ask for nothing else before they log in.
    ///
    /// Where anybody may do something this still asks who it is, because a client that is not asked never says so.
    pub(crate) fn enter(&self) -> Result<(), ApiError> {
        let asks = self.access.knows_somebody();
        let may_stay = self.access.gate.lets_anonymous() && !self.access.challenge.asks();
        if self.identity != Identity::Anonymous || !asks || may_stay {
            return Ok(());
        }
        let reason = "log in first";
        Err(self.access.refuse(self.asked, &reason, "", None))
    }

    fn refused(&self, denied: &Denied) -> ApiError {
        let needs = self.needs.grants();
        let flaw = matches!(self.identity, Identity::Token(_) | Identity::Ticket(_))
            .then_some(Flaw::InsufficientScope);
        let answer = match denied.reason() {
            Reason::Forbidden => return ApiError::client(ErrorCode::Denied, denied),
            Reason::Unauthenticated | Reason::Scope => {
                let scope = scope::write(&needs);
                self.access.refuse(self.asked, denied, &scope, flaw)
            }
        };
        with_detail(answer, &needs)
    }
}

/// Says what the request needs, if that is anything, in the form of distribution.
pub(super) fn with_detail(answer: ApiError, needs: &[Grant]) -> ApiError {
    if needs.is_empty() {
        return answer;
    }
    answer.with_detail(detail(needs))
}

fn detail(needs: &[Grant]) -> serde_json::Value {
    let needs = needs.iter().flat_map(|grant| {
        let actions = grant.actions.iter();
        actions.map(
            |action| json!({"Type": grant.kind, "Class": "", "Name": grant.name, "Action": action}),
        )
    });
    needs.collect()
}
