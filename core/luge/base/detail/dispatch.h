#pragma once
// Internal: from a DType to the C++ type of its elements. Every switch over dtypes that picks code is one of these, so a
// new DType does not compile until each says what it is, and one that an operation has no code for is an error.

#include <cstddef>
#include <cstdint>
#include <limits>

#include <luge/math/half.h>
#include <luge/base/dtype.h>

namespace luge {

/// Throws DTypeError: core has let a dtype through that no kernel has code for.
[[noreturn, gnu::cold]] void refuse_element_type(DType dtype);
[[noreturn, gnu::cold]] void refuse_element_size(std::size_t bytes);

/// Calls f.template operator()<T>() with the C++ type of a dtype that arithmetic is done in; returns what it returns.
/// The seam has converted all others (widen.h).
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::Bool: return f.template operator()<bool>();
    case DType::Int32: return f.template operator()<std::int32_t>();
    case DType::Int64: return f.template operator()<std::int64_t>();
    case DType::Float32: return f.template operator()<float>();
    case DType::Float64: return f.template operator()<double>();
    case DType::UInt8:
    case DType::Int8:
    case DType::Int16:
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
    case DType::UInt8:
    case DType::Int8:
    case DType::Int16:
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
    case DType::UInt8:
    case DType::Int8:
    case DType::Int16:
    case DType::Float16:
    case DType::BFloat16:
    case DType::Float32:
    case DType::Float64: break;
  }
  refuse_element_type(dtype);
}

/// The same for what memory can hold: for copies, which convert.
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_element(DType dtype, F&& f) {
  switch (dtype) {
    case DType::Bool: return f.template operator()<bool>();
    case DType::UInt8: return f.template operator()<std::uint8_t>();
    case DType::Int8: return f.template operator()<std::int8_t>();
    case DType::Int16: return f.template operator()<std::int16_t>();
    case DType::Int32: return f.template operator()<std::int32_t>();
    case DType::Int64: return f.template operator()<std::int64_t>();
    case DType::Float16: return f.template operator()<math::Float16>();
    case DType::BFloat16: return f.template operator()<math::BFloat16>();
    case DType::Float32: return f.template operator()<float>();
    case DType::Float64: return f.template operator()<double>();
  }
  refuse_element_type(dtype);
}

/// NaN as an element; 0 for types that have none.
template <class T>
T quiet_nan() {
  if constexpr (math::kIsHalf<T>)
    return math::to_half<T>(std::numeric_limits<float>::quiet_NaN());
  else
    return std::numeric_limits<T>::quiet_NaN();
}

template <>
constexpr DType dtype_of<math::Float16>() { return DType::Float16; }
template <>
constexpr DType dtype_of<math::BFloat16>() { return DType::BFloat16; }

/// The unsigned integer of `bytes` bytes, the size of an element: for code that moves elements without looking at them.
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_word(std::size_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f.template operator()<std::uint8_t>();
    case 2: return f.template operator()<std::uint16_t>();
    case 4: return f.template operator()<std::uint32_t>();
    case 8: return f.template operator()<std::uint64_t>();
    default: refuse_element_size(bytes);
  }
}

}  // namespace luge
