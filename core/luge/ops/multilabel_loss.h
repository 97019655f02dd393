#pragma once

#include <luge/ops/loss.h>

namespace luge {

/// The sum over a sample's classes i that are none of its labels, and its labels j, of max(0, 1 - input[j] + input[i]), over the
/// number of classes: input (batch, classes) with labels (batch, classes), int64, of which those from the first -1 on count
/// for nothing; or (classes) of one sample. Of halves all steps but the last are float32. Throws ShapeError, DTypeError,
/// IndexError for a label outside [-1, classes).
Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::Mean);

}  // namespace luge
