//! RE2 patterns into the `regex` crate's syntax, with Go's errors.

use super::RegexpError;

/// Largest repeat count.
const REPEAT_MAX: u32 = 1000;
/// Deepest nesting of groups.
const DEPTH_MAX: usize = 250;

pub(super) fn translate(pattern: &str) -> Result<String, RegexpError> {
    let mut translator = Translator {
        pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len() + 8),
        groups: Vec::new(),
        operand: false,
        repeat: None,
    };
    translator.run()?;
    Ok(translator.out)
}

struct Translator<'p> {
    pattern: &'p str,
    rest: &'p str,
    out: String,
    /// Open groups.
    groups: Vec<()>,
    /// Whether something that can be repeated stands before.
    operand: bool,
    /// Where a repetition operator just read starts.
    repeat: Option<&'p str>,
}

fn error<T>(what: &'static str, part: &str) -> Result<T, RegexpError> {
    Err(RegexpError {
        what,
        part: part.to_owned(),
    })
}

/// The part of a text that lies before its suffix.
fn before<'p>(text: &'p str, suffix: &str) -> &'p str {
    &text[..text.len() - suffix.len()]
}

const PERL: [(char, &str); 6] = [
    ('d', "[0-9]"),
    ('D', "[^0-9]"),
    ('s', "[\\t\\n\\f\\r ]"),
    ('S', "[^\\t\\n\\f\\r ]"),
    ('w', "[0-9A-Za-z_]"),
    ('W', "[^0-9A-Za-z_]"),
];

impl<'p> Translator<'p> {
    fn run(&mut self) -> Result<(), RegexpError> {
        while let Some(c) = self.rest.chars().next() {
            let start = self.rest;
            let repeated = self.repeat.take();
            match c {
                '(' => self.open()?,
                ')' => {
                    if self.groups.pop().is_none() {
                        return error("unexpected )", self.pattern);
                    }
                    self.take(1);
                    self.operand = true;
                }
                '|' => {
                    self.take(1);
                    self.operand = false;
                }
                '^' | '$' | '.' => {
                    self.take(1);
                    self.operand = true;
                }
                '*' | '+' | '?' => self.repetition(start, repeated, 1)?,
                '{' => match self.count()? {
                    Some(len) => self.repetition(start, repeated, len)?,
                    None => self.literal(c),
                },
                '[' => self.class()?,
                '\\' => self.escape()?,
                _ => self.literal(c),
            }
        }
        if !self.groups.is_empty() {
            return error("missing closing )", self.pattern);
        }
        Ok(())
    }

    fn take(&mut self, len: usize) {
        self.out.push_str(&self.rest[..len]);
        self.rest = &self.rest[len..];
    }

    fn literal(&mut self, c: char) {
        self.out
            .push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
        self.rest = &self.rest[c.len_utf8()..];
        self.operand = true;
    }

    fn repetition(
        &mut self,
        start: &'p str,
        repeated: Option<&'p str>,
        len: usize,
    ) -> Result<(), RegexpError> {
        let lazy = self.rest[len..].starts_with('?');
        let whole = len + usize::from(lazy);
        if let Some(first) = repeated {
            return error(
                "invalid nested repetition operator",
                before(first, &start[whole..]),
            );
        }
        if !self.operand {
            return error("missing argument to repetition operator", &start[..whole]);
        }
        self.take(whole);
        self.repeat = Some(start);
        Ok(())
    }

    /// Length of a counted repetition here; `None` where the brace is literal.
    fn count(&self) -> Result<Option<usize>, RegexpError> {
        let Some(close) = self.rest.find('}') else {
            return Ok(None);
        };
        let body = &self.rest[1..close];
        let (low, high) = match body.split_once(',') {
            None => (body, Some(body)),
            Some((low, "")) => (low, None),
            Some((low, high)) => (low, Some(high)),
        };
        let is_number = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'))
        };
        if !is_number(low) || high.is_some_and(|high| !is_number(high)) {
            return Ok(None);
        }
        let value = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
        let (low, high) = (value(low), high.map(value));
        if low > REPEAT_MAX || high.is_some_and(|high| high > REPEAT_MAX || high < low) {
            return error("invalid repeat count", &self.rest[..=close]);
        }
        Ok(Some(close + 1))
    }

    fn open(&mut self) -> Result<(), RegexpError> {
        if self.groups.len() >= DEPTH_MAX {
            return error("expression nests too deeply", self.pattern);
        }
        self.operand = false;
        if !self.rest.starts_with("(?") {
            self.take(1);
            self.groups.push(());
            return Ok(());
        }
        if self.rest.starts_with("(?P<") || self.rest.starts_with("(?<") {
            return self.named();
        }
        let body = &self.rest[2..];
        let mut signed = false;
        let mut any = false;
        for (at, c) in body.char_indices() {
            match c {
                'i' | 'm' | 's' | 'U' => any = true,
                '-' if !signed => {
                    signed = true;
                    any = false;
                }
                ':' | ')' if !signed || any => {
                    let len = 2 + at + 1;
                    if c == ':' {
                        self.groups.push(());
                    }
                    // `(?)` changes nothing, and the crate refuses it.
                    if at == 0 && c == ')' {
                        self.rest = &self.rest[len..];
                    } else {
                        self.take(len);
                    }
                    return Ok(());
                }
                _ => {
                    let part = &self.rest[..2 + at + c.len_utf8()];
                    return error("invalid or unsupported Perl syntax", part);
                }
            }
        }
        error("missing closing )", self.pattern)
    }

    fn named(&mut self) -> Result<(), RegexpError> {
        let start = if self.rest.starts_with("(?P<") { 4 } else { 3 };
        let Some(end) = self.rest.find('>') else {
            return error("invalid named capture", self.rest);
        };
        let name = &self.rest[start..end];
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return error("invalid named capture", &self.rest[..=end]);
        }
        if self.out.contains(&format!("(?P<{}>", group_name(name))) {
            return error("duplicate capture group name", name);
        }
        self.out.push_str(&format!("(?P<{}>", group_name(name)));
        self.rest = &self.rest[end + 1..];
        self.groups.push(());
        Ok(())
    }

    fn escape(&mut self) -> Result<(), RegexpError> {
        let mut chars = self.rest[1..].chars();
        let Some(c) = chars.next() else {
            return error("trailing backslash at end of expression", "");
        };
        self.operand = true;
        if let Some((_, class)) = PERL.iter().find(|(name, _)| *name == c) {
            self.out.push_str(class);
            self.rest = chars.as_str();
            return Ok(());
        }
        match c {
            'A' | 'z' => self.take(2),
            'b' | 'B' => {
                self.out.push_str(&format!("(?-u:\\{c})"));
                self.rest = chars.as_str();
            }
            'C' => {
                self.out.push_str("(?s-u:.)");
                self.rest = chars.as_str();
            }
            'Q' => {
                let (quoted, tail) = chars
                    .as_str()
                    .split_once("\\E")
                    .unwrap_or((chars.as_str(), ""));
                self.out.push_str(&regex_syntax::escape(quoted));
                self.operand = !quoted.is_empty();
                self.rest = tail;
            }
            'p' | 'P' => self.property()?,
            _ => {
                let (rune, tail) = rune_escape(self.rest)?;
                self.out
                    .push_str(&regex_syntax::escape(rune.encode_utf8(&mut [0; 4])));
                self.rest = tail;
            }
        }
        Ok(())
    }

    fn property(&mut self) -> Result<(), RegexpError> {
        let start = self.rest;
        let len = match start[2..].chars().next() {
            None => return error("invalid character class range", start),
            Some('{') => match start.find('}') {
                Some(end) => end + 1,
                None => return error("invalid character class range", start),
            },
            Some(c) => 2 + c.len_utf8(),
        };
        let part = &start[..len];
        let fixed = part.replace("{^", "{");
        let negated = fixed.len() != part.len();
        let text = if negated && fixed.starts_with("\\p") {
            fixed.replacen("\\p", "\\P", 1)
        } else if negated {
            fixed.replacen("\\P", "\\p", 1)
        } else {
            fixed
        };
        // Go knows categories and scripts only; `Any` is everything.
        let text = if text.ends_with("{Any}") {
            text.replace("{Any}", "{any}")
        } else {
            text
        };
        if text.contains(['=', ':', '!']) || regex_syntax::parse(&text).is_err() {
            return error("invalid character class range", part);
        }
        self.out.push_str(&text);
        self.rest = &start[len..];
        Ok(())
    }

    fn class(&mut self) -> Result<(), RegexpError> {
        let start = self.rest;
        self.take(1);
        if self.rest.starts_with('^') {
            self.take(1);
        }
        self.operand = true;
        let mut first = true;
        loop {
            let Some(c) = self.rest.chars().next() else {
                return error("missing closing ]", start);
            };
            if c == ']' && !first {
                self.take(1);
                return Ok(());
            }
            first = false;
            if self.rest.starts_with("[:")
                && let Some(end) = self.rest.find(":]")
            {
                let part = &self.rest[..end + 2];
                if regex_syntax::parse(&format!("[{part}]")).is_err() {
                    return error("invalid character class range", part);
                }
                self.take(end + 2);
                continue;
            }
            if let Some(letter) = self
                .rest
                .strip_prefix('\\')
                .and_then(|tail| tail.chars().next())
            {
                if matches!(letter, 'p' | 'P') {
                    self.property()?;
                    continue;
                }
                if let Some((_, class)) = PERL.iter().find(|(name, _)| *name == letter) {
                    self.out.push_str(class);
                    self.rest = &self.rest[2..];
                    continue;
                }
            }
            self.range(start)?;
        }
    }

    /// One rune of a class, or a range of them.
    fn range(&mut self, class: &'p str) -> Result<(), RegexpError> {
        let start = self.rest;
        let low = self.class_rune(class)?;
        self.push_class_rune(low);
        if self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest[1..].starts_with(']') {
            self.rest = &self.rest[1..];
            let high = self.class_rune(class)?;
            if high < low {
                return error("invalid character class range", before(start, self.rest));
            }
            self.out.push('-');
            self.push_class_rune(high);
        }
        Ok(())
    }

    fn class_rune(&mut self, class: &'p str) -> Result<char, RegexpError> {
        let Some(c) = self.rest.chars().next() else {
            return error("missing closing ]", class);
        };
        if c == '\\' {
            let (rune, tail) = rune_escape(self.rest)?;
            self.rest = tail;
            return Ok(rune);
        }
        self.rest = &self.rest[c.len_utf8()..];
        Ok(c)
    }

    fn push_class_rune(&mut self, c: char) {
        if c.is_ascii_punctuation() {
            self.out.push('\\');
        }
        self.out.push(c);
    }
}

/// Names that start with a digit are legal in Go only.
fn group_name(name: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name.to_owned()
    }
}

/// An escape that stands for one rune.
fn rune_escape(text: &str) -> Result<(char, &str), RegexpError> {
    let mut chars = text[1..].chars();
    let Some(c) = chars.next() else {
        return error("trailing backslash at end of expression", "");
    };
    let rest = chars.as_str();
    let invalid = |tail: &str| error("invalid escape sequence", before(text, tail));
    let simple = |c: char| Ok((c, rest));
    match c {
        'a' => simple('\x07'),
        'f' => simple('\x0c'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\x0b'),
        '0'..='7' => {
            // A single digit other than 0 would be a back-reference.
            if c != '0' && !rest.starts_with(|d: char| ('0'..='7').contains(&d)) {
                return invalid(rest);
            }
            let len = 1 + rest
                .bytes()
                .take(2)
                .take_while(|b| (b'0'..=b'7').contains(b))
                .count();
            let code = u32::from_str_radix(&text[1..1 + len], 8).unwrap_or(0);
            Ok((char::from_u32(code).unwrap_or('\u{fffd}'), &text[1 + len..]))
        }
        'x' => hex_escape(text, rest),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => simple(c),
        _ => invalid(rest),
    }
}

fn hex_escape<'t>(text: &'t str, rest: &'t str) -> Result<(char, &'t str), RegexpError> {
    let (digits, tail) = if let Some(body) = rest.strip_prefix('{') {
        match body.split_once('}') {
            Some(parts) => parts,
            None => return error("invalid escape sequence", text),
        }
    } else {
        match rest.split_at_checked(2) {
            Some(parts) => parts,
            None => return error("invalid escape sequence", text),
        }
    };
    let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let rune = u32::from_str_radix(digits, 16)
        .ok()
        .and_then(char::from_u32);
    match rune.filter(|_| valid) {
        Some(rune) => Ok((rune, tail)),
        None => error("invalid escape sequence", before(text, tail)),
    }
}
