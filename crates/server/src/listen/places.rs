//! How many connections there may be, and which of them go when there are too many.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::external::Proxies;
use crate::peer::Address;

/// All places, taken or not.
#[derive(Debug)]
pub(crate) struct Places {
    limit: usize,
    /// How many one address may have.
    per_address: usize,
    /// Those who have a right to more, because they speak for others.
    proxies: Proxies,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    connections: HashMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    origin: Option<IpAddr>,
    activity: Arc<Activity>,
    leave: CancellationToken,
}

/// A place among the connections, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    places: Arc<Places>,
    number: u64,
    pub(crate) activity: Arc<Activity>,
    /// Cancelled when somebody else needs the place more.
    pub(crate) leave: CancellationToken,
}

/// What becomes of one who wants a place.
enum Answer {
    Taken(u64, CancellationToken),
    /// One that rests was told to leave.
    Soon,
    /// Everybody is busy.
    Later,
    /// This address has enough.
    Never,
}

impl Places {
    pub(crate) fn new(limit: usize, per_address: usize, proxies: Proxies) -> Arc<Self> {
        Arc::new(Self {
            limit,
            per_address,
            proxies,
            taken: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Takes a place for somebody at `address`; none where that address has too many already and uses all of them.
    ///
    /// Where there is none, a connection that rests has to leave, of those who have the most: whoever opens many and uses none makes room for others.
    pub(crate) async fn take(self: &Arc<Self>, address: Address) -> Option<Seat> {
        let activity = Arc::new(Activity::new());
        loop {
            let freed = self.freed.notified();
            match self.ask(address, &activity) {
                Answer::Taken(number, leave) => {
                    return Some(Seat {
                        places: Arc::clone(self),
                        number,
                        activity,
                        leave,
                    });
                }
                Answer::Never => return None,
                Answer::Soon | Answer::Later => freed.await,
            }
        }
    }

    fn ask(&self, address: Address, activity: &Arc<Activity>) -> Answer {
        let origin = address.ip().map(network);
        let mut taken = self.taken();
        if !self.proxies.trusts(address) && origin.is_some() {
            let own = taken.of(origin);
            if own >= self.per_address {
                return taken.dismiss(|connection| connection.origin == origin, Answer::Never);
            }
        }
        if taken.connections.len() >= self.limit {
            let most = taken.most();
            let answer = taken.dismiss(|connection| connection.origin == most, Answer::Later);
            return match answer {
                Answer::Later => taken.dismiss(|_| true, Answer::Later),
                answer => answer,
            };
        }
        let (number, leave) = (taken.next, CancellationToken::new());
        taken.next += 1;
        let connection = Connection {
            origin,
            activity: Arc::clone(activity),
            leave: leave.clone(),
        };
        taken.connections.insert(number, connection);
        Answer::Taken(number, leave)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn of(&self, origin: Option<IpAddr>) -> usize {
        let connections = self.connections.values();
        connections
            .filter(|connection| connection.origin == origin)
            .count()
    }

    /// Who has the most connections that rest.
    fn most(&self) -> Option<IpAddr> {
        let mut counts: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for connection in self.connections.values() {
            if connection.rest(Instant::now()).is_some() {
                *counts.entry(connection.origin).or_default() += 1;
            }
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.and_then(|(origin, _)| origin)
    }

    /// Tells the connection to leave that rests longest of those that fit.
    fn dismiss(&self, fits: impl Fn(&Connection) -> bool, otherwise: Answer) -> Answer {
        // One moment for all, or whoever is looked at last would have rested longer.
        let now = Instant::now();
        let resting = self
            .connections
            .values()
            .filter(|connection| fits(connection));
        let longest = resting
            .filter_map(|connection| Some((connection.rest(now)?, connection)))
            .max_by_key(|(rest, _)| *rest);
        let Some((_, connection)) = longest else {
            return otherwise;
        };
        connection.leave.cancel();
        Answer::Soon
    }
}

impl Connection {
    fn rest(&self, now: Instant) -> Option<Duration> {
        self.activity.rest(now)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.places.taken().connections.remove(&self.number);
        self.places.freed.notify_waiters();
    }
}

/// Whose address it is: a customer of IPv6 has a network of 64 bits to choose from.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    fn at(ip: &str) -> Address {
        Address::Told(ip.parse().unwrap())
    }

    /// Takes a place, if there is one without waiting.
    async fn take(places: &Arc<Places>, ip: &str) -> Option<Seat> {
        timeout(SOON, places.take(at(ip))).await.ok()?
    }

    #[tokio::test]
    async fn who_has_many_that_rest_makes_room() {
        let places = Places::new(4, 4, Proxies::default());
        let other = take(&places, "192.0.2.2").await.unwrap();
        let mut many = Vec::new();
        for _ in 0..3 {
            many.push(take(&places, "192.0.2.1").await.unwrap());
        }

        assert!(take(&places, "192.0.2.3").await.is_none());

        assert!(!other.leave.is_cancelled());
        let left: Vec<_> = many
            .iter()
            .map(|place| place.leave.is_cancelled())
            .collect();
        assert_eq!(left, [true, false, false]);
        drop(many.remove(0));
        assert!(take(&places, "192.0.2.3").await.is_some());
    }

    #[tokio::test]
    async fn who_is_busy_is_waited_for() {
        let places = Places::new(1, 1, Proxies::default());
        let busy = take(&places, "192.0.2.1").await.unwrap();
        busy.activity.begin();

        assert!(take(&places, "192.0.2.2").await.is_none());

        assert!(!busy.leave.is_cancelled());
        drop(busy);
        assert!(take(&places, "192.0.2.2").await.is_some());
    }

    #[tokio::test]
    async fn one_address_has_no_more_than_its_share() {
        let places = Places::new(10, 2, Proxies::default());
        let mut busy = Vec::new();
        for ip in ["2001:db8::1", "2001:db8::2"] {
            let place = take(&places, ip).await.unwrap();
            place.activity.begin();
            busy.push(place);
        }

        let more = places.take(at("2001:db8::3")).await;
        let neighbour = take(&places, "2001:db8:0:1::1").await;

        assert!(more.is_none() && neighbour.is_some());
    }

    #[tokio::test]
    async fn proxies_and_this_machine_have_what_they_want() {
        let networks = vec!["10.0.0.0/8".parse().unwrap()];
        let unix = false;
        let places = Places::new(10, 1, Proxies { networks, unix });

        let mut taken = Vec::new();
        for address in [at("10.0.0.1"), at("10.0.0.1"), Address::Unix, Address::Unix] {
            taken.push(timeout(SOON, places.take(address)).await.unwrap());
        }

        assert!(taken.iter().all(Option::is_some));
    }
}
