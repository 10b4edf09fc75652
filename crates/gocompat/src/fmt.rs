//! Go's `fmt`: `Sprintf`, `Sprint` and `Sprintln` over any value that can show itself as a [`View`].
//!
//! Follows Go 1.26 in verbs, flags, widths, argument indexes and in the error forms written into the
//! output (`%!d(string=x)`, `%!s(MISSING)`, `%!(EXTRA …)`). Output is bounded: widths and precisions stop
//! at a million as upstream's do, nesting at [`DEPTH_MAX`].

mod number;
mod parse;
mod text;

use std::borrow::Cow;

use parse::Spec;
pub use text::truncated;

/// Deepest nesting that is printed; deeper values print as `...`.
pub const DEPTH_MAX: usize = 500;

/// Bytes after which nothing more is printed: shared structure could otherwise print without end.
const BYTES_MAX: usize = 65 << 20;

/// A value as Go's printing sees it. `T` is the type of nested values.
#[derive(Debug)]
pub enum View<'a, T> {
    /// An untyped nil.
    Nil,
    /// A boolean.
    Bool(bool),
    /// Any signed integer.
    Int(i64),
    /// Any unsigned integer.
    Uint(u64),
    /// A 64-bit float.
    Float(f64),
    /// A complex number.
    Complex(f64, f64),
    /// A string, not necessarily UTF-8.
    Text(Cow<'a, [u8]>),
    /// Text given by a `String` or `Error` method, used by `%v %s %x %X %q`; the inner view serves other verbs.
    Stringer(Vec<u8>, Box<View<'a, T>>),
    /// A slice of bytes.
    Bytes(Cow<'a, [u8]>),
    /// A slice; `nil` is shown by `%#v` only.
    List {
        /// The elements in order.
        items: Vec<T>,
        /// Whether the slice is nil rather than empty.
        nil: bool,
    },
    /// A map, entries sorted by key.
    Map {
        /// Keys and values.
        entries: Vec<(T, T)>,
        /// Whether the map is nil rather than empty.
        nil: bool,
    },
    /// A struct: names and values of its fields.
    Struct(Vec<(String, T)>),
    /// A pointer to a struct, printed with `&` at the top level.
    Pointer(Box<View<'a, T>>),
}

/// A value that `fmt` can print.
pub trait Printable: Sized {
    /// Go's name of the dynamic type, as `%T` prints it.
    fn type_name(&self) -> Cow<'static, str>;
    /// The value by kind.
    fn view(&self) -> View<'_, Self>;
    /// What `%#v` prints, of types that say so themselves.
    fn go_string(&self) -> Option<Vec<u8>> {
        None
    }
}

/// Formats as `fmt.Sprintf`.
pub fn sprintf<T: Printable>(format: &[u8], args: &[T]) -> Vec<u8> {
    let mut printer = Printer::default();
    parse::run(&mut printer, format, args);
    printer.out
}

/// Formats as `fmt.Sprint`: a space between operands where neither is a string.
pub fn sprint<T: Printable>(args: &[T]) -> Vec<u8> {
    let mut printer = Printer::default();
    let mut after_string = true;
    for (index, arg) in args.iter().enumerate() {
        let is_string = arg.type_name() == "string";
        if index > 0 && !is_string && !after_string {
            printer.out.push(b' ');
        }
        printer.arg(arg, 'v', 0);
        after_string = is_string;
    }
    printer.out
}

/// Formats as `fmt.Sprintln`: spaces between all operands and a final newline.
pub fn sprintln<T: Printable>(args: &[T]) -> Vec<u8> {
    let mut printer = Printer::default();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            printer.out.push(b' ');
        }
        printer.arg(arg, 'v', 0);
    }
    printer.out.push(b'\n');
    printer.out
}

/// Appends one value as `%v` prints it.
pub fn write_value<T: Printable>(out: &mut Vec<u8>, value: &T) {
    let mut printer = Printer {
        out: std::mem::take(out),
        ..Printer::default()
    };
    printer.arg(value, 'v', 0);
    *out = printer.out;
}

/// The state of one formatting run: the output and the flags of the current verb.
#[derive(Debug, Default)]
struct Printer {
    out: Vec<u8>,
    spec: Spec,
    erroring: bool,
}

impl Printer {
    /// Prints one operand; nested ones have a depth above 0.
    fn arg<T: Printable>(&mut self, value: &T, verb: char, depth: usize) {
        if self.out.len() > BYTES_MAX {
            return;
        }
        if depth > DEPTH_MAX {
            self.out.extend_from_slice(b"...");
            return;
        }
        let view = value.view();
        if matches!(view, View::Nil) {
            return self.nil(verb, depth);
        }
        if depth == 0 && verb == 'T' {
            return self.text(value.type_name().as_bytes(), 's');
        }
        if self.spec.sharp_v
            && !self.erroring
            && let Some(text) = value.go_string()
        {
            return self.text(&text, 's');
        }
        // Only errors can be wrapped: `%w` shows anything else as a whole, unless it is a basic value.
        let whole = verb == 'w'
            && !matches!(
                view,
                View::Bool(_) | View::Int(_) | View::Text(_) | View::Bytes(_)
            );
        if whole || !self.view(value, view, verb, depth) {
            self.bad_verb(value, verb, depth);
        }
    }

    fn nil(&mut self, verb: char, depth: usize) {
        if depth > 0 {
            let shown: &[u8] = if self.spec.sharp_v {
                b"interface {}(nil)"
            } else {
                b"<nil>"
            };
            self.out.extend_from_slice(shown);
        } else if verb == 'v' || verb == 'T' {
            self.pad(b"<nil>");
        } else {
            self.out
                .extend_from_slice(format!("%!{verb}(<nil>)").as_bytes());
        }
    }

    /// Prints by kind; `false` where the verb does not suit the kind.
    fn view<T: Printable>(
        &mut self,
        value: &T,
        view: View<'_, T>,
        verb: char,
        depth: usize,
    ) -> bool {
        if verb == 'p' && depth == 0 {
            return match view {
                View::List { .. } | View::Map { .. } | View::Bytes(_) | View::Pointer(_) => {
                    self.out.extend_from_slice(b"0xc000000000");
                    true
                }
                _ => false,
            };
        }
        match view {
            View::Nil => self.nil(verb, depth),
            View::Bool(flag) => match verb {
                't' | 'v' => self.pad(if flag { b"true" } else { b"false" }),
                _ => return false,
            },
            View::Int(number) => {
                return self.integer(number.unsigned_abs(), number < 0, true, verb);
            }
            View::Uint(number) => return self.integer(number, false, false, verb),
            View::Float(number) => return self.float(number, verb),
            View::Complex(real, imaginary) => return self.complex(real, imaginary, verb),
            View::Text(text) => return self.try_text(&text, verb),
            View::Stringer(text, inner) => {
                if !self.erroring
                    && !self.spec.sharp_v
                    && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
                {
                    return self.try_text(&text, verb);
                }
                return self.view(value, *inner, verb, depth);
            }
            View::Bytes(bytes) => self.bytes(value, &bytes, verb),
            View::List { items, nil } => self.list(value, &items, nil, verb, depth),
            View::Map { entries, nil } => self.map(value, &entries, nil, verb, depth),
            View::Struct(fields) => self.fields(value, &fields, verb, depth),
            View::Pointer(inner) => {
                if depth > 0 && self.spec.sharp_v {
                    let name = value.type_name();
                    self.out
                        .extend_from_slice(format!("({name})(0xc000000000)").as_bytes());
                } else if depth > 0 {
                    self.out.extend_from_slice(b"0xc000000000");
                } else {
                    self.out.push(b'&');
                    return self.view(value, *inner, verb, depth + 1);
                }
            }
        }
        true
    }

    fn list<T: Printable>(&mut self, value: &T, items: &[T], nil: bool, verb: char, depth: usize) {
        if self.spec.sharp_v {
            self.out.extend_from_slice(value.type_name().as_bytes());
            if nil {
                self.out.extend_from_slice(b"(nil)");
                return;
            }
        }
        let (open, gap, close) = self.brackets(b"[", b"]");
        self.out.extend_from_slice(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(gap);
            }
            self.arg(item, verb, depth + 1);
        }
        self.out.extend_from_slice(close);
    }

    fn map<T: Printable>(
        &mut self,
        value: &T,
        entries: &[(T, T)],
        nil: bool,
        verb: char,
        depth: usize,
    ) {
        if self.spec.sharp_v {
            self.out.extend_from_slice(value.type_name().as_bytes());
            if nil {
                self.out.extend_from_slice(b"(nil)");
                return;
            }
        }
        let (open, gap, close) = self.brackets(b"map[", b"]");
        self.out.extend_from_slice(open);
        for (index, (key, item)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(gap);
            }
            self.arg(key, verb, depth + 1);
            self.out.push(b':');
            self.arg(item, verb, depth + 1);
        }
        self.out.extend_from_slice(close);
    }

    fn fields<T: Printable>(
        &mut self,
        value: &T,
        fields: &[(String, T)],
        verb: char,
        depth: usize,
    ) {
        if self.spec.sharp_v {
            // Of a pointer, what it points to is shown.
            let name = value.type_name();
            self.out
                .extend_from_slice(name.trim_start_matches('*').as_bytes());
        }
        self.out.push(b'{');
        for (index, (name, item)) in fields.iter().enumerate() {
            if index > 0 {
                let gap: &[u8] = if self.spec.sharp_v { b", " } else { b" " };
                self.out.extend_from_slice(gap);
            }
            if self.spec.sharp_v || self.spec.plus_v {
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b':');
            }
            self.arg(item, verb, depth + 1);
        }
        self.out.push(b'}');
    }

    fn brackets(
        &self,
        open: &'static [u8],
        close: &'static [u8],
    ) -> (&'static [u8], &'static [u8], &'static [u8]) {
        if self.spec.sharp_v {
            (b"{", b", ", b"}")
        } else {
            (open, b" ", close)
        }
    }

    fn bytes<T: Printable>(&mut self, value: &T, bytes: &[u8], verb: char) {
        match verb {
            's' | 'x' | 'X' | 'q' => {
                self.try_text(bytes, verb);
            }
            'v' | 'd' if self.spec.sharp_v => {
                let shown: Vec<String> = bytes.iter().map(|b| format!("{b:#x}")).collect();
                self.out.extend_from_slice(b"[]byte{");
                self.out.extend_from_slice(shown.join(", ").as_bytes());
                self.out.push(b'}');
            }
            _ => {
                self.out.push(b'[');
                for (index, byte) in bytes.iter().enumerate() {
                    if index > 0 {
                        self.out.push(b' ');
                    }
                    let verb = if verb == 'v' { 'd' } else { verb };
                    if !self.integer(u64::from(*byte), false, false, verb) {
                        self.bad_verb(value, verb, 1);
                    }
                }
                self.out.push(b']');
            }
        }
    }

    /// Writes `%!verb(type=value)`.
    fn bad_verb<T: Printable>(&mut self, value: &T, verb: char, depth: usize) {
        let outer = std::mem::replace(&mut self.erroring, true);
        self.out.extend_from_slice(format!("%!{verb}(").as_bytes());
        self.out.extend_from_slice(value.type_name().as_bytes());
        self.out.push(b'=');
        let view = value.view();
        self.view(value, view, 'v', depth);
        self.out.push(b')');
        self.erroring = outer;
    }
}
