// Windows of images as columns, and their sums.

#include <algorithm>

#include <luge/base/detail/check.h>
#include <luge/ops/convolution.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/detail/spatial.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

using Sizes = Convolution::Sizes;

/// Which elements of an image the windows' elements are. All sizes have three numbers, the last two of them meant.
struct Tiling {
  Sizes image, kernel, dilation, padding, stride, windows;

  Tiling(const char* op, const Sizes& image_sizes, const Spatial& kernel_size, const ColumnsOptions& options)
      : image(image_sizes),
        kernel(spatial(op, "kernel_size", kernel_size, 2, 1, 1)),
        dilation(spatial(op, "dilation", options.dilation, 2, 1, 1)),
        padding(spatial(op, "padding", options.padding, 2, 0, 0)),
        stride(spatial(op, "stride", options.stride, 2, 1, 1)),
        windows{1, 1, 1} {
    for (std::size_t d = 1; d < 3; ++d) {
      const std::int64_t reach = dilation[d] * (kernel[d] - 1), padded = image[d] + 2 * padding[d];
      LUGE_CHECK(ShapeError, padded > reach, "{}: a window of {} is larger than the padded image of {}", op, reach + 1, padded);
      windows[d] = (padded - reach - 1) / stride[d] + 1;
    }
  }
  std::int64_t taps() const { return kernel[1] * kernel[2]; }
  std::int64_t count() const { return windows[1] * windows[2]; }

  /// For each tap the elements of images (..., height, width) and of columns (..., taps, rows, columns) that are the same.
  template <class Visit>
  void for_each_tap(const Tensor& images, const Tensor& columns, const Visit& visit) const {
    for (std::int64_t t = 0; t < taps(); ++t) {
      Tensor from = images, to = columns.select(-3, t);
      bool some = true;
      for (int d = 1; d < 3; ++d) {
        const auto at = static_cast<std::size_t>(d);
        const std::int64_t tap = d == 1 ? t / kernel[2] : t % kernel[2], away = tap * dilation[at] - padding[at];
        // Windows whose element lies inside: 0 <= w * stride + away < size.
        const std::int64_t first = away >= 0 ? 0 : (-away + stride[at] - 1) / stride[at];
        const std::int64_t last = image[at] - 1 - away < 0 ? -1 : std::min(windows[at] - 1, (image[at] - 1 - away) / stride[at]);
        if (first > last) {
          some = false;
          break;
        }
        const std::int64_t begin = first * stride[at] + away, end = last * stride[at] + away + 1;
        from = from.slice(d - 3, begin, end, stride[at]);
        to = to.slice(d - 3, first, last + 1);
      }
      if (some) visit(from, to);
    }
  }
};

Sizes image_of(const Tensor& x) { return {1, x.size(-2), x.size(-1)}; }

Tensor columns_of(const Tensor& x, const Tiling& tiling);

/// (batch, channels * taps, windows) -> (batch, channels, height, width)
Tensor images_of(const Tensor& x, const Tiling& tiling) {
  const std::int64_t batch = x.size(0), channels = x.size(1) / tiling.taps();
  return with_derivative(
      "col2im", {x},
      [&] {
        Tensor images = empty_tensor({batch, channels, tiling.image[1], tiling.image[2]}, x.dtype(), x.storage()->backend());
        fill_values(images, 0);
        const Tensor columns = x.reshape({batch, channels, tiling.taps(), tiling.windows[1], tiling.windows[2]});
        tiling.for_each_tap(images, columns, [](const Tensor& image, const Tensor& tap) { copy_values(tap, image, Store::Accumulate); });
        return images;
      },
      [tiling](const Tensor& gradient, std::span<const Tensor>) { return std::vector<Tensor>{columns_of(gradient, tiling)}; });
}

/// (batch, channels, height, width) -> (batch, channels * taps, windows)
Tensor columns_of(const Tensor& x, const Tiling& tiling) {
  const std::int64_t batch = x.size(0), channels = x.size(1);
  return with_derivative(
      "im2col", {x},
      [&] {
        Tensor columns = empty_tensor({batch, channels, tiling.taps(), tiling.windows[1], tiling.windows[2]}, x.dtype(),
                                      x.storage()->backend());
        fill_values(columns, 0);
        tiling.for_each_tap(x, columns, [](const Tensor& image, const Tensor& tap) { copy_values(image, tap, Store::Overwrite); });
        return columns.view({batch, channels * tiling.taps(), tiling.count()});
      },
      [tiling](const Tensor& gradient, std::span<const Tensor>) { return std::vector<Tensor>{images_of(gradient, tiling)}; });
}

}  // namespace

Tensor im2col(const Tensor& x, const Spatial& kernel_size, const ColumnsOptions& options) {
  const Operation called("im2col");
  const Shape& shape = checked(x, "im2col").shape;
  LUGE_CHECK(DTypeError, is_floating(x.dtype()), "im2col: input is {}; it must be of a floating dtype", name(x.dtype()));
  LUGE_CHECK(ShapeError, shape.ndim() == 4 || shape.ndim() == 3,
             "im2col: input has shape {}; it must be (batch, channels, height, width) or (channels, height, width)", to_string(shape));
  if (shape.ndim() == 3) return im2col(x.unsqueeze(0), kernel_size, options).squeeze(0);
  for (int d = 1; d < 4; ++d)
    LUGE_CHECK(ShapeError, shape[d] > 0, "im2col: input has shape {}; only the batch may be 0", to_string(shape));
  return columns_of(x, Tiling("im2col", image_of(x), kernel_size, options));
}

Tensor col2im(const Tensor& x, const Spatial& output_size, const Spatial& kernel_size, const ColumnsOptions& options) {
  const Operation called("col2im");
  const Shape& shape = checked(x, "col2im").shape;
  LUGE_CHECK(DTypeError, is_floating(x.dtype()), "col2im: input is {}; it must be of a floating dtype", name(x.dtype()));
  LUGE_CHECK(ShapeError, shape.ndim() == 3 || shape.ndim() == 2,
             "col2im: input has shape {}; it must be (batch, channels * taps, windows) or (channels * taps, windows)", to_string(shape));
  if (shape.ndim() == 2) return col2im(x.unsqueeze(0), output_size, kernel_size, options).squeeze(0);
  const Tiling tiling("col2im", spatial("col2im", "output_size", output_size, 2, 1, 1), kernel_size, options);
  LUGE_CHECK(ShapeError, shape[1] > 0 && shape[1] % tiling.taps() == 0,
             "col2im: input has shape {}; its {} rows must be a multiple of the window's {} elements", to_string(shape), shape[1],
             tiling.taps());
  LUGE_CHECK(ShapeError, shape[2] == tiling.count(), "col2im: input has shape {}; it must have {} columns, as many as there are windows",
             to_string(shape), tiling.count());
  return images_of(x, tiling);
}

}  // namespace luge
