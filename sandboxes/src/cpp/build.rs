//! What the installation makes of the package: native code of the compiler, the headers and libraries that programs
//! may see, our runtime as objects, and the header of all headers ahead of its users.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::compiler::{Compiled, Compiler, Fault};
use super::dialect::{Dialect, runtime_object};
use super::headers::HeaderSet;
use crate::guests::{InstallError, Workshop};
use crate::package::write_whole;
use crate::program::File;
use crate::wasi::Tree;

const PACKAGE: &str = "@yowasp/clang";
/// The package's own name of the compiler and linker.
const TOOL: &str = "gen/llvm.core.wasm";
/// The package's headers and libraries.
const RESOURCES: &str = "gen/llvm-resources.tar";

/// The compiler as native code.
pub(super) const TOOL_CODE: &str = "clang.cwasm";
/// Headers, libraries and our runtime, as an archive.
pub(super) const TREE: &str = "tree.tar";
/// The precompiled header of a program that includes all headers.
pub(super) const ALL_HEADERS: &str = "all.pch";
/// A program that includes all headers.
pub(super) const ALL_HEADERS_SOURCE: &str = "#include <bits/stdc++.h>\n";

/// Headers of ours that programs see.
const HEADERS: &[(&str, &str)] = &[
    ("/gavel/include/algorithm", include_str!("../../cpp/include/algorithm")),
    ("/gavel/include/bits/stdc++.h", include_str!("../../cpp/include/bits/stdc++.h")),
];

/// The parts of our runtime, by the names of their objects.
const RUNTIME: &[(&str, Dialect, &str)] = &[
    ("abort", Dialect::C, include_str!("../../cpp/runtime/abort.c")),
    ("exceptions", Dialect::Cpp, include_str!("../../cpp/runtime/exceptions.cpp")),
    ("input", Dialect::Cpp, include_str!("../../cpp/runtime/input.cpp")),
    ("library", Dialect::Cpp, include_str!("../../cpp/runtime/library.cpp")),
    ("narrow", Dialect::C, include_str!("../../cpp/runtime/narrow.c")),
    ("numbers", Dialect::Cpp, include_str!("../../cpp/runtime/numbers.cpp")),
    ("output", Dialect::Cpp, include_str!("../../cpp/runtime/output.cpp")),
    ("sort", Dialect::Cpp, include_str!("../../cpp/runtime/sort.cpp")),
    ("start", Dialect::Cpp, include_str!("../../cpp/runtime/start.cpp")),
    ("streams", Dialect::Cpp, include_str!("../../cpp/runtime/streams.cpp")),
    ("terminate", Dialect::Cpp, include_str!("../../cpp/runtime/terminate.cpp")),
];
const RUNTIME_HEADER: &str = include_str!("../../cpp/runtime/exceptions.h");

/// All of our sources, on which the result depends.
pub(super) const SOURCES: &[&str] = &[
    HEADERS[0].1,
    HEADERS[1].1,
    RUNTIME[0].2,
    RUNTIME[1].2,
    RUNTIME[2].2,
    RUNTIME[3].2,
    RUNTIME[4].2,
    RUNTIME[5].2,
    RUNTIME[6].2,
    RUNTIME[7].2,
    RUNTIME[8].2,
    RUNTIME[9].2,
    RUNTIME[10].2,
    RUNTIME_HEADER,
];

/// Builds the guest into the workshop's folder.
pub(super) fn build(workshop: &mut Workshop<'_>) -> Result<(), InstallError> {
    let machine = Arc::clone(workshop.machine);
    (workshop.progress)("compiling the compiler; this takes some minutes");
    let code = machine.compile(workshop.files.get(PACKAGE, TOOL)?)?;
    let code_path = workshop.folder.join(TOOL_CODE);
    write_whole(&code_path, &code)?;
    drop(code);
    let tool = machine.prepare(&machine.load(&code_path)?, |_| Ok(()))?;

    let mut files = resources(workshop.files.get(PACKAGE, RESOURCES)?)?;
    files.extend(HEADERS.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    let compiler = Compiler::new(Arc::clone(&machine), tool, tree(files.clone())?);
    for (name, dialect, source) in RUNTIME {
        (workshop.progress)(&format!("compiling the runtime: {name}"));
        let object = own(compiler.object(*dialect, dialect.source_name(), beside(*dialect, source)))?;
        files.insert(runtime_object(name), object);
    }
    (workshop.progress)("compiling the standard headers");
    let header = own(compiler.header(Dialect::Cpp, HeaderSet::of(ALL_HEADERS_SOURCE).source()))?;
    write_whole(&workshop.folder.join(ALL_HEADERS), &header.compiled)?;
    write_whole(&workshop.folder.join(TREE), &archive(&files)?)?;
    Ok(())
}

/// Reads back the files that [`build`] left.
pub(super) fn open_tree(folder: &Path) -> Result<Arc<Tree>, String> {
    let path = folder.join(TREE);
    let archive = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let files = unpack(&archive, |path| Some(format!("/{path}"))).map_err(|error| error.to_string())?;
    Tree::new(files).map(Arc::new).map_err(|error| error.to_string())
}

fn beside(dialect: Dialect, source: &str) -> Vec<File> {
    let file = |path: &str, text: &str| File { path: path.to_owned(), content: text.as_bytes().to_vec() };
    vec![file(dialect.source_name(), source), file("exceptions.h", RUNTIME_HEADER)]
}

/// A product of our own sources: that they compile is not the user's concern.
fn own<T>(compiled: Compiled<T>) -> Result<T, InstallError> {
    let message = match compiled {
        Ok(Ok(product)) => return Ok(product),
        Ok(Err(refusal)) => refusal.0,
        Err(Fault::TimedOut) => "the compiler did not come to an end".to_owned(),
        Err(Fault::Failed(message)) => message,
    };
    Err(InstallError::Build { message })
}

/// What programs may see of the package's files.
fn resources(archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, InstallError> {
    unpack(archive, |path| wanted(path).then(|| format!("/usr/{path}")))
        .map_err(|error| InstallError::Build { message: format!("{RESOURCES}: {error}") })
}

/// The headers and static libraries for our target; not those of other processors, nor the library's old version.
fn wanted(path: &str) -> bool {
    const COMPILERS_OWN: &[&str] =
        &["float.h", "inttypes.h", "iso646.h", "limits.h", "tgmath.h", "unwind.h", "varargs.h"];
    if let Some(path) = path.strip_prefix("lib/") {
        let extension = path.rsplit('.').next();
        return extension == Some("a") || extension == Some("o");
    }
    let Some(path) = path.strip_prefix("include/") else { return false };
    if path.contains('/') {
        return !path.starts_with("c++/v1/__cxx03/");
    }
    let prefixes = ["__std", "__float", "std"];
    COMPILERS_OWN.contains(&path) || prefixes.iter().any(|prefix| path.starts_with(prefix))
}

fn unpack(
    archive: &[u8],
    name: impl Fn(&str) -> Option<String>,
) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        let Some(name) = name(&path) else { continue };
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(name, content);
    }
    Ok(files)
}

/// The same files give the same bytes.
fn archive(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, InstallError> {
    let failed = |error: std::io::Error| InstallError::Build { message: format!("{TREE}: {error}") };
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path.trim_start_matches('/'), content.as_slice()).map_err(failed)?;
    }
    builder.into_inner().map_err(failed)
}

fn tree(files: BTreeMap<String, Vec<u8>>) -> Result<Arc<Tree>, InstallError> {
    Tree::new(files).map(Arc::new).map_err(|error| InstallError::Build { message: error.to_string() })
}
