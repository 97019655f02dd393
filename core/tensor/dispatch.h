#pragma once
// Internal: from a DType to the C++ type of its elements. Every switch over dtypes that picks code is one of these, so a
// new DType does not compile until each says what it is, and one that an operation has no code for is an error.

#include <cstddef>
#include <cstdint>

#include <luge/tensor/dtype.h>

namespace luge {

/// Throws DTypeError: core has let a dtype through that no kernel has code for.
[[noreturn, gnu::cold]] void refuse_element_type(DType dtype);
[[noreturn, gnu::cold]] void refuse_element_size(std::size_t bytes);

/// Calls f.template operator()<T>() with the C++ type of a dtype's elements; returns what it returns.
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::Bool: return f.template operator()<bool>();
    case DType::Int32: return f.template operator()<std::int32_t>();
    case DType::Int64: return f.template operator()<std::int64_t>();
    case DType::Float32: return f.template operator()<float>();
    case DType::Float64: return f.template operator()<double>();
    case DType::Float16:
    case DType::BFloat16: break;
  }
  refuse_element_type(dtype);
}

/// The same for floating dtypes alone.
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_floating(DType dtype, F&& f) {
  switch (dtype) {
    case DType::Float32: return f.template operator()<float>();
    case DType::Float64: return f.template operator()<double>();
    case DType::Bool:
    case DType::Int32:
    case DType::Int64:
    case DType::Float16:
    case DType::BFloat16: break;
  }
  refuse_element_type(dtype);
}

/// The same for what is not floating.
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_integral_or_bool(DType dtype, F&& f) {
  switch (dtype) {
    case DType::Bool: return f.template operator()<bool>();
    case DType::Int32: return f.template operator()<std::int32_t>();
    case DType::Int64: return f.template operator()<std::int64_t>();
    case DType::Float16:
    case DType::BFloat16:
    case DType::Float32:
    case DType::Float64: break;
  }
  refuse_element_type(dtype);
}

/// The unsigned integer of `bytes` bytes, the size of an element: for code that moves elements without looking at them.
/// No element has two bytes yet.
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_word(std::size_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f.template operator()<std::uint8_t>();
    case 4: return f.template operator()<std::uint32_t>();
    case 8: return f.template operator()<std::uint64_t>();
    default: refuse_element_size(bytes);
  }
}

}  // namespace luge
