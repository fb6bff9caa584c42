//! C++: compile and run against the native compiler.

use std::time::Instant;

use sandboxes::{Ending, Guests, Language, Program, Sandbox};

use crate::{LIMITS, native, percentile, thread_cpu_ms};

/// `SALT` makes every compilation a new one.
const SOURCE: &str = r#"#include <bits/stdc++.h>
using namespace std;
int main() {
    unsigned long long salt = SALT;
    int n; cin >> n;
    vector<long long> a(n);
    map<long long, int> seen;
    for (auto& x : a) { salt = (salt * 6364136223846793005ULL + 1442695040888963407ULL); x = (salt >> 33) % 1000; seen[x]++; }
    sort(a.begin(), a.end());
    cout << accumulate(a.begin(), a.end(), 0LL) << " " << seen.size() << "\n";
}
"#;
const ROUNDS: usize = 5;

pub(crate) fn run(guests: &Guests) {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, binary) = (folder.path().join("a.cc"), folder.path().join("a"));
    let (source, binary) = (source.to_str().expect("text"), binary.to_str().expect("text"));
    let mut ours = (Vec::new(), Vec::new());
    let mut theirs = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let text = SOURCE.replace("SALT", &(std::process::id() as usize * 100 + round).to_string());
        let program = Program::new(Language::Cpp, text.as_str());
        let before = thread_cpu_ms();
        let first = guests.run(&program, b"2000\n", &LIMITS).expect("it runs");
        ours.0.push(thread_cpu_ms() - before);
        assert_eq!(first.ending, Ending::Exited { code: 0 }, "{}", String::from_utf8_lossy(&first.stderr));
        std::fs::write(source, &text).expect("a file");
        let before = native::children_cpu_ms();
        native::output(&["g++", "-O2", "-std=c++20", source, "-o", binary], b"");
        theirs.0.push(native::children_cpu_ms() - before);
        for _ in 0..20 {
            let clock = Instant::now();
            let again = guests.run(&program, b"2000\n", &LIMITS).expect("it runs");
            ours.1.push(clock.elapsed().as_secs_f64() * 1e3);
            let clock = Instant::now();
            let output = native::output(&[binary], b"2000\n");
            theirs.1.push(clock.elapsed().as_secs_f64() * 1e3);
            assert_eq!(again.stdout, output, "both print the same");
        }
    }
    println!(
        "  compile and first run: {:.2} times the CPU time of `g++ -O2` alone",
        percentile(&ours.0, 0.5) / percentile(&theirs.0, 0.5)
    );
    println!(
        "  another test of the same program: {:.1} times faster than starting the native binary",
        percentile(&theirs.1, 0.5) / percentile(&ours.1, 0.5)
    );
}
