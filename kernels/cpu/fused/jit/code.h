#pragma once
// The instructions of a loop: which registers hold what, and the operations of a graph for one vector of
// elements. assembler.cpp puts the loops around them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include <xbyak/xbyak.h>
#include <xbyak/xbyak_util.h>

#include "assembler.h"

namespace luge::cpu::jit {

/// Asked once: a virtual machine takes long to answer.
const Xbyak::util::Cpu& processor();

class Code : protected Xbyak::CodeGenerator {
 public:
  explicit Code(const LoopShape& shape);

  /// False where it cannot be done.
  bool make(std::vector<std::byte>& pool);
  LoopFn function() const { return getCode<LoopFn>(); }
  std::size_t block() const { return static_cast<std::size_t>(together_ * vector_bytes() / element_bytes()); }

 private:
  using Reg64 = Xbyak::Reg64;
  using Vector = Xbyak::Xmm;

  /// Where an operation's result is while it lives.
  struct Location {
    int reg = -1;       ///< vector register, or mask register
    int constant = -1;  ///< entry of the pool
  };

  /// How often an operation is computed: once a step, once a row, for each vector of elements.
  enum class Level : std::uint8_t { Step, Row, Element };

  static constexpr int kScratch = 3;      ///< registers for constants that have none of their own
  static constexpr int kTemporaries = 2;  ///< the first registers, free between vectors of elements

  // ---- which operations, and where their results are (registers.cpp)

  class Registers;

  void find_live();
  void find_levels();
  void keep_levels();
  void keep_sums();
  void balance();
  bool place();
  bool place_steps();
  void place_copies(int most, int total);
  void place_tails();
  bool place_elements_of_steps(Registers& vectors, Registers& masks);
  bool keep_constants(int most, int total);
  void shift_inputs(int by);
  bool place(Level level, Registers& vectors, Registers& masks);
  std::vector<int> constants_by_use();
  bool takes_from_memory(int i, std::size_t arg) const;
  void release_args(int i, Registers& vectors, Registers& masks);
  int pool_entry(const Operation& constant);
  int number_entry(double number);
  bool alive(int i) const { return last_use_[static_cast<std::size_t>(i)] >= 0; }
  const Operation& operation(int i) const { return operations_[static_cast<std::size_t>(i)]; }
  bool in_mask_register(int i) const { return wide_ && is_mask(operation(i).primitive); }
  Level level(int i) const { return levels_[static_cast<std::size_t>(i)]; }
  /// Those that hold the lanes of a sum; see ../reducers.h.
  int sum_vectors() const { return 16 * element_bytes() / vector_bytes(); }

  // ---- one vector of elements (code.cpp)

  int element_bytes() const { return single_ ? 4 : 8; }
  int vector_bytes() const { return wide_ ? 64 : 32; }
  Vector vector(int reg) const { return Vector(wide_ && !half_ ? Xbyak::Operand::ZMM : Xbyak::Operand::YMM, reg); }
  /// Inputs, outputs, and where the lanes of the sums or the accumulators are.
  std::size_t pointers() const {
    return static_cast<std::size_t>(inputs_) + outputs_.size() + (sums_.empty() && products_.empty() ? 0u : 1u);
  }
  static Reg64 pointer(std::size_t i);
  Vector constant(int entry);
  Vector value(int i);
  /// A register, or where a constant without one is.
  using Argument = std::variant<Vector, Xbyak::Address>;
  Argument argument(int i);
  void emit_level(Level level);
  /// A vector of elements that is computed: so many bytes behind position rax, number `number` of a run.
  struct Elements {
    int displacement, number;
    bool masked = false, half = false;
  };
  void body(std::span<const Elements> side_by_side);
  void body(const Elements& elements) { body(std::span(&elements, 1)); }
  void store(std::size_t output, const Elements& elements);
  void load(const Vector& to, int input, bool masked, int displacement);
  void emit_operation(int i, bool masked, int displacement);
  void emit_round(const Vector& to, const Vector& x);
  void emit_fma(const Operation& op, const Vector& to);
  void emit_sum_as_product(const Operation& op, const Vector& to);
  void emit_compare(const Operation& op, int reg);
  void flip(const Vector& to, const Vector& sign, const Vector& x);
  void clear(const Vector& to, const Vector& sign, const Vector& x);

  // ---- loops (assembler.cpp)

  void enter();
  void begin_step(Xbyak::Label& step);
  void end_step(Xbyak::Label& step);
  void leave();
  void mask_data(Xbyak::Label& data);
  void emit_elements();
  void emit_steps();
  void emit_vectors();
  void emit_rows();
  void emit_row(bool with_tail);
  void emit_tails();
  void emit_groups();
  void load_tails(const Vector& to, int input);
  void emit_side_by_side(int count, bool with_tail);
  void lowest_lanes(int count);
  int row_lane_bytes() const;
  int rest() const;
  void next_rows(int rows);
  void emit_sums();
  void clear_sums();
  void add_to_sums(int operation, const Elements& elements);
  void add_to_lanes(std::size_t sum, const Vector& lanes, const Xbyak::Operand& x);
  void add_to_memory(std::size_t sum);
  Vector lanes(std::size_t sum, int q) const;

  const std::vector<Operation> operations_;
  const DType dtype_;
  const bool single_, wide_;
  const int inputs_, uniforms_;
  const std::vector<bool> far_;
  const std::vector<LoopShape::Output> outputs_;
  std::vector<int> sums_;
  std::vector<bool> negated_;  ///< by sum: the values are subtracted
  const std::int64_t row_length_;
  const std::vector<LoopShape::Walk> walks_;
  const std::vector<int> next_inputs_;
  const int row_bytes_, accumulators_;
  const std::vector<LoopShape::Product> products_;
  std::vector<int> last_use_;
  std::vector<Level> levels_;
  std::vector<Location> locations_;
  std::vector<std::vector<Location>> copies_;  ///< the same for vectors of elements that are computed side by side
  /// The last elements of so many rows make a vector; 1: each row has its own. And their levels and locations.
  int tail_rows_ = 1, tail_register_ = -1;
  std::vector<Level> tail_levels_;
  std::vector<Location> tail_locations_;
  Xbyak::Label tail_row_data_, tail_column_data_;  ///< which row, and which element of it, each lane has
  std::vector<double> numbers_;
  std::vector<std::pair<int, int>> kept_constants_;  ///< pool entry, register
  std::vector<bool> as_product_;  ///< by operation: a sum that is computed by a fused multiply-add
  int scratch_ = 0, next_scratch_ = 0, sign_ = -1, one_ = -1;
  int first_sum_register_ = 0;  ///< or that of the accumulators
  int first_input_register_ = 0, together_ = 0;  ///< of steps in registers: the inputs of so many vectors of elements
  std::size_t pool_bytes_ = 0;
  bool in_tails_ = false;  ///< the last elements of several rows are computed
  bool half_ = false;      ///< instructions on the lower halves of 64 bytes, which take half of the time
};

}  // namespace luge::cpu::jit
