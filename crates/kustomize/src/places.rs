//! Places of objects by the hash of what they are called.
//!
//! Eight bytes an entry instead of copies of the names: a hash only says where to look, and whoever looks
//! compares with the objects themselves.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;
use smallvec::SmallVec;

/// An index from hashes to places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    entries: HashTable<(u32, u32)>,
    hasher: RandomState,
}

/// The hash of a name, good for one index only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameHash(u32);

/// Spreads 32 bits over the 64 that the table looks at.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Places {
    /// Hashes a name, or a tuple of its parts.
    pub fn hash(&self, name: impl Hash) -> NameHash {
        let bytes = self.hasher.hash_one(name).to_le_bytes();
        NameHash(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Makes room for so many more entries.
    pub fn reserve(&mut self, more: usize) {
        self.entries.reserve(more, |entry| spread(entry.0));
    }

    /// Adds a place; the same one may be added again under the same name.
    pub fn insert(&mut self, NameHash(hash): NameHash, place: usize) {
        let place = u32::try_from(place)
            .expect("inputs are far smaller than four thousand million objects");
        let rehash = |entry: &(u32, u32)| spread(entry.0);
        self.entries
            .insert_unique(spread(hash), (hash, place), rehash);
    }

    /// Returns the places whose names have this hash, in order; others than those of the name may be among
    /// them.
    pub fn candidates(&self, NameHash(hash): NameHash) -> SmallVec<[usize; 2]> {
        let found = self.entries.iter_hash(spread(hash));
        let mut places: SmallVec<[usize; 2]> = found
            .filter(|entry| entry.0 == hash)
            .map(|entry| entry.1 as usize)
            .collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_in_order_and_once() {
        let mut places = Places::default();
        for place in [7, 2, 7, 5] {
            places.insert(places.hash(("a", "b")), place);
        }
        places.insert(places.hash(("a", "c")), 9);
        let found = places.candidates(places.hash(("a", "b")));
        assert_eq!(found.as_slice(), [2, 5, 7]);
    }
}
