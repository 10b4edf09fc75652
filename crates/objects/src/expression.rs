//! A bound on CEL texts.
//!
//! The parser and the interpreter recurse with the depth of an expression and end the process when the stack is used up.
//! Everybody who compiles an expression that somebody else wrote asks here first. cel-go bounds recursion at 250 levels and
//! texts at 100,000 characters; what people write stays far below these bounds.

/// Brackets and prefix operators that may be open at once.
const NESTING_MAX: usize = 40;
/// Operators, selections, arguments and brackets of one expression; chains of them nest as deeply as brackets do.
const OPERATORS_MAX: usize = 400;

/// An expression beyond the bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionSize {
    /// Too many brackets or prefix operators are open at once.
    #[error("expression is nested more than {NESTING_MAX} levels deep")]
    Nesting,
    /// It has too many operators.
    #[error("expression has more than {OPERATORS_MAX} operators")]
    Operators,
}

/// Checks that a CEL text is small enough to be parsed and evaluated; quoted texts count like the rest, which errs on the
/// safe side.
pub fn check_size(text: &str) -> Result<(), ExpressionSize> {
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
            return Err(ExpressionSize::Nesting);
        }
        if operators > OPERATORS_MAX {
            return Err(ExpressionSize::Operators);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_or_chains_is_bounded() {
        let check = |text: String, outcome| assert_eq!(check_size(&text), outcome, "{text:.60}");
        check("(".repeat(40), Ok(()));
        check("(".repeat(41), Err(ExpressionSize::Nesting));
        check("!- ".repeat(21), Err(ExpressionSize::Nesting));
        check("(a)".repeat(100), Ok(()));
        check("a.".repeat(400), Ok(()));
        check("a.".repeat(401), Err(ExpressionSize::Operators));
        check("1 + ".repeat(401), Err(ExpressionSize::Operators));
    }
}
