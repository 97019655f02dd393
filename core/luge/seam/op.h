#pragma once

#include <cstdint>
#include <type_traits>

#include <luge/math/op_table.h>
#include <luge/base/dtype.h>

namespace luge {

/// Every elementwise op: Op::Exp, Op::Mul, ... One enumerator per row of core/luge/math/op_table.h.
enum class Op : std::uint8_t {
#define LUGE_ROW(function, Formula, ...) Formula,
  LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
};

#define LUGE_ROW(...) +1
inline constexpr int kOpCount = 0 LUGE_OPS(LUGE_ROW);
#undef LUGE_ROW

/// Which input types an elementwise op takes as they are; see core/luge/math/op_table.h.
enum class DTypes : std::uint8_t { Float, Numeric, Any, Logical, Integral };

// The tables are not inside their functions: a constexpr function may not have static variables, and a
// table on the stack is built anew at every call.
inline constexpr const char* kOpNames[] = {
#define LUGE_ROW(function, ...) #function,
    LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
};
inline constexpr DTypes kOpDTypes[] = {
#define LUGE_ROW(function, Formula, dtypes, ...) DTypes::dtypes,
    LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
};
inline constexpr const char* kOpTexts[] = {
#define LUGE_ROW(function, Formula, dtypes, text, ...) text,
    LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
};

/// The user's name of an op: "exp", "mul", ...
constexpr const char* name(Op op) { return kOpNames[static_cast<int>(op)]; }
constexpr DTypes accepted(Op op) { return kOpDTypes[static_cast<int>(op)]; }
/// Its formula in Python: "1 / (1 + exp(-x))".
constexpr const char* formula(Op op) { return kOpTexts[static_cast<int>(op)]; }

/// Whether an op's formula is ever called with values of type T.
template <class T>
constexpr bool takes(DTypes dtypes) {
  constexpr bool is_bool = std::is_same_v<T, bool>, is_floating = std::is_floating_point_v<T>;
  switch (dtypes) {
    case DTypes::Float: return is_floating;
    case DTypes::Numeric: return !is_bool;
    case DTypes::Any: return true;
    case DTypes::Logical: return is_bool;
    case DTypes::Integral: return !is_bool && !is_floating;
  }
  return false;
}
constexpr bool takes(DTypes dtypes, DType dtype) {
  switch (dtypes) {
    case DTypes::Float: return is_floating(dtype);
    case DTypes::Numeric: return dtype != DType::Bool;
    case DTypes::Any: return true;
    case DTypes::Logical: return dtype == DType::Bool;
    case DTypes::Integral: return is_integral(dtype);
  }
  return false;
}

}  // namespace luge
