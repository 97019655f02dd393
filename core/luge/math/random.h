#pragma once
// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC11). The same text runs on the CPU and on the GPU, so both draw the same numbers.

#include <luge/math/platform.h>

namespace luge::math {

/// Four 32-bit words.
struct Words {
  unsigned x[4];
};

/// Ten rounds of Philox4x32 over `counter` with the 64-bit `key`.
LUGE_FN Words philox(Words counter, unsigned long long key) {
  unsigned k0 = static_cast<unsigned>(key), k1 = static_cast<unsigned>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const unsigned long long p0 = 0xD2511F53ull * counter.x[0];
    const unsigned long long p1 = 0xCD9E8D57ull * counter.x[2];
    counter = {{static_cast<unsigned>(p1 >> 32) ^ counter.x[1] ^ k0, static_cast<unsigned>(p1),
                static_cast<unsigned>(p0 >> 32) ^ counter.x[3] ^ k1, static_cast<unsigned>(p0)}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

/// The words of element `element` of set `set` in stream `stream`: the low 40 bits of the set and of
/// the stream and the low 48 of the element enter the counter, which no tensor in reach exceeds.
LUGE_FN Words random_words(unsigned long long seed, unsigned long long stream, unsigned long long set,
                           unsigned long long element) {
  const Words counter{{static_cast<unsigned>(element),
                       static_cast<unsigned>((element >> 32) & 0xFFFF) | static_cast<unsigned>((set >> 32) & 0xFF) << 16 |
                           static_cast<unsigned>((stream >> 32) & 0xFF) << 24,
                       static_cast<unsigned>(set), static_cast<unsigned>(stream)}};
  return philox(counter, seed);
}

/// Uniform in [0, 1) with the full precision of the type: 24 bits of one word, 53 of two.
LUGE_FN float uniform_float(Words w) { return static_cast<float>(w.x[0] >> 8) * 0x1p-24f; }
LUGE_FN double uniform_double(Words w) {
  return static_cast<double>(((static_cast<unsigned long long>(w.x[0]) << 32) | w.x[1]) >> 11) * 0x1p-53;
}

/// Standard normal by Box and Muller from two uniforms, computed in float64 for every type so that
/// devices agree to the last bits of float32.
LUGE_FN double normal(Words w) {
  const double u = (static_cast<double>(((static_cast<unsigned long long>(w.x[0]) << 32) | w.x[1]) >> 11) + 1.0) * 0x1p-53;
  const double v = static_cast<double>(((static_cast<unsigned long long>(w.x[2]) << 32) | w.x[3]) >> 11) * 0x1p-53;
  return ::sqrt(-2.0 * ::log(u)) * ::cos(6.283185307179586476925 * v);
}

/// Uniform integer in [0, range), range > 0: the high word of a 64 x 64 bit product, whose bias is
/// below range / 2^64.
LUGE_FN unsigned long long uniform_integer(Words w, unsigned long long range) {
  const unsigned long long word = (static_cast<unsigned long long>(w.x[0]) << 32) | w.x[1];
#if defined(__CUDA_ARCH__)
  return __umul64hi(word, range);
#else
  __extension__ using Wide = unsigned __int128;
  return static_cast<unsigned long long>((static_cast<Wide>(word) * range) >> 64);
#endif
}

}  // namespace luge::math
