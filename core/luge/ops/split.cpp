#include <luge/ops/split.h>

#include <algorithm>

#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

int dim_to_split(const char* op, const Tensor& x, int dim) {
  LUGE_CHECK(ShapeError, checked(x, op).shape.ndim() > 0, "{}: the tensor is 0-d; it needs at least one dimension", op);
  return normalize_dim(op, dim, x.ndim());
}

std::vector<Tensor> parts_of_size(const Tensor& x, std::int64_t size, int dim) {
  const std::int64_t whole = x.shape()[dim];
  std::vector<Tensor> parts;
  for (std::int64_t start = 0; start < whole; start += std::min(size, whole - start))
    parts.push_back(x.slice(dim, start, start + std::min(size, whole - start)));
  if (parts.empty()) parts.push_back(x.slice(dim, 0));
  return parts;
}

/// Parts beyond the size of a dimension are empty: their number costs memory that no limit counts.
void check_count(const char* op, const char* parts, std::int64_t asked, std::int64_t whole) {
  constexpr std::int64_t kMostEmpty = 1 << 20;
  LUGE_CHECK(ValueError, asked > 0, "{}: {} {} are asked for; it must be 1 or more", op, asked, parts);
  LUGE_CHECK(ValueError, asked <= std::max(whole, kMostEmpty),
             "{}: {} {} are asked for along a dimension of size {}; at most {} are made", op, asked, parts, whole,
             std::max(whole, kMostEmpty));
}

}  // namespace

std::vector<Tensor> split(const Tensor& x, std::int64_t size, int dim) {
  const Operation called("split");
  const int d = dim_to_split("split", x, dim);
  LUGE_CHECK(ValueError, size > 0 || (size == 0 && x.shape()[d] == 0),
             "split: the size of a part is {} along a dimension of size {}; it must be 1 or more", size, x.shape()[d]);
  return parts_of_size(x, std::max<std::int64_t>(size, 1), d);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int dim) {
  const Operation called("split");
  const int d = dim_to_split("split", x, dim);
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  for (const std::int64_t size : sizes) {
    LUGE_CHECK(ValueError, size >= 0, "split: the size of a part is {}; sizes must be 0 or more", size);
    LUGE_CHECK(ValueError, size <= x.shape()[d] - start, "split: the sizes of the parts exceed {}, the size of dim {}",
               x.shape()[d], d);
    parts.push_back(x.slice(d, start, start + size));
    start += size;
  }
  LUGE_CHECK(ValueError, start == x.shape()[d], "split: the sizes of the parts add up to {}; dim {} has size {}", start, d,
             x.shape()[d]);
  return parts;
}

std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, int dim) {
  const Operation called("chunk");
  const int d = dim_to_split("chunk", x, dim);
  const std::int64_t whole = x.shape()[d];
  LUGE_CHECK(ValueError, chunks > 0, "chunk: {} chunks are asked for; it must be 1 or more", chunks);
  if (whole == 0) check_count("chunk", "chunks", chunks, whole);
  if (whole == 0) return std::vector<Tensor>(static_cast<std::size_t>(chunks), x.slice(d, 0));  // as PyTorch does
  return parts_of_size(x, (whole - 1) / chunks + 1, d);
}

std::vector<Tensor> tensor_split(const Tensor& x, std::int64_t sections, int dim) {
  const Operation called("tensor_split");
  const int d = dim_to_split("tensor_split", x, dim);
  const std::int64_t whole = x.shape()[d];
  check_count("tensor_split", "sections", sections, whole);
  const std::int64_t larger = whole % sections;
  std::vector<Tensor> parts;
  for (std::int64_t i = 0, start = 0; i < sections; ++i) {
    const std::int64_t stop = start + whole / sections + (i < larger);
    parts.push_back(x.slice(d, start, stop));
    start = stop;
  }
  return parts;
}

std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<std::int64_t>& indices, int dim) {
  const Operation called("tensor_split");
  const int d = dim_to_split("tensor_split", x, dim);
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  for (const std::int64_t index : indices) {
    parts.push_back(x.slice(d, start, index));
    start = index;
  }
  parts.push_back(x.slice(d, start));
  return parts;
}

std::vector<Tensor> unbind(const Tensor& x, int dim) {
  const Operation called("unbind");
  const int d = dim_to_split("unbind", x, dim);
  std::vector<Tensor> parts;
  for (std::int64_t i = 0; i < x.shape()[d]; ++i) parts.push_back(x.select(d, i));
  return parts;
}

}  // namespace luge
