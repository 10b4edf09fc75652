//! Comments: which token each belongs to, by go-yaml v3's rules.
//!
//! A comment behind a token is a line comment; lines above a token are its head; lines that follow content
//! without an empty line between, or that are dedented, are a foot of what came before.

use super::{Kind, Place, Scanner};
use crate::Dialect;

/// A comment that waits for the token it belongs to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comment {
    /// Where the scan that found it started.
    scanned_from: usize,
    /// Offset of the token it belongs to, or of the first token behind it.
    pub token: usize,
    start: Place,
    end: usize,
    pub head: String,
    pub line: String,
    pub foot: String,
}

/// Longest run of blanks and empty lines that is searched for a comment, in bytes.
const MAX_GAP: usize = 512;

impl Scanner<'_> {
    /// Advances to the end of a comment without keeping it.
    pub(super) fn skip_comment(&mut self) {
        let end = self.line_end();
        self.newlines = 0;
        self.advance_to(end);
    }

    /// Advances over a comment, and in v3 over the comments behind it, which tabs may indent.
    pub(super) fn skip_comments(&mut self) {
        self.skip_comment();
        while self.dialect == Dialect::V3 {
            let gap = self.bytes[self.pos..]
                .iter()
                .take(MAX_GAP)
                .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
            let (length, tabs) = gap.fold((0, false), |(length, tabs), b| {
                (length + 1, tabs | (*b == b'\t'))
            });
            if !tabs || self.byte(length) != b'#' {
                return;
            }
            self.advance_lines_to(self.pos + length);
            self.skip_comment();
        }
    }

    /// Where a comment behind the next token attaches: `:` and `,` pass it on to the token before.
    pub(super) fn line_comment_place(&self) -> usize {
        let passes = if self.flow_level == 0 {
            self.byte(0) == b':'
        } else {
            self.byte(0) == b','
        };
        match self.newest[1] {
            Some((_, place)) if passes => place.at,
            _ => self.pos,
        }
    }

    /// Finds how many blanks stand in front of a comment on this line.
    fn line_comment_gap(&self) -> Option<usize> {
        if self.newlines > 0 {
            return None;
        }
        let blanks = self.bytes[self.pos..].iter().take(MAX_GAP);
        let gap = blanks.take_while(|b| matches!(b, b' ' | b'\t')).count();
        (gap < MAX_GAP && self.byte(gap) == b'#').then_some(gap)
    }

    /// Advances over a comment behind a token, which tabs may precede.
    pub(super) fn skip_line_comment(&mut self) {
        if let Some(gap) = self.line_comment_gap() {
            self.pos += gap;
            self.skip_comment();
        }
    }

    /// Reads a comment behind a token.
    pub(super) fn scan_line_comment(&mut self, token: usize) {
        let Some(gap) = self.line_comment_gap() else {
            return;
        };
        self.pos += gap;
        let start = self.place();
        let text = self.take_comment_line();
        self.comments.push_back(Comment {
            token,
            start,
            line: text,
            ..Comment::default()
        });
    }

    fn take_comment_line(&mut self) -> String {
        let end = self.line_end();
        let text = self.source[self.pos..end].to_owned();
        self.newlines = 0;
        self.advance_to(end);
        text
    }

    /// Turns the line comment of a lone `-` into the head of what follows it.
    pub(super) fn lift_entry_comment(&mut self) {
        let [Some((before, _)), Some((last, _))] = self.newest else {
            return;
        };
        if before != Kind::BlockSequenceStart
            || last != Kind::BlockEntry
            || self.break_length(0) > 0
        {
            return;
        }
        let (at, line) = (self.pos, self.line);
        if let Some(comment) = self.comments.back_mut()
            && !comment.line.is_empty()
        {
            comment.head = std::mem::take(&mut comment.line);
            if comment.start.line + 1 == line {
                comment.token = at;
            }
        }
    }

    /// Finds where a block collection ends when comments of its own indentation follow it.
    pub(super) fn end_before_comments(&self, place: Place) -> Place {
        let mut found = place;
        let mut stop = place.at;
        for comment in self.comments.iter().rev() {
            if comment.end < stop {
                break;
            }
            // Columns of comments count from 1, indentation from 0.
            if i64::from(comment.start.column) == self.indent + 1 {
                found = comment.start;
            }
            stop = comment.scanned_from;
        }
        found
    }

    /// Reads comment lines before the next token and splits them into feet and heads.
    pub(super) fn scan_comments(&mut self, scanned_from: Place) {
        let Some((kind, token_start)) = self.comment_owner() else {
            return self.skip_comment();
        };
        let mut block = CommentBlock {
            scanned_from: scanned_from.at,
            token: token_start.at,
            start: Place::default(),
            text: String::new(),
        };
        let foot_line = self.foot_line(scanned_from);
        let mut first_empty = self.newlines <= 1;
        let mut recent_empty = false;
        let mut line = self.line;
        let mut column = self.column();
        let mut peek = 0;
        let mut indent = self.comment_indent();
        while peek < MAX_GAP {
            column += 1;
            if self.is_blank(peek) {
                peek += 1;
                continue;
            }
            let byte = self.byte(peek);
            let closes = self.flow_level > 0 && matches!(byte, b']' | b'}');
            let at = self.pos + peek;
            if closes || self.is_break_or_end(peek) {
                if closes || !recent_empty {
                    let dedented = i64::from(block.start.column) - 1 < indent;
                    let follows = i64::from(block.start.line) == foot_line && kind != Kind::Value;
                    if closes || first_empty && (follows || dedented) {
                        if dedented && !block.text.is_empty() {
                            block.token = block.start.at;
                        }
                        self.end_foot(&mut block, at);
                    } else if !block.text.is_empty() && self.pos + peek < self.bytes.len() {
                        block.text.push('\n');
                    }
                }
                if self.break_length(peek) == 0 {
                    break;
                }
                first_empty = false;
                recent_empty = true;
                column = 0;
                line += 1;
                peek += 1;
                continue;
            }
            if !block.text.is_empty()
                && (closes || i64::from(column) - 1 < indent && column != block.start.column)
            {
                self.end_foot(&mut block, at);
            }
            if byte != b'#' {
                break;
            }
            if block.text.is_empty() {
                block.start = Place { at, line, column };
            } else {
                block.text.push('\n');
            }
            recent_empty = false;
            self.advance_lines_to(at);
            let text = self.take_comment_line();
            block.text.push_str(&text);
            // The byte behind the comment, its line break, is not looked at again and not counted.
            peek = 1;
            column = 0;
            line = self.line;
            indent = self.comment_indent();
        }
        if !block.text.is_empty() {
            self.comments.push_back(Comment {
                scanned_from: block.scanned_from,
                token: block.start.at,
                start: block.start,
                end: (self.pos + peek).saturating_sub(1),
                head: block.text,
                ..Comment::default()
            });
        }
    }

    fn comment_owner(&self) -> Option<(Kind, Place)> {
        match self.newest {
            [Some(before), Some((Kind::FlowEntry, _))] => Some(before),
            [_, last] => last,
        }
    }

    fn comment_indent(&self) -> i64 {
        self.indent.max(0)
    }

    /// Line on which a comment must start to be a foot of the content before it; -1 for none.
    fn foot_line(&self, scanned_from: Place) -> i64 {
        if scanned_from.line == 0 {
            return -1;
        }
        let mut line = i64::from(self.line) - i64::from(self.newlines) + 1;
        if self.newlines == 0 && self.column() > 1 {
            line += 1;
        }
        line
    }

    fn end_foot(&mut self, block: &mut CommentBlock, at: usize) {
        if block.text.is_empty() {
            return;
        }
        self.comments.push_back(Comment {
            scanned_from: block.scanned_from,
            token: block.token,
            start: block.start,
            end: at,
            foot: std::mem::take(&mut block.text),
            ..Comment::default()
        });
        block.scanned_from = at;
        block.token = at;
    }

    /// Advances over blanks and line breaks up to an offset.
    fn advance_lines_to(&mut self, end: usize) {
        while self.pos < end {
            if self.break_length(0) > 0 {
                self.take_break();
            } else {
                self.pos += 1;
            }
        }
    }
}

/// Comment lines that are being gathered.
struct CommentBlock {
    scanned_from: usize,
    token: usize,
    start: Place,
    text: String,
}
