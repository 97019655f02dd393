#include "simt/executor/schedule.h"

#include <charconv>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

namespace simt {

Order parse_order(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(':'));
  const std::string_view number = name.size() < text.size() ? text.substr(name.size() + 1) : std::string_view();
  Order order;
  if (name == "ascending" || name == "descending") {
    order.kind = name == "ascending" ? Order::Kind::Ascending : Order::Kind::Descending;
    if (name.size() == text.size()) return order;
  } else if (name == "random" || name == "priority") {
    order.kind = name == "random" ? Order::Kind::Random : Order::Kind::Priority;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), order.seed);
    if (error == std::errc() && end == number.data() + number.size()) return order;
  }
  throw std::invalid_argument("order '" + std::string(text) +
                              "': allowed are ascending, descending, random:SEED and priority:SEED");
}

/// xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
std::uint64_t Schedule::random() {
  random_state_ ^= random_state_ << 13;
  random_state_ ^= random_state_ >> 7;
  random_state_ ^= random_state_ << 17;
  return random_state_;
}

void Schedule::begin_launch(Order order, std::uint64_t blocks) {
  order_ = order;
  blocks_ = blocks;
  random_state_ = order.seed * 0x9E3779B97F4A7C15u | 1;
  block_offset_ = 0;
  block_stride_ = 1;
  const bool shuffles = order.kind == Order::Kind::Random || order.kind == Order::Kind::Priority;
  if (!shuffles || blocks < 2) return;
  // Steps of a length coprime to the number of blocks visit each of them once.
  block_offset_ = random() % blocks;
  do block_stride_ = 1 + random() % (blocks - 1);
  while (std::gcd(block_stride_, blocks) != 1);
}

std::uint64_t Schedule::block(std::uint64_t i) const {
  if (order_.kind == Order::Kind::Descending) return blocks_ - 1 - i;
  return (block_offset_ + i * block_stride_) % blocks_;
}

void Schedule::begin_block(unsigned threads) {
  ready_ = head_ = 0;
  ready_lanes_.fill(0);
  if (order_.kind == Order::Kind::Priority)
    for (unsigned& priority : priority_) priority = static_cast<unsigned>(random() >> 16);
  for (unsigned i = 0; i < threads; ++i) push(wakes_backwards() ? threads - 1 - i : i);
}

void Schedule::push(unsigned thread) {
  if (order_.kind == Order::Kind::Priority)
    ready_lanes_[thread / 32] |= 1u << thread % 32;
  else
    ring_[(head_ + ready_) % kCapacity] = thread;
  ++ready_;
}

unsigned Schedule::pop() {
  const unsigned thread = order_.kind == Order::Kind::Priority ? pop_by_priority() : pop_from_ring();
  --ready_;
  return thread;
}

unsigned Schedule::pop_from_ring() {
  if (order_.kind == Order::Kind::Random)
    std::swap(ring_[head_], ring_[(head_ + static_cast<unsigned>(random() % ready_)) % kCapacity]);
  const unsigned thread = ring_[head_];
  head_ = (head_ + 1) % kCapacity;
  return thread;
}

unsigned Schedule::pop_by_priority() {
  if ((random() & 1023) == 0) priority_[random() % kWarps] = static_cast<unsigned>(random() >> 16);
  unsigned best = kWarps;
  for (unsigned warp = 0; warp < kWarps; ++warp)
    if (ready_lanes_[warp] != 0 && (best == kWarps || priority_[warp] > priority_[best])) best = warp;
  const auto lane = static_cast<unsigned>(__builtin_ctz(ready_lanes_[best]));
  ready_lanes_[best] &= ready_lanes_[best] - 1;
  return best * 32 + lane;
}

bool Schedule::wants_yield() {
  const bool varies = order_.kind == Order::Kind::Random || order_.kind == Order::Kind::Priority;
  return varies && (random() & 7) == 0;
}

void Schedule::demote(unsigned thread) {
  if (order_.kind == Order::Kind::Priority) priority_[thread / 32] = static_cast<unsigned>(random() >> 16);
}

}  // namespace simt
