//! Entry points: a text into documents.

use crate::compose::{Composer, Document};
use crate::{Node, ReadError, ReadOptions, reader};

/// Reads all documents of a stream; those with nothing but comments are left out.
///
/// # Errors
/// The first thing that go-yaml would stumble over, or a bound of the options.
pub fn parse(text: &[u8], options: &ReadOptions) -> Result<Vec<Node>, ReadError> {
    let documents = parse_documents(text, options)?;
    let roots = documents.into_iter().filter(|document| !document.empty);
    Ok(roots.map(|document| document.root).collect())
}

/// Reads all documents of a stream, empty ones too, with the comments around them.
///
/// # Errors
/// As [`parse`].
pub fn parse_documents(text: &[u8], options: &ReadOptions) -> Result<Vec<Document>, ReadError> {
    let source = reader::decode(text, options)?;
    let mut composer = Composer::new(&source, options);
    let mut documents = Vec::new();
    while let Some(document) = composer.document()? {
        documents.push(document);
    }
    Ok(documents)
}

/// Reads the first document of a stream, as `Unmarshal` does; `None` for a stream without any.
///
/// What stands behind the first document is not looked at, so errors there go unnoticed.
///
/// # Errors
/// As [`parse`].
pub fn parse_first(text: &[u8], options: &ReadOptions) -> Result<Option<Node>, ReadError> {
    let source = reader::decode(text, options)?;
    let document = Composer::new(&source, options).document()?;
    Ok(document.map(|document| document.root))
}
