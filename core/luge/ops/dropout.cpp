#include <luge/ops/dropout.h>

#include <cmath>

#include <luge/base/detail/check.h>
#include <luge/ops/arithmetic.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/detail/keyed_random.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// 1 for what stays and 0 for what is dropped, in x's dtype. With `channels` the dimensions behind them are 1.
Tensor kept(const char* op, const Tensor& x, double p, bool channels, const std::optional<Draw>& draw) {
  Shape shape = x.shape();
  const int before = draw ? 3 : 2;
  if (channels)
    for (int i = before; i < shape.ndim(); ++i) shape[i] = 1;
  const Shape result = shape;
  Draw of_sets;
  if (draw)
    of_sets = *draw;
  else  // one set
    shape.insert(0, 1);
  const Tensor uniform =
      keyed_uniform(op, shape, 0, 1, of_sets, Purpose::Dropout, {.device = x.device()});
  return (uniform >= p).to(x.dtype()).reshape(result);
}

struct Kind {
  bool channels, alpha;
};

Tensor dropped(const char* op, const Tensor& x, double p, bool train, Kind kind, const std::optional<Draw>& draw) {
  const Operation called(op);
  const DType dtype = checked(x, op).dtype;
  LUGE_CHECK(ValueError, p >= 0 && p <= 1, "{}: p is {}; it must be from 0 to 1", op, p);
  LUGE_CHECK(DTypeError, is_floating(dtype), "{}: the tensor is {}; allowed are the floating dtypes", op, name(dtype));
  const int needed = (draw ? 1 : 0) + (kind.channels ? 2 : 0);
  LUGE_CHECK(ShapeError, x.ndim() >= needed, "{}: the tensor has shape {}; it needs {} dimensions or more", op,
             to_string(x.shape()), needed);
  if (!train || p == 0 || x.numel() == 0) return x;
  if (p == 1) return x * 0;
  const Tensor mask = kept(op, x, p, kind.channels, draw);
  if (!kind.alpha) return x * (mask * (1 / (1 - p)));
  // -alpha is the limit of selu below: 1.0507 * 1.6733.
  constexpr double kAlpha = 1.7580993408473766;
  const double scale = 1 / std::sqrt((kAlpha * kAlpha * p + 1) * (1 - p));
  return x * (mask * scale) + ((mask - 1) * (kAlpha * scale) + kAlpha * scale * p);
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool train, const std::optional<Draw>& draw) {
  return dropped("dropout", x, p, train, {.channels = false, .alpha = false}, draw);
}

Tensor feature_dropout(const Tensor& x, double p, bool train, const std::optional<Draw>& draw) {
  return dropped("feature_dropout", x, p, train, {.channels = true, .alpha = false}, draw);
}

Tensor alpha_dropout(const Tensor& x, double p, bool train, const std::optional<Draw>& draw) {
  return dropped("alpha_dropout", x, p, train, {.channels = false, .alpha = true}, draw);
}

Tensor feature_alpha_dropout(const Tensor& x, double p, bool train, const std::optional<Draw>& draw) {
  return dropped("feature_alpha_dropout", x, p, train, {.channels = true, .alpha = true}, draw);
}

}  // namespace luge
