//! What a person or a script sees: data on stdout, status lines on stderr.
//!
//! A status line is upstream's symbol, one space, the text. A closed pipe is no error: `flux … | head`
//! ends quietly.

use std::io::Write as _;

/// The two output streams of the process.
#[derive(Clone, Copy, Debug)]
pub struct Output(());

impl Output {
    /// Opens the streams.
    pub fn new() -> Self {
        Self(())
    }

    /// Writes data to stdout exactly as given.
    pub fn data(&self, text: &str) {
        self.data_bytes(text.as_bytes());
    }

    /// Writes bytes to stdout exactly as given, at once.
    pub fn data_bytes(&self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        let _closed_pipe = stdout.write_all(bytes).and_then(|()| stdout.flush());
    }

    /// Hands out stdout for data that comes in pieces; a closed pipe shows as an error of the writer.
    pub fn data_writer(&self) -> impl std::io::Write + use<> {
        std::io::BufWriter::with_capacity(64 << 10, std::io::stdout().lock())
    }

    /// Writes a line to stderr without symbol.
    pub fn note(&self, text: &str) {
        let line = format!("{text}\n");
        let _closed_pipe = std::io::stderr().lock().write_all(line.as_bytes());
    }

    /// `►`: about to do something.
    pub fn action(&self, text: impl std::fmt::Display) {
        self.note(&format!("► {text}"));
    }

    /// `✚`: generating something.
    pub fn generate(&self, text: impl std::fmt::Display) {
        self.note(&format!("✚ {text}"));
    }

    /// `◎`: waiting for the cluster.
    pub fn waiting(&self, text: impl std::fmt::Display) {
        self.note(&format!("◎ {text}"));
    }

    /// `✔`: done.
    pub fn success(&self, text: impl std::fmt::Display) {
        self.note(&format!("✔ {text}"));
    }

    /// `⚠️`: done, but look.
    pub fn warning(&self, text: impl std::fmt::Display) {
        self.note(&format!("⚠️ {text}"));
    }

    /// `✗`: failed.
    pub fn failure(&self, text: impl std::fmt::Display) {
        self.note(&format!("✗ {text}"));
    }
}
