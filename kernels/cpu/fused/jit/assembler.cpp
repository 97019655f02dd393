#include "assembler.h"

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

std::size_t vector_bytes() { return processor().has(Xbyak::util::Cpu::tAVX512F) ? 64 : 32; }

// ---- loops --------------------------------------------------------------------------------------

/// rax: position in bytes; rdx: bytes in all.
void Code::enter() {
  for (const Reg64& reg : {rbx, rbp, r12, r13, r14, r15}) push(reg);
  for (std::size_t i = 0; i < pointers(); ++i) mov(pointer(i), ptr[rdi + static_cast<int>(8 * i)]);  // rdi last
  if (row_bytes_ != 0)
    imul(rdx, rdx, row_bytes_);
  else
    shl(rdx, single_ ? 2 : 3);
  for (const auto& [entry, reg] : kept_constants_)
    vmovups(vector(reg), ptr[rsi + entry * static_cast<int>(Loop::kPoolEntry)]);
  xor_(eax, eax);
}

void Code::leave() {
  vzeroupper();
  for (const Reg64& reg : {r15, r14, r13, r12, rbp, rbx}) pop(reg);
  ret();
}

void Code::emit_elements() {
  Xbyak::Label loop, tail, done, data;
  const auto at_end = [&] {
    lea(r11, ptr[rax + vector_bytes()]);
    cmp(r11, rdx);
  };
  at_end();
  ja(tail, T_NEAR);
  align(32);
  L(loop);
  body(false, 0);
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
  body(true, 0);
  L(done);
  leave();
  align(32);
  L(data);
  for (int i = 0; i < 4; ++i) dq(~std::uint64_t{0});
  for (int i = 0; i < 4; ++i) dq(0);
}

// ---- rows

void Code::emit_rows() {
  const auto each = [&](const auto& move) {
    for (int k = 0; k < accumulators_; ++k)
      move(vector(first_sum_register_ + k), ptr[pointer(pointers() - 1) + k * row_bytes_]);
  };
  Xbyak::Label loop;
  each([&](const Vector& sum, const Xbyak::Address& at) { vmovupd(sum, at); });
  align(32);
  L(loop);
  body(false, 0);
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

Code::Vector Code::member(std::size_t sum, int m) const {
  return vector(first_sum_register_ + static_cast<int>(sum) * (members() + sum_vectors()) + m);
}
Code::Vector Code::lanes(std::size_t sum, int q) const { return member(sum, members() + q); }

/// A round visits every lane once; after a run of rounds the lanes go to float64.
void Code::emit_sums() {
  const int run_bytes = static_cast<int>(kSumRun) * element_bytes();
  Xbyak::Label run, round;
  align(32);
  L(run);
  for (std::size_t s = 0; s < sums_.size(); ++s)
    for (int q = 0; q < sum_vectors(); ++q) clear(lanes(s, q), lanes(s, q), lanes(s, q));
  lea(r11, ptr[rax + run_bytes]);
  align(32);
  L(round);
  for (int q = 0; q < sum_vectors(); ++q) {
    for (int m = 0; m < members(); ++m) {
      body(false, (q * members() + m) * vector_bytes());
      for (std::size_t s = 0; s < sums_.size(); ++s) vmovaps(member(s, m), value(sums_[s]));
    }
    for (std::size_t s = 0; s < sums_.size(); ++s) add_group(s, q);
  }
  add(rax, sum_vectors() * members() * vector_bytes());
  cmp(rax, r11);
  jb(round, T_NEAR);
  for (std::size_t s = 0; s < sums_.size(); ++s) add_to_lanes(s);
  cmp(rax, rdx);
  jb(run, T_NEAR);
  leave();
}

/// As add_groups.
void Code::add_group(std::size_t sum, int q) {
  const Vector low = vector(0), high = vector(1);
  if (single_) {
    for (const int m : {0, 2}) {
      vunpcklps(low, member(sum, m), member(sum, m + 1));
      vunpckhps(high, member(sum, m), member(sum, m + 1));
      vaddps(member(sum, m), low, high);
    }
    vunpcklpd(low, member(sum, 0), member(sum, 2));
    vunpckhpd(high, member(sum, 0), member(sum, 2));
    vaddps(low, low, high);
    vaddps(lanes(sum, q), lanes(sum, q), low);
  } else {
    vunpcklpd(low, member(sum, 0), member(sum, 1));
    vunpckhpd(high, member(sum, 0), member(sum, 1));
    vaddpd(low, low, high);
    vaddpd(lanes(sum, q), lanes(sum, q), low);
  }
}

void Code::add_to_lanes(std::size_t sum) {
  const Reg64 to = pointer(pointers() - 1);
  const Vector part = vector(0), total = vector(1);
  int at = static_cast<int>(sum) * 16 * 8;
  const auto add_part = [&](const Vector& x) {
    vmovupd(total, ptr[to + at]);
    vaddpd(total, total, x);
    vmovupd(ptr[to + at], total);
    at += vector_bytes();
  };
  for (int q = 0; q < sum_vectors(); ++q) {
    const Vector from = lanes(sum, q);
    if (!single_) {
      add_part(from);
    } else if (wide_) {
      vcvtps2pd(Xbyak::Zmm(part.getIdx()), Xbyak::Ymm(from.getIdx()));
      add_part(part);
      vextractf64x4(Xbyak::Ymm(part.getIdx()), Xbyak::Zmm(from.getIdx()), 1);
      vcvtps2pd(Xbyak::Zmm(part.getIdx()), Xbyak::Ymm(part.getIdx()));
      add_part(part);
    } else {
      vcvtps2pd(Xbyak::Ymm(part.getIdx()), Xbyak::Xmm(from.getIdx()));
      add_part(part);
      vextractf128(Xbyak::Xmm(part.getIdx()), Xbyak::Ymm(from.getIdx()), 1);
      vcvtps2pd(Xbyak::Ymm(part.getIdx()), Xbyak::Xmm(part.getIdx()));
      add_part(part);
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
  return loop;
}

}  // namespace luge::cpu::jit
