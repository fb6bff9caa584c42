// What the package's C++ library cannot do because it was built without exceptions.
//
// Its compiled part ends the program where the standard wants a throw. The functions it calls for that stand in it
// under names with the compiler's mark for "no exceptions"; here are functions of these names that throw. They are
// linked before the library, and so win.
#include "exceptions.h"

#include <cstdlib>
#include <exception>
#include <future>
#include <ios>
#include <new>
#include <stdexcept>
#include <system_error>
#include <typeinfo>

namespace gavel {

[[noreturn]] void throw_length_error(const char *) __asm__("_ZNSt3__220__throw_length_errorB9nqn220100EPKc");
[[noreturn]] void throw_out_of_range(const char *) __asm__("_ZNSt3__220__throw_out_of_rangeB9nqn220100EPKc");
[[noreturn]] void throw_invalid_argument(const char *)
    __asm__("_ZNSt3__224__throw_invalid_argumentB9nqn220100EPKc");
[[noreturn]] void throw_overflow_error(const char *)
    __asm__("_ZNSt3__222__throw_overflow_errorB9nqn220100EPKc");
[[noreturn]] void throw_failure(const char *) __asm__("_ZNSt3__215__throw_failureB9nqn220100EPKc");
[[noreturn]] void throw_bad_cast() __asm__("_ZNSt3__216__throw_bad_castB9nqn220100Ev");
[[noreturn]] void throw_future_error(std::future_errc)
    __asm__("_ZNSt3__220__throw_future_errorB9nqn220100ENS_11future_errcE");
[[noreturn]] void throw_bad_array_new_length() __asm__("_ZSt28__throw_bad_array_new_lengthB9nqn220100v");

void throw_length_error(const char *what) { throw std::length_error(what); }
void throw_out_of_range(const char *what) { throw std::out_of_range(what); }
void throw_invalid_argument(const char *what) { throw std::invalid_argument(what); }
void throw_overflow_error(const char *what) { throw std::overflow_error(what); }
void throw_failure(const char *what) { throw std::ios_base::failure(what); }
void throw_bad_cast() { throw std::bad_cast(); }
void throw_future_error(std::future_errc code) { throw std::future_error(code); }
void throw_bad_array_new_length() { throw std::bad_array_new_length(); }

}  // namespace gavel

namespace {

// Memory, or null when even the program's own handler finds none.
void *obtain(std::size_t size) {
    for (;;) {
        if (void *memory = std::malloc(size ? size : 1)) return memory;
        std::new_handler handler = std::get_new_handler();
        if (!handler) return nullptr;
        handler();
    }
}

void *obtain(std::size_t size, std::align_val_t alignment) {
    const std::size_t to = static_cast<std::size_t>(alignment);
    for (;;) {
        if (void *memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
        std::new_handler handler = std::get_new_handler();
        if (!handler) return nullptr;
        handler();
    }
}

}  // namespace

_LIBCPP_BEGIN_NAMESPACE_STD

[[noreturn]] void __throw_system_error(int code, const char *what) {
    throw system_error(error_code(code, generic_category()), what);
}

[[noreturn]] void __throw_runtime_error(const char *what) { throw runtime_error(what); }

_LIBCPP_END_NAMESPACE_STD

namespace std {

[[noreturn]] void __throw_bad_alloc() { throw bad_alloc(); }

int uncaught_exceptions() noexcept { return gavel::uncaught(); }

exception_ptr::exception_ptr(const exception_ptr &other) noexcept : __ptr_(other.__ptr_) {
    if (__ptr_) gavel::retain(gavel::Object::of(__ptr_));
}

exception_ptr &exception_ptr::operator=(const exception_ptr &other) noexcept {
    exception_ptr copy(other);
    swap(copy, *this);
    return *this;
}

exception_ptr::~exception_ptr() noexcept {
    if (__ptr_) gavel::release(gavel::Object::of(__ptr_));
}

exception_ptr exception_ptr::__from_native_exception_pointer(void *value) noexcept {
    exception_ptr pointer;
    pointer.__ptr_ = value;
    if (value) gavel::retain(gavel::Object::of(value));
    return pointer;
}

exception_ptr current_exception() noexcept {
    exception_ptr pointer;
    if (gavel::Throw *thrown = gavel::handled()) {
        pointer.__ptr_ = thrown->object->value();
        gavel::retain(thrown->object);
    }
    return pointer;
}

[[noreturn]] void rethrow_exception(exception_ptr pointer) {
    if (!pointer.__ptr_) terminate();
    gavel::raise(gavel::Object::of(pointer.__ptr_));
}

nested_exception::nested_exception() noexcept : __ptr_(current_exception()) {}

nested_exception::~nested_exception() noexcept {}

[[noreturn]] void nested_exception::rethrow_nested() const {
    if (!__ptr_) terminate();
    rethrow_exception(__ptr_);
}

}  // namespace std

// Weak, because a program may have its own.
#define GAVEL_WEAK __attribute__((weak))

GAVEL_WEAK void *operator new(std::size_t size) {
    void *memory = obtain(size);
    if (!memory) throw std::bad_alloc();
    return memory;
}
GAVEL_WEAK void *operator new(std::size_t size, std::align_val_t alignment) {
    void *memory = obtain(size, alignment);
    if (!memory) throw std::bad_alloc();
    return memory;
}
GAVEL_WEAK void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
    try {
        return operator new(size);
    } catch (...) {
        return nullptr;
    }
}
GAVEL_WEAK void *operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept {
    try {
        return operator new(size, alignment);
    } catch (...) {
        return nullptr;
    }
}
GAVEL_WEAK void *operator new[](std::size_t size) { return operator new(size); }
GAVEL_WEAK void *operator new[](std::size_t size, std::align_val_t alignment) { return operator new(size, alignment); }
GAVEL_WEAK void *operator new[](std::size_t size, const std::nothrow_t &) noexcept {
    return operator new(size, std::nothrow);
}
GAVEL_WEAK void *operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept {
    return operator new(size, alignment, std::nothrow);
}

extern "C" {

[[noreturn]] void __cxa_bad_cast() { throw std::bad_cast(); }
[[noreturn]] void __cxa_bad_typeid() { throw std::bad_typeid(); }
[[noreturn]] void __cxa_throw_bad_array_new_length() { throw std::bad_array_new_length(); }

}  // extern "C"
