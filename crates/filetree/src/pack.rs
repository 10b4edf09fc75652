//! Artifact tarballs, byte for byte those of source-controller: the same digest for the same tree.
//!
//! Entry order, names, modes, owners and times are upstream's: lexical walk, root entry `.`, no trailing slash, uid and
//! gid 0, epoch 0, directories 0750, executables 0700, other files 0600, USTAR headers with PAX records for long names. The
//! gzip stream is [`GoGzip`]'s.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{EntryKind, GoGzip, Ignore, MemoryTree, TreeError};

const BLOCK: usize = 512;

/// One entry of a tarball, in archive order.
#[derive(Clone, Debug)]
pub struct PackEntry {
    /// Path from the root; the root itself is "".
    pub path: String,
    /// File content; `None` for a directory.
    pub content: Option<Arc<[u8]>>,
    /// Whether a file has an executable bit.
    pub executable: bool,
}

/// A finished tarball.
#[derive(Clone, Debug)]
pub struct Tarball {
    /// The gzip stream.
    pub bytes: Vec<u8>,
    /// SHA-256 of the gzip stream.
    pub sha256: [u8; 32],
}

impl Tarball {
    /// Writes the digest as an artifact carries it, `sha256:<hex>`.
    pub fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(self.sha256))
    }
}

/// Chooses the entries of an artifact: everything in walk order that the rules leave in.
///
/// A directory that is left out does not take its children with it; they are tested by their own paths.
///
/// # Errors
/// Fails where the tree cannot be read.
pub fn select(tree: &MemoryTree, ignore: &Ignore) -> Result<Vec<PackEntry>, TreeError> {
    let mut entries: Vec<PackEntry> = tree
        .directories()
        .filter(|path| !ignore.excludes(path, EntryKind::Directory))
        .map(|path| PackEntry {
            path: path.to_owned(),
            content: None,
            executable: false,
        })
        .chain(
            tree.files()
                .filter(|(path, _)| !ignore.excludes(path, EntryKind::File))
                .map(|(path, content)| PackEntry {
                    path: path.to_owned(),
                    content: Some(content.clone()),
                    executable: tree.is_executable(path),
                }),
        )
        .collect();
    entries.push(PackEntry {
        path: String::new(),
        content: None,
        executable: false,
    });
    entries.sort_by(|a, b| walk_order(&a.path).cmp(walk_order(&b.path)));
    Ok(entries)
}

/// Builds the tree that unpacking the entries would give.
///
/// # Errors
/// Fails on entries that do not make up a tree.
pub fn selected_tree(entries: &[PackEntry]) -> Result<MemoryTree, TreeError> {
    let mut tree = MemoryTree::new();
    for entry in entries {
        match &entry.content {
            Some(content) => {
                tree.insert(&entry.path, content.clone())?;
                tree.set_executable(&entry.path, entry.executable);
            }
            None => tree.insert_directory(&entry.path)?,
        }
    }
    Ok(tree)
}

/// Orders paths as a walk that sorts each directory by name visits them.
fn walk_order(path: &str) -> impl Iterator<Item = u16> {
    path.bytes().map(|byte| match byte {
        b'/' => 0,
        byte => u16::from(byte) + 1,
    })
}

/// Packs entries in the order given.
pub fn pack(entries: &[PackEntry]) -> Tarball {
    let mut archive = GoArchive::default();
    for entry in entries {
        match &entry.content {
            None if entry.path.is_empty() => archive.directory(".", 0o750),
            None => archive.directory(&entry.path, 0o750),
            Some(content) => {
                let mode = if entry.executable { 0o700 } else { 0o600 };
                archive.file(&entry.path, mode, content);
            }
        }
    }
    let bytes = archive.finish();
    let sha256 = Sha256::digest(&bytes).into();
    Tarball { bytes, sha256 }
}

/// The headers of an entry: one block, or three pieces where the name needs a PAX record.
fn headers(name: &str, kind: u8, mode: u64, size: usize) -> Vec<Vec<u8>> {
    if let Some((prefix, short)) = split_name(name) {
        return vec![header(short, prefix, kind, mode, size).to_vec()];
    }
    let record = pax_record("path", name);
    let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
    let base = name.rsplit_once('/').map_or(name, |(_, base)| base);
    let carrier = if directory.is_empty() {
        format!("PaxHeaders.0/{base}")
    } else {
        format!("{directory}/PaxHeaders.0/{base}")
    };
    let carrier = pax_header(&ascii(&carrier), record.len()).to_vec();
    let main = header(ascii(name).as_bytes(), b"", kind, mode, size).to_vec();
    vec![carrier, record, main]
}

/// An archive with the bytes that upstream writes: Go's tar in Go's gzip, modes as the caller gives them.
#[derive(Default)]
pub struct GoArchive {
    stream: GoGzip,
}

/// Pieces in which Go copies a file.
const COPIED: usize = 32 * 1024;

impl GoArchive {
    /// Adds a directory; `.` is the root.
    pub fn directory(&mut self, name: &str, mode: u32) {
        self.headers(name, b'5', mode, 0);
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.headers(name, b'0', mode, content.len());
        for piece in content.chunks(COPIED) {
            self.stream.write(piece);
        }
        self.pad(content.len());
    }

    /// Ends the archive and returns it.
    pub fn finish(mut self) -> Vec<u8> {
        for _ in 0..2 {
            self.stream.write(&[0; BLOCK]);
        }
        self.stream.finish()
    }

    fn headers(&mut self, name: &str, kind: u8, mode: u32, size: usize) {
        for piece in headers(name, kind, u64::from(mode), size) {
            self.stream.write(&piece);
            self.pad(piece.len());
        }
    }

    fn pad(&mut self, written: usize) {
        let rest = written.next_multiple_of(BLOCK) - written;
        self.stream.write(&[0; BLOCK][..rest]);
    }
}

/// Splits a name into USTAR prefix and name fields; `None` where it needs a PAX record.
fn split_name(name: &str) -> Option<(&[u8], &[u8])> {
    const NAME: usize = 100;
    const PREFIX: usize = 155;
    let bytes = name.as_bytes();
    if !name.is_ascii() || name.contains('\0') {
        return None;
    }
    if bytes.len() <= NAME {
        return Some((b"", bytes));
    }
    let searched = &bytes[..bytes.len().min(PREFIX + 1)];
    let at = searched.iter().rposition(|byte| *byte == b'/')?;
    let rest = bytes.len() - at - 1;
    (at > 0 && at <= PREFIX && rest > 0 && rest <= NAME).then(|| (&bytes[..at], &bytes[at + 1..]))
}

fn ascii(name: &str) -> String {
    name.chars().filter(char::is_ascii).collect()
}

/// Writes `<length> <key>=<value>\n`, where the length counts itself.
fn pax_record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if length.to_string().len() != rest.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n").into_bytes()
}

fn pax_header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put_name(&mut block[..100], name.trim_end_matches('/').as_bytes());
    put_numbers(&mut block, 0, size);
    block[156] = b'x';
    finish(block)
}

fn header(name: &[u8], prefix: &[u8], kind: u8, mode: u64, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put_name(&mut block[..100], name);
    put_numbers(&mut block, mode, size);
    block[156] = kind;
    put_octal(&mut block[329..337], 0);
    put_octal(&mut block[337..345], 0);
    put(&mut block[345..500], prefix);
    finish(block)
}

fn put_numbers(block: &mut [u8; BLOCK], mode: u64, size: usize) {
    put_octal(&mut block[100..108], mode);
    put_octal(&mut block[108..116], 0);
    put_octal(&mut block[116..124], 0);
    put_octal(&mut block[124..136], size as u64);
    put_octal(&mut block[136..148], 0);
}

/// Adds magic and checksum.
fn finish(mut block: [u8; BLOCK]) -> [u8; BLOCK] {
    put(&mut block[257..265], b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum = block.iter().map(|byte| u64::from(*byte)).sum();
    put_octal(&mut block[148..155], sum);
    block
}

/// Writes a name, cut where it is too long; a slash at the cut goes, as in Go.
fn put_name(field: &mut [u8], name: &[u8]) {
    put(field, name);
    if name.len() > field.len()
        && let Some(last) = field.last_mut().filter(|byte| **byte == b'/')
    {
        *last = 0;
    }
}

fn put(field: &mut [u8], value: &[u8]) {
    let length = value.len().min(field.len());
    field[..length].copy_from_slice(&value[..length]);
}

/// Writes octal digits that fill the field up to a final NUL.
fn put_octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    put(field, format!("{value:0digits$o}\0").as_bytes());
}
