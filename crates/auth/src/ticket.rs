//! Tokens of our own, which we call tickets: short-lived, and worth nothing to anybody else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::identity::{Grant, Holder, TicketIdentity};
use crate::keys::Key;

/// How long a ticket is good for.
pub const LIFETIME: Duration = Duration::from_mins(5);
/// What every ticket begins with, which no token of another server does.
const PREFIX: &str = "boxyard.";
/// The longest ticket that is looked at.
const LONGEST: usize = 48 << 10;

/// Issues tickets, and reads them again.
#[derive(Debug)]
pub struct Tickets {
    key: Key,
}

/// Why a ticket is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It is not one of ours, or somebody has changed it, or the registry has another secret now.
    #[error("the token was not issued by this registry")]
    Forged,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

/// A ticket that was issued here and has not expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Who holds it, and what it grants at most.
    pub identity: TicketIdentity,
    /// What the holder's entry in the password file was like when it was issued.
    pub mark: Option<[u8; 16]>,
}

#[derive(Deserialize, Serialize)]
struct Claims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<[u8; 16]>,
    expires: u64,
    access: Vec<(String, String, Vec<String>)>,
}

impl Claims {
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("claims are plain data")
    }
}

impl Tickets {
    /// Tickets that every process with this secret understands; without one, only this process does.
    pub fn new(secret: Option<&str>) -> Self {
        let derived = |secret| Key::derived(secret, "boxyard ticket");
        Self {
            key: secret.map_or_else(Key::random, derived),
        }
    }

    /// The key for marks of users.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Whether a bearer's token claims to be a ticket.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Issues a ticket.
    pub fn issue(&self, ticket: &Ticket, now: SystemTime) -> String {
        let (user, certificate) = match &ticket.identity.holder {
            Holder::Anonymous => (None, None),
            Holder::User(name) => (Some(name.clone()), None),
            Holder::Certificate(name) => (None, Some(name.clone())),
        };
        let access = ticket.identity.access.iter();
        let claims = Claims {
            user,
            certificate,
            mark: ticket.mark,
            expires: seconds(now + LIFETIME),
            access: access
                .map(|grant| {
                    let Grant {
                        kind,
                        name,
                        actions,
                    } = grant.clone();
                    (kind, name, actions)
                })
                .collect(),
        };
        let claims = claims.to_json();
        let tag = self.key.tag(&[&claims]);
        let [claims, tag] = [&claims[..], &tag].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        format!("{PREFIX}{claims}.{tag}")
    }

    /// Reads a ticket.
    pub fn read(&self, text: &str, now: SystemTime) -> Result<Ticket, TicketError> {
        let claims = self.claims(text).ok_or(TicketError::Forged)?;
        if seconds(now) >= claims.expires {
            return Err(TicketError::Expired);
        }
        let holder = match (claims.user, claims.certificate) {
            (Some(name), _) => Holder::User(name),
            (None, Some(name)) => Holder::Certificate(name),
            (None, None) => Holder::Anonymous,
        };
        let access = claims.access.into_iter();
        let access = access.map(|(kind, name, actions)| Grant {
            kind,
            name,
            actions,
        });
        Ok(Ticket {
            identity: TicketIdentity {
                holder,
                access: access.collect(),
            },
            mark: claims.mark,
        })
    }

    fn claims(&self, text: &str) -> Option<Claims> {
        if text.len() > LONGEST {
            return None;
        }
        let (claims, tag) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        if !self.key.verify(&[&claims], &tag) {
            return None;
        }
        serde_json::from_slice(&claims).ok()
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(holder: Holder) -> Ticket {
        Ticket {
            identity: TicketIdentity {
                holder,
                access: vec![Grant {
                    kind: "repository".to_owned(),
                    name: "a".to_owned(),
                    actions: vec!["pull".to_owned()],
                }],
            },
            mark: Some([7; 16]),
        }
    }

    #[test]
    fn a_ticket_says_what_it_was_issued_for() {
        let (tickets, now) = (Tickets::new(None), SystemTime::now());

        for holder in [
            Holder::Anonymous,
            Holder::User("a".to_owned()),
            Holder::Certificate("a".to_owned()),
        ] {
            let issued = ticket(holder);
            let text = tickets.issue(&issued, now);
            assert!(Tickets::is_one(&text));
            assert_eq!(tickets.read(&text, now), Ok(issued));
        }
    }

    #[test]
    fn a_ticket_expires() {
        let (tickets, now) = (Tickets::new(None), SystemTime::now());
        let text = tickets.issue(&ticket(Holder::Anonymous), now);

        let just_before = now + LIFETIME - Duration::from_secs(1);
        assert!(tickets.read(&text, just_before).is_ok());
        assert_eq!(
            tickets.read(&text, now + LIFETIME),
            Err(TicketError::Expired)
        );
    }

    #[test]
    fn a_changed_ticket_is_worth_nothing() {
        let (tickets, now) = (Tickets::new(None), SystemTime::now());
        let text = tickets.issue(&ticket(Holder::User("a".to_owned())), now);

        for index in PREFIX.len()..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(tickets.read(&changed, now).is_err(), "{index}");
        }
        for text in [
            "",
            PREFIX,
            "boxyard..",
            "boxyard.e30.",
            &text[..text.len() - 1],
        ] {
            assert_eq!(tickets.read(text, now), Err(TicketError::Forged), "{text}");
        }
        let long = format!("{PREFIX}{}", "a".repeat(LONGEST));
        assert_eq!(tickets.read(&long, now), Err(TicketError::Forged));
    }

    #[test]
    fn whoever_has_the_secret_understands_the_ticket() {
        let now = SystemTime::now();
        let text = Tickets::new(Some("s")).issue(&ticket(Holder::Anonymous), now);

        assert!(Tickets::new(Some("s")).read(&text, now).is_ok());
        assert!(Tickets::new(Some("t")).read(&text, now).is_err());
        assert!(Tickets::new(None).read(&text, now).is_err());
    }
}
