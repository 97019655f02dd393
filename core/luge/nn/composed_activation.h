#pragma once
// Layers of the activations in luge/ops/activation.h, which are made of elementwise operations; see there for formulas, sources,
// dtypes and errors. Those of one formula are in luge/nn/activation.h.

#include <memory>

#include <luge/ops/activation.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/softmax.h>

namespace luge::nn {

/// Hardtanh{-2, 2}(x) is hardtanh(x, -2, 2).
struct Hardtanh {
  double low = -1, high = 1;
  Tensor operator()(const Tensor& x) const { return hardtanh(x, low, high); }
};

/// Elu{0.5}(x) is elu(x, 0.5).
struct Elu {
  double alpha = 1;
  Tensor operator()(const Tensor& x) const { return elu(x, alpha); }
};

/// Celu{0.5}(x) is celu(x, 0.5).
struct Celu {
  double alpha = 1;
  Tensor operator()(const Tensor& x) const { return celu(x, alpha); }
};

/// Relu6()(x) is relu6(x), and so on.
#define LUGE_LAYER(Layer, function) \
  struct Layer {                    \
    Tensor operator()(const Tensor& x) const { return function(x); } \
  };
LUGE_LAYER(Relu6, relu6)
LUGE_LAYER(Selu, selu)
LUGE_LAYER(Hardsigmoid, hardsigmoid)
LUGE_LAYER(Hardswish, hardswish)
LUGE_LAYER(Mish, mish)
LUGE_LAYER(Softsign, softsign)
LUGE_LAYER(Tanhshrink, tanhshrink)
LUGE_LAYER(LogSigmoid, logsigmoid)
LUGE_LAYER(GeluTanh, gelu_tanh)
#undef LUGE_LAYER

/// Softshrink{0.5}(x) is softshrink(x, 0.5).
struct Softshrink {
  double lambd = 0.5;
  Tensor operator()(const Tensor& x) const { return softshrink(x, lambd); }
};

/// rrelu(x, low, high, training): slopes that are drawn below 0 while training, in which a layer begins, and their mean after
/// eval(). Copies share that.
class Rrelu {
 public:
  explicit Rrelu(double low = 1.0 / 8, double high = 1.0 / 3) : low_(low), high_(high) {}
  Tensor operator()(const Tensor& x) const { return rrelu(x, low_, high_, *training_); }

  void train(bool on = true) { *training_ = on; }
  void eval() { train(false); }
  bool training() const { return *training_; }

 private:
  double low_, high_;
  std::shared_ptr<bool> training_ = std::make_shared<bool>(true);
};

/// x where x > threshold, value elsewhere.
struct Threshold {
  double threshold, value;
  Tensor operator()(const Tensor& x) const { return where(x > threshold, x, value); }
};

/// Glu{-1}(x) is glu(x, -1): half the size along `dim`.
struct Glu {
  int dim = -1;
  Tensor operator()(const Tensor& x) const { return glu(x, dim); }
};

/// softmax(-x) along `dim`.
struct Softmin {
  int dim = -1;
  Tensor operator()(const Tensor& x) const { return softmin(x, dim); }
};

/// Softmax over the channels of images (..., channels, height, width).
struct Softmax2d {
  Tensor operator()(const Tensor& x) const { return softmax(x, -3); }
};

}  // namespace luge::nn
