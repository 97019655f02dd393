// Convolutions as products of matrices: windows of some images are laid out in scratch memory as columns (im2col) for
// products to read, or products write columns that are added up where their windows overlap (col2im). An element of an
// image gathers its terms in the order of the taps, so that no result depends on the order in which threads run.
//   columns  (sets, groups, channels, taps, images, positions)

#include <algorithm>

#include <luge/base/detail/dispatch.h>

#include "blocks.cuh"
#include "index.cuh"
#include "kernels.h"
#include "launch.h"

namespace luge::cuda {

namespace {

using Role = Convolution::Role;

/// Elements of columns at a time: scratch memory stays bounded, and some images keep the GPU busy.
constexpr std::int64_t kMostColumns = std::int64_t{1} << 25;

/// Some sets and images of a call as a kernel gets them.
struct Part {
  std::int64_t images, groups, channels;
  std::int64_t in[3], out[3], kernel[3], stride[3], dilation[3], padding[3];
  std::int64_t x_set, x_image, bias_set;
  std::int64_t positions, taps, space;

  explicit Part(const Convolution& call)
      : images(call.batch),
        groups(call.groups),
        channels(call.in_channels),
        x_set(call.x.strides[0]),
        x_image(call.x.strides[1]),
        bias_set(call.bias.is_memory() ? call.bias.strides[0] : 0),
        positions(Convolution::product(call.out)),
        taps(Convolution::product(call.kernel)),
        space(Convolution::product(call.in)) {
    for (std::size_t d = 0; d < 3; ++d) {
      in[d] = call.in[d];
      out[d] = call.out[d];
      kernel[d] = call.kernel[d];
      stride[d] = call.stride[d];
      dilation[d] = call.dilation[d];
      padding[d] = call.padding[d];
    }
  }
};

/// The last of the coordinates of `position`, which goes on with the ones before.
__device__ inline std::int64_t take_last(std::int64_t& position, std::int64_t size) {
  const std::int64_t rest = quick_quotient(position, size), last = position - rest * size;
  position = rest;
  return last;
}

/// A thread per element of the columns.
template <class T>
__global__ void __launch_bounds__(kThreads) unfold_kernel(const Part part, const T* x, T* columns, std::int64_t count) {
  for (std::int64_t at = grid_thread(); at < count; at += grid_threads()) {
    std::int64_t rest = at;
    std::int64_t position = take_last(rest, part.positions);
    const std::int64_t image = take_last(rest, part.images);
    std::int64_t tap = take_last(rest, part.taps);
    const std::int64_t channel = take_last(rest, part.channels), group = take_last(rest, part.groups), set = rest;
    std::int64_t offset = 0, step = 1;
    bool inside = true;
#pragma unroll
    for (int d = 2; d >= 0; --d) {
      const std::int64_t o = take_last(position, part.out[d]), t = take_last(tap, part.kernel[d]);
      const std::int64_t i = o * part.stride[d] - part.padding[d] + t * part.dilation[d];
      inside = inside && i >= 0 && i < part.in[d];
      offset += i * step;
      step *= part.in[d];
    }
    const T* const plane = x + set * part.x_set + image * part.x_image + (group * part.channels + channel) * part.space;
    columns[at] = inside ? plane[offset] : T(0);
  }
}

/// A thread per element of x.
template <class T>
__global__ void __launch_bounds__(kThreads)
    fold_kernel(const Part part, const T* columns, const T* bias, T* x, std::int64_t count, bool accumulates) {
  for (std::int64_t at = grid_thread(); at < count; at += grid_threads()) {
    std::int64_t rest = at;
    const std::int64_t element = take_last(rest, part.space);
    const std::int64_t channel = take_last(rest, part.channels), group = take_last(rest, part.groups);
    const std::int64_t image = take_last(rest, part.images), set = rest;
    T* const to = x + set * part.x_set + image * part.x_image + (group * part.channels + channel) * part.space + element;
    const T* const from = columns + (set * part.groups + group) * part.channels * part.taps * part.images * part.positions +
                          image * part.positions;
    T sum = T(0);
    for (std::int64_t t = 0; t < part.taps; ++t) {
      std::int64_t tap = t, place = element, position = 0, step = 1;
      bool seen = true;
#pragma unroll
      for (int d = 2; d >= 0; --d) {
        const std::int64_t away = take_last(place, part.in[d]) + part.padding[d] - take_last(tap, part.kernel[d]) * part.dilation[d];
        const std::int64_t o = away < 0 ? 0 : quick_quotient(away, part.stride[d]);
        seen = seen && away >= 0 && o * part.stride[d] == away && o < part.out[d];
        position += o * step;
        step *= part.out[d];
      }
      if (seen) sum += from[(channel * part.taps + t) * part.images * part.positions + position];
    }
    if (bias) sum += bias[set * part.bias_set + group * part.channels + channel];
    *to = accumulates ? *to + sum : sum;
  }
}

// ---- products -----------------------------------------------------------------------------------

void move_on(Operand& operand, std::int64_t elements) {
  if (operand.is_memory()) operand.data = static_cast<std::byte*>(operand.data) + bytes_of(operand.dtype, elements);
}

/// Some of a call's sets and images.
Convolution some_of(const Convolution& call, std::int64_t set, std::int64_t sets, std::int64_t image, std::int64_t images) {
  Convolution some = call;
  some.sets = sets;
  some.batch = images;
  for (Operand* const operand : {&some.x, &some.y})
    if (operand->is_memory()) move_on(*operand, set * operand->strides[0] + image * operand->strides[1]);
  for (Operand* const operand : {&some.w, &some.bias})
    if (operand->is_memory()) move_on(*operand, set * operand->strides[0]);
  return some;
}

/// What a factor of the products is: its distances from set to set, group to group and image to image, and its matrix.
struct Factor {
  Operand operand;
  std::int64_t set, group, image, row, column;
};

/// The products of a call for each set, group and, unless they are joined, image; outermost dimensions of size 1 are left out.
struct Products {
  const Convolution& call;
  MatMul product;

  explicit Products(const Convolution& of) : call(of) { product.allow_tf32 = of.allow_tf32; }
  void set(Operand& to, const Factor& factor, bool by_image) {
    to = factor.operand;
    std::size_t d = 0;
    if (call.sets > 1) to.strides[d++] = factor.set;
    if (call.groups > 1) to.strides[d++] = factor.group;
    if (by_image && call.batch > 1) to.strides[d++] = factor.image;
    to.strides[d++] = factor.row;
    to.strides[d] = factor.column;
  }
  void run(const Context& context, const Factor& a, const Factor& b, const Factor& c, bool by_image) {
    set(product.a, a, by_image);
    set(product.b, b, by_image);
    set(product.c, c, by_image);
    product.batch = Extent();
    if (call.sets > 1) product.batch = product.batch.with(call.sets);
    if (call.groups > 1) product.batch = product.batch.with(call.groups);
    if (by_image && call.batch > 1) product.batch = product.batch.with(call.batch);
    cuda::run(context, product);
  }
};

struct Matrices {
  Factor columns, weights, y;
  std::int64_t rows, positions;
};

Operand memory(DType dtype, void* data) {
  Operand operand;
  operand.kind = Operand::Kind::Memory;
  operand.dtype = dtype;
  operand.data = data;
  operand.strides.fill(0);
  return operand;
}

Matrices matrices_of(const Convolution& call, void* columns) {
  const std::int64_t taps = Convolution::product(call.kernel), positions = Convolution::product(call.out);
  const std::int64_t rows = call.in_channels * taps, line = call.batch * positions;
  return {.columns = {memory(call.w.dtype, columns), call.groups * rows * line, rows * line, positions, line, 1},
          .weights = {call.w, call.w.strides[0], call.out_channels * rows, 0, rows, 1},
          .y = {call.y, call.y.strides[0], call.out_channels * positions, call.y.strides[1], positions, 1},
          .rows = rows,
          .positions = positions};
}

/// Every element of a channel of y becomes its bias.
void spread_bias(const Context& context, const Convolution& call) {
  Copy copy;
  copy.extent = Extent().with(call.sets).with(call.batch).with(call.groups * call.out_channels).with(Convolution::product(call.out));
  copy.in = call.bias;
  copy.in.strides[1] = 0;
  copy.in.strides[2] = 1;
  copy.in.strides[3] = 0;
  copy.out = call.y;
  copy.out.strides[2] = Convolution::product(call.out);
  copy.out.strides[3] = 1;
  run(context, copy);
}

template <class T>
void unfold(const Context& context, const Convolution& call, T* columns, std::int64_t count) {
  launch(context, unfold_kernel<T>, grid_stride(context, count, kThreads), Part(call), static_cast<const T*>(call.x.data), columns,
         count);
}

template <class T>
void output(const Context& context, const Convolution& call, T* columns, std::int64_t count) {
  unfold(context, call, columns, count);
  const Matrices of = matrices_of(call, columns);
  Products products(call);
  products.product.m = call.out_channels;
  products.product.n = of.positions;
  products.product.k = of.rows;
  products.product.store = call.store;
  if (call.bias.is_memory()) {
    spread_bias(context, call);
    products.product.store = Store::Accumulate;
  }
  products.run(context, of.weights, of.columns, of.y, true);
}

template <class T>
void input(const Context& context, const Convolution& call, T* columns) {
  const Matrices of = matrices_of(call, columns);
  Products products(call);
  products.product.m = of.rows;
  products.product.n = of.positions;
  products.product.k = call.out_channels;
  Factor turned = of.weights;
  std::swap(turned.row, turned.column);
  products.run(context, turned, of.y, of.columns, true);
  const std::int64_t elements = call.sets * call.batch * call.x_image();
  launch(context, fold_kernel<T>, grid_stride(context, elements, kThreads), Part(call), static_cast<const T*>(columns),
         call.bias.is_memory() ? static_cast<const T*>(call.bias.data) : nullptr, static_cast<T*>(call.x.data), elements,
         call.store == Store::Accumulate);
}

/// y's images are laid side by side as those of the columns are.
template <class T>
void weight(const Context& context, const Convolution& call, T* columns, std::int64_t count, Store store) {
  unfold(context, call, columns, count);
  const Matrices of = matrices_of(call, columns);
  const std::int64_t line = call.batch * of.positions, channels = call.groups * call.out_channels;
  const Scratch scratch(context, bytes_of(call.w.dtype, call.sets * channels * line));
  Copy copy;
  copy.extent = Extent().with(call.sets).with(channels).with(call.batch).with(of.positions);
  copy.in = call.y;
  copy.in.strides[1] = of.positions;
  copy.in.strides[2] = call.y.strides[1];
  copy.in.strides[3] = 1;
  copy.out = memory(call.w.dtype, scratch.as<void>());
  copy.out.strides[0] = channels * line;
  copy.out.strides[1] = line;
  copy.out.strides[2] = of.positions;
  copy.out.strides[3] = 1;
  run(context, copy);
  Products products(call);
  products.product.m = call.out_channels;
  products.product.n = of.rows;
  products.product.k = line;
  products.product.store = store;
  Factor turned = of.columns;
  std::swap(turned.row, turned.column);
  const Factor packed{copy.out, channels * line, call.out_channels * line, 0, line, 1};
  products.run(context, packed, turned, of.weights, false);
}

}  // namespace

void run(const Context& context, const Convolution& call) {
  // How many images are added up at once depends on those of one set alone (law 7).
  const std::int64_t image = call.groups * call.in_channels * Convolution::product(call.kernel) * Convolution::product(call.out);
  const std::int64_t images = std::clamp<std::int64_t>(kMostColumns / image, 1, call.batch);
  const std::int64_t sets = std::clamp<std::int64_t>(kMostColumns / (images * image), 1, call.sets);
  with_floating(call.w.dtype, [&]<class T>() {
    const Scratch scratch(context, bytes_of(call.w.dtype, sets * images * image));
    for (std::int64_t s = 0; s < call.sets; s += sets)
      for (std::int64_t n = 0; n < call.batch; n += images) {
        const Convolution some = some_of(call, s, std::min(sets, call.sets - s), n, std::min(images, call.batch - n));
        const std::int64_t count = some.sets * some.batch * image;
        switch (call.role) {
          case Role::Output: output(context, some, scratch.as<T>(), count); break;
          case Role::Input: input(context, some, scratch.as<T>()); break;
          case Role::Weight: weight(context, some, scratch.as<T>(), count, n == 0 ? call.store : Store::Accumulate); break;
        }
      }
  });
}

}  // namespace luge::cuda
