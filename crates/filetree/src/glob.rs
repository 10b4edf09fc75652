//! Go's `path/filepath.Match`: `*`, `?`, classes and `\` within one path component.
//!
//! A malformed pattern is an error only when matching reaches the fault, as in Go.

/// A pattern that Go calls `syntax error in pattern`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// Tells whether a name matches a shell pattern as a whole.
///
/// # Errors
/// Fails on a malformed pattern.
pub fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let mut pattern: &[char] = &pattern.chars().collect::<Vec<_>>();
    let mut name: &[char] = &name.chars().collect::<Vec<_>>();
    while !pattern.is_empty() {
        let (star, chunk, rest) = next_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&'/'));
        }
        match match_chunk(chunk, name)? {
            Some(after) if after.is_empty() || !pattern.is_empty() => {
                name = after;
                continue;
            }
            _ => {}
        }
        if star && let Some(after) = match_later(chunk, name, pattern.is_empty())? {
            name = after;
            continue;
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// Tries a chunk behind a star at every later place of the name.
fn match_later<'n>(
    chunk: &[char],
    name: &'n [char],
    last: bool,
) -> Result<Option<&'n [char]>, BadPattern> {
    for at in 0..name.len() {
        if name[at] == '/' {
            break;
        }
        if let Some(after) = match_chunk(chunk, &name[at + 1..])? {
            if last && !after.is_empty() {
                continue;
            }
            return Ok(Some(after));
        }
    }
    Ok(None)
}

/// Splits leading stars and the text up to the next star off a pattern.
fn next_chunk(pattern: &[char]) -> (bool, &[char], &[char]) {
    let stars = pattern.iter().take_while(|c| **c == '*').count();
    let pattern = &pattern[stars..];
    let mut in_class = false;
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            '\\' => at += 1,
            '[' => in_class = true,
            ']' => in_class = false,
            '*' if !in_class => break,
            _ => {}
        }
        at += 1;
    }
    let at = at.min(pattern.len());
    (stars > 0, &pattern[..at], &pattern[at..])
}

/// Matches a star-less chunk at the start of a name; returns what is left of the name.
///
/// After a mismatch the chunk is still read to its end so that faults in it are reported.
fn match_chunk<'n>(
    mut chunk: &[char],
    mut name: &'n [char],
) -> Result<Option<&'n [char]>, BadPattern> {
    let mut failed = false;
    while let Some((first, rest)) = chunk.split_first() {
        failed = failed || name.is_empty();
        match first {
            '[' => {
                let read = if failed { None } else { Some(name[0]) };
                if !failed {
                    name = &name[1..];
                }
                let (matched, after) = match_class(rest, read)?;
                chunk = after;
                failed = failed || !matched;
            }
            '?' => {
                if !failed {
                    failed = name[0] == '/';
                    name = &name[1..];
                }
                chunk = rest;
            }
            literal => {
                let (literal, after) = if *literal == '\\' {
                    rest.split_first().ok_or(BadPattern)?
                } else {
                    (literal, rest)
                };
                if !failed {
                    failed = *literal != name[0];
                    name = &name[1..];
                }
                chunk = after;
            }
        }
    }
    Ok((!failed).then_some(name))
}

/// Reads a class behind its `[`; returns whether the character is in it, and the pattern behind `]`.
fn match_class(mut chunk: &[char], character: Option<char>) -> Result<(bool, &[char]), BadPattern> {
    let negated = chunk.first() == Some(&'^');
    if negated {
        chunk = &chunk[1..];
    }
    let mut found = false;
    let mut ranges = 0;
    loop {
        if ranges > 0 && chunk.first() == Some(&']') {
            let inside = character.is_some() && found != negated;
            return Ok((inside, &chunk[1..]));
        }
        let (low, after) = class_character(chunk)?;
        chunk = after;
        let mut high = low;
        if chunk[0] == '-' {
            (high, chunk) = class_character(&chunk[1..])?;
        }
        found = found || character.is_some_and(|c| low <= c && c <= high);
        ranges += 1;
    }
}

/// Reads one possibly escaped character of a class; the class must go on behind it.
fn class_character(chunk: &[char]) -> Result<(char, &[char]), BadPattern> {
    let (first, mut rest) = chunk.split_first().ok_or(BadPattern)?;
    let mut character = *first;
    match character {
        '-' | ']' => return Err(BadPattern),
        '\\' => {
            let (escaped, after) = rest.split_first().ok_or(BadPattern)?;
            character = *escaped;
            rest = after;
        }
        _ => {}
    }
    if rest.is_empty() {
        return Err(BadPattern);
    }
    Ok((character, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", Ok(true)),
            ("*.yaml", "a.yml", Ok(false)),
            ("a*b*c", "axxbyyc", Ok(true)),
            ("a?c", "abc", Ok(true)),
            ("[a-c]x", "bx", Ok(true)),
            ("[^a-c]x", "bx", Ok(false)),
            ("\\*", "*", Ok(true)),
            ("a[", "a", Err(BadPattern)),
            ("a[", "b", Err(BadPattern)),
            ("[]a]", "a", Err(BadPattern)),
            ("[-]", "-", Err(BadPattern)),
            ("*", "", Ok(true)),
            ("", "", Ok(true)),
            ("", "a", Ok(false)),
            ("ab*", "ab/c", Ok(false)),
            ("*[", "x", Err(BadPattern)),
            ("b*[", "a", Ok(false)),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }
}
