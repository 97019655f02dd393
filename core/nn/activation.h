#pragma once
// Layers without parameters, for Sequential: one for every function of one input in kernels/math/rows.h,
// under the name of its formula (Relu, Tanh, Sigmoid, Gelu, Silu, LeakyRelu, Softplus, ...), and softmax.

#include <array>
#include <optional>

#include <luge/op.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/softmax.h>

namespace luge::nn {

/// Relu{}(x) is relu(x).
#define LUGE_ROW(function, Formula, ...)                                       \
  struct Formula {                                                             \
    Tensor operator()(const Tensor& x) const { return luge::function(x); }     \
  };
LUGE_UNARY_ROWS(LUGE_ROW)
#undef LUGE_ROW

/// LeakyRelu(0.2)(x) is leaky_relu(x, 0.2); defaults are the function's.
#define LUGE_ROW(function, Formula, dtypes, declaration, arguments, ...)                                     \
  class Formula {                                                                                       \
   public:                                                                                              \
    explicit Formula(LUGE_UNPACK declaration) : parameters_{LUGE_UNPACK arguments} {}                   \
    Tensor operator()(const Tensor& x) const {                                                          \
      return unary_with_parameters(Op::Formula, x, {parameters_[0], parameters_[1]});                   \
    }                                                                                                   \
                                                                                                        \
   private:                                                                                             \
    std::array<std::optional<Scalar>, 2> parameters_;                                                                  \
  };
#define LUGE_UNPACK(...) __VA_ARGS__
LUGE_UNARY_PARAMETER_ROWS(LUGE_ROW)
#undef LUGE_UNPACK
#undef LUGE_ROW

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
