//! Packs: many objects in one file, some as deltas to others.
//!
//! [`PackFile`] reads single objects of a local pack by its index (version 2), touching only what is asked for.
//! [`PackObjects`] takes a whole fetched pack apart, in memory.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::inflate::{OBJECT_BYTES_MAX, inflate};
use crate::object::{Kind, Object, ObjectStore};
use crate::{Error, ObjectId, delta};

/// Longest chain of deltas that is followed; Git writes at most 4095.
const CHAIN_MAX: usize = 4096;
/// Delta bases kept per pack, in bytes. Trees of one commit share their bases.
const BASES_BYTES_MAX: usize = 8 << 20;
/// First read of an entry: most manifests and trees are smaller when compressed.
const FIRST_READ: usize = 4 << 10;
const NEXT_READ: usize = 64 << 10;

/// How an entry of a pack holds its object.
#[derive(Clone, Copy, Debug)]
enum Holds {
    Whole(Kind),
    /// Delta to the entry at an offset.
    Offset(u64),
    /// Delta to a named object.
    Reference(ObjectId),
}

/// Reads type, size and base of an entry; returns them with the header's length.
fn entry_header(what: &str, offset: u64, data: &[u8]) -> Result<(Holds, u64, usize), Error> {
    let cut = || Error::corrupt(what, "entry cut off");
    let mut at = 0;
    let mut byte = || -> Option<u8> {
        at += 1;
        data.get(at - 1).copied()
    };
    let first = byte().ok_or_else(cut)?;
    let mut size = u64::from(first & 0x0f);
    let (mut shift, mut more) = (4, first & 0x80 != 0);
    while more {
        let next = byte().ok_or_else(cut)?;
        if shift > 56 {
            return Err(Error::corrupt(what, "size too large"));
        }
        size |= u64::from(next & 0x7f) << shift;
        shift += 7;
        more = next & 0x80 != 0;
    }
    let holds = match (first >> 4) & 7 {
        1 => Holds::Whole(Kind::Commit),
        2 => Holds::Whole(Kind::Tree),
        3 => Holds::Whole(Kind::Blob),
        4 => Holds::Whole(Kind::Tag),
        6 => {
            let mut next = byte().ok_or_else(cut)?;
            let mut back = u64::from(next & 0x7f);
            while next & 0x80 != 0 {
                next = byte().ok_or_else(cut)?;
                back = (back.checked_add(1).filter(|b| *b < 1 << 56))
                    .ok_or_else(|| Error::corrupt(what, "base offset too large"))?;
                back = (back << 7) | u64::from(next & 0x7f);
            }
            let base = offset.checked_sub(back).filter(|_| back > 0);
            Holds::Offset(base.ok_or_else(|| Error::corrupt(what, "base outside of the pack"))?)
        }
        7 => {
            let id = data.get(at..at + 20).and_then(ObjectId::from_bytes);
            at += 20;
            Holds::Reference(id.ok_or_else(cut)?)
        }
        kind => return Err(Error::corrupt(what, format!("unknown entry type {kind}"))),
    };
    Ok((holds, size, at))
}

/// A pack of a local repository.
pub(crate) struct PackFile {
    path: PathBuf,
    pack: File,
    index: File,
    /// How many ids are below each first byte, summed up.
    fanout: Vec<u32>,
    /// Ids by first byte, read when first asked for.
    buckets: Mutex<HashMap<u8, Arc<[u8]>>>,
    bases: Mutex<Bases>,
}

#[derive(Default)]
struct Bases {
    objects: HashMap<u64, Object>,
    bytes: usize,
}

/// Looks for objects outside of a pack.
pub(crate) type Outside<'a> = &'a dyn Fn(ObjectId) -> Result<Option<Object>, Error>;

impl PackFile {
    /// Opens a pack by the path of its `.idx`.
    pub fn open(index_path: &Path) -> Result<Self, Error> {
        const HEADER: usize = 8;
        let path = index_path.with_extension("pack");
        let format = |reason: &str| Error::Format {
            path: index_path.to_owned(),
            reason: reason.to_owned(),
        };
        let open = |path: &Path| {
            File::open(path).map_err(|source| Error::Io {
                path: path.to_owned(),
                source,
            })
        };
        let (pack, index) = (open(&path)?, open(index_path)?);
        let mut head = vec![0; HEADER + 256 * 4];
        index
            .read_exact_at(&mut head, 0)
            .map_err(|_| format("pack index cut off"))?;
        if head[..HEADER] != [0xff, b't', b'O', b'c', 0, 0, 0, 2] {
            return Err(format("only version 2 of pack indexes is read"));
        }
        let fanout: Vec<u32> = head[HEADER..]
            .chunks_exact(4)
            .map(|four| u32::from_be_bytes(four.try_into().expect("four bytes")))
            .collect();
        if !fanout.is_sorted() {
            return Err(format("pack index is not sorted"));
        }
        Ok(Self {
            path,
            pack,
            index,
            fanout,
            buckets: Mutex::default(),
            bases: Mutex::default(),
        })
    }

    /// Reads an object by name; `None` where the pack does not hold it.
    pub fn find(&self, id: ObjectId, outside: Outside<'_>) -> Result<Option<Object>, Error> {
        match self.offset(id)? {
            Some(offset) => self.read(offset, outside).map(Some),
            None => Ok(None),
        }
    }

    /// Forgets kept delta bases.
    pub fn forget_bases(&self) {
        *self.bases.lock().unwrap_or_else(PoisonError::into_inner) = Bases::default();
    }

    fn offset(&self, id: ObjectId) -> Result<Option<u64>, Error> {
        let first = id.as_bytes()[0];
        let start = match first {
            0 => 0,
            first => self.fanout[usize::from(first) - 1],
        };
        let bucket = self.bucket(first, start)?;
        let Some(found) = binary_search(&bucket, id) else {
            return Ok(None);
        };
        let count = u64::from(self.fanout[255]);
        let tables = 8 + 256 * 4 + count * 24;
        let at = u64::from(start) + found as u64;
        let mut four = [0; 4];
        self.read_index(&mut four, tables + at * 4)?;
        let small = u32::from_be_bytes(four);
        if small & 0x8000_0000 == 0 {
            return Ok(Some(u64::from(small)));
        }
        let mut eight = [0; 8];
        let large = u64::from(small & 0x7fff_ffff);
        self.read_index(&mut eight, tables + count * 4 + large * 8)?;
        Ok(Some(u64::from_be_bytes(eight)))
    }

    fn bucket(&self, first: u8, start: u32) -> Result<Arc<[u8]>, Error> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = buckets.get(&first) {
            return Ok(known.clone());
        }
        let count = (self.fanout[usize::from(first)] - start) as usize;
        let mut ids = vec![0; count * 20];
        self.read_index(&mut ids, 8 + 256 * 4 + u64::from(start) * 20)?;
        let ids: Arc<[u8]> = ids.into();
        buckets.insert(first, ids.clone());
        Ok(ids)
    }

    fn read_index(&self, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
        self.index
            .read_exact_at(buffer, offset)
            .map_err(|source| Error::Io {
                path: self.path.with_extension("idx"),
                source,
            })
    }

    /// Reads the object at an offset, following deltas to their whole base.
    fn read(&self, offset: u64, outside: Outside<'_>) -> Result<Object, Error> {
        let mut deltas: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut at = offset;
        let mut object = loop {
            if let Some(base) = self.known_base(at) {
                break base;
            }
            if deltas.len() >= CHAIN_MAX {
                return Err(Error::corrupt(self.name(), "chain of deltas too long"));
            }
            let (holds, content) = self.entry(at)?;
            let base = match holds {
                Holds::Whole(kind) => {
                    let data = content.into();
                    break Object { kind, data };
                }
                Holds::Offset(base) => base,
                Holds::Reference(id) => match self.offset(id)? {
                    Some(base) => base,
                    None => {
                        deltas.push((at, content));
                        // No offset of this pack: nothing is kept under it.
                        at = u64::MAX;
                        break outside(id)?.ok_or(Error::Missing(id))?;
                    }
                },
            };
            deltas.push((at, content));
            at = base;
        };
        while let Some((at_delta, content)) = deltas.pop() {
            self.keep_base(at, &object);
            let data = delta::apply(&object.data, &content, OBJECT_BYTES_MAX)?;
            object = Object {
                kind: object.kind,
                data: data.into(),
            };
            at = at_delta;
        }
        Ok(object)
    }

    fn known_base(&self, offset: u64) -> Option<Object> {
        let bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases.objects.get(&offset).cloned()
    }

    fn keep_base(&self, offset: u64, object: &Object) {
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        if bases.bytes + object.data.len() > BASES_BYTES_MAX {
            *bases = Bases::default();
        }
        if bases.objects.insert(offset, object.clone()).is_none() {
            bases.bytes += object.data.len();
        }
    }

    fn entry(&self, offset: u64) -> Result<(Holds, Vec<u8>), Error> {
        let mut head = self.read_pack(offset, FIRST_READ)?;
        let (holds, size, length) = entry_header(&self.name(), offset, &head)?;
        head.drain(..length);
        let start = offset + length as u64;
        let mut first = Some(head);
        let (content, _) = inflate(&self.name(), size, |used| match first.take() {
            Some(head) => Ok(head),
            None => self.read_pack(start + used, NEXT_READ),
        })?;
        Ok((holds, content))
    }

    /// Reads up to `length` bytes; fewer at the end of the file.
    fn read_pack(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let mut buffer = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self
                .pack
                .read_at(&mut buffer[filled..], offset + filled as u64)
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Io {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
        buffer.truncate(filled);
        Ok(buffer)
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Finds an id among sorted ids of 20 bytes each.
fn binary_search(ids: &[u8], id: ObjectId) -> Option<usize> {
    let (mut low, mut high) = (0, ids.len() / 20);
    while low < high {
        let middle = usize::midpoint(low, high);
        match ids[middle * 20..][..20].cmp(id.as_bytes()) {
            std::cmp::Ordering::Equal => return Some(middle),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

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
