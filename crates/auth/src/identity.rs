//! Who sends a request.

use std::sync::Arc;

/// Who sends a request, as one of the authenticators has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody has said who they are.
    Anonymous,
    /// A user of the password file.
    User(String),
    /// The holder of a client certificate, by the name in it.
    Certificate(String),
    /// The bearer of a token that another server issued, and that was verified.
    Token(Arc<TokenIdentity>),
    /// The bearer of a token that this registry issued.
    Ticket(TicketIdentity),
}

/// What a verified token of another server says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenIdentity {
    /// Who it was issued to; servers leave it empty for anonymous callers.
    pub subject: Option<String>,
    /// What it grants.
    pub access: Vec<Grant>,
    /// What each repository of `access` is for: `image`, or what the token says, such as `plugin`.
    pub classes: Vec<(String, String)>,
}

/// One entry of a token's `access`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What `name` is the name of, such as `repository` or `registry`.
    pub kind: String,
    /// The name, such as that of a repository.
    pub name: String,
    /// What may be done to it: `pull`, `push`, `delete` or `*`.
    pub actions: Vec<String>,
}

/// What a token of our own says.
///
/// It is bound twice: by what it was asked for, and by what its holder may do at the time of each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketIdentity {
    /// Who it was issued to.
    pub holder: Holder,
    /// What it grants at most.
    pub access: Vec<Grant>,
}

/// Who a token of our own is issued to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody has said who they are.
    Anonymous,
    /// A user of the password file.
    User(String),
    /// The holder of a client certificate.
    Certificate(String),
}

impl Identity {
    /// The name for logs and events, or none for who is anonymous.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::User(name) | Self::Certificate(name) => Some(name),
            Self::Token(token) => token.subject.as_deref(),
            Self::Ticket(ticket) => ticket.holder.name(),
        }
    }

    /// The key by which uploads know who began them; without one they belong to whoever may push.
    pub(crate) fn owner(&self) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::User(name) => Some(format!("user:{name}")),
            Self::Certificate(name) => Some(format!("certificate:{name}")),
            Self::Token(token) => Some(format!("token:{}", token.subject.as_deref()?)),
            Self::Ticket(ticket) => ticket.holder.identity().owner(),
        }
    }
}

impl TokenIdentity {
    /// What the repository is for; nothing where the token does not speak of it.
    pub(crate) fn classes_of(&self, repo: &str) -> Vec<String> {
        let spoken_of = self.classes.iter().filter(|(name, _)| name == repo);
        spoken_of.map(|(_, class)| class.clone()).collect()
    }
}

impl Holder {
    /// The same as an identity of its own.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Anonymous => Identity::Anonymous,
            Self::User(name) => Identity::User(name.clone()),
            Self::Certificate(name) => Identity::Certificate(name.clone()),
        }
    }

    /// The holder's name, or none for who is anonymous.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::User(name) | Self::Certificate(name) => Some(name),
        }
    }
}

impl Grant {
    /// Whether it grants `action` on what `kind` and `name` say.
    pub(crate) fn covers(&self, kind: &str, name: &str, action: &str) -> bool {
        let fits = |granted: &String| granted == action || granted == "*";
        self.kind == kind && self.name == name && self.actions.iter().any(fits)
    }
}
