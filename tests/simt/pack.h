#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace simt {

/// What a thread of kernel(arguments...) does; the arguments are copied, as cudaLaunchKernel does it.
template <class... Parameters>
std::function<void()> pack(void (*kernel)(Parameters...), void** arguments) {
  return [&]<std::size_t... i>(std::index_sequence<i...>) -> std::function<void()> {
    using Values = std::tuple<std::decay_t<Parameters>...>;
    auto values = std::make_shared<Values>(*static_cast<std::decay_t<Parameters>*>(arguments[i])...);
    return [kernel, values] { std::apply(kernel, *values); };
  }(std::index_sequence_for<Parameters...>{});
}

}  // namespace simt
