//! A small parser of CEL that keeps the place of every part; the evaluator's own parser keeps it to itself.
//!
//! Only expressions that the evaluator's parser took are read here, so that errors need no words: `None` means no check.

/// Bound on nesting.
const DEPTH_MAX: usize = 100;

/// A part of an expression, with the offset that errors name: that of its operator, dot, bracket or first character.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub at: usize,
    pub part: Part,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Name(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// A message of a named type, which is not checked.
    Message,
    /// Operand, field, whether it is optional.
    Select(Box<Node>, String, bool),
    Index(Box<Node>, Box<Node>),
    /// Target, function, arguments.
    Call(Option<Box<Node>>, String, Vec<Node>),
    /// `-` or `!`.
    Unary(&'static str, Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
}

/// Parses an expression.
pub fn parse(source: &str) -> Option<Node> {
    let mut parser = Parser {
        source,
        at: 0,
        depth: 0,
    };
    let tree = parser.choice()?;
    parser.space();
    (parser.at == source.len()).then_some(tree)
}

/// Returns the end of the text or the bytes that begin at an offset, with their prefixes; `None` where there are none.
pub fn skip_text(source: &str, at: usize) -> Option<usize> {
    let mut parser = Parser {
        source,
        at,
        depth: 0,
    };
    parser.text().map(|_| parser.at)
}

/// Writes a chain of selections that begins at a variable, such as `status.phase`; `None` for anything else.
pub fn path(node: &Node) -> Option<String> {
    match &node.part {
        Part::Name(name) => Some(name.clone()),
        Part::Select(operand, field, false) => Some(format!("{}.{field}", path(operand)?)),
        _ => None,
    }
}

/// Visits a part and all parts within it, outermost first.
pub fn visit<'a>(node: &'a Node, to: &mut dyn FnMut(&'a Node)) {
    to(node);
    match &node.part {
        Part::List(items) => items.iter().for_each(|item| visit(item, to)),
        Part::Map(entries) => entries.iter().for_each(|(key, value)| {
            visit(key, to);
            visit(value, to);
        }),
        Part::Select(operand, _, _) | Part::Unary(_, operand) => visit(operand, to),
        Part::Index(left, right) | Part::Binary(_, left, right) => {
            visit(left, to);
            visit(right, to);
        }
        Part::Call(target, _, arguments) => {
            target.iter().for_each(|target| visit(target, to));
            arguments.iter().for_each(|argument| visit(argument, to));
        }
        Part::Choice(condition, left, right) => {
            for part in [condition, left, right] {
                visit(part, to);
            }
        }
        _ => {}
    }
}

/// Lists the variables that an expression names, loop variables included.
pub fn variables(tree: &Node) -> impl Iterator<Item = &str> {
    let mut found = Vec::new();
    visit(tree, &mut |node| {
        if let Part::Name(name) = &node.part {
            found.push(name.as_str());
        }
    });
    found.into_iter()
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
}

fn node(at: usize, part: Part) -> Node {
    Node { at, part }
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// Takes a sign if it comes next; returns where it was.
    fn take(&mut self, sign: &str) -> Option<usize> {
        self.space();
        let at = self.at;
        self.rest().starts_with(sign).then(|| {
            self.at += sign.len();
            at
        })
    }

    fn choice(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let condition = self.binary(0)?;
        let tree = match self.take("?") {
            None => condition,
            Some(at) => {
                let left = self.binary(0)?;
                self.take(":")?;
                let right = self.choice()?;
                let part = Part::Choice(Box::new(condition), Box::new(left), Box::new(right));
                node(at, part)
            }
        };
        self.depth -= 1;
        Some(tree)
    }

    fn binary(&mut self, level: usize) -> Option<Node> {
        const LEVELS: [&[&str]; 5] = [
            &["||"],
            &["&&"],
            &["==", "!=", "<=", ">=", "<", ">", "in"],
            &["+", "-"],
            &["*", "/", "%"],
        ];
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some((at, operator)) = self.operator(operators) {
            let right = self.binary(level + 1)?;
            left = node(at, Part::Binary(operator, Box::new(left), Box::new(right)));
        }
        Some(left)
    }

    fn operator(&mut self, operators: &[&'static str]) -> Option<(usize, &'static str)> {
        self.space();
        let rest = self.rest();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let found = operators.iter().find(|operator| {
            rest.strip_prefix(**operator)
                .is_some_and(|after| **operator != "in" || !after.starts_with(word))
        })?;
        let at = self.at;
        self.at += found.len();
        Some((at, found))
    }

    fn unary(&mut self) -> Option<Node> {
        self.space();
        let rest = self.rest();
        let digits = rest.starts_with('-') && rest[1..].starts_with(|c: char| c.is_ascii_digit());
        for (sign, name) in [("!", "!"), ("-", "-")] {
            if rest.starts_with(sign) && !(sign == "-" && digits) {
                let at = self.take(sign)?;
                let operand = self.unary()?;
                return Some(node(at, Part::Unary(name, Box::new(operand))));
            }
        }
        self.member()
    }

    fn member(&mut self) -> Option<Node> {
        let mut tree = self.primary()?;
        loop {
            self.space();
            let at = self.at;
            if self.take(".").is_some() {
                let optional = self.take("?").is_some();
                let name = self.identifier()?;
                if let Some(at) = self.take("(") {
                    let arguments = self.list(")")?;
                    tree = node(at, Part::Call(Some(Box::new(tree)), name, arguments));
                } else {
                    tree = node(at, Part::Select(Box::new(tree), name, optional));
                }
            } else if self.take("[").is_some() {
                let optional = self.take("?").is_some();
                let index = self.choice()?;
                self.take("]")?;
                if optional {
                    return None;
                }
                tree = node(at, Part::Index(Box::new(tree), Box::new(index)));
            } else if self.rest().starts_with('{') {
                self.take("{")?;
                self.message()?;
                tree = node(at, Part::Message);
            } else {
                return Some(tree);
            }
        }
    }

    fn identifier(&mut self) -> Option<String> {
        self.space();
        let rest = self.rest();
        if let Some(quoted) = rest.strip_prefix('`') {
            let end = quoted.find('`')?;
            let name = quoted[..end].to_owned();
            self.at += end + 2;
            return Some(name);
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
        if end == 0 || rest.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let name = rest[..end].to_owned();
        self.at += end;
        Some(name)
    }

    fn list(&mut self, end: &str) -> Option<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            if self.take(end).is_some() {
                return Some(items);
            }
            if !items.is_empty() {
                self.take(",")?;
                if self.take(end).is_some() {
                    return Some(items);
                }
            }
            if self.take("?").is_some() {
                return None;
            }
            items.push(self.choice()?);
        }
    }

    fn map(&mut self) -> Option<Vec<(Node, Node)>> {
        let mut entries = Vec::new();
        loop {
            if self.take("}").is_some() {
                return Some(entries);
            }
            if !entries.is_empty() {
                self.take(",")?;
                if self.take("}").is_some() {
                    return Some(entries);
                }
            }
            if self.take("?").is_some() {
                return None;
            }
            let key = self.choice()?;
            self.take(":")?;
            entries.push((key, self.choice()?));
        }
    }

    fn message(&mut self) -> Option<()> {
        let mut first = true;
        loop {
            if self.take("}").is_some() {
                return Some(());
            }
            if !first {
                self.take(",")?;
            }
            first = false;
            self.identifier()?;
            self.take(":")?;
            self.choice()?;
        }
    }

    fn primary(&mut self) -> Option<Node> {
        self.space();
        let at = self.at;
        let rest = self.rest();
        let first = rest.chars().next()?;
        if self.take("(").is_some() {
            let inner = self.choice()?;
            self.take(")")?;
            return Some(inner);
        }
        if self.take("[").is_some() {
            return Some(node(at, Part::List(self.list("]")?)));
        }
        if self.take("{").is_some() {
            return Some(node(at, Part::Map(self.map()?)));
        }
        if first.is_ascii_digit() || first == '-' {
            return self.number();
        }
        if let Some(part) = self.text() {
            return Some(node(at, part));
        }
        self.take(".");
        let name = self.identifier()?;
        let part = match name.as_str() {
            "true" | "false" => Part::Bool,
            "null" => Part::Null,
            _ => {
                if let Some(at) = self.take("(") {
                    let arguments = self.list(")")?;
                    return Some(node(at, Part::Call(None, name, arguments)));
                }
                Part::Name(name)
            }
        };
        Some(node(at, part))
    }

    fn number(&mut self) -> Option<Node> {
        let at = self.at;
        let rest = self.rest();
        let mut end = usize::from(rest.starts_with('-'));
        let hex = rest[end..].starts_with("0x") || rest[end..].starts_with("0X");
        let mut double = false;
        let bytes = rest.as_bytes();
        while let Some(byte) = bytes.get(end) {
            let after_exponent = end > 0 && matches!(bytes[end - 1], b'e' | b'E') && !hex;
            match byte {
                b'0'..=b'9' => {}
                b'a'..=b'f' | b'A'..=b'F' | b'x' | b'X' if hex => {}
                b'.' if bytes.get(end + 1).is_some_and(u8::is_ascii_digit) => double = true,
                b'e' | b'E' => double = true,
                b'+' | b'-' if after_exponent => {}
                _ => break,
            }
            end += 1;
        }
        self.at += end;
        let unsigned = self.rest().starts_with(['u', 'U']);
        if unsigned {
            self.at += 1;
        }
        let part = match (double, unsigned) {
            (true, _) => Part::Double,
            (_, true) => Part::Uint,
            _ => Part::Int,
        };
        Some(node(at, part))
    }

    /// Reads a text or bytes, with their prefixes and both kinds of quotes.
    fn text(&mut self) -> Option<Part> {
        let rest = self.rest();
        let prefix: String = rest
            .chars()
            .take_while(|c| matches!(c, 'r' | 'R' | 'b' | 'B'))
            .take(2)
            .collect();
        let body = &rest[prefix.len()..];
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| body.starts_with(quote))?;
        let raw = prefix.contains(['r', 'R']);
        let mut at = quote.len();
        loop {
            let tail = body.get(at..)?;
            if tail.starts_with(quote) {
                break;
            }
            let first = tail.chars().next()?;
            at += first.len_utf8();
            if first == '\\' && !raw {
                at += body.get(at..)?.chars().next()?.len_utf8();
            }
        }
        self.at += prefix.len() + at + quote.len();
        Some(if prefix.contains(['b', 'B']) {
            Part::Bytes
        } else {
            Part::Text
        })
    }
}
