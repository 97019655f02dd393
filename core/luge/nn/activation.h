#pragma once
// Layers without parameters, for Sequential: one for every function of one input in core/luge/math/op_table.h,
// under the name of its formula (Relu, Tanh, Sigmoid, Gelu, Silu, LeakyRelu, Softplus, ...), and softmax.

#include <optional>

#include <luge/seam/op.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/softmax.h>

namespace luge::nn {

/// Relu()(x) is relu(x), LeakyRelu(0.2)(x) is leaky_relu(x, 0.2); defaults are the function's.
#define LUGE_MEMBER(name, value) double name##_;
#define LUGE_ASSIGNED(name, value) name##_ = name;
#define LUGE_MORE_MEMBERS(name, value) , name##_
#define LUGE_ROW(function, Formula, dtypes, text, ...)                                             \
  class Formula {                                                                                  \
   public:                                                                                         \
    explicit Formula(LUGE_PARAMETERS(LUGE_DECLARED, LUGE_MORE_DECLARED, __VA_ARGS__)){             \
        LUGE_PARAMETERS(LUGE_ASSIGNED, LUGE_ASSIGNED, __VA_ARGS__)} Tensor                         \
    operator()(const Tensor& x) const {                                                            \
      return luge::function(x LUGE_PARAMETERS(LUGE_MORE_MEMBERS, LUGE_MORE_MEMBERS, __VA_ARGS__)); \
    }                                                                                              \
                                                                                                   \
   private:                                                                                        \
    LUGE_PARAMETERS(LUGE_MEMBER, LUGE_MEMBER, __VA_ARGS__)                                         \
  };
LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
#undef LUGE_MORE_MEMBERS
#undef LUGE_ASSIGNED
#undef LUGE_MEMBER

/// Clamp(-1, 1)(x) is clamp(x, -1, 1).
class Clamp {
 public:
  Clamp(std::optional<Scalar> low, std::optional<Scalar> high) : low_(low), high_(high) {}
  Tensor operator()(const Tensor& x) const { return clamp(x, low_, high_); }

 private:
  std::optional<Scalar> low_, high_;
};

/// Softmax along `dim`.
struct Softmax {
  int dim = -1;
  Tensor operator()(const Tensor& x) const { return softmax(x, dim); }
};

/// log(softmax) along `dim`.
struct LogSoftmax {
  int dim = -1;
  Tensor operator()(const Tensor& x) const { return log_softmax(x, dim); }
};

}  // namespace luge::nn
