//! Classes and simple case mapping of runes as Go's package `unicode` has them (Unicode 15).
//!
//! The tables are those of `regex-syntax`, cut at that version; they are unpacked when the first rune outside ASCII
//! asks for them. Runes assigned later have no class and no other case, as in Go.

use std::sync::LazyLock;

use regex_syntax::hir::HirKind;

/// Sorted, disjoint ranges of runes.
struct Table(Vec<(char, char)>);

impl Table {
    fn compile(class: &str) -> Self {
        let pattern = format!(r"[{class}&&\p{{Age:15.0}}]");
        let class = regex_syntax::parse(&pattern).expect("the class is written here");
        let HirKind::Class(regex_syntax::hir::Class::Unicode(class)) = class.into_kind() else {
            unreachable!("a bracket of properties is a class");
        };
        let ranges = class.ranges().iter();
        Self(ranges.map(|range| (range.start(), range.end())).collect())
    }

    fn has(&self, c: char) -> bool {
        let after = self.0.partition_point(|&(start, _)| start <= c);
        after > 0 && c <= self.0[after - 1].1
    }
}

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident, $class:literal, $ascii:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(c: char) -> bool {
            static TABLE: LazyLock<Table> = LazyLock::new(|| Table::compile($class));
            let ascii: fn(u8) -> bool = $ascii;
            u8::try_from(c).ok().filter(u8::is_ascii).map_or_else(|| TABLE.has(c), ascii)
        }
    )*};
}

classes! {
    /// `unicode.IsLetter`.
    is_letter, r"\p{L}", |b| b.is_ascii_alphabetic();
    /// `unicode.IsDigit`: decimal digits only.
    is_digit, r"\p{Nd}", |b| b.is_ascii_digit();
    /// `unicode.IsNumber`.
    is_number, r"\p{N}", |b| b.is_ascii_digit();
    /// `unicode.IsUpper`.
    is_upper, r"\p{Lu}", |b| b.is_ascii_uppercase();
    /// `unicode.IsLower`.
    is_lower, r"\p{Ll}", |b| b.is_ascii_lowercase();
    /// `unicode.IsTitle`: capitals with a small letter or subscript in one.
    is_title, r"\p{Lt}", |_| false;
    /// `unicode.IsPunct`: the ASCII symbols are not among them.
    is_punct, r"\p{P}", |b| b.is_ascii_punctuation() && !b"$+<=>^`|~".contains(&b);
    /// `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and of all spaces the ASCII one.
    is_print, r"\p{L}\p{M}\p{N}\p{P}\p{S}", |b| (b' '..=b'~').contains(&b);
    /// Whether Go knows the rune.
    is_assigned, r"\p{Any}", |_| true;
}

/// `unicode.IsSpace`.
pub fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ' | '\u{85}' | '\u{a0}') || (c > '\u{ff}' && c.is_whitespace())
}

/// The only character of a mapping, unless it or the rune itself is younger than Go's tables.
fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) if only == c || is_assigned(only) && is_assigned(c) => only,
        _ => c,
    }
}

/// `unicode.ToUpper`: upper case of one rune where it is one rune.
pub fn to_upper(c: char) -> char {
    // The capitals of Greek letters with a subscript are several in full case mapping.
    let distance = match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => return single(c, c.to_uppercase()),
    };
    char::from_u32(u32::from(c) + distance).unwrap_or(c)
}

/// `unicode.ToLower`: lower case of one rune where it is one rune.
pub fn to_lower(c: char) -> char {
    match c {
        'İ' => 'i',
        _ => single(c, c.to_lowercase()),
    }
}

/// `unicode.ToTitle`: the case of a word's first letter.
pub fn to_title(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian has capitals, but not at the start of words.
        '\u{10d0}'..='\u{10ff}' => c,
        // Capitals with a subscript are title case already.
        _ if is_title(c) => c,
        _ => to_upper(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_go_s() {
        assert!(is_letter('é') && is_letter('日') && !is_letter('Ⅷ') && !is_letter('\u{301}'));
        assert!(is_digit('٣') && !is_digit('½') && is_number('½') && is_number('Ⅷ'));
        assert!(is_upper('É') && !is_upper('Ⓐ') && is_lower('é') && !is_lower('ª'));
        assert!(is_punct('«') && is_punct('-') && !is_punct('$') && !is_punct('€'));
        assert!(is_print('\u{301}') && is_print('\u{fffd}') && !is_print('\u{a0}'));
        assert!(!is_print('\u{a7cb}'), "assigned in Unicode 16");
    }

    #[test]
    fn case_mapping_is_simple() {
        assert_eq!(
            (to_upper('ß'), to_upper('ᾳ'), to_lower('İ')),
            ('ß', 'ᾼ', 'i')
        );
        assert_eq!(
            (to_title('ǆ'), to_title('ა'), to_title('ᾼ')),
            ('ǅ', 'ა', 'ᾼ')
        );
        assert_eq!(
            to_upper('\u{264}'),
            '\u{264}',
            "its capital is of Unicode 16"
        );
    }
}
