// What the parts of our C++ runtime share: the record of a thrown exception.
//
// The names are those that the compiler emits calls to (Itanium C++ ABI, chapter 2) and those that WebAssembly's
// exception handling adds. One thread is all there is, so nothing here is atomic or thread-local.
#pragma once

#include <cstddef>
#include <typeinfo>

namespace gavel {

struct Throw;

// What stands before a thrown object in memory. It lives as long as any throw of it or any exception_ptr to it.
struct alignas(16) Object {
    const std::type_info *type;
    void *(*destroy)(void *);
    std::size_t references;
    bool from_reserve;

    void *value() { return this + 1; }
    static Object *of(void *value) { return static_cast<Object *>(value) - 1; }
};

// One journey of an object up the stack: `throw` makes one, and so does std::rethrow_exception. A pointer to it is
// what the WebAssembly exception carries.
struct Throw {
    Object *object;
    // Where the handler that was found sees the object: at one of its base classes, perhaps.
    void *adjusted;
    // The handlers that are running for it. Negative after `throw;` until the handler that said so is left.
    int handlers;
    // The next older one that is being handled.
    Throw *older;
};

Object *allocate(std::size_t size) noexcept;
void retain(Object *object) noexcept;
void release(Object *object) noexcept;
// Starts an object's journey.
[[noreturn]] void raise(Object *object);
// The one handled last, or null.
Throw *handled() noexcept;
// The one thrown last, if no handler has it yet, or null.
Throw *in_flight() noexcept;
int uncaught() noexcept;
// Whether a handler for `wanted` takes an object of type `thrown`, and where it sees it.
bool catches(const std::type_info *wanted, const std::type_info *thrown, void *&where) noexcept;

}  // namespace gavel
