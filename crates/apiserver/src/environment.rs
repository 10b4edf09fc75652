//! What the server takes from the world around it: time and randomness.
//!
//! Both are trait objects, so that the simulator can seed them; with a seeded environment the same requests
//! give the same bytes, resource versions included.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use rand::{Rng, RngCore, SeedableRng};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Returns the present moment.
    fn now(&self) -> Timestamp;

    /// Ends once the clock has reached a moment; at once where it is past.
    fn until(&self, moment: Timestamp) -> BoxFuture<'static, ()>;

    /// Ends once the clock has moved on by a duration.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let moment = SignedDuration::try_from(duration)
            .ok()
            .and_then(|duration| self.now().checked_add(duration).ok());
        self.until(moment.unwrap_or(Timestamp::MAX))
    }
}

/// Makes names that nobody else makes.
pub trait Ids: Send + Sync {
    /// Returns random bytes for a uid, a token or a suffix.
    fn bytes(&self) -> [u8; 16];
}

/// The clock and the ids of one server.
#[derive(Clone)]
pub struct Environment {
    /// Source of time.
    pub clock: Arc<dyn Clock>,
    /// Source of uids, tokens and name suffixes.
    pub ids: Arc<dyn Ids>,
}

impl Environment {
    /// Uses the machine's clock and random numbers.
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        }
    }

    /// Uses a given clock, and ids that depend on the seed alone.
    pub fn seeded(clock: Arc<dyn Clock>, seed: u64) -> Self {
        let ids = SeededIds(Mutex::new(rand::rngs::StdRng::seed_from_u64(seed)));
        Self {
            clock,
            ids: Arc::new(ids),
        }
    }

    /// Returns the present moment as Kubernetes writes it: RFC 3339, whole seconds, UTC.
    pub fn timestamp(&self) -> String {
        format_seconds(self.clock.now())
    }

    /// Returns the present moment as a `MicroTime`.
    pub fn micro_timestamp(&self) -> String {
        self.clock
            .now()
            .strftime("%Y-%m-%dT%H:%M:%S.%6fZ")
            .to_string()
    }

    /// Returns a fresh version-4 UUID.
    pub fn uuid(&self) -> String {
        uuid::Builder::from_random_bytes(self.ids.bytes())
            .into_uuid()
            .to_string()
    }

    /// Returns five characters for a generated name.
    pub fn suffix(&self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let bytes = self.ids.bytes();
        bytes[..5]
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
            .collect()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// Writes a moment as RFC 3339 in UTC with whole seconds.
pub fn format_seconds(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn until(&self, moment: Timestamp) -> BoxFuture<'static, ()> {
        let left = Duration::try_from(moment.duration_since(self.now())).unwrap_or_default();
        Box::pin(tokio::time::sleep(left))
    }
}

/// A clock that stands still until somebody moves it; whoever waits for a moment is woken in the same call.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<tokio::sync::watch::Sender<Timestamp>>);

impl ManualClock {
    /// Starts at a moment.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(tokio::sync::watch::Sender::new(start)))
    }

    /// Jumps to a moment, also a past one.
    pub fn set(&self, moment: Timestamp) {
        self.0.send_replace(moment);
    }

    /// Moves on by a duration; stops at the end of time.
    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|now| {
            let moved = SignedDuration::try_from(duration)
                .ok()
                .and_then(|duration| now.checked_add(duration).ok());
            *now = moved.unwrap_or(Timestamp::MAX);
        });
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn until(&self, moment: Timestamp) -> BoxFuture<'static, ()> {
        let mut changes = self.0.subscribe();
        Box::pin(async move {
            if changes.wait_for(|now| *now >= moment).await.is_err() {
                // Nobody can move the clock any more.
                std::future::pending::<()>().await;
            }
        })
    }
}

struct SystemIds;

impl Ids for SystemIds {
    fn bytes(&self) -> [u8; 16] {
        rand::rng().random()
    }
}

struct SeededIds(Mutex<rand::rngs::StdRng>);

impl Ids for SeededIds {
    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.0.lock().fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_those_whose_moment_has_come() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let soon = tokio::spawn(clock.sleep(Duration::from_secs(60)));
        let late = clock.sleep(Duration::from_secs(61));
        clock.advance(Duration::from_secs(60));
        soon.await.unwrap();
        assert_eq!(clock.now(), Timestamp::from_second(60).unwrap());
        futures::pin_mut!(late);
        assert!(futures::poll!(late.as_mut()).is_pending());
        clock.set(Timestamp::from_second(100).unwrap());
        late.await;
    }

    #[test]
    fn a_seed_gives_the_same_ids_again() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let ids = |seed| {
            let environment = Environment::seeded(clock.clone(), seed);
            (environment.uuid(), environment.suffix())
        };
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
    }
}
