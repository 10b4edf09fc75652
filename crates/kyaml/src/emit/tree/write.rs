//! Characters, indentation, indicators, comments and scalars of a tree.

use super::TreeWriter;
use crate::emit::analyze::is_break;
use crate::emit::scalar::Sheet;

impl TreeWriter {
    pub(super) fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += if text.is_ascii() {
            text.len()
        } else {
            text.chars().count()
        };
    }

    fn put_char(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    pub(super) fn put_break(&mut self) {
        self.write_break('\n');
    }

    fn write_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
        self.indention = true;
    }

    /// Goes to the present indentation, on a new line where this one is used.
    pub(super) fn write_indent(&mut self) {
        let indent = self.indent.max(0);
        let column = usize::try_from(indent).unwrap_or(0);
        if !self.indention || self.column > column || self.column == column && !self.whitespace {
            self.put_break();
        }
        if self.foot_indent == indent {
            self.put_break();
        }
        while self.column < column {
            self.put_char(' ');
        }
        self.whitespace = true;
        self.foot_indent = -1;
    }

    pub(super) fn indicator(
        &mut self,
        text: &str,
        spaced: bool,
        whitespace: bool,
        indention: bool,
    ) {
        if spaced && !self.whitespace {
            self.put_char(' ');
        }
        self.put(text);
        self.whitespace = whitespace;
        self.indention = self.indention && indention;
    }

    /// Writes a tag in its short form; what is neither `!!name` nor `!name` stands in `!<…>`.
    pub(super) fn tag(&mut self, tag: &str) {
        let (handle, suffix) = match tag {
            _ if tag.starts_with("!!") => tag.split_at(2),
            _ if tag.starts_with('!') => tag.split_at(1),
            _ => ("!<", tag),
        };
        if !self.whitespace {
            self.put_char(' ');
        }
        self.put(handle);
        for byte in suffix.bytes() {
            let plain = byte.is_ascii_alphanumeric() || b";/?:@&=+$,_.~*'()[]-".contains(&byte);
            if plain {
                self.put_char(char::from(byte));
            } else {
                self.put(&format!("%{byte:02X}"));
            }
        }
        if handle == "!<" {
            self.put_char('>');
        }
        self.whitespace = false;
        self.indention = false;
    }

    /// Writes the foot that was left from the entry before, then the head of what follows.
    pub(super) fn write_head(&mut self) {
        if !self.waiting.tail.is_empty() {
            let tail = std::mem::take(&mut self.waiting.tail);
            self.write_indent();
            self.comment(&tail);
            self.foot_indent = self.indent.max(0);
        }
        if !self.waiting.head.is_empty() {
            let head = std::mem::take(&mut self.waiting.head);
            self.write_indent();
            self.comment(&head);
        }
    }

    pub(super) fn write_line(&mut self) {
        if self.waiting.line.is_empty() {
            return;
        }
        let line = std::mem::take(&mut self.waiting.line);
        if !self.whitespace {
            self.put_char(' ');
        }
        self.comment(&line);
    }

    pub(super) fn write_foot(&mut self) {
        if self.waiting.foot.is_empty() {
            return;
        }
        let foot = std::mem::take(&mut self.waiting.foot);
        self.write_indent();
        self.comment(&foot);
        self.foot_indent = self.indent.max(0);
    }

    /// Writes the lines of a comment, each with its `#`.
    fn comment(&mut self, text: &str) {
        let mut breaks = false;
        let mut marked = false;
        for c in text.chars() {
            if is_break(c) {
                self.write_break(c);
                breaks = true;
                marked = false;
                continue;
            }
            if breaks {
                self.write_indent();
            }
            if !marked && c != '#' {
                self.put("# ");
            }
            marked = true;
            self.put_char(c);
            self.indention = false;
            breaks = false;
        }
        if !breaks {
            self.put_break();
        }
        self.whitespace = true;
    }

    pub(super) fn plain(&mut self, text: &str) {
        if !text.is_empty() {
            if !self.whitespace {
                self.put_char(' ');
            }
            self.put(text);
            self.whitespace = false;
        }
        self.indention = false;
    }

    pub(super) fn single_quoted(&mut self, text: &str) {
        self.indicator("'", true, false, false);
        let mut breaks = false;
        for c in text.chars() {
            if is_break(c) {
                if !breaks && c == '\n' {
                    self.put_break();
                }
                self.write_break(c);
                breaks = true;
            } else if c == ' ' {
                self.put_char(' ');
            } else {
                if breaks {
                    self.write_indent();
                }
                if c == '\'' {
                    self.put_char('\'');
                }
                self.put_char(c);
                self.indention = false;
                breaks = false;
            }
        }
        self.indicator("'", false, false, false);
    }

    pub(super) fn double_quoted(&mut self, text: &str) {
        if !self.whitespace {
            self.put_char(' ');
        }
        let before = self.out.len();
        let mut sheet = Sheet {
            out: &mut self.out,
            width: usize::MAX,
        };
        sheet.double_quoted(text, 0, false);
        self.column += self.out[before..].chars().count();
        self.whitespace = false;
        self.indention = false;
    }

    /// Writes `|` or `>` with its hints and what stands behind it on the line.
    fn block_header(&mut self, text: &str, mark: char) {
        if !self.whitespace {
            self.put_char(' ');
        }
        let before = self.out.len();
        let step = usize::try_from(self.step).unwrap_or(2);
        let mut sheet = Sheet {
            out: &mut self.out,
            width: usize::MAX,
        };
        sheet.block_header(text, mark, step);
        self.column += self.out.len() - before;
        self.whitespace = false;
        self.indention = false;
        if self.waiting.line.is_empty() {
            self.put_break();
        } else {
            self.write_line();
        }
        self.whitespace = true;
    }

    pub(super) fn literal(&mut self, text: &str) {
        self.block_header(text, '|');
        let mut breaks = true;
        for line in text.split_inclusive(is_break) {
            let content = line.trim_end_matches(is_break);
            if !content.is_empty() {
                if breaks {
                    self.write_indent();
                }
                self.put(content);
                self.indention = false;
                breaks = false;
            }
            if let Some(c) = line[content.len()..].chars().next() {
                self.write_break(c);
                breaks = true;
            }
        }
    }

    pub(super) fn folded(&mut self, text: &str) {
        self.block_header(text, '>');
        let mut breaks = true;
        let mut leading_spaces = true;
        // libyaml looks behind the breaks at the start of the text here, not behind those at hand.
        let behind = text.trim_start_matches(is_break);
        let content_follows = !behind.is_empty() && !behind.starts_with([' ', '\t']);
        for c in text.chars() {
            if is_break(c) {
                if !breaks && !leading_spaces && c == '\n' && content_follows {
                    self.put_break();
                }
                self.write_break(c);
                breaks = true;
                continue;
            }
            if breaks {
                self.write_indent();
                leading_spaces = matches!(c, ' ' | '\t');
            }
            self.put_char(c);
            self.indention = false;
            breaks = false;
        }
    }
}
