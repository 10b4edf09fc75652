//! One token after another: what stands here, and which scanner reads it.

use super::{INDICATOR, Kind, MAX_LEVELS, Place, Scan, Scanner, SimpleKey, Token};
use crate::{Dialect, Style};

impl Scanner<'_> {
    /// Scans the next token, and those that it opens or closes, into the queue.
    pub(super) fn fetch_next(&mut self) -> Scan<()> {
        if !self.started {
            return self.start_stream();
        }
        let scanned_from = self.place();
        self.skip_to_token(scanned_from);
        self.unroll_indent(i64::from(self.column()), scanned_from);
        if self.at_end() {
            return self.end_stream();
        }
        if self.pos == self.line_start {
            if self.byte(0) == b'%' {
                return self.fetch_directive();
            }
            if self.at_document_indicator() {
                return self.fetch_document_indicator();
            }
        }
        let comment_place = self.line_comment_place();
        self.fetch_content()?;
        if !matches!(self.newest[1], Some((Kind::BlockEntry, _))) {
            if self.keep_comments {
                self.scan_line_comment(comment_place);
            } else if self.dialect == Dialect::V3 && self.is_blank(0) {
                self.skip_line_comment();
            }
        }
        Ok(())
    }

    fn fetch_content(&mut self) -> Scan<()> {
        let byte = self.byte(0);
        match byte {
            b'[' => self.open_flow(Kind::FlowSequenceStart),
            b'{' => self.open_flow(Kind::FlowMappingStart),
            b']' => self.close_flow(Kind::FlowSequenceEnd),
            b'}' => self.close_flow(Kind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if self.is_blank_or_end(1) => self.fetch_block_entry(),
            b'?' if self.flow_level > 0 || self.is_blank_or_end(1) => self.fetch_key(),
            b':' if self.flow_level > 0 || self.is_blank_or_end(1) => self.fetch_value(),
            b'*' => self.fetch_named(Kind::Alias),
            b'&' => self.fetch_named(Kind::Anchor),
            b'!' => self.fetch_tag(),
            b'|' if self.flow_level == 0 => self.fetch_block_scalar(Style::Literal),
            b'>' if self.flow_level == 0 => self.fetch_block_scalar(Style::Folded),
            b'\'' => self.fetch_inline_scalar(Style::SingleQuoted),
            b'"' => self.fetch_inline_scalar(Style::DoubleQuoted),
            _ if self.may_start_plain() => self.fetch_inline_scalar(Style::Plain),
            _ => Err(self.fault_in(self.place(), "found character that cannot start any token")),
        }
    }

    fn may_start_plain(&self) -> bool {
        match self.byte(0) {
            b'-' => !self.is_blank(1),
            b'?' | b':' => self.flow_level == 0 && !self.is_blank_or_end(1),
            _ => self.class(0) & INDICATOR == 0 && !self.is_blank_or_end(0),
        }
    }

    fn start_stream(&mut self) -> Scan<()> {
        self.started = true;
        self.simple_keys.push(SimpleKey {
            possible: false,
            listed: false,
            required: false,
            token_number: 0,
            place: Place::default(),
        });
        self.push(Token::new(Kind::StreamStart, Place::default(), 0));
        Ok(())
    }

    fn end_stream(&mut self) -> Scan<()> {
        if self.column() != 0 {
            self.line += 1;
            self.line_start = self.pos;
            self.line_extra = 0;
        }
        self.unroll_indent(-1, self.place());
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.push(Token::new(Kind::StreamEnd, self.place(), 0));
        Ok(())
    }

    fn fetch_document_indicator(&mut self) -> Scan<()> {
        self.unroll_indent(-1, self.place());
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let kind = if self.byte(0) == b'-' {
            Kind::DocumentStart
        } else {
            Kind::DocumentEnd
        };
        let token = Token::new(kind, self.place(), 3);
        self.newlines = 0;
        self.pos += 3;
        self.push(token);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Scan<()> {
        self.unroll_indent(-1, self.place());
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_directive()?;
        self.push(token);
        Ok(())
    }

    /// Reads one indicator character as a token.
    fn push_indicator(&mut self, kind: Kind) {
        let token = Token::new(kind, self.place(), 1);
        self.skip();
        self.push(token);
    }

    fn open_flow(&mut self, kind: Kind) -> Scan<()> {
        self.save_simple_key()?;
        let place = self.place();
        self.simple_keys.push(SimpleKey {
            possible: false,
            listed: false,
            required: false,
            token_number: self.parsed + self.queue.len(),
            place,
        });
        self.flow_level += 1;
        if self.flow_level > MAX_LEVELS {
            return Err(self.fault_in(place, &format!("exceeded max depth of {MAX_LEVELS}")));
        }
        self.simple_key_allowed = true;
        self.push_indicator(kind);
        Ok(())
    }

    fn close_flow(&mut self, kind: Kind) -> Scan<()> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let closed = self.simple_keys.pop();
            if let Some((key, closed)) = self.simple_keys.last_mut().zip(closed)
                && key.token_number == closed.token_number
            {
                key.listed = false;
            }
        }
        self.simple_key_allowed = false;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Scan<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Kind::FlowEntry);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Scan<()> {
        // In flow collections the grammar reports the dash, because it knows the context.
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                let place = self.place();
                return Err(self.fault_in(
                    place,
                    "block sequence entries are not allowed in this context",
                ));
            }
            self.roll_indent(self.column(), None, Kind::BlockSequenceStart, self.place())?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Kind::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Scan<()> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                let place = self.place();
                return Err(self.fault_in(place, "mapping keys are not allowed in this context"));
            }
            self.roll_indent(self.column(), None, Kind::BlockMappingStart, self.place())?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push_indicator(Kind::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Scan<()> {
        let last = self.simple_keys.len() - 1;
        if self.key_is_valid(last)? {
            let key = self.simple_keys[last];
            self.insert(key.token_number, Token::new(Kind::Key, key.place, 0));
            self.roll_indent(
                key.place.column,
                Some(key.token_number),
                Kind::BlockMappingStart,
                key.place,
            )?;
            self.simple_keys[last].possible = false;
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    let place = self.place();
                    return Err(
                        self.fault_in(place, "mapping values are not allowed in this context")
                    );
                }
                self.roll_indent(self.column(), None, Kind::BlockMappingStart, self.place())?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push_indicator(Kind::Value);
        Ok(())
    }

    fn fetch_named(&mut self, kind: Kind) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_name(kind)?;
        self.push(token);
        Ok(())
    }

    fn fetch_tag(&mut self) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_tag()?;
        self.push(token);
        Ok(())
    }

    fn fetch_block_scalar(&mut self, style: Style) -> Scan<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        let token = self.scan_block_scalar(style)?;
        self.push(token);
        Ok(())
    }

    fn fetch_inline_scalar(&mut self, style: Style) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = if style == Style::Plain {
            self.scan_plain()?
        } else {
            self.scan_quoted(style)?
        };
        self.push(token);
        Ok(())
    }

    /// Advances over blanks, comments and line breaks.
    fn skip_to_token(&mut self, scanned_from: Place) {
        loop {
            if self.pos == self.line_start && self.bytes[self.pos..].starts_with(b"\xef\xbb\xbf") {
                self.pos += 3;
                self.line_extra += 2;
            }
            // Tabs may not stand where indentation counts.
            let tabs = self.flow_level > 0 || !self.simple_key_allowed;
            while self.byte(0) == b' ' || tabs && self.byte(0) == b'\t' {
                self.pos += 1;
            }
            if self.keep_comments {
                self.lift_entry_comment();
            }
            if self.byte(0) == b'#' {
                if self.keep_comments {
                    self.scan_comments(scanned_from);
                } else {
                    self.skip_comments();
                }
            }
            if self.break_length(0) == 0 {
                return;
            }
            self.take_break();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }
}
