//! A deep stack for the recursive evaluator.

/// Stack of the evaluating thread, in bytes; pages that are not touched cost nothing.
const STACK_BYTES: usize = 512 << 20;

/// Runs a function on a thread whose stack holds the deepest nesting that [`crate::Limits`] allow.
///
/// # Errors
/// The thread cannot be started, or the function panicked; the text says which.
pub fn with_deep_stack<T: Send>(body: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let handle = std::thread::Builder::new()
            .name("template".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, body)
            .map_err(|error| format!("no thread for rendering: {error}"))?;
        handle
            .join()
            .map_err(|_| "the renderer panicked".to_owned())
    })
}
