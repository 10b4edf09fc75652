//! Letter case: Go's rune mapping, and the word rules of the libraries that Sprig leans on.

use super::strings::is_go_space;
use crate::value::Value;

/// Upper case of one rune where it is one rune.
pub(super) fn upper(c: char) -> char {
    if let Some(capital) = greek_capital(c) {
        return capital;
    }
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

/// Lower case of one rune where it is one rune.
pub(super) fn lower(c: char) -> char {
    if c == 'İ' {
        return 'i';
    }
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

/// The capital of a Greek letter with a subscript, which is several in full case mapping.
fn greek_capital(c: char) -> Option<char> {
    let distance = match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => return None,
    };
    char::from_u32(u32::from(c) + distance)
}

/// Whether a letter is a capital with a small letter or subscript in one.
fn is_title_case(c: char) -> bool {
    matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ' | '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}'
        | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}')
}

/// Title case of one rune.
fn title_case(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian has capitals, but not at the start of words.
        '\u{10d0}'..='\u{10ff}' => c,
        _ => upper(c),
    }
}

/// Maps every rune; malformed bytes become replacement characters.
pub(super) fn map_runes(text: &[u8], map: fn(char) -> char) -> Value {
    Value::text(
        String::from_utf8_lossy(text)
            .chars()
            .map(map)
            .collect::<String>(),
    )
}

/// Upper-cases letters after anything but a letter, digit, underscore or apostrophe-less rune.
pub(super) fn title(text: &str) -> String {
    let mut previous = ' ';
    text.chars()
        .map(|c| {
            let start = is_separator(previous);
            previous = c;
            if start { title_case(c) } else { c }
        })
        .collect()
}

fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !(c.is_alphabetic() || c.is_numeric()) && is_go_space(c)
}

/// Lower-cases the first rune of each word.
pub(super) fn untitle(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|c| {
            if is_go_space(c) {
                start = true;
                return c;
            }
            if std::mem::take(&mut start) {
                lower(c)
            } else {
                c
            }
        })
        .collect()
}

/// Swaps case; a lower-case letter that starts a word becomes title case.
pub(super) fn swap(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_uppercase() || is_title_case(c) {
                lower(c)
            } else if c.is_lowercase() {
                upper(c)
            } else {
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
            if is_go_space(c) {
                start = true;
                return false;
            }
            std::mem::take(&mut start)
        })
        .collect()
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || is_go_space(c)
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
    let mut first_upper = current.is_uppercase();
    current = upper(current);
    for next in chars {
        let previous = std::mem::replace(&mut current, next);
        if is_connector(current) && is_connector(previous) {
            out.push(previous);
            continue;
        }
        if is_connector(previous) {
            first_upper = current.is_uppercase();
            current = upper(current);
            continue;
        }
        if first_upper {
            if current.is_uppercase() {
                current = lower(current);
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

fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        // Go's punctuation leaves out the ASCII symbols.
        return c.is_ascii_punctuation()
            && !matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~');
    }
    matches!(c, '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{b6}' | '\u{b7}' | '\u{bb}' | '\u{bf}'
        | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
}

fn next_word(text: &[char]) -> (Word, &[char], &[char]) {
    let Some(&first) = text.first() else {
        return (Word::Nothing, &[], &[]);
    };
    let run = |start: usize, test: &dyn Fn(char) -> bool| {
        text[start..]
            .iter()
            .position(|&c| !test(c))
            .map_or(text.len(), |at| start + at)
    };
    let lower_letter = |c: char| c.is_alphabetic() && !c.is_uppercase();
    let (word, end) = if is_connector(first) {
        (Word::Connector, run(1, &is_connector))
    } else if is_punctuation(first) {
        (Word::Punctuation, run(1, &is_punctuation))
    } else if first.is_uppercase() {
        let end = match text.get(1) {
            Some(c) if c.is_uppercase() => {
                let end = run(2, &char::is_uppercase);
                // The last capital starts the next word where letters follow.
                end - usize::from(text.get(end).is_some_and(|c| c.is_alphabetic()))
            }
            Some(c) if c.is_alphabetic() => run(2, &lower_letter),
            _ => 1,
        };
        (Word::Upper, end)
    } else if first.is_alphabetic() {
        (Word::Letters, run(1, &lower_letter))
    } else if first.is_numeric() {
        (Word::Number, run(1, &char::is_numeric))
    } else {
        let other = |c: char| {
            !(is_connector(c) || c.is_alphabetic() || c.is_numeric() || is_punctuation(c))
        };
        (Word::Other, run(1, &other))
    };
    let (head, tail) = text.split_at(end);
    (word, head, tail)
}

fn push_lower(out: &mut String, word: Word, text: &[char], connector: char) {
    for &c in text {
        out.push(match word {
            Word::Upper | Word::Connector if is_connector(c) => connector,
            Word::Upper | Word::Connector => lower(c),
            _ => c,
        });
    }
}

/// Lower case with words joined by a connector: snake and kebab case.
pub(super) fn separated(text: &str, connector: char) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    if chars.is_empty() {
        return out;
    }
    let joins = |word: Word| !matches!(word, Word::Nothing | Word::Connector | Word::Punctuation);
    let (mut kind, mut word, mut rest) = next_word(&chars);
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
