#pragma once

#include <cstdint>

#include <luge/math/rows.h>

namespace luge {

/// Every elementwise op: Op::Exp, Op::Mul, ... One enumerator per row of kernels/math/rows.h.
enum class Op : std::uint8_t {
#define LUGE_ROW(function, Formula, ...) Formula,
  LUGE_ELEMENTWISE_ROWS(LUGE_ROW, LUGE_ROW)
#undef LUGE_ROW
};

#define LUGE_ROW(...) +1
inline constexpr int kOpCount = 0 LUGE_ELEMENTWISE_ROWS(LUGE_ROW, LUGE_ROW);
#undef LUGE_ROW

/// Which input types an elementwise op takes as they are; see kernels/math/rows.h.
enum class DTypes : std::uint8_t { Float, Numeric, Any, Logical, Integral };

// The tables are not inside their functions: a constexpr function may not have static variables, and a
// table on the stack is built anew at every call.
inline constexpr const char* kOpNames[] = {
#define LUGE_ROW(function, ...) #function,
    LUGE_ELEMENTWISE_ROWS(LUGE_ROW, LUGE_ROW)
#undef LUGE_ROW
};
inline constexpr DTypes kOpDTypes[] = {
#define LUGE_ROW(function, Formula, dtypes, ...) DTypes::dtypes,
    LUGE_ELEMENTWISE_ROWS(LUGE_ROW, LUGE_ROW)
#undef LUGE_ROW
};
#define LUGE_ROW(function, Formula, dtypes, text) text,
#define LUGE_PARAMETER_ROW(function, Formula, dtypes, declaration, arguments, text) text,
inline constexpr const char* kOpTexts[] = {LUGE_ELEMENTWISE_ROWS(LUGE_ROW, LUGE_PARAMETER_ROW)};
#undef LUGE_PARAMETER_ROW
#undef LUGE_ROW

/// The user's name of an op: "exp", "mul", ...
constexpr const char* name(Op op) { return kOpNames[static_cast<int>(op)]; }
constexpr DTypes accepted(Op op) { return kOpDTypes[static_cast<int>(op)]; }
/// Its formula in Python: "1 / (1 + exp(-x))".
constexpr const char* formula(Op op) { return kOpTexts[static_cast<int>(op)]; }

}  // namespace luge
