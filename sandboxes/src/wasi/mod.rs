//! What an instance sees of the world. This is the interface only, until the functions land.
pub(crate) struct World;
impl World {
    pub(crate) fn started(&mut self, _f: u64) {}
}
pub(crate) trait HasWorld {
    fn world(&mut self) -> &mut World;
}
pub(crate) fn add_to_linker<T: HasWorld + 'static>(_l: &mut wasmtime::Linker<T>) -> wasmtime::Result<()> {
    Ok(())
}
#[derive(Debug)]
pub(crate) enum Stop {
    Exit(i32),
    OutputLimit,
    OutOfFuel,
}
impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stop")
    }
}
impl std::error::Error for Stop {}
