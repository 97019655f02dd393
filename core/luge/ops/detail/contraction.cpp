#include <luge/ops/detail/contraction.h>

#include <algorithm>

#include <luge/ops/elementwise.h>
#include <luge/ops/matmul.h>

namespace luge {

namespace {

bool has(std::uint64_t mask, Label label) { return mask >> label & 1; }

int dim_of(const Labelled& x, Label label) {
  return static_cast<int>(std::find(x.labels.begin(), x.labels.end(), label) - x.labels.begin());
}
std::int64_t size_of(const Labelled& x, Label label) { return x.tensor.size(dim_of(x, label)); }

/// Without the dimensions of size 1 whose label the other operand has, too: they only repeat.
Labelled without_repeats(const Labelled& x, const Labelled& other) {
  Labelled result = x;
  for (std::size_t d = result.labels.size(); d-- > 0;) {
    if (result.tensor.size(static_cast<int>(d)) != 1 || !has(other.mask(), result.labels[d])) continue;
    result.tensor = result.tensor.squeeze(static_cast<int>(d));
    result.labels.erase(result.labels.begin() + static_cast<std::ptrdiff_t>(d));
  }
  return result;
}

/// Whether a view can show these dimensions, in this order, as one.
bool merges(const Labelled& x, const std::vector<Label>& group) {
  std::int64_t stride = 0;
  bool first = true;
  for (std::size_t i = group.size(); i-- > 0;) {
    const int d = dim_of(x, group[i]);
    const std::int64_t size = x.tensor.size(d);
    if (size == 1) continue;
    if (!first && x.tensor.strides()[d] != stride) return false;
    first = false;
    stride = x.tensor.strides()[d] * size;
  }
  return true;
}

/// In the order in which they lie in memory.
std::vector<Label> by_stride(const Labelled& x, std::vector<Label> group) {
  std::stable_sort(group.begin(), group.end(), [&](Label a, Label b) {
    return x.tensor.strides()[dim_of(x, a)] > x.tensor.strides()[dim_of(x, b)];
  });
  return group;
}

std::int64_t count_of(const Labelled& x, const std::vector<Label>& group) {
  std::int64_t count = 1;
  for (const Label label : group) count *= size_of(x, label);
  return count;
}

/// Labels as dimensions of a batch, and two groups of them as rows and columns.
Tensor as_matrices(const Labelled& x, const std::vector<Label>& batch, const std::vector<Label>& rows,
                   const std::vector<Label>& columns) {
  std::vector<int> dims;
  Shape shape;
  for (const Label label : batch) {
    dims.push_back(dim_of(x, label));
    shape.push_back(x.tensor.size(dims.back()));
  }
  for (const std::vector<Label>* const group : {&rows, &columns}) {
    for (const Label label : *group) dims.push_back(dim_of(x, label));
    shape.push_back(count_of(x, *group));
  }
  bool in_order = true;
  for (std::size_t d = 0; d < dims.size(); ++d) in_order &= dims[d] == static_cast<int>(d);
  const Tensor permuted = in_order ? x.tensor : x.tensor.permute(dims);
  return permuted.shape() == shape ? permuted : permuted.reshape(shape);
}

/// Where the first of these labels stands in `order`; late for none.
std::size_t place(const std::vector<Label>& group, const std::vector<Label>& order) {
  std::size_t first = order.size();
  for (const Label label : group)
    first = std::min(first, static_cast<std::size_t>(std::find(order.begin(), order.end(), label) - order.begin()));
  return first;
}

/// As `order` has them, the others behind.
std::vector<Label> sorted_as(std::vector<Label> labels, const std::vector<Label>& order) {
  std::stable_sort(labels.begin(), labels.end(), [&](Label a, Label b) { return place({a}, order) < place({b}, order); });
  return labels;
}

/// Nothing is summed: elements are multiplied.
Labelled multiplied(const Labelled& a, const Labelled& b, const std::vector<Label>& order) {
  std::vector<Label> labels = a.labels;
  for (const Label label : b.labels)
    if (!has(a.mask(), label)) labels.push_back(label);
  labels = sorted_as(std::move(labels), order);
  return {mul(arranged(a, labels), arranged(b, labels)), labels};
}

}  // namespace

Tensor moved_from_end(const Tensor& x, int dim) {
  std::vector<int> dims;
  for (int d = 0; d + 1 < x.ndim(); ++d) dims.push_back(d);
  dims.insert(dims.begin() + dim, x.ndim() - 1);
  return x.permute(dims);
}

Labelled summed(const Labelled& x, std::uint64_t kept) {
  std::vector<int> dims;
  Labelled result{x.tensor, {}};
  for (std::size_t d = 0; d < x.labels.size(); ++d) {
    if (has(kept, x.labels[d]))
      result.labels.push_back(x.labels[d]);
    else
      dims.push_back(static_cast<int>(d));
  }
  if (dims.empty()) return x;
  result.tensor = x.tensor.sum(DimList(dims));
  return result;
}

Tensor arranged(const Labelled& x, const std::vector<Label>& order) {
  std::vector<int> dims;
  Tensor result = x.tensor;
  bool in_order = true;
  for (const Label label : order) {
    if (!has(x.mask(), label)) continue;
    in_order &= dim_of(x, label) == static_cast<int>(dims.size());
    dims.push_back(dim_of(x, label));
  }
  if (!in_order) result = result.permute(dims);
  if (dims.size() == order.size()) return result;
  Shape shape;
  for (const Label label : order) shape.push_back(has(x.mask(), label) ? size_of(x, label) : 1);
  return result.reshape(shape);
}

Labelled contracted(const Labelled& left, const Labelled& right, std::uint64_t kept, const std::vector<Label>& order) {
  Labelled a = without_repeats(left, right), b = without_repeats(right, a);
  // Integers are summed as int64; what is left of that in their own dtype is what sums in it would be.
  a = summed(a, kept | b.mask());
  a.tensor = a.tensor.to(left.tensor.dtype());
  b = summed(b, kept | a.mask());
  b.tensor = b.tensor.to(right.tensor.dtype());
  std::vector<Label> batch, sum, rows, columns;
  for (const Label label : a.labels) (has(b.mask(), label) ? has(kept, label) ? batch : sum : rows).push_back(label);
  for (const Label label : b.labels)
    if (!has(a.mask(), label)) columns.push_back(label);
  if (sum.empty()) return multiplied(a, b, order);
  if (place(columns, order) < place(rows, order)) {  // the result's columns lie closer together
    std::swap(a, b);
    std::swap(rows, columns);
  }
  batch = sorted_as(batch, order);
  // A group is one dimension without a copy where its labels stand in the order of memory, and for what is summed, in both
  // operands.
  const std::vector<Label> of_order = sorted_as(rows, order), of_columns = sorted_as(columns, order);
  rows = merges(a, of_order) ? of_order : by_stride(a, rows);
  columns = merges(b, of_columns) ? of_columns : by_stride(b, columns);
  const std::vector<Label> of_a = by_stride(a, sum), of_b = by_stride(b, sum);
  sum = merges(a, of_a) && merges(b, of_a) ? of_a : merges(b, of_b) ? of_b : of_a;
  if (batch.size() > static_cast<std::size_t>(kMaxDims - 2)) {  // no room for matrices
    Labelled result = summed(multiplied(a, b, order), kept);
    result.tensor = result.tensor.to(a.tensor.dtype());
    return result;
  }
  const Tensor product = matmul(as_matrices(a, batch, rows, sum), as_matrices(b, batch, sum, columns));
  Labelled result{product, batch};
  Shape shape;
  for (const Label label : batch) shape.push_back(size_of(a, label));
  for (const Label label : rows) {
    shape.push_back(size_of(a, label));
    result.labels.push_back(label);
  }
  for (const Label label : columns) {
    shape.push_back(size_of(b, label));
    result.labels.push_back(label);
  }
  if (product.shape() != shape) result.tensor = product.reshape(shape);
  return result;
}

}  // namespace luge
