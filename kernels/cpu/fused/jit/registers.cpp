// Which operations of a graph are needed, and which registers hold their results.

#include <algorithm>
#include <cstring>
#include <utility>

#include "code.h"

namespace luge::cpu::jit {

/// Registers handed out lowest first.
class Code::Registers {
 public:
  explicit Registers(int first, int count) : first_(first), used_(static_cast<std::size_t>(count)) {}
  /// -1: none is left. `preferred`: this one, if it is free.
  int take(int preferred = -1) {
    auto found = std::find(used_.begin(), used_.end(), false);
    if (preferred >= first_ && !used_[static_cast<std::size_t>(preferred - first_)])
      found = used_.begin() + (preferred - first_);
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
  for (const int sum : sums_) last_use_[static_cast<std::size_t>(sum)] = std::max(last_use_[static_cast<std::size_t>(sum)], sum);
  for (const LoopShape::Product& product : products_)
    for (const int factor : {product.a, product.b}) last_use_[static_cast<std::size_t>(factor)] = end;
  for (int i = end - 1; i >= 0; --i) {
    if (last_use_[static_cast<std::size_t>(i)] < 0) continue;
    for (const int arg : operations_[static_cast<std::size_t>(i)].args)
      if (arg >= 0) last_use_[static_cast<std::size_t>(arg)] = std::max(last_use_[static_cast<std::size_t>(arg)], i);
  }
}

void Code::find_levels() {
  levels_.assign(operations_.size(), Level::Step);
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const Operation& op = operations_[i];
    if (op.primitive == Primitive::Input) {
      const bool once = row_length_ != 0 && walks_[static_cast<std::size_t>(op.index)].repeats;
      levels_[i] = once ? Level::Row : Level::Element;
    }
    for (const int arg : op.args)
      if (arg >= 0) levels_[i] = std::max(levels_[i], levels_[static_cast<std::size_t>(arg)]);
  }
}

/// What an operation reads of a level above its own stays until the end.
void Code::keep_levels() {
  for (std::size_t i = 0; i < operations_.size(); ++i)
    for (const int arg : operations_[i].args)
      if (arg >= 0 && last_use_[i] >= 0 && levels_[static_cast<std::size_t>(arg)] < levels_[i])
        last_use_[static_cast<std::size_t>(arg)] = static_cast<int>(operations_.size());
}

/// What is summed and the same for all elements of a row stays until the end; all else is added when it is made.
void Code::keep_sums() {
  for (const int sum : sums_)
    if (levels_[static_cast<std::size_t>(sum)] != Level::Element)
      last_use_[static_cast<std::size_t>(sum)] = static_cast<int>(operations_.size());
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
    if (!alive(i) || level(i) != Level::Element) continue;
    const Primitive primitive = operation(i).primitive;
    if (is_sum(i)) ++surplus;
    if (primitive == Primitive::Mul || primitive == Primitive::Fma) --surplus;
  }
  as_product_.assign(operations_.size(), false);
  for (int i = 0; i < static_cast<int>(operations_.size()) && surplus > 1; ++i) {
    if (!alive(i) || level(i) != Level::Element || !is_sum(i)) continue;
    as_product_[static_cast<std::size_t>(i)] = true;
    surplus -= 2;
  }
}

/// What is the same for all elements is computed beforehand, if there are registers that keep it.
bool Code::place() {
  // The last of 16 holds the mask of the tail; a sum needs registers at the end for its lanes.
  const int total = (wide_ ? 32 : 15) - sum_vectors() * static_cast<int>(sums_.size()) - accumulators_;
  if (total < kTemporaries) return false;
  first_sum_register_ = total;
  const std::vector<int> last_use = last_use_;
  for (const bool beforehand : {true, false}) {
    if (!beforehand)
      for (Level& level : levels_)
        if (level == Level::Step) level = row_length_ != 0 ? Level::Row : Level::Element;
    last_use_ = last_use;
    keep_levels();
    keep_sums();
    locations_.assign(operations_.size(), {});
    Registers vectors(0, total), masks(1, 6);
    const int temporaries[kTemporaries] = {vectors.take(), vectors.take()};
    bool placed = place(Level::Step, vectors, masks) && place(Level::Row, vectors, masks);
    for (const int reg : temporaries) vectors.give_back(reg);
    placed = placed && place(Level::Element, vectors, masks);
    if (!placed) continue;
    int most = std::max(vectors.most(), kTemporaries);
    if (!keep_constants(most, total)) continue;
    place_copies(most, total);
    if (row_length_ != 0) place_tails();
    return true;
  }
  return false;
}

/// Vectors of elements side by side: of each, what the first has in registers is in registers of its own. They take
/// those of constants, which instructions then read from memory.
void Code::place_copies(int most, int total) {
  constexpr int kMostCopies = 4, kMostMasks = 6;
  std::vector<int> registers;
  int masks = 0;
  for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
    const int reg = locations_[static_cast<std::size_t>(i)].reg;
    if (!alive(i) || reg < 0 || level(i) != Level::Element) continue;
    if (in_mask_register(i))
      masks = std::max(masks, reg);
    else if (std::find(registers.begin(), registers.end(), reg) == registers.end())
      registers.push_back(reg);
  }
  const int own = static_cast<int>(registers.size());
  int copies = kMostCopies;
  while (copies > 1 && (masks * copies > kMostMasks || most + (copies - 1) * own + kScratch > total)) --copies;
  copies_.assign(static_cast<std::size_t>(copies), locations_);
  for (int c = 1; c < copies; ++c)
    for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
      int& reg = copies_[static_cast<std::size_t>(c)][static_cast<std::size_t>(i)].reg;
      if (!alive(i) || reg < 0 || level(i) != Level::Element) continue;
      if (in_mask_register(i)) {
        reg += c * masks;
      } else {
        const auto at = std::find(registers.begin(), registers.end(), reg) - registers.begin();
        reg = most + (c - 1) * own + static_cast<int>(at);
      }
    }
  if (!keep_constants(most + (copies - 1) * own, total)) {
    copies_.resize(1);
    keep_constants(most, total);
  }
}

/// The last elements of rows, if they fill less than half of a vector: those of several rows are computed together, by
/// registers below the constants'. What rows have one of is then an element's.
void Code::place_tails() {
  const int lanes = vector_bytes() / element_bytes(), rest = static_cast<int>(row_length_) % lanes;
  constexpr std::size_t kMostPointers = 10;  // rdi is read twice
  const auto is_dense = [&](const LoopShape::Walk& walk) {
    return walk.repeats ? walk.row_bytes == 0 || walk.row_bytes == element_bytes() : walk.row_bytes <= INT32_MAX / lanes;
  };
  if (!wide_ || rest == 0 || 2 * rest > lanes || !outputs_.empty() || sums_.empty() || pointers() > kMostPointers ||
      !std::all_of(walks_.begin(), walks_.end(), is_dense))
    return;
  const std::vector<Level> levels = levels_;
  const std::vector<Location> locations = locations_;
  const std::vector<int> last_use = last_use_;
  Registers vectors(0, scratch_ - static_cast<int>(kept_constants_.size())), masks(1, 6);
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    if (!alive(static_cast<int>(i)) || is_constant(operations_[i].primitive)) continue;
    if (levels_[i] == Level::Step && !in_mask_register(static_cast<int>(i))) vectors.take(locations_[i].reg);
    if (levels_[i] == Level::Step && in_mask_register(static_cast<int>(i))) masks.take(locations_[i].reg);
    if (levels_[i] == Level::Row) levels_[i] = Level::Element;
  }
  find_live();
  keep_levels();
  keep_sums();
  tail_register_ = vectors.take();
  const bool placed = tail_register_ >= 0 && place(Level::Element, vectors, masks);
  tail_levels_ = std::exchange(levels_, levels);
  tail_locations_ = std::exchange(locations_, locations);
  last_use_ = last_use;
  if (placed) tail_rows_ = lanes / rest;
}

/// Gives constants the registers from `most` to `total`.
bool Code::keep_constants(int most, int total) {
  const std::vector<int> constants = constants_by_use();
  const int left = total - most;
  const bool all = static_cast<int>(constants.size()) <= left;
  const int keeping = all ? static_cast<int>(constants.size()) : left - kScratch;
  if (keeping < 0) return false;
  scratch_ = most + keeping;
  kept_constants_.clear();
  for (int c = 0; c < keeping; ++c) kept_constants_.emplace_back(constants[static_cast<std::size_t>(c)], most + c);
  return true;
}

/// The inputs of some vectors of elements have the last registers, and keep them. The more vectors there are, the less a step
/// waits for the one before.
bool Code::place_steps() {
  const int total = wide_ ? 32 : 16;
  const auto is_made = [&](const LoopShape::Output& output) {
    return !is_constant(operation(output.operation).primitive) && level(output.operation) == Level::Element &&
           operation(output.operation).primitive != Primitive::Input;
  };
  if (!std::all_of(outputs_.begin(), outputs_.end(), is_made)) return false;
  keep_levels();
  for (const int together : {16, 12, 8, 6, 4, 3}) {
    first_input_register_ = total - together * inputs_;
    if (first_input_register_ < 1) continue;
    locations_.assign(operations_.size(), {});
    Registers vectors(0, first_input_register_), masks(1, 6);
    if (!place(Level::Step, vectors, masks) || !place_elements_of_steps(vectors, masks)) continue;
    if (!keep_constants(vectors.most(), first_input_register_)) continue;
    together_ = together;
    return true;
  }
  return false;
}

/// A result takes the register of the input that it is in the next step, if nobody reads that any more.
bool Code::place_elements_of_steps(Registers& vectors, Registers& masks) {
  std::vector<int> input_operations(static_cast<std::size_t>(inputs_), -1);
  for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
    if (!alive(i)) continue;
    const Operation& op = operation(i);
    Location& location = locations_[static_cast<std::size_t>(i)];
    if (op.primitive == Primitive::Input) {
      location.reg = first_input_register_ + op.index;
      input_operations[static_cast<std::size_t>(op.index)] = i;
      continue;
    }
    if (is_constant(op.primitive) || level(i) != Level::Element) continue;
    release_args(i, vectors, masks);
    for (std::size_t o = 0; o < outputs_.size() && location.reg < 0; ++o) {
      if (outputs_[o].operation != i) continue;
      const int input = input_operations[static_cast<std::size_t>(next_inputs_[o])];
      if (input >= 0 && last_use_[static_cast<std::size_t>(input)] <= i) location.reg = locations_[static_cast<std::size_t>(input)].reg;
    }
    if (location.reg < 0) location.reg = in_mask_register(i) ? masks.take() : vectors.take();
    if (location.reg < 0) return false;
  }
  return true;
}

/// To the inputs of another vector of elements.
void Code::shift_inputs(int by) {
  for (std::size_t i = 0; i < operations_.size(); ++i)
    if (!(wide_ && is_mask(operations_[i].primitive)) && locations_[i].reg >= 0 && levels_[i] == Level::Element &&
        locations_[i].reg >= first_input_register_)
      locations_[i].reg += by;
}

/// The operations of one level.
bool Code::place(Level wanted, Registers& vectors, Registers& masks) {
  for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
    if (!alive(i)) continue;
    const Operation& op = operation(i);
    Location& location = locations_[static_cast<std::size_t>(i)];
    if (is_constant(op.primitive)) {
      location.constant = pool_entry(op);
      continue;
    }
    if (level(i) != wanted) continue;
    release_args(i, vectors, masks);
    // A fused multiply-add goes on in the register of an argument that nobody reads any more.
    int preferred = -1;
    if (op.primitive == Primitive::Fma)
      for (const int arg : {op.args[1], op.args[0], op.args[2]})
        if (!is_constant(operation(arg).primitive) && last_use_[static_cast<std::size_t>(arg)] == i)
          preferred = locations_[static_cast<std::size_t>(arg)].reg;
    location.reg = in_mask_register(i) ? masks.take() : vectors.take(preferred);
    if (location.reg < 0) return false;
    // Nobody reads it again: it has been added to a sum.
    if (last_use_[static_cast<std::size_t>(i)] == i && !in_mask_register(i)) vectors.give_back(location.reg);
  }
  return true;
}

/// Pool entries, those first that gain most by a register: what elements read, and of that what no instruction takes
/// from memory.
std::vector<int> Code::constants_by_use() {
  std::vector<int> constants;
  const auto note = [&](int entry) {
    if (std::find(constants.begin(), constants.end(), entry) == constants.end()) constants.push_back(entry);
  };
  const auto note_operation = [&](int i) {
    if (is_constant(operation(i).primitive)) note(pool_entry(operation(i)));
  };
  for (const Level wanted : {Level::Element, Level::Row, Level::Step})
    for (const bool folds : {false, true})
      for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
        const Operation& op = operation(i);
        if (!alive(i) || is_constant(op.primitive) || level(i) != wanted) continue;
        if (op.primitive == Primitive::Neg || op.primitive == Primitive::Abs) note(sign_ = number_entry(-0.0));
        if (as_product_[static_cast<std::size_t>(i)]) note(one_ = number_entry(1.0));
        for (std::size_t k = 0; k < op.args.size(); ++k)
          if (op.args[k] >= 0 && (folds || !takes_from_memory(i, k))) note_operation(op.args[k]);
      }
  for (const LoopShape::Output& output : outputs_) note_operation(output.operation);
  for (const int sum : sums_) note_operation(sum);
  for (const LoopShape::Product& product : products_)
    for (const int factor : {product.a, product.b}) note_operation(factor);
  return constants;
}

/// Whether the instruction of operation i can read its argument number k from memory.
bool Code::takes_from_memory(int i, std::size_t k) const {
  if (as_product_[static_cast<std::size_t>(i)]) return false;
  switch (operation(i).primitive) {
    case Primitive::Add:
    case Primitive::Mul: return true;  // either may come first
    case Primitive::Sub:
    case Primitive::Div:
    case Primitive::Min:
    case Primitive::Max:
    case Primitive::And:
    case Primitive::Or:
    case Primitive::Scale: return k == 1;
    case Primitive::Fma: return k == 2;
    default: return false;
  }
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
    if (!next_inputs_.empty() && !in_mask_register(arg) && reg >= first_input_register_) continue;  // stays its input's
    in_mask_register(arg) ? masks.give_back(reg) : vectors.give_back(reg);
  }
}

}  // namespace luge::cpu::jit
