// Layer, RMS, group, instance and batch normalization, a row of common statistics at a time.
//
// Moments are taken block by block, each while it is in the first-level cache: sums of deviations from the block's first element
// and of their squares in one pass (shifted data). If that element lies too far from the mean for its digits, the mean is found
// first and then corrected (two passes); blocks are merged in float64. All three: T. F. Chan, G. H. Golub, R. J. LeVeque,
// Algorithms for computing the sample variance, The American Statistician 37 (1983). So a mean far larger than the deviation
// costs no digits but its own rounding.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(normalization.cpp)
#include <hwy/foreach_target.h>

#include <cmath>

#include <luge/base/detail/dispatch.h>

#include "row_math.h"

#include "kernels.h"
#include "normalization_columns.h"
#include "scratch.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// Elements whose sums are taken in the element type. They stay in the first-level cache.
inline constexpr std::int64_t kNormBlock = 4096;
/// Pieces of a row whose elements are added lane by lane: short ones leave lanes empty, and fill the others.
inline constexpr std::int64_t kNormPieces = 64;
/// A first element this many variances or less from the mean, squared, costs as many units of the variance's last place.
inline constexpr double kNear = 4;
/// Images whose contributions to a weight are added in the element type.
inline constexpr std::int64_t kNormImages = 32;

/// Sums of several terms over the elements of a block: element i of a piece goes to lane i mod kWide, whatever the vectors'
/// width; at the end halves of the lanes are added until 16 are left, which go on in float64.
template <class T, int sums>
class WideSums {
 public:
  WideSums() {
    for (auto& lanes : lanes_) std::fill_n(lanes, kWide, T(0));
  }

  /// Adds a piece of n elements. terms(i, part, out) gives the terms of the elements from i on.
  template <class Terms>
  HWY_INLINE void add(std::int64_t n, const Terms& terms) {
    Vec<T> sum[sums][kVectors], term[sums];
    for (int k = 0; k < sums; ++k)
      for (std::int64_t q = 0; q < kVectors; ++q) sum[k][q] = load(static_cast<const T*>(lanes_[k] + q * kN));
    std::int64_t i = 0;
    for (; i + kWide <= n; i += kWide)
      for (std::int64_t q = 0; q < kVectors; ++q) {
        terms(static_cast<std::size_t>(i + q * kN), Part{kLanes<T>}, term);
        for (int k = 0; k < sums; ++k) sum[k][q] = sum[k][q] + term[k];
      }
    for (int k = 0; k < sums; ++k)
      for (std::int64_t q = 0; q < kVectors; ++q) store(lanes_[k] + q * kN, sum[k][q]);
    for (std::int64_t lane = 0; i < n; i += kN, lane += kN) {
      const Part part{static_cast<std::size_t>(std::min(kN, n - i))};
      terms(static_cast<std::size_t>(i), part, term);
      const Mask<T> there{hn::FirstN(typename Vec<T>::D(), part.lanes)};
      for (int k = 0; k < sums; ++k)
        store(lanes_[k] + lane, load(static_cast<const T*>(lanes_[k] + lane)) + select(there, term[k], Vec<T>(0.0)));
    }
  }

  HWY_INLINE double total(int k) {
    T* const lanes = lanes_[k];
    for (std::int64_t half = kWide / 2; half >= kSumLanes; half /= 2)
      for (std::int64_t j = 0; j < half; ++j) lanes[j] += lanes[j + half];
    double eight[kSums];
    for (std::int64_t j = 0; j < kSums; ++j) eight[j] = static_cast<double>(lanes[j]) + static_cast<double>(lanes[j + kSums]);
    return add_sums(eight);
  }

 private:
  static constexpr std::int64_t kWide = 256 / sizeof(T);
  static constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
  static constexpr std::int64_t kVectors = kWide / kN;

  HWY_ALIGN T lanes_[sums][kWide];
};

/// Where the elements of a row lie: pieces of equal length, at equal distances from `begin` on.
struct RowPieces {
  std::int64_t begin, pieces, length, step;

  /// Calls visit(block), of at most kNormBlock elements, in order.
  template <class Visit>
  HWY_INLINE void each_block(const Visit& visit) const {
    if (length <= kNormBlock) {
      const std::int64_t together = std::min(kNormBlock / length, kNormPieces);
      for (std::int64_t p = 0; p < pieces; p += together)
        visit(RowPieces{begin + p * step, std::min(together, pieces - p), length, step});
      return;
    }
    for (std::int64_t p = 0; p < pieces; ++p)
      for (std::int64_t i = 0; i < length; i += kNormBlock)
        visit(RowPieces{begin + p * step + i, 1, std::min(kNormBlock, length - i), 0});
  }
  /// Calls visit(first element) for every piece.
  template <class Visit>
  HWY_INLINE void each_piece(const Visit& visit) const {
    for (std::int64_t p = 0; p < pieces; ++p) visit(begin + p * step);
  }
};

struct RowMoments {
  double mean, variance;
};

/// The mean square of a row, and 0.
template <class T>
RowMoments row_mean_square(const RowPieces& row, const T* x) {
  double total = 0;
  row.each_block([&](const RowPieces& block) HWY_ATTR {
    WideSums<T, 1> sum;
    block.each_piece([&](std::int64_t at) HWY_ATTR {
      sum.add(block.length, [&](std::size_t i, Part part, Vec<T>* term) HWY_ATTR {
        const Vec<T> v = load_lanes(x + at + i, part);
        term[0] = v * v;
      });
    });
    total += sum.total(0);
  });
  return {0, total / static_cast<double>(row.pieces * row.length)};
}

/// The mean of a block and the sum of squares of deviations from it.
struct BlockMoments {
  double mean, squares;
};

/// The sums of deviations from `level` and of their squares, of n elements, as moments.
template <class T>
BlockMoments moments_about(T level, const RowPieces& block, const T* x, double n) {
  const Vec<T> from(static_cast<double>(level));
  WideSums<T, 2> deviations;
  block.each_piece([&](std::int64_t at) HWY_ATTR {
    deviations.add(block.length, [&](std::size_t i, Part part, Vec<T>* term) HWY_ATTR {
      term[0] = load_lanes(x + at + i, part) - from;
      term[1] = term[0] * term[0];
    });
  });
  const double rest = deviations.total(0);
  return {static_cast<double>(level) + rest / n, deviations.total(1) - rest * rest / n};
}

template <class T>
HWY_NOINLINE BlockMoments two_pass_moments(const RowPieces& block, const T* x, double n) {
  WideSums<T, 1> sum;
  block.each_piece([&](std::int64_t at) HWY_ATTR {
    sum.add(block.length, [&](std::size_t i, Part part, Vec<T>* term) HWY_ATTR { term[0] = load_lanes(x + at + i, part); });
  });
  const double mean = sum.total(0) / n;
  const BlockMoments moments = moments_about(static_cast<T>(mean), block, x, n);
  if (!std::isfinite(moments.mean)) return {mean, moments.squares};
  return {moments.mean, std::max(moments.squares, 0.0)};
}

template <class T>
RowMoments row_moments(const RowPieces& row, const T* x) {
  double count = 0, mean = 0, squares = 0;
  row.each_block([&](const RowPieces& block) HWY_ATTR {
    const auto n = static_cast<double>(block.pieces * block.length);
    const T first = x[block.begin];
    BlockMoments own = moments_about(first, block, x, n);
    const double apart = own.mean - static_cast<double>(first);
    if (!(apart * apart * n <= kNear * own.squares)) own = two_pass_moments(block, x, n);
    if (count == 0) {
      mean = own.mean, squares = own.squares, count = n;
      return;
    }
    const double all = count + n, between = own.mean - mean;
    squares += own.squares + between * between * (count * n / all);
    mean = (count * mean + n * own.mean) / all;
    count = all;
  });
  return {mean, squares / count};
}

/// A call as kernels see it: sizes, and the row of each number.
template <class T>
struct NormRows {
  const Normalization& call;
  bool weighted;                 ///< there are weights or biases, or gradients of them
  bool by_element;               ///< one for each element of a row
  std::int64_t channels, inner;  ///< of a row; 1 and all of it where there are none

  explicit NormRows(const Normalization& given)
      : call(given),
        weighted(given.weight.is_memory() || given.bias.is_memory() || given.dweight.is_memory() || given.dbias.is_memory()),
        by_element(weighted && given.inner == 1 && !given.over_batch),
        channels(weighted ? given.channels : 1),
        inner(weighted || given.over_batch ? given.inner : given.row_size()) {}

  /// Row r of a set.
  RowPieces row(std::int64_t r) const {
    if (call.over_batch) return {r * inner, call.batch, inner, call.groups * inner};
    return {r * channels * inner, 1, channels * inner, 0};
  }
  double size() const { return static_cast<double>(call.row_size()); }
  RowStore store(Store mode) const {
    const std::int64_t together = by_element ? call.row_size() : inner;
    return RowStore::of(mode, call.sets * call.set_size() / together, together, sizeof(T));
  }
  static T* of_set(const Operand& operand, std::int64_t set) {
    return operand.is_memory() ? static_cast<T*>(operand.data) + set * operand.strides[0] : nullptr;
  }
  /// The first channel of row r.
  std::int64_t first_channel(std::int64_t r) const { return r % call.groups * channels; }
};

// ---- forward ------------------------------------------------------------------------------------

template <class T>
HWY_NOINLINE void normalize_row(const NormRows<T>& rows, RowStore how, std::int64_t set, std::int64_t r) {
  const Normalization& call = rows.call;
  const T* const x = NormRows<T>::of_set(call.x, set);
  T* const y = NormRows<T>::of_set(call.y, set);
  const RowPieces row = rows.row(r);
  const RowMoments moments = call.centred ? row_moments(row, x) : row_mean_square(row, x);
  const double rstd = 1 / std::sqrt(moments.variance + call.eps);
  const auto keep = [&](const Operand& to, double value) {
    if (T* const numbers = NormRows<T>::of_set(to, set)) numbers[r] = static_cast<T>(value);
  };
  keep(call.mean, moments.mean);
  keep(call.rstd, rstd);
  keep(call.variance, moments.variance);

  const std::int64_t channel = rows.first_channel(r);
  const T* const weight = call.weight.is_memory() ? NormRows<T>::of_set(call.weight, set) + channel : nullptr;
  const T* const bias = call.bias.is_memory() ? NormRows<T>::of_set(call.bias, set) + channel : nullptr;
  const Vec<T> mean(moments.mean), scale(rstd);
  if (rows.by_element) {
    const auto write = [&](const auto& formula) HWY_ATTR {
      write_row(y + row.begin, row.length, how, [&](std::size_t i, Part part) HWY_ATTR {
        __builtin_prefetch(x + row.begin + row.length + i);
        return formula((load_lanes(x + row.begin + i, part) - mean) * scale, i, part);
      });
    };
    if (weight && bias)
      write([&](Vec<T> v, std::size_t i, Part part) HWY_ATTR { return v * load_lanes(weight + i, part) + load_lanes(bias + i, part); });
    else if (weight)
      write([&](Vec<T> v, std::size_t i, Part part) HWY_ATTR { return v * load_lanes(weight + i, part); });
    else
      write([&](Vec<T> v, std::size_t i, Part part) HWY_ATTR { return v + load_lanes(bias + i, part); });
    return;
  }
  for (std::int64_t c = 0; c < rows.channels; ++c) {
    const Vec<T> by(weight ? static_cast<double>(static_cast<T>(rstd) * weight[c]) : rstd);
    const Vec<T> shift(bias ? static_cast<double>(bias[c]) : 0.0);
    row.each_piece([&](std::int64_t piece) HWY_ATTR {
      const std::int64_t at = piece + c * rows.inner;
      write_row(y + at, rows.inner, how, [&](std::size_t i, Part part) HWY_ATTR {
        const Vec<T> v = (load_lanes(x + at + i, part) - mean) * by;
        return bias ? v + shift : v;
      });
    });
  }
}

template <class T>
void normalize(const Normalization& call) {
  const NormRows<T> rows(call);
  const RowStore how = rows.store(Store::Overwrite);
  parallel_for(call.sets * call.rows(), call.row_size() * 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) normalize_row(rows, how, r / call.rows(), r % call.rows());
    if (how.past_caches) finish_streams();
  });
}

// ---- backward -----------------------------------------------------------------------------------

/// A row and what its gradient is made of.
template <class T>
struct RowBack {
  const T *x, *dy, *weight;  ///< of the set, of the set, of the row's first channel; weight: or null
  T* dx;                     ///< of the set, or null
  RowPieces row;
  T mean, rstd;
  std::int64_t channel;      ///< the first one

  RowBack(const NormRows<T>& rows, std::int64_t set, std::int64_t r)
      : x(NormRows<T>::of_set(rows.call.x, set)),
        dy(NormRows<T>::of_set(rows.call.dy, set)),
        weight(NormRows<T>::of_set(rows.call.weight, set)),
        dx(NormRows<T>::of_set(rows.call.dx, set)),
        row(rows.row(r)),
        mean(rows.call.centred ? NormRows<T>::of_set(rows.call.mean, set)[r] : T(0)),
        rstd(NormRows<T>::of_set(rows.call.rstd, set)[r]),
        channel(rows.first_channel(r)) {
    if (weight) weight += channel;
  }
};

/// mean(h), and mean(h * (x - mean)) * rstd^2.
template <class T>
struct RowSlopes {
  Vec<T> shift, slope, mean, rstd;

  RowSlopes(const NormRows<T>& rows, const RowBack<T>& at, double sum, double dot)
      : shift(rows.call.centred ? sum / rows.size() : 0.0),
        slope(dot / rows.size() * static_cast<double>(at.rstd) * static_cast<double>(at.rstd)),
        mean(static_cast<double>(at.mean)),
        rstd(static_cast<double>(at.rstd)) {}
  HWY_INLINE Vec<T> operator()(Vec<T> h, Vec<T> x) const { return (h - shift - (x - mean) * slope) * rstd; }
};

/// Weights for each element. Adds to dweight and dbias (T, for the row's first channel on), or, null, to nothing.
template <class T>
HWY_NOINLINE void row_backward(const NormRows<T>& rows, RowStore how, const RowBack<T>& at, T* dweight, T* dbias) {
  const Vec<T> mean(static_cast<double>(at.mean)), rstd(static_cast<double>(at.rstd));
  double sum = 0, dot = 0;
  at.row.each_block([&](const RowPieces& block) HWY_ATTR {
    const T *const x = at.x + block.begin, *const dy = at.dy + block.begin;
    const std::int64_t first = block.begin - at.row.begin;
    const T* const weight = at.weight ? at.weight + first : nullptr;
    WideSums<T, 2> sums;
    const auto add = [&](const auto& weighted, const auto& learn) HWY_ATTR {
      sums.add(block.length, [&](std::size_t i, Part part, Vec<T>* term) HWY_ATTR {
        const Vec<T> g = load_lanes(dy + i, part), d = load_lanes(x + i, part) - mean, h = weighted(g, i, part);
        learn(g, d, i, part);
        term[0] = h;
        term[1] = h * d;
      });
    };
    const auto by_weight = [&](Vec<T> g, std::size_t i, Part part) HWY_ATTR { return g * load_lanes(weight + i, part); };
    const auto as_is = [](Vec<T> g, std::size_t, Part) HWY_ATTR { return g; };
    const auto nothing = [](Vec<T>, Vec<T>, std::size_t, Part) HWY_ATTR {};
    const auto learned = [&](Vec<T> g, Vec<T> d, std::size_t i, Part part) HWY_ATTR {
      T *const w = dweight + first + i, *const b = dbias + first + i;
      const Vec<T> to_w = load_lanes(static_cast<const T*>(w), part) + g * (d * rstd);
      const Vec<T> to_b = load_lanes(static_cast<const T*>(b), part) + g;
      if (part.lanes == kLanes<T>) {
        store(w, to_w);
        store(b, to_b);
      } else {
        store_part(w, to_w, part.lanes);
        store_part(b, to_b, part.lanes);
      }
    };
    if (weight)
      dweight ? add(by_weight, learned) : add(by_weight, nothing);
    else
      dweight ? add(as_is, learned) : add(as_is, nothing);
    sum += sums.total(0);
    dot += sums.total(1);
  });
  if (!at.dx) return;
  const RowSlopes<T> slopes(rows, at, sum, dot);
  const T *const x = at.x + at.row.begin, *const dy = at.dy + at.row.begin;
  const auto write = [&](const auto& weighted) HWY_ATTR {
    write_row(at.dx + at.row.begin, at.row.length, how, [&](std::size_t i, Part part) HWY_ATTR {
      return slopes(weighted(load_lanes(dy + i, part), i, part), load_lanes(x + i, part));
    });
  };
  if (at.weight)
    write([&](Vec<T> g, std::size_t i, Part part) HWY_ATTR { return g * load_lanes(at.weight + i, part); });
  else
    write([](Vec<T> g, std::size_t, Part) HWY_ATTR { return g; });
}

/// A weight for each channel. Adds to dweight and dbias (float64, for the row's first channel on), or, null, to nothing.
template <class T>
HWY_NOINLINE void channels_backward(const NormRows<T>& rows, RowStore how, const RowBack<T>& at, double* dweight,
                                    double* dbias) {
  const Vec<T> mean(static_cast<double>(at.mean));
  double sum = 0, dot = 0;
  for (std::int64_t c = 0; c < rows.channels; ++c) {
    RowPieces channel = at.row;
    channel.begin += c * rows.inner;
    channel.length = rows.inner;
    double own_sum = 0, own_dot = 0;
    channel.each_block([&](const RowPieces& block) HWY_ATTR {
      WideSums<T, 2> sums;
      block.each_piece([&](std::int64_t piece) HWY_ATTR {
        sums.add(block.length, [&](std::size_t i, Part part, Vec<T>* term) HWY_ATTR {
          term[0] = load_lanes(at.dy + piece + i, part);
          term[1] = term[0] * (load_lanes(at.x + piece + i, part) - mean);
        });
      });
      own_sum += sums.total(0);
      own_dot += sums.total(1);
    });
    const double weight = at.weight ? static_cast<double>(at.weight[c]) : 1;
    sum += weight * own_sum;
    dot += weight * own_dot;
    if (!dweight) continue;
    dweight[c] += own_dot * static_cast<double>(at.rstd);
    dbias[c] += own_sum;
  }
  if (!at.dx) return;
  const RowSlopes<T> slopes(rows, at, sum, dot);
  for (std::int64_t c = 0; c < rows.channels; ++c) {
    const Vec<T> weight(at.weight ? static_cast<double>(at.weight[c]) : 1.0);
    at.row.each_piece([&](std::int64_t first) HWY_ATTR {
      const std::int64_t piece = first + c * rows.inner;
      write_row(at.dx + piece, rows.inner, how, [&](std::size_t i, Part part) HWY_ATTR {
        return slopes(load_lanes(at.dy + piece + i, part) * weight, load_lanes(at.x + piece + i, part));
      });
    });
  }
}

/// to[i] (=, +=) from[i] + from[i + distance] + ...
template <class T>
void give_sums(T* to, Store store, const double* from, std::int64_t distance, std::int64_t parts, std::int64_t n) {
  for (std::int64_t i = 0; to && i < n; ++i) {
    double sum = from[i];
    for (std::int64_t p = 1; p < parts; ++p) sum += from[p * distance + i];
    to[i] = static_cast<T>(store == Store::Accumulate ? static_cast<double>(to[i]) + sum : sum);
  }
}

/// The images of a set are worked on in slabs, whose sums for the weights are added at the end. How many depends on the set's
/// size alone.
template <class T>
class NormBackward {
 public:
  explicit NormBackward(const Normalization& call)
      : rows_(call),
        learns_(call.dweight.is_memory() || call.dbias.is_memory()),
        slabs_(call.over_batch ? 1 : std::clamp<std::int64_t>(call.set_size() / kBlockWork, 1, std::min<std::int64_t>(16, call.batch))),
        how_(rows_.store(call.store)) {}

  void run() {
    const Normalization& call = rows_.call;
    if (!learns_ || call.over_batch) return each_row();
    const std::int64_t sums = 2 * call.weights();
    Scratch<double> kept(slabs_ > 1 ? call.sets * slabs_ * sums : 0);
    parallel_for(call.sets * slabs_, call.set_size() / slabs_ * 3, [&](std::int64_t begin, std::int64_t end) {
      Scratch<double> own(sums);
      Scratch<T> images(rows_.by_element ? sums : 0);
      for (std::int64_t item = begin; item < end; ++item) {
        double* const to = slabs_ > 1 ? kept.data() + item * sums : own.data();
        slab(item / slabs_, item % slabs_, to, images.data());
        if (slabs_ == 1) give(item, to);
      }
      if (how_.past_caches) finish_streams();
    });
    for (std::int64_t set = 0; slabs_ > 1 && set < call.sets; ++set) give(set, kept.data() + set * slabs_ * sums);
  }

 private:
  /// Rows that share no sums.
  void each_row() {
    const Normalization& call = rows_.call;
    parallel_for(call.sets * call.rows(), call.row_size() * 3, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t item = begin; item < end; ++item) {
        const std::int64_t set = item / call.rows(), r = item % call.rows();
        const RowBack<T> at(rows_, set, r);
        if (rows_.by_element) {
          row_backward<T>(rows_, how_, at, nullptr, nullptr);
          continue;
        }
        double learned[2] = {};
        channels_backward(rows_, how_, at, learns_ ? learned : nullptr, learned + 1);
        if (!learns_) continue;
        for (int i = 0; i < 2; ++i) {
          T* const to = NormRows<T>::of_set(i == 0 ? call.dweight : call.dbias, set);
          give_sums(to ? to + r : nullptr, i == 0 ? call.weight_store : call.bias_store, learned + i, 0, 1, 1);
        }
      }
      if (how_.past_caches) finish_streams();
    });
  }

  /// Writes the sums of a slab: weights, then biases.
  void slab(std::int64_t set, std::int64_t number, double* sums, T* images) {
    const Normalization& call = rows_.call;
    const std::int64_t n = call.weights(), first = call.batch * number / slabs_, last = call.batch * (number + 1) / slabs_;
    std::fill_n(sums, 2 * n, 0.0);
    for (std::int64_t some = first; some < last; some += kNormImages) {
      if (rows_.by_element) std::fill_n(images, 2 * n, T(0));
      for (std::int64_t r = some * call.groups; r < std::min(some + kNormImages, last) * call.groups; ++r) {
        const RowBack<T> at(rows_, set, r);
        if (rows_.by_element)
          row_backward(rows_, how_, at, images + at.channel, images + n + at.channel);
        else
          channels_backward(rows_, how_, at, sums + at.channel, sums + n + at.channel);
      }
      if (rows_.by_element)
        for (std::int64_t i = 0; i < 2 * n; ++i) sums[i] += static_cast<double>(images[i]);
    }
  }

  void give(std::int64_t set, const double* sums) const {
    const Normalization& call = rows_.call;
    const std::int64_t n = call.weights();
    give_sums(NormRows<T>::of_set(call.dweight, set), call.weight_store, sums, 2 * n, slabs_, n);
    give_sums(NormRows<T>::of_set(call.dbias, set), call.bias_store, sums + n, 2 * n, slabs_, n);
  }

  NormRows<T> rows_;
  bool learns_;
  std::int64_t slabs_;
  RowStore how_;
};

void normalization(const Normalization& call) {
  with_floating(call.x.dtype, [&]<class T>() {
    return call.direction == Direction::Forward ? normalize<T>(call) : NormBackward<T>(call).run();
  });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(normalization);
void run(const Normalization& call) {
  if (call.over_batch && call.inner == 1) return normalize_columns(call);
  HWY_DYNAMIC_DISPATCH(normalization)(call);
}
}  // namespace luge::cpu
#endif
