#pragma once
// Layers that change the shape alone, for Sequential.

#include <luge/ops/rearrange.h>
#include <luge/ops/window.h>
#include <luge/tensor/tensor.h>

namespace luge::nn {

/// x itself.
struct Identity {
  Tensor operator()(const Tensor& x) const { return x; }
};

/// The dimensions from `start` to `end` as one; by default all but the first. A model of sets takes Flatten{2}.
struct Flatten {
  int start = 1, end = -1;
  Tensor operator()(const Tensor& x) const { return x.flatten(start, end); }
};

/// Dimension `dim` in place of several, of these sizes; unflatten(x, dim, sizes).
struct Unflatten {
  int dim;
  Shape sizes;
  Tensor operator()(const Tensor& x) const { return unflatten(x, dim, sizes); }
};

/// (..., c r^2, h, w) -> (..., c, h r, w r): pixel_shuffle(x, factor).
struct PixelShuffle {
  std::int64_t factor;
  Tensor operator()(const Tensor& x) const { return pixel_shuffle(x, factor); }
};

/// The other way: pixel_unshuffle(x, factor).
struct PixelUnshuffle {
  std::int64_t factor;
  Tensor operator()(const Tensor& x) const { return pixel_unshuffle(x, factor); }
};

/// channel_shuffle(x, groups): x (batch, channels, ...) with channels dealt from groups in turn.
struct ChannelShuffle {
  std::int64_t groups;
  Tensor operator()(const Tensor& x) const { return channel_shuffle(x, groups); }
};

}  // namespace luge::nn
