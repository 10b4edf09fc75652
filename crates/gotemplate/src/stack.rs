//! A deep stack for the recursive evaluator.

use std::cell::Cell;

/// Stack of the evaluating thread, in bytes; pages that are not touched cost nothing.
const STACK_BYTES: usize = 512 << 20;

thread_local! {
    /// Whether this thread was started here and nothing else than the body runs on it.
    static DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Runs a function on a thread whose stack holds the deepest nesting that [`crate::Limits`] allow.
///
/// Inside of such a function it calls in place: the outermost call decides where everything runs, which saves
/// a program that does nothing else the memory of a second thread.
///
/// # Errors
/// The thread cannot be started, or the function panicked; the text says which.
pub fn with_deep_stack<T: Send>(body: impl FnOnce() -> T + Send) -> Result<T, String> {
    if DEEP.get() {
        // A panic unwinds to the outermost call, which reports it.
        return Ok(body());
    }
    std::thread::scope(|scope| {
        let handle = std::thread::Builder::new()
            .name("template".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                DEEP.set(true);
                body()
            })
            .map_err(|error| format!("no thread for rendering: {error}"))?;
        handle
            .join()
            .map_err(|_| "the renderer panicked".to_owned())
    })
}
