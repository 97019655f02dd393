// Columns are copied by whole vectors: what one writes too much, the next stretch or row writes over.
#include "../targets.h"
#undef HWY_TARGET_INCLUDE
// clang-format off
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(convolution/columns.cpp)
// clang-format on
#include <hwy/foreach_target.h>

#include "../vector.h"

#ifndef LUGE_CPU_COLUMNS_
#define LUGE_CPU_COLUMNS_
#include <algorithm>
#include <cstdint>

#include "columns.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

template <class T>
HWY_INLINE void fill(const Windows& windows, std::int64_t channels, const T* padded, const std::vector<Stretch>& stretches,
                     T* columns, std::int64_t row) {
  constexpr auto kStep = static_cast<std::int64_t>(kLanes<T>);
  static_assert(kStep <= kSlack);
  const std::int64_t step = windows.step[2], plane = windows.plane();
  for (std::int64_t c = 0; c < channels; ++c, padded += plane)
    for (const std::int64_t tap : windows.taps) {
      for (const Stretch& stretch : stretches) {
        const T* const from = padded + tap + stretch.source;
        T* const to = columns + stretch.column;
        if (step == 1)
          for (std::int64_t i = 0; i < stretch.count; i += kStep) store(to + i, load(from + i));
        else
          for (std::int64_t i = 0; i < stretch.count; ++i) to[i] = from[i * step];
      }
      columns += row;
    }
}

void fill_float(const Windows& windows, std::int64_t channels, const float* padded, const std::vector<Stretch>& stretches,
                float* columns, std::int64_t row) {
  fill(windows, channels, padded, stretches, columns, row);
}
void fill_double(const Windows& windows, std::int64_t channels, const double* padded, const std::vector<Stretch>& stretches,
                 double* columns, std::int64_t row) {
  fill(windows, channels, padded, stretches, columns, row);
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {

HWY_EXPORT(fill_float);
HWY_EXPORT(fill_double);

Windows::Windows(const Sizes& image_sizes, const Sizes& counts, const Sizes& steps,
                 const std::array<std::vector<std::int64_t>, 3>& offsets)
    : image(image_sizes), count(counts), step(steps) {
  for (std::size_t d = 0; d < 3; ++d) {
    const auto [least, most] = std::minmax_element(offsets[d].begin(), offsets[d].end());
    before[d] = std::max<std::int64_t>(0, -*least);
    padded[d] = std::max<std::int64_t>(1, before[d] + *most + (count[d] - 1) * step[d] + 1);
  }
  for (const std::int64_t z : offsets[0])
    for (const std::int64_t y : offsets[1])
      for (const std::int64_t x : offsets[2])
        taps.push_back(((before[0] + z) * padded[1] + before[1] + y) * padded[2] + before[2] + x);
}

template <class T>
void pad_image(const Windows& windows, std::int64_t channels, const T* image, T* padded) {
  const Sizes &size = windows.image, &wide = windows.padded, &before = windows.before;
  const auto kept = [&](std::size_t d) { return std::clamp<std::int64_t>(wide[d] - before[d], 0, size[d]); };
  const std::int64_t planes = kept(0), rows = kept(1), columns = kept(2);
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t z = 0; z < planes; ++z)
      for (std::int64_t y = 0; y < rows; ++y)
        std::copy_n(image + ((c * size[0] + z) * size[1] + y) * size[2], columns,
                    padded + ((c * wide[0] + before[0] + z) * wide[1] + before[1] + y) * wide[2] + before[2]);
}
template void pad_image(const Windows&, std::int64_t, const float*, float*);
template void pad_image(const Windows&, std::int64_t, const double*, double*);

void find_stretches(const Windows& windows, std::int64_t first, std::int64_t count, std::vector<Stretch>& stretches) {
  stretches.clear();
  const Sizes &counts = windows.count, &wide = windows.padded, &step = windows.step;
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t position = first + done, x = position % counts[2], y = position / counts[2] % counts[1],
                       z = position / counts[2] / counts[1];
    const std::int64_t some = std::min(count - done, counts[2] - x);
    const std::int64_t source = (z * step[0] * wide[1] + y * step[1]) * wide[2] + x * step[2];
    if (!stretches.empty() && stretches.back().source + stretches.back().count * step[2] == source)
      stretches.back().count += some;
    else
      stretches.push_back({source, done, some});
    done += some;
  }
}

void fill_columns(const Windows& windows, std::int64_t channels, const float* padded, const std::vector<Stretch>& stretches,
                  float* columns, std::int64_t row) {
  HWY_DYNAMIC_DISPATCH(fill_float)(windows, channels, padded, stretches, columns, row);
}
void fill_columns(const Windows& windows, std::int64_t channels, const double* padded, const std::vector<Stretch>& stretches,
                  double* columns, std::int64_t row) {
  HWY_DYNAMIC_DISPATCH(fill_double)(windows, channels, padded, stretches, columns, row);
}

}  // namespace luge::cpu
#endif
