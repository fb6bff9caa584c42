//! Which standard headers a program begins with, so that they can be compiled ahead of it.
//!
//! A precompiled header has to mean exactly what the program's own lines mean: it is used only when nothing but
//! comments, blank lines and inclusions of standard headers stands before the last of them, and it includes the same
//! headers and no other.

use std::collections::BTreeSet;

/// Headers that may be in a precompiled one: those of C++ and of C, and the one of GCC's that includes them all.
const KNOWN: &str = "\
    algorithm any array assert.h atomic barrier bit bits/stdc++.h bitset cassert cctype cerrno cfenv \
    cfloat charconv chrono cinttypes climits clocale cmath compare complex concepts condition_variable \
    coroutine csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime ctype.h cuchar cwchar \
    cwctype deque errno.h exception execution expected filesystem flat_map flat_set float.h format \
    forward_list fstream functional future initializer_list inttypes.h iomanip ios iosfwd iostream \
    istream iterator latch limits limits.h list locale map math.h mdspan memory memory_resource mutex \
    new numbers numeric optional ostream print queue random ranges ratio regex scoped_allocator \
    semaphore set shared_mutex source_location span sstream stack stdexcept stdint.h stdio.h stdlib.h \
    stop_token streambuf string string.h string_view syncstream system_error thread time.h tuple \
    type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector version \
    wchar.h";

/// The set of headers that a C++ program begins with, empty if it begins otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct HeaderSet(BTreeSet<&'static str>);

impl HeaderSet {
    /// Reads the beginning of a program.
    pub(super) fn of(source: &str) -> Self {
        let mut headers = BTreeSet::new();
        let mut rest = source.trim_start_matches('\u{feff}');
        while let Some((known, after)) = next(rest) {
            headers.extend(known);
            rest = after;
        }
        Self(headers)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A source that includes them all.
    pub(super) fn source(&self) -> String {
        self.0.iter().flat_map(|header| ["#include <", header, ">\n"]).collect()
    }
}

/// Takes one line or comment off the front: what it includes, if anything, and what comes after. `None` when
/// something else stands there.
fn next(text: &str) -> Option<(Option<&'static str>, &str)> {
    let text = text.trim_start();
    if text.is_empty() {
        return None;
    }
    if let Some(comment) = text.strip_prefix("//") {
        let (line, after) = comment.split_once('\n')?;
        // A comment that is continued on the next line would hide what stands there.
        return if line.trim_end().ends_with('\\') || line.ends_with("??/") {
            None
        } else {
            Some((None, after))
        };
    }
    if let Some(comment) = text.strip_prefix("/*") {
        return comment.split_once("*/").map(|(_, after)| (None, after));
    }
    let directive = text.strip_prefix('#')?.trim_start_matches([' ', '\t']);
    if let Some(pragma) = directive.strip_prefix("pragma") {
        // Clang has its own and ignores GCC's, wherever they stand.
        let (line, after) = pragma.split_once('\n')?;
        return if line.trim_start().starts_with("GCC") && !line.trim_end().ends_with('\\') {
            Some((None, after))
        } else {
            None
        };
    }
    let name = directive.strip_prefix("include")?.trim_start_matches([' ', '\t']).strip_prefix('<')?;
    let (name, after) = name.split_once('>')?;
    let known = KNOWN.split_ascii_whitespace().find(|known| *known == name.trim())?;
    // Something after the name, a comment perhaps, ends what is read here; the line itself still counts.
    let (line, after) = after.split_once('\n').unwrap_or((after, ""));
    if line.trim().is_empty() { Some((Some(known), after)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::HeaderSet;

    #[test]
    fn the_order_of_headers_makes_no_difference() {
        let one = HeaderSet::of(
            "#pragma GCC optimize(\"O3\")\n#include <vector>\n\n// Sum\n#  include <iostream>\r\nusing namespace std;",
        );
        let other =
            HeaderSet::of("/* a\n b */ #include<iostream>\n#include <vector>\n#include <vector>\nint x;");
        assert_eq!(one, other);
        assert_eq!(one.source(), "#include <iostream>\n#include <vector>\n");
    }

    #[test]
    fn what_stands_after_anything_else_is_not_read() {
        let rows = [
            "#define NDEBUG\n#include <cassert>\n#include <vector>\n",
            "int x;\n#include <vector>\n",
            "// a \\\n#include <vector>\n",
            "#include \"vector\"\n#include <vector>\n",
            "#include <immintrin.h>\n#include <vector>\n",
            "#pragma once\n#include <vector>\n",
            "#if 0\n#include <vector>\n#endif\n",
            "/* #include <vector>\n",
            "",
        ];
        for source in rows {
            assert!(HeaderSet::of(source).is_empty(), "{source}");
        }
    }
}
