#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace luge {

/// Element types. Arithmetic is done in int32, int64, float32 and float64 (and logic in bool); the others are what
/// memory holds, and are converted on the way (arithmetic_dtype).
enum class DType : std::uint8_t { Bool, UInt8, Int8, Int16, Int32, Int64, Float16, BFloat16, Float32, Float64 };

inline constexpr int kDTypeCount = 10;

/// The names PyTorch and NumPy users know.
inline constexpr DType boolean = DType::Bool;
inline constexpr DType uint8 = DType::UInt8;
inline constexpr DType int8 = DType::Int8;
inline constexpr DType int16 = DType::Int16;
inline constexpr DType int32 = DType::Int32;
inline constexpr DType int64 = DType::Int64;
inline constexpr DType float16 = DType::Float16;
inline constexpr DType bfloat16 = DType::BFloat16;
inline constexpr DType float32 = DType::Float32;
inline constexpr DType float64 = DType::Float64;

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::Bool:
    case DType::UInt8:
    case DType::Int8: return 1;
    case DType::Int16:
    case DType::Float16:
    case DType::BFloat16: return 2;
    case DType::Int32:
    case DType::Float32: return 4;
    case DType::Int64:
    case DType::Float64: return 8;
  }
  return 0;
}

constexpr bool is_floating(DType dtype) { return dtype >= DType::Float16; }
constexpr bool is_integral(DType dtype) { return dtype >= DType::UInt8 && dtype <= DType::Int64; }
/// Whether labels and indices may have it.
constexpr bool is_index(DType dtype) { return dtype == DType::Int32 || dtype == DType::Int64; }

/// The type that arithmetic with elements of `dtype` is done in: float32 for halves, int32 for narrower integers.
constexpr DType arithmetic_dtype(DType dtype) {
  switch (dtype) {
    case DType::UInt8:
    case DType::Int8:
    case DType::Int16: return DType::Int32;
    case DType::Float16:
    case DType::BFloat16: return DType::Float32;
    case DType::Bool:
    case DType::Int32:
    case DType::Int64:
    case DType::Float32:
    case DType::Float64: break;
  }
  return dtype;
}
/// Whether only memory holds it: no kernel computes with it, copies convert it.
constexpr bool is_storage_only(DType dtype) { return arithmetic_dtype(dtype) != dtype; }

/// Whether a copy converts in one step. Wider types reach a half from where one rounding does it.
constexpr bool converts_at_once(DType from, DType to) {
  if (from == to || (!is_storage_only(from) && !is_storage_only(to))) return true;
  if (arithmetic_dtype(from) == to || from == arithmetic_dtype(to)) return true;
  return is_floating(to) && is_storage_only(to) && (from == DType::Float64 || from == DType::Int64);
}

/// "float32", "int64", "bool", ...
constexpr std::string_view name(DType dtype) {
  switch (dtype) {
    case DType::Bool: return "bool";
    case DType::UInt8: return "uint8";
    case DType::Int8: return "int8";
    case DType::Int16: return "int16";
    case DType::Int32: return "int32";
    case DType::Int64: return "int64";
    case DType::Float16: return "float16";
    case DType::BFloat16: return "bfloat16";
    case DType::Float32: return "float32";
    case DType::Float64: return "float64";
  }
  return "?";
}

/// The smallest type both operands convert to: the order is bool < uint8, int8 < int16 < int32 < int64 < float16,
/// bfloat16 < float32 < float64; uint8 with int8 gives int16, and float16 with bfloat16 float32. As in PyTorch, an
/// integer joined with a floating type takes that floating type.
constexpr DType promote(DType a, DType b) {
  if (a == b) return a;
  const DType high = a > b ? a : b;
  const DType low = a > b ? b : a;
  if (low == DType::UInt8 && high == DType::Int8) return DType::Int16;
  if (low == DType::Float16 && high == DType::BFloat16) return DType::Float32;
  return high;
}

/// The kinds that promotion goes by: 0 bool, 1 integers, 2 floating types.
constexpr int kind_of(DType dtype) { return dtype == DType::Bool ? 0 : is_integral(dtype) ? 1 : 2; }

/// The type of a tensor joined with a weak one, which has no dimensions: the tensor's own, unless the weak one is
/// of a higher kind. As in PyTorch.
constexpr DType promote_weak(DType tensor, DType weak) {
  return kind_of(weak) > kind_of(tensor) ? weak : tensor;
}

/// The DType of a C++ element type: dtype_of<float>() is Float32.
template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<bool>() { return DType::Bool; }
template <>
constexpr DType dtype_of<std::uint8_t>() { return DType::UInt8; }
template <>
constexpr DType dtype_of<std::int8_t>() { return DType::Int8; }
template <>
constexpr DType dtype_of<std::int16_t>() { return DType::Int16; }
template <>
constexpr DType dtype_of<std::int32_t>() { return DType::Int32; }
template <>
constexpr DType dtype_of<std::int64_t>() { return DType::Int64; }
template <>
constexpr DType dtype_of<float>() { return DType::Float32; }
template <>
constexpr DType dtype_of<double>() { return DType::Float64; }

}  // namespace luge
