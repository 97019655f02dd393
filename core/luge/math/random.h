// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11) and
// what becomes of its words. The same text runs on the CPU, for vectors of counters, and on the GPU. It consists of
// integer arithmetic and of operations that IEEE 754 rounds correctly, so that devices draw the same bits.
//
// One counter gives four words, of which an element takes
//   1   uniform float32: element e has word e % 4 of counter e / 4
//   2   uniform float64, integers: word pair e % 2 of counter e / 2
//   2   normal float32: a pair of elements has the pair of words, element e that of number e % 4 / 2 of counter e / 4
//   4   normal float64: a pair of elements has all words of counter e / 2
#include <luge/math/dialect.h>

#if defined(LUGE_MATH_RANDOM_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_RANDOM_H_
#undef LUGE_MATH_RANDOM_H_
#else
#define LUGE_MATH_RANDOM_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

// ---- words of 32 and of 64 bits; kernels/cpu/random.cpp has vectors of them ---------------------

template <class Word>
struct Product {
  Word high, low;
};

LUGE_FN Product<unsigned> wide_product(unsigned a, unsigned b) {
#if defined(__CUDA_ARCH__)
  return {__umulhi(a, b), a * b};
#else
  const unsigned long long product = static_cast<unsigned long long>(a) * b;
  return {static_cast<unsigned>(product >> 32), static_cast<unsigned>(product)};
#endif
}
template <int bits, class Word>
LUGE_FN Word shift_left(Word word) {
  return word << bits;
}
template <int bits, class Word>
LUGE_FN Word shift_right(Word word) {
  return word >> bits;
}
/// Whether they are equal, as a condition of select() for floats of their width.
template <class Word>
LUGE_FN bool equal_words(Word a, Word b) {
  return a == b;
}
LUGE_FN unsigned bits_of(float x) { return __builtin_bit_cast(unsigned, x); }
LUGE_FN unsigned long long bits_of(double x) { return __builtin_bit_cast(unsigned long long, x); }
LUGE_FN float real_of_bits(unsigned bits) { return __builtin_bit_cast(float, bits); }
LUGE_FN double real_of_bits(unsigned long long bits) { return __builtin_bit_cast(double, bits); }
/// The word as a signed number, rounded.
LUGE_FN float signed_value(unsigned word) { return static_cast<float>(static_cast<int>(word)); }
LUGE_FN double signed_value(unsigned long long word) { return static_cast<double>(static_cast<long long>(word)); }

/// Two words as one of twice the width.
LUGE_FN unsigned long long joined(unsigned high, unsigned low) {
  return (static_cast<unsigned long long>(high) << 32) | low;
}

// ---- the generator ------------------------------------------------------------------------------

/// Four 32-bit words.
template <class Word>
struct WordsOf {
  Word x[4];
};
using Words = WordsOf<unsigned>;

/// Ten rounds of Philox4x32 over `counter` with the 64-bit `key`.
template <class Word>
LUGE_FN WordsOf<Word> philox(WordsOf<Word> counter, unsigned long long key) {
  unsigned k0 = static_cast<unsigned>(key), k1 = static_cast<unsigned>(key >> 32);
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
  for (int round = 0; round < 10; ++round) {
    const Product<Word> p0 = wide_product(counter.x[0], Word(0xD2511F53u));
    const Product<Word> p1 = wide_product(counter.x[2], Word(0xCD9E8D57u));
    counter = {{p1.high ^ counter.x[1] ^ Word(k0), p1.low, p0.high ^ counter.x[3] ^ Word(k1), p0.low}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

/// Counter `at` of set `set` in stream `stream`: the low 40 bits of the set and of the stream and the low 48 of the
/// counter's number enter it, which no tensor in reach exceeds.
LUGE_FN Words random_counter(unsigned long long stream, unsigned long long set, unsigned long long at) {
  return {{static_cast<unsigned>(at),
           static_cast<unsigned>((at >> 32) & 0xFFFF) | static_cast<unsigned>((set >> 32) & 0xFF) << 16 |
               static_cast<unsigned>((stream >> 32) & 0xFF) << 24,
           static_cast<unsigned>(set), static_cast<unsigned>(stream)}};
}
LUGE_FN Words random_words(unsigned long long seed, unsigned long long stream, unsigned long long set,
                           unsigned long long at) {
  return philox(random_counter(stream, set, at), seed);
}
/// The first two as one.
LUGE_FN unsigned long long random_word(unsigned long long seed, unsigned long long stream, unsigned long long set,
                                       unsigned long long at) {
  const Words words = random_words(seed, stream, set, at);
  return joined(words.x[0], words.x[1]);
}

// ---- uniform numbers ----------------------------------------------------------------------------

/// In [0, 1) with the full precision of the type: 24 bits of a word, 53 of a wide one.
template <class Word>
LUGE_FN auto uniform_float(Word word) {
  using Real = decltype(signed_value(word));
  return signed_value(shift_right<8>(word)) * Real(0x1p-24);
}
template <class Wide>
LUGE_FN auto uniform_double(Wide word) {
  using Real = decltype(signed_value(word));
  return signed_value(shift_right<11>(word)) * Real(0x1p-53);
}

/// In [low, high), from [0, 1); range is high - low.
template <class Real>
LUGE_FN Real between(Real uniform, Real low, Real high, Real range) {
  const Real value = low + range * uniform;
  return select((value < high) | !(low < high), value, low);  // rounding can reach the end, which is excluded
}

/// In [0, range), range > 0: the high word of a 64 x 64 bit product, whose bias is below range / 2^64.
LUGE_FN unsigned long long uniform_integer(unsigned long long word, unsigned long long range) {
#if defined(__CUDA_ARCH__)
  return __umul64hi(word, range);
#else
  __extension__ using Factor = unsigned __int128;
  return static_cast<unsigned long long>((static_cast<Factor>(word) * range) >> 64);
#endif
}

// ---- normal numbers: Box and Muller, "A note on the generation of random normal deviates", 1958 -
//
// radius sqrt(-2 log u), angle a, of which one word each is made. u is the middle of one of 2^31 (float32) or 2^52
// (float64) equal parts of [0, 1], so that no number exceeds sqrt(2 log 2^32) = 6.66 or sqrt(2 log 2^53) = 8.57; beyond
// lie 2.7e-11 and 1.0e-17 of the normal distribution. Logarithm, sine and cosine are polynomials, fitted in the greatest
// error, and together within 5 units in the last place of the exact coordinates.

template <class Real>
struct NormalPair {
  Real first, second;
};

/// c[0] + c[1] x + ...
template <class Real, int n>
LUGE_FN Real fused_polynomial(const double (&c)[n], Real x) {
  Real value = static_cast<Real>(c[n - 1]);
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
  for (int k = n - 2; k >= 0; --k) value = fma(value, x, static_cast<Real>(c[k]));
  return value;
}

/// The point at distance `radius`. The word's two upper bits, of which `half` and `quarter` are one each, say how many
/// quarter turns its angle is beyond that of `sine` and `cosine`.
template <class Real, class Word>
LUGE_FN NormalPair<Real> point_at(Real radius, Real sine, Real cosine, Word angle, Word half, Word quarter) {
  const auto even = equal_words(angle & quarter, Word(0u));
  const Real first = select(even, cosine, sine), second = select(even, sine, cosine);
  return {radius * real_of_bits(bits_of(first) ^ ((angle + quarter) & half)),
          radius * real_of_bits(bits_of(second) ^ (angle & half))};
}

/// Two float32 from two words.
template <class Word>
LUGE_FN auto normal_floats(Word radius, Word angle) {
  using Real = decltype(signed_value(radius));
  constexpr double kLog[] = {-0.5, 0.33333271741867065, -0.24999728798866272, 0.2000732272863388, -0.16683028638362885,
                             0.14054203033447266, -0.12148556858301163, 0.1375661939382553, -0.13053938746452332};
  constexpr double kSine[] = {1.5707963705062866, -0.6459640860557556, 0.07969257980585098, -0.0046812607906758785,
                              0.00015819507825654};
  constexpr double kCosine[] = {1.0, -1.2337005138397217, 0.2536691725254059, -0.020859938114881516,
                                0.0009033646201714873};
  // u and 1 - u, both without cancellation; u = 2^e m with 2/3 <= m < 4/3.
  const Word part = shift_right<1>(radius);
  const Real u = (signed_value(part) + Real(0.5)) * Real(0x1p-31);
  const Real rest = (signed_value(Word(0x7FFFFFFFu) - part) + Real(0.5)) * Real(0x1p-31);
  const Word exponent = shift_right<23>(bits_of(u) + Word((64u << 23) - 0x3F2AAAABu));  // e + 64
  const Real m = real_of_bits(bits_of(u) + Word(64u << 23) - shift_left<23>(exponent));
  const Real e = real_of_bits(exponent | Word(0x4B000000u)) - Real(0x1p23 + 64);
  const Real f = select(u < Real(0.75), m - Real(1.0), -rest);
  const Real log_u = fma(e, Real(0.69314718055994531), fma(f * f, fused_polynomial(kLog, f), f));
  const Real turn = signed_value(shift_left<2>(angle)) * Real(0x1p-32), square = turn * turn;  // of a quarter
  return point_at(sqrt(Real(-2.0) * log_u), turn * fused_polynomial(kSine, square), fused_polynomial(kCosine, square),
                  angle, Word(0x80000000u), Word(0x40000000u));
}

/// Two float64 from two wide words.
template <class Wide>
LUGE_FN auto normal_doubles(Wide radius, Wide angle) {
  using Real = decltype(signed_value(radius));
  // log((1 + s) / (1 - s)) = 2 s + s^3 (kLog[0] + kLog[1] s^2 + ...)
  constexpr double kLog[] = {0.66666666666666664183, 0.40000000000007912133, 0.28571428567294474316,
                             0.22222223044524122462, 0.18181737974393508754, 0.15388852306490729457,
                             0.13210039711459213777, 0.13606308473282759703};
  constexpr double kSine[] = {1.5707963267948966192,      -0.64596409750624625216,    0.079692626246166920839,
                              -0.0046817541353147397883,  0.00016044118472567575999,  -3.5988427113031693319e-6,
                              5.6919261522231623004e-8,   -6.6274309609767294877e-10};
  constexpr double kCosine[] = {1.0, -1.2337005501361698273, 0.25366950790104801247, -0.020863480763352913826,
                                0.00091926027483847628555, -0.000025202042362249191742, 4.7108740546764414728e-7,
                                -6.3863198416536026404e-9, 6.506092524930779662e-11};
  // u and u - 1 are exact.
  const Wide one(0x3FF0000000000000ull);
  const Real u = real_of_bits(shift_right<12>(radius) | one) - Real(1.0 - 0x1p-53);
  const Wide exponent = shift_right<52>(bits_of(u) + Wide((64ull << 52) - 0x3FE5555555555555ull));  // e + 64
  const Real m = real_of_bits(bits_of(u) + Wide(64ull << 52) - shift_left<52>(exponent));
  const Real e = real_of_bits(exponent | Wide(0x4330000000000000ull)) - Real(0x1p52 + 64);
  const Real f = m - Real(1.0), s = f / (Real(2.0) + f), z = s * s;
  const Real log_u = fma(e, Real(0.69314718055994531), f - s * (f - z * fused_polynomial(kLog, z)));
  const Wide middle(0x8000000000000000ull);
  const Real turn = real_of_bits(shift_right<12>(shift_left<2>(angle) ^ middle) | one) - Real(1.5);  // of a quarter
  const Real square = turn * turn;
  return point_at(sqrt(Real(-2.0) * log_u), turn * fused_polynomial(kSine, square), fused_polynomial(kCosine, square),
                  angle, middle, Wide(0x4000000000000000ull));
}

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
