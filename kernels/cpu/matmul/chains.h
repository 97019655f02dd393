#pragma once
// Products by vector loops of our own, for matrices that caches hold.

#include <cstdint>

#include "product.h"

namespace luge::cpu {

/// Elements of a row of c that are computed together, at most.
inline constexpr std::int64_t kChainLanes = 64;

/// Each element of c is one chain of fused multiply-adds in the order of k, whatever the sizes and strides, which is then
/// added to what was before: neither blocking nor orientation nor the rows that are computed together change a bit.
/// `working` holds chain_working() elements. c's rows are contiguous
/// or its columns are, and of `before` in the same direction, unless it repeats there.
void chain_product(const Product<float>& p, float* working);
void chain_product(const Product<double>& p, double* working);

/// Elements that a product packs, or one of some of its rows and columns: at most kChainLanes * k, none where b is read
/// where it lies.
std::int64_t chain_working(const Product<float>& p);
std::int64_t chain_working(const Product<double>& p);

}  // namespace luge::cpu
