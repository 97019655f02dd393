#include <luge/ops/broadcast.h>

#include <algorithm>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

Shape broadcast_shapes(const std::vector<Shape>& shapes) {
  Shape result;
  for (const Shape& shape : shapes) {
    for (const std::int64_t size : shape)
      LUGE_CHECK(ValueError, size >= 0, "broadcast_shapes: shape {} has a size of {}; sizes must be 0 or more",
                 to_string(shape), size);
    result = broadcast_shapes("broadcast_shapes", result, shape);
  }
  return result;
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  const Operation called("broadcast_to");
  checked(x, "broadcast_to");
  for (const std::int64_t size : shape)
    LUGE_CHECK(ShapeError, size >= -1, "broadcast_to: shape {} has a size of {}; sizes must be 0 or more",
               to_string(shape), size);
  return x.expand(shape);
}

std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors) {
  const Operation called("broadcast_tensors");
  Shape shape;
  for (const Tensor& x : tensors) shape = broadcast_shapes("broadcast_tensors", shape, checked(x, "broadcast_tensors").shape);
  std::vector<Tensor> result;
  for (const Tensor& x : tensors) result.push_back(x.shape() == shape ? x : x.expand(shape));
  return result;
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, Indexing indexing) {
  const Operation called("meshgrid");
  LUGE_CHECK(ValueError, !tensors.empty(), "meshgrid: no tensors are given; at least one is needed");
  Shape shape;
  for (const Tensor& x : tensors) {
    LUGE_CHECK(ShapeError, checked(x, "meshgrid").shape.ndim() <= 1, "meshgrid: a tensor has shape {}; it must be 1-d or 0-d",
               to_string(x.shape()));
    LUGE_CHECK(DTypeError, x.dtype() == tensors[0].dtype(), "meshgrid: tensors are {} and {}; they must be of one dtype",
               name(tensors[0].dtype()), name(x.dtype()));
    LUGE_CHECK(DeviceError, x.device() == tensors[0].device(), "meshgrid: tensors are on {} and {}",
               to_string(tensors[0].device()), to_string(x.device()));
    shape.push_back(x.numel());
  }
  const bool swapped = indexing == Indexing::CartesianStyle && shape.ndim() >= 2;
  std::vector<Tensor> grids;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    Shape own = Dims::filled(shape.ndim(), 1);
    own[static_cast<int>(i)] = tensors[i].numel();
    const Tensor grid = tensors[i].view(own).expand(shape);
    grids.push_back(swapped ? grid.transpose(0, 1) : grid);
  }
  return grids;
}

Tensor cartesian_prod(const std::vector<Tensor>& tensors) {
  const Operation called("cartesian_prod");
  LUGE_CHECK(ValueError, !tensors.empty(), "cartesian_prod: no tensors are given; at least one is needed");
  for (const Tensor& x : tensors)
    LUGE_CHECK(ShapeError, checked(x, "cartesian_prod").shape.ndim() == 1,
               "cartesian_prod: a tensor has shape {}; all must be 1-d", to_string(x.shape()));
  if (tensors.size() == 1) return tensors[0];
  std::vector<Tensor> columns;
  for (const Tensor& grid : meshgrid(tensors)) columns.push_back(grid.reshape({grid.numel()}));
  return stack(columns, 1);
}

namespace {

/// How many choices of `count` elements out of n there are, or more than 1e18 instead of more than that.
double binomial(double n, double count) {
  double choices = 1;
  const double fewer = std::min(count, n - count);
  for (double i = 1; i <= fewer && choices < 1e18; ++i) choices *= (n - fewer + i) / i;
  return choices;
}

}  // namespace

Tensor combinations(const Tensor& x, std::int64_t count, bool with_replacement) {
  const Operation called("combinations");
  LUGE_CHECK(ShapeError, checked(x, "combinations").shape.ndim() == 1, "combinations: the tensor has shape {}; it must be 1-d",
             to_string(x.shape()));
  LUGE_CHECK(ValueError, count >= 0, "combinations: r is {}; it must be 0 or more", count);
  const std::int64_t n = x.numel();
  if (count == 0) return empty({0}, {.dtype = x.dtype(), .device = x.device()});
  if (with_replacement ? n == 0 : count > n) return empty({0, count}, {.dtype = x.dtype(), .device = x.device()});
  const double drawn = static_cast<double>(count);
  const double choices = binomial(static_cast<double>(n) + (with_replacement ? drawn - 1 : 0), drawn);
  constexpr double kMostPlaces = 1e9;  // 8 GB of them on the host
  LUGE_CHECK(OutOfMemoryError, choices * drawn <= kMostPlaces,
             "combinations: there are {:g} choices of {} from {} elements; at most {:g} elements are chosen at once", choices,
             count, n, kMostPlaces);
  std::vector<std::int64_t> places, choice(static_cast<std::size_t>(count));
  std::int64_t rows = 0;
  for (std::int64_t i = 0; i < count; ++i) choice[static_cast<std::size_t>(i)] = with_replacement ? 0 : i;
  for (bool more = true; more;) {
    places.insert(places.end(), choice.begin(), choice.end());
    ++rows;
    more = false;
    for (std::int64_t i = count - 1; i >= 0 && !more; --i) {  // the last place that can go up does
      const auto at = static_cast<std::size_t>(i);
      if (choice[at] + 1 > n - 1 - (with_replacement ? 0 : count - 1 - i)) continue;
      std::int64_t next = choice[at] + 1;
      for (std::size_t j = at; j < choice.size(); ++j) choice[j] = with_replacement ? next : next++;
      more = true;
    }
  }
  Tensor index;
  if (observer) {  // a captured step takes no values of the host
    std::vector<Tensor> numbers;
    for (const std::int64_t place : places) numbers.push_back(full({1}, place, {.dtype = DType::Int64, .device = x.device()}));
    index = cat(numbers);
  } else {
    index = from_host(places, {rows * count}, x.device());
  }
  return index_select(x, 0, index).view({rows, count});
}

Tensor atleast(const char* op, const Tensor& x, int ndim) {
  const Operation called(op);
  Shape shape = checked(x, op).shape;
  if (shape.ndim() >= ndim) return x;
  if (shape.empty()) return x.view(Dims::filled(ndim, 1));
  if (shape.ndim() == 1) shape.insert(0, 1);
  while (shape.ndim() < ndim) shape.push_back(1);
  return x.view(shape);
}

}  // namespace luge
