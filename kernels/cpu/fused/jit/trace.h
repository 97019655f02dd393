#pragma once
// A dialect that computes nothing: a formula of core/luge/math, given Traced values, leaves behind the list of
// operations that it consists of. So the machine code of a fused chain comes from the one text of each formula.

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include <luge/math/dialect.h>
#include <luge/seam/detail/plan.h>


namespace luge::cpu::jit {

enum class Primitive : std::uint8_t {
  Input,    ///< an element of memory
  Uniform,  ///< one number for all elements, known when the chain runs
  Number,   ///< one number for all elements, known now
  Add, Sub, Mul, Div, Neg, Abs, Sqrt, Fma,
  // What kernels/cpu/functions.h has besides; its words say what they mean.
  Min, Max, Round, Scale, Exponent, Significand,
  And, Or,        ///< of the bits
  ExponentShift,  ///< the bits of a, with its lowest ones in the place of the exponent
  Equal, NotEqual, Less, LessEqual,
  Select,   ///< mask, yes, no
  Foreign,  ///< a function that has no instruction
};

struct Operation {
  Primitive primitive;
  std::array<int, 3> args{-1, -1, -1};  ///< operations before this one
  int index = -1;                       ///< of an Input or Uniform
  double number = 0;

  friend bool operator==(const Operation& a, const Operation& b);
};

bool is_mask(Primitive primitive);
/// Whether it is the same number for all elements.
bool is_constant(Primitive primitive);

/// A list of operations without repetitions: what was there already is not added again. Numbers are computed
/// at once, and what changes no bit is left out (x * 1, x + -0).
class Graph {
 public:
  explicit Graph(DType dtype) : dtype_(dtype) {}

  int input(int index) { return add({.primitive = Primitive::Input, .index = index}); }
  int uniform(int index) { return add({.primitive = Primitive::Uniform, .index = index}); }
  int number(double value);
  int apply(Primitive primitive, int a, int b = -1, int c = -1);

  const std::vector<Operation>& operations() const { return operations_; }
  /// Whether it depends on a function that has no instruction.
  bool needs_foreign(int operation) const { return needs_foreign_[static_cast<std::size_t>(operation)]; }
  DType dtype() const { return dtype_; }

 private:
  int add(const Operation& operation);
  std::optional<double> computed(Primitive primitive, double a, double b) const;

  struct Hash {
    std::size_t operator()(const Operation& operation) const;
  };

  DType dtype_;
  std::vector<Operation> operations_;
  std::vector<bool> needs_foreign_;
  std::unordered_map<Operation, int, Hash> places_;  // in operations_
};

/// The graph that Traced values of this thread belong to.
inline thread_local Graph* graph = nullptr;

struct Traced {
  int at = -1;

  Traced() = default;
  explicit Traced(double value) : at(graph->number(value)) {}
  static Traced of(int operation) {
    Traced result;
    result.at = operation;
    return result;
  }
};
struct TracedMask {
  int at;
};

inline Traced traced(Primitive primitive, Traced a, Traced b = {}, Traced c = {}) {
  return Traced::of(graph->apply(primitive, a.at, b.at, c.at));
}
inline TracedMask traced_mask(Primitive primitive, Traced a, Traced b) { return {graph->apply(primitive, a.at, b.at)}; }

inline Traced operator+(Traced a, Traced b) { return traced(Primitive::Add, a, b); }
inline Traced operator-(Traced a, Traced b) { return traced(Primitive::Sub, a, b); }
inline Traced operator*(Traced a, Traced b) { return traced(Primitive::Mul, a, b); }
inline Traced operator/(Traced a, Traced b) { return traced(Primitive::Div, a, b); }
inline Traced operator-(Traced a) { return traced(Primitive::Neg, a); }
inline TracedMask operator==(Traced a, Traced b) { return traced_mask(Primitive::Equal, a, b); }
inline TracedMask operator!=(Traced a, Traced b) { return traced_mask(Primitive::NotEqual, a, b); }
inline TracedMask operator<(Traced a, Traced b) { return traced_mask(Primitive::Less, a, b); }
inline TracedMask operator<=(Traced a, Traced b) { return traced_mask(Primitive::LessEqual, a, b); }
inline TracedMask operator>(Traced a, Traced b) { return b < a; }
inline TracedMask operator>=(Traced a, Traced b) { return b <= a; }

inline Traced select(TracedMask mask, Traced yes, Traced no) {
  return Traced::of(graph->apply(Primitive::Select, mask.at, yes.at, no.at));
}
inline TracedMask is_nan(Traced x) { return x != x; }
inline Traced abs(Traced x) { return traced(Primitive::Abs, x); }
inline Traced sqrt(Traced x) { return traced(Primitive::Sqrt, x); }
inline Traced fma(Traced a, Traced b, Traced c) { return traced(Primitive::Fma, a, b, c); }

inline Traced min(Traced a, Traced b) { return traced(Primitive::Min, a, b); }
inline Traced max(Traced a, Traced b) { return traced(Primitive::Max, a, b); }
inline Traced round(Traced x) { return traced(Primitive::Round, x); }
inline Traced copy_sign(Traced magnitude, Traced sign) {
  return traced(Primitive::Or, abs(magnitude), traced(Primitive::And, sign, Traced(-0.0)));
}
// As kernels/cpu/vector.h has them on this processor.
Traced scale(Traced x, Traced k);
Traced exponent(Traced x);
Traced significand(Traced x);

inline Traced foreign(Traced x) { return traced(Primitive::Foreign, x); }
#define LUGE_FUNCTION(name) \
  inline Traced name(Traced x) { return foreign(x); }
LUGE_FUNCTION(sin)
LUGE_FUNCTION(cos)
LUGE_FUNCTION(floor)
LUGE_FUNCTION(ceil)
LUGE_FUNCTION(trunc)
LUGE_LANE_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION
/// Whether this thread traces the functions of kernels/cpu/functions.h, rather than leave them to calls.
inline thread_local bool traces_functions = true;
#define LUGE_FUNCTION(name) Traced name(Traced x);
LUGE_FUNCTION(exp)
LUGE_FUNCTION(expm1)
LUGE_FUNCTION(log)
LUGE_FUNCTION(log1p)
LUGE_FUNCTION(tanh)
LUGE_FUNCTION(erf)
LUGE_COMPOSED_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION
Traced scaled_erfc(Traced x);
#define LUGE_FUNCTION(name) \
  inline Traced name(Traced x, Traced) { return foreign(x); }
LUGE_LANE_FUNCTIONS_OF_TWO(LUGE_FUNCTION)
#undef LUGE_FUNCTION

/// Adds a formula link to `graph`; `in` as the link's, of which absent ones are never read. A bool is a mask's
/// operation. False where its formula needs more than instructions.
bool trace(const Link& link, const std::array<Traced, Link::kMaxInputs>& in,
           std::array<Traced, Link::kMaxOutputs>& out);

/// The same of an update, which reads call.numbers() numbers.
void trace(const Update& call, const Traced* numbers, const std::array<Traced, Link::kMaxInputs>& in,
           std::array<Traced, Link::kMaxOutputs>& out);

}  // namespace luge::cpu::jit
