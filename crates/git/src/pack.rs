//! Packs: many objects in one file, some as deltas to others.
//!
//! [`PackFile`] reads single objects of a local pack by its index (version 2), touching only what is asked for.
//! [`PackObjects`] takes a whole fetched pack apart, in memory.

mod whole;

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::inflate::{OBJECT_BYTES_MAX, inflate};
use crate::object::{Kind, Object};
use crate::{Error, ObjectId, delta};

pub use whole::PackObjects;

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
