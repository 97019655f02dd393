// One vector of elements.

#include "code.h"

#include <algorithm>
#include <iterator>

namespace luge::cpu::jit {

namespace {

constexpr Xbyak::Operand::Code kPointers[] = {Xbyak::Operand::RCX, Xbyak::Operand::R8,  Xbyak::Operand::R9,
                                              Xbyak::Operand::R10, Xbyak::Operand::RBX, Xbyak::Operand::RBP,
                                              Xbyak::Operand::R12, Xbyak::Operand::R13, Xbyak::Operand::R14,
                                              Xbyak::Operand::R15, Xbyak::Operand::RDI};
constexpr int kAhead = 8192;  ///< bytes from use to request
constexpr int kRowsAhead = 64;  ///< that a call takes

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
      wide_(jit::vector_bytes() == 64),
      inputs_(shape.inputs),
      uniforms_(shape.uniforms),
      far_(shape.far),
      outputs_(shape.outputs),
      sums_(shape.sums),
      row_length_(shape.row_length),
      walks_(shape.walks),
      next_inputs_(shape.next_inputs),
      row_bytes_(shape.row_bytes),
      accumulators_(shape.accumulators),
      products_(shape.products) {
  for (int& sum : sums_) {
    const bool is_negation = operation(sum).primitive == Primitive::Neg;
    negated_.push_back(is_negation);
    if (is_negation) sum = operation(sum).args[0];
  }
}

bool Code::make(std::vector<std::byte>& pool) {
  const Xbyak::util::Cpu& cpu = processor();
  using Feature = Xbyak::util::Cpu;
  if (!cpu.has(Feature::tAVX2) || !cpu.has(Feature::tBMI2) || !cpu.has(Feature::tFMA)) return false;
  if (pointers() > std::size(kPointers)) return false;
  find_live();
  find_levels();
  // With AVX2 the values behind a row's end are cleared where they are, so they may not be needed again.
  const auto stays = [&](int sum) { return level(sum) != Level::Element; };
  if (row_length_ != 0 && !wide_ && std::any_of(sums_.begin(), sums_.end(), stays)) return false;
  balance();
  if (!(next_inputs_.empty() ? place() : place_steps())) return false;
  pool_bytes_ = (static_cast<std::size_t>(uniforms_) + numbers_.size()) * Loop::kPoolEntry;
  pool.resize(pool_bytes_);
  for (std::size_t i = 0; i < numbers_.size(); ++i)
    set_pool_entry(pool.data(), static_cast<std::size_t>(uniforms_) + i, dtype_, numbers_[i]);
  enter();
  if (!next_inputs_.empty())
    emit_steps();
  else if (row_bytes_ != 0)
    emit_vectors();
  else if (row_length_ != 0)
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

Code::Argument Code::argument(int i) {
  const int entry = locations_[static_cast<std::size_t>(i)].constant;
  const auto kept = [&](const std::pair<int, int>& constant) { return constant.first == entry; };
  if (entry < 0 || std::any_of(kept_constants_.begin(), kept_constants_.end(), kept)) return value(i);
  return ptr[rsi + entry * static_cast<int>(Loop::kPoolEntry)];
}

void Code::emit_level(Level wanted) {
  for (int i = 0; i < static_cast<int>(operations_.size()); ++i)
    if (alive(i) && !is_constant(operation(i).primitive) && level(i) == wanted) emit_operation(i, false, 0);
}

/// Computes vectors of elements operation by operation, so that each waits while the others go on; adds what is summed
/// and stores the outputs.
void Code::body(std::span<const Elements> side_by_side) {
  const auto each = [&](const auto& emit) {
    for (std::size_t c = 0; c < side_by_side.size(); ++c) {
      if (side_by_side.size() > 1) locations_ = copies_[c];
      half_ = side_by_side[c].half;
      emit(side_by_side[c]);
    }
    half_ = false;
  };
  for (int i = 0; i < static_cast<int>(operations_.size()); ++i)
    if (alive(i) && !is_constant(operation(i).primitive) && level(i) == Level::Element)
      each([&](const Elements& elements) {
        emit_operation(i, elements.masked, elements.displacement);
        add_to_sums(i, elements);
      });
  each([&](const Elements& elements) {
    for (const int sum : sums_)
      if (is_constant(operation(sum).primitive) || level(sum) != Level::Element) add_to_sums(sum, elements);
    for (std::size_t o = 0; o < outputs_.size(); ++o) store(o, elements);
  });
  if (side_by_side.size() > 1) locations_ = copies_.front();
}

void Code::store(std::size_t output, const Elements& elements) {
  const Vector from = value(outputs_[output].operation);
  const Xbyak::Address to = ptr[pointer(static_cast<std::size_t>(inputs_) + output) + rax + elements.displacement];
  if (elements.masked && wide_)
    single_ ? vmovups(to | k7, from) : vmovupd(to | k7, from);
  else if (elements.masked)
    single_ ? vmaskmovps(to, ymm15, from) : vmaskmovpd(to, ymm15, from);
  else if (outputs_[output].streams)
    vmovntps(to, from);
  else
    vmovups(to, from);
}

void Code::load(const Vector& to, int input, bool masked, int displacement) {
  if (in_tails_) return load_tails(to, input);
  const Reg64 from = pointer(static_cast<std::size_t>(input));
  if (row_length_ != 0 && walks_[static_cast<std::size_t>(input)].repeats)
    return single_ ? vbroadcastss(to, ptr[from])
           : wide_ ? vbroadcastsd(Xbyak::Zmm(to.getIdx()), ptr[from])
                   : vbroadcastsd(Xbyak::Ymm(to.getIdx()), ptr[from]);
  if (masked && wide_)
    single_ ? vmovups(to | k7 | T_z, ptr[from + rax + displacement])
            : vmovupd(to | k7 | T_z, ptr[from + rax + displacement]);
  else if (masked)
    single_ ? vmaskmovps(to, ymm15, ptr[from + rax + displacement])
            : vmaskmovpd(to, ymm15, ptr[from + rax + displacement]);
  else
    vmovups(to, ptr[from + rax + displacement]);
  const bool is_shared = row_length_ != 0 && walks_[static_cast<std::size_t>(input)].row_bytes == 0;
  if (masked || is_shared || !far_[static_cast<std::size_t>(input)]) return;
  // The last elements of many rows are read before the others.
  const int ahead = kAhead + (tail_rows_ > 1 ? kRowsAhead * static_cast<int>(row_length_) * element_bytes() : 0);
  prefetcht0(ptr[from + rax + displacement + ahead]);
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
  if (op.primitive == Primitive::Fma) return emit_fma(op, to);
  // Either order of a sum or a product is the same; a constant without a register comes second.
  const bool commutes = op.primitive == Primitive::Add || op.primitive == Primitive::Mul;
  const bool swaps = commutes && std::holds_alternative<Xbyak::Address>(argument(op.args[0]));
  const Vector a = value(op.args[swaps ? 1 : 0]);
  switch (op.primitive) {
    case Primitive::Neg: return flip(to, constant(sign_), a);
    case Primitive::Abs: return clear(to, constant(sign_), a);
    case Primitive::Sqrt: return single_ ? vsqrtps(to, a) : vsqrtpd(to, a);
    case Primitive::Exponent: return single_ ? vgetexpps(to, a) : vgetexppd(to, a);
    case Primitive::Significand: {
      constexpr std::uint8_t kHow = 0x0B;  // in [0.75, 1.5); NaN of what has a sign
      return single_ ? vgetmantps(to, a, kHow) : vgetmantpd(to, a, kHow);
    }
    case Primitive::Round: return emit_round(to, a);
    case Primitive::ExponentShift: return single_ ? vpslld(to, a, 23) : vpsllq(to, a, 52);
    default: break;
  }
  std::visit(
      [&](const auto& b) {
        switch (op.primitive) {
          case Primitive::Add: return single_ ? vaddps(to, a, b) : vaddpd(to, a, b);
          case Primitive::Sub: return single_ ? vsubps(to, a, b) : vsubpd(to, a, b);
          case Primitive::Mul: return single_ ? vmulps(to, a, b) : vmulpd(to, a, b);
          case Primitive::Min: return single_ ? vminps(to, a, b) : vminpd(to, a, b);
          case Primitive::Max: return single_ ? vmaxps(to, a, b) : vmaxpd(to, a, b);
          case Primitive::And: return wide_ ? vpandd(to, a, b) : vandps(to, a, b);
          case Primitive::Or: return wide_ ? vpord(to, a, b) : vorps(to, a, b);
          case Primitive::Scale: return single_ ? vscalefps(to, a, b) : vscalefpd(to, a, b);
          default: return single_ ? vdivps(to, a, b) : vdivpd(to, a, b);
        }
      },
      argument(op.args[swaps ? 0 : 1]));
}

/// To the nearest whole number, to even.
void Code::emit_round(const Vector& to, const Vector& x) {
  constexpr std::uint8_t kNearest = 0x08;  // without an exception
  if (wide_)
    single_ ? vrndscaleps(to, x, kNearest) : vrndscalepd(to, x, kNearest);
  else
    single_ ? vroundps(to, x, kNearest) : vroundpd(to, x, kNearest);
}

/// a b + c, where `to` may be the register of any of them.
void Code::emit_fma(const Operation& op, const Vector& to) {
  const auto is_to = [&](int arg) {
    const Location& location = locations_[static_cast<std::size_t>(arg)];
    return location.constant < 0 && location.reg == to.getIdx();
  };
  if (is_to(op.args[2])) {
    const Vector a = value(op.args[0]);
    std::visit([&](const auto& b) { single_ ? vfmadd231ps(to, a, b) : vfmadd231pd(to, a, b); }, argument(op.args[1]));
    return;
  }
  const bool onto_b = is_to(op.args[1]);
  const int first = op.args[onto_b ? 1 : 0], second = op.args[onto_b ? 0 : 1];
  if (!is_to(first)) std::visit([&](const auto& a) { vmovups(to, a); }, argument(first));
  const Vector b = value(second);
  std::visit([&](const auto& c) { single_ ? vfmadd213ps(to, b, c) : vfmadd213pd(to, b, c); }, argument(op.args[2]));
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
