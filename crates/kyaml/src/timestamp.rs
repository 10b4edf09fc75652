//! Timestamps: the four forms that go-yaml reads, printed as RFC 3339.

/// Parts of a timestamp.
#[derive(Default)]
struct Parts {
    date: (u32, u32, u32),
    time: (u32, u32, u32),
    /// Digits behind the point.
    fraction: String,
    /// Offset in minutes; `None` for `Z` or no zone.
    offset: Option<i32>,
}

/// Reads `2006-1-2`, `2006-1-2T15:4:5.9Z07:00` (`T` or `t`) or `2006-1-2 15:4:5.9`; returns it as
/// RFC 3339 with nanoseconds as far as needed.
pub(crate) fn parse(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes[4] != b'-' || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut cursor = Cursor { rest: text };
    let mut parts = Parts::default();
    let year = cursor.digits(4, 4)?;
    cursor.eat('-')?;
    let month = cursor.digits(1, 2)?;
    cursor.eat('-')?;
    let day = cursor.digits(1, 2)?;
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    parts.date = (year, month, day);
    match cursor.next() {
        None => return Some(print(&parts)),
        Some('T' | 't') => {
            read_time(&mut cursor, &mut parts)?;
            parts.offset = read_zone(&mut cursor)?;
        }
        Some(' ') => read_time(&mut cursor, &mut parts)?,
        Some(_) => return None,
    }
    cursor.rest.is_empty().then(|| print(&parts))
}

fn read_time(cursor: &mut Cursor<'_>, parts: &mut Parts) -> Option<()> {
    let hour = cursor.digits(1, 2)?;
    cursor.eat(':')?;
    let minute = cursor.digits(1, 2)?;
    cursor.eat(':')?;
    let second = cursor.digits(1, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    parts.time = (hour, minute, second);
    if cursor.rest.starts_with(['.', ',']) {
        let count = cursor.rest[1..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        if count == 0 {
            return None;
        }
        // Go keeps nanoseconds and drops what is finer.
        parts.fraction = cursor.rest[1..=count.min(9)]
            .trim_end_matches('0')
            .to_owned();
        cursor.rest = &cursor.rest[1 + count..];
    }
    Some(())
}

fn read_zone(cursor: &mut Cursor<'_>) -> Option<Option<i32>> {
    let sign = match cursor.next()? {
        'Z' => return Some(None),
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let hours = i32::try_from(cursor.digits(2, 2)?).ok()?;
    cursor.eat(':')?;
    let minutes = i32::try_from(cursor.digits(2, 2)?).ok()?;
    if hours > 24 || minutes > 60 {
        return None;
    }
    Some(Some(sign * (hours * 60 + minutes)).filter(|offset| *offset != 0))
}

fn print(parts: &Parts) -> String {
    let ((year, month, day), (hour, minute, second)) = (parts.date, parts.time);
    let mut out = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if !parts.fraction.is_empty() {
        out.push('.');
        out.push_str(&parts.fraction);
    }
    match parts.offset {
        None => out.push('Z'),
        Some(offset) => {
            let sign = if offset < 0 { '-' } else { '+' };
            let size = offset.abs();
            out.push_str(&format!("{sign}{:02}:{:02}", size / 60, size % 60));
        }
    }
    out
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What is left to read.
struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn eat(&mut self, wanted: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    /// Reads a number of `least` to `most` digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self
            .rest
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        if count < least {
            return None;
        }
        let number = self.rest[..count].parse().ok();
        self.rest = &self.rest[count..];
        number
    }
}
