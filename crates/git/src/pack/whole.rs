//! Whole packs, taken apart in memory.

use std::collections::HashMap;

use super::{Holds, NEXT_READ, entry_header};
use crate::inflate::{OBJECT_BYTES_MAX, inflate};
use crate::object::{Kind, Object, ObjectStore};
use crate::{Error, ObjectId, delta};

/// All objects of a fetched pack.
#[derive(Default)]
pub struct PackObjects {
    objects: HashMap<ObjectId, Object>,
}

impl ObjectStore for PackObjects {
    fn find(&self, id: ObjectId) -> Result<Option<Object>, Error> {
        Ok(self.objects.get(&id).cloned())
    }
}

impl PackObjects {
    /// Tells how many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Tells whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Takes a pack apart; bases that it lacks (thin packs) are looked for `outside`.
    ///
    /// `bytes_max` bounds the sum of all contents.
    ///
    /// # Errors
    /// Fails on malformed packs, on bases that are nowhere, and beyond the bound.
    pub fn parse(
        pack: &[u8],
        bytes_max: u64,
        outside: Option<&dyn ObjectStore>,
    ) -> Result<Self, Error> {
        let corrupt = |reason: &str| Error::corrupt("pack", reason);
        let header = pack.get(..12).ok_or_else(|| corrupt("cut off"))?;
        let (magic, rest) = header.split_at(4);
        let (version, count) = rest.split_at(4);
        if magic != b"PACK" || !matches!(version, [0, 0, 0, 2 | 3]) {
            return Err(corrupt("not a pack"));
        }
        let count = u32::from_be_bytes(count.try_into().expect("four bytes"));
        let mut scan = Scan {
            left: bytes_max,
            bytes_max,
            ..Scan::default()
        };
        let mut offset = 12;
        for _ in 0..count {
            offset = scan.entry(pack, offset)?;
        }
        scan.resolve(outside)?;
        Ok(Self {
            objects: scan.objects,
        })
    }
}

/// A pack being taken apart.
#[derive(Default)]
struct Scan {
    objects: HashMap<ObjectId, Object>,
    /// Deltas that wait for the entry at an offset: own offset and content.
    by_offset: HashMap<u64, Vec<(u64, Vec<u8>)>>,
    /// Deltas that wait for a named object.
    by_id: HashMap<ObjectId, Vec<(u64, Vec<u8>)>>,
    /// Finished entries whose waiting deltas are not yet applied.
    ready: Vec<(u64, ObjectId)>,
    left: u64,
    bytes_max: u64,
}

impl Scan {
    fn entry(&mut self, pack: &[u8], offset: u64) -> Result<u64, Error> {
        let start = usize::try_from(offset).map_err(|_| Error::corrupt("pack", "too large"))?;
        let data = pack.get(start..).unwrap_or_default();
        let (holds, size, length) = entry_header("pack", offset, data)?;
        self.spend(size)?;
        let (content, used) = inflate("pack", size, |used| {
            let at = length + usize::try_from(used).expect("within the pack");
            // A copy of the window only; the whole pack would be copied for each entry otherwise.
            let window = data.get(at..).unwrap_or_default();
            Ok(window[..window.len().min(NEXT_READ)].to_vec())
        })?;
        match holds {
            Holds::Whole(kind) => self.finish(offset, kind, content),
            Holds::Offset(base) => self
                .by_offset
                .entry(base)
                .or_default()
                .push((offset, content)),
            Holds::Reference(id) => self.by_id.entry(id).or_default().push((offset, content)),
        }
        Ok(offset + length as u64 + used)
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Error> {
        self.left = self.left.checked_sub(bytes).ok_or(Error::TooLarge {
            what: "pack".to_owned(),
            bytes_max: self.bytes_max,
        })?;
        Ok(())
    }

    fn finish(&mut self, offset: u64, kind: Kind, content: Vec<u8>) {
        let id = ObjectId::of(kind.name(), &content);
        let data = content.into();
        self.objects.insert(id, Object { kind, data });
        self.ready.push((offset, id));
    }

    fn resolve(&mut self, outside: Option<&dyn ObjectStore>) -> Result<(), Error> {
        self.drain_ready()?;
        // What still waits for a name needs an object from outside.
        while let Some(id) = self.by_id.keys().next().copied() {
            let base = match outside {
                Some(store) => store.find(id)?,
                None => None,
            };
            let base = base.ok_or(Error::Missing(id))?;
            self.apply_waiting(id, None, &base)?;
            self.drain_ready()?;
        }
        if self.by_offset.is_empty() {
            Ok(())
        } else {
            Err(Error::corrupt("pack", "delta without base"))
        }
    }

    fn drain_ready(&mut self) -> Result<(), Error> {
        while let Some((offset, id)) = self.ready.pop() {
            let base = self.objects[&id].clone();
            self.apply_waiting(id, Some(offset), &base)?;
        }
        Ok(())
    }

    fn apply_waiting(
        &mut self,
        id: ObjectId,
        offset: Option<u64>,
        base: &Object,
    ) -> Result<(), Error> {
        let mut waiting = self.by_id.remove(&id).unwrap_or_default();
        let by_offset = offset.and_then(|offset| self.by_offset.remove(&offset));
        waiting.extend(by_offset.unwrap_or_default());
        for (at, content) in waiting {
            let target = delta::apply(&base.data, &content, OBJECT_BYTES_MAX.min(self.left))?;
            self.spend(target.len() as u64)?;
            self.finish(at, base.kind, target);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A pack with a blob, an offset delta to it and a reference delta to the delta.
    fn sample() -> Vec<u8> {
        let deflate = |content: &[u8]| {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
            std::io::Write::write_all(&mut encoder, content).unwrap();
            encoder.finish().unwrap()
        };
        let mut pack = b"PACK\0\0\0\x02\0\0\0\x03".to_vec();
        let first = pack.len();
        pack.push(0x30 | 5);
        pack.extend(deflate(b"hello"));
        let second = pack.len();
        let delta = [5, 6, 0b1001_0000, 5, 1, b'!'];
        pack.extend([0x60 | delta.len() as u8, (second - first) as u8]);
        pack.extend(deflate(&delta));
        let delta = [6, 7, 0b1001_0000, 6, 1, b'?'];
        pack.push(0x70 | delta.len() as u8);
        pack.extend(ObjectId::of("blob", b"hello!").as_bytes());
        pack.extend(deflate(&delta));
        pack
    }

    #[test]
    fn deltas_of_deltas_are_resolved_within_bounds() {
        let objects = PackObjects::parse(&sample(), 1000, None).unwrap();
        assert_eq!(objects.len(), 3);
        let last = objects.object(ObjectId::of("blob", b"hello!?")).unwrap();
        assert_eq!(&*last.data, b"hello!?");
        assert!(PackObjects::parse(&sample(), 10, None).is_err());
    }

    proptest! {
        #[test]
        fn damaged_packs_never_panic(at in 0..200_usize, byte: u8, cut in 0..200_usize) {
            let mut pack = sample();
            let length = pack.len();
            pack[at % length] = byte;
            pack.truncate(length - cut % length);
            let _ = PackObjects::parse(&pack, 1 << 20, None);
        }

        #[test]
        fn arbitrary_objects_never_panic(data: Vec<u8>) {
            let id = ObjectId::of("tree", &data);
            let _ = crate::object::parse_tree(id, &data);
            let _ = crate::object::Tag::parse(id, &data);
            let _ = entry_header("x", 1 << 20, &data);
            let _ = crate::pktline::read_all(&data);
            let _ = crate::submodules::parse(&String::from_utf8_lossy(&data), "u");
        }
    }
}
