//! Label selectors as text.
//!
//! Follows the lexer and parser of `labels.Parse`, with their error texts.

use super::{Requirement, Test};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Sign(sign) => sign,
            Self::End => "",
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 10] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<", "\u{0}"];
    let mut tokens = Vec::new();
    let mut rest = text;
    'outer: while let Some(first) = rest.chars().next() {
        if first.is_ascii_whitespace() {
            rest = &rest[1..];
            continue;
        }
        for sign in SIGNS {
            if let Some(after) = rest.strip_prefix(sign) {
                tokens.push(Token::Sign(sign));
                rest = after;
                continue 'outer;
            }
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || "!=(),><\0".contains(c))
            .unwrap_or(rest.len());
        tokens.push(Token::Word(rest[..end].to_owned()));
        rest = &rest[end..];
    }
    tokens.push(Token::End);
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

/// Reads the requirements of a text.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
    };
    parser.requirements()
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, String> {
        let mut found = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) | Token::Sign("!") => {
                    let requirement = self
                        .requirement()
                        .map_err(|why| format!("unable to parse requirement: {why}"))?;
                    found.push(requirement);
                    match self.next() {
                        Token::End => return Ok(found),
                        Token::Sign(",") => match self.peek() {
                            Token::Word(_) | Token::Sign("!") => {}
                            other => {
                                return Err(format!(
                                    "found '{}', expected: identifier after ','",
                                    other.text()
                                ));
                            }
                        },
                        other => {
                            return Err(format!(
                                "found '{}', expected: ',' or 'end of string'",
                                other.text()
                            ));
                        }
                    }
                }
                Token::End => return Ok(found),
                other => {
                    return Err(format!(
                        "found '{}', expected: !, identifier, or 'end of string'",
                        other.text()
                    ));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = *self.peek() == Token::Sign("!");
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        check_key(&key)?;
        let test = match self.peek() {
            _ if absent => Test::Absent,
            Token::End | Token::Sign(",") => Test::Exists,
            _ => self.test(&key)?,
        };
        Ok(Requirement { key, test })
    }

    fn test(&mut self, key: &str) -> Result<Test, String> {
        match self.next().text() {
            "in" => Ok(Test::In(self.values(key)?)),
            "notin" => Ok(Test::NotIn(self.values(key)?)),
            "=" | "==" => Ok(Test::Is(self.value(key)?)),
            "!=" => Ok(Test::IsNot(self.value(key)?)),
            ">" => Ok(Test::Greater(self.integer(key)?)),
            "<" => Ok(Test::Less(self.integer(key)?)),
            other => Err(format!(
                "found '{other}', expected: in, notin, =, ==, !=, gt, lt"
            )),
        }
    }

    fn integer(&mut self, key: &str) -> Result<i64, String> {
        let value = self.value(key)?;
        value.parse().map_err(|_| {
            format!(
                "values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        })
    }

    fn value(&mut self, key: &str) -> Result<String, String> {
        match self.peek().clone() {
            Token::End | Token::Sign(",") => Ok(String::new()),
            Token::Word(value) => {
                self.next();
                check_value(key, 0, &value)?;
                Ok(value)
            }
            other => Err(format!("found '{}', expected: identifier", other.text())),
        }
    }

    fn values(&mut self, key: &str) -> Result<Vec<String>, String> {
        match self.next() {
            Token::Sign("(") => {}
            other => return Err(format!("found '{}' expected: '('", other.text())),
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                Token::Word(value) => {
                    check_value(key, values.len(), &value)?;
                    values.push(value);
                    match self.next() {
                        Token::Sign(",") => {}
                        Token::Sign(")") => return Ok(values),
                        other => {
                            return Err(format!("found '{}', expected: ',' or ')'", other.text()));
                        }
                    }
                }
                Token::Sign(",") => values.push(String::new()),
                Token::Sign(")") => {
                    values.push(String::new());
                    return Ok(values);
                }
                other => {
                    let or = if values.is_empty() {
                        "',', ')' or"
                    } else {
                        "',', or"
                    };
                    return Err(format!(
                        "found '{}', expected: {or} identifier",
                        other.text()
                    ));
                }
            }
        }
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let problems = crate::names::qualified_name(key);
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!(
        "<nil>: Invalid value: \"{key}\": {}",
        problems.join("; ")
    ))
}

fn check_value(key: &str, index: usize, value: &str) -> Result<(), String> {
    let problems = crate::names::label_value(value);
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!(
        "values[{index}][{key}]: Invalid value: \"{value}\": {}",
        problems.join("; ")
    ))
}
