//! Records of the durable log and of snapshots, in bytes and back.
//!
//! `length u32 | crc32 u32 | payload`, little endian; the payload is `op u8 | revision u64 | table | key`, and for a
//! put `version | fields | body`, each text with its length before it. A length of zero ends a log.

use compact_str::CompactString;
use objects::{Map, Value};

use super::entry::{Draft, Entry};

const PUT: u8 = 1;
const REMOVE: u8 = 2;
const BEGIN: u8 = 3;
const END: u8 = 4;

/// Bytes before a payload.
pub const HEAD_BYTES: usize = 8;
/// Largest payload: an object is far below the body limit of requests.
const PAYLOAD_BYTES_MAX: usize = 16 << 20;

/// What a record says.
#[derive(Debug)]
pub enum Record {
    /// An object was written.
    Put {
        /// Version of the write.
        revision: u64,
        /// Table.
        table: String,
        /// Key in the table.
        key: CompactString,
        /// The object.
        entry: Box<Entry>,
    },
    /// An object was removed.
    Remove {
        /// Version of the removal.
        revision: u64,
        /// Table.
        table: String,
        /// Key in the table.
        key: CompactString,
    },
    /// A snapshot of this revision begins.
    Begin(u64),
    /// A snapshot ends; the number of its objects.
    End(u64),
}

/// Appends the record of a write.
pub fn push_put(out: &mut Vec<u8>, table: &str, key: &str, entry: &Entry) {
    frame(out, |out| {
        head(out, PUT, entry.revision, table, key);
        text(out, &entry.meta.version);
        let count = u16::try_from(entry.meta.fields.len()).unwrap_or(0);
        out.extend_from_slice(&count.to_le_bytes());
        for (name, value) in entry.meta.fields.iter().take(usize::from(count)) {
            text(out, name);
            text(out, value);
        }
        out.extend_from_slice(&entry.body);
    });
}

/// Appends the record of a removal.
pub fn push_remove(out: &mut Vec<u8>, table: &str, key: &str, revision: u64) {
    frame(out, |out| head(out, REMOVE, revision, table, key));
}

/// Appends the first record of a snapshot.
pub fn push_begin(out: &mut Vec<u8>, revision: u64) {
    frame(out, |out| head(out, BEGIN, revision, "", ""));
}

/// Appends the last record of a snapshot.
pub fn push_end(out: &mut Vec<u8>, objects: u64) {
    frame(out, |out| head(out, END, objects, "", ""));
}

fn frame(out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    payload(out);
    let body = &out[start + HEAD_BYTES..];
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let crc = crc32fast::hash(body);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

fn head(out: &mut Vec<u8>, op: u8, revision: u64, table: &str, key: &str) {
    out.push(op);
    out.extend_from_slice(&revision.to_le_bytes());
    text(out, table);
    text(out, key);
}

/// Texts here are names and versions, far below 64 KiB.
fn text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
}

/// What stands at a place of a log.
#[derive(Debug)]
pub enum At {
    /// A record, and the place after it.
    Record(Record, usize),
    /// The end: a zero length or the end of the file.
    End,
    /// Bytes that are no intact record.
    Damaged,
}

/// Reads what stands at a place.
pub fn read(bytes: &[u8], at: usize) -> At {
    let rest = &bytes[at.min(bytes.len())..];
    if rest.len() < HEAD_BYTES {
        let zero = rest.iter().all(|byte| *byte == 0);
        return if zero { At::End } else { At::Damaged };
    }
    let number = |from: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&rest[from..from + 4]);
        u32::from_le_bytes(word)
    };
    let length = usize::try_from(number(0)).unwrap_or(usize::MAX);
    if length == 0 {
        return if number(4) == 0 { At::End } else { At::Damaged };
    }
    if length > PAYLOAD_BYTES_MAX || rest.len() < HEAD_BYTES + length {
        return At::Damaged;
    }
    let payload = &rest[HEAD_BYTES..HEAD_BYTES + length];
    if crc32fast::hash(payload) != number(4) {
        return At::Damaged;
    }
    match (Reader { bytes: payload }).record() {
        Some(record) => At::Record(record, at + HEAD_BYTES + length),
        None => At::Damaged,
    }
}

/// Tells whether bytes may begin with a write, as far as they were written.
pub fn begins_record(bytes: &[u8]) -> bool {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let length = u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]);
    let fits = usize::try_from(length).is_ok_and(|length| length <= PAYLOAD_BYTES_MAX);
    fits && matches!(byte(HEAD_BYTES), 0 | PUT | REMOVE)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn short(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.short()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }

    fn record(mut self) -> Option<Record> {
        let op = self.take(1)?[0];
        let mut word = [0; 8];
        word.copy_from_slice(self.take(8)?);
        let revision = u64::from_le_bytes(word);
        let table = self.text()?.to_owned();
        let key = CompactString::from(self.text()?);
        match op {
            PUT => {
                let entry = Box::new(self.entry(revision)?);
                Some(Record::Put {
                    revision,
                    table,
                    key,
                    entry,
                })
            }
            REMOVE => Some(Record::Remove {
                revision,
                table,
                key,
            }),
            BEGIN => Some(Record::Begin(revision)),
            END => Some(Record::End(revision)),
            _ => None,
        }
    }

    fn entry(&mut self, revision: u64) -> Option<Entry> {
        let version = self.text()?.to_owned();
        let count = self.short()?;
        let mut fields = Vec::with_capacity(usize::from(count).min(64));
        for _ in 0..count {
            fields.push((self.text()?.into(), self.text()?.into()));
        }
        let mut text = Vec::with_capacity(self.bytes.len() + 1);
        text.push(b'{');
        text.extend_from_slice(self.bytes);
        let mut object: Map = serde_json::from_slice(&text).ok()?;
        object.insert("apiVersion".into(), Value::from(version));
        Some(Draft::new(&object, fields).seal(revision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            read(&bytes, 0);
            let mut framed = Vec::new();
            frame(&mut framed, |out| out.extend_from_slice(&bytes));
            read(&framed, 0);
        }
    }
}
