#include <luge/ops/multilabel_loss.h>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/loss_terms.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/scan.h>
#include <luge/ops/scatter.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  constexpr const char* kOp = "multilabel_margin_loss";
  const Operation called(kOp);
  const DType dtype = checked(input, kOp).dtype;
  const TensorImpl& labels = checked(target, kOp, "target");
  const Shape& shape = input.shape();
  LUGE_CHECK(DTypeError, is_floating(dtype), "{}: input is {}; allowed are the floating dtypes", kOp, name(dtype));
  LUGE_CHECK(DTypeError, labels.dtype == DType::Int64, "{}: target is {}; it must be int64", kOp, name(labels.dtype));
  LUGE_CHECK(ShapeError, shape.ndim() <= 2 && labels.shape == shape,
             "{}: input has shape {} and target has {}; both must be (batch, classes) or (classes)", kOp, to_string(shape),
             to_string(labels.shape));
  const std::int64_t classes = shape.ndim() == 0 ? 1 : shape.back(), batch = shape.ndim() == 2 ? shape[0] : 1;
  LUGE_CHECK(ShapeError, classes > 0, "{}: input has shape {}; there must be a class", kOp, to_string(shape));
  const Tensor given = checked_labels(kOp, target, classes, -1).reshape({batch, classes});
  const Tensor counted = cumsum((given < 0).to(DType::Int64), 1) == 0;
  const Tensor at = where(counted, given, 0);
  const TensorOptions whole{.dtype = DType::Int64, .device = input.device()};
  const Tensor named = scatter_add(zeros({batch, classes}, whole), 1, at, counted.to(DType::Int64)) > 0;
  const Tensor pairs = counted.unsqueeze(2).logical_and(named.logical_not().unsqueeze(1));
  return rounded_once(input, [&](const Tensor& wide) {
    const Tensor rows = wide.reshape({batch, classes});
    const Tensor margins = 1 - gather(rows, 1, at).unsqueeze(2) + rows.unsqueeze(1);
    const Tensor terms = where(pairs.logical_and(margins > 0), margins, 0);
    const Tensor losses = terms.sum({1, 2}) / static_cast<double>(classes);
    return reduced(kOp, shape.ndim() == 2 ? losses : losses.reshape({}), reduction);
  });
}

}  // namespace luge
