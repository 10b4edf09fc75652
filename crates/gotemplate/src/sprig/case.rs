//! Letter case: Go's rune mapping, and the word rules of the libraries that Sprig leans on.

use gocompat::unicode::{
    is_letter, is_lower, is_number, is_punct, is_space, is_title, is_upper, to_lower, to_title,
    to_upper,
};

use crate::value::Value;

/// Maps every rune; malformed bytes become replacement characters.
pub(super) fn map_runes(text: &[u8], map: fn(char) -> char) -> Value {
    Value::text(
        String::from_utf8_lossy(text)
            .chars()
            .map(map)
            .collect::<String>(),
    )
}

/// Gives letters that begin the text or follow a separator their title case.
pub(super) fn title(text: &str) -> String {
    let mut previous = ' ';
    text.chars()
        .map(|c| match std::mem::replace(&mut previous, c) {
            before if is_separator(before) => to_title(c),
            _ => c,
        })
        .collect()
}

fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    is_space(c)
}

/// Lower-cases the first rune of each word.
pub(super) fn untitle(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|c| {
            if is_space(c) {
                start = true;
                return c;
            }
            if std::mem::take(&mut start) {
                to_lower(c)
            } else {
                c
            }
        })
        .collect()
}

/// Swaps case; a small letter that starts a word becomes title case.
pub(super) fn swap(text: &str) -> String {
    let mut after_space = true;
    text.chars()
        .map(|c| {
            let start = std::mem::replace(&mut after_space, false);
            if is_upper(c) || is_title(c) {
                to_lower(c)
            } else if is_lower(c) {
                if start { to_title(c) } else { to_upper(c) }
            } else {
                after_space = is_space(c);
                c
            }
        })
        .collect()
}

/// The first letters of all words; the library takes bytes for runes.
pub(super) fn initials(text: &[u8]) -> String {
    let mut start = true;
    text.iter()
        .copied()
        .map(char::from)
        .filter(|&c| {
            if is_space(c) {
                start = true;
                return false;
            }
            std::mem::take(&mut start)
        })
        .collect()
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || is_space(c)
}

/// Joins words with capitals; leading connectors and doubled ones stay.
pub(super) fn pascal(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    let mut current = loop {
        match chars.next() {
            None => {
                // A text of connectors gets its last one twice.
                out.extend(text.chars().next_back());
                return out;
            }
            Some(c) if is_connector(c) => out.push(c),
            Some(c) => break c,
        }
    };
    let mut first_upper = is_upper(current);
    current = to_upper(current);
    for next in chars {
        let previous = std::mem::replace(&mut current, next);
        if is_connector(current) && is_connector(previous) {
            out.push(previous);
            continue;
        }
        if is_connector(previous) {
            first_upper = is_upper(current);
            current = to_upper(current);
            continue;
        }
        if first_upper {
            if is_upper(current) {
                current = to_lower(current);
            } else {
                first_upper = false;
            }
        }
        out.push(previous);
    }
    out.push(current);
    out
}

/// Kinds of words in text that mixes cases.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Nothing,
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// A letter that words are made of; common ideographs are not.
fn is_alphabet(c: char) -> bool {
    is_letter(c)
        && !matches!(c, '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}')
}

/// A rune with its bytes; malformed bytes belong to the rune that follows them.
type Rune<'t> = (Option<char>, &'t [u8]);

/// Cuts a text into runes. Malformed bytes at the end have no rune of their own: they pass for one more of the rune
/// before them, or begin a word that is none.
fn runes(text: &[u8]) -> Vec<Rune<'_>> {
    let (mut runes, mut start, mut at) = (Vec::new(), 0, 0);
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            at += c.len_utf8();
            if c != char::REPLACEMENT_CHARACTER {
                runes.push((Some(c), &text[start..at]));
                start = at;
            }
        }
        at += chunk.invalid().len();
    }
    if start < text.len() {
        runes.push((None, &text[start..]));
    }
    runes
}

fn class(c: char) -> Word {
    match c {
        _ if is_connector(c) => Word::Connector,
        _ if is_punct(c) => Word::Punctuation,
        _ if is_upper(c) => Word::Upper,
        _ if is_alphabet(c) => Word::Letters,
        _ if is_number(c) => Word::Number,
        _ => Word::Other,
    }
}

/// Takes the first word off.
fn next_word<'r, 't>(runes: &'r [Rune<'t>]) -> (Word, &'r [Rune<'t>], &'r [Rune<'t>]) {
    let Some(&(first, _)) = runes.first() else {
        return (Word::Nothing, &[], &[]);
    };
    let Some(first) = first else {
        return (Word::Nothing, runes, &[]);
    };
    let run = |start: usize, test: fn(char) -> bool| {
        let same = |(c, _): &Rune<'_>| c.is_none_or(test);
        start + runes[start..].iter().take_while(|rune| same(rune)).count()
    };
    let small = |c| is_alphabet(c) && !is_upper(c);
    let second = runes.get(1).map(|(c, _)| c.unwrap_or(first));
    let word = class(first);
    let end = match word {
        Word::Connector => run(1, is_connector),
        Word::Punctuation => run(1, is_punct),
        Word::Upper => match second {
            Some(c) if is_upper(c) => {
                let end = run(2, is_upper);
                // The last capital starts the next word where letters follow.
                let letters = runes
                    .get(end)
                    .is_some_and(|(c, _)| c.is_some_and(is_alphabet));
                end - usize::from(letters)
            }
            Some(c) if is_alphabet(c) => run(2, small),
            _ => 1,
        },
        Word::Letters => run(1, small),
        Word::Number => run(1, is_number),
        Word::Other | Word::Nothing => run(1, |c| {
            !(is_connector(c) || is_alphabet(c) || is_number(c) || is_punct(c))
        }),
    };
    let (head, tail) = runes.split_at(end);
    (word, head, tail)
}

fn push_lower(out: &mut Vec<u8>, word: Word, text: &[Rune<'_>], connector: u8) {
    for (_, bytes) in text {
        if !matches!(word, Word::Upper | Word::Connector) {
            out.extend_from_slice(bytes);
            continue;
        }
        for c in String::from_utf8_lossy(bytes).chars() {
            match c {
                _ if is_connector(c) => out.push(connector),
                _ if is_upper(c) => {
                    out.extend_from_slice(to_lower(c).encode_utf8(&mut [0; 4]).as_bytes())
                }
                _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

/// Lower case with words joined by a connector: snake and kebab case.
pub(super) fn separated(text: &[u8], connector: u8) -> Vec<u8> {
    let runes = runes(text);
    let mut out = Vec::with_capacity(text.len());
    let joins = |word: Word| !matches!(word, Word::Nothing | Word::Connector | Word::Punctuation);
    let (mut kind, mut word, mut rest) = next_word(&runes);
    while !rest.is_empty() {
        if kind != Word::Connector {
            push_lower(&mut out, kind, word, connector);
        }
        let (previous, last) = (kind, word);
        (kind, word, rest) = next_word(rest);
        match previous {
            Word::Number => {
                while matches!(kind, Word::Letters | Word::Number) {
                    push_lower(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if joins(kind) {
                    out.push(connector);
                }
            }
            Word::Connector => push_lower(&mut out, previous, last, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punctuation) {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word, rest) = next_word(rest);
                if kind != Word::Letters {
                    push_lower(&mut out, Word::Number, number, connector);
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        out.push(connector);
                    }
                    continue;
                }
                out.push(connector);
                push_lower(&mut out, Word::Number, number, connector);
                while matches!(kind, Word::Letters | Word::Number) {
                    push_lower(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if joins(kind) {
                    out.push(connector);
                }
            }
        }
    }
    push_lower(&mut out, kind, word, connector);
    out
}
