//! The library as a whole: started once, for all threads.

use std::sync::OnceLock;

use llama_cpp_sys_2 as sys;

use crate::error::{LlamaError, Result};
use crate::log;

static STARTED: OnceLock<()> = OnceLock::new();

/// Starts the library, once.
///
/// # Errors
/// When it was built for another processor: its instructions would end the program.
#[allow(unsafe_code)]
pub(crate) fn start() -> Result<()> {
    check()?;
    STARTED.get_or_init(|| {
        log::install();
        // SAFETY: called once, before anything else of the library.
        unsafe { sys::llama_backend_init() };
    });
    Ok(())
}

/// llama.cpp's kernels for x86-64 are built for one set of instructions and never ask whether they are there.
#[cfg(target_arch = "x86_64")]
fn check() -> Result<()> {
    let has =
        |missing, is_there: bool| if is_there { Ok(()) } else { Err(LlamaError::Processor { missing }) };
    let built = instructions();
    has("AVX2", !built.contains(&"AVX2") || std::arch::is_x86_feature_detected!("avx2"))?;
    has("FMA", !built.contains(&"FMA") || std::arch::is_x86_feature_detected!("fma"))?;
    has("F16C", !built.contains(&"F16C") || std::arch::is_x86_feature_detected!("f16c"))?;
    has("AVX-512", !built.contains(&"AVX-512") || std::arch::is_x86_feature_detected!("avx512f"))
}

#[cfg(not(target_arch = "x86_64"))]
fn check() -> Result<()> {
    Ok(())
}

/// Which of the processor's instructions llama.cpp was built to use.
#[allow(unsafe_code)]
pub fn instructions() -> Vec<&'static str> {
    // SAFETY: these functions return constants of the build.
    let all = unsafe {
        [
            ("AVX2", sys::ggml_cpu_has_avx2()),
            ("FMA", sys::ggml_cpu_has_fma()),
            ("F16C", sys::ggml_cpu_has_f16c()),
            ("AVX-512", sys::ggml_cpu_has_avx512()),
            ("NEON", sys::ggml_cpu_has_neon()),
        ]
    };
    all.into_iter().filter(|(_, there)| *there != 0).map(|(name, _)| name).collect()
}

/// Whether this build can use a GPU and there is one.
#[allow(unsafe_code)]
pub fn supports_gpu() -> bool {
    start().is_ok() && {
        // SAFETY: the library was started.
        unsafe { sys::llama_supports_gpu_offload() }
    }
}
