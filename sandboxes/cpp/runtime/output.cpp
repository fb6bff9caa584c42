// std::cout with a buffer of its own, for programs that write standard output in no other way, or say that they do
// not mix the ways. The library's hands every piece to C's standard output.
#include <cstdio>
#include <cstring>
#include <iostream>
#include <streambuf>

namespace {

char buffer[1 << 15];

class Output : public std::streambuf {
public:
    Output() { setp(buffer, buffer + sizeof buffer); }
    bool write_out() {
        const std::size_t n = static_cast<std::size_t>(pptr() - pbase());
        const bool good = n == 0 || std::fwrite(pbase(), 1, n, stdout) == n;
        setp(buffer, buffer + sizeof buffer);
        return good;
    }

protected:
    int_type overflow(int_type c) override {
        if (!write_out()) return traits_type::eof();
        if (c != traits_type::eof()) sputc(traits_type::to_char_type(c));
        return traits_type::not_eof(c);
    }
    std::streamsize xsputn(const char *text, std::streamsize n) override {
        if (n > epptr() - pptr() && !write_out()) return 0;
        if (n > epptr() - pptr()) return static_cast<std::streamsize>(std::fwrite(text, 1, static_cast<std::size_t>(n), stdout));
        std::memcpy(pptr(), text, static_cast<std::size_t>(n));
        pbump(static_cast<int>(n));
        return n;
    }
    int sync() override {
        if (pptr() == pbase()) return 0;
        return write_out() && std::fflush(stdout) == 0 ? 0 : -1;
    }
};

struct Installed {
    Output output;
    Installed() { std::cout.rdbuf(&output); }
    // The library looks at its streams once more after this is gone.
    ~Installed() {
        output.write_out();
        std::cout.rdbuf(nullptr);
    }
};

// After the library's own streams, before anything of the program's.
__attribute__((init_priority(101))) Installed installed;

}  // namespace
