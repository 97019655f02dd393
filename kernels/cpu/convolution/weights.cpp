// Gradients of weights: each channel and tap of the windows times each channel of y.

#include <algorithm>

#include "../scratch.h"
#include "../threads.h"
#include "direct.h"
#include "phases.h"

namespace luge::cpu {

namespace {

/// Positions that are multiplied at once: what y holds of them for a tile stays in the first-level cache.
constexpr std::int64_t kMostPositions = 128;
/// Parts of a batch that are added up apart, at most.
constexpr std::int64_t kMostParts = 16;

/// Windows times y of each image, added up over parts of the batch, and then those over the parts, in order. A sum has a row
/// for each channel and tap.
template <class T>
void weight(const Convolution& call) {
  const Phase phase = output_phase(call);
  const Windows& windows = phase.windows;
  const Image<const T> xs = x_of<const T>(call), ys = y_of<const T>(call);
  const std::int64_t taps = static_cast<std::int64_t>(phase.taps.size()), rows = xs.channels * taps, outs = ys.channels;
  const std::int64_t lanes = direct_lanes(T());
  // Of few channels the positions are in lanes, and each lane has a sum of its own.
  const bool few = 4 * outs <= lanes && windows.step[2] == 1;
  const std::int64_t width = few ? outs * lanes : (outs + lanes - 1) / lanes * lanes;
  const std::int64_t positions = windows.positions(), size = rows * width, units = call.sets * call.groups;
  const double work = static_cast<double>(size) * static_cast<double>(positions * call.batch);
  const std::int64_t parts = std::clamp<std::int64_t>(static_cast<std::int64_t>(work / (8 * kPartWork)), 1,
                                                      std::min(call.batch, kMostParts));
  const std::int64_t each = (call.batch + parts - 1) / parts;
  const std::int64_t blocks = (positions + kMostPositions - 1) / kMostPositions, block = (positions + blocks - 1) / blocks;
  const std::vector<std::int64_t> row_offsets = term_offsets(windows, xs.channels);
  std::vector<Piece> pieces;
  find_pieces(windows, 0, positions, few ? lanes : 1, pieces);
  std::vector<std::int64_t> offsets;
  for (const Piece& piece : pieces) offsets.push_back(piece.source);
  Scratch<T> sums(units * parts * size);

  parallel_for(units * parts, std::max<std::int64_t>(static_cast<std::int64_t>(work / static_cast<double>(16 * parts)), 1),
               [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t padded_size = xs.channels * windows.plane() + kSlack;
    Scratch<T> padded(padded_size), turned(width * block);
    std::fill_n(padded.data(), padded_size, T(0));
    std::fill_n(turned.data(), width * block, T(0));
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t unit = item / parts, set = unit / call.groups, group = unit % call.groups;
      T* const sum = sums.data() + item * size;
      const std::int64_t first_image = item % parts * each, last_image = std::min(first_image + each, call.batch);
      if (few || first_image >= last_image) std::fill_n(sum, size, T(0));
      for (std::int64_t image = first_image; image < last_image; ++image) {
        pad_image(windows, xs.channels, xs.at(set, image, group), padded.data());
        if (few) {
          weight_dots(WeightDots<T>{.rows = rows,
                                    .outs = outs,
                                    .image = padded.data(),
                                    .row_offsets = row_offsets.data(),
                                    .pieces = pieces,
                                    .y = ys.at(set, image, group),
                                    .y_row = ys.space,
                                    .sums = sum});
          continue;
        }
        for (std::int64_t first = 0; first < positions; first += block) {
          const std::int64_t count = std::min(block, positions - first);
          turn_rows(ys.at(set, image, group) + first, ys.space, outs, count, turned.data(), width);
          weight_product(WeightProduct<T>{.rows = rows,
                                          .columns = outs,
                                          .terms = count,
                                          .image = padded.data(),
                                          .row_offsets = row_offsets.data(),
                                          .offsets = offsets.data() + first,
                                          .y = turned.data(),
                                          .width = width,
                                          .c = sum,
                                          .accumulates = image > first_image || first > 0});
        }
      }
    }
  });

  for (std::int64_t unit = 0; unit < units; ++unit) {
    T* const sum = sums.data() + unit * parts * size;
    for (std::int64_t part = 1; part < parts; ++part)
      for (std::int64_t i = 0; i < size; ++i) sum[i] += sum[part * size + i];
    T* const to = weights_of<T>(call, unit / call.groups, unit % call.groups);
    for (std::int64_t k = 0; k < outs; ++k)
      for (std::int64_t r = 0; r < rows; ++r) {
        T value = few ? T(0) : sum[r * width + k];
        for (std::int64_t l = 0; few && l < lanes; ++l) value += sum[r * width + k * lanes + l];
        to[k * rows + r] = call.store == Store::Accumulate ? to[k * rows + r] + value : value;
      }
  }
}

}  // namespace

void run_weight(const Convolution& call, float) { weight<float>(call); }
void run_weight(const Convolution& call, double) { weight<double>(call); }

}  // namespace luge::cpu
