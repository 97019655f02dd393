#pragma once

#include <vector>

#include <luge/base/source_location.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// Scales the gradients of these leaves so that their joint 2-norm is at most `max_norm`; returns the norm before
/// clipping, on the device. As torch.nn.utils.clip_grad_norm_: a leaf without a gradient plays no part, nor does a
/// frozen one; one that is given twice counts once, and without any gradient the norm is 0. Leaves of an arena with
/// sets are clipped set by set: `max_norm` may then have the shape (sets), and the norms have. The bits are those of
/// Parameters::clip_grad_norm_, which does without copies.
/// Throws ValueError for what is no leaf, for leaves of different sets and for a negative or NaN max_norm, DTypeError
/// and DeviceError unless all gradients share one dtype and one device.
Tensor clip_grad_norm_(const std::vector<Tensor>& leaves, double max_norm);
Tensor clip_grad_norm_(const std::vector<Tensor>& leaves, const Tensor& max_norm,
                       SourceLocation location = SourceLocation::current());

/// Clips every element of the gradients to [-clip_value, clip_value], in place, as torch.nn.utils.clip_grad_value_; a leaf without a
/// gradient plays no part. Throws ValueError for a negative or NaN clip_value.
void clip_grad_value_(const std::vector<Tensor>& leaves, double clip_value);

}  // namespace luge
