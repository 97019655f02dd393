// Random numbers: every element has its own words of its set's counters, so threads need no state.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(random.cpp)
#include <hwy/foreach_target.h>

#include <algorithm>

#include <luge/base/detail/dispatch.h>

#include "vector.h"

#include <luge/math/random.h>

#include "kernels.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

// ---- vectors of words, of which core/luge/math/random.h makes numbers ---------------------------

template <class W>
struct WordVec {
  using D = hn::ScalableTag<W>;
  hn::Vec<D> raw;

  HWY_INLINE explicit WordVec(hn::Vec<D> words) : raw(words) {}
  HWY_INLINE explicit WordVec(W word) : raw(hn::Set(D(), word)) {}

  HWY_INLINE friend WordVec operator+(WordVec a, WordVec b) { return WordVec(hn::Add(a.raw, b.raw)); }
  HWY_INLINE friend WordVec operator-(WordVec a, WordVec b) { return WordVec(hn::Sub(a.raw, b.raw)); }
  HWY_INLINE friend WordVec operator&(WordVec a, WordVec b) { return WordVec(hn::And(a.raw, b.raw)); }
  HWY_INLINE friend WordVec operator|(WordVec a, WordVec b) { return WordVec(hn::Or(a.raw, b.raw)); }
  HWY_INLINE friend WordVec operator^(WordVec a, WordVec b) { return WordVec(hn::Xor(a.raw, b.raw)); }
};
using Word = WordVec<std::uint32_t>;

template <int bits, class W>
HWY_INLINE WordVec<W> shift_left(WordVec<W> words) {
  return WordVec<W>(hn::ShiftLeft<bits>(words.raw));
}
template <int bits, class W>
HWY_INLINE WordVec<W> shift_right(WordVec<W> words) {
  return WordVec<W>(hn::ShiftRight<bits>(words.raw));
}

/// The float type as wide as a word.
template <class W>
using RealOf = std::conditional_t<sizeof(W) == 4, float, double>;

template <class W>
HWY_INLINE Mask<RealOf<W>> equal_words(WordVec<W> a, WordVec<W> b) {
  return {hn::RebindMask(typename Vec<RealOf<W>>::D(), hn::Eq(a.raw, b.raw))};
}
template <class T>
HWY_INLINE auto bits_of(Vec<T> x) {
  using W = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return WordVec<W>(hn::BitCast(hn::ScalableTag<W>(), x.raw));
}
template <class W>
HWY_INLINE Vec<RealOf<W>> real_of_bits(WordVec<W> words) {
  using V = Vec<RealOf<W>>;
  return V(hn::BitCast(typename V::D(), words.raw));
}
template <class W>
HWY_INLINE Vec<RealOf<W>> signed_value(WordVec<W> words) {
  using V = Vec<RealOf<W>>;
  const hn::RebindToSigned<typename WordVec<W>::D> integers;
  return V(hn::ConvertTo(typename V::D(), hn::BitCast(integers, words.raw)));
}

HWY_INLINE scalar_math::Product<Word> wide_product(Word a, Word b) {
  const Word::D d;
#if HWY_TARGET == HWY_SCALAR
  const auto product = scalar_math::wide_product(hn::GetLane(a.raw), hn::GetLane(b.raw));
  return {Word(hn::Set(d, product.high)), Word(hn::Set(d, product.low))};
#else
  const hn::RepartitionToWide<Word::D> wide;
  const auto even = hn::MulEven(a.raw, b.raw);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, a.raw))), b.raw);
  return {Word(hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)))),
          Word(hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even)))};
#endif
}

// ---- draws: n numbers, and what follows up to a whole vector, from words in the order of elements -

template <class W>
HWY_INLINE WordVec<W> load_words(const W* words) {
  return WordVec<W>(hn::LoadU(typename WordVec<W>::D(), words));
}

template <class T>
struct DrawUniform {
  using Value = T;
  using W = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  T low, high, range;

  HWY_NOINLINE void operator()(const W* words, T* out, std::size_t n) const {
    const Vec<T> from(hn::Set(typename Vec<T>::D(), low)), to(hn::Set(typename Vec<T>::D(), high)),
        width(hn::Set(typename Vec<T>::D(), range));
    for (std::size_t i = 0; i < n; i += kLanes<T>) {
      if constexpr (sizeof(T) == 4)
        store(out + i, scalar_math::between(scalar_math::uniform_float(load_words(words + i)), from, to, width));
      else
        store(out + i, scalar_math::between(scalar_math::uniform_double(load_words(words + i)), from, to, width));
    }
  }
};

template <class T>
struct DrawNormal {
  using Value = T;
  using W = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  T mean, deviation;

  HWY_NOINLINE void operator()(const W* words, T* out, std::size_t n) const {
    const typename Vec<T>::D d;
    const typename WordVec<W>::D dw;
    const Vec<T> middle(hn::Set(d, mean)), width(hn::Set(d, deviation));
    for (std::size_t i = 0; i < n; i += 2 * kLanes<T>) {
      hn::Vec<hn::ScalableTag<W>> radius, angle;
      hn::LoadInterleaved2(dw, words + i, radius, angle);
      scalar_math::NormalPair<Vec<T>> pair;
      if constexpr (sizeof(T) == 4)
        pair = scalar_math::normal_floats(WordVec<W>(radius), WordVec<W>(angle));
      else
        pair = scalar_math::normal_doubles(WordVec<W>(radius), WordVec<W>(angle));
      hn::StoreInterleaved2((middle + width * pair.first).raw, (middle + width * pair.second).raw, d, out + i);
    }
  }
};

template <class T>
struct DrawInteger {
  using Value = T;
  using W = std::uint64_t;
  std::uint64_t low, range;

  HWY_NOINLINE void operator()(const W* words, T* out, std::size_t n) const {
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<T>(low + scalar_math::uniform_integer(words[i], range));
  }
};

// ---- filling ------------------------------------------------------------------------------------

/// Counters whose words are made in one go, a multiple of the lanes of every target.
constexpr std::int64_t kBlock = 128;

/// Counter after counter of a call: `per_set` of them belong to each set.
struct Counters {
  std::uint64_t seed, stream;
  std::int64_t per_set, first_set;

  /// The words of `count` counters from `begin` on, and of what follows up to a whole vector, one element's after the
  /// other's. A wide word has its high half first in the counter, and last in memory.
  template <class W>
  HWY_NOINLINE void fill(std::int64_t begin, std::int64_t count, W* words) const {
    constexpr std::int64_t kStep = kLanes<float>;
    constexpr bool kWide = sizeof(W) == 8;
    HWY_ALIGN std::uint32_t x[4][kStep];
    const Word::D d;
    std::int64_t set = begin / per_set, at = begin % per_set;
    auto* to = reinterpret_cast<std::uint32_t*>(words);
    for (std::int64_t i = 0; i < count; i += kStep, to += 4 * kStep) {
      for (std::int64_t lane = 0; lane < kStep; ++lane) {
        const auto counter = scalar_math::random_counter(stream, static_cast<std::uint64_t>(set + first_set),
                                                         static_cast<std::uint64_t>(at));
        for (int w = 0; w < 4; ++w) x[w][lane] = counter.x[w];
        if (++at == per_set) ++set, at = 0;
      }
      const auto result = scalar_math::philox(
          scalar_math::WordsOf<Word>{{Word(hn::Load(d, x[0])), Word(hn::Load(d, x[1])), Word(hn::Load(d, x[2])),
                                      Word(hn::Load(d, x[3]))}},
          seed);
      hn::StoreInterleaved4(result.x[kWide ? 1 : 0].raw, result.x[kWide ? 0 : 1].raw, result.x[kWide ? 3 : 2].raw,
                            result.x[kWide ? 2 : 3].raw, d, to);
    }
  }
};

template <class Draw>
void fill_random(const Random& call, const Draw& draw) {
  using T = typename Draw::Value;
  using W = typename Draw::W;
  constexpr std::int64_t kPer = 16 / sizeof(W);  // elements of a counter
  T* const out = static_cast<T*>(call.out.data);
  const std::int64_t per_set = (call.per_set + kPer - 1) / kPer;
  const Counters counters{call.state ? call.state->seed : call.seed,
                          call.stream + (call.state ? call.state->stream : 0), per_set, call.first_set};
  parallel_for(call.sets * per_set, 2 * kPer, [&](std::int64_t begin, std::int64_t end) {
    HWY_ALIGN W words[kBlock * kPer];
    HWY_ALIGN T values[kBlock * kPer];
    for (std::int64_t first = begin; first < end; first += kBlock) {
      const std::int64_t count = std::min(kBlock, end - first);
      std::int64_t set = first / per_set, at = first % per_set;
      // A block whose elements are all there, side by side, goes right to its place.
      const bool whole = count == kBlock && (call.per_set % kPer == 0 || (at + count) * kPer <= call.per_set);
      counters.fill(first, count, words);
      draw(words, whole ? out + set * call.per_set + at * kPer : values, static_cast<std::size_t>(count * kPer));
      if (whole) continue;
      for (std::int64_t i = 0; i < count; ++i) {
        std::copy_n(values + i * kPer, std::min(kPer, call.per_set - at * kPer), out + set * call.per_set + at * kPer);
        if (++at == per_set) ++set, at = 0;
      }
    }
  });
}

template <class T>
void fill_floating(const Random& call) {
  const T low = static_cast<T>(call.low), high = static_cast<T>(call.high);
  if (call.kind == Random::Kind::Normal) return fill_random(call, DrawNormal<T>{low, high});
  fill_random(call, DrawUniform<T>{low, high, static_cast<T>(call.high - call.low)});
}

template <class T>
void fill_integer(const Random& call) {
  const auto low = static_cast<std::uint64_t>(call.integer_low);
  fill_random(call, DrawInteger<T>{low, static_cast<std::uint64_t>(call.integer_high) - low});
}

void random(const Random& call) {
  if (call.kind == Random::Kind::Integer)
    call.out.dtype == int32 ? fill_integer<std::int32_t>(call) : fill_integer<std::int64_t>(call);
  else
    with_floating(call.out.dtype, [&]<class T>() { return fill_floating<T>(call); });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(random);
void run(const Random& call) { HWY_DYNAMIC_DISPATCH(random)(call); }
}  // namespace luge::cpu
#endif
