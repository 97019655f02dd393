#include <luge/ops/window.h>

#include <algorithm>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/rearrange.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/seen.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

Tensor unfold(const Tensor& x, int dim, std::int64_t size, std::int64_t step) {
  const Operation called("unfold");
  const int ndim = checked(x, "unfold").shape.ndim();
  const int d = normalize_dim("unfold", dim, ndim);
  const std::int64_t whole = ndim == 0 ? 1 : x.shape()[d];
  LUGE_CHECK(ValueError, size >= 0 && size <= whole, "unfold: the size of a window is {} and that of the dimension {}; it must be 0 to {}",
             size, whole, whole);
  LUGE_CHECK(ValueError, step > 0, "unfold: step is {}; it must be 1 or more", step);
  if (ndim == 0) return x.view({1}).slice(0, 0, size);  // as PyTorch does
  const std::int64_t count = (whole - size) / step + 1;
  const auto see = [=](const Tensor& tensor) {
    Shape shape = tensor.shape();
    Strides strides = tensor.strides();
    shape.push_back(size);
    strides.push_back(strides[d]);
    shape[d] = count;
    // A step beyond the dimension is never taken, and its multiple of the stride might not be a number.
    strides[d] = count > 1 ? strides[d] * step : strides[d];
    return window_tensor(tensor, shape, strides, tensor.storage_offset());
  };
  const auto add = [=](const Tensor& gradient, const Tensor& tensor) {
    // The i-th elements of all windows are different elements of the tensor.
    for (std::int64_t i = 0; i < size; ++i)
      copy_values(gradient.select(-1, i), tensor.slice(d, i, i + (count - 1) * step + 1, step), Store::Accumulate);
  };
  return seen_view("unfold", x, {see, add});
}

namespace {

/// A dimension with borders before and after it, 0 or more each. The mode is none that is constant.
Tensor bordered(const Tensor& x, int dim, std::int64_t before, std::int64_t after, PadMode mode) {
  const std::int64_t size = x.shape()[dim];
  std::vector<Tensor> parts;
  const auto edge = [&](std::int64_t at, std::int64_t count) {
    Shape shape = x.shape();
    shape[dim] = count;
    return x.slice(dim, at, at + 1).expand(shape);
  };
  if (before > 0)
    parts.push_back(mode == PadMode::Reflect     ? flip(x.slice(dim, 1, before + 1), {dim})
                    : mode == PadMode::Replicate ? edge(0, before)
                                                 : x.slice(dim, size - before));
  parts.push_back(x);
  if (after > 0)
    parts.push_back(mode == PadMode::Reflect     ? flip(x.slice(dim, size - 1 - after, size - 1), {dim})
                    : mode == PadMode::Replicate ? edge(size - 1, after)
                                                 : x.slice(dim, 0, after));
  return parts.size() == 1 ? x : cat(parts, dim);
}

/// What negative borders leave.
Tensor cropped(const Tensor& x, int dim, std::int64_t before, std::int64_t after) {
  if (before >= 0 && after >= 0) return x;
  return x.slice(dim, std::max<std::int64_t>(0, -before), x.shape()[dim] - std::max<std::int64_t>(0, -after));
}

Tensor padded_with_constant(const Tensor& x, const std::vector<std::int64_t>& pads, Scalar value) {
  Tensor inner = x;
  Shape shape = x.shape();
  bool grows = false;
  for (std::size_t i = 0; i < pads.size(); i += 2) {
    const int d = x.ndim() - 1 - static_cast<int>(i / 2);
    inner = cropped(inner, d, pads[i], pads[i + 1]);
    shape[d] += pads[i] + pads[i + 1];
    grows |= pads[i] > 0 || pads[i + 1] > 0;
  }
  if (!grows) return inner.clone();
  const Tensor result = full(shape, value, {.dtype = x.dtype(), .device = x.device()});
  Tensor window = result;
  for (std::size_t i = 0; i < pads.size(); i += 2) {
    const int d = x.ndim() - 1 - static_cast<int>(i / 2);
    const std::int64_t first = std::max<std::int64_t>(0, pads[i]);
    window = window.slice(d, first, first + inner.shape()[d]);
  }
  window.copy_(inner);
  return result;
}

const char* mode_name(PadMode mode) {
  return mode == PadMode::Reflect ? "reflect" : mode == PadMode::Replicate ? "replicate" : "circular";
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<std::int64_t>& pads, PadMode mode, Scalar value) {
  const Operation called("pad");
  const int ndim = checked(x, "pad").shape.ndim();
  const int padded = static_cast<int>(pads.size() / 2);
  LUGE_CHECK(ValueError, pads.size() % 2 == 0, "pad: {} borders are given; there must be two for each dimension", pads.size());
  LUGE_CHECK(ValueError, padded <= ndim, "pad: borders of {} dimensions are given; the tensor of shape {} has {}", padded,
             to_string(x.shape()), ndim);
  for (int i = 0; i < padded; ++i) {
    const std::int64_t before = pads[static_cast<std::size_t>(2 * i)], after = pads[static_cast<std::size_t>(2 * i + 1)];
    const std::int64_t size = x.shape()[ndim - 1 - i];
    std::int64_t result = 0;
    LUGE_CHECK(ShapeError, !__builtin_add_overflow(size, before, &result) && !__builtin_add_overflow(result, after, &result),
               "pad: borders {} and {} of a dimension of size {} are too large", before, after, size);
    LUGE_CHECK(ValueError, result >= 0 && -std::min<std::int64_t>(before, 0) <= size && -std::min<std::int64_t>(after, 0) <= size,
               "pad: borders {} and {} cut off more than a dimension of size {} has", before, after, size);
    if (mode == PadMode::Constant) continue;
    const std::int64_t most = mode == PadMode::Reflect ? size - 1 : mode == PadMode::Circular ? size : std::max(before, after);
    LUGE_CHECK(ValueError, size > 0 && before <= most && after <= most,
               "pad: borders {} and {} of a dimension of size {}; mode '{}' allows at most {}", before, after, size,
               mode_name(mode), std::max<std::int64_t>(0, mode == PadMode::Replicate ? 0 : most));
    LUGE_CHECK(ValueError, mode == PadMode::Replicate || result > 0, "pad: borders {} and {} leave nothing of a dimension of size {}",
               before, after, size);
  }
  if (mode == PadMode::Constant) return padded_with_constant(x, pads, value);
  LUGE_CHECK(ShapeError, padded >= 1 && padded <= 3 && (ndim == padded + 1 || ndim == padded + 2),
             "pad: mode '{}' pads the last 1, 2 or 3 dimensions of a tensor with one or two dimensions before them; the tensor "
             "has shape {} and {} dimensions are to be padded",
             mode_name(mode), to_string(x.shape()), padded);
  Tensor result = x;
  for (int i = 0; i < padded; ++i) {
    const int d = ndim - 1 - i;
    const std::int64_t before = pads[static_cast<std::size_t>(2 * i)], after = pads[static_cast<std::size_t>(2 * i + 1)];
    const std::int64_t front = std::max<std::int64_t>(0, before), back = std::max<std::int64_t>(0, after);
    if (mode == PadMode::Circular) {  // of what is left; the other modes look at all elements
      result = cropped(result, d, before, after);
      LUGE_CHECK(ValueError, front <= result.shape()[d] && back <= result.shape()[d],
                 "pad: borders {} and {} of a dimension of size {} go round more than once", before, after, x.shape()[d]);
      result = bordered(result, d, front, back, mode);
    } else {
      result = cropped(bordered(result, d, front, back, mode), d, before, after);
    }
  }
  return result.storage() == x.storage() ? result.clone() : result;
}

Tensor one_hot(const Tensor& labels, std::int64_t classes, SourceLocation location) {
  const Operation called("one_hot");
  LUGE_CHECK(DTypeError, checked(labels, "one_hot").dtype == DType::Int64, "one_hot: the labels are {}; they must be int64",
             name(labels.dtype()));
  LUGE_CHECK(ValueError, classes >= -1, "one_hot: num_classes is {}; it must be 0 or more, or -1", classes);
  if (classes == -1) {
    LUGE_CHECK(ValueError, labels.numel() > 0, "one_hot: num_classes is not given and there are no labels to tell it");
    refuse_capture("one_hot", kHostRead, location);
    classes = labels.max().item<std::int64_t>(location) + 1;
    LUGE_CHECK(ValueError, labels.min().item<std::int64_t>(location) >= 0, "one_hot: a label is {}; labels must be 0 or more",
               labels.min().item<std::int64_t>(location));
  } else {
    checked_labels("one_hot", labels, classes);
  }
  const Tensor places = arange(0, classes, 1, {.dtype = DType::Int64, .device = labels.device()});
  return labels.unsqueeze(-1).eq(places).to(DType::Int64);
}

namespace {

/// The dimensions before channels, height and width as one, of a tensor with 3 or more; what they were is put back by
/// with_lead().
Tensor as_images(const char* op, const Tensor& x, std::int64_t factor) {
  LUGE_CHECK(ShapeError, checked(x, op).shape.ndim() >= 3, "{}: the tensor has shape {}; it must be (..., channels, height, width)",
             op, to_string(x.shape()));
  LUGE_CHECK(ValueError, factor > 0, "{}: the factor is {}; it must be 1 or more", op, factor);
  std::int64_t images = 1;
  for (int d = 0; d + 3 < x.ndim(); ++d) images *= x.shape()[d];
  return x.reshape({images, x.size(-3), x.size(-2), x.size(-1)});
}

Tensor with_lead(const Tensor& images, const Shape& like, std::int64_t channels, std::int64_t height, std::int64_t width) {
  Shape shape;
  for (int d = 0; d + 3 < like.ndim(); ++d) shape.push_back(like[d]);
  for (const std::int64_t size : {channels, height, width}) shape.push_back(size);
  return images.reshape(shape);
}

}  // namespace

Tensor pixel_shuffle(const Tensor& x, std::int64_t factor) {
  const Operation called("pixel_shuffle");
  const Tensor images = as_images("pixel_shuffle", x, factor);
  const std::int64_t channels = images.size(1), height = images.size(2), width = images.size(3);
  LUGE_CHECK(ShapeError, factor <= channels / factor + (channels == 0) * factor && channels % (factor * factor) == 0,
             "pixel_shuffle: the tensor has {} channels; they must be a multiple of upscale_factor^2, with upscale_factor {}",
             channels, factor);
  const std::int64_t rest = channels / (factor * factor);
  const Tensor parts = images.reshape({images.size(0), rest, factor, factor, height, width}).permute({0, 1, 4, 2, 5, 3});
  return with_lead(parts, x.shape(), rest, height * factor, width * factor);
}

Tensor pixel_unshuffle(const Tensor& x, std::int64_t factor) {
  const Operation called("pixel_unshuffle");
  const Tensor images = as_images("pixel_unshuffle", x, factor);
  const std::int64_t channels = images.size(1), height = images.size(2), width = images.size(3);
  LUGE_CHECK(ShapeError, height % factor == 0 && width % factor == 0,
             "pixel_unshuffle: height {} and width {} must be multiples of downscale_factor {}", height, width, factor);
  const Tensor parts = images.reshape({images.size(0), channels, height / factor, factor, width / factor, factor}).permute({0, 1, 3, 5, 2, 4});
  return with_lead(parts, x.shape(), channels * factor * factor, height / factor, width / factor);
}

Tensor channel_shuffle(const Tensor& x, std::int64_t groups) {
  const Operation called("channel_shuffle");
  LUGE_CHECK(ShapeError, checked(x, "channel_shuffle").shape.ndim() >= 3,
             "channel_shuffle: the tensor has shape {}; it must be (batch, channels, ...) with 3 or more dimensions", to_string(x.shape()));
  LUGE_CHECK(ValueError, groups > 0, "channel_shuffle: groups is {}; it must be 1 or more", groups);
  const std::int64_t channels = x.shape()[1];
  LUGE_CHECK(ShapeError, channels % groups == 0, "channel_shuffle: {} channels cannot be dealt from {} groups of equal size",
             channels, groups);
  std::int64_t rest = 1;
  for (int d = 2; d < x.ndim(); ++d) rest *= x.shape()[d];
  const Tensor dealt = x.reshape({x.shape()[0], groups, channels / groups, rest}).transpose(1, 2);
  return dealt.reshape(x.shape());
}

}  // namespace luge
