#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/base/error.h>
#include <luge/base/memory.h>

#include "kernels/cpu/memory.h"

namespace luge::test {
namespace {

class MemoryTest : public ::testing::Test {
 protected:
  void SetUp() override { cpu::release_cache(); }
  void TearDown() override {
    set_memory_limit(0);
    cpu::release_cache();
  }
};

TEST_F(MemoryTest, BlocksAreAlignedApartAndWritable) {
  std::mt19937_64 engine(1);
  struct Block {
    unsigned char* data;
    std::size_t bytes;
    unsigned char mark;
  };
  std::vector<Block> blocks;
  for (int i = 0; i < 3000; ++i) {
    if (!blocks.empty() && engine() % 2 == 0) {
      const std::size_t pick = engine() % blocks.size();
      const Block block = blocks[pick];
      for (const std::size_t at : {std::size_t{0}, block.bytes / 2, block.bytes - 1})
        ASSERT_EQ(block.data[at], block.mark);
      cpu::free(block.data, block.bytes);
      blocks[pick] = blocks.back();
      blocks.pop_back();
    } else {
      const std::size_t bytes = 1 + engine() % (std::size_t{1} << (1 + engine() % 22));
      auto* const data = static_cast<unsigned char*>(cpu::allocate(bytes));
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(data) % 256, 0U);
      const auto mark = static_cast<unsigned char>(i);
      std::memset(data, mark, bytes);
      blocks.push_back({data, bytes, mark});
    }
  }
  for (const Block& block : blocks) cpu::free(block.data, block.bytes);
}

TEST_F(MemoryTest, StatisticsAreExact) {
  const std::size_t before = cpu::memory_stats().allocated;
  cpu::reset_peak_memory();
  void* const small = cpu::allocate(100);
  void* const large = cpu::allocate(5'000'000);
  const MemoryStats stats = cpu::memory_stats();
  EXPECT_GE(stats.allocated - before, 5'000'100U);
  EXPECT_LE(stats.allocated - before, 5'000'100U * 9 / 8 + 512);
  EXPECT_EQ(stats.peak, stats.allocated);
  EXPECT_GE(stats.reserved, stats.allocated - before);
  cpu::free(large, 5'000'000);
  cpu::free(small, 100);
  EXPECT_EQ(cpu::memory_stats().allocated, before);
  EXPECT_EQ(cpu::memory_stats().peak, stats.peak);
  cpu::reset_peak_memory();
  EXPECT_EQ(cpu::memory_stats().peak, before);
}

TEST_F(MemoryTest, FreedMemoryIsUsedAgainAndCanBeReleased) {
  const std::size_t before = cpu::memory_stats().reserved;
  void* const first = cpu::allocate(std::size_t{1} << 24);
  const std::size_t held = cpu::memory_stats().reserved;
  cpu::free(first, std::size_t{1} << 24);
  EXPECT_EQ(cpu::memory_stats().reserved, held);
  void* const second = cpu::allocate(std::size_t{1} << 24);
  EXPECT_EQ(second, first);
  cpu::free(second, std::size_t{1} << 24);
  std::vector<void*> small;
  for (int i = 0; i < 5000; ++i) small.push_back(cpu::allocate(700));
  for (void* const block : small) cpu::free(block, 700);
  cpu::release_cache();
  EXPECT_EQ(cpu::memory_stats().reserved, before);
}

TEST_F(MemoryTest, RefusalNamesTheSizesAndASmallerRunSucceeds) {
  constexpr std::size_t kLimit = std::size_t{64} << 20;
  set_memory_limit(kLimit);
  void* const part = cpu::allocate(std::size_t{40} << 20);
  try {
    cpu::allocate(std::size_t{50} << 20);
    FAIL() << "an allocation beyond the limit succeeded";
  } catch (const OutOfMemoryError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find(std::to_string(std::size_t{50} << 20)), std::string::npos) << text;
    EXPECT_NE(text.find(std::to_string(kLimit)), std::string::npos) << text;
    EXPECT_NE(text.find(std::to_string(cpu::memory_stats().allocated)), std::string::npos) << text;
  }
  cpu::free(part, std::size_t{40} << 20);
  // Now it fits, because what is cached is given back first.
  void* const whole = cpu::allocate(std::size_t{50} << 20);
  cpu::free(whole, std::size_t{50} << 20);
  EXPECT_THROW(cpu::allocate(~std::size_t{0}), OutOfMemoryError);
  EXPECT_THROW(cpu::allocate(std::size_t{1} << 60), OutOfMemoryError);
}

TEST_F(MemoryTest, BlocksMayBeFreedOnAnotherThread) {
  const std::size_t before = cpu::memory_stats().allocated;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::vector<void*>> handed(3);
    std::vector<std::thread> threads;
    for (auto& blocks : handed)
      threads.emplace_back([&blocks] {
        for (int i = 0; i < 500; ++i) {
          blocks.push_back(cpu::allocate(256));
          *static_cast<int*>(blocks.back()) = i;
        }
      });
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    for (auto& blocks : handed)
      threads.emplace_back([&blocks] {
        for (std::size_t i = 0; i < blocks.size(); ++i) {
          EXPECT_EQ(*static_cast<int*>(blocks[i]), static_cast<int>(i));
          cpu::free(blocks[i], 256);
        }
      });
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(cpu::memory_stats().allocated, before);
}

}  // namespace
}  // namespace luge::test
