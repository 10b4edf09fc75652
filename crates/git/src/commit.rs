//! A resolved commit and the revision it gives an artifact.

use crate::ObjectId;
use crate::object::{CommitObject, Signature, Tag};

/// A commit that a reference resolved to.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Name.
    pub id: ObjectId,
    /// Full reference, such as `refs/heads/main`; `HEAD` or empty for a commit by id.
    pub reference: String,
    /// What is known when the objects were read; `None` when only the reference was looked at.
    pub details: Option<Details>,
    /// For the uncommitted state of a work tree: digest of what differs from the commit, 12 digits.
    pub dirty: Option<String>,
}

/// Contents of a commit.
#[derive(Clone, Debug)]
pub struct Details {
    /// Author.
    pub author: Signature,
    /// Committer.
    pub committer: Signature,
    /// Message, all lines.
    pub message: String,
    /// The commit object as stored, with signature.
    pub object: CommitObject,
    /// Annotated tag that the reference named.
    pub tag: Option<Tag>,
}

impl Commit {
    /// Writes the revision with the short name: `main@sha1:…`, or `sha1:…` without one.
    pub fn revision(&self) -> String {
        match self.reference.splitn(3, '/').nth(2) {
            Some(short) => format!("{short}@{}", self.digest()),
            None => self.digest(),
        }
    }

    /// Writes the revision with the full name: `refs/heads/main@sha1:…`.
    pub fn absolute_revision(&self) -> String {
        if self.reference.is_empty() {
            self.digest()
        } else {
            format!("{}@{}", self.reference, self.digest())
        }
    }

    /// Returns the first line of the message, cut to 50 characters and `...`.
    pub fn short_message(&self) -> String {
        const CHARS_MAX: usize = 50;
        let message = self.details.as_ref().map_or("", |d| d.message.as_str());
        let subject = message.split('\n').next().unwrap_or_default();
        match subject.char_indices().nth(CHARS_MAX) {
            Some((end, _)) => format!("{}...", &subject[..end]),
            None => subject.to_owned(),
        }
    }

    fn digest(&self) -> String {
        match &self.dirty {
            Some(dirty) => format!("{}-dirty.{dirty}", self.id.digest()),
            None => self.id.digest(),
        }
    }
}
