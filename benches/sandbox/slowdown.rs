//! CPU-bound work in the sandbox against the same under the native interpreter.

use sandboxes::{Ending, Guests, Language, Program, Sandbox};

use crate::native::{self, PYTHON};
use crate::{LIMITS, percentile, thread_cpu_ms};

const KINDS: &[(&str, &str)] = &[
    (
        "loops over integers",
        "n = 1500000\ns = bytearray([1]) * (n + 1)\nfor i in range(2, 1225):\n    if s[i]:\n        for j in range(i * i, n + 1, i):\n            s[j] = 0\nprint(sum(s))",
    ),
    (
        "recursion",
        "def q(n, r, a, b, c):\n    if r == n: return 1\n    t = 0\n    for x in range(n):\n        if not (a >> x & 1 or b >> (r + x) & 1 or c >> (r - x + n) & 1):\n            t += q(n, r + 1, a | 1 << x, b | 1 << (r + x), c | 1 << (r - x + n))\n    return t\nprint(q(9, 0, 0, 0, 0))",
    ),
    (
        "dictionaries, lists, heaps, sorting",
        "import heapq\nd = {}\nfor i in range(200000):\n    k = i * 7919 % 50021\n    d[k] = d.get(k, 0) + i\nh = []\nfor k, v in d.items():\n    heapq.heappush(h, (v % 1009, k))\nt = 0\nwhile h:\n    t = (t * 31 + heapq.heappop(h)[1]) % 1000007\nprint(t, sum(sorted(d.values())[::7]))",
    ),
    (
        "strings, regular expressions, JSON",
        "import json, re\nx = [{'id': i, 'name': 'n%d' % i, 'tags': ['a', 'b', str(i)]} for i in range(4000)]\nt = 0\nfor _ in range(6):\n    s = json.dumps(x)\n    t += len(json.loads(s)) + len(re.findall(r'\"n(\\d+)\"', s)) + len(s.replace('a', 'bb').split(','))\nprint(t)",
    ),
    (
        "big integers",
        "a = 3 ** 20000\nb = 7 ** 15000\nt = 0\nfor i in range(60):\n    t = (t + a * b // (b + i)) % (10 ** 50)\nprint(t)",
    ),
    (
        "floating-point numbers",
        "import math\nn = 260\nd = [[math.sin(i * j) for j in range(n)] for i in range(n)]\nt = 0.0\nfor k in range(10):\n    for i in range(1, n):\n        r, p = d[i], d[i - 1]\n        for j in range(1, n):\n            r[j] = 0.5 * r[j] + 0.25 * (p[j] + r[j - 1])\n    t += d[n - 1][n - 1]\nprint('%.9f' % t)",
    ),
];

const ROUNDS: usize = 5;

pub(crate) fn run(guests: &Guests) {
    for (kind, source) in KINDS {
        let program = Program::new(Language::Python, *source);
        let (mut sandboxed, mut processes) = (Vec::new(), Vec::new());
        let mut fuel = Vec::new();
        let mut time_ms = 0.0;
        for _ in 0..ROUNDS {
            let before = thread_cpu_ms();
            let execution = guests.run(&program, b"", &LIMITS).expect("it runs");
            sandboxed.push(thread_cpu_ms() - before);
            assert_eq!(execution.ending, Ending::Exited { code: 0 }, "{kind}");
            fuel.push(execution.fuel_used);
            time_ms = execution.time.as_secs_f64() * 1e3;
            let before = native::children_cpu_ms();
            let output = native::output(&[PYTHON, "-I", "-c", source], b"");
            processes.push(native::children_cpu_ms() - before);
            assert_eq!(execution.stdout, output, "{kind}");
        }
        fuel.dedup();
        assert_eq!(fuel.len(), 1, "{kind}: the same program burns the same fuel");
        let native_ms = percentile(&processes, 0.5);
        println!(
            "  {kind}: {:.1} times the CPU time of the native interpreter; a native millisecond is {:.2} of \
             reference time",
            percentile(&sandboxed, 0.5) / native_ms,
            time_ms / native_ms,
        );
    }
}
