#include "assembler.h"

#include <algorithm>
#include <cstring>

#include <xbyak/xbyak.h>
#include <xbyak/xbyak_util.h>

namespace luge::cpu::jit {

namespace {

/// Where an operation's result is while it lives.
struct Location {
  int reg = -1;       ///< vector register, or mask register
  int constant = -1;  ///< entry of the pool; `reg` then is a register that keeps it, or -1
};

bool is_constant(const Operation& operation) {
  return operation.primitive == Primitive::Uniform || operation.primitive == Primitive::Number;
}

/// Registers handed out lowest first.
class Registers {
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

}  // namespace

void set_pool_entry(std::byte* pool, std::size_t entry, DType dtype, double value) {
  std::byte* const to = pool + entry * Loop::kPoolEntry;
  const auto repeat = [&]<class T>(T element) {
    for (std::size_t i = 0; i < Loop::kPoolEntry; i += sizeof(T)) std::memcpy(to + i, &element, sizeof(T));
  };
  dtype == DType::Float32 ? repeat(static_cast<float>(value)) : repeat(value);
}

class Loop::Code : private Xbyak::CodeGenerator {
 public:
  Code(const Graph& from, int inputs, int uniforms, const std::vector<bool>& far, const std::vector<Output>& outputs)
      : CodeGenerator(1 << 16),
        operations_(from.operations()),
        single_(from.dtype() == DType::Float32),
        wide_(Xbyak::util::Cpu().has(Xbyak::util::Cpu::tAVX512F)),
        inputs_(inputs),
        uniforms_(uniforms),
        far_(far),
        outputs_(outputs) {}

  /// False where it cannot be done.
  bool make(std::vector<std::byte>& pool, DType dtype) {
    const Xbyak::util::Cpu cpu;
    using Feature = Xbyak::util::Cpu;
    if (!cpu.has(Feature::tAVX2) || !cpu.has(Feature::tBMI2) || !cpu.has(Feature::tFMA)) return false;
    if (inputs_ + static_cast<int>(outputs_.size()) > static_cast<int>(std::size(kPointers))) return false;
    find_live();
    if (!place()) return false;
    pool.resize((static_cast<std::size_t>(uniforms_) + numbers_.size()) * kPoolEntry);
    for (std::size_t i = 0; i < numbers_.size(); ++i)
      set_pool_entry(pool.data(), static_cast<std::size_t>(uniforms_) + i, dtype, numbers_[i]);
    emit();
    return true;
  }

  LoopFn function() const { return getCode<LoopFn>(); }

 private:
  using Reg64 = Xbyak::Reg64;
  using Vector = Xbyak::Xmm;

  static constexpr Xbyak::Operand::Code kPointers[] = {
      Xbyak::Operand::RCX, Xbyak::Operand::R8,  Xbyak::Operand::R9,  Xbyak::Operand::R10, Xbyak::Operand::RBX,
      Xbyak::Operand::RBP, Xbyak::Operand::R12, Xbyak::Operand::R13, Xbyak::Operand::R14, Xbyak::Operand::R15,
      Xbyak::Operand::RDI};
  static constexpr int kScratch = 3;  ///< registers for constants that have none of their own

  // ---- which operations, and where their results are

  void find_live() {
    last_use_.assign(operations_.size(), -1);
    const int end = static_cast<int>(operations_.size());
    for (const Output& output : outputs_) last_use_[static_cast<std::size_t>(output.operation)] = end;
    for (int i = end - 1; i >= 0; --i) {
      if (last_use_[static_cast<std::size_t>(i)] < 0) continue;
      for (const int arg : operations_[static_cast<std::size_t>(i)].args)
        if (arg >= 0) last_use_[static_cast<std::size_t>(arg)] = std::max(last_use_[static_cast<std::size_t>(arg)], i);
    }
  }

  bool alive(int i) const { return last_use_[static_cast<std::size_t>(i)] >= 0; }
  const Operation& operation(int i) const { return operations_[static_cast<std::size_t>(i)]; }
  bool in_mask_register(int i) const { return wide_ && is_mask(operation(i).primitive); }

  int pool_entry(const Operation& constant) {
    if (constant.primitive == Primitive::Uniform) return constant.index;
    return number_entry(constant.number);
  }
  int number_entry(double number) {
    for (std::size_t i = 0; i < numbers_.size(); ++i)
      if (std::memcmp(&numbers_[i], &number, sizeof number) == 0) return uniforms_ + static_cast<int>(i);
    numbers_.push_back(number);
    return uniforms_ + static_cast<int>(numbers_.size()) - 1;
  }

  bool place() {
    const int total = wide_ ? 32 : 15;  // the last of 16 holds the mask of the tail
    locations_.assign(operations_.size(), {});
    Registers vectors(0, total), masks(1, 6);
    std::vector<int> constants;  // pool entries
    const auto note_constant = [&](int entry) {
      if (std::find(constants.begin(), constants.end(), entry) == constants.end()) constants.push_back(entry);
    };
    for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
      if (!alive(i)) continue;
      Location& location = locations_[static_cast<std::size_t>(i)];
      if (is_constant(operation(i))) {
        note_constant(location.constant = pool_entry(operation(i)));
        continue;
      }
      if (operation(i).primitive == Primitive::Neg || operation(i).primitive == Primitive::Abs)
        note_constant(sign_ = number_entry(-0.0));
      // A fused multiply-add overwrites a copy of its first factor, so it may not lie on another argument.
      const bool apart = operation(i).primitive == Primitive::Fma;
      if (!apart) release_args(i, vectors, masks);
      location.reg = in_mask_register(i) ? masks.take() : vectors.take();
      if (location.reg < 0) return false;
      if (apart) release_args(i, vectors, masks);
    }
    const int left = total - vectors.most();
    const bool all = static_cast<int>(constants.size()) <= left;
    const int keeping = all ? static_cast<int>(constants.size()) : left - kScratch;
    if (keeping < 0) return false;
    scratch_ = vectors.most() + keeping;
    for (int c = 0; c < keeping; ++c) kept_constants_.emplace_back(constants[static_cast<std::size_t>(c)], vectors.most() + c);
    return true;
  }

  void release_args(int i, Registers& vectors, Registers& masks) {
    const std::array<int, 3>& args = operation(i).args;
    for (std::size_t k = 0; k < args.size(); ++k) {
      const int arg = args[k];
      if (arg < 0 || is_constant(operation(arg)) || last_use_[static_cast<std::size_t>(arg)] != i) continue;
      if (std::find(args.begin(), args.begin() + static_cast<std::ptrdiff_t>(k), arg) !=
          args.begin() + static_cast<std::ptrdiff_t>(k))
        continue;  // the same argument twice
      const int reg = locations_[static_cast<std::size_t>(arg)].reg;
      in_mask_register(arg) ? masks.give_back(reg) : vectors.give_back(reg);
    }
  }

  // ---- machine code

  int vector_bytes() const { return wide_ ? 64 : 32; }
  Vector vector(int reg) const { return Vector(wide_ ? Xbyak::Operand::ZMM : Xbyak::Operand::YMM, reg); }
  static Reg64 pointer(std::size_t i) { return Reg64(kPointers[i]); }

  /// A register that holds a constant, filled from the pool if it has none of its own.
  Vector constant(int entry) {
    for (const auto& [kept, reg] : kept_constants_)
      if (kept == entry) return vector(reg);
    const Vector temporary = vector(scratch_ + next_scratch_++ % kScratch);
    vmovups(temporary, ptr[rsi + entry * static_cast<int>(kPoolEntry)]);
    return temporary;
  }
  Vector value(int i) {
    const Location& location = locations_[static_cast<std::size_t>(i)];
    return location.constant >= 0 ? constant(location.constant) : vector(location.reg);
  }

  void emit() {
    const Reg64 saved[] = {rbx, rbp, r12, r13, r14, r15};
    for (const Reg64& reg : saved) push(reg);
    const std::size_t pointers = static_cast<std::size_t>(inputs_) + outputs_.size();
    for (std::size_t i = 0; i < pointers; ++i) mov(pointer(i), ptr[rdi + static_cast<int>(8 * i)]);  // rdi last
    shl(rdx, single_ ? 2 : 3);  // bytes
    for (const auto& [entry, reg] : kept_constants_) vmovups(vector(reg), ptr[rsi + entry * static_cast<int>(kPoolEntry)]);
    xor_(eax, eax);
    Xbyak::Label loop, tail, done, data;
    const auto at_end = [&] {
      lea(r11, ptr[rax + vector_bytes()]);
      cmp(r11, rdx);
    };
    at_end();
    ja(tail, T_NEAR);
    align(32);
    L(loop);
    body(false);
    add(rax, vector_bytes());
    at_end();
    jbe(loop, T_NEAR);
    L(tail);
    mov(r11, rdx);
    sub(r11, rax);
    jbe(done, T_NEAR);
    if (wide_) {
      shr(r11, single_ ? 2 : 3);
      bzhi(r11d, ptr[rip + data], r11d);  // that many ones
      kmovw(k7, r11d);
    } else {
      neg(r11);
      lea(rax, ptr[rip + data]);
      vmovups(ymm15, ptr[rax + r11 + 32]);  // ones, and zeros behind
      mov(rax, rdx);
      add(rax, r11);
    }
    body(true);
    L(done);
    vzeroupper();
    for (std::size_t i = std::size(saved); i-- > 0;) pop(saved[i]);
    ret();
    align(32);
    L(data);
    for (int i = 0; i < 4; ++i) dq(~std::uint64_t{0});
    for (int i = 0; i < 4; ++i) dq(0);
  }

  void body(bool masked) {
    for (int i = 0; i < static_cast<int>(operations_.size()); ++i)
      if (alive(i) && !is_constant(operation(i))) emit_operation(i, masked);
    for (std::size_t o = 0; o < outputs_.size(); ++o) {
      const Vector from = value(outputs_[o].operation);
      const Xbyak::Address to = ptr[pointer(static_cast<std::size_t>(inputs_) + o) + rax];
      if (masked && wide_)
        single_ ? vmovups(to | k7, from) : vmovupd(to | k7, from);
      else if (masked)
        single_ ? vmaskmovps(to, ymm15, from) : vmaskmovpd(to, ymm15, from);
      else if (outputs_[o].streams)
        vmovntps(to, from);
      else
        vmovups(to, from);
    }
  }

  void load(const Vector& to, int input, bool masked) {
    const Reg64 from = pointer(static_cast<std::size_t>(input));
    if (masked && wide_)
      single_ ? vmovups(to | k7 | T_z, ptr[from + rax]) : vmovupd(to | k7 | T_z, ptr[from + rax]);
    else if (masked)
      single_ ? vmaskmovps(to, ymm15, ptr[from + rax]) : vmaskmovpd(to, ymm15, ptr[from + rax]);
    else
      vmovups(to, ptr[from + rax]);
    if (!masked && far_[static_cast<std::size_t>(input)]) prefetcht0(ptr[from + rax + kAhead]);
  }
  static constexpr int kAhead = 2048;  ///< bytes

  void emit_operation(int i, bool masked) {
    const Operation& op = operation(i);
    const int reg = locations_[static_cast<std::size_t>(i)].reg;
    if (op.primitive == Primitive::Input) return load(vector(reg), op.index, masked);
    if (is_mask(op.primitive)) return emit_compare(op, reg);
    const Vector to = vector(reg);
    if (op.primitive == Primitive::Select) {
      const Location& mask = locations_[static_cast<std::size_t>(op.args[0])];
      const Vector yes = value(op.args[1]), no = value(op.args[2]);
      if (wide_) {
        const Xbyak::Opmask k(mask.reg);
        single_ ? vblendmps(to | k, no, yes) : vblendmpd(to | k, no, yes);
      } else {
        single_ ? vblendvps(to, no, yes, vector(mask.reg)) : vblendvpd(to, no, yes, vector(mask.reg));
      }
      return;
    }
    const Vector a = value(op.args[0]);
    switch (op.primitive) {
      case Primitive::Neg: return flip(to, constant(sign_), a);
      case Primitive::Abs: return clear(to, constant(sign_), a);
      case Primitive::Sqrt: return single_ ? vsqrtps(to, a) : vsqrtpd(to, a);
      default: break;
    }
    const Vector b = value(op.args[1]);
    switch (op.primitive) {
      case Primitive::Add: return single_ ? vaddps(to, a, b) : vaddpd(to, a, b);
      case Primitive::Sub: return single_ ? vsubps(to, a, b) : vsubpd(to, a, b);
      case Primitive::Mul: return single_ ? vmulps(to, a, b) : vmulpd(to, a, b);
      case Primitive::Div: return single_ ? vdivps(to, a, b) : vdivpd(to, a, b);
      default: break;
    }
    const Vector c = value(op.args[2]);
    vmovaps(to, a);
    single_ ? vfmadd213ps(to, b, c) : vfmadd213pd(to, b, c);
  }

  void flip(const Vector& to, const Vector& sign, const Vector& x) {
    if (wide_)
      vpxord(to, x, sign);
    else
      vxorps(to, x, sign);
  }
  void clear(const Vector& to, const Vector& sign, const Vector& x) {
    if (wide_)
      vpandnd(to, sign, x);
    else
      vandnps(to, sign, x);
  }

  void emit_compare(const Operation& op, int reg) {
    const Vector a = value(op.args[0]), b = value(op.args[1]);
    constexpr std::uint8_t kEqual = 0x00, kNotEqual = 0x04, kLess = 0x11, kLessEqual = 0x12;  // quiet; NaN: not equal
    const std::uint8_t how = op.primitive == Primitive::Equal      ? kEqual
                             : op.primitive == Primitive::NotEqual ? kNotEqual
                             : op.primitive == Primitive::Less     ? kLess
                                                                   : kLessEqual;
    if (wide_)
      single_ ? vcmpps(Xbyak::Opmask(reg), a, b, how) : vcmppd(Xbyak::Opmask(reg), a, b, how);
    else
      single_ ? vcmpps(vector(reg), a, b, how) : vcmppd(vector(reg), a, b, how);
  }

  const std::vector<Operation> operations_;
  bool single_, wide_;
  int inputs_, uniforms_;
  std::vector<bool> far_;
  std::vector<Output> outputs_;
  std::vector<int> last_use_;
  std::vector<Location> locations_;
  std::vector<double> numbers_;
  std::vector<std::pair<int, int>> kept_constants_;  ///< pool entry, register
  int scratch_ = 0, next_scratch_ = 0, sign_ = -1;
};

Loop::~Loop() = default;

std::unique_ptr<Loop> Loop::assemble(const Graph& from, int inputs, int uniforms, const std::vector<bool>& far,
                                     const std::vector<Output>& outputs) {
  std::unique_ptr<Loop> loop(new Loop);
  loop->code_ = std::make_unique<Code>(from, inputs, uniforms, far, outputs);
  if (!loop->code_->make(loop->pool_, from.dtype())) return nullptr;
  loop->function_ = loop->code_->function();
  return loop;
}

}  // namespace luge::cpu::jit
