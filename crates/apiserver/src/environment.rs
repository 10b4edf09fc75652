//! What the server takes from the world around it: time and randomness.
//!
//! Both are trait objects, so that the simulator can seed them; with a seeded environment the same requests
//! give the same bytes, resource versions included.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use rand::{Rng, RngCore, SeedableRng};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Returns the present moment.
    fn now(&self) -> Timestamp;
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
