//! What may be given to the CEL parser and interpreter that this project stands on.
//!
//! Both recurse with the depth of an expression and end the process when the stack is used up, and the interpreter panics on
//! messages of named types (`google.protobuf.Struct{}`). Everybody who compiles an expression that somebody else wrote asks here
//! first. cel-go bounds recursion at 250 levels and texts at 100,000 characters; what people write stays far below the bounds.

use super::syntax::skip_text;

/// Brackets and prefix operators that may be open at once.
const NESTING_MAX: usize = 40;
/// Operators, selections, arguments and brackets of one expression; chains of them nest as deeply as brackets do.
const OPERATORS_MAX: usize = 400;

/// An expression that cannot be evaluated here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too many brackets or prefix operators are open at once.
    #[error("expression is nested more than {NESTING_MAX} levels deep")]
    Nesting,
    /// It has too many operators.
    #[error("expression has more than {OPERATORS_MAX} operators")]
    Operators,
    /// It builds a message of a named type.
    #[error("messages of named types are not supported")]
    Message,
}

/// Checks that a CEL text may be parsed and evaluated; quoted texts count like the rest for its size, which errs on the safe
/// side.
///
/// # Errors
/// Says which bound the text exceeds.
pub fn check_bounds(text: &str) -> Result<(), Unfit> {
    check_size(text)?;
    if builds_message(text) {
        return Err(Unfit::Message);
    }
    Ok(())
}

fn check_size(text: &str) -> Result<(), Unfit> {
    const OPERATORS: &str = "+-*/%<>=!&|?:.,([{";
    let (mut open, mut prefixes, mut operators) = (0_usize, 0_usize, 0_usize);
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '!' | '-' => prefixes += 1,
            c if c.is_whitespace() => {}
            _ => prefixes = 0,
        }
        // `==`, `&&` and the like are one operator; runs of brackets are bounded by their nesting.
        operators += usize::from(OPERATORS.contains(c) && !OPERATORS.contains(before));
        before = c;
        if open + prefixes > NESTING_MAX {
            return Err(Unfit::Nesting);
        }
        if operators > OPERATORS_MAX {
            return Err(Unfit::Operators);
        }
    }
    Ok(())
}

/// Tells whether a brace follows a name, outside of texts and comments.
fn builds_message(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '`';
    let (mut at, mut word) = (0, None);
    while let Some(c) = text[at..].chars().next() {
        let within = word.is_some_and(|(_, end)| end == at);
        let begins_text = matches!(c, '\'' | '"') || (is_word(c) && !within);
        if let Some(end) = skip_text(text, at).filter(|_| begins_text) {
            (at, word) = (end, None);
            continue;
        }
        if text[at..].starts_with("//") {
            at += text[at..].find('\n').unwrap_or(text.len() - at);
            continue;
        }
        if c == '{' && word.is_some_and(|(start, end)| &text[start..end] != "in") {
            return true;
        }
        let next = at + c.len_utf8();
        if is_word(c) {
            let start = word.filter(|_| within).map_or(at, |(start, _)| start);
            word = Some((start, next));
        } else if !c.is_whitespace() {
            word = None;
        }
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_or_chains_is_bounded() {
        let check = |text: String, outcome| assert_eq!(check_bounds(&text), outcome, "{text:.60}");
        check("(".repeat(40), Ok(()));
        check("(".repeat(41), Err(Unfit::Nesting));
        check("!- ".repeat(21), Err(Unfit::Nesting));
        check("(a)".repeat(100), Ok(()));
        check("a.".repeat(400), Ok(()));
        check("a.".repeat(401), Err(Unfit::Operators));
        check("1 + ".repeat(401), Err(Unfit::Operators));
    }
    #[test]
    fn messages_are_found_outside_of_texts() {
        for (text, found) in [
            ("google.protobuf.Struct{}", true),
            ("a == Foo {x: 1}", true),
            ("Foo // a comment\n{}", true),
            ("`a`{}", true),
            ("{}", false),
            ("{'a': 1}.a == 1", false),
            ("x in {'a': 1}", false),
            ("begin {}", true),
            ("a ? {'b': 1} : {}", false),
            ("'Foo{}' == \"Foo{\"", false),
            (r"r'\' == 'Foo{'", false),
            ("b'Foo{'", false),
            ("[{}, {}]", false),
            ("", false),
        ] {
            assert_eq!(builds_message(text), found, "{text}");
        }
    }
}
