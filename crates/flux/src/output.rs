//! What a person or a script sees: data on stdout, status lines on stderr.
//!
//! A status line is upstream's symbol, one space, the text. A closed pipe is no error: `flux … | head`
//! ends quietly.

use std::io::Write as _;
use std::os::fd::AsFd as _;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

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

    /// Returns when the reader of stdout has gone, as that of `flux … --watch | head -1`; never where stdout is no pipe.
    pub async fn reader_gone(&self) {
        let stdout = std::io::stdout().as_fd().try_clone_to_owned();
        #[expect(
            deprecated,
            reason = "its successor is unsafe for descriptors that close early; an owned one does not"
        )]
        let pipe = stdout.map(|fd| AsyncFd::with_interest(fd, Interest::ERROR));
        // Files cannot be waited for, and are not closed from the other side.
        let Ok(Ok(pipe)) = pipe else {
            return std::future::pending().await;
        };
        match pipe.ready(Interest::ERROR).await {
            Ok(_) => {}
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends the process with that code. What it holds in memory is not taken apart first: the allocator would give
    /// back page by page what goes at once.
    pub fn leave(&self, code: u8) -> ! {
        let _closed_pipe = std::io::stdout().lock().flush();
        signal_hook::low_level::exit(i32::from(code))
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
