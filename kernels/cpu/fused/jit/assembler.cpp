#include "assembler.h"

#include <algorithm>
#include <cstring>

#include <luge/base/detail/dispatch.h>

#include "../../reduce_space.h"
#include "code.h"

namespace luge::cpu::jit {

void set_pool_entry(std::byte* pool, std::size_t entry, DType dtype, double value) {
  std::byte* const to = pool + entry * Loop::kPoolEntry;
  with_floating(dtype, [&]<class T>() {
    const T element = static_cast<T>(value);
    for (std::size_t i = 0; i < Loop::kPoolEntry; i += sizeof(T)) std::memcpy(to + i, &element, sizeof(T));
  });
}

std::size_t vector_bytes() {
  using Feature = Xbyak::util::Cpu;
  static const bool wide = processor().has(Feature::tAVX512F) && processor().has(Feature::tAVX512VL);
  return wide ? 64 : 32;
}

// ---- loops --------------------------------------------------------------------------------------

/// rax: position in bytes; rdx: bytes in all, or rows; on the stack: steps that are left.
void Code::enter() {
  for (const Reg64& reg : {rbx, rbp, r12, r13, r14, r15, rcx}) push(reg);
  for (std::size_t i = 0; i < pointers(); ++i) mov(pointer(i), ptr[rdi + static_cast<int>(8 * i)]);  // rdi last
  if (row_bytes_ != 0)
    imul(rdx, rdx, row_bytes_);
  else if (row_length_ == 0)
    shl(rdx, single_ ? 2 : 3);
}

void Code::begin_step(Xbyak::Label& step) {
  L(step);
  for (const auto& [entry, reg] : kept_constants_)
    vmovups(vector(reg), ptr[rsi + entry * static_cast<int>(Loop::kPoolEntry)]);
  emit_level(Level::Step);
  xor_(eax, eax);
}

void Code::end_step(Xbyak::Label& step) {
  add(rsi, static_cast<std::uint32_t>(pool_bytes_));
  dec(qword[rsp]);
  jnz(step, T_NEAR);
}

void Code::leave() {
  vzeroupper();
  for (const Reg64& reg : {rcx, r15, r14, r13, r12, rbp, rbx}) pop(reg);
  ret();
}

/// Ones, and zeros behind.
void Code::mask_data(Xbyak::Label& data) {
  align(32);
  L(data);
  for (int i = 0; i < 4; ++i) dq(~std::uint64_t{0});
  for (int i = 0; i < 4; ++i) dq(0);
}

void Code::emit_elements() {
  Xbyak::Label step, loop, tail, done, data;
  begin_step(step);
  const auto at_end = [&] {
    lea(r11, ptr[rax + vector_bytes()]);
    cmp(r11, rdx);
  };
  at_end();
  ja(tail, T_NEAR);
  align(32);
  L(loop);
  body({.displacement = 0, .number = 0});
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
    vmovups(ymm15, ptr[rax + r11 + 32]);
    mov(rax, rdx);
    add(rax, r11);
  }
  body({.displacement = 0, .number = 0, .masked = true});
  L(done);
  end_step(step);
  leave();
  mask_data(data);
}

// ---- many steps of some elements, whose values stay in registers

/// On the stack: where the pool begins, steps.
void Code::emit_steps() {
  const auto load_constants = [&](int first, int end) {
    for (const auto& [entry, reg] : kept_constants_)
      if (entry >= first && entry < end)
        vmovups(vector(reg), ptr[rsi + entry * static_cast<int>(Loop::kPoolEntry)]);
  };
  const auto held = [&](int u, int input) { return vector(first_input_register_ + u * inputs_ + input); };
  Xbyak::Label block, step;
  push(rsi);
  load_constants(uniforms_, INT32_MAX);
  xor_(eax, eax);
  align(32);
  L(block);
  mov(rsi, ptr[rsp]);
  mov(r11, ptr[rsp + 8]);
  for (int u = 0; u < together_; ++u)
    for (int input = 0; input < inputs_; ++input)
      vmovups(held(u, input), ptr[pointer(static_cast<std::size_t>(input)) + rax + u * vector_bytes()]);
  align(32);
  L(step);
  load_constants(0, uniforms_);
  emit_level(Level::Step);
  for (int u = 0; u < together_; ++u) {
    shift_inputs(u * inputs_);
    for (int i = 0; i < static_cast<int>(operations_.size()); ++i) {
      const Primitive primitive = operation(i).primitive;
      if (alive(i) && level(i) == Level::Element && primitive != Primitive::Input) emit_operation(i, false, 0);
    }
    for (std::size_t o = 0; o < outputs_.size(); ++o) {
      const Vector to = held(u, next_inputs_[o]), from = value(outputs_[o].operation);
      if (to.getIdx() != from.getIdx()) vmovaps(to, from);
    }
    shift_inputs(-u * inputs_);
  }
  add(rsi, static_cast<std::uint32_t>(pool_bytes_));
  dec(r11);
  jnz(step, T_NEAR);
  for (int u = 0; u < together_; ++u)
    for (std::size_t o = 0; o < outputs_.size(); ++o)
      vmovups(ptr[pointer(static_cast<std::size_t>(inputs_) + o) + rax + u * vector_bytes()], held(u, next_inputs_[o]));
  add(rax, together_ * vector_bytes());
  cmp(rax, rdx);
  jb(block, T_NEAR);
  pop(rsi);
  leave();
}

// ---- elements that are vectors

void Code::emit_vectors() {
  const auto each = [&](const auto& move) {
    for (int k = 0; k < accumulators_; ++k)
      move(vector(first_sum_register_ + k), ptr[pointer(pointers() - 1) + k * row_bytes_]);
  };
  Xbyak::Label step, loop;
  begin_step(step);
  each([&](const Vector& sum, const Xbyak::Address& at) { vmovupd(sum, at); });
  align(32);
  L(loop);
  body({.displacement = 0, .number = 0});
  for (const LoopShape::Product& product : products_) {
    const Vector sum = vector(first_sum_register_ + product.accumulator), a = value(product.a), b = value(product.b);
    vfmadd231pd(sum, a, b);
  }
  add(rax, row_bytes_);
  cmp(rax, rdx);
  jb(loop, T_NEAR);
  each([&](const Vector& sum, const Xbyak::Address& at) { vmovupd(at, sum); });
  leave();
}

// ---- sums: the order of additions is that of FloatSum in ../reducers.h

Code::Vector Code::lanes(std::size_t sum, int q) const {
  return vector(first_sum_register_ + static_cast<int>(sum) * sum_vectors() + q);
}

void Code::clear_sums() {
  for (std::size_t s = 0; s < sums_.size(); ++s)
    for (int q = 0; q < sum_vectors(); ++q) flip(lanes(s, q), lanes(s, q), lanes(s, q));
}

void Code::add_to_lanes(std::size_t sum, const Vector& lanes, const Xbyak::Operand& x) {
  const Vector from = vector(lanes.getIdx());
  if (negated_[sum])
    single_ ? vsubps(lanes, from, x) : vsubpd(lanes, from, x);
  else
    single_ ? vaddps(lanes, from, x) : vaddpd(lanes, from, x);
}

/// The value of an operation, where it is summed; of the last elements of several rows, to memory instead.
void Code::add_to_sums(int operation, const Elements& elements) {
  for (std::size_t s = 0; s < sums_.size(); ++s) {
    if (sums_[s] != operation) continue;
    half_ = false;
    const Vector x = value(operation);
    if (in_tails_) {
      vmovups(ptr[pointer(pointers() - 1) + (tail_rows_ - 1) * row_lane_bytes() + static_cast<int>(s) * vector_bytes()], x);
      continue;
    }
    const Vector to = lanes(s, elements.number % sum_vectors());
    if (elements.masked && !wide_) vandps(x, x, ymm15);
    add_to_lanes(s, elements.masked && wide_ ? to | k7 : to, x);
  }
}

void Code::emit_sums() {
  const int run_bytes = static_cast<int>(kSumRun) * element_bytes(), together = std::max(sum_vectors(), 4);
  Xbyak::Label step, run, round;
  begin_step(step);
  align(32);
  L(run);
  clear_sums();
  lea(r11, ptr[rax + run_bytes]);
  align(32);
  L(round);
  emit_side_by_side(together, false);
  add(rax, together * vector_bytes());
  cmp(rax, r11);
  jb(round, T_NEAR);
  for (std::size_t s = 0; s < sums_.size(); ++s) add_to_memory(s);
  Xbyak::Label same_chunk;
  constexpr std::int64_t kMostChunkBytes = kSumChunk * 8;
  static_assert((kMostChunkBytes & (kMostChunkBytes - 1)) == 0);
  test(eax, static_cast<std::uint32_t>(kSumChunk * element_bytes() - 1));
  jnz(same_chunk);
  add(pointer(pointers() - 1), static_cast<std::uint32_t>(sums_.size() * ChunkSum::kSums * sizeof(double)));
  L(same_chunk);
  cmp(rax, rdx);
  jb(run, T_NEAR);
  leave();
  leave();
}

/// The lanes of a run, halves first, to the sums in memory.
void Code::add_to_memory(std::size_t sum) {
  const Reg64 to = pointer(pointers() - 1);
  const Vector part = vector(0);
  const Xbyak::Ymm half(0), other(1);
  int at = static_cast<int>(sum * ChunkSum::kSums * sizeof(double));
  const auto add_part = [&] {
    vaddpd(part, part, ptr[to + at]);
    vmovupd(ptr[to + at], part);
    at += vector_bytes();
  };
  const int vectors = sum_vectors();
  if (single_ && wide_) {
    vextractf64x4(half, Xbyak::Zmm(lanes(sum, 0).getIdx()), 1);
    vaddps(half, half, Xbyak::Ymm(lanes(sum, 0).getIdx()));
    vcvtps2pd(part, half);
    add_part();
  } else if (single_) {
    vaddps(other, lanes(sum, 0), lanes(sum, 1));
    vcvtps2pd(part, Xbyak::Xmm(1));
    add_part();
    vextractf128(Xbyak::Xmm(1), other, 1);
    vcvtps2pd(part, Xbyak::Xmm(1));
    add_part();
  } else {
    for (int q = 0; q < vectors / 2; ++q) {
      vaddpd(part, lanes(sum, q), lanes(sum, q + vectors / 2));
      add_part();
    }
  }
}

// ---- rows

/// Bytes of the lanes of a row's sums.
int Code::row_lane_bytes() const { return static_cast<int>(sums_.size()) * sum_vectors() * vector_bytes(); }

/// Elements behind the last whole vector of a row.
int Code::rest() const { return static_cast<int>(row_length_) % (vector_bytes() / element_bytes()); }

void Code::emit_rows() {
  Xbyak::Label step, row, done, data;
  begin_step(step);
  if (tail_rows_ > 1) {
    emit_tails();
    emit_groups();
    test(rdx, rdx);
    jz(done, T_NEAR);
  } else if (rest() != 0 && wide_) {
    lowest_lanes(rest());
  } else if (rest() != 0) {
    vmovups(ymm15, ptr[rip + data + (32 - rest() * element_bytes())]);
  }
  align(32);
  L(row);
  emit_row(true);
  next_rows(1);
  dec(rdx);
  jnz(row, T_NEAR);
  L(done);
  leave();
  mask_data(data);
  if (tail_rows_ == 1) return;
  const int lanes = vector_bytes() / element_bytes();
  for (const bool of_rows : {true, false}) {
    align(64);
    L(of_rows ? tail_row_data_ : tail_column_data_);
    for (int i = 0; i < lanes; ++i) {
      const auto at = static_cast<std::uint32_t>(of_rows ? i / rest() % tail_rows_ : i % rest());
      single_ ? dd(at) : dq(at);
    }
  }
}

/// k7: so many lanes, from the first on.
void Code::lowest_lanes(int count) {
  constexpr int kBits = 16;
  kxnorw(k7, k7, k7);
  kshiftrw(k7, k7, static_cast<std::uint8_t>(kBits - count));
}

void Code::next_rows(int rows) {
  for (std::size_t i = 0; i < walks_.size(); ++i)
    if (walks_[i].row_bytes != 0) add(pointer(i), static_cast<std::uint32_t>(rows * walks_[i].row_bytes));
}

/// Vectors of elements from position rax on, and what is behind the last whole one of a row.
void Code::emit_side_by_side(int count, bool with_tail) {
  std::vector<Elements> all;
  for (int v = 0; v < count; ++v) all.push_back({.displacement = v * vector_bytes(), .number = v});
  if (with_tail)
    all.push_back({.displacement = count * vector_bytes(),
                   .number = count,
                   .masked = true,
                   .half = wide_ && 2 * rest() * element_bytes() <= vector_bytes()});
  const std::size_t most = copies_.size();
  for (std::size_t done = 0; done < all.size(); done += most)
    body(std::span(all).subspan(done, std::min(most, all.size() - done)));
}

/// A row; `with_tail` false: its last elements have been computed, and are at r11.
void Code::emit_row(bool with_tail) {
  constexpr int kMostInLine = 8;  ///< vectors
  const int whole = static_cast<int>(row_length_) * element_bytes() / vector_bytes();
  emit_level(Level::Row);
  clear_sums();
  xor_(eax, eax);
  int done = 0;
  if (whole > kMostInLine) {
    const int together = std::max(sum_vectors(), 4);
    done = whole / together * together;
    Xbyak::Label loop;
    align(32);
    L(loop);
    emit_side_by_side(together, false);
    add(rax, together * vector_bytes());
    cmp(rax, done * vector_bytes());
    jb(loop, T_NEAR);
  }
  emit_side_by_side(whole - done, with_tail && rest() != 0);
  if (sums_.empty()) return;
  for (std::size_t s = 0; s < sums_.size() && !with_tail; ++s)
    add_to_lanes(s, lanes(s, whole % sum_vectors()) | k7, ptr[r11 + static_cast<int>(s) * vector_bytes()]);
  const Reg64 to = pointer(pointers() - 1);
  for (std::size_t s = 0; s < sums_.size(); ++s)
    for (int q = 0; q < sum_vectors(); ++q)
      vmovups(ptr[to + (static_cast<int>(s) * sum_vectors() + q) * vector_bytes()], lanes(s, q));
  add(to, static_cast<std::uint32_t>(row_lane_bytes()));
}

/// The last elements of all groups of rows. What is summed of a group goes to where the lanes of its last row will be.
void Code::emit_tails() {
  Xbyak::Label group, done;
  mov(r11, rdx);
  align(32);
  L(group);
  sub(r11, tail_rows_);
  jb(done, T_NEAR);
  in_tails_ = true;
  std::swap(levels_, tail_levels_);
  std::swap(locations_, tail_locations_);
  body({.displacement = 0, .number = 0});
  std::swap(levels_, tail_levels_);
  std::swap(locations_, tail_locations_);
  in_tails_ = false;
  next_rows(tail_rows_);
  add(pointer(pointers() - 1), static_cast<std::uint32_t>(tail_rows_ * row_lane_bytes()));
  jmp(group, T_NEAR);
  L(done);
  for (std::size_t i = 0; i < pointers(); ++i) mov(pointer(i), ptr[rdi + static_cast<int>(8 * i)]);
}

/// Rows of groups whose last elements have been computed. On the stack: rows that are left of a group.
void Code::emit_groups() {
  Xbyak::Label group, row, done;
  lowest_lanes(rest());
  L(group);
  cmp(rdx, tail_rows_);
  jb(done, T_NEAR);
  lea(r11, ptr[pointer(pointers() - 1) + (tail_rows_ - 1) * row_lane_bytes()]);
  mov(qword[rsp], tail_rows_);
  align(32);
  L(row);
  emit_row(false);
  next_rows(1);
  add(r11, rest() * element_bytes());
  dec(qword[rsp]);
  jnz(row, T_NEAR);
  sub(rdx, tail_rows_);
  jmp(group, T_NEAR);
  L(done);
}

/// An input of the last elements of several rows, one row behind the other.
void Code::load_tails(const Vector& to, int input) {
  const LoopShape::Walk& walk = walks_[static_cast<std::size_t>(input)];
  const Reg64 from = pointer(static_cast<std::size_t>(input));
  const Xbyak::Zmm all(to.getIdx()), loaded(tail_register_);
  const int first = walk.repeats ? 0 : static_cast<int>(row_length_) * element_bytes() / vector_bytes() * vector_bytes();
  if (walk.repeats && walk.row_bytes == 0) {
    single_ ? vbroadcastss(all, ptr[from]) : vbroadcastsd(all, ptr[from]);
  } else if (walk.repeats || walk.row_bytes == 0) {
    lowest_lanes(walk.repeats ? tail_rows_ : rest());
    single_ ? vmovups(loaded | k7 | T_z, ptr[from + first]) : vmovupd(loaded | k7 | T_z, ptr[from + first]);
    vmovups(all, ptr[rip + (walk.repeats ? tail_row_data_ : tail_column_data_)]);
    single_ ? vpermps(all, all, loaded) : vpermpd(all, all, loaded);
  } else {
    lowest_lanes(rest());
    for (int row = 0; row < tail_rows_; ++row) {
      const int at = first + row * static_cast<int>(walk.row_bytes - rest() * element_bytes());
      const Xbyak::Zmm part = row == 0 ? all | k7 | T_z : all | k7;
      single_ ? vmovups(part, ptr[from + at]) : vmovupd(part, ptr[from + at]);
      if (row + 1 < tail_rows_) kshiftlw(k7, k7, static_cast<std::uint8_t>(rest()));
    }
  }
}

// ---- the result ---------------------------------------------------------------------------------

Loop::~Loop() = default;

std::unique_ptr<Loop> Loop::assemble(const LoopShape& shape) {
  std::unique_ptr<Loop> loop(new Loop);
  loop->code_ = std::make_unique<Code>(shape);
  if (!loop->code_->make(loop->pool_)) return nullptr;
  loop->function_ = loop->code_->function();
  loop->block_ = loop->code_->block();
  return loop;
}

}  // namespace luge::cpu::jit
