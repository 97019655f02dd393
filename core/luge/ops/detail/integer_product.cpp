// Products of integers by the matrix product of float64, which is exact below 2^53: numbers of 32 and 64 bits are cut into
// digits of 16 bits, whose products have 32, and a sum of 2^20 of them 52.

#include <luge/ops/detail/integer_product.h>

#include <algorithm>
#include <vector>

#include <luge/ops/elementwise.h>
#include <luge/ops/matmul.h>

namespace luge {

namespace {

constexpr std::int64_t kTerms = std::int64_t{1} << 20;
constexpr int kDigit = 16;

std::vector<Tensor> digits(const Tensor& x) {
  const int bits = 8 * static_cast<int>(size_of(x.dtype()));
  if (bits <= kDigit) return {x.to(DType::Float64)};
  const Tensor wide = x.to(DType::Int64);
  std::vector<Tensor> result;
  for (int shift = 0; shift < bits; shift += kDigit)
    result.push_back(bitwise_and(bitwise_right_shift(wide, shift), 0xffff).to(DType::Float64));
  return result;
}

/// Of at most kTerms terms, as int64.
Tensor short_product(const Tensor& a, const Tensor& b) {
  const std::vector<Tensor> left = digits(a), right = digits(b);
  Tensor result;
  for (std::size_t i = 0; i < left.size(); ++i)
    for (std::size_t j = 0; i + j < left.size(); ++j) {  // what lies above is lost
      Tensor part = matmul(left[i], right[j]).to(DType::Int64);
      if (i + j > 0) part = bitwise_left_shift(part, static_cast<std::int64_t>(kDigit * (i + j)));
      result = result.defined() ? add(result, part) : part;
    }
  return result;
}

}  // namespace

Tensor integer_product(const Tensor& a, const Tensor& b) {
  const std::int64_t terms = a.shape().back();
  if (terms <= kTerms) return short_product(a, b).to(a.dtype());
  Tensor result;
  for (std::int64_t from = 0; from < terms; from += kTerms) {
    const std::int64_t count = std::min(kTerms, terms - from);
    const Tensor part = short_product(a.slice(-1, from, from + count), b.slice(-2, from, from + count));
    result = result.defined() ? add(result, part) : part;
  }
  return result.to(a.dtype());
}

}  // namespace luge
