//! Directives, anchors, aliases and tags.

use super::{Kind, Place, Scan, Scanner, Token, URI, WORD};
use crate::Text;

impl<'a> Scanner<'a> {
    pub(super) fn scan_directive(&mut self) -> Scan<Token> {
        let start = self.place();
        self.skip();
        let name = self.take_word();
        if name.is_empty() {
            return Err(self.fault_in(start, "could not find expected directive name"));
        }
        if !self.is_blank_or_end(0) {
            return Err(self.fault_in(start, "found unexpected non-alphabetical character"));
        }
        let token = match name {
            "YAML" => self.scan_version(start)?,
            "TAG" => self.scan_tag_directive(start)?,
            _ => return Err(self.fault_in(start, "found unknown directive name")),
        };
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_comment();
        }
        if !self.is_break_or_end(0) {
            return Err(self.fault_in(start, "did not find expected comment or line break"));
        }
        if !self.at_end() {
            self.take_break();
        }
        Ok(token)
    }

    /// Reads `1.1`; the text of the token keeps it as written.
    fn scan_version(&mut self, start: Place) -> Scan<Token> {
        self.skip_blanks();
        let major = self.scan_version_number(start)?;
        if self.byte(0) != b'.' {
            return Err(self.fault_in(start, "did not find expected digit or '.' character"));
        }
        self.pos += 1;
        let minor = self.scan_version_number(start)?;
        let mut token = Token::new(Kind::VersionDirective, start, 0);
        token.text = Text::from(format!("{major}.{minor}"));
        Ok(token)
    }

    fn scan_version_number(&mut self, start: Place) -> Scan<u8> {
        let from = self.pos;
        while self.byte(0).is_ascii_digit() {
            self.pos += 1;
        }
        match self.source[from..self.pos].parse() {
            _ if self.pos == from => {
                Err(self.fault_in(start, "did not find expected version number"))
            }
            Ok(number) if self.pos <= from + 2 => Ok(number),
            _ => Err(self.fault_in(start, "found extremely long version number")),
        }
    }

    fn scan_tag_directive(&mut self, start: Place) -> Scan<Token> {
        self.skip_blanks();
        let handle = self.scan_tag_handle(start)?;
        if handle != "!" && !handle.ends_with('!') {
            return Err(self.fault_in(start, "did not find expected '!'"));
        }
        if !self.is_blank(0) {
            return Err(self.fault_in(start, "did not find expected whitespace"));
        }
        self.skip_blanks();
        let prefix = self.scan_tag_uri(String::new(), false, start)?;
        if !self.is_blank_or_end(0) {
            return Err(self.fault_in(start, "did not find expected whitespace or line break"));
        }
        let mut token = Token::new(Kind::TagDirective, start, 0);
        token.text = Text::from(handle);
        token.suffix = Some(prefix.into());
        Ok(token)
    }

    /// Reads an anchor or an alias.
    pub(super) fn scan_name(&mut self, kind: Kind) -> Scan<Token> {
        let start = self.place();
        self.skip();
        let name = self.take_word();
        let ends_well = self.is_blank_or_end(0) || b"?:,]}%@`".contains(&self.byte(0));
        if name.is_empty() || !ends_well {
            return Err(self.fault_in(
                start,
                "did not find expected alphabetic or numeric character",
            ));
        }
        let mut token = Token::new(kind, start, 0);
        token.text = Text::from(name);
        self.newlines = 0;
        Ok(token)
    }

    /// Reads a tag as handle and suffix; `!<uri>` has an empty handle.
    pub(super) fn scan_tag(&mut self) -> Scan<Token> {
        let start = self.place();
        let (handle, suffix) = if self.byte(1) == b'<' {
            self.pos += 2;
            let uri = self.scan_tag_uri(String::new(), false, start)?;
            if self.byte(0) != b'>' {
                return Err(self.fault_in(start, "did not find the expected '>'"));
            }
            self.pos += 1;
            ("", uri)
        } else {
            let handle = self.scan_tag_handle(start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                (handle, self.scan_tag_uri(String::new(), false, start)?)
            } else {
                match self.scan_tag_uri(handle[1..].to_owned(), true, start)? {
                    rest if rest.is_empty() => ("", "!".to_owned()),
                    rest => ("!", rest),
                }
            }
        };
        if !self.is_blank_or_end(0) {
            return Err(self.fault_in(start, "did not find expected whitespace or line break"));
        }
        let mut token = Token::new(Kind::Tag, start, 0);
        token.text = Text::from(handle);
        token.suffix = Some(suffix.into());
        self.newlines = 0;
        Ok(token)
    }

    fn scan_tag_handle(&mut self, start: Place) -> Scan<&'a str> {
        if self.byte(0) != b'!' {
            return Err(self.fault_in(start, "did not find expected '!'"));
        }
        let from = self.pos;
        self.pos += 1;
        self.take_word();
        if self.byte(0) == b'!' {
            self.pos += 1;
        }
        // Borrowed from the source, not from the scanner.
        Ok(&self.source[from..self.pos])
    }

    /// Reads the characters of a URI behind `head`; `%XX` stands for an octet.
    fn scan_tag_uri(&mut self, head: String, had_handle: bool, start: Place) -> Scan<String> {
        let mut uri = head;
        let from = self.pos;
        while self.class(0) & (WORD | URI) != 0 {
            if self.byte(0) == b'%' {
                uri.push(self.scan_uri_escape(start)?);
            } else {
                uri.push(char::from(self.byte(0)));
                self.pos += 1;
            }
        }
        if self.pos == from && !had_handle {
            return Err(self.fault_in(start, "did not find expected tag URI"));
        }
        Ok(uri)
    }

    /// Reads the `%XX` octets of one character.
    fn scan_uri_escape(&mut self, start: Place) -> Scan<char> {
        let first = self.scan_uri_octet(start)?;
        let width = match first {
            0..=0x7f => 1,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => return Err(self.fault_in(start, "found an incorrect leading UTF-8 octet")),
        };
        let mut octets = vec![first];
        for _ in 1..width {
            let octet = self.scan_uri_octet(start)?;
            if octet & 0xc0 != 0x80 {
                return Err(self.fault_in(start, "found an incorrect trailing UTF-8 octet"));
            }
            octets.push(octet);
        }
        let text = std::str::from_utf8(&octets)
            .ok()
            .and_then(|text| text.chars().next());
        text.ok_or_else(|| self.fault_in(start, "found an incorrect leading UTF-8 octet"))
    }

    fn scan_uri_octet(&mut self, start: Place) -> Scan<u8> {
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        };
        match (self.byte(0), digit(self.byte(1)), digit(self.byte(2))) {
            (b'%', Some(high), Some(low)) => {
                self.pos += 3;
                Ok(high << 4 | low)
            }
            _ => Err(self.fault_in(start, "did not find URI escaped octet")),
        }
    }
}

impl<'a> Scanner<'a> {
    fn take_word(&mut self) -> &'a str {
        let from = self.pos;
        while self.class(0) & WORD != 0 {
            self.pos += 1;
        }
        &self.source[from..self.pos]
    }
}
