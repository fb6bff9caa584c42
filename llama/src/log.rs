//! What llama.cpp says: never to the standard error, always to whom the program names.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::RwLock;

use llama_cpp_sys_2 as sys;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Of use to who debugs llama.cpp.
    Debug,
    /// What it does.
    Info,
    /// What may be wrong.
    Warn,
    /// What failed.
    Error,
}

type Listener = Box<dyn Fn(Level, &str) + Send + Sync>;

static LISTENER: RwLock<Option<Listener>> = RwLock::new(None);

thread_local! {
    /// Errors of this thread since [`errors_of`] began.
    static ERRORS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
    static LAST: RefCell<Level> = const { RefCell::new(Level::Debug) };
}

/// Hands every line that llama.cpp writes from now on to `listener`, on whatever thread it comes from. Without one,
/// lines are dropped. It must not panic.
pub fn set_log(listener: impl Fn(Level, &str) + Send + Sync + 'static) {
    if let Ok(mut place) = LISTENER.write() {
        *place = Some(Box::new(listener));
    }
}

/// Runs `f` and gives what it returned, and the errors that llama.cpp wrote meanwhile on this thread.
pub(crate) fn errors_of<T>(f: impl FnOnce() -> T) -> (T, String) {
    ERRORS.set(Some(Vec::new()));
    let result = f();
    let lines = ERRORS.take().unwrap_or_default();
    let said = if lines.is_empty() { "it does not say why".to_owned() } else { lines.join("; ") };
    (result, said)
}

/// Receives a piece of a line.
#[allow(unsafe_code)]
unsafe extern "C" fn receive(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp hands over a text that ends with a zero byte and lives during the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let level = match level {
        sys::GGML_LOG_LEVEL_ERROR => Level::Error,
        sys::GGML_LOG_LEVEL_WARN => Level::Warn,
        sys::GGML_LOG_LEVEL_INFO => Level::Info,
        // A piece that goes on has the level of what it continues.
        sys::GGML_LOG_LEVEL_CONT => LAST.with_borrow(|level| *level),
        _ => Level::Debug,
    };
    LAST.set(level);
    let line = text.trim();
    if line.is_empty() {
        return;
    }
    if level == Level::Error {
        ERRORS.with_borrow_mut(|errors| {
            if let Some(errors) = errors {
                errors.push(line.to_owned());
            }
        });
    }
    if let Ok(listener) = LISTENER.read()
        && let Some(listener) = &*listener
    {
        listener(level, line);
    }
}

/// Takes llama.cpp's lines over.
#[allow(unsafe_code)]
pub(crate) fn install() {
    // SAFETY: the function lives as long as the program and needs no data.
    unsafe { sys::llama_log_set(Some(receive), std::ptr::null_mut()) };
}
