// Throwing and catching C++ exceptions on WebAssembly's exception instructions.
//
// The compiler turns `throw` into a call of __cxa_throw, and each group of handlers into a call of
// _Unwind_CallPersonality, which looks up in the function's table which of the handlers takes the exception.
// Unwinding itself is the machine's: there is nothing here that walks a stack.
#include "exceptions.h"

#include <cstdint>
#include <cstdlib>
#include <exception>

// The one tag that C++ exceptions are thrown with; the compiler refers to it by this name.
__asm__(".tagtype __cpp_exception i32\n"
        ".globl __cpp_exception\n"
        "__cpp_exception:\n");

namespace {

gavel::Throw *newest_handled;
gavel::Throw *newest_in_flight;
int n_uncaught;

// Kept back so that std::bad_alloc can be thrown when there is no memory left.
constexpr std::size_t reserve_slots = 16;
constexpr std::size_t reserve_slot_bytes = 256;
alignas(16) char reserve[reserve_slots][reserve_slot_bytes];
bool reserve_taken[reserve_slots];

void *allocate_bytes(std::size_t size, bool &from_reserve) {
    from_reserve = false;
    if (void *memory = std::malloc(size)) return memory;
    for (std::size_t i = 0; i < reserve_slots; i++) {
        if (reserve_taken[i] || size > reserve_slot_bytes) continue;
        reserve_taken[i] = true;
        from_reserve = true;
        return reserve[i];
    }
    std::terminate();
}

void free_bytes(void *memory) {
    char *const first = reserve[0];
    char *const bytes = static_cast<char *>(memory);
    if (bytes >= first && bytes < first + sizeof reserve) {
        reserve_taken[(bytes - first) / reserve_slot_bytes] = false;
    } else {
        std::free(memory);
    }
}

// The tables of functions with handlers, in the format of GCC's LSDA.
struct Reader {
    const std::uint8_t *at;

    std::uintptr_t unsigned_leb() {
        std::uintptr_t value = 0;
        for (unsigned shift = 0;; shift += 7) {
            const std::uint8_t byte = *at++;
            value |= static_cast<std::uintptr_t>(byte & 0x7f) << shift;
            if (!(byte & 0x80)) return value;
        }
    }

    std::intptr_t signed_leb() {
        std::uintptr_t value = 0;
        for (unsigned shift = 0;;) {
            const std::uint8_t byte = *at++;
            value |= static_cast<std::uintptr_t>(byte & 0x7f) << shift;
            shift += 7;
            if (byte & 0x80) continue;
            if ((byte & 0x40) && shift < 8 * sizeof value) value |= ~std::uintptr_t{0} << shift;
            return static_cast<std::intptr_t>(value);
        }
    }
};

constexpr std::uint8_t encoding_omitted = 0xff;

}  // namespace

namespace gavel {

// The shape of libc++abi's own type descriptors, whose fifth virtual function decides what a handler takes. The
// library does not export the class, so its order of virtual functions is written down again here.
struct Descriptor : std::type_info {
    virtual void unused_1() const = 0;
    virtual void unused_2() const = 0;
    virtual bool can_catch(const Descriptor *thrown, void *&where) const = 0;
};

bool catches(const std::type_info *wanted, const std::type_info *thrown, void *&where) noexcept {
    return static_cast<const Descriptor *>(wanted)->can_catch(static_cast<const Descriptor *>(thrown), where);
}

Object *allocate(std::size_t size) noexcept {
    if (size > SIZE_MAX - sizeof(Object)) std::terminate();
    bool from_reserve;
    void *memory = allocate_bytes(size + sizeof(Object), from_reserve);
    return new (memory) Object{nullptr, nullptr, 0, from_reserve};
}

void retain(Object *object) noexcept { object->references++; }

void release(Object *object) noexcept {
    if (--object->references > 0) return;
    if (object->destroy) object->destroy(object->value());
    free_bytes(object);
}

void raise(Object *object) {
    bool from_reserve;
    void *memory = allocate_bytes(sizeof(Throw), from_reserve);
    auto *thrown = new (memory) Throw{object, object->value(), 0, nullptr};
    retain(object);
    n_uncaught++;
    newest_in_flight = thrown;
    __builtin_wasm_throw(0, thrown);
}

Throw *handled() noexcept { return newest_handled; }

Throw *in_flight() noexcept { return newest_in_flight; }

int uncaught() noexcept { return n_uncaught; }

}  // namespace gavel

using gavel::Object;
using gavel::Throw;

extern "C" {

// Where the compiler leaves the place of a group of handlers and finds which of them it is.
struct {
    std::uintptr_t landing_pad;
    const std::uint8_t *table;
    std::uintptr_t selector;
} __wasm_lpad_context;

// Sets the selector to the number of the first handler that takes the exception, or to zero if none does.
int _Unwind_CallPersonality(void *exception) {
    auto *thrown = static_cast<Throw *>(exception);
    auto &context = __wasm_lpad_context;
    context.selector = 0;
    if (!context.table) return 0;

    Reader reader{context.table};
    // Landing pads are numbered, so their base is never written.
    if (*reader.at++ != encoding_omitted) reader.at += sizeof(std::uintptr_t);
    const std::uint8_t type_encoding = *reader.at++;
    const std::uint8_t *types = nullptr;
    if (type_encoding != encoding_omitted) {
        const std::uintptr_t offset = reader.unsigned_leb();
        types = reader.at + offset;
    }
    reader.at++;  // How numbers in the list of landing pads are written: always as LEB128.
    const std::uintptr_t list_bytes = reader.unsigned_leb();
    const std::uint8_t *const actions = reader.at + list_bytes;
    std::uintptr_t action = 0;
    for (std::uintptr_t i = 0; reader.at < actions; i++) {
        reader.unsigned_leb();  // The landing pad's own number, which is its place in the list.
        action = reader.unsigned_leb();
        if (i == context.landing_pad) break;
        action = 0;
    }
    if (action == 0) return 0;

    reader.at = actions + (action - 1);
    for (;;) {
        const std::intptr_t index = reader.signed_leb();
        if (index > 0) {
            const std::type_info *wanted;
            __builtin_memcpy(&wanted, types - static_cast<std::uintptr_t>(index) * sizeof wanted, sizeof wanted);
            void *where = thrown->object->value();
            if (!wanted || gavel::catches(wanted, thrown->object->type, where)) {
                thrown->adjusted = where;
                context.selector = static_cast<std::uintptr_t>(index);
                return 0;
            }
        }
        const std::uint8_t *const here = reader.at;
        const std::intptr_t next = reader.signed_leb();
        if (next == 0) return 0;
        reader.at = here + next;
    }
}

// Only its address is taken, as the mark of a function with C++ handlers.
int __gxx_wasm_personality_v0() { return 0; }

void *__cxa_allocate_exception(std::size_t size) noexcept { return gavel::allocate(size)->value(); }

void __cxa_free_exception(void *value) noexcept { free_bytes(Object::of(value)); }

__cxxabiv1::__cxa_exception *
__cxa_init_primary_exception(void *value, std::type_info *type, void *(*destroy)(void *)) noexcept {
    Object *object = Object::of(value);
    object->type = type;
    object->destroy = destroy;
    return reinterpret_cast<__cxxabiv1::__cxa_exception *>(object);
}

[[noreturn]] void __cxa_throw(void *value, std::type_info *type, void *(*destroy)(void *)) {
    __cxa_init_primary_exception(value, type, destroy);
    gavel::raise(Object::of(value));
}

void *__cxa_get_exception_ptr(void *exception) noexcept { return static_cast<Throw *>(exception)->adjusted; }

void *__cxa_begin_catch(void *exception) noexcept {
    auto *thrown = static_cast<Throw *>(exception);
    thrown->handlers = thrown->handlers < 0 ? 1 - thrown->handlers : thrown->handlers + 1;
    if (thrown != newest_handled) {
        thrown->older = newest_handled;
        newest_handled = thrown;
    }
    n_uncaught--;
    if (thrown == newest_in_flight) newest_in_flight = nullptr;
    return thrown->adjusted;
}

void __cxa_end_catch() {
    Throw *thrown = newest_handled;
    if (!thrown) return;
    if (thrown->handlers < 0) {
        // It is on its way again; only this handler is done with it.
        if (++thrown->handlers == 0) newest_handled = thrown->older;
        return;
    }
    if (--thrown->handlers > 0) return;
    newest_handled = thrown->older;
    Object *object = thrown->object;
    free_bytes(thrown);
    gavel::release(object);
}

[[noreturn]] void __cxa_rethrow() {
    Throw *thrown = newest_handled;
    if (!thrown) std::terminate();
    thrown->handlers = -thrown->handlers;
    n_uncaught++;
    newest_in_flight = thrown;
    __builtin_wasm_throw(0, thrown);
}

std::type_info *__cxa_current_exception_type() {
    return newest_handled ? const_cast<std::type_info *>(newest_handled->object->type) : nullptr;
}

bool __cxa_uncaught_exception() noexcept { return n_uncaught > 0; }

unsigned __cxa_uncaught_exceptions() noexcept { return static_cast<unsigned>(n_uncaught); }

void __cxa_increment_exception_refcount(void *value) noexcept {
    if (value) gavel::retain(Object::of(value));
}

void __cxa_decrement_exception_refcount(void *value) noexcept {
    if (value) gavel::release(Object::of(value));
}

void *__cxa_current_primary_exception() noexcept {
    if (!newest_handled) return nullptr;
    gavel::retain(newest_handled->object);
    return newest_handled->object->value();
}

void __cxa_rethrow_primary_exception(void *value) {
    if (value) gavel::raise(Object::of(value));
}

}  // extern "C"
