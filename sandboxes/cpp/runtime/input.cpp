// std::cin with a buffer of its own, for programs that read standard input in no other way, or say that they do not
// mix the ways. The library's takes one character at a time from C's standard input.
#include <cstdio>
#include <iostream>
#include <streambuf>

namespace {

constexpr std::size_t putback = 8;
char buffer[putback + (1 << 16)];

class Input : public std::streambuf {
protected:
    int_type underflow() override {
        const std::size_t n = std::fread(buffer + putback, 1, sizeof buffer - putback, stdin);
        setg(buffer, buffer + putback, buffer + putback + n);
        return n == 0 ? traits_type::eof() : traits_type::to_int_type(*gptr());
    }
};

struct Installed {
    Input input;
    // Nobody waits for a question before an answer here, so reading need not write out what was printed before.
    Installed() {
        std::cin.rdbuf(&input);
        std::cin.tie(nullptr);
    }
    // The library looks at its streams once more after this is gone.
    ~Installed() { std::cin.rdbuf(nullptr); }
};

// After the library's own streams, before anything of the program's.
__attribute__((init_priority(101))) Installed installed;

}  // namespace
