//! Shell globs over bytes: `*` (also across `/`), `?`, `[…]`, `\`.
//!
//! Matching goes chunk by chunk between stars, each at its first place that fits, as Go's `path.Match` does.

/// A pattern that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadPattern;

pub(super) fn matches(mut pattern: &[u8], mut text: &[u8]) -> Result<bool, BadPattern> {
    while !pattern.is_empty() {
        let (star, chunk, rest) = split_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(true);
        }
        let last = pattern.is_empty();
        match find(chunk, text, star, last)? {
            Some(rest) => text = rest,
            None => return Ok(false),
        }
    }
    Ok(text.is_empty())
}

/// Returns what is left of the text after a chunk; the last chunk must leave nothing.
fn find<'t>(
    chunk: &[u8],
    text: &'t [u8],
    star: bool,
    last: bool,
) -> Result<Option<&'t [u8]>, BadPattern> {
    let starts = if star { text.len() } else { 0 };
    for start in 0..=starts {
        if let Some(rest) = match_chunk(chunk, &text[start..])?
            && (rest.is_empty() || !last)
        {
            return Ok(Some(rest));
        }
    }
    Ok(None)
}

/// Splits leading stars and the chunk up to the next star off a pattern.
fn split_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|b| **b == b'*').count();
    let pattern_rest = &pattern[stars..];
    let mut in_class = false;
    let mut end = 0;
    while end < pattern_rest.len() {
        match pattern_rest[end] {
            b'\\' if end + 1 < pattern_rest.len() => end += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        end += 1;
    }
    (stars > 0, &pattern_rest[..end], &pattern_rest[end..])
}

fn match_chunk<'t>(mut chunk: &[u8], mut text: &'t [u8]) -> Result<Option<&'t [u8]>, BadPattern> {
    while let Some(&head) = chunk.first() {
        if text.is_empty() {
            return Ok(None);
        }
        match head {
            b'[' => {
                let (c, size) = decode(text);
                text = &text[size..];
                let (matched, rest) = match_class(&chunk[1..], c)?;
                if !matched {
                    return Ok(None);
                }
                chunk = rest;
            }
            b'?' => {
                text = &text[decode(text).1..];
                chunk = &chunk[1..];
            }
            _ => {
                if head == b'\\' {
                    chunk = &chunk[1..];
                }
                let literal = chunk.first().ok_or(BadPattern)?;
                if *literal != text[0] {
                    return Ok(None);
                }
                text = &text[1..];
                chunk = &chunk[1..];
            }
        }
    }
    Ok(Some(text))
}

/// Matches a character class after its `[`; returns what follows its `]`.
fn match_class(class: &[u8], c: u32) -> Result<(bool, &[u8]), BadPattern> {
    let negated = class.first() == Some(&b'^');
    let mut rest = if negated { &class[1..] } else { class };
    let mut matched = false;
    let mut ranges = 0;
    loop {
        if ranges > 0 && rest.first() == Some(&b']') {
            return Ok((matched != negated, &rest[1..]));
        }
        let (low, after) = class_char(rest)?;
        rest = after;
        let mut high = low;
        if rest.first() == Some(&b'-') {
            let (end, after) = class_char(&rest[1..])?;
            high = end;
            rest = after;
        }
        matched |= low <= c && c <= high;
        ranges += 1;
    }
}

/// Reads one possibly escaped character of a class, after which something must follow.
fn class_char(rest: &[u8]) -> Result<(u32, &[u8]), BadPattern> {
    let rest = match rest.first() {
        None | Some(b'-' | b']') => return Err(BadPattern),
        Some(b'\\') => &rest[1..],
        Some(_) => rest,
    };
    if rest.is_empty() {
        return Err(BadPattern);
    }
    let (c, size) = decode(rest);
    let after = &rest[size..];
    if after.is_empty() || (c == REPLACEMENT && size == 1) {
        return Err(BadPattern);
    }
    Ok((c, after))
}

const REPLACEMENT: u32 = 0xFFFD;

/// Decodes the first character; bytes that are no text count as U+FFFD of one byte.
fn decode(bytes: &[u8]) -> (u32, usize) {
    let head = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or(""),
    };
    match valid.chars().next() {
        Some(c) => (u32::from(c), c.len_utf8()),
        None => (REPLACEMENT, 1),
    }
}
