//! Byte slices whose contents are fetched when something looks at them.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::text::Text;

/// Where the contents of a byte slice come from; always the same ones.
pub trait Contents: Send + Sync {
    /// The contents, fetched by now.
    fn bytes(&self) -> &[u8];
}

impl Contents for Text {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// A Go `[]byte`: cheap to clone, compared by contents.
#[derive(Clone)]
pub struct Bytes(Arc<dyn Contents>);

impl Bytes {
    /// A slice whose contents are not fetched yet.
    pub fn new(contents: Arc<dyn Contents>) -> Self {
        Self(contents)
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Text::default().into()
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[]byte")
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        Self(Arc::new(text))
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Text::from(bytes).into()
    }
}
