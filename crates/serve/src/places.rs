//! Room for connections: so many in all and of one peer, and which of them gives way to a new one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Limits;

/// The connections that there are.
///
/// One that waits for a request, or for the rest of one, gives way to a new connection when there is no room: so whoever
/// sends a byte now and then, or nothing, shuts nobody out. One that is being answered does not.
pub(crate) struct Places {
    open: Mutex<Open>,
    freed: Notify,
    most: usize,
    most_per_peer: usize,
}

#[derive(Default)]
struct Open {
    next: u64,
    entries: HashMap<u64, Entry>,
}

struct Entry {
    peer: IpAddr,
    /// Since when it waits; none while it is being answered.
    waiting: Option<Instant>,
    leave: Arc<Notify>,
}

/// One connection's place, free again when it is dropped.
pub(crate) struct Place {
    id: u64,
    places: Arc<Places>,
    leave: Arc<Notify>,
}

/// While it is there, its connection is being answered.
pub(crate) struct Answering(Arc<Place>);

impl Places {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            open: Mutex::default(),
            freed: Notify::new(),
            most: limits.connections,
            most_per_peer: limits.connections_per_peer,
        }
    }

    /// A place for a connection of `peer`, as soon as there is one. None where the peer has as many as it may have, and all
    /// of them are being answered.
    pub(crate) async fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Arc<Place>> {
        let peer = network(peer);
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // What is freed from here on is heard of.
            freed.as_mut().enable();
            {
                let mut open = self.lock();
                let of_peer = open.entries.values().filter(|entry| entry.peer == peer);
                if of_peer.count() >= self.most_per_peer
                    && !open.give_way(|entry| entry.peer == peer)
                {
                    return None;
                }
                if open.entries.len() < self.most || open.give_way(|_| true) {
                    return Some(open.insert(self, peer));
                }
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Tells the one that has waited longest to leave; false where none of these waits.
    fn give_way(&mut self, of: impl Fn(&Entry) -> bool) -> bool {
        let waiting = self.entries.iter().filter(|(_, entry)| of(entry));
        let oldest = waiting
            .filter_map(|(id, entry)| Some((entry.waiting?, *id)))
            .min();
        let Some(entry) = oldest.and_then(|(_, id)| self.entries.remove(&id)) else {
            return false;
        };
        entry.leave.notify_one();
        true
    }

    fn insert(&mut self, places: &Arc<Places>, peer: IpAddr) -> Arc<Place> {
        let (id, leave) = (self.next, Arc::new(Notify::new()));
        self.next += 1;
        let entry = Entry {
            peer,
            waiting: Some(Instant::now()),
            leave: leave.clone(),
        };
        self.entries.insert(id, entry);
        Arc::new(Place {
            id,
            places: places.clone(),
            leave,
        })
    }
}

impl Place {
    /// Ends once this connection is to make room for another.
    pub(crate) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    /// The connection is being answered until this is dropped.
    pub(crate) fn answering(self: &Arc<Self>) -> Answering {
        self.set_waiting(|_| None);
        Answering(self.clone())
    }

    /// The client has read something: it has not waited since then.
    pub(crate) fn moved(&self) {
        self.set_waiting(|waiting| waiting.map(|_| Instant::now()));
    }

    fn set_waiting(&self, to: impl FnOnce(Option<Instant>) -> Option<Instant>) {
        if let Some(entry) = self.places.lock().entries.get_mut(&self.id) {
            entry.waiting = to(entry.waiting);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().entries.remove(&self.id);
        self.places.freed.notify_one();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set_waiting(|_| Some(Instant::now()));
    }
}

/// What counts as one peer: an address, or under IPv6 the 64 bits that one subscriber has.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn places(connections: usize, connections_per_peer: usize) -> Arc<Places> {
        Arc::new(Places::new(&Limits {
            connections,
            connections_per_peer,
            ..Limits::default()
        }))
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(test);
    }

    /// Whether it is told to leave.
    async fn leaves(place: &Place) -> bool {
        let told = tokio::time::timeout(Duration::from_millis(1), place.told_to_leave());
        told.await.is_ok()
    }

    #[test]
    fn whoever_has_waited_longest_gives_way() {
        run(async {
            let places = places(2, 2);
            let first = places.take(ONE).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            let second = places.take(OTHER).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            first.moved();
            let third = places.take(OTHER).await.unwrap();
            assert!(!leaves(&first).await && leaves(&second).await && !leaves(&third).await);
            assert_eq!(places.lock().entries.len(), 2);
        });
    }

    #[test]
    fn a_peer_has_its_share_and_others_have_theirs() {
        run(async {
            let places = places(4, 2);
            let mine = [
                places.take(ONE).await.unwrap(),
                places.take(ONE).await.unwrap(),
            ];
            let other = places.take(OTHER).await.unwrap();
            let answers = mine.each_ref().map(Place::answering);
            assert!(places.take(ONE).await.is_none());
            drop(answers);
            assert!(places.take(ONE).await.is_some());
            assert!(leaves(&mine[0]).await && !leaves(&mine[1]).await && !leaves(&other).await);
        });
    }

    #[test]
    fn where_all_are_answered_the_next_waits_for_a_place() {
        run(async {
            let places = places(1, 9);
            let first = places.take(ONE).await.unwrap();
            let answer = first.answering();
            let next = tokio::time::timeout(Duration::from_millis(5), places.take(OTHER));
            assert!(next.await.is_err());
            let (next, ()) = tokio::join!(places.take(OTHER), async { drop((answer, first)) });
            assert!(next.is_some());
        });
    }

    #[test]
    fn addresses_of_one_subscriber_are_one_peer() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1") && same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1") && !same("192.0.2.1", "192.0.2.2"));
    }
}
