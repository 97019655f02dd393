#pragma once
// LUGE_ASAN, LUGE_TSAN: whether this is compiled for AddressSanitizer or ThreadSanitizer. GCC says so by macros, clang
// by features.

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LUGE_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define LUGE_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define LUGE_ASAN
#endif
#if defined(__SANITIZE_THREAD__)
#define LUGE_TSAN
#endif
