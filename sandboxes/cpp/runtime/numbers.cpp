// Reading and writing numbers on streams, for programs that never change a stream's locale.
//
// The library's own goes through the locale for every number and takes thousands of instructions for it. These are
// the same virtual functions of num_get and num_put, by the rules of the classic locale. They are linked before the
// library, and so win.
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ios>
#include <limits>
#include <locale>
#include <streambuf>

namespace gavel {

using Get = std::istreambuf_iterator<char>;
using Put = std::ostreambuf_iterator<char>;
using State = std::ios_base::iostate;

// Both iterators are a pointer to the buffer and nothing else.
static_assert(sizeof(Get) == sizeof(std::streambuf *) && sizeof(Put) == sizeof(std::streambuf *));

// Looks at one character after another; -1 is the end.
class Source {
public:
    explicit Source(Get at) : buffer_(std::bit_cast<std::streambuf *>(at)) { now_ = buffer_ ? buffer_->sgetc() : -1; }
    int now() const { return now_; }
    void next() { now_ = buffer_->snextc(); }
    Get end(State &state) const {
        if (now_ != -1) return std::bit_cast<Get>(buffer_);
        state |= std::ios_base::eofbit;
        return Get();
    }

private:
    std::streambuf *buffer_;
    int now_;
};

static int digit(int c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 16;
}

static int base_of(std::ios_base &stream) {
    switch (stream.flags() & std::ios_base::basefield) {
    case std::ios_base::oct: return 8;
    case std::ios_base::hex: return 16;
    case std::ios_base::fmtflags(): return 0;
    default: return 10;
    }
}

// A sign and a magnitude: what the characters of a whole number say.
struct Whole {
    unsigned long long magnitude = 0;
    bool negative = false;
    bool too_large = false;
    bool found = false;
};

static Whole read_whole(Source &source, int base) {
    Whole whole;
    if (source.now() == '-' || source.now() == '+') {
        whole.negative = source.now() == '-';
        source.next();
    }
    if (source.now() == '0' && (base == 0 || base == 16)) {
        whole.found = true;
        source.next();
        if (source.now() == 'x' || source.now() == 'X') {
            base = 16;
            source.next();
        } else if (base == 0) {
            base = 8;
        }
    }
    if (base == 0) base = 10;
    for (int d; (d = digit(source.now())) < base; source.next()) {
        whole.found = true;
        // A multiplication that looks for its overflow takes a function call here.
        if (whole.magnitude < 1ull << 59) {
            whole.magnitude = whole.magnitude * static_cast<unsigned>(base) + static_cast<unsigned>(d);
        } else if (__builtin_mul_overflow(whole.magnitude, static_cast<unsigned long long>(base), &whole.magnitude) ||
            __builtin_add_overflow(whole.magnitude, static_cast<unsigned long long>(d), &whole.magnitude)) {
            whole.too_large = true;
        }
    }
    return whole;
}

template <class T>
static Get get_whole(Get at, std::ios_base &stream, State &state, T &value) {
    Source source(at);
    const Whole whole = read_whole(source, base_of(stream));
    constexpr T most = std::numeric_limits<T>::max();
    constexpr T least = std::numeric_limits<T>::min();
    if (!whole.found) {
        value = 0;
        state |= std::ios_base::failbit;
    } else if constexpr (least < 0) {
        const bool beyond =
            whole.too_large || whole.magnitude > static_cast<unsigned long long>(most) + (whole.negative ? 1 : 0);
        if (beyond) {
            value = whole.negative ? least : most;
            state |= std::ios_base::failbit;
        } else {
            value = static_cast<T>(whole.negative ? 0 - whole.magnitude : whole.magnitude);
        }
    } else if (whole.too_large || whole.magnitude > most) {
        value = most;
        state |= std::ios_base::failbit;
    } else {
        value = static_cast<T>(whole.negative ? 0 - whole.magnitude : whole.magnitude);
    }
    return source.end(state);
}

static float convert(const char *text, char **end, float) { return std::strtof(text, end); }
static double convert(const char *text, char **end, double) { return std::strtod(text, end); }
static long double convert(const char *text, char **end, long double) { return std::strtold(text, end); }

template <class T>
static Get get_float(Get at, State &state, T &value) {
    constexpr int room = 1100;  // More digits than any value needs to be told from its neighbours.
    char text[room + 8];
    int length = 0;
    Source source(at);
    auto take = [&] {
        if (length < room) text[length++] = static_cast<char>(source.now());
        source.next();
    };
    bool digits = false, point = false, exponent = false;
    if (source.now() == '-' || source.now() == '+') take();
    for (;;) {
        const int c = source.now();
        if (c >= '0' && c <= '9') {
            digits = true;
            take();
        } else if (c == '.' && !point && !exponent) {
            point = true;
            take();
        } else if ((c == 'e' || c == 'E') && digits && !exponent) {
            exponent = true;
            take();
            if (source.now() == '-' || source.now() == '+') take();
        } else {
            break;
        }
    }
    text[length] = 0;
    char *end;
    errno = 0;
    value = convert(text, &end, T());
    if (!digits || *end) {
        value = 0;
        state |= std::ios_base::failbit;
    } else if (errno == ERANGE && (value > 1 || value < -1)) {
        value = value > 0 ? std::numeric_limits<T>::max() : std::numeric_limits<T>::lowest();
        state |= std::ios_base::failbit;
    }
    return source.end(state);
}

static Put put_whole(Put at, std::ios_base &stream, char fill, unsigned long long magnitude, const char *sign) {
    using Ios = std::ios_base;
    auto *buffer = std::bit_cast<std::streambuf *>(at);
    const auto flags = stream.flags();
    const bool upper = flags & Ios::uppercase;
    const auto basefield = flags & Ios::basefield;
    const unsigned base = basefield == Ios::oct ? 8 : basefield == Ios::hex ? 16 : 10;
    char text[32];
    char *const end = text + sizeof text;
    char *first = end;
    for (auto rest = magnitude;;) {
        first--;
        *first = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[rest % base];
        rest /= base;
        if (rest == 0) break;
    }
    if ((flags & Ios::showbase) && base == 8 && *first != '0') *--first = '0';
    char *digits = first;
    if ((flags & Ios::showbase) && base == 16 && magnitude != 0) {
        *--first = upper ? 'X' : 'x';
        *--first = '0';
    }
    if (*sign) *--first = *sign;
    const std::streamsize length = end - first;
    const std::streamsize padding = stream.width() > length ? stream.width() - length : 0;
    stream.width(0);
    if (!buffer) return at;
    auto put = [&](const char *from, const char *to) { return buffer->sputn(from, to - from) == to - from; };
    auto pad = [&] {
        for (std::streamsize i = 0; i < padding; i++) {
            if (buffer->sputc(fill) == -1) return false;
        }
        return true;
    };
    const auto adjust = flags & Ios::adjustfield;
    bool good;
    if (padding == 0) {
        good = put(first, end);
    } else if (adjust == Ios::left) {
        good = put(first, end) && pad();
    } else if (adjust == Ios::internal) {
        if (base == 8) digits = first;
        good = put(first, digits) && pad() && put(digits, end);
    } else {
        good = pad() && put(first, end);
    }
    return good ? at : std::bit_cast<Put>(static_cast<std::streambuf *>(nullptr));
}

template <class T>
static Put put_signed(Put at, std::ios_base &stream, char fill, T value) {
    using Unsigned = std::make_unsigned_t<T>;
    const auto basefield = stream.flags() & std::ios_base::basefield;
    if (basefield == std::ios_base::oct || basefield == std::ios_base::hex) {
        return put_whole(at, stream, fill, static_cast<Unsigned>(value), "");
    }
    const auto bits = static_cast<Unsigned>(value);
    const char *plus = stream.flags() & std::ios_base::showpos ? "+" : "";
    return put_whole(at, stream, fill, value < 0 ? static_cast<Unsigned>(0 - bits) : bits, value < 0 ? "-" : plus);
}

#define GAVEL_GET "_ZNKSt3__27num_getIcNS_19istreambuf_iteratorIcNS_11char_traitsIcEEEEE6do_getES4_S4_RNS_8ios_baseERj"
#define GAVEL_PUT "_ZNKSt3__27num_putIcNS_19ostreambuf_iteratorIcNS_11char_traitsIcEEEEE6do_putES4_RNS_8ios_baseEc"

#define GAVEL_GET_WHOLE(name, type, code)                                                                     \
    Get name(const void *, Get at, Get, std::ios_base &stream, State &state, type &value) __asm__(GAVEL_GET code); \
    Get name(const void *, Get at, Get, std::ios_base &stream, State &state, type &value) {                   \
        return get_whole(at, stream, state, value);                                                           \
    }
#define GAVEL_GET_FLOAT(name, type, code)                                                              \
    Get name(const void *, Get at, Get, std::ios_base &, State &state, type &value) __asm__(GAVEL_GET code); \
    Get name(const void *, Get at, Get, std::ios_base &, State &state, type &value) {                  \
        return get_float(at, state, value);                                                            \
    }
#define GAVEL_PUT_SIGNED(name, type, code)                                                        \
    Put name(const void *, Put at, std::ios_base &stream, char fill, type value) __asm__(GAVEL_PUT code); \
    Put name(const void *, Put at, std::ios_base &stream, char fill, type value) {                \
        return put_signed(at, stream, fill, value);                                               \
    }
#define GAVEL_PUT_UNSIGNED(name, type, code)                                                      \
    Put name(const void *, Put at, std::ios_base &stream, char fill, type value) __asm__(GAVEL_PUT code); \
    Put name(const void *, Put at, std::ios_base &stream, char fill, type value) {                \
        return put_whole(at, stream, fill, value, "");                                            \
    }

GAVEL_GET_WHOLE(get_long, long, "Rl")
GAVEL_GET_WHOLE(get_long_long, long long, "Rx")
GAVEL_GET_WHOLE(get_unsigned_short, unsigned short, "Rt")
GAVEL_GET_WHOLE(get_unsigned, unsigned, "S8_")
GAVEL_GET_WHOLE(get_unsigned_long, unsigned long, "Rm")
GAVEL_GET_WHOLE(get_unsigned_long_long, unsigned long long, "Ry")
GAVEL_GET_FLOAT(get_float, float, "Rf")
GAVEL_GET_FLOAT(get_double, double, "Rd")
GAVEL_GET_FLOAT(get_long_double, long double, "Re")
GAVEL_PUT_SIGNED(put_long, long, "l")
GAVEL_PUT_SIGNED(put_long_long, long long, "x")
GAVEL_PUT_UNSIGNED(put_unsigned_long, unsigned long, "m")
GAVEL_PUT_UNSIGNED(put_unsigned_long_long, unsigned long long, "y")

// A stream hands out its locale for every number. All streams of such a program have the one that is never destroyed,
// so nobody has to count who holds it.
struct Handle {
    void *locale;
};
static_assert(sizeof(Handle) == sizeof(std::locale));

Handle *copy(Handle *self, const Handle *other) __asm__("_ZNSt3__26localeC1ERKS0_");
Handle *copy_base(Handle *self, const Handle *other) __asm__("_ZNSt3__26localeC2ERKS0_");
Handle *destroy(Handle *self) __asm__("_ZNSt3__26localeD1Ev");
Handle *destroy_base(Handle *self) __asm__("_ZNSt3__26localeD2Ev");

Handle *copy(Handle *self, const Handle *other) {
    self->locale = other->locale;
    return self;
}
Handle *copy_base(Handle *self, const Handle *other) { return copy(self, other); }
Handle *destroy(Handle *self) { return self; }
Handle *destroy_base(Handle *self) { return self; }

// The parts of the one locale, remembered from the first time that each was looked up.
const void *look_up(const void *locale, long number) __asm__("_ZNKSt3__26locale5__imp9use_facetEl");
long number_of(void *id) __asm__("_ZNSt3__26locale2id5__getEv");
const void *use_facet(const Handle *self, void *id) __asm__("_ZNKSt3__26locale9use_facetERNS0_2idE");

const void *use_facet(const Handle *self, void *id) {
    struct Known {
        const void *locale, *id, *facet;
    };
    static Known known[16];
    Known &entry = known[reinterpret_cast<std::uintptr_t>(id) / 8 % 16];
    if (entry.id != id || entry.locale != self->locale) {
        entry = {self->locale, id, look_up(self->locale, number_of(id))};
    }
    return entry.facet;
}

}  // namespace gavel
