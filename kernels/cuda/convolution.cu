// Convolutions as products of matrices: windows of some images are laid out in scratch memory as columns (im2col) for
// products to read, or products write columns that are added up where their windows overlap (col2im). An element of an
// image gathers its terms in the order of the taps, so that no result depends on the order in which threads run.
//   columns  (sets, groups, channels, taps, images, positions)

#include <algorithm>

#include <luge/base/detail/dispatch.h>

#include "columns.cuh"
#include "kernels.h"
#include "launch.h"

namespace luge::cuda {

namespace {

using Role = Convolution::Role;

/// Elements of columns at a time: scratch memory stays bounded, and some images keep the GPU busy.
constexpr std::int64_t kMostColumns = std::int64_t{1} << 25;

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

/// use(size) with the type of the sizes that the call's kernels divide by.
void with_sizes(const Convolution& call, const auto& use) {
  if (is_narrow(call))
    use(ShortSize());
  else
    use(LongSize());
}

template <class T>
void unfold(const Context& context, const Convolution& call, T* columns) {
  with_sizes(call, [&]<class Size>(Size) {
    using Position = typename Size::Position;
    const std::int64_t line = call.batch * Convolution::product(call.out);
    const std::int64_t units = call.sets * call.groups * Part<Size>::row_blocks(call) * line;
    launch(context, unfold_kernel<T, Size>, grid_stride(context, units, kThreads), Part<Size>(call),
           static_cast<const T*>(call.x.data), columns, static_cast<Position>(units));
  });
}

template <class T>
void output(const Context& context, const Convolution& call, T* columns) {
  unfold(context, call, columns);
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
  with_sizes(call, [&]<class Size>(Size) {
    using Position = typename Size::Position;
    launch(context, fold_kernel<T, Size>, grid_stride(context, elements, kThreads), Part<Size>(call), static_cast<const T*>(columns),
           call.bias.is_memory() ? static_cast<const T*>(call.bias.data) : nullptr, static_cast<T*>(call.x.data),
           static_cast<Position>(elements), call.store == Store::Accumulate);
  });
}

/// y's images are laid side by side as those of the columns are.
template <class T>
void weight(const Context& context, const Convolution& call, T* columns, Store store) {
  unfold(context, call, columns);
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
        switch (call.role) {
          case Role::Output: output(context, some, scratch.as<T>()); break;
          case Role::Input: input(context, some, scratch.as<T>()); break;
          case Role::Weight: weight(context, some, scratch.as<T>(), n == 0 ? call.store : Store::Accumulate); break;
        }
      }
  });
}

}  // namespace luge::cuda
