// Rows in order. Elements are compared by their keys (luge/math/sort_key.h), equal ones by their places, so the order
// of a row is unique however it is found:
//   few of many wanted   a pass over the row keeps the first ones so far, which are sorted at the end; for very few,
//                        passes in vectors find a bound that they lie within and what lies within it
//   part of a long row   the counts of the keys' leading bits say which elements can belong to it; the others are left out
//   short rows           pairs of key and place are sorted by comparisons
//   long rows            LSD radix sort: the row is distributed by one digit of the keys after the other, the lowest
//                        first, each time keeping the order that is there (Knuth, The Art of Computer Programming 3,
//                        5.2.5). A digit that all keys share is passed over.

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <type_traits>

#include <luge/base/detail/dispatch.h>
#include <luge/base/threads.h>
#include <luge/math/sort_key.h>

#include "kernels.h"
#include "scratch.h"
#include "threads.h"

namespace luge::cpu {
namespace {

using math::sort_key;
using math::SortKey;

/// Comparisons of so few elements take less time than the counts of their digits.
template <class T>
constexpr std::int64_t kShortRow = 16 * sizeof(SortKey<T>);
/// From here on the counts of leading bits are few beside the elements.
constexpr std::int64_t kLongRow = std::int64_t{1} << 14;
/// Of this many elements one is wanted where the first ones are kept aside.
constexpr std::int64_t kFew = 16;
/// The first of each of so many groups of a row, at most, bound what is wanted.
constexpr std::int64_t kGroups = 256;
/// Elements that are compared with the last of the first ones at a time.
constexpr std::int64_t kBlock = 16;
/// Elements touched for each one that is sorted, about: what parallel_for is told.
constexpr std::int64_t kPasses = 8;

constexpr int kDigitBits = 8;
constexpr std::int64_t kBuckets = std::int64_t{1} << kDigitBits;
using Counts = std::array<std::int64_t, kBuckets>;

template <class Key>
std::size_t digit(Key key, int shift) {
  return static_cast<std::size_t>(key >> shift) & (kBuckets - 1);
}

/// Where a row's results go.
template <class T>
struct Results {
  T* values;  ///< null: nobody wants them
  std::int64_t* indices;
  std::int64_t kept;

  void put(std::int64_t at, T value, std::int64_t place) const {
    if (at >= kept) return;
    if (values) values[at] = value;
    indices[at] = place;
  }
};

// ---- by comparisons -----------------------------------------------------------------------------

template <class Key>
struct Pair {
  Key key;
  std::int64_t place;

  friend bool operator<(const Pair& a, const Pair& b) {
    return (a.key < b.key) | ((a.key == b.key) & (a.place < b.place));
  }
};

template <class T>
void sort_pairs(Pair<SortKey<T>>* pairs, std::int64_t count, const T* row, const Results<T>& results) {
  std::sort(pairs, pairs + count);
  for (std::int64_t i = 0; i < results.kept; ++i) results.put(i, row[pairs[i].place], pairs[i].place);
}

template <class T>
void sort_short(const T* row, std::int64_t n, bool descending, const Results<T>& results) {
  std::array<Pair<SortKey<T>>, kShortRow<T>> pairs;
  for (std::int64_t i = 0; i < n; ++i) pairs[static_cast<std::size_t>(i)] = {sort_key(row[i], descending), i};
  sort_pairs(pairs.data(), n, row, results);
}

/// The first ones so far are the first `kept` of `pairs`; behind them stand later elements that may belong to them.
template <class T>
void select(const T* row, std::int64_t n, bool descending, const Results<T>& results) {
  const std::int64_t kept = results.kept, room = 2 * kept;
  Scratch<Pair<SortKey<T>>> pairs(room);
  for (std::int64_t i = 0; i < room; ++i) pairs[i] = {sort_key(row[i], descending), i};
  std::int64_t count = room;
  const auto drop_the_rest = [&] {
    std::nth_element(pairs.data(), pairs.data() + kept - 1, pairs.data() + count);
    count = kept;
    return pairs[kept - 1].key;
  };
  SortKey<T> last = drop_the_rest();
  const auto take = [&](std::int64_t i) {
    const SortKey<T> key = sort_key(row[i], descending);
    if (key >= last) return;  // of equals those that stand before it are kept
    pairs[count++] = {key, i};
    if (count == room) last = drop_the_rest();
  };
  std::int64_t i = room;
  for (; i + kBlock <= n; i += kBlock) {
    SortKey<T> least = sort_key(row[i], descending);
    for (std::int64_t j = 1; j < kBlock; ++j) least = std::min(least, sort_key(row[i + j], descending));
    if (least < last) [[unlikely]]
      for (std::int64_t j = 0; j < kBlock; ++j) take(i + j);
  }
  for (; i < n; ++i) take(i);
  drop_the_rest();
  sort_pairs(pairs.data(), count, row, results);
}

/// As select(), for so few that they are at most half of the groups: the row is dealt to groups, and elements behind the
/// first ones of `kept` groups are behind `kept` elements. Values are compared in vectors, which keys are not. False, and
/// nothing has happened, where there are too few elements, or NaN among them.
template <class T>
bool select_within_bound(const T* row, std::int64_t n, bool descending, const Results<T>& results) {
  const std::int64_t kept = results.kept;
  std::int64_t groups = kGroups / 4;
  while (groups < 2 * kept) groups *= 2;
  if (groups > kGroups || n < 4 * groups) return false;
  const auto precedes = [&](T a, T b) { return descending ? a > b : a < b; };
  std::array<T, kGroups> first;
  std::copy_n(row, groups, first.data());
  int unordered = 0;
  std::int64_t i = 0;
  for (; i + groups <= n; i += groups)
    for (std::int64_t j = 0; j < groups; ++j) {
      const T x = row[i + j];
      T& best = first[static_cast<std::size_t>(j)];
      unordered |= x != x ? 1 : 0;
      best = precedes(x, best) ? x : best;
    }
  for (; i < n; ++i) unordered |= row[i] != row[i] ? 1 : 0;
  if (unordered != 0) return false;
  std::nth_element(first.data(), first.data() + kept - 1, first.data() + groups, precedes);
  T bound = first[static_cast<std::size_t>(kept - 1)];
  const std::int64_t room = 4 * kept;
  Scratch<Pair<SortKey<T>>> pairs(room + kBlock + 1);  // the element behind the last one is written over and over
  std::int64_t count = 0;
  const auto take = [&](std::int64_t place) {
    pairs[count] = {sort_key(row[place], descending), place};
    count += precedes(bound, row[place]) ? 0 : 1;
  };
  const auto drop_the_rest = [&] {
    std::nth_element(pairs.data(), pairs.data() + kept - 1, pairs.data() + count);
    count = kept;
    bound = row[pairs[kept - 1].place];
  };
  for (i = 0; i + kBlock <= n; i += kBlock) {
    int some = 0;
    for (std::int64_t j = 0; j < kBlock; ++j) some |= precedes(bound, row[i + j]) ? 0 : 1;
    if (some == 0) continue;
    for (std::int64_t j = 0; j < kBlock; ++j) take(i + j);
    if (count >= room) drop_the_rest();
  }
  for (; i < n; ++i) take(i);
  drop_the_rest();
  sort_pairs(pairs.data(), count, row, results);
  return true;
}

// ---- by digits ----------------------------------------------------------------------------------

template <class T, class Place>
struct Placed {
  T value;
  Place place;
};

/// What a pass reads first: the row as it is.
template <class T>
struct Row {
  const T* data;
  T value(std::int64_t i) const { return data[i]; }
  std::int64_t place(std::int64_t i) const { return i; }
};

/// Elements between two passes.
template <class T, class Place>
struct Between {
  Placed<T, Place>* data;
  T value(std::int64_t i) const { return data[i].value; }
  std::int64_t place(std::int64_t i) const { return static_cast<std::int64_t>(data[i].place); }
  void put(std::int64_t at, T value, std::int64_t place) const { data[at] = {value, static_cast<Place>(place)}; }
};

/// Sorts one row in `parts` parts at once, by as many threads as there are. The result does not depend on their number.
template <class T, class Place, class Input>
class RadixSort {
 public:
  RadixSort(Input row, std::int64_t n, bool descending, std::int64_t parts)
      : row_{row},
        n_(n),
        descending_(descending),
        part_((n + parts - 1) / parts),
        parts_((n + part_ - 1) / part_),
        starts_(parts_) {}

  void run(const Results<T>& results) {
    std::array<int, kDigits> shifts{};
    std::size_t passes = 0;
    count_all();
    for (int d = 0; d < kDigits; ++d)
      if (total_[static_cast<std::size_t>(d)][digit(key(row_, 0), d * kDigitBits)] != n_)
        shifts[passes++] = d * kDigitBits;
    if (passes == 0) {
      for (std::int64_t i = 0; i < results.kept; ++i) results.put(i, row_.value(i), row_.place(i));
      return;
    }
    if (passes == 1) return distribute(row_, results, shifts[0]);
    Scratch<Placed<T, Place>> first(n_), second(passes > 2 ? n_ : 0);
    Between<T, Place> from{first.data()}, to{second.data()};
    distribute(row_, from, shifts[0]);
    for (std::size_t pass = 1; pass + 1 < passes; ++pass) {
      distribute(from, to, shifts[pass]);
      std::swap(from, to);
    }
    distribute(from, results, shifts[passes - 1]);
  }

 private:
  static constexpr int kDigits = std::is_same_v<T, bool> ? 1 : static_cast<int>(sizeof(SortKey<T>)) * 8 / kDigitBits;

  template <class Source>
  SortKey<T> key(const Source& source, std::int64_t i) const {
    return sort_key(source.value(i), descending_);
  }

  /// Calls body(part, begin, end) for all parts.
  template <class Body>
  void for_parts(const Body& body) const {
    parallel_for(parts_, part_, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t p = first; p < last; ++p) body(p, p * part_, std::min(n_, (p + 1) * part_));
    });
  }

  /// How often each value of each digit occurs.
  void count_all() {
    for (Counts& counts : total_) counts.fill(0);
    for (std::int64_t i = 0; i < n_; ++i) {
      const SortKey<T> all = key(row_, i);
      for (int d = 0; d < kDigits; ++d) ++total_[static_cast<std::size_t>(d)][digit(all, d * kDigitBits)];
    }
  }

  /// Makes starts_[part][digit] the place where the part's first element with that digit goes.
  template <class Source>
  void find_starts(const Source& source, int shift) {
    if (parts_ == 1) {
      starts_[0] = total_[static_cast<std::size_t>(shift / kDigitBits)];
    } else {
      for_parts([&](std::int64_t part, std::int64_t begin, std::int64_t end) {
        Counts counts{};
        for (std::int64_t i = begin; i < end; ++i) ++counts[digit(key(source, i), shift)];
        starts_[part] = counts;
      });
    }
    std::int64_t start = 0;
    for (std::size_t b = 0; b < kBuckets; ++b)
      for (std::int64_t part = 0; part < parts_; ++part) {
        const std::int64_t count = starts_[part][b];
        starts_[part][b] = start;
        start += count;
      }
  }

  template <class Source, class Sink>
  void distribute(const Source& source, const Sink& sink, int shift) {
    find_starts(source, shift);
    for_parts([&](std::int64_t part, std::int64_t begin, std::int64_t end) {
      Counts next = starts_[part];
      for (std::int64_t i = begin; i < end; ++i)
        sink.put(next[digit(key(source, i), shift)]++, source.value(i), source.place(i));
    });
  }

  Input row_;
  std::int64_t n_;
  bool descending_;
  std::int64_t part_, parts_;  ///< elements of a part, and how many there are
  std::array<Counts, kDigits> total_;
  Scratch<Counts> starts_;
};

/// The elements of a row that can be among the first `kept`, in the order in which they stand: all whose leading bits,
/// counted from the least one's key on, are not greater than those of the last of them.
template <class T, class Place>
class Candidates {
 public:
  Candidates(const T* row, std::int64_t n, bool descending, std::int64_t kept) {
    using Key = SortKey<T>;
    Key least = sort_key(row[0], descending), greatest = least;
    for (std::int64_t i = 1; i < n; ++i) {
      const Key key = sort_key(row[i], descending);
      least = std::min(least, key);
      greatest = std::max(greatest, key);
    }
    const int shift = std::max(0, static_cast<int>(std::bit_width(static_cast<Key>(greatest - least))) - kLeadingBits);
    const auto leading = [&](std::int64_t i) {
      return static_cast<std::size_t>(static_cast<Key>(sort_key(row[i], descending) - least) >> shift);
    };
    Scratch<std::int64_t> counts(kLeading);
    std::fill_n(counts.data(), kLeading, 0);
    for (std::int64_t i = 0; i < n; ++i) ++counts.data()[leading(i)];
    std::size_t last = 0;
    for (count_ = counts.data()[0]; count_ < kept; count_ += counts.data()[last]) ++last;
    placed_.emplace(count_ + 1);  // the element behind the last one is written over and over
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      (*placed_)[count] = {row[i], static_cast<Place>(i)};
      count += leading(i) <= last ? 1 : 0;
    }
  }

  std::int64_t count() const { return count_; }
  Between<T, Place> elements() { return {placed_->data()}; }

 private:
  static constexpr int kLeadingBits = 12;
  static constexpr std::int64_t kLeading = std::int64_t{1} << kLeadingBits;

  std::int64_t count_ = 0;
  std::optional<Scratch<Placed<T, Place>>> placed_;
};

// ---- rows ---------------------------------------------------------------------------------------

template <class T, class Place>
void sort_long(const T* row, std::int64_t n, bool descending, const Results<T>& results, std::int64_t parts) {
  // Bools have two keys, too few to leave any out. What leaves a quarter out costs less than a digit's pass.
  if constexpr (!std::is_same_v<T, bool>)
    if (n >= kLongRow && results.kept <= n - n / 4) {
      Candidates<T, Place> candidates(row, n, descending, results.kept);
      return RadixSort<T, Place, Between<T, Place>>(candidates.elements(), candidates.count(), descending, parts)
          .run(results);
    }
  RadixSort<T, Place, Row<T>>({row}, n, descending, parts).run(results);
}

template <class T>
void sort_row(const T* row, std::int64_t n, bool descending, const Results<T>& results, std::int64_t parts) {
  if (results.kept <= n / kFew) {
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, std::int32_t>)  // SSE2 compares these
      if (results.kept > 0 && select_within_bound(row, n, descending, results)) return;
    return select(row, n, descending, results);
  }
  if (n <= kShortRow<T>) return sort_short(row, n, descending, results);
  constexpr std::int64_t kNarrow = std::int64_t{1} << 32;
  if (n <= kNarrow) return sort_long<T, std::uint32_t>(row, n, descending, results, parts);
  sort_long<T, std::int64_t>(row, n, descending, results, parts);
}

template <class T>
void sort_rows(const Sort& call) {
  const auto sorted = [&](std::int64_t r, std::int64_t parts) {
    T* const values = static_cast<T*>(call.values.data);
    const Results<T> results{call.values.is_memory() ? values + r * call.values.strides[0] : nullptr,
                             static_cast<std::int64_t*>(call.indices.data) + r * call.indices.strides[0], call.kept};
    sort_row(static_cast<const T*>(call.in.data) + r * call.in.strides[0], call.columns, call.descending, results,
             parts);
  };
  const std::int64_t threads = num_threads();
  if (call.rows < threads && call.columns >= kForkWork) {
    for (std::int64_t r = 0; r < call.rows; ++r) sorted(r, threads);
    return;
  }
  parallel_for(call.rows, call.columns * kPasses, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) sorted(r, 1);
  });
}

}  // namespace

void run(const Sort& call) {
  with_dtype(call.in.dtype, [&]<class T>() { return sort_rows<T>(call); });
}

}  // namespace luge::cpu
