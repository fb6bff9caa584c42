//! The languages of the compiler and the options each is compiled with. It runs nothing.

use crate::program::Language;

/// C or C++, in the version that programs are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Dialect {
    /// C17 with GNU extensions.
    C,
    /// C++20 with GNU extensions.
    Cpp,
}

/// Stack for what does not fit into the machine's own frames, in bytes: a judge's usual 64 MiB.
pub(super) const STACK_BYTES: u64 = 64 << 20;

/// What every call of the compiler proper begins with.
const COMMON: &[&str] = &[
    "clang",
    "-cc1",
    "-triple",
    "wasm32-unknown-wasip1",
    "-disable-free",
    "-clear-ast-before-backend",
    "-mrelocation-model",
    "static",
    "-mframe-pointer=none",
    "-ffp-contract=off",
    "-fno-rounding-math",
    "-mconstructor-aliases",
    "-target-cpu",
    "generic",
    "-target-feature",
    "+exception-handling",
    "-target-feature",
    "+multivalue",
    "-target-feature",
    "+reference-types",
    "-target-feature",
    "+simd128",
    "-mllvm",
    "-wasm-enable-eh",
    "-mllvm",
    "-wasm-enable-sjlj",
    "-mllvm",
    "-wasm-use-legacy-eh=false",
    "-exception-model=wasm",
    "-fvisibility=hidden",
    "-resource-dir",
    "/usr",
    "-isysroot",
    "/usr",
    "-ferror-limit",
    "8",
    "-ftemplate-backtrace-limit=4",
    "-fmacro-backtrace-limit=2",
    "-fgnuc-version=4.2.1",
    "-vectorize-loops",
    "-vectorize-slp",
    // A function that forgets to return goes on somewhere, as with GCC, instead of trapping.
    "-fno-strict-return",
    // Parts of the C library that have to be asked for.
    "-D_WASI_EMULATED_SIGNAL",
    "-D_WASI_EMULATED_PROCESS_CLOCKS",
    "-D_WASI_EMULATED_MMAN",
    "-D_WASI_EMULATED_GETPID",
    // Nobody reads warnings, and what is an error here but a warning of GCC's is no error.
    "-w",
    "-O2",
];

const C: &[&str] = &[
    "-std=gnu17",
    "-Wno-implicit-function-declaration",
    "-Wno-implicit-int",
    "-Wno-int-conversion",
    "-Wno-incompatible-pointer-types",
    "-Wno-incompatible-function-pointer-types",
    "-Wno-return-mismatch",
    "-internal-isystem",
    "/usr/include",
    "-internal-isystem",
    "/usr/include/wasm32-wasip1",
];

const CPP: &[&str] = &[
    "-std=gnu++20",
    "-fcxx-exceptions",
    "-fexceptions",
    "-fdeprecated-macro",
    "-Wno-c++11-narrowing",
    "-Wno-register",
    "-Wno-reserved-user-defined-literal",
    // What newer standards took out and GCC's library still has.
    "-D_LIBCPP_ENABLE_CXX17_REMOVED_AUTO_PTR",
    "-D_LIBCPP_ENABLE_CXX17_REMOVED_BINDERS",
    "-D_LIBCPP_ENABLE_CXX17_REMOVED_RANDOM_SHUFFLE",
    "-D_LIBCPP_ENABLE_CXX17_REMOVED_UNARY_BINARY_FUNCTION",
    "-D_LIBCPP_ENABLE_CXX20_REMOVED_BINDER_TYPEDEFS",
    "-D_LIBCPP_ENABLE_CXX20_REMOVED_NEGATORS",
    "-D_LIBCPP_ENABLE_CXX20_REMOVED_RAW_STORAGE_ITERATOR",
    "-D_LIBCPP_ENABLE_CXX20_REMOVED_SHARED_PTR_UNIQUE",
    "-D_LIBCPP_ENABLE_CXX20_REMOVED_TEMPORARY_BUFFER",
    "-D_LIBCPP_ENABLE_CXX20_REMOVED_TYPE_TRAITS",
    "-D_LIBCPP_ENABLE_CXX20_REMOVED_UNCAUGHT_EXCEPTION",
    "-internal-isystem",
    "/gavel/include",
    "-internal-isystem",
    "/usr/include/c++/v1",
    "-internal-isystem",
    "/usr/include",
    "-internal-isystem",
    "/usr/include/wasm32-wasip1",
];

/// What stands before the program in every link.
const LINK: &[&str] = &[
    "wasm-ld",
    "-m",
    "wasm32",
    "-L/usr/lib/wasm32-wasip1",
    // Our runtime has functions that the library has too. The first definition counts, and ours come first.
    "--allow-multiple-definition",
    "--strip-all",
    // Below the data, so that an overflow leaves the memory instead of going through the program's variables.
    "--stack-first",
    "-z",
];

const LINK_AFTER: &[&str] = &[
    "-lsetjmp",
    "-lwasi-emulated-process-clocks",
    "-lwasi-emulated-signal",
    "-lwasi-emulated-getpid",
    "-lwasi-emulated-mman",
    "-lc-printscan-long-double",
    "-lc",
    "/usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a",
];

/// The parts of our runtime that every C++ program is linked with, by the names of their sources.
const RUNTIME: &[&str] = &["start", "exceptions", "terminate", "library", "streams", "sort", "abort"];

/// A part of our runtime that is linked into programs which do without something: when `unless` has no word that
/// occurs in their text, and `and` has one or is empty.
struct Part {
    name: &'static str,
    unless: &'static [&'static str],
    and: &'static [&'static str],
}

/// Such parts. A name can be put together by the preprocessor, so that `##` counts as every word.
const PARTS: &[Part] = &[
    Part {
        name: "narrow",
        unless: &[
            "##",
            "codecvt",
            "convert",
            "ctype",
            "facet",
            "filesystem",
            "format",
            "locale",
            "money",
            "time_get",
            "get_time",
            "wbuf",
            "wcerr",
            "wchar",
            "wcin",
            "wclog",
            "wcout",
            "wfstream",
            "wide",
            "wifstream",
            "wio",
            "wistr",
            "wofstream",
            "wostr",
            "wregex",
            "wstr",
        ],
        and: &[],
    },
    Part { name: "numbers", unless: &["##", "facet", "imbue", "locale", "num_get", "num_put"], and: &[] },
    Part {
        name: "input",
        unless: &["##", "fread", "getc", "getdelim", "getline(&", "gets", "read(", "scanf", "stdin"],
        and: &["cin"],
    },
    Part {
        name: "output",
        unless: &["##", "fwrite", "perror", "print", "putc", "puts", "stdout", "write("],
        and: &["cout"],
    },
];

/// What a program says that does not mix the ways to its standard input and output; then it may have any word of
/// these ways.
const NOT_MIXED: &[&str] = &["sync_with_stdio(0)", "sync_with_stdio(false)"];

impl Part {
    fn fits(&self, source: &str) -> bool {
        let has = |words: &[&str]| words.iter().any(|word| source.contains(word));
        let streams = matches!(self.name, "input" | "output") && has(NOT_MIXED);
        (streams || !has(self.unless)) && (self.and.is_empty() || has(self.and))
    }
}

/// Where the object of a part of our runtime is.
pub(super) fn runtime_object(name: &str) -> String {
    format!("/gavel/lib/{name}.o")
}

/// What the compiler is to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// An object file.
    Object,
    /// A precompiled header.
    Header,
}

impl Dialect {
    pub(super) const fn of(language: Language) -> Option<Self> {
        match language {
            Language::C => Some(Self::C),
            Language::Cpp => Some(Self::Cpp),
            Language::Python | Language::JavaScript => None,
        }
    }

    /// What a program is called, as diagnostics show it.
    pub(super) const fn source_name(self) -> &'static str {
        match self {
            Self::C => "main.c",
            Self::Cpp => "main.cpp",
        }
    }

    /// The compiler's arguments, first to last.
    pub(super) fn compile_args(
        self,
        product: Product,
        header: Option<&str>,
        input: &str,
        output: &str,
    ) -> Vec<String> {
        let (own, language) = match (self, product) {
            (Self::C, Product::Object) => (C, "c"),
            (Self::C, Product::Header) => (C, "c-header"),
            (Self::Cpp, Product::Object) => (CPP, "c++"),
            (Self::Cpp, Product::Header) => (CPP, "c++-header"),
        };
        let product = match product {
            Product::Object => "-emit-obj",
            Product::Header => "-emit-pch",
        };
        let mut args: Vec<String> = COMMON.iter().chain(own).map(|&arg| arg.to_owned()).collect();
        if let Some(header) = header {
            args.extend(["-include-pch".to_owned(), header.to_owned()]);
        }
        args.extend(
            [product, "-main-file-name", input, "-o", output, "-x", language, input].map(str::to_owned),
        );
        args
    }

    /// The linker's arguments for the object of `source`, first to last.
    pub(super) fn link_args(self, source: &str, object: &str, output: &str) -> Vec<String> {
        let mut args: Vec<String> = LINK.iter().map(|&arg| arg.to_owned()).collect();
        args.push(format!("stack-size={STACK_BYTES}"));
        match self {
            Self::C => {
                args.extend(["/usr/lib/wasm32-wasip1/crt1-command.o".to_owned(), runtime_object("abort")]);
            }
            Self::Cpp => {
                let parts = PARTS.iter().filter(|part| part.fits(source));
                args.extend(parts.map(|part| runtime_object(part.name)));
                args.extend(RUNTIME.iter().map(|name| runtime_object(name)));
            }
        }
        args.push(object.to_owned());
        if self == Self::Cpp {
            args.extend(["-lc++", "-lc++abi"].map(str::to_owned));
        }
        args.extend(LINK_AFTER.iter().map(|&arg| arg.to_owned()));
        args.extend(["-o", output].map(str::to_owned));
        args
    }
}

#[cfg(test)]
mod tests {
    use super::PARTS;

    #[test]
    fn parts_are_linked_by_the_words_of_a_program() {
        let rows = [
            ("int main() {}", "narrow numbers"),
            ("int main() { std::cout << 1; }", "narrow numbers output"),
            ("cin >> n; cout << n;", "narrow numbers input output"),
            ("cin >> n; printf(f, n);", "narrow numbers input"),
            ("scanf(f, &n); cout << n;", "narrow numbers output"),
            ("ios::sync_with_stdio(false); freopen(f, m, stdin); cin >> n; puts(s);", "narrow numbers input"),
            ("std::locale l; std::cout.imbue(l);", "output"),
            ("std::wcout << 1;", "numbers output"),
            ("#define P(a) c##a", ""),
        ];
        for (source, expected) in rows {
            let parts: Vec<&str> =
                PARTS.iter().filter(|part| part.fits(source)).map(|part| part.name).collect();
            assert_eq!(parts.join(" "), expected, "{source}");
        }
    }
}
