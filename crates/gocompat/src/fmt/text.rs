//! Strings, quoting, hexadecimal dumps and padding.

use super::Printer;
use crate::quote;

impl Printer {
    /// Prints text by verb; `false` where the verb does not suit text.
    pub(super) fn try_text(&mut self, text: &[u8], verb: char) -> bool {
        match verb {
            'v' if self.spec.sharp_v => self.quoted(text),
            'v' | 's' => self.pad_truncated(text),
            'x' => self.hex_dump(text, false),
            'X' => self.hex_dump(text, true),
            'q' => self.quoted(text),
            _ => return false,
        }
        true
    }

    pub(super) fn text(&mut self, text: &[u8], verb: char) {
        self.try_text(text, verb);
    }

    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(runes) = self.spec.precision else {
            return text;
        };
        truncated(text, runes)
    }

    fn pad_truncated(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        self.pad(text);
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        if self.spec.sharp && quote::can_backquote(text) {
            let raw = [b"`", text, b"`"].concat();
            return self.pad(&raw);
        }
        let literal = if self.spec.plus {
            quote::quote_ascii(text)
        } else {
            quote::quote(text)
        };
        self.pad(literal.as_bytes());
    }

    fn hex_dump(&mut self, text: &[u8], upper: bool) {
        let bytes = &text[..self.spec.precision.unwrap_or(text.len()).min(text.len())];
        let mut out = String::new();
        let prefix = if upper { "0X" } else { "0x" };
        for (index, byte) in bytes.iter().enumerate() {
            if self.spec.space && index > 0 {
                out.push(' ');
            }
            if self.spec.sharp && (self.spec.space || index == 0) {
                out.push_str(prefix);
            }
            out.push_str(&if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            });
        }
        self.pad(out.as_bytes());
    }

    /// Writes with the padding that the width asks for; widths count runes.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let missing = self
            .spec
            .width
            .map_or(0, |width| width.saturating_sub(rune_starts(text).count()));
        if self.spec.minus {
            self.out.extend_from_slice(text);
            self.out.extend(std::iter::repeat_n(b' ', missing));
        } else {
            let fill = if self.spec.zero { b'0' } else { b' ' };
            self.out.extend(std::iter::repeat_n(fill, missing));
            self.out.extend_from_slice(text);
        }
    }
}

/// The first runes of a text; a malformed byte is one.
pub fn truncated(text: &[u8], runes: usize) -> &[u8] {
    rune_starts(text)
        .nth(runes)
        .map_or(text, |end| &text[..end])
}

/// Offsets at which runes start; each byte of malformed text is one rune.
fn rune_starts(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut base = 0;
    text.utf8_chunks().flat_map(move |chunk| {
        let start = base;
        let valid = chunk.valid();
        let invalid = start + valid.len();
        base = invalid + chunk.invalid().len();
        valid
            .char_indices()
            .map(move |(offset, _)| start + offset)
            .chain(invalid..base)
    })
}
