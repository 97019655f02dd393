// The tiles of matrix products: every element has one place and one thread, and no two lanes meet in a bank.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "kernels/cuda/matmul_shapes.cuh"

namespace luge::cuda {
namespace {

constexpr int kBanks = 32;

/// How many turns shared memory takes for an access of `bytes` at each of `places` (in elements) by the lanes of a
/// warp. 16 bytes go by quarters of a warp, 8 by halves; lanes that want the same word share it.
int turns(const std::vector<int>& places, int bytes, int element) {
  const auto at_once = static_cast<std::size_t>(std::min(kWarp, kWarp * 4 / bytes));
  int total = 0;
  for (std::size_t first = 0; first < places.size(); first += at_once) {
    std::map<int, std::set<int>> banks;
    for (std::size_t lane = first; lane < std::min(places.size(), first + at_once); ++lane)
      for (int word = places[lane] * element / 4; word < (places[lane] * element + bytes) / 4; ++word)
        banks[word % kBanks].insert(word);
    std::size_t most = 0;
    for (const auto& [bank, words] : banks) most = std::max(most, words.size());
    total += static_cast<int>(most);
  }
  return total;
}
int fewest_turns(std::size_t lanes, int bytes) {
  const std::size_t at_once = static_cast<std::size_t>(std::min(kWarp, kWarp * 4 / bytes));
  return static_cast<int>((lanes + at_once - 1) / at_once);
}

template <class Shape, int width>
void check_factor() {
  using Place = Staged<Shape, width>;
  using Loader = TileLoader<Shape, width, true>;
  constexpr int kElement = sizeof(typename Shape::T);
  std::set<int> all;
  for (int term = 0; term < Shape::kDepth; ++term)
    for (int line = 0; line < width; ++line) {
      const int place = Place::place(line, term);
      EXPECT_TRUE(0 <= place && place < width * Shape::kDepth && all.insert(place).second) << line << ", " << term;
      const int first = term / Shape::kPack * Shape::kPack;
      EXPECT_EQ(Place::along(Place::place(line, first), term - first), place);
    }
  for (const bool along_terms : {false, true}) {
    std::set<std::pair<int, int>> loaded;
    for (int warp = 0; warp < Shape::kTeam; warp += kWarp) {
      for (int slot = 0; slot < Loader::kSlots; ++slot) {
        std::vector<int> places;
        for (int rank = warp; rank < std::min(warp + kWarp, Loader::kPacks); ++rank) {
          const int line = Loader::first_line(rank, along_terms) + (along_terms ? slot * Loader::kLineStep : 0);
          const int term = Loader::first_term(rank, along_terms) + (along_terms ? 0 : slot * Loader::kTermStep);
          places.push_back(Place::place(line, term));
          for (int i = 0; i < Shape::kPack; ++i)
            EXPECT_TRUE(loaded.emplace(line + (along_terms ? 0 : i), term + (along_terms ? i : 0)).second);
        }
        if (places.empty()) continue;
        if (!along_terms) {
          EXPECT_EQ(turns(places, 16, kElement), fewest_turns(places.size(), 16));
          for (const int place : places) EXPECT_EQ(place % Shape::kPack, 0) << "16 bytes are aligned";
        }
        for (int i = 0; along_terms && i < Shape::kPack; ++i) {
          std::vector<int> ones;
          for (const int place : places) ones.push_back(Place::along(place, i));
          EXPECT_EQ(turns(ones, kElement, kElement), fewest_turns(ones.size(), kElement)) << i;
        }
      }
    }
    EXPECT_EQ(loaded.size(), static_cast<std::size_t>(width * Shape::kDepth)) << along_terms;
  }
}

/// What the lanes of every warp read of a staged factor, `unit` lines at once.
template <class Shape, int width, int unit, class Line>
void check_reads(int count, const Line& line) {
  using Place = Staged<Shape, width>;
  constexpr int kElement = sizeof(typename Shape::T);
  for (int warp = 0; warp < Shape::kTeam; warp += kWarp)
    for (int term = 0; term < Shape::kDepth; ++term)
      for (int i = 0; i < count; i += unit) {
        std::vector<int> places;
        for (int rank = warp; rank < warp + kWarp; ++rank) {
          places.push_back(Place::place(line(rank, i), term));
          for (int l = 1; l < unit; ++l)
            EXPECT_EQ(Place::place(line(rank, i + l), term), places.back() + l) << "neighbours";
        }
        EXPECT_EQ(turns(places, unit * kElement, kElement), fewest_turns(places.size(), unit * kElement));
      }
}

template <class Shape>
void check_shape() {
  using Part = TilePart<Shape>;
  check_factor<Shape, Shape::kRows>();
  check_factor<Shape, Shape::kColumns>();
  check_reads<Shape, Shape::kRows, Part::kUnitDown>(
      Shape::kDown, [](int rank, int i) { return Part::first_row(rank) + Part::row(i); });
  check_reads<Shape, Shape::kColumns, Part::kUnitAcross>(
      Shape::kAcross, [](int rank, int j) { return Part::first_column(rank) + Part::column(j); });
  std::set<std::pair<int, int>> computed;
  for (int rank = 0; rank < Shape::kTeam; ++rank)
    for (int i = 0; i < Shape::kDown; ++i)
      for (int j = 0; j < Shape::kAcross; ++j)
        EXPECT_TRUE(
            computed.emplace(Part::first_row(rank) + Part::row(i), Part::first_column(rank) + Part::column(j)).second);
  EXPECT_EQ(computed.size(), static_cast<std::size_t>(Shape::kRows * Shape::kColumns));
  EXPECT_LT(std::max(computed.rbegin()->first, computed.rbegin()->second), std::max(Shape::kRows, Shape::kColumns));
}

template <class... Shape>
void check_shapes(std::tuple<Shape...>*) {
  (
      [] {
        SCOPED_TRACE(testing::Message() << Shape::kRows << " x " << Shape::kColumns);
        check_shape<Shape>();
      }(),
      ...);
}

TEST(MatMulTileTest, EveryElementHasOnePlaceAndOneThreadAndNoLanesMeetInABank) {
  check_shapes(static_cast<TileShapes<float>::All*>(nullptr));
  check_shapes(static_cast<TileShapes<double>::All*>(nullptr));
}

}  // namespace
}  // namespace luge::cuda
