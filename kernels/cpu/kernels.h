#pragma once
// The entry points of the CPU backend, one per kind of call; see core/backend.h for their meaning.

#include <luge/call.h>

namespace luge::cpu {

void run(const Elementwise& call);
void run(const Copy& call);
void run(const Reduce& call);
void run(const MatMul& call);
void run(const Softmax& call);
void run(const CrossEntropy& call);
void run(const Gather& call);
void run(const Iota& call);
void run(const Random& call);
void run(const Update& call);
void run(const ClipNorm& call);
void run(const Record& call);

}  // namespace luge::cpu
