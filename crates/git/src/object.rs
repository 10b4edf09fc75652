//! The four kinds of objects and their contents.

use std::sync::Arc;

use crate::{Error, ObjectId};

/// Kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A commit.
    Commit,
    /// A directory.
    Tree,
    /// A file's content.
    Blob,
    /// An annotated tag.
    Tag,
}

impl Kind {
    /// Returns the name in object headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }

    /// Reads the name in object headers.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Commit, Self::Tree, Self::Blob, Self::Tag]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// An object's kind and content, without header.
#[derive(Clone, Debug)]
pub struct Object {
    /// Kind.
    pub kind: Kind,
    /// Content.
    pub data: Arc<[u8]>,
}

impl Object {
    /// Returns the content if the object is of a kind.
    ///
    /// # Errors
    /// Fails on an object of another kind.
    pub fn expect(self, kind: Kind, id: ObjectId) -> Result<Arc<[u8]>, Error> {
        if self.kind == kind {
            Ok(self.data)
        } else {
            Err(Error::corrupt(
                id.to_string(),
                format!("is a {}, not a {}", self.kind.name(), kind.name()),
            ))
        }
    }
}

/// Where objects come from: a local repository or a fetched pack.
pub trait ObjectStore: Send + Sync {
    /// Reads an object; `None` where it is not there.
    ///
    /// # Errors
    /// Fails where the store cannot be read.
    fn find(&self, id: ObjectId) -> Result<Option<Object>, Error>;

    /// Reads an object that must be there.
    ///
    /// # Errors
    /// As [`ObjectStore::find`], and where the object is not there.
    fn object(&self, id: ObjectId) -> Result<Object, Error> {
        self.find(id)?.ok_or(Error::Missing(id))
    }

    /// Follows tags to what they point at; returns the id and object behind them.
    ///
    /// # Errors
    /// As [`ObjectStore::object`], and on tags that cannot be read.
    fn peel(&self, id: ObjectId) -> Result<(ObjectId, Object), Error> {
        const TAGS_MAX: usize = 16;
        let mut id = id;
        for _ in 0..TAGS_MAX {
            let object = self.object(id)?;
            if object.kind != Kind::Tag {
                return Ok((id, object));
            }
            id = Tag::parse(id, &object.data)?.target;
        }
        Err(Error::corrupt(id.to_string(), "tag of tag of tag"))
    }

    /// Reads a commit.
    ///
    /// # Errors
    /// As [`ObjectStore::object`], and on an object that is no commit.
    fn commit(&self, id: ObjectId) -> Result<CommitObject, Error> {
        CommitObject::parse(id, self.object(id)?.expect(Kind::Commit, id)?)
    }
}

/// Who did something, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Seconds since the epoch.
    pub seconds: i64,
    /// Offset from UTC in minutes.
    pub offset_minutes: i32,
}

impl Signature {
    /// Reads `Name <mail> seconds +hhmm`; missing parts stay empty.
    fn parse(text: &str) -> Self {
        let (name, rest) = text.split_once('<').unwrap_or((text, ""));
        let (email, rest) = rest.split_once('>').unwrap_or((rest, ""));
        let mut numbers = rest.split_ascii_whitespace();
        let seconds = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let zone: i32 = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        Self {
            name: name.trim().to_owned(),
            email: email.to_owned(),
            seconds,
            offset_minutes: zone / 100 * 60 + zone % 100,
        }
    }
}

/// A commit as stored.
#[derive(Clone, Debug)]
pub struct CommitObject {
    /// Name.
    pub id: ObjectId,
    /// Root directory.
    pub tree: ObjectId,
    /// Parents in order; empty for a root commit.
    pub parents: Vec<ObjectId>,
    /// Author.
    pub author: Signature,
    /// Committer.
    pub committer: Signature,
    /// Signature block of `gpgsig`; empty where unsigned.
    pub signature: String,
    /// Message, all lines.
    pub message: String,
    /// The object's bytes, for verification.
    pub encoded: Arc<[u8]>,
}

impl CommitObject {
    fn parse(id: ObjectId, data: Arc<[u8]>) -> Result<Self, Error> {
        let (headers, message) = headers_and_message(&data);
        let mut commit = Self {
            id,
            tree: id,
            parents: Vec::new(),
            author: Signature::default(),
            committer: Signature::default(),
            signature: String::new(),
            message,
            encoded: data.clone(),
        };
        let mut tree = None;
        for (key, value) in headers {
            match key.as_str() {
                "tree" => tree = ObjectId::from_hex(&value),
                "parent" => commit.parents.extend(ObjectId::from_hex(&value)),
                "author" => commit.author = Signature::parse(&value),
                "committer" => commit.committer = Signature::parse(&value),
                "gpgsig" => commit.signature = value,
                _ => {}
            }
        }
        commit.tree = tree.ok_or_else(|| Error::corrupt(id.to_string(), "commit without tree"))?;
        Ok(commit)
    }
}

/// An annotated tag as stored.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Name of the tag object.
    pub id: ObjectId,
    /// What it points at.
    pub target: ObjectId,
    /// The tag's own name.
    pub name: String,
    /// Message, with the signature block if signed.
    pub message: String,
}

impl Tag {
    /// Reads a tag object.
    ///
    /// # Errors
    /// Fails on data that is no tag.
    pub fn parse(id: ObjectId, data: &[u8]) -> Result<Self, Error> {
        let (headers, message) = headers_and_message(data);
        let value = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, v)| v);
        let target = value("object").and_then(|hex| ObjectId::from_hex(hex));
        Ok(Self {
            id,
            target: target.ok_or_else(|| Error::corrupt(id.to_string(), "tag without object"))?,
            name: value("tag").cloned().unwrap_or_default(),
            message,
        })
    }
}

/// Splits `key value` lines (continued by a leading space) from the message behind the first empty line.
fn headers_and_message(data: &[u8]) -> (Vec<(String, String)>, String) {
    let text = String::from_utf8_lossy(data);
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut rest: &str = &text;
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        if line.is_empty() {
            break;
        }
        match (line.strip_prefix(' '), headers.last_mut()) {
            (Some(more), Some((_, value))) => {
                value.push('\n');
                value.push_str(more);
            }
            _ => {
                let (key, value) = line.split_once(' ').unwrap_or((line, ""));
                headers.push((key.to_owned(), value.to_owned()));
            }
        }
    }
    (headers, rest.to_owned())
}

/// What a name in a tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A plain file.
    File,
    /// A file with executable bit.
    Executable,
    /// A symbolic link; its blob is the target.
    Link,
    /// A directory.
    Directory,
    /// A submodule's commit.
    Submodule,
}

/// One name in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// What it stands for.
    pub mode: Mode,
    /// Last path element.
    pub name: String,
    /// The object.
    pub id: ObjectId,
}

/// Reads a tree object; entries in stored order.
///
/// Names that could leave the directory (`..`, `/`, `.git`) are an error, as in Git's own checks.
pub fn parse_tree(id: ObjectId, mut data: &[u8]) -> Result<Vec<TreeEntry>, Error> {
    let corrupt = |reason: &str| Error::corrupt(id.to_string(), reason);
    let mut entries = Vec::new();
    while !data.is_empty() {
        let space = memchr(b' ', data).ok_or_else(|| corrupt("tree entry without mode"))?;
        let mode = &data[..space];
        data = &data[space + 1..];
        let end = memchr(0, data).ok_or_else(|| corrupt("tree entry without name"))?;
        let name = String::from_utf8_lossy(&data[..end]).into_owned();
        data = &data[end + 1..];
        let bytes = data
            .get(..20)
            .ok_or_else(|| corrupt("tree entry cut off"))?;
        let id = ObjectId::from_bytes(bytes).expect("20 bytes");
        data = &data[20..];
        if name.is_empty() || name.contains('/') || matches!(name.as_str(), "." | ".." | ".git") {
            return Err(corrupt(&format!("unsafe name {name:?} in tree")));
        }
        entries.push(TreeEntry {
            mode: parse_mode(mode).ok_or_else(|| corrupt("unknown mode in tree"))?,
            name,
            id,
        });
    }
    Ok(entries)
}

fn parse_mode(octal: &[u8]) -> Option<Mode> {
    let mode = u32::from_str_radix(std::str::from_utf8(octal).ok()?, 8).ok()?;
    Some(match mode & 0o170_000 {
        0o040_000 => Mode::Directory,
        0o120_000 => Mode::Link,
        0o160_000 => Mode::Submodule,
        0o100_000 if mode & 0o111 != 0 => Mode::Executable,
        0o100_000 => Mode::File,
        _ => return None,
    })
}

fn memchr(byte: u8, data: &[u8]) -> Option<usize> {
    data.iter().position(|b| *b == byte)
}
