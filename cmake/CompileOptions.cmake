# Options of luge's own translation units: the library, the program, tests, examples, benchmarks.

add_library(luge_compile_options INTERFACE)
set(LUGE_HOST_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
if(LUGE_WERROR)
  list(APPEND LUGE_HOST_WARNINGS -Werror)
endif()
# Contraction off: a formula that wants a fused multiply-add says fma, so that fusing kernels cannot
# change bits.
target_compile_options(luge_compile_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:${LUGE_HOST_WARNINGS};-ffp-contract=off>)

if(LUGE_SANITIZE)
  target_compile_options(luge_compile_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${LUGE_SANITIZE};-fno-sanitize-recover=all;-fno-omit-frame-pointer>)
  target_link_options(luge_compile_options INTERFACE -fsanitize=${LUGE_SANITIZE})
endif()
