//! A host for tests and for callers that want repeatable output.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::function::Host;
use crate::time::Time;

/// A host whose clock stands still and whose randomness follows from a seed.
#[derive(Debug, Default)]
pub struct FixedHost {
    /// What the clock shows, in seconds since 1970.
    pub unix_seconds: i64,
    /// State of the generator.
    pub seed: AtomicU64,
}

impl Host for FixedHost {
    fn now(&self) -> Time {
        Time::unix(self.unix_seconds, 0)
    }

    fn random(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            // SplitMix64: repeatable, not secret.
            let state = self
                .seed
                .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bytes = (mixed ^ (mixed >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
