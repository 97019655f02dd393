// One vector of elements.

#include "code.h"

#include <iterator>

namespace luge::cpu::jit {

namespace {

constexpr Xbyak::Operand::Code kPointers[] = {Xbyak::Operand::RCX, Xbyak::Operand::R8,  Xbyak::Operand::R9,
                                              Xbyak::Operand::R10, Xbyak::Operand::RBX, Xbyak::Operand::RBP,
                                              Xbyak::Operand::R12, Xbyak::Operand::R13, Xbyak::Operand::R14,
                                              Xbyak::Operand::R15, Xbyak::Operand::RDI};
constexpr int kAhead = 8192;  ///< bytes from use to request

}  // namespace

const Xbyak::util::Cpu& processor() {
  static const Xbyak::util::Cpu cpu;
  return cpu;
}

Code::Code(const LoopShape& shape)
    : CodeGenerator(1 << 16),
      operations_(shape.graph.operations()),
      dtype_(shape.graph.dtype()),
      single_(dtype_ == DType::Float32),
      wide_(processor().has(Xbyak::util::Cpu::tAVX512F)),
      inputs_(shape.inputs),
      uniforms_(shape.uniforms),
      far_(shape.far),
      outputs_(shape.outputs),
      sums_(shape.sums),
      row_bytes_(shape.row_bytes),
      accumulators_(shape.accumulators),
      products_(shape.products) {}

bool Code::make(std::vector<std::byte>& pool) {
  const Xbyak::util::Cpu& cpu = processor();
  using Feature = Xbyak::util::Cpu;
  if (!cpu.has(Feature::tAVX2) || !cpu.has(Feature::tBMI2) || !cpu.has(Feature::tFMA)) return false;
  if (pointers() > std::size(kPointers)) return false;
  find_live();
  balance();
  if (!place()) return false;
  pool.resize((static_cast<std::size_t>(uniforms_) + numbers_.size()) * Loop::kPoolEntry);
  for (std::size_t i = 0; i < numbers_.size(); ++i)
    set_pool_entry(pool.data(), static_cast<std::size_t>(uniforms_) + i, dtype_, numbers_[i]);
  enter();
  if (row_bytes_ != 0)
    emit_rows();
  else
    sums_.empty() ? emit_elements() : emit_sums();
  return true;
}

Code::Reg64 Code::pointer(std::size_t i) { return Reg64(kPointers[i]); }

/// A register that holds a constant, filled from the pool if it has none of its own.
Code::Vector Code::constant(int entry) {
  for (const auto& [kept, reg] : kept_constants_)
    if (kept == entry) return vector(reg);
  const Vector temporary = vector(scratch_ + next_scratch_++ % kScratch);
  vmovups(temporary, ptr[rsi + entry * static_cast<int>(Loop::kPoolEntry)]);
  return temporary;
}

Code::Vector Code::value(int i) {
  const Location& location = locations_[static_cast<std::size_t>(i)];
  return location.constant >= 0 ? constant(location.constant) : vector(location.reg);
}

/// Computes the vector of elements `displacement` bytes behind position rax, and stores its outputs.
void Code::body(bool masked, int displacement) {
  for (int i = 0; i < static_cast<int>(operations_.size()); ++i)
    if (alive(i) && !is_constant(operation(i).primitive)) emit_operation(i, masked, displacement);
  for (std::size_t o = 0; o < outputs_.size(); ++o) {
    const Vector from = value(outputs_[o].operation);
    const Xbyak::Address to = ptr[pointer(static_cast<std::size_t>(inputs_) + o) + rax + displacement];
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

void Code::load(const Vector& to, int input, bool masked, int displacement) {
  const Reg64 from = pointer(static_cast<std::size_t>(input));
  if (masked && wide_)
    single_ ? vmovups(to | k7 | T_z, ptr[from + rax + displacement])
            : vmovupd(to | k7 | T_z, ptr[from + rax + displacement]);
  else if (masked)
    single_ ? vmaskmovps(to, ymm15, ptr[from + rax + displacement])
            : vmaskmovpd(to, ymm15, ptr[from + rax + displacement]);
  else
    vmovups(to, ptr[from + rax + displacement]);
  if (!masked && far_[static_cast<std::size_t>(input)]) prefetcht0(ptr[from + rax + displacement + kAhead]);
}

void Code::emit_operation(int i, bool masked, int displacement) {
  const Operation& op = operation(i);
  const int reg = locations_[static_cast<std::size_t>(i)].reg;
  if (op.primitive == Primitive::Input) return load(vector(reg), op.index, masked, displacement);
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
  if (as_product_[static_cast<std::size_t>(i)]) return emit_sum_as_product(op, to);
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

void Code::flip(const Vector& to, const Vector& sign, const Vector& x) {
  if (wide_)
    vpxord(to, x, sign);
  else
    vxorps(to, x, sign);
}
void Code::clear(const Vector& to, const Vector& sign, const Vector& x) {
  if (wide_)
    vpandnd(to, sign, x);
  else
    vandnps(to, sign, x);
}

/// a + b or a - b, where `to` may be the register of either.
void Code::emit_sum_as_product(const Operation& op, const Vector& to) {
  const Vector one = constant(one_), a = value(op.args[0]), b = value(op.args[1]);
  const bool onto_b = to.getIdx() == b.getIdx() && to.getIdx() != a.getIdx();
  if (!onto_b && to.getIdx() != a.getIdx()) vmovaps(to, a);
  const Vector& other = onto_b ? a : b;
  if (op.primitive == Primitive::Add)
    single_ ? vfmadd213ps(to, one, other) : vfmadd213pd(to, one, other);
  else if (onto_b)
    single_ ? vfnmadd213ps(to, one, other) : vfnmadd213pd(to, one, other);
  else
    single_ ? vfmsub213ps(to, one, other) : vfmsub213pd(to, one, other);
}

void Code::emit_compare(const Operation& op, int reg) {
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

}  // namespace luge::cpu::jit
