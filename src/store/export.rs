//! Exports.
/// x
#[derive(Clone, Debug)]
pub struct Export;
/// x
#[derive(Clone, Debug)]
pub struct ExportKind;
/// x
#[derive(Clone, Debug)]
pub struct ExportSteps;
/// x
#[derive(Clone, Debug)]
pub struct SftPick;
