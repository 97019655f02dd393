// Which operations of a graph are needed, and which registers hold their results.

#include <algorithm>
#include <cstring>

#include "code.h"

namespace luge::cpu::jit {

/// Registers handed out lowest first.
class Code::Registers {
 public:
  explicit Registers(int first, int count) : first_(first), used_(static_cast<std::size_t>(count)) {}
  /// -1: none is left.
  int take() {
    const auto found = std::find(used_.begin(), used_.end(), false);
    if (found == used_.end()) return -1;
    *found = true;
    const int at = static_cast<int>(found - used_.begin());
    most_ = std::max(most_, at + 1);
    return first_ + at;
  }
  void give_back(int reg) { used_[static_cast<std::size_t>(reg - first_)] = false; }
  int most() const { return most_; }

 private:
  int first_;
  std::vector<bool> used_;
  int most_ = 0;
};

void Code::find_live() {
  last_use_.assign(operations_.size(), -1);
  const int end = static_cast<int>(operations_.size());
  for (const LoopShape::Output& output : outputs_) last_use_[static_cast<std::size_t>(output.operation)] = end;
  for (const int sum : sums_) last_use_[static_cast<std::size_t>(sum)] = end;
  for (const LoopShape::Product& product : products_)
    for (const int factor : {product.a, product.b}) last_use_[static_cast<std::size_t>(factor)] = end;
  for (int i = end - 1; i >= 0; --i) {
    if (last_use_[static_cast<std::size_t>(i)] < 0) continue;
    for (const int arg : operations_[static_cast<std::size_t>(i)].args)
      if (arg >= 0) last_use_[static_cast<std::size_t>(arg)] = std::max(last_use_[static_cast<std::size_t>(arg)], i);
  }
}

int Code::pool_entry(const Operation& constant) {
  if (constant.primitive == Primitive::Uniform) return constant.index;
  return number_entry(constant.number);
}

int Code::number_entry(double number) {
  for (std::size_t i = 0; i < numbers_.size(); ++i)
    if (std::memcmp(&numbers_[i], &number, sizeof number) == 0) return uniforms_ + static_cast<int>(i);
  numbers_.push_back(number);
  return uniforms_ + static_cast<int>(numbers_.size()) - 1;
}

/// Processors that add and multiply side by side gain where neither waits for the other: a sum is computed as
/// 1 * a + b, which rounds once and so is the same, if there are more sums than products.
void Code::balance() {
  const auto is_sum = [&](int i) {
    return operation(i).primitive == Primitive::Add || operation(i).primitive == Primitive::Sub;
  };
  // One more sum for each vector of elements, or the products that are added up.
  int surplus = static_cast<int>(sums_.size()) - static_cast<int>(products_.size());
  for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
    if (!alive(i)) continue;
    const Primitive primitive = operation(i).primitive;
    if (is_sum(i)) ++surplus;
    if (primitive == Primitive::Mul || primitive == Primitive::Fma) --surplus;
  }
  as_product_.assign(operations_.size(), false);
  for (int i = 0; i < static_cast<int>(operations_.size()) && surplus > 1; ++i) {
    if (!alive(i) || !is_sum(i)) continue;
    as_product_[static_cast<std::size_t>(i)] = true;
    surplus -= 2;
  }
}

bool Code::place() {
  // The last of 16 holds the mask of the tail; a sum needs registers at the end for its members and lanes.
  const int each_sum = members() + sum_vectors();
  const int total = (wide_ ? 32 : 15) - each_sum * static_cast<int>(sums_.size()) - accumulators_;
  if (total < kTemporaries) return false;
  first_sum_register_ = total;
  locations_.assign(operations_.size(), {});
  Registers vectors(0, total), masks(1, 6);
  std::vector<int> constants;  // pool entries
  const auto note_constant = [&](int entry) {
    if (std::find(constants.begin(), constants.end(), entry) == constants.end()) constants.push_back(entry);
  };
  for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
    if (!alive(i)) continue;
    Location& location = locations_[static_cast<std::size_t>(i)];
    if (is_constant(operation(i).primitive)) {
      note_constant(location.constant = pool_entry(operation(i)));
      continue;
    }
    if (operation(i).primitive == Primitive::Neg || operation(i).primitive == Primitive::Abs)
      note_constant(sign_ = number_entry(-0.0));
    if (as_product_[static_cast<std::size_t>(i)]) note_constant(one_ = number_entry(1.0));
    // A fused multiply-add overwrites a copy of its first factor, so it may not lie on another argument.
    const bool apart = operation(i).primitive == Primitive::Fma;
    if (!apart) release_args(i, vectors, masks);
    location.reg = in_mask_register(i) ? masks.take() : vectors.take();
    if (location.reg < 0) return false;
    if (apart) release_args(i, vectors, masks);
  }
  const int most = std::max(vectors.most(), kTemporaries);
  const int left = total - most;
  const bool all = static_cast<int>(constants.size()) <= left;
  const int keeping = all ? static_cast<int>(constants.size()) : left - kScratch;
  if (keeping < 0) return false;
  scratch_ = most + keeping;
  for (int c = 0; c < keeping; ++c) kept_constants_.emplace_back(constants[static_cast<std::size_t>(c)], most + c);
  return true;
}

void Code::release_args(int i, Registers& vectors, Registers& masks) {
  const std::array<int, 3>& args = operation(i).args;
  for (std::size_t k = 0; k < args.size(); ++k) {
    const int arg = args[k];
    if (arg < 0 || is_constant(operation(arg).primitive) || last_use_[static_cast<std::size_t>(arg)] != i) continue;
    if (std::find(args.begin(), args.begin() + static_cast<std::ptrdiff_t>(k), arg) !=
        args.begin() + static_cast<std::ptrdiff_t>(k))
      continue;  // the same argument twice
    const int reg = locations_[static_cast<std::size_t>(arg)].reg;
    in_mask_register(arg) ? masks.give_back(reg) : vectors.give_back(reg);
  }
}

}  // namespace luge::cpu::jit
