// Convolutions as products of weights and windows of a zero-padded image, one chain of multiply-adds for each element of the
// result, whose terms stand in an order that the sizes of an image and of the weights alone determine. Windows are read
// where they lie (direct.h) if rows of the result fill vectors; others are copied side by side, as many as a cache holds
// (columns.h), and multiplied as matrices (matmul/chains.h). The gradient of an image is a convolution, too: of gradients
// with turned weights, one for each residue of its positions modulo the stride.

#include <algorithm>
#include <optional>

#include <luge/base/detail/dispatch.h>

#include "../kernels.h"
#include "../matmul/chains.h"
#include "../scratch.h"
#include "../threads.h"
#include "columns.h"
#include "direct.h"
#include "phases.h"

namespace luge::cpu {

namespace {

using Role = Convolution::Role;

/// Rows of columns that are multiplied at once: of a panel of kChainLanes columns they nearly fit into the first-level cache.
constexpr std::int64_t kMostTerms = 192;

// ---- results that are images --------------------------------------------------------------------

/// Positions `first` + j * stride of x. Tap t brings them y's position (first + j * stride + padding - t * dilation) / stride,
/// if that is one. Nothing if no tap does.
std::optional<Phase> input_phase(const Convolution& call, const Sizes& first) {
  std::array<std::vector<std::int64_t>, 3> offsets, taps;
  Sizes count{};
  for (std::size_t d = 0; d < 3; ++d) {
    const std::int64_t stride = call.stride[d];
    count[d] = (call.in[d] - first[d] + stride - 1) / stride;
    for (std::int64_t t = 0; t < call.kernel[d]; ++t) {
      const std::int64_t from = first[d] + call.padding[d] - t * call.dilation[d];
      if (from % stride != 0) continue;
      // One that no position sees would make the padded image larger.
      if (from / stride + count[d] - 1 < 0 || from / stride >= call.out[d]) continue;
      offsets[d].push_back(from / stride);
      taps[d].push_back(t);
    }
    if (taps[d].empty()) return {};
  }
  Phase phase{Windows(call.out, count, {1, 1, 1}, offsets), first, call.stride, {}};
  for (const std::int64_t z : taps[0])
    for (const std::int64_t y : taps[1])
      for (const std::int64_t x : taps[2]) phase.taps.push_back((z * call.kernel[1] + y) * call.kernel[2] + x);
  return phase;
}

/// The channels of a source become channels of a result: a matrix of (to, from, tap) for each set and group.
template <class T>
struct Mixing {
  const Convolution& call;
  Image<const T> source;
  Image<T> result;
  bool is_input;
  std::vector<T> turned;           ///< the weights, to be multiplied from the left, where they do not lie so
  std::int64_t terms = 0;

  const T* weights(std::int64_t set, std::int64_t group) const {
    if (!is_input) return weights_of<const T>(call, set, group);
    const std::int64_t own_set = call.w.strides[0] == 0 ? 0 : set;
    return turned.data() + (own_set * call.groups + group) * result.channels * terms;
  }
  const T* bias(std::int64_t set, std::int64_t group) const {
    if (!call.bias.is_memory()) return nullptr;
    return static_cast<const T*>(call.bias.data) + set * call.bias.strides[0] + group * result.channels;
  }
  void turn(const Phase& phase) {
    const std::int64_t taps = Convolution::product(call.kernel), some = static_cast<std::int64_t>(phase.taps.size());
    terms = source.channels * some;
    if (!is_input) return;
    const std::int64_t sets = call.w.strides[0] == 0 ? 1 : call.sets;
    turned.resize(static_cast<std::size_t>(sets * call.groups * result.channels * terms));
    T* to = turned.data();
    for (std::int64_t s = 0; s < sets; ++s)
      for (std::int64_t g = 0; g < call.groups; ++g) {
        const T* const from = weights_of<const T>(call, s, g);
        for (std::int64_t c = 0; c < result.channels; ++c)
          for (std::int64_t k = 0; k < source.channels; ++k)
            for (const std::int64_t tap : phase.taps) *to++ = from[(k * result.channels + c) * taps + tap];
      }
  }
};

/// Positions of a plane of the result that a phase does not write by products.
template <class T>
void put_positions(const Convolution& call, const Phase& phase, std::int64_t first, std::int64_t count, const T* from, T* plane,
                   bool accumulates) {
  const Sizes& counts = phase.windows.count;
  const std::int64_t spacing = phase.spacing[2];
  for (std::int64_t i = 0; i < count;) {
    const std::int64_t j = first + i, x = j % counts[2], y = phase.first[1] + j / counts[2] % counts[1] * phase.spacing[1],
                       z = phase.first[0] + j / counts[2] / counts[1] * phase.spacing[0];
    T* const to = plane + (z * call.in[1] + y) * call.in[2] + phase.first[2] + x * spacing;
    const std::int64_t some = std::min(count - i, counts[2] - x);
    for (std::int64_t k = 0; k < some; ++k) to[k * spacing] = accumulates ? to[k * spacing] + from[i + k] : from[i + k];
    i += some;
  }
}

/// Of the lanes of vectors that a row's end cuts off, so many are used where no columns are laid out.
constexpr double kUsedLanes = 0.75;

/// A result's channels from windows that are read where they lie: for each of its rows whole vectors of neighbours.
template <class T>
void mix_directly(const Mixing<T>& mixing, const Phase& phase, const std::vector<Piece>& pieces) {
  const Convolution& call = mixing.call;
  const Windows& windows = phase.windows;
  const std::int64_t to = mixing.result.channels, from = mixing.source.channels, positions = windows.positions();
  const std::vector<std::int64_t> offsets = term_offsets(windows, from);
  const bool shared = mixing.source.operand.strides[0] == 0, whole = phase.is_whole();
  const std::int64_t outer_sets = shared ? 1 : call.sets, inner_sets = shared ? call.sets : 1;
  const std::int64_t work = positions * mixing.terms * to * inner_sets;
  // A large image is divided among threads, each of which pads it.
  const auto count = static_cast<std::int64_t>(pieces.size());
  const std::int64_t chunks = std::clamp<std::int64_t>(work / (4 * kPartWork), 1, std::clamp<std::int64_t>(count / 16, 1, 16));
  const std::int64_t chunk = (count + chunks - 1) / chunks;
  parallel_for(outer_sets * call.batch * call.groups * chunks, std::max<std::int64_t>(work / chunks / 16, 1),
               [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t padded_size = from * windows.plane() + kSlack;
    Scratch<T> padded(padded_size), part(whole ? 0 : to * positions);
    std::fill_n(padded.data(), padded_size, T(0));
    std::vector<Piece> some;
    std::int64_t known = -1;
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t unit = item / chunks, group = unit % call.groups, image = unit / call.groups % call.batch,
                         outer = unit / call.groups / call.batch;
      if (unit != known) pad_image(windows, from, mixing.source.at(outer, image, group), padded.data());
      known = unit;
      const std::int64_t first = item % chunks * chunk, last = std::min(first + chunk, count);
      if (first >= last) continue;
      some.assign(pieces.begin() + first, pieces.begin() + last);
      for (std::int64_t inner = 0; inner < inner_sets; ++inner) {
        const std::int64_t set = outer + inner;
        T* const result = mixing.result.at(set, image, group);
        image_product(ImageProduct<T>{.rows = to,
                                      .terms = mixing.terms,
                                      .weights = mixing.weights(set, group),
                                      .image = padded.data(),
                                      .offsets = offsets.data(),
                                      .pieces = some,
                                      .c = whole ? result : part.data(),
                                      .c_row = whole ? mixing.result.space : positions,
                                      .bias = mixing.bias(set, group),
                                      .accumulates = whole && call.store == Store::Accumulate});
        const std::int64_t begins = some.front().column, ends = some.back().column + some.back().count;
        for (std::int64_t k = 0; !whole && k < to; ++k)
          put_positions(call, phase, begins, ends - begins, part.data() + k * positions + begins, result + k * mixing.result.space,
                        call.store == Store::Accumulate);
      }
    }
  });
}

template <class T>
void mix(Mixing<T>& mixing, const Phase& phase) {
  const Convolution& call = mixing.call;
  mixing.turn(phase);
  const Windows& windows = phase.windows;
  if (windows.step[2] == 1) {
    std::vector<Piece> all;
    find_pieces(windows, 0, windows.positions(), direct_lanes(T()), all);
    const double lanes = static_cast<double>(direct_lanes(T())) * static_cast<double>(all.size());
    if (static_cast<double>(windows.positions()) >= kUsedLanes * lanes) return mix_directly(mixing, phase, all);
  }
  const std::int64_t positions = windows.positions(), taps = static_cast<std::int64_t>(phase.taps.size());
  const std::int64_t to = mixing.result.channels, from = mixing.source.channels, terms = mixing.terms;
  // An image that all sets share is laid out for all of them.
  const bool shared = mixing.source.operand.strides[0] == 0;
  const std::int64_t outer_sets = shared ? 1 : call.sets, inner_sets = shared ? call.sets : 1;
  const std::int64_t panels = (positions + kChainLanes - 1) / kChainLanes, work = kChainLanes * terms * to * inner_sets;
  const std::int64_t chunk = std::clamp<std::int64_t>(kPartWork / work, 1, panels), chunks = (panels + chunk - 1) / chunk;
  const std::int64_t channels = std::clamp<std::int64_t>(kMostTerms / taps, 1, from);
  const bool accumulates = call.store == Store::Accumulate, whole = phase.is_whole();

  parallel_for(outer_sets * call.batch * call.groups * chunks, std::max<std::int64_t>(chunk * work / 16, 1),
               [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t padded_size = from * windows.plane() + kSlack;
    Scratch<T> padded(padded_size), columns(channels * taps * kChainLanes + kSlack), working(channels * taps * kChainLanes),
        part(whole ? 0 : to * kChainLanes);
    std::fill_n(padded.data(), padded_size, T(0));
    std::vector<Piece> pieces;
    std::int64_t known = -1;
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t unit = item / chunks, group = unit % call.groups, image = unit / call.groups % call.batch,
                         outer = unit / call.groups / call.batch;
      if (unit != known) pad_image(windows, from, mixing.source.at(outer, image, group), padded.data());
      known = unit;
      const std::int64_t last = std::min((item % chunks + 1) * chunk * kChainLanes, positions);
      for (std::int64_t first = item % chunks * chunk * kChainLanes; first < last; first += kChainLanes) {
        const std::int64_t count = std::min(kChainLanes, last - first);
        find_pieces(windows, first, count, kPiece, pieces);
        for (std::int64_t c = 0; c < from; c += channels) {
          const std::int64_t some = std::min(channels, from - c);
          fill_columns(windows, some, padded.data() + c * windows.plane(), pieces, columns.data(), kChainLanes);
          for (std::int64_t inner = 0; inner < inner_sets; ++inner) {
            const std::int64_t set = outer + inner;
            T* const result = mixing.result.at(set, image, group);
            Product<T> p{.m = to, .n = count, .k = some * taps, .a = {mixing.weights(set, group) + c * taps, terms, 1},
                         .b = {columns.data(), kChainLanes, 1}, .c = {result + first, mixing.result.space, 1}, .before = {}};
            if (!whole) p.c = {part.data(), kChainLanes, 1};
            if (const T* const bias = mixing.bias(set, group); c == 0 && bias)
              p.before = {bias, 1, 0};
            else if (whole && (c > 0 || accumulates))
              p.before = {p.c.data, p.c.row, 1};
            chain_product(p, working.data());
            for (std::int64_t k = 0; !whole && k < to; ++k)
              put_positions(call, phase, first, count, part.data() + k * kChainLanes, result + k * mixing.result.space,
                            accumulates || c > 0);
          }
        }
      }
    }
  });
}

/// Positions of x that no tap sees.
template <class T>
void leave_out(const Mixing<T>& mixing, const Sizes& first) {
  const Convolution& call = mixing.call;
  if (call.store == Store::Accumulate) return;
  for (std::int64_t s = 0; s < call.sets; ++s)
    for (std::int64_t n = 0; n < call.batch; ++n)
      for (std::int64_t g = 0; g < call.groups; ++g)
        for (std::int64_t c = 0; c < mixing.result.channels; ++c) {
          const T* const bias = mixing.bias(s, g);
          T* const plane = mixing.result.at(s, n, g) + c * mixing.result.space;
          for (std::int64_t z = first[0]; z < call.in[0]; z += call.stride[0])
            for (std::int64_t y = first[1]; y < call.in[1]; y += call.stride[1])
              for (std::int64_t x = first[2]; x < call.in[2]; x += call.stride[2])
                plane[(z * call.in[1] + y) * call.in[2] + x] = bias ? bias[c] : T(0);
        }
}

template <class T>
void run_output(const Convolution& call) {
  Mixing<T> mixing{call, x_of<const T>(call), y_of<T>(call), false, {}};
  mix(mixing, output_phase(call));
}

template <class T>
void run_input(const Convolution& call) {
  Mixing<T> mixing{call, y_of<const T>(call), x_of<T>(call), true, {}};
  Sizes first{};
  for (first[0] = 0; first[0] < std::min(call.stride[0], call.in[0]); ++first[0])
    for (first[1] = 0; first[1] < std::min(call.stride[1], call.in[1]); ++first[1])
      for (first[2] = 0; first[2] < std::min(call.stride[2], call.in[2]); ++first[2])
        if (const std::optional<Phase> phase = input_phase(call, first))
          mix(mixing, *phase);
        else
          leave_out(mixing, first);
}

}  // namespace

void run(const Convolution& call) {
  with_floating(call.w.dtype, [&]<class T>() {
    switch (call.role) {
      case Role::Output: return run_output<T>(call);
      case Role::Input: return run_input<T>(call);
      case Role::Weight: return run_weight(call, T());
    }
  });
}

}  // namespace luge::cpu
