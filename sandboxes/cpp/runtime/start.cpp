// Where a C++ program begins. What leaves main or the construction of a global as an exception is reported here.
#include <cstdlib>
#include <exception>

extern "C" {

void __wasm_call_ctors();
// main, whatever its parameters are.
int __main_void();

__attribute__((export_name("_start"))) void _start() {
    int code = 0;
    try {
        __wasm_call_ctors();
        code = __main_void();
    } catch (...) {
        std::terminate();
    }
    std::exit(code);
}

}  // extern "C"
