//! Heads of plain documents, read line by line without a tree.
//!
//! Plain are block mappings and sequences of one entry a line, whose scalars are plain or quoted on one line, or
//! literal and folded blocks. What goes beyond (anchors, tags, flow collections of more than one level, scalars
//! over several lines, odd indentation, characters that YAML treats specially) yields nothing, and the parser
//! decides. So whatever is accepted here is valid YAML, and its head is the one that the parser finds.

use std::borrow::Cow;

use super::Head;

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 100;
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 128;
/// Annotations of this prefix make hooks; the others only have to be valid.
const HELM: &str = "helm.sh/";

/// Reads the head of a plain document.
pub(super) fn head(text: &str) -> Option<Head> {
    if !characters_are_plain(text) {
        return None;
    }
    let mut reader = Reader {
        rest: text,
        levels: Vec::with_capacity(16),
        awaited: None,
        field: Field::Other,
        seen: [false; 5],
        head: Head::default(),
    };
    while let Some(line) = reader.next_line() {
        reader.line(line)?;
    }
    Some(reader.head)
}

/// Whether no character ends lines, is refused or means something in YAML that ASCII text does not show.
fn characters_are_plain(text: &str) -> bool {
    let ascii = |b: u8| matches!(b, b' '..=b'~' | b'\n' | b'\t');
    if text.bytes().all(ascii) {
        return true;
    }
    let safe = |c: char| {
        matches!(c, '\u{a1}'..='\u{17f}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{2190}'..='\u{2bff}'
            | '\u{3001}'..='\u{9fff}')
    };
    text.chars()
        .all(|c| safe(c) || u8::try_from(c).is_ok_and(ascii))
}

/// One block collection that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Level {
    column: usize,
    sequence: bool,
}

/// What the entry is that was read last, as far as the head needs it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    ApiVersion,
    Kind,
    Metadata,
    Name,
    Annotations,
    /// An annotation; whether it is one of Helm's is for the value to ask.
    Annotation,
    Other,
}

struct Reader<'t> {
    rest: &'t str,
    levels: Vec<Level>,
    /// The entry whose value may stand on the lines below.
    awaited: Option<Field>,
    /// The last entry of the outermost two levels that has to do with the head.
    field: Field,
    /// Which fields were there, by [`Field`].
    seen: [bool; 5],
    head: Head,
}

/// A scalar's text where it is known without unescaping or resolving it.
enum Scalar<'t> {
    Plain(&'t str),
    Quoted(&'t str),
    Null,
    /// Some scalar.
    Opaque,
    /// A flow collection.
    Collection {
        empty_map: bool,
    },
}

impl<'t> Reader<'t> {
    fn next_line(&mut self) -> Option<&'t str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest.as_bytes());
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, ""),
        };
        self.rest = rest;
        Some(line)
    }

    fn line(&mut self, line: &'t str) -> Option<()> {
        let column = spaces(line);
        let content = line[column..].trim_end_matches(' ');
        if content.is_empty() || content.starts_with('#') {
            return Some(());
        }
        let marker = column == 0 && (content.starts_with("---") || content.starts_with("..."));
        if marker || content.contains('\t') {
            return None;
        }
        match entry(content) {
            Some(after) => {
                self.enter(column, true)?;
                self.item(column + content.len() - after.len(), after)
            }
            None => {
                self.enter(column, false)?;
                let (key, value) = key(content)?;
                self.pair(key, value)
            }
        }
    }

    /// Closes and opens collections for an entry at that column.
    fn enter(&mut self, column: usize, sequence: bool) -> Option<()> {
        let Some(top) = self.levels.last().copied() else {
            return self.open(column, sequence, Field::Other, column == 0 && !sequence);
        };
        if let Some(field) = self.awaited.take() {
            let inside = column > top.column || (column == top.column && sequence);
            if inside {
                let fits = match field {
                    Field::Metadata | Field::Annotations => !sequence,
                    Field::Other => true,
                    _ => false,
                };
                return self.open(column, sequence, field, fits);
            }
        }
        while self.levels.last().is_some_and(|top| top.column > column) {
            self.levels.pop();
        }
        let here = |levels: &[Level]| levels.last().copied().filter(|top| top.column == column);
        if !sequence && here(&self.levels)?.sequence {
            self.levels.pop();
        }
        (here(&self.levels)?.sequence == sequence).then_some(())
    }

    fn open(&mut self, column: usize, sequence: bool, field: Field, fits: bool) -> Option<()> {
        if !fits || self.levels.len() == DEPTH_MAX {
            return None;
        }
        if matches!(field, Field::Metadata | Field::Annotations) {
            self.field = field;
        }
        self.levels.push(Level { column, sequence });
        Some(())
    }

    /// What follows the dash of a sequence's entry, and its column.
    fn item(&mut self, column: usize, after: &'t str) -> Option<()> {
        if let Some((key, value)) = key(after) {
            self.open(column, false, Field::Other, true)?;
            return self.pair(key, value);
        }
        match self.scalar(after)? {
            Scalar::Null => None,
            _ => Some(()),
        }
    }

    /// An entry of the mapping on top.
    fn pair(&mut self, key: Cow<'t, str>, value: &'t str) -> Option<()> {
        let field = self.field_of(&key)?;
        if let Some(seen) = self.seen.get_mut(field as usize)
            && std::mem::replace(seen, true)
        {
            return None;
        }
        let scalar = self.scalar(value)?;
        if matches!(scalar, Scalar::Null) {
            self.awaited = Some(field);
        }
        let text = match (field, scalar) {
            (Field::Other, _) => return Some(()),
            (Field::Metadata | Field::Annotations, Scalar::Null)
            | (Field::Annotations, Scalar::Collection { empty_map: true }) => return Some(()),
            (Field::Metadata | Field::Annotations, _) | (_, Scalar::Collection { .. }) => {
                return None;
            }
            (Field::Annotation, _) if !key.starts_with(HELM) => return Some(()),
            (_, Scalar::Null) => "",
            (_, Scalar::Quoted(text)) => text,
            (_, Scalar::Plain(text)) if is_word(text) => text,
            (_, Scalar::Plain(_) | Scalar::Opaque) => return None,
        };
        match field {
            Field::Kind => text.clone_into(&mut self.head.kind),
            Field::Name => text.clone_into(&mut self.head.name),
            Field::Annotation => {
                let annotations = &mut self.head.annotations;
                annotations.insert(key.into_owned(), text.to_owned());
            }
            _ => {}
        }
        Some(())
    }

    /// What a key at the present place means; none where another spelling would count too.
    fn field_of(&mut self, key: &str) -> Option<Field> {
        let depth = self.levels.len();
        if depth == 1 {
            self.field = Field::Other;
        }
        if depth == 2 && self.field == Field::Annotations {
            self.field = Field::Metadata;
        }
        let names: &[(&str, Field)] = match (depth, self.field) {
            (1, _) => &[
                ("apiVersion", Field::ApiVersion),
                ("kind", Field::Kind),
                ("metadata", Field::Metadata),
            ],
            (2, Field::Metadata) => &[("name", Field::Name), ("annotations", Field::Annotations)],
            (3, Field::Annotations) => return Some(Field::Annotation),
            _ => return Some(Field::Other),
        };
        match names
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
        {
            Some((name, field)) => (*name == key).then_some(*field),
            None => Some(Field::Other),
        }
    }

    /// A value as it stands on its line; a block's lines are taken too.
    fn scalar(&mut self, text: &'t str) -> Option<Scalar<'t>> {
        match text.bytes().next() {
            None | Some(b'#') => Some(Scalar::Null),
            Some(b'|' | b'>') => {
                if !matches!(&text[1..], "" | "-" | "+") {
                    return None;
                }
                self.block()?;
                Some(Scalar::Opaque)
            }
            Some(quote @ (b'"' | b'\'')) => {
                if closing(&text[1..], quote)?.is_none() {
                    self.rest_of_quoted(quote)?;
                    return Some(Scalar::Opaque);
                }
                let (inner, after) = quoted(text, quote)?;
                if !ends(after) {
                    return None;
                }
                let escaped = inner.contains(['\\', '\'']);
                Some(if escaped {
                    Scalar::Opaque
                } else {
                    Scalar::Quoted(inner)
                })
            }
            Some(b'[') => flow_list(text).then_some(Scalar::Collection { empty_map: false }),
            Some(b'{') => (text == "{}").then_some(Scalar::Collection { empty_map: true }),
            Some(_) => {
                let scalar = plain(text)?;
                // Nothing continues what a comment ends.
                let whole = scalar.len() == text.len();
                Some(if whole && self.continued()? {
                    Scalar::Opaque
                } else {
                    Scalar::Plain(scalar)
                })
            }
        }
    }

    /// Takes the lines of a quoted scalar after its first one.
    fn rest_of_quoted(&mut self, quote: u8) -> Option<()> {
        let parent = self.levels.last()?.column;
        loop {
            let line = self.next_line()?;
            let column = spaces(line);
            let content = &line[column..];
            if content.is_empty() || column <= parent || content.contains('\t') {
                return None;
            }
            if let Some(end) = closing(content, quote)? {
                return ends(&content[end + 1..]).then_some(());
            }
        }
    }

    /// Takes the lines that continue a plain scalar of the collection on top; whether there was one.
    fn continued(&mut self) -> Option<bool> {
        let parent = self.levels.last()?.column;
        let (mut found, mut blank) = (false, false);
        loop {
            let before = self.rest;
            let Some(line) = self.next_line() else {
                return Some(found);
            };
            let column = spaces(line);
            let content = line[column..].trim_end_matches(' ');
            if content.is_empty() {
                blank = true;
            } else if column <= parent || content.starts_with('#') {
                self.rest = before;
                return Some(found);
            } else if blank || !continues(content) {
                return None;
            } else {
                found = true;
            }
        }
    }

    /// Takes the lines of a literal or folded block of the collection on top.
    fn block(&mut self) -> Option<()> {
        let parent = self.levels.last()?.column;
        let (mut column, mut blank) = (None, 0);
        loop {
            let before = self.rest;
            let Some(line) = self.next_line() else {
                return Some(());
            };
            let here = spaces(line);
            if here == line.len() {
                blank = blank.max(here);
                continue;
            }
            let tab = line.as_bytes()[here] == b'\t';
            match column {
                None if tab => return None,
                None if here > parent => {
                    if blank > here {
                        return None;
                    }
                    column = Some(here);
                }
                Some(column) if here >= column => {}
                Some(_) if tab => return None,
                None if blank > parent => return None,
                _ => {
                    self.rest = before;
                    return Some(());
                }
            }
        }
    }
}

fn spaces(line: &str) -> usize {
    line.bytes().take_while(|b| *b == b' ').count()
}

/// What follows the dash, where the text is an entry of a sequence.
fn entry(text: &str) -> Option<&str> {
    let after = text.strip_prefix('-')?;
    let value = after.trim_start_matches(' ');
    (value.len() < after.len() || after.is_empty()).then_some(value)
}

/// Whether nothing but a comment follows a value.
fn ends(after: &str) -> bool {
    let rest = after.trim_start_matches(' ');
    rest.is_empty() || (rest.starts_with('#') && rest.len() < after.len())
}

/// A key and what follows its colon.
fn key(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let first = *text.as_bytes().first()?;
    let (key, after) = if matches!(first, b'"' | b'\'') {
        let (inner, after) = quoted(text, first)?;
        if inner.contains(['\\', '\'']) {
            return None;
        }
        (inner, after)
    } else {
        let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/');
        let length = text.bytes().take_while(|b| part(b)).count();
        let (key, after) = text.split_at(length);
        let start = first.is_ascii_alphabetic() || matches!(first, b'_' | b'/');
        if !start || key.eq_ignore_ascii_case("null") {
            return None;
        }
        (key, after)
    };
    let value = after.strip_prefix(':')?;
    let trimmed = value.trim_start_matches(' ');
    let separate = trimmed.len() < value.len() || value.is_empty();
    (separate && key.len() <= KEY_BYTES_MAX).then_some((Cow::Borrowed(key), trimmed))
}

/// What is between the quotes that a text starts with, and what follows them.
fn quoted(text: &str, quote: u8) -> Option<(&str, &str)> {
    let inner = &text[1..];
    let end = closing(inner, quote)??;
    Some((&inner[..end], &inner[end + 1..]))
}

/// Where a quoted scalar ends, if it does on this line; nothing for escapes that are none.
fn closing(inner: &str, quote: u8) -> Option<Option<usize>> {
    let bytes = inner.as_bytes();
    let mut at = 0;
    while let Some(next) = bytes.get(at) {
        match next {
            b'\\' if quote == b'"' => {
                let known = b"0abtnvfre \"/\\N_LP".contains(bytes.get(at + 1)?);
                if !known {
                    return None;
                }
                at += 2;
            }
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 2,
            _ if *next == quote => return Some(Some(at)),
            _ => at += 1,
        }
    }
    Some(None)
}

/// A plain scalar that takes the rest of its line, without the comment behind it.
fn plain(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let starts = match bytes[0] {
        b'-' => bytes
            .get(1)
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'-'),
        b'.' => match bytes.get(1) {
            Some(b'/') => true,
            // `.inf` and `.nan` are numbers that JSON does not know.
            Some(next) => next.is_ascii_alphabetic() && !matches!(next, b'i' | b'I' | b'n' | b'N'),
            None => false,
        },
        b':' => bytes.get(1).is_some_and(u8::is_ascii_alphanumeric),
        first => first.is_ascii_alphanumeric() || matches!(first, b'/' | b'_' | b'$' | b'(' | b'^'),
    };
    if !starts {
        return None;
    }
    let mut end = text.len();
    for at in memchr::memchr2_iter(b':', b'#', bytes) {
        if bytes[at] == b'#' {
            if bytes[at - 1] == b' ' {
                end = at;
                break;
            }
        } else if matches!(bytes.get(at + 1), None | Some(b' ')) {
            return None;
        }
    }
    Some(text[..end].trim_end_matches(' '))
}

/// Whether a line is text of a plain scalar to its end.
fn continues(content: &str) -> bool {
    let bytes = content.as_bytes();
    let mut marks = memchr::memchr3_iter(b':', b'#', b'\t', bytes);
    marks.all(|at| match bytes[at] {
        b':' => !matches!(bytes.get(at + 1), None | Some(b' ')),
        b'#' => bytes[at - 1] != b' ',
        _ => false,
    })
}

/// Whether a plain scalar is a string without doubt: numbers, dates and truth values are not.
fn is_word(text: &str) -> bool {
    const RESOLVED: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !RESOLVED.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether the text is a flow sequence of simple scalars on one line.
fn flow_list(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix('[') else {
        return false;
    };
    if rest == "]" {
        return true;
    }
    loop {
        rest = rest.trim_start_matches(' ');
        let Some(after) = flow_item(rest) else {
            return false;
        };
        rest = after.trim_start_matches(' ');
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest == "]",
        }
    }
}

/// What follows the simple scalar that a text starts with.
fn flow_item(text: &str) -> Option<&str> {
    let first = *text.as_bytes().first()?;
    if matches!(first, b'"' | b'\'') {
        return quoted(text, first).map(|(_, after)| after);
    }
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b'=');
    if !first.is_ascii_alphanumeric() && first != b'/' {
        return None;
    }
    Some(&text[text.bytes().take_while(|b| part(b)).count()..])
}
