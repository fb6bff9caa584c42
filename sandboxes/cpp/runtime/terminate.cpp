// How a program ends that cannot go on: an exception that nobody caught, abort(), a pure virtual call.
//
// What is said on standard error has the words of GCC's library, because that is what people search for.
#include "exceptions.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <unistd.h>

namespace {

std::terminate_handler terminate_handler;

// Standard error has no buffer, so a message is one write.
void say(const char *text) { write(2, text, std::strlen(text)); }

// Names of types as people write them, for the shapes that thrown types usually have; any other as it is mangled.
class Name {
public:
    explicit Name(const char *mangled) : at_(mangled) {
        if (!type() || *at_) {
            length_ = 0;
            put(mangled, std::strlen(mangled));
        }
        text_[length_] = 0;
    }
    const char *text() const { return text_; }

private:
    static constexpr std::size_t capacity = 256;
    const char *at_;
    char text_[capacity + 1];
    std::size_t length_ = 0;

    void put(const char *text, std::size_t length) {
        if (length > capacity - length_) length = capacity - length_;
        std::memcpy(text_ + length_, text, length);
        length_ += length;
    }
    void put(const char *text) { put(text, std::strlen(text)); }

    bool type() {
        static const struct { char code; const char *name; } builtin[] = {
            {'i', "int"}, {'j', "unsigned int"}, {'l', "long"}, {'m', "unsigned long"}, {'x', "long long"},
            {'y', "unsigned long long"}, {'c', "char"}, {'a', "signed char"}, {'h', "unsigned char"},
            {'s', "short"}, {'t', "unsigned short"}, {'b', "bool"}, {'f', "float"}, {'d', "double"},
            {'e', "long double"}, {'w', "wchar_t"}, {'v', "void"},
        };
        if (*at_ == 'P') {
            at_++;
            const bool constant = *at_ == 'K';
            if (constant) at_++;
            if (!type()) return false;
            put(constant ? " const*" : "*");
            return true;
        }
        static const char string[] =
            "NSt3__212basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEEE";
        if (std::strncmp(at_, string, sizeof string - 1) == 0) {
            at_ += sizeof string - 1;
            put("std::string");
            return true;
        }
        for (const auto &b : builtin) {
            if (*at_ != b.code) continue;
            at_++;
            put(b.name);
            return true;
        }
        if (*at_ != 'N') return component();
        at_++;
        for (bool first = true; *at_ != 'E'; first = false) {
            if (!first) put("::");
            if (!component()) return false;
        }
        at_++;
        return true;
    }

    // One name: `St` stands for std and an inline namespace of the library is left out.
    bool component() {
        if (std::strncmp(at_, "St3__2", 6) == 0) {
            at_ += 6;
            put("std");
            return true;
        }
        if (std::strncmp(at_, "St", 2) == 0) {
            at_ += 2;
            put("std::");
        }
        if (*at_ < '1' || *at_ > '9') return false;
        char *end;
        const std::size_t length = std::strtoul(at_, &end, 10);
        if (std::strlen(end) < length) return false;
        if (length == 12 && std::strncmp(end, "_GLOBAL__N_1", 12) == 0) {
            put("(anonymous namespace)");
        } else {
            put(end, length);
        }
        at_ = end + length;
        return true;
    }
};

void describe(gavel::Throw *thrown) {
    const std::type_info *type = thrown->object->type;
    say("terminate called after throwing an instance of '");
    say(Name(type->name()).text());
    say("'\n");
    void *where = thrown->object->value();
    if (!gavel::catches(&typeid(std::exception), type, where)) return;
    say("  what():  ");
    say(static_cast<std::exception *>(where)->what());
    say("\n");
}

[[noreturn]] void default_terminate() {
    // On its way through a function that promised to throw nothing, or in a handler.
    if (gavel::Throw *thrown = gavel::in_flight() ? gavel::in_flight() : gavel::handled()) {
        describe(thrown);
    } else {
        say("terminate called without an active exception\n");
    }
    std::abort();
}

}  // namespace

namespace std {

terminate_handler set_terminate(terminate_handler handler) noexcept {
    terminate_handler old = get_terminate();
    ::terminate_handler = handler;
    return old;
}

terminate_handler get_terminate() noexcept { return ::terminate_handler ? ::terminate_handler : default_terminate; }

[[noreturn]] void terminate() noexcept {
    get_terminate()();
    say("terminate handler unexpectedly returned\n");
    abort();
}

}  // namespace std

extern "C" {

[[noreturn]] void __cxa_pure_virtual() {
    say("pure virtual method called\n");
    std::terminate();
}

[[noreturn]] void __cxa_deleted_virtual() {
    say("deleted virtual method called\n");
    std::terminate();
}

}  // extern "C"
