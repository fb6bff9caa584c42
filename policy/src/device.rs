//! Where tensors live.

use candle_core::Device;

use crate::error::{PolicyError, Result};

/// Reads `auto`, `cpu`, `cuda` or `cuda:N`. `auto` is the first NVIDIA device where one can be used, else the CPU.
///
/// # Errors
/// When the text is none of these, the program was built without the feature `cuda`, or there is no such device.
pub fn parse(text: &str) -> Result<Device> {
    match text {
        "auto" if cfg!(feature = "cuda") => Ok(Device::new_cuda(0).unwrap_or(Device::Cpu)),
        "cpu" | "auto" => Ok(Device::Cpu),
        "cuda" => cuda(text, 0),
        _ => match text.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(number)) => cuda(text, number),
            _ => Err(unsupported(format!(
                "`{text}` is no device; expected `auto`, `cpu` or `cuda:N` with N the number of an NVIDIA device"
            ))),
        },
    }
}

/// What [`parse`] would read as this device.
pub fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

fn cuda(text: &str, number: usize) -> Result<Device> {
    if !cfg!(feature = "cuda") {
        return Err(unsupported(format!(
            "`{text}` needs a program that was built with `--features cuda`; this one was not"
        )));
    }
    Device::new_cuda(number).map_err(|error| unsupported(format!("`{text}` cannot be used: {error}")))
}

fn unsupported(message: String) -> PolicyError {
    PolicyError::Unsupported { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_by_name() {
        assert!(parse("cpu").expect("there is one").is_cpu());
        assert_eq!(name(&parse("cpu").expect("there is one")), "cpu");
        assert!(parse("auto").is_ok());
        for (text, part) in [
            ("gpu", "expected `auto`"),
            ("cuda:", "expected `auto`"),
            ("cuda:x", "expected `auto`"),
            ("cuda:-1", "expected `auto`"),
            ("", "expected `auto`"),
            ("cuda:4096", if cfg!(feature = "cuda") { "cannot be used" } else { "--features cuda" }),
        ] {
            let message = parse(text).expect_err(text).to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
