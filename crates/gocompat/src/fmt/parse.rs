//! The format string: flags, width, precision, argument indexes, and the errors a bad one leaves behind.

use super::{Printable, Printer};

/// Largest width, precision or argument number; larger ones are bad.
const NUMBER_MAX: i64 = 1_000_000;

/// Flags, width and precision of the verb being printed.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spec {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) plus_v: bool,
    pub(super) sharp_v: bool,
}

struct Cursor<'a, T> {
    format: &'a [u8],
    at: usize,
    args: &'a [T],
    arg: usize,
    reordered: bool,
    good: bool,
    after_index: bool,
}

pub(super) fn run<T: Printable>(printer: &mut Printer, format: &[u8], args: &[T]) {
    let mut cursor = Cursor {
        format,
        at: 0,
        args,
        arg: 0,
        reordered: false,
        good: true,
        after_index: false,
    };
    while cursor.at < format.len() {
        let rest = &format[cursor.at..];
        let plain = rest.iter().position(|&b| b == b'%').unwrap_or(rest.len());
        printer.out.extend_from_slice(&rest[..plain]);
        cursor.at += plain;
        if cursor.at < format.len() {
            cursor.at += 1;
            cursor.verb(printer);
        }
    }
    printer.spec = Spec::default();
    if !cursor.reordered && cursor.arg < args.len() {
        extra(printer, &args[cursor.arg..]);
    }
}

fn extra<T: Printable>(printer: &mut Printer, args: &[T]) {
    printer.out.extend_from_slice(b"%!(EXTRA ");
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            printer.out.extend_from_slice(b", ");
        }
        if !matches!(arg.view(), super::View::Nil) {
            printer.out.extend_from_slice(arg.type_name().as_bytes());
            printer.out.push(b'=');
        }
        printer.arg(arg, 'v', 0);
    }
    printer.out.push(b')');
}

impl<T: Printable> Cursor<'_, T> {
    fn verb(&mut self, printer: &mut Printer) {
        self.good = true;
        printer.spec = Spec::default();
        self.flags(printer);
        self.index();
        self.width(printer);
        self.precision(printer);
        if !self.after_index {
            self.index();
        }
        let Some((verb, size)) = self.rune() else {
            printer.out.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        self.at += size;
        if verb == '%' {
            printer.out.push(b'%');
        } else if !self.good {
            printer
                .out
                .extend_from_slice(format!("%!{verb}(BADINDEX)").as_bytes());
        } else if self.arg >= self.args.len() {
            printer
                .out
                .extend_from_slice(format!("%!{verb}(MISSING)").as_bytes());
        } else {
            if verb == 'v' {
                printer.spec.sharp_v = std::mem::take(&mut printer.spec.sharp);
                printer.spec.plus_v = std::mem::take(&mut printer.spec.plus);
            }
            printer.arg(&self.args[self.arg], verb, 0);
            self.arg += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn rune(&self) -> Option<(char, usize)> {
        let rest = &self.format[self.at..];
        let head = &rest[..rest.len().min(4)];
        let chunk = head.utf8_chunks().next()?;
        Some(
            chunk
                .valid()
                .chars()
                .next()
                .map_or(('\u{fffd}', 1), |c| (c, c.len_utf8())),
        )
    }

    fn flags(&mut self, printer: &mut Printer) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => printer.spec.sharp = true,
                b'0' => printer.spec.zero = true,
                b'+' => printer.spec.plus = true,
                b'-' => printer.spec.minus = true,
                b' ' => printer.spec.space = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    fn width(&mut self, printer: &mut Printer) {
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(width) => {
                    printer.spec.width = Some(width.unsigned_abs() as usize);
                    if width < 0 {
                        printer.spec.minus = true;
                        printer.spec.zero = false;
                    }
                }
                None => printer.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            self.after_index = false;
            return;
        }
        printer.spec.width = self.number();
        if self.after_index && printer.spec.width.is_some() {
            self.good = false;
        }
    }

    fn precision(&mut self, printer: &mut Printer) {
        // A dot that ends the format is no precision: it becomes the verb.
        if self.at + 1 >= self.format.len() || self.peek() != Some(b'.') {
            return;
        }
        self.at += 1;
        if self.after_index {
            self.good = false;
        }
        self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star().filter(|&precision| precision >= 0) {
                Some(precision) => printer.spec.precision = Some(precision as usize),
                None => printer.out.extend_from_slice(b"%!(BADPREC)"),
            }
            self.after_index = false;
            return;
        }
        printer.spec.precision = Some(self.number().unwrap_or(0));
    }

    /// Reads a width or precision from the arguments.
    fn star(&mut self) -> Option<i64> {
        let arg = self.args.get(self.arg)?;
        self.arg += 1;
        let number = match arg.view() {
            super::View::Int(number) => number,
            super::View::Uint(number) => i64::try_from(number).ok()?,
            super::View::Stringer(_, inner) => match *inner {
                super::View::Int(number) => number,
                _ => return None,
            },
            _ => return None,
        };
        (-NUMBER_MAX..=NUMBER_MAX)
            .contains(&number)
            .then_some(number)
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        let mut value = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if value > NUMBER_MAX {
                self.at = self.format.len();
                return None;
            }
            value = value * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        (self.at > start).then_some(value as usize)
    }

    /// Reads `[n]`, which selects the next argument.
    fn index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(close) = rest.iter().position(|&b| b == b']') else {
            self.good = false;
            self.at += 1;
            return;
        };
        let number = std::str::from_utf8(&rest[1..close])
            .ok()
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse::<usize>().ok());
        self.at += close + 1;
        match number {
            Some(number) if (1..=self.args.len()).contains(&number) => {
                self.arg = number - 1;
                self.after_index = true;
            }
            _ => {
                self.good = false;
                self.after_index = number.is_some();
            }
        }
    }
}
