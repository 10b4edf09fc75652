//! Which styles the characters of a text allow, by libyaml's rules.

/// Styles that a text allows in block context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Has line breaks.
    pub multiline: bool,
    pub plain: bool,
    /// Plain inside flow collections.
    pub flow_plain: bool,
    pub single_quoted: bool,
    /// Literal or folded.
    pub block: bool,
    /// Has characters that only double quotes can show.
    pub special: bool,
}

/// Class of an ASCII byte: nothing of interest.
const ORDINARY: u8 = 0;
const SPACE: u8 = 1;
const BREAK: u8 = 2;
const COLON: u8 = 3;
const HASH: u8 = 4;
/// `,`, `?`, `[`, `]`, `{` or `}`.
const FLOW: u8 = 5;
const TAB: u8 = 6;
const SPECIAL: u8 = 7;
const WIDE: u8 = 8;

static CLASS: [u8; 256] = build();

const fn build() -> [u8; 256] {
    let mut table = [ORDINARY; 256];
    let mut byte = 0usize;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' => SPACE,
            b'\n' => BREAK,
            b':' => COLON,
            b'#' => HASH,
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => FLOW,
            b'\t' => TAB,
            0..=0x1f | 0x7f => SPECIAL,
            0x80.. => WIDE,
            _ => ORDINARY,
        };
        byte += 1;
    }
    table
}

/// Looks at every character of a text once.
///
/// `tabs_in_blocks` is go-yaml v3's rule that tabs do not forbid literal style.
pub(crate) fn analyze(text: &str, tabs_in_blocks: bool) -> Allowed {
    let bytes = text.as_bytes();
    let Some((&first, &last)) = bytes.first().zip(bytes.last()) else {
        return Allowed {
            multiline: false,
            plain: true,
            flow_plain: false,
            single_quoted: true,
            block: false,
            special: false,
        };
    };
    let mut seen = Seen::default();
    seen.first(bytes, first);
    let mut previous = Previous::Start;
    let mut index = 0;
    while index < bytes.len() {
        let byte = bytes[index];
        let mut width = 1;
        let mut now = Previous::Other;
        match CLASS[usize::from(byte)] {
            ORDINARY => {}
            SPACE => {
                seen.break_space |= previous == Previous::Break;
                now = Previous::Space;
            }
            BREAK => {
                seen.line_breaks = true;
                seen.space_break |= previous == Previous::Space;
                now = Previous::Break;
            }
            COLON if index > 0 => {
                seen.flow_indicator = true;
                seen.block_indicator |= bytes
                    .get(index + 1)
                    .is_none_or(|b| matches!(b, b' ' | b'\t'));
            }
            HASH if index > 0 && previous.is_white() => {
                seen.flow_indicator = true;
                seen.block_indicator = true;
            }
            FLOW if index > 0 => seen.flow_indicator = true,
            TAB => {
                seen.tab = true;
                now = Previous::Blank;
            }
            SPECIAL => {
                seen.special = true;
                if byte == b'\r' {
                    seen.line_breaks = true;
                    seen.space_break |= previous == Previous::Space;
                    now = Previous::Break;
                } else if byte == 0 {
                    now = Previous::Blank;
                }
            }
            WIDE => {
                let c = text[index..].chars().next().unwrap_or(' ');
                width = c.len_utf8();
                seen.special |= !is_printable(c);
                if matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}') {
                    seen.line_breaks = true;
                    seen.space_break |= previous == Previous::Space;
                    now = Previous::Break;
                }
            }
            _ => {}
        }
        previous = now;
        index += width;
    }
    let trailing_space = last == b' ';
    seen.judge(
        first,
        trailing_space,
        previous == Previous::Break,
        tabs_in_blocks,
    )
}

/// Kind of the character before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Previous {
    Start,
    Space,
    Break,
    /// Another character that counts as white: tab or NUL.
    Blank,
    Other,
}

impl Previous {
    fn is_white(self) -> bool {
        self != Self::Other
    }
}

/// What a text contains.
#[derive(Default)]
struct Seen {
    block_indicator: bool,
    flow_indicator: bool,
    line_breaks: bool,
    special: bool,
    tab: bool,
    break_space: bool,
    space_break: bool,
}

impl Seen {
    /// Looks at how the text starts.
    fn first(&mut self, bytes: &[u8], first: u8) {
        let next_is_blank = bytes.get(1).is_none_or(|b| matches!(b, b' ' | b'\t'));
        let (flow, block) = match first {
            b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\''
            | b'"' | b'%' | b'@' | b'`' => (true, true),
            b'?' | b':' => (true, next_is_blank),
            b'-' => (next_is_blank, next_is_blank),
            _ => (false, false),
        };
        let document = bytes.starts_with(b"---") || bytes.starts_with(b"...");
        self.flow_indicator = flow || document;
        self.block_indicator = block || document;
    }

    fn judge(
        &self,
        first: u8,
        trailing_space: bool,
        trailing_break: bool,
        tabs_in_blocks: bool,
    ) -> Allowed {
        let leading = first == b' ' || self.leading_break(first);
        let special = self.special || self.tab && !tabs_in_blocks;
        let quoted_only = self.space_break || self.tab || special;
        let plain = !(leading
            || trailing_space
            || trailing_break
            || self.break_space
            || quoted_only
            || self.line_breaks);
        Allowed {
            multiline: self.line_breaks,
            plain: plain && !self.block_indicator,
            flow_plain: plain && !self.flow_indicator,
            single_quoted: !(self.break_space || quoted_only),
            block: !(trailing_space || self.space_break || special),
            special: self.special || self.tab,
        }
    }

    /// A break of several bytes at the start also sets `line_breaks`, which decides alike.
    fn leading_break(&self, first: u8) -> bool {
        self.line_breaks && matches!(first, b'\n' | b'\r')
    }
}

/// Tells whether libyaml shows a character as it is.
pub(crate) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

/// Tells whether a character breaks lines.
pub(crate) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}
